"""Draws chat bodies: any that openai-python's types allow, and those that Cerebras accepts."""

from typing import Any

from hypothesis import strategies as st

Body = dict[str, Any]

texts = st.text(max_size=8)
names = st.sampled_from(["f", "get_weather", "g-2"])
ids = st.sampled_from(["call_1", "call_2", "x"])
flags = st.booleans()
nothing = st.none()


def objects(
    required: dict[str, Any], optional: dict[str, Any] | None = None
) -> st.SearchStrategy[Body]:
    """Draw objects with these keys."""
    return st.fixed_dictionaries(required, optional=optional or {})


breakpoints = objects({"mode": st.just("explicit")})
text_parts = objects(
    {"type": st.just("text"), "text": texts},
    {"prompt_cache_breakpoint": breakpoints, "cache_control": st.just({"type": "ephemeral"})},
)
urls = st.sampled_from(
    [
        "data:image/png;base64,AAAA",
        "data:image/jpeg;base64,AAAA",
        "data:image/webp;base64,AAAA",
        "https://example.com/a.png",
        "data:image/png;base64,!",
    ]
)
image_parts = objects(
    {
        "type": st.just("image_url"),
        "image_url": objects({"url": urls}, {"detail": st.sampled_from(["auto", "original"])}),
    },
    {"prompt_cache_breakpoint": breakpoints},
)
other_parts = st.sampled_from(
    [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
    ]
)
refusal_parts = objects({"type": st.just("refusal"), "refusal": texts})
calls = objects(
    {
        "id": ids,
        "type": st.just("function"),
        "function": objects({"name": names, "arguments": st.just("{}")}, {"x": nothing}),
    },
    {"index": st.integers(0, 3), "extra_content": st.just({"google": {}})},
)
custom_calls = st.just({"id": "x", "type": "custom", "custom": {"name": "c", "input": "i"}})

systems = objects(
    {
        "role": st.sampled_from(["system", "developer"]),
        "content": texts | st.lists(text_parts, max_size=2),
    },
    {"name": names},
)
users = objects(
    {
        "role": st.just("user"),
        "content": texts | st.lists(text_parts | image_parts | other_parts, max_size=2),
    },
    {"name": names, "cache_control": st.just({"type": "ephemeral"})},
)
assistants = objects(
    {"role": st.just("assistant")},
    {
        "content": nothing | texts | st.lists(text_parts | refusal_parts, max_size=2),
        "name": names,
        "refusal": nothing | texts,
        "annotations": st.sampled_from([[], [{"type": "url_citation"}]]),
        "audio": nothing | st.just({"id": "a"}),
        "reasoning_content": nothing | texts,
        "reasoning": nothing | texts,
        "reasoning_details": st.just([{"type": "reasoning.text"}]),
    },
)


@st.composite
def exchanges(draw: Any) -> list[Body]:
    """Draw a message that calls tools, and mostly the results that belong to it."""
    said = draw(
        st.lists(calls | custom_calls if draw(st.integers(0, 9)) == 0 else calls, max_size=2)
    )
    asking = {**draw(assistants), "tool_calls": said}
    content = texts | st.lists(text_parts, max_size=2)
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": draw(content)} for call in said
    ]
    return [asking, *results] if draw(st.integers(0, 9)) else [asking]


old_exchanges = st.tuples(
    objects(
        {
            "role": st.just("assistant"),
            "function_call": objects({"name": names, "arguments": st.just("{}")}),
        },
        {"content": nothing},
    ),
    objects({"role": st.just("function"), "name": names, "content": nothing | texts}),
).map(list)
turns = st.one_of(
    systems.map(lambda each: [each]),
    users.map(lambda each: [each]),
    assistants.map(lambda each: [each]),
    exchanges(),
    old_exchanges,
)
conversations = st.lists(turns, min_size=1, max_size=4).map(
    lambda many: [message for few in many for message in few]
)

leaves = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "pattern": "^a"},
        {"type": "string", "format": "date", "description": "d"},
        {"type": ["integer", "null"], "minimum": 0},
        {"type": "string", "enum": ["a", "b"], "examples": ["a"]},
        {"$ref": "#/$defs/d"},
        {"const": 1},
        {"allOf": [{"type": "boolean"}], "title": "t"},
        {"anyOf": [{"type": "number"}, {"type": "null"}]},
        {"oneOf": [{"type": "number"}, {"type": "null"}]},
        {"type": "object"},
        {"type": "string", "nullable": True, "x-order": 1},
    ]
)


def _nested(inner: Any) -> Any:
    arrays = objects(
        {"type": st.just("array")},
        {"items": inner, "minItems": st.integers(0, 1), "uniqueItems": flags},
    )
    records = objects(
        {
            "type": st.just("object"),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        },
        {"additionalProperties": flags, "required": st.just([])},
    )
    return arrays | records


schemas = objects(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(
            st.sampled_from("abc"), st.recursive(leaves, _nested, max_leaves=4), max_size=3
        ),
    },
    {
        "additionalProperties": st.just(False),
        "$defs": st.just({"d": {"type": "string"}}),
        "definitions": st.just({}),
        "$schema": st.just("s"),
    },
)
functions = objects(
    {"name": names},
    {
        "description": texts,
        "parameters": schemas,
        "strict": st.sampled_from([None, True, False]),
        "x": nothing,
    },
)
tools = objects({"type": st.just("function"), "function": functions}, {"cache_control": nothing})
custom_tools = st.just({"type": "custom", "custom": {"name": "c"}})
choices = st.one_of(
    st.sampled_from(["none", "auto", "required"]),
    objects({"type": st.just("function"), "function": objects({"name": names})}),
    objects(
        {
            "type": st.just("allowed_tools"),
            "allowed_tools": objects(
                {
                    "mode": st.sampled_from(["auto", "required"]),
                    "tools": st.lists(
                        objects(
                            {"type": st.just("function"), "function": objects({"name": names})}
                        ),
                        max_size=2,
                    ),
                }
            ),
        }
    ),
    st.just({"type": "custom", "custom": {"name": "c"}}),
)
formats = st.one_of(
    st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
    objects(
        {
            "type": st.just("json_schema"),
            "json_schema": objects(
                {"name": names},
                {"schema": schemas, "strict": st.sampled_from([None, True, False])},
            ),
        }
    ),
)
OPTIONAL: dict[str, Any] = {
    "audio": nothing | st.just({"voice": "alloy", "format": "wav"}),
    "frequency_penalty": nothing | st.floats(-2, 2),
    "function_call": st.sampled_from(["none", "auto"]) | objects({"name": names}),
    "functions": st.lists(objects({"name": names}, {"parameters": schemas}), max_size=2),
    "logit_bias": st.dictionaries(st.sampled_from(["1", "50256"]), st.integers(-100, 100)),
    "logprobs": flags,
    "max_completion_tokens": nothing | st.integers(1, 100),
    "max_tokens": nothing | st.integers(0, 100),
    "metadata": st.just({"k": "v"}),
    "modalities": st.sampled_from([None, ["text"], ["text", "audio"]]),
    "moderation": nothing | st.just({"model": "m"}),
    "n": nothing | st.integers(1, 3),
    "parallel_tool_calls": flags,
    "prediction": nothing
    | objects(
        {"type": st.just("content"), "content": texts | st.lists(text_parts, max_size=2)},
    ),
    "presence_penalty": nothing | st.floats(-2, 2),
    "prompt_cache_key": texts,
    "prompt_cache_options": st.just({"mode": "implicit"}),
    "prompt_cache_retention": st.sampled_from([None, "24h"]),
    "reasoning_effort": st.sampled_from(
        [None, "none", "minimal", "low", "medium", "high", "xhigh", "max"]
    ),
    "response_format": formats,
    "safety_identifier": texts,
    "seed": nothing | st.integers(-(2**40), 2**40),
    "service_tier": st.sampled_from([None, "auto", "default", "flex", "scale", "priority", "fast"]),
    "stop": nothing | texts | st.lists(texts, max_size=4),
    "store": nothing | flags,
    "stream": nothing | flags,
    "stream_options": nothing | objects({}, {"include_usage": flags, "include_obfuscation": flags}),
    "temperature": nothing | st.floats(0, 2),
    "tool_choice": choices,
    "tools": st.lists(tools, max_size=3) | st.lists(tools | custom_tools, max_size=2),
    "top_logprobs": nothing | st.integers(0, 20),
    "top_p": nothing | st.floats(0, 1),
    "user": texts,
    "verbosity": st.sampled_from([None, "low", "high"]),
    "web_search_options": st.just({}),
}
_RARE = frozenset(["audio", "functions", "function_call", "moderation", "web_search_options"])


@st.composite
def openai_bodies(draw: Any) -> Body:
    """Draw a body that openai-python's types allow, with a few of its fields."""
    keys = draw(st.sets(st.sampled_from(sorted(OPTIONAL)), max_size=7))
    if draw(st.integers(0, 3)):
        keys -= _RARE
    return {
        "model": "cerebras/m",
        "messages": draw(conversations),
        **{key: draw(OPTIONAL[key]) for key in sorted(keys)},
    }


plain_parts = objects({"type": st.just("text"), "text": texts})
plain_texts = texts | st.lists(plain_parts, max_size=2)
CEREBRAS: dict[str, Any] = {
    **{
        key: OPTIONAL[key]
        for key in ("frequency_penalty", "presence_penalty", "temperature", "top_p", "seed", "n")
    },
    "max_completion_tokens": st.just(-1) | st.integers(1, 100),
    "min_tokens": st.integers(-1, 100),
    "stream": flags,
    "stream_options": objects({}, {"include_usage": flags}),
    "stop": st.lists(st.text(min_size=1, max_size=5), max_size=4),
    "user": texts,
    "logprobs": st.just(True),
    "reasoning_effort": st.sampled_from(["low", "medium", "high"]),
    "reasoning_format": st.sampled_from(["none", "parsed", "text_parsed", "raw", "hidden"]),
    "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]),
    "prompt_cache_key": texts,
    "parallel_tool_calls": st.just(False),
    "tools": st.lists(
        objects(
            {
                "type": st.just("function"),
                "function": objects({"name": names}, {"strict": st.just(False)}),
            }
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda tool: tool["function"]["name"],
    ),
}


@st.composite
def acceptable_bodies(draw: Any) -> Body:
    """Draw a body that Cerebras accepts for gpt-oss-120b."""
    messages: list[Body] = [
        draw(
            objects(
                {"role": st.sampled_from(["system", "developer"]), "content": plain_texts},
                {"name": names},
            )
        )
    ]
    for number in range(draw(st.integers(0, 3))):
        messages.append({"role": "user", "content": draw(plain_texts)})
        thinking = objects({"role": st.just("assistant")}, {"reasoning": plain_texts})
        call = {"name": draw(names), "arguments": "{}"}
        call_id = f"c{number}"
        messages.append(
            {
                **draw(thinking),
                "tool_calls": [{"id": call_id, "type": "function", "function": call}],
            }
        )
        messages.append({"role": "tool", "tool_call_id": call_id, "content": draw(plain_texts)})
    return {"model": "gpt-oss-120b", "messages": messages, **draw(objects({}, CEREBRAS))}
