"""Judges what the programs of the frameworks printed, and makes the table of it."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.frameworks.trying import QUESTION, WEATHER_QUESTION

STEPS = ("chat", "stream", "tools", "streamed tools", "structured")
RESULTS = ("It is sunny in Paris.", "It is sunny in Rome.")
NAMES = ("Anna", "Bert")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one step.

    Args:
        way: Which class of the framework was used.
        target: The name of what answered.
        problem: None if it did what it should.
    """

    way: str
    target: str
    step: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What one program printed."""

    framework: str
    versions: dict[str, str]
    outcomes: tuple[Outcome, ...]


def read_report(framework: str, lines: Iterable[str], echoing: frozenset[str]) -> Report:
    """Judge every line that a program printed.

    Args:
        echoing: Targets that say the user's last words again; the others say what they like.
    """
    said = [json.loads(line) for line in lines if line.startswith("{")]
    versions: dict[str, str] = next((line["versions"] for line in said if "versions" in line), {})
    outcomes = tuple(_outcome(line, echoing) for line in said if "step" in line)
    return Report(framework, versions, outcomes)


def missing(report: Report, targets: Sequence[str]) -> list[str]:
    """Return which steps a program that ended early has not told of, judged by its first target."""
    told = {(each.way, each.step, each.target) for each in report.outcomes}
    steps = {(way, step) for way, step, _ in told}
    return [
        f"{way}, {step}: {target}"
        for way, step in sorted(steps)
        for target in targets
        if (way, step, target) not in told
    ]


def _outcome(line: dict[str, Any], echoing: frozenset[str]) -> Outcome:
    problem = line.get("error")
    if problem is None:
        problem = judge(line["step"], line["value"], is_echo=line["target"] in echoing)
    return Outcome(line["way"], line["target"], line["step"], problem)


def judge(step: str, value: dict[str, Any], *, is_echo: bool) -> str | None:
    """Return what is wrong with what a step gave; None if it is right."""
    return _JUDGES[step](value, is_echo)


def _judge_chat(value: dict[str, Any], is_echo: bool) -> str | None:
    return _wrong_text(value["text"], (QUESTION,) if is_echo else ())


def _judge_stream(value: dict[str, Any], is_echo: bool) -> str | None:
    if "objects" in value:
        objects = value["objects"]  # of a call that comes whole, there is one
        return _wrong_person(objects[-1]) if objects else "no object"
    pieces = [piece for piece in value["pieces"] if piece]
    return _wrong_pieces(pieces) or _wrong_text("".join(pieces), (QUESTION,) if is_echo else ())


def _judge_tools(value: dict[str, Any], is_echo: bool) -> str | None:
    results = value["results"]
    if not results or not set(results) <= set(RESULTS):
        return f"the tool returned {results!r}"
    return _wrong_text(value["text"], (WEATHER_QUESTION, *RESULTS) if is_echo else ())


def _judge_structured(value: dict[str, Any], is_echo: bool) -> str | None:
    return _wrong_person(value["person"])


def _wrong_text(text: object, accepted: tuple[str, ...]) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return f"no text: {text!r}"
    return f"another text: {text!r}" if accepted and text not in accepted else None


def _wrong_pieces(pieces: Sequence[object]) -> str | None:
    return None if len(pieces) > 1 else f"not streamed: {pieces!r}"


def _wrong_person(person: dict[str, Any]) -> str | None:
    right = person.get("name") in NAMES and isinstance(person.get("age"), int)
    return None if right else f"another object: {person!r}"


_JUDGES: dict[str, Callable[[dict[str, Any], bool], str | None]] = {
    "chat": _judge_chat,
    "stream": _judge_stream,
    "tools": _judge_tools,
    "streamed tools": _judge_tools,
    "structured": _judge_structured,
}


def table(reports: Iterable[Report]) -> list[str]:
    """Return a line for each class of each framework: `ok`, or the targets that failed."""
    rows: list[tuple[str, ...]] = [("framework", "class", *STEPS)]
    for report in reports:
        for way in dict.fromkeys(each.way for each in report.outcomes):
            cells = [_cell(report, way, step) for step in STEPS]
            rows.append((report.framework, way, *cells))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    return [lines[0], _line(["-" * width for width in widths], widths), *lines[1:]]


def _cell(report: Report, way: str, step: str) -> str:
    tried = [each for each in report.outcomes if (each.way, each.step) == (way, step)]
    failed = [each.target for each in tried if each.problem is not None]
    return ", ".join(failed) if failed else "ok" if tried else "–"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def failures(reports: Iterable[Report]) -> list[str]:
    """Return a line for each step that failed, with why."""
    return [
        f"{report.framework}, {each.way}, {each.step}, {each.target}: {each.problem}"
        for report in reports
        for each in report.outcomes
        if each.problem is not None
    ]
