"""Tests of slipstream.wire.chat.reading and of what it is made of."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.chat.reading import read_asked
from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, HostedTool, Sampling, Thinking, Tool, ToolChoice

HELLO = {"role": "user", "content": "hello"}
SIGNED = {"google": {"thought_signature": "sig"}}


def read(**fields: Any) -> Asked:
    return read_asked(msgspec.json.encode({"model": "m", "messages": [HELLO], **fields}))


def turns(*messages: dict[str, Any]) -> tuple[Turn, ...]:
    return read(messages=list(messages)).turns


def parts(message: dict[str, Any]) -> tuple[Any, ...]:
    [turn] = turns(message)
    return turn.parts


def user(*content: dict[str, Any]) -> tuple[Any, ...]:
    return parts({"role": "user", "content": list(content)})


def test_read_asked_smallest_request_says_nothing_else() -> None:
    """What a client leaves out stays unsaid."""
    plain = Asked(dialect="openai_chat", model="m", turns=(Turn("user", (Text("hello"),)),))
    assert read() == plain
    assert read(n=None, stop=None, tools=None, tool_choice=None, metadata=None) == plain


def test_read_asked_every_field_has_its_place() -> None:
    """Limits, sampling, thinking and the rest of the fields are read, the newer names first."""
    asked = read(
        max_tokens=1,
        max_completion_tokens=2,
        n=3,
        stream=True,
        stream_options={"include_usage": True},
        temperature=0,
        top_p=0.5,
        top_k=4,
        seed=-1,
        stop="end",
        logit_bias={"5": -1},
        logprobs=True,
        top_logprobs=2,
        parallel_tool_calls=False,
        prediction={"type": "content", "content": [{"type": "text", "text": "so"}]},
        reasoning_effort="high",
        service_tier="flex",
        prompt_cache_key="k",
        user="u",
        safety_identifier="s",
        metadata={"a": "b"},
        verbosity="low",
        store=True,
        reasoning_format=None,
    )
    assert (asked.max_tokens, asked.num_choices, asked.is_stream, asked.wants_usage) == (
        2,
        3,
        True,
        True,
    )
    assert asked.sampling == Sampling(
        temperature=0,
        top_p=0.5,
        top_k=4,
        seed=-1,
        stop=("end",),
        logit_bias={"5": -1},
        logprobs=True,
        top_logprobs=2,
    )
    assert (asked.is_parallel, asked.prediction, asked.thinking) == (
        False,
        "so",
        Thinking(effort="high"),
    )
    assert (asked.service_tier, asked.cache_key, asked.user) == ("flex", "k", "u")
    assert (asked.metadata, asked.verbosity) == ({"a": "b"}, "low")
    assert {name: bytes(raw) for name, raw in asked.extras.items()} == {
        "store": b"true",
        "safety_identifier": b'"s"',
    }


def test_read_asked_other_vendors_reasoning_is_thinking() -> None:
    """OpenRouter's object and Groq's word for the default are read, too."""
    assert read(reasoning={"max_tokens": 9}).thinking == Thinking(budget_tokens=9)
    assert read(reasoning={"enabled": False}).thinking == Thinking(effort="none")
    shown = read(reasoning={"effort": "low", "exclude": True}).thinking
    assert shown == Thinking(effort="low", shows="none")
    assert read(reasoning_effort="default").thinking is None


def test_read_asked_forms_keep_their_schema() -> None:
    """A schema stays the client's text; plain text is no form."""
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    form = read(response_format={"type": "json_schema", "json_schema": schema}).form
    assert form == Form(kind="json_schema", name="n", schema='{"type":"object"}', strict=True)
    assert read(response_format={"type": "json_object"}).form == Form(kind="json_object")
    assert read(response_format={"type": "text"}).form is None


def test_read_tools_functions_customs_and_hosted() -> None:
    """Functions, tools that take text, tools that a vendor runs, and the older functions."""
    function = {"name": "f", "description": "d", "parameters": {}, "strict": True}
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a"}}
    asked = read(
        tools=[
            {"type": "function", "function": function, "cache_control": {"type": "ephemeral"}},
            {"type": "custom", "custom": {"name": "c", "format": grammar}},
            {"type": "custom", "custom": {"name": "any"}},
            {"type": "browser_search"},
        ],
        functions=[{"name": "old"}],
    )
    assert asked.tools == (
        Tool(name="f", description="d", schema="{}", strict=True, cache=CacheMark()),
        Tool(name="c", custom_format=msgspec.json.encode(grammar).decode()),
        Tool(name="any", custom_format=""),
        Tool(name="old"),
    )
    kind = '{"type":"browser_search"}'
    assert asked.hosted_tools == (HostedTool("browser_search", kind, "openai_chat"),)


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tool_choice": "auto"}, ToolChoice()),
        ({"tool_choice": "any"}, ToolChoice("required")),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            ToolChoice("named", ("f",)),
        ),
        ({"tool_choice": {"type": "custom", "custom": {"name": "c"}}}, ToolChoice("named", ("c",))),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "required",
                        "tools": [{"type": "function", "function": {"name": "f"}}],
                    },
                }
            },
            ToolChoice("allowed", ("f",), True),
        ),
        ({"function_call": "none"}, ToolChoice("none")),
        ({"function_call": {"name": "f"}}, ToolChoice("named", ("f",))),
        ({}, None),
    ],
)
def test_read_choice_every_way_to_say_it(fields: dict[str, Any], choice: ToolChoice | None) -> None:
    """The newer and the older field, words and objects."""
    assert read(**fields).tool_choice == choice


def test_read_turns_leading_system_is_one_and_later_ones_stay() -> None:
    """A developer is a system; what leads is one turn, what comes later stays where it is."""
    read_turns = turns(
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "c", "name": "n"},
        {"role": "system", "content": "d"},
    )
    assert read_turns == (
        Turn("system", (Text("a"), Text("b"))),
        Turn("user", (Text("c"),), "n"),
        Turn("system", (Text("d"),)),
    )


def test_read_turns_results_of_neighbours_are_one_turn() -> None:
    """Results join, know whether their call took text, and may hold images."""
    calls = [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "2", "type": "custom", "custom": {"name": "c", "input": "x"}},
    ]
    image = {"type": "image_url", "image_url": "http://a/b.png"}
    read_turns = turns(
        HELLO,
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "1", "content": "r"},
        {"role": "tool", "tool_call_id": "2", "content": [image]},
    )
    assert read_turns[1:] == (
        Turn(
            "assistant",
            (
                ToolCall(call_id="1", name="f", arguments='{"a":1}'),
                ToolCall(call_id="2", name="c", arguments="x", is_custom=True),
            ),
        ),
        Turn(
            "tool",
            (
                ToolResult(call_id="1", parts=(Text("r"),)),
                ToolResult(call_id="2", parts=(Image(url="http://a/b.png"),), is_custom=True),
            ),
        ),
    )


def test_read_turns_older_functions_become_calls() -> None:
    """A function's answer finds the call before it by its name."""
    call = {"name": "f", "arguments": "{}"}
    read_turns = turns(
        HELLO,
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": "r"},
    )
    assert read_turns[1:] == (
        Turn("assistant", (ToolCall(call_id="call_1", name="f", arguments="{}"),)),
        Turn("tool", (ToolResult(call_id="call_1", parts=(Text("r"),), name="f"),)),
    )


def test_read_parts_of_users() -> None:
    """Images by address and as data, sound, files of all kinds, marks of either vendor."""
    mark = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
    control = {"cache_control": {"type": "ephemeral"}}
    png = "data:image/PNG;base64,QUJD"
    pdf = {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}
    read_parts = user(
        {"type": "text", "text": "t", **mark},
        {"type": "image_url", "image_url": {"url": png, "detail": "low"}, **control},
        {"type": "image", "image": png},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "file", "file": pdf},
        {"type": "file", "file": {"file_data": "QUJD", "filename": "b.pdf"}},
        {"type": "file", "file": {"file_data": "https://a/c.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    )
    assert read_parts == (
        Text("t", CacheMark("30m")),
        Image(data="QUJD", media_type="image/png", detail="low", cache=CacheMark()),
        Image(data="QUJD", media_type="image/png"),
        Audio("QUJD", "wav"),
        Document(data="QUJD", media_type="application/pdf", title="a.pdf"),
        Document(data="QUJD", media_type="application/pdf", title="b.pdf"),
        Document(url="https://a/c.pdf"),
        Document(file_id="file-1"),
    )


def test_read_reasoning_in_every_form() -> None:
    """Under two names, in Mistral's chunks, and sealed; sealed text is not read twice."""
    ours = {"format": "slipstream/anthropic/signature", "data": "s", "text": "hm", "id": "i"}
    theirs = {"type": "reasoning.text", "text": "hm", "signature": "x"}
    chunk = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "m"}
    said = {"role": "assistant", "content": "a"}
    plain = (Reasoning(text="hm"), Text("a"))
    assert parts({**said, "reasoning_content": "hm", "reasoning": "hm"}) == plain
    assert parts({**said, "reasoning": [{"type": "text", "text": "hm"}]}) == plain
    sealed = parts({**said, "reasoning_content": "hm", "reasoning_details": [ours]})
    seal = Seal(vendor="anthropic", kind="signature", data="s", item_id="i")
    assert sealed == (Reasoning(text="hm", seals=(seal,)), Text("a"))
    [details, _] = parts({**said, "reasoning": "hm", "reasoning_details": [theirs]})
    assert (details.text, details.seals[0].vendor) == ("hm", "openrouter")
    assert msgspec.json.decode(details.seals[0].data) == [theirs]
    [thought] = parts({"role": "assistant", "content": [chunk]})
    assert thought == Reasoning(
        text="hm", seals=(Seal(vendor="mistral", kind="signature", data="m"),)
    )


def test_read_calls_signatures_are_seals() -> None:
    """Google's place beside a call is a seal of Gemini's; other vendors' say whose they are."""
    own = {"slipstream": [{"vendor": "lab", "kind": "k", "data": "d"}]}
    call = {"id": "1", "function": {"name": "f"}, "extra_content": {**SIGNED, **own}}
    [read_call] = parts({"role": "assistant", "tool_calls": [call]})
    assert read_call.seals == (
        Seal(vendor="gemini", kind="thought_signature", data="sig"),
        Seal(vendor="lab", kind="k", data="d"),
    )


def test_read_refusal_stands_after_the_text() -> None:
    """A refusal in the message or among its parts is one."""
    assert parts({"role": "assistant", "refusal": "no"}) == (Refusal("no"),)
    part = {"type": "refusal", "refusal": "no"}
    assert parts({"role": "assistant", "content": [part]}) == (Refusal("no"),)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "function", "content": "a"}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "image": "data:,a"}]}]},
            "messages[0].content[0].image",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls[0].function",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"prediction": {"type": "x", "content": ""}}, "prediction.type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        # Regression: writers of other dialects look into it, and met what is no object.
        (
            {"tools": [{"type": "custom", "custom": {"name": "c", "format": 5}}]},
            "tools[0].custom.format",
        ),
        (
            {"tools": [{"type": "custom", "custom": {"name": "c", "format": {"grammar": 5}}}]},
            "tools[0].custom.format.grammar",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": 1}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
    ],
)
def test_read_asked_names_the_wrong_field(fields: dict[str, Any], param: str) -> None:
    """Whoever sends something wrong is told where."""
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param


def test_read_asked_refuses_what_is_no_json() -> None:
    """Bytes that are no JSON, or are nested beyond reading, are the client's mistake."""
    deep = b'{"model":"m","messages":' + b"[" * 100_000
    for body in (b"", b"[]", b"\xff", deep):
        with pytest.raises(BadRequest):
            read_asked(body)
