"""Tests of slipstream.wire.cerebras.rules: a row for each rule of the contract's section 5.4."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from slipstream.wire.cerebras.body import User, check_body
from slipstream.wire.cerebras.models import MODELS
from slipstream.wire.cerebras.request import read_cerebras_request
from slipstream.wire.cerebras.rules import check_rules, read_images
from tests.wire.cerebras.said import (
    ANSWER,
    ASKS,
    CALL,
    HI,
    JSON_OBJECT,
    STRICT,
    TOOL,
    chat,
    flat,
    refusal,
    schema_format,
)

PREDICTION = {"type": "content", "content": "x"}
NAMED = {"type": "function", "function": {"name": "g"}}
PNG = "data:image/png;base64,AAAA"
GEMMA = "gemma-4-31b"


def shows(*uris: str) -> list[dict[str, Any]]:
    """Return messages that show images."""
    parts = [{"type": "image_url", "image_url": {"url": uri}} for uri in uris]
    return [{"role": "user", "content": parts}]


def strict_tool(schema: Any) -> dict[str, Any]:
    """Return a tool whose arguments must obey a schema."""
    return {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}


BROKEN: list[tuple[dict[str, Any], str]] = [
    (
        {"max_tokens": 1, "max_completion_tokens": 1},
        '"max_tokens" is incompatible with "max_completion_tokens"',
    ),
    (
        {"min_tokens": 1, "min_completion_tokens": 1},
        '"min_tokens" is incompatible with "min_completion_tokens"',
    ),
    ({"max_tokens": 0}, '"max_completion_tokens" must be -1 or at least 1'),
    ({"max_completion_tokens": 0}, '"max_completion_tokens" must be -1 or at least 1'),
    ({"top_logprobs": 1}, '"top_logprobs" requires "logprobs" to be true'),
    ({"top_logprobs": 0, "logprobs": False}, '"top_logprobs" requires "logprobs" to be true'),
    ({"tool_choice": "auto"}, '"tool_choice" is not allowed without "tools"'),
    ({"tool_choice": "none", "tools": []}, '"tool_choice" is not allowed without "tools"'),
    ({"tool_choice": NAMED}, '"tool_choice" is not allowed without "tools"'),
    (
        {"tools": [TOOL], "tool_choice": "any"},
        '"tool_choice" must be "none", "auto", "required" or a function',
    ),
    (
        {"tools": [TOOL], "tool_choice": NAMED},
        '"tool_choice" names a function that is not in "tools"',
    ),
    ({"tools": [TOOL, TOOL]}, '"tools" has two functions of one name'),
    ({"logit_bias": {"word": 1}}, '"logit_bias" must have token ids as its keys'),
    ({"logit_bias": {"01": 1}}, '"logit_bias" must have token ids as its keys'),
    ({"stop": ""}, '"stop" must have 1 to 1000 characters'),
    ({"stop": ["a", ""]}, '"stop" must have 1 to 1000 characters'),
    ({"stop": ["x" * 1001]}, '"stop" must have 1 to 1000 characters'),
    (
        {"tools": [TOOL], "response_format": {"type": "text"}},
        '"tools" is incompatible with "response_format"',
    ),
    (
        {"tools": [TOOL], "response_format": schema_format(STRICT)},
        '"tools" is incompatible with "response_format"',
    ),
    (
        {"reasoning_format": "raw", "response_format": JSON_OBJECT},
        '"reasoning_format" "raw" is incompatible with JSON "response_format"',
    ),
    (
        {"reasoning_format": "raw", "response_format": schema_format(STRICT)},
        '"reasoning_format" "raw" is incompatible with JSON "response_format"',
    ),
    (
        {"prediction": PREDICTION, "tools": [TOOL]},
        '"prediction" is incompatible with "tools"',
    ),
    (
        {"prediction": PREDICTION, "logprobs": True},
        '"prediction" is incompatible with "logprobs"',
    ),
    (
        {"prediction": PREDICTION, "n": 2},
        '"prediction" is incompatible with "n" greater than 1',
    ),
    (
        {"prediction": PREDICTION, "model": GEMMA},
        '"prediction" is not supported by this model',
    ),
    (
        {"reasoning_effort": "none"},
        '"reasoning_effort" is not supported by this model with this value',
    ),
    (
        {"reasoning_effort": "low", "model": "llama3.1-8b"},
        '"reasoning_effort" is not supported by this model with this value',
    ),
    (
        {"reasoning_format": "hidden", "model": GEMMA},
        '"reasoning_format" is not supported by this model with this value',
    ),
    (
        {"reasoning_format": "raw", "model": GEMMA},
        '"reasoning_format" is not supported by this model with this value',
    ),
    ({"disable_reasoning": True}, '"disable_reasoning" is not supported by this model'),
    ({"clear_thinking": True}, '"clear_thinking" is not supported by this model'),
    ({"clear_thinking": False}, '"clear_thinking" is not supported by this model'),
    ({"model_parameters": {}}, '"model_parameters" is not supported by this model'),
    (
        {"messages": [{"role": "developer", "content": "x"}], "model": GEMMA},
        'messages of role "developer" are not supported by this model',
    ),
    (
        {"messages": [*HI, ASKS]},
        "messages: tool calls 'a' are not answered by tool messages behind them",
    ),
    (
        {"messages": [*HI, ASKS, *HI, ANSWER]},
        "messages: tool calls 'a' are not answered by tool messages behind them",
    ),
    (
        {
            "messages": [
                *HI,
                {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "b"}]},
                {**ANSWER, "tool_call_id": "b"},
            ]
        },
        "messages: tool calls 'a' are not answered by tool messages behind them",
    ),
    (
        {"messages": [*HI, ANSWER]},
        "messages.1.tool.tool_call_id: 'a' does not match a tool call of the assistant message "
        "before it",
    ),
    (
        {"messages": [*HI, ASKS, ANSWER, ANSWER]},
        "messages.3.tool.tool_call_id: 'a' does not match a tool call of the assistant message "
        "before it",
    ),
    (
        {"messages": [*HI, ASKS, ANSWER, ASKS, ANSWER]},
        "messages.3.assistant.tool_calls: duplicate id 'a'",
    ),
    (
        {"messages": [*HI, {"role": "assistant", "tool_calls": [CALL, CALL]}, ANSWER]},
        "messages.1.assistant.tool_calls: duplicate id 'a'",
    ),
    (
        {"messages": shows(PNG)},
        "messages.0.content.0: only content of type 'text' is supported by this model",
    ),
    (
        {"messages": shows("https://example.com/a.png"), "model": GEMMA},
        "messages.0.content.0: expected a base64 data URI of an image/png or image/jpeg",
    ),
    (
        {"messages": shows("data:image/gif;base64,AAAA"), "model": GEMMA},
        "messages.0.content.0: expected a base64 data URI of an image/png or image/jpeg",
    ),
    (
        {"messages": shows(PNG, "data:image/png;base64,?"), "model": GEMMA},
        "messages.0.content.1: not valid base64",
    ),
    (
        {"messages": [*shows(*[PNG] * 3), *shows(*[PNG] * 3)], "model": GEMMA},
        "messages: at most 5 images are supported",
    ),
]


@pytest.mark.parametrize(("fields", "message"), BROKEN)
def test_broken_rule_is_refused_with_its_status_and_body(
    fields: dict[str, Any], message: str
) -> None:
    """Section 5.4: 400, invalid_request_error, validation_error, wrong_api_format, and words."""
    assert refusal(chat(**fields)) == flat(message)


NO_FALSE = {"type": "object", "properties": {}}
OF_FORM: list[tuple[dict[str, Any], str, str]] = [
    (
        {"stream": True, "response_format": JSON_OBJECT},
        '"response_format" of type "json_object" is incompatible with "stream"',
        "response_format",
    ),
    (
        {"response_format": {"type": "json_schema"}},
        '"response_format" of type "json_schema" requires "json_schema"',
        "response_format",
    ),
    (
        {"response_format": schema_format({**STRICT, "minItems": 1, "pattern": "x"})},
        "Unsupported JSON schema fields: {'minItems', 'pattern'}",
        "response_format",
    ),
    (
        {"response_format": schema_format({"type": "array", "items": {}})},
        "response_format.json_schema.schema: the root of a strict schema must have type 'object'",
        "response_format",
    ),
    (
        {"response_format": schema_format(None)},
        "response_format.json_schema.schema: the root of a strict schema must have type 'object'",
        "response_format",
    ),
    (
        {"response_format": schema_format(NO_FALSE)},
        "response_format.json_schema.schema: 'additionalProperties' must be false on every object",
        "response_format",
    ),
    (
        {"tools": [strict_tool(NO_FALSE)]},
        "tools.0.function.parameters: 'additionalProperties' must be false on every object",
        "tools",
    ),
    (
        {"tools": [strict_tool({**STRICT, "oneOf": []})]},
        "Unsupported JSON schema fields: {'oneOf'}",
        "tools",
    ),
]


@pytest.mark.parametrize(("fields", "message", "param"), OF_FORM)
def test_wrong_form_is_refused_under_its_own_param(
    fields: dict[str, Any], message: str, param: str
) -> None:
    """Section 5.3: errors of a schema name the field that it came in."""
    assert refusal(chat(**fields)) == flat(message, param)


def test_images_over_their_bytes_are_too_large() -> None:
    """Section 2.4: 413, also where each alone is small enough."""
    half = "data:image/jpeg;base64," + b64encode(bytes(6 * 2**20)).decode()
    assert refusal(chat(messages=shows(half, half), model=GEMMA)) == (
        413,
        {
            "message": "messages: images have more than 10485760 bytes",
            "type": "invalid_request_error",
            "param": "validation_error",
            "code": "content_too_large",
        },
    )


KEPT: list[dict[str, Any]] = [
    {"max_tokens": -1}, {"max_completion_tokens": 1}, {"min_tokens": 0},
    {"logprobs": True, "top_logprobs": 20}, {"tools": [TOOL]},
    {"tools": [TOOL], "tool_choice": "none"}, {"tools": [TOOL], "tool_choice": "required"},
    {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
    {"tools": [strict_tool(STRICT)]}, {"tools": [strict_tool(None)]},
    {"stop": ["x" * 1000]}, {"logit_bias": {"0": 1, "17": -1}},
    {"response_format": JSON_OBJECT, "stream": False},
    {"response_format": schema_format(STRICT), "stream": True},
    {"response_format": schema_format({"type": "array"}, is_strict=False)},
    {"response_format": {"type": "text"}, "reasoning_format": "raw"},
    {"prediction": PREDICTION, "n": 1, "tools": []}, {"reasoning_effort": "high"},
    {"model": GEMMA, "reasoning_effort": "none"}, {"model": "zai-glm-4.7", "clear_thinking": True},
    {"model": "zai-glm-4.7", "disable_reasoning": True}, {"disable_reasoning": False},
    {"messages": [{"role": "developer", "content": "x"}]},
    {"messages": [*HI, ASKS, ANSWER, *HI]},
    {"model": GEMMA, "messages": shows(*[PNG] * 5)},
]  # fmt: skip


@pytest.mark.parametrize("fields", KEPT)
def test_request_that_keeps_the_rules_is_taken(fields: dict[str, Any]) -> None:
    """What stands next to a broken rule, and breaks none."""
    assert read_cerebras_request(chat(**fields)).chat.turns


def test_tools_may_stand_beside_a_format_where_the_model_says_so() -> None:
    """Section 2.5: refused by default, with a switch for each model."""
    row = msgspec.structs.replace(MODELS["gpt-oss-120b"], has_tools_with_format=True)
    check_rules(check_body(chat(tools=[TOOL], response_format=JSON_OBJECT)), row)


def test_images_are_told_with_their_turns() -> None:
    """Also the second way of showing one."""
    short = {"role": "user", "content": [{"type": "text", "text": "a"},
                                         {"type": "image", "image": PNG}]}  # fmt: skip
    said = check_body(chat(messages=[*HI, *shows(PNG), short]))
    found = [(image.turn, image.uri) for image in read_images(said.messages, MODELS[GEMMA])]
    assert found == [(1, PNG), (2, PNG)]


class Unread(str):
    """A text that nobody may go through."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("its characters are no parts")


def test_looking_for_images_does_not_read_texts() -> None:
    """A bug: the characters of a text were gone through one by one."""
    assert list(read_images([User(content=Unread("x"))], MODELS[GEMMA])) == []
