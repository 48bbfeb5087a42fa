"""How scripts/try-frameworks judges what the programs of the frameworks told, and what it pins."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scripts.frameworks.outcomes import STEPS, Report, failures, judge, missing, read_report, table
from scripts.frameworks.trying import QUESTION, WEATHER_QUESTION
from tests.structure import texts

SUNNY = "It is sunny in Paris."
PERSON = {"name": "Anna", "age": 3}
PINS = Path(__file__).resolve().parents[2] / "constraints" / "frameworks"
PYTHON = ("instructor", "langchain", "llama_index", "pydantic_ai")


@pytest.mark.parametrize(
    ("step", "value"),
    [
        ("chat", {"text": QUESTION}),
        ("stream", {"pieces": ["", QUESTION[:4], QUESTION[4:]]}),
        ("stream", {"objects": [PERSON]}),
        ("tools", {"results": [SUNNY], "text": SUNNY}),
        ("streamed tools", {"results": [SUNNY, SUNNY], "text": WEATHER_QUESTION}),
        ("structured", {"person": PERSON}),
    ],
)
def test_right_outcomes_pass(step: str, value: dict[str, Any]) -> None:
    """What a target that echoes says is foretold."""
    assert judge(step, value, is_echo=True) is None


@pytest.mark.parametrize(
    ("step", "value"),
    [
        ("chat", {"text": "else"}),
        ("chat", {"text": " "}),
        ("chat", {"text": None}),
        ("stream", {"pieces": [QUESTION, ""]}),
        ("stream", {"pieces": ["else", "where"]}),
        ("stream", {"pieces": []}),
        ("stream", {"objects": []}),
        ("stream", {"objects": [{"name": None, "age": None}]}),
        ("tools", {"results": [], "text": SUNNY}),
        ("tools", {"results": ["an error"], "text": SUNNY}),
        ("streamed tools", {"results": [SUNNY], "text": ""}),
        ("structured", {"person": {"name": "Carl", "age": 3}}),
        ("structured", {"person": {"name": "Anna", "age": "3"}}),
    ],
)
def test_wrong_outcomes_are_named(step: str, value: dict[str, Any]) -> None:
    """Nothing that is empty, not streamed, not called or not the object passes."""
    assert judge(step, value, is_echo=True)


def test_target_that_does_not_echo_may_say_what_it_likes() -> None:
    """But something."""
    assert judge("chat", {"text": "Paris."}, is_echo=False) is None
    assert judge("chat", {"text": ""}, is_echo=False)


def _report() -> Report:
    lines = [
        "a warning of somebody's",
        json.dumps({"versions": {"lib": "1.0"}}),
        json.dumps({"way": "A", "target": "x", "step": "chat", "value": {"text": QUESTION}}),
        json.dumps({"way": "A", "target": "y", "step": "chat", "error": "Oops: no"}),
        json.dumps({"way": "A", "target": "x", "step": "stream", "value": {"pieces": ["a", "b"]}}),
    ]
    return read_report("lib", lines, frozenset({"y"}))


def test_table_has_ok_the_targets_that_failed_or_a_dash() -> None:
    """A row for each class, a column for each step."""
    head, _, row = table([_report()])
    assert [cell.strip() for cell in head.split("|")[1:-1]] == ["framework", "class", *STEPS]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells == ["lib", "A", "y", "ok", "–", "–", "–"]
    assert failures([_report()]) == ["lib, A, chat, y: Oops: no"]


def test_steps_that_a_program_did_not_come_to_are_missed() -> None:
    """A program that ended early does not pass for one that was tried."""
    assert missing(_report(), ["x", "y"]) == ["A, stream: y"]


@pytest.mark.parametrize("name", PYTHON)
def test_frameworks_are_pinned_with_hashes(name: str) -> None:
    """What is installed is what was locked: run `make lock` after a change of the `.in` file."""
    locked = (PINS / f"{name}.txt").read_text()
    assert texts.loose_pins(name, locked) == []
    lines = (PINS / f"{name}.in").read_text().splitlines()
    wanted = {re.split(r"[\[<>=;\s]", line)[0] for line in lines if not line.startswith("#")}
    assert wanted <= set(texts.pinned(locked))


def test_packages_of_the_ai_sdk_are_pinned_with_hashes() -> None:
    """The lock file has what package.json asks for, with hashes and without addresses."""
    wanted = json.loads((PINS / "ai_sdk" / "package.json").read_text())
    own, *packages = json.loads((PINS / "ai_sdk" / "package-lock.json").read_text())[
        "packages"
    ].values()
    for kind in ("dependencies", "optionalDependencies"):
        assert own[kind] == wanted[kind]
        assert all(re.fullmatch(r"[\d.]+", version) for version in wanted[kind].values())
    assert all(each["integrity"].startswith("sha512-") for each in packages)
    assert not any("resolved" in each for each in packages)
