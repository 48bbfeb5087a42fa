"""The founding documents' examples that are one request, in every SDK and way to ask."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sdks.asking import Ask, Said, each_sdk, every_stream, every_way
from tests.sdks.examples import EXAMPLES


def user(text: str) -> dict[str, Any]:
    """Return a message of the user."""
    return {"role": "user", "content": text}


def has_text(said: Said) -> bool:
    """It says something and nothing of how it came to it."""
    return said.text != "" and said.only.reasoning is None and said.details["reasoning_tokens"] == 0


def has_thought(said: Said) -> bool:
    """It says something, and apart from it how it came to it."""
    return bool(said.text and said.only.reasoning) and said.details["reasoning_tokens"] > 0


SHORT: dict[str, Any] = {"max_completion_tokens": 12}
THOUGHT: dict[str, Any] = {"max_completion_tokens": 60, "temperature": 0}
ROWS: dict[str, tuple[dict[str, Any], Callable[[Said], bool]]] = {
    "one question": ({"model": "llama-3.3-70b", "messages": [user("What is a chip?")]}, has_text),
    "system and user": (
        {
            "model": "llama3.1-8b",
            "messages": [{"role": "system", "content": "Say little."}, user("What is a wafer?")],
        },
        has_text,
    ),
    "roles and parts": (
        {
            "model": "gpt-oss-120b",
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
                user("How are you?"),
            ],
            **THOUGHT,
        },
        has_thought,
    ),
    "non-standard fields": (
        {
            "model": "zai-glm-4.7",
            "messages": [user("Who are you?")],
            "reasoning_effort": "none",
            "clear_thinking": False,
        },
        has_text,
    ),
    "parsed reasoning": (
        {
            "model": "qwen-3-32b",
            "messages": [user("Where is Paris?")],
            "reasoning_format": "parsed",
            **THOUGHT,
        },
        has_thought,
    ),
    "effort": (
        {
            "model": "gpt-oss-120b",
            "messages": [user("Where is Rome?")],
            "reasoning_effort": "high",
            **THOUGHT,
        },
        has_thought,
    ),
    "reasoning disabled": (
        {"model": "zai-glm-4.7", "messages": [user("Where?")], "disable_reasoning": True},
        has_text,
    ),
}


@every_way
@pytest.mark.parametrize("row", ["one question", "parsed reasoning", "non-standard fields"])
def test_example_is_answered_in_every_way(ask: Ask, row: str) -> None:
    """Every SDK, sync and async, plain and streamed."""
    check_answer(ask, row)


@each_sdk
@pytest.mark.parametrize("row", ROWS)
def test_example_is_answered_by_every_sdk(ask: Ask, row: str) -> None:
    """All other examples that are one request, by each of the four SDKs."""
    check_answer(ask, row)


def check_answer(ask: Ask, row: str) -> None:
    """Check that an answer has text or also reasoning, an end and a usage that adds up."""
    body, holds = ROWS[row]
    said = ask(**{**SHORT, **body})

    assert holds(said), said
    assert said.only.finish in ("stop", "length")
    assert said.head["model"] == body["model"]
    assert said.head["id"].startswith("chatcmpl-")
    usage = said.usage
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 1
    times = said.head["time_info"]
    assert times["total_time"] >= times["completion_time"] >= 0


@every_stream
def test_stream_ends_with_usage_and_times(ask: Ask) -> None:
    """A loop over the deltas sees the text bit by bit; only the last chunk tells what it cost."""
    said = ask(model="llama-3.3-70b", messages=[user("Why be fast?")], **SHORT)

    assert said.usage["completion_tokens"] == 12
    assert len([chunk for chunk in said.chunks if "content" in chunk["choices"][0]["delta"]]) > 1
    assert [chunk for chunk in said.chunks if "usage" in chunk] == said.chunks[-1:]
    assert [chunk for chunk in said.chunks if "time_info" in chunk] == said.chunks[-1:]


@every_stream
@pytest.mark.parametrize("wants", [True, None])
def test_stream_option_for_usage_changes_nothing(ask: Ask, wants: bool | None) -> None:
    """The usage comes in the last chunk whether it was asked for or not."""
    options = {"include_usage": wants}
    said = ask(model="llama3.1-8b", messages=[user("Why wait?")], stream_options=options, **SHORT)

    assert said.usage["completion_tokens"] == 12
    assert said.head["choices"] != []


@each_sdk
def test_developer_is_system(ask: Ask) -> None:
    """The two roles are one to the model: the same answer to each."""
    answers = [
        ask(
            model="gpt-oss-120b",
            messages=[{"role": role, "content": "Speak of fish."}, user("What do you like?")],
            **THOUGHT,
        )
        for role in ("system", "developer")
    ]

    assert answers[0].only == answers[1].only
    assert answers[0].usage["prompt_tokens"] == answers[1].usage["prompt_tokens"]


def test_examples_name_tests_that_exist() -> None:
    """Every example of the documents is run by a test of this folder."""
    folder = Path(__file__).parent
    have = {
        f"{path.stem}::{node.name}"
        for path in folder.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {test for example in EXAMPLES for test in example.tests} <= have
    assert {example.document for example in EXAMPLES} == {"S0", "S1", "S2"}
