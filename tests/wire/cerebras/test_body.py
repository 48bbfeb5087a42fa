"""Tests of slipstream.wire.cerebras.body: a row for each key, type and range of section 5.4."""

from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.body import Body, check_body
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
    unknown,
)

DEEP: Any = []
for _ in range(900):
    DEEP = [DEEP]

UNKNOWN: list[tuple[dict[str, Any], list[str]]] = [
    (chat(maxTokens=1), ["body.maxTokens"]),
    (chat(a=1, b=2), ["body.a", "body.b"]),
    (chat(store=True, metadata={}, stop_sequence="x"), ["body.store", "body.metadata"]),
    ({"x": 1}, ["body.x"]),
    (chat(**{"": 1}), ["body."]),
    (
        chat(messages=[*HI, {"role": "assistant", "content": "x", "reasoning_content": "y"}]),
        ["messages.1.assistant.reasoning_content"],
    ),
    (chat(messages=[{**HI[0], "": 1}]), ["messages.0.user."]),
    (chat(messages=[{"role": "system", "content": "x", "x": 1}]), ["messages.0.system.x"]),
    (chat(messages=[{"role": "developer", "content": "x", "x": 1}]), ["messages.0.developer.x"]),
    (chat(messages=[*HI, ASKS, {**ANSWER, "x": 1}]), ["messages.2.tool.x"]),
    (
        chat(messages=[{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]),
        ["messages.0.user.content.0.x"],
    ),
    (
        chat(
            messages=[
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "u", "x": 1}}],
                }
            ]
        ),
        ["messages.0.user.content.0.image_url.x"],
    ),
    (
        chat(messages=[*HI, {"role": "assistant", "tool_calls": [{**CALL, "x": 1}]}]),
        ["messages.1.assistant.tool_calls.0.x"],
    ),
    (chat(tools=[{**TOOL, "x": 1}]), ["tools.0.x"]),
    (chat(tools=[TOOL, {"type": "function", "function": {"name": "g", "x": 1}}]),
     ["tools.1.function.x"]),
    (
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}, "x": 1}),
        ["tool_choice.x"],
    ),
    (
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f", "x": 1}}),
        ["tool_choice.function.x"],
    ),
    (chat(response_format={"type": "text", "x": 1}), ["response_format.x"]),
    (
        chat(response_format={**schema_format(STRICT), "type": "json_object"}),
        ["response_format.json_schema"],
    ),
    (
        chat(response_format={"type": "json_schema", "json_schema": {"name": "s", "x": 1}}),
        ["response_format.json_schema.x"],
    ),
    (chat(prediction={"type": "content", "content": "x", "x": 1}), ["prediction.x"]),
    (chat(stream_options={"include_usage": True, "x": 1}), ["stream_options.x"]),
    (
        chat(x=1, messages=[{**HI[0], "y": 1}], stream_options={"z": 1}),
        ["body.x", "messages.0.user.y", "stream_options.z"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "paths"), UNKNOWN)
def test_unknown_keys_are_all_told_in_the_recorded_words(
    body: dict[str, Any], paths: list[str]
) -> None:
    """Section 5.3: one line for each, joined by line ends, with its path."""
    status, told = refusal(body)
    lines = told["message"].split("\n")
    assert set(unknown(*paths).split("\n")) <= set(lines)
    extra = [path for path in ("stop_sequence",) if path in body]
    assert len(lines) == len(paths) + len(extra)
    assert (status, told) == flat("\n".join(lines))


WRONG: list[tuple[Any, str]] = [
    ([], "body: expected an object"),
    ({"messages": HI}, "body: Object missing required field `model`"),
    ({"model": "gpt-oss-120b"}, "body: Object missing required field `messages`"),
    (chat(model=None), "body.model: Expected `str`, got `null`"),
    (chat(messages=None), "body.messages: Expected `array`, got `null`"),
    (chat(messages=[]), "body.messages: Expected `array` of length >= 1"),
    (chat(messages=["hi"]), "body.messages.0: Expected `object`, got `str`"),
    (chat(messages=[{"role": "king", "content": "x"}]),
     "body.messages.0.role: Invalid value 'king'"),
    (chat(messages=[{"content": "x"}]), "body.messages.0: Object missing required field `role`"),
    (chat(messages=[{"role": "user"}]),
     "body.messages.0: Object missing required field `content`"),
    (chat(messages=[{"role": "user", "content": [{"type": "sound"}]}]),
     "body.messages.0.content.0.type: Invalid value 'sound'"),
    (chat(messages=[*HI, {"role": "tool", "content": "x"}]),
     "body.messages.1: Object missing required field `tool_call_id`"),
    (chat(messages=[{"role": "user", "content": DEEP}]),
     "body.messages.0.content.0: Expected `object`, got `array`"),
    (chat(max_tokens=-2), "body.max_tokens: Expected `int` >= -1"),
    (chat(max_completion_tokens=-2), "body.max_completion_tokens: Expected `int` >= -1"),
    (
        chat(max_completion_tokens=1.5),
        "body.max_completion_tokens: Expected `int | null`, got `float`",
    ),
    (chat(min_tokens=-2), "body.min_tokens: Expected `int` >= -1"),
    (chat(min_completion_tokens=-2), "body.min_completion_tokens: Expected `int` >= -1"),
    (chat(temperature=-0.1), "body.temperature: Expected `float` >= 0.0"),
    (chat(temperature=2.1), "body.temperature: Expected `float` <= 2.0"),
    (chat(temperature="1"), "body.temperature: Expected `float | null`, got `str`"),
    (chat(top_p=-0.1), "body.top_p: Expected `float` >= 0.0"),
    (chat(top_p=1.1), "body.top_p: Expected `float` <= 1.0"),
    (chat(frequency_penalty=-2.1), "body.frequency_penalty: Expected `float` >= -2.0"),
    (chat(frequency_penalty=2.1), "body.frequency_penalty: Expected `float` <= 2.0"),
    (chat(presence_penalty=-2.1), "body.presence_penalty: Expected `float` >= -2.0"),
    (chat(presence_penalty=2.1), "body.presence_penalty: Expected `float` <= 2.0"),
    (chat(logit_bias={"1": 101}), "body.logit_bias....: Expected `float` <= 100.0"),
    (chat(logit_bias={"1": -101}), "body.logit_bias....: Expected `float` >= -100.0"),
    (chat(logprobs=1), "body.logprobs: Expected `bool | null`, got `int`"),
    (chat(logprobs=True, top_logprobs=21), "body.top_logprobs: Expected `int` <= 20"),
    (chat(logprobs=True, top_logprobs=-1), "body.top_logprobs: Expected `int` >= 0"),
    (chat(n=0), "body.n: Expected `int` >= 1"),
    (chat(seed=2**63), "body.seed: Expected `int` <= 9223372036854775807"),
    (chat(stop=["a"] * 5), "body.stop: Expected `array` of length <= 4"),
    (chat(stop=[1]), "body.stop.0: Expected `str`, got `int`"),
    (chat(stream="yes"), "body.stream: Expected `bool | null`, got `str`"),
    (chat(user=1), "body.user: Expected `str | null`, got `int`"),
    (chat(tools=[{"function": {"name": "f"}}]),
     "body.tools.0: Object missing required field `type`"),
    (chat(tools=[{"type": "web", "function": {"name": "f"}}]),
     "body.tools.0.type: Invalid enum value 'web'"),
    (chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
     "body.tools.0.function.name: Expected `str` matching regex '^[A-Za-z0-9_-]{1,64}\\\\Z'"),
    (chat(tools=[{"type": "function", "function": {"name": "x" * 65}}]),
     "body.tools.0.function.name: Expected `str` matching regex '^[A-Za-z0-9_-]{1,64}\\\\Z'"),
    (chat(tools=[{"type": "function", "function": {"name": "f\n"}}]),
     "body.tools.0.function.name: Expected `str` matching regex '^[A-Za-z0-9_-]{1,64}\\\\Z'"),
    (chat(response_format={"type": "xml"}),
     "body.response_format.type: Invalid enum value 'xml'"),
    (chat(reasoning_effort="max"), "body.reasoning_effort: Invalid enum value 'max'"),
    (chat(reasoning_format="x"), "body.reasoning_format: Invalid enum value 'x'"),
    (chat(reasoning_format=None), "body.reasoning_format: Expected `str`, got `null`"),
    (chat(prediction={"type": "x", "content": "x"}),
     "body.prediction.type: Invalid enum value 'x'"),
    (chat(service_tier="scale"), "body.service_tier: Invalid enum value 'scale'"),
    (chat(prompt_cache_key="x" * 1025),
     "body.prompt_cache_key: Expected `str` of length <= 1024"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), WRONG)
def test_wrong_value_is_told_with_its_path(body: Any, message: str) -> None:
    """Section 5.4: missing fields, types, ranges; the first that is wrong."""
    assert refusal(body) == flat(message)


NULLABLE = sorted(set(Body.__struct_fields__) - {"model", "messages", "reasoning_format"})


@pytest.mark.parametrize("field", NULLABLE)
def test_null_says_the_same_as_leaving_out(field: str) -> None:
    """Section 2.1: null is allowed unless noted."""
    assert check_body(chat(**{field: None})) == check_body(chat())


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0}, {"temperature": 2}, {"top_p": 0}, {"top_p": 1}, {"n": 1},
        {"frequency_penalty": -2}, {"presence_penalty": 2}, {"max_tokens": -1},
        {"min_tokens": -1}, {"logit_bias": {"1": -100, "2": 100}}, {"stop": ["a"] * 4},
        {"logprobs": True, "top_logprobs": 20}, {"prompt_cache_key": "x" * 1024},
        {"tools": [{"type": "function", "function": {"name": "x" * 64}}]},
        {"response_format": {"type": "text"}}, {"response_format": JSON_OBJECT},
    ],
)  # fmt: skip
def test_value_at_its_limit_is_taken(fields: dict[str, Any]) -> None:
    """Ranges hold their ends."""
    said = check_body(chat(**fields))
    assert all(getattr(said, name) not in (None, ()) for name in fields)


def test_insides_of_open_objects_are_not_checked() -> None:
    """Section 2.1: parameters, schema, model_parameters and logit_bias are open."""
    odd = {"any": {"thing": [1]}}
    tool = {"type": "function", "function": {"name": "f", "parameters": odd}}
    said = check_body(chat(tools=[tool], model_parameters=odd, response_format=schema_format(odd)))
    assert said.model_parameters == odd


def test_body_of_texts_alone_names_no_key_of_it() -> None:
    """What is no object has no keys: the type is what is told."""
    with pytest.raises(BadRequest, match="expected an object"):
        check_body("hi")
