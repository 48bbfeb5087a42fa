"""Errors of our own models name the field that the client wrote, not the one of the chat it became.

Each is made by the reader or by what the engine says, from a request that its own dialect's reader
takes.
"""

from typing import Any

import pytest

from slipstream.call import Dialect
from slipstream.errors import BadRequest, ContextTooLong, GatewayError
from slipstream.upstream.hearing import Heard, hear
from slipstream.upstream.local_talk import chat_of
from slipstream.upstream.local_words import in_clients_words
from tests.upstream.dialect_scene import MESSAGES, RESPONSES, asking
from tests.upstream.test_hearing import call_of


def heard(dialect: Dialect, **fields: Any) -> Heard:
    """Return a request of a dialect with these fields."""
    return hear(call_of(dialect, asking(dialect, stream=False) | fields), lambda: 7.5)


def function(name: str) -> dict[str, Any]:
    """Return a tool of Responses."""
    return {"type": "function", "name": name, "parameters": {"type": "object"}}


def tool(name: str) -> dict[str, Any]:
    """Return a tool of Messages."""
    return {"name": name, "input_schema": {"type": "object"}}


SEARCH = {"type": "web_search_20260101", "name": "web_search"}


@pytest.mark.parametrize(
    ("dialect", "fields", "param"),
    [
        (MESSAGES, {"max_tokens": 0}, "max_tokens"),
        (MESSAGES, {"tools": [tool("a"), tool("b c")]}, "tools[1].name"),
        (MESSAGES, {"tools": [SEARCH, tool("b c")]}, "tools['b c'].name"),
        (MESSAGES, {"tools": [tool("a")] * 2}, "tools[1].name"),
        (MESSAGES, {"tools": [tool(f"t{n}") for n in range(129)]}, "tools"),
        (
            MESSAGES,
            {"tools": [tool("a")], "tool_choice": {"type": "tool", "name": "b"}},
            "tool_choice.name",
        ),
        (MESSAGES, {"tool_choice": {"type": "any"}, "tools": []}, None),
        (RESPONSES, {"tools": [function("b c")]}, "tools['b c'].name"),
    ],
)
def test_field_that_is_refused_is_the_clients(
    dialect: Dialect, fields: dict[str, Any], param: str | None
) -> None:
    """In `param` and in the text; no other name is left in it."""
    if param is None:
        chat_of(heard(dialect, **fields).asked)  # a choice among no tools is none
        return
    with pytest.raises(BadRequest) as caught:
        chat_of(heard(dialect, **fields).asked)
    error = caught.value
    assert error.param == param
    assert f"'{param}'" in error.message
    for foreign in ("function.", "messages[", "response_format", "max_completion_tokens"):
        assert foreign not in error.message


@pytest.mark.parametrize(
    ("dialect", "chat", "own"),
    [
        (MESSAGES, "messages[3].content[1].type", "messages"),
        (MESSAGES, "messages", "messages"),
        (MESSAGES, "max_completion_tokens", "max_tokens"),
        (MESSAGES, "stop", "stop_sequences"),
        (MESSAGES, "response_format.json_schema.schema", "output_config.format.schema"),
        (MESSAGES, "response_format.json_schema.name", "output_config.format"),
        (MESSAGES, "tools[0].function.parameters", "tools[0].input_schema"),
        (MESSAGES, "tool_choice", "tool_choice"),
        (MESSAGES, "reasoning_effort", "output_config.effort"),
        (MESSAGES, "model", "model"),
        (RESPONSES, "messages[3].content", "input"),
        (RESPONSES, "max_tokens", "max_output_tokens"),
        (RESPONSES, "response_format.json_schema.schema", "text.format.schema"),
        (RESPONSES, "response_format", "text.format"),
        (RESPONSES, "tools[0].function.parameters", "tools['weather'].parameters"),
        (RESPONSES, "tool_choice.allowed_tools.tools[0].function.name", None),
        (RESPONSES, "reasoning_effort", "reasoning.effort"),
    ],
)
def test_field_that_the_engine_names_is_told_as_the_clients(
    dialect: Dialect, chat: str, own: str | None
) -> None:
    """Both where the text begins with it, and where it is quoted."""
    tools = [tool("weather") if dialect is MESSAGES else function("weather")]
    asked = heard(dialect, tools=tools).asked
    for text in (f"{chat}: no", f"Invalid value for '{chat}': no."):
        error: GatewayError = BadRequest(text, param=chat)
        in_clients_words(error, asked)
        if own is None:
            assert (error.param or "").startswith("tool_choice.")
        else:
            assert (error.param, error.message) == (own, text.replace(chat, own))


def test_context_that_is_too_long_keeps_its_words() -> None:
    """There is no field to rename in them."""
    error = ContextTooLong("prompt is too long: 3 > 2")
    in_clients_words(error, heard(RESPONSES).asked)
    assert (error.param, error.message) == ("input", "prompt is too long: 3 > 2")


USE = {"type": "tool_use", "id": "toolu_1", "name": "a", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
HI = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([HI, {"role": "assistant", "content": [USE]}], "were found without `tool_result` blocks"),
        ([HI, {"role": "assistant", "content": [USE]}, HI], "without `tool_result`"),
        ([{"role": "user", "content": [RESULT]}], "no `tool_use` block"),
        ([HI, {"role": "assistant", "content": [USE, USE]}], "must be unique"),
    ],
)
def test_call_without_its_result_is_told_as_anthropic_does(messages: list[Any], text: str) -> None:
    """Its clients know these words."""
    with pytest.raises(BadRequest) as caught:
        chat_of(heard(MESSAGES, messages=messages).asked)
    assert text in caught.value.message
    assert "toolu_1" in caught.value.message
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (
            [{"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"}],
            "No tool output found for function call c1.",
        ),
        (
            [{"type": "function_call_output", "call_id": "c1", "output": "x"}],
            "No tool call found for function call output with call_id c1.",
        ),
    ],
)
def test_call_without_its_output_is_told_as_openai_does(items: list[Any], text: str) -> None:
    """In the words of Responses."""
    with pytest.raises(BadRequest) as caught:
        chat_of(heard(RESPONSES, input=[HI, *items]).asked)
    assert caught.value.message == f"input: {text}"
    assert caught.value.param == "input"


def test_calls_with_all_their_results_are_taken() -> None:
    """Several at once, results in any order."""
    uses = [{**USE, "id": f"toolu_{n}"} for n in range(3)]
    results = [{**RESULT, "tool_use_id": f"toolu_{n}"} for n in (2, 0, 1)]
    turns = [HI, {"role": "assistant", "content": uses}, {"role": "user", "content": results}]
    asked, _ = chat_of(heard(MESSAGES, messages=turns).asked)
    assert [len(turn.calls) for turn in asked.turns] == [0, 3, 0, 0, 0]
