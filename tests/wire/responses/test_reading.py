"""Requests of the Responses dialect: what is asked, and what the gateway itself must know."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.responses.reading import ResponsesAsked, read_asked
from slipstream.wire.talk.asking import Reasoning, Seal, Text, ToolCall, ToolResult, Turn
from slipstream.wire.talk.means import Form, HostedTool, Sampling, Thinking, Tool, ToolChoice


def _read(**fields: Any) -> ResponsesAsked:
    return read_asked(json.dumps({"model": "m", "input": "hi", **fields}).encode())


def _error(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        _read(**fields)
    return caught.value


def test_read_text_is_one_turn_of_the_user() -> None:
    """The shortest request; an answer is kept unless the client says otherwise."""
    said = _read()
    assert said.asked.turns == (Turn("user", (Text("hi"),)),)
    assert (said.asked.model, said.asked.dialect) == ("m", "openai_responses")
    assert said.store
    assert json.loads(bytes(said.items[0])) == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hi"}],
    }


def test_read_instructions_and_what_leads_are_one_turn() -> None:
    """A leading system turn is one, however it was said."""
    items = [
        {"role": "developer", "content": "b"},
        {"role": "system", "content": [{"type": "input_text", "text": "c"}]},
        {"role": "user", "content": "d"},
        {"role": "developer", "content": "e"},
    ]
    turns = _read(instructions="a", input=items).asked.turns
    assert turns[0] == Turn("system", (Text("a"), Text("b"), Text("c")))
    assert [turn.role for turn in turns] == ["system", "user", "system"]


def test_read_settings_find_their_place() -> None:
    """Every setting that other dialects know, in one request."""
    asked = _read(
        max_output_tokens=5,
        temperature=0.5,
        top_p=0.25,
        top_logprobs=2,
        include=["message.output_text.logprobs", "web_search_call.results"],
        parallel_tool_calls=False,
        prompt_cache_key="k",
        safety_identifier="u",
        service_tier="flex",
        metadata={"a": "b"},
        stream=True,
        text={
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "f", "schema": {"a": 1}, "strict": True},
        },
        reasoning={"effort": "high", "summary": "detailed", "context": "all_turns"},
        truncation="auto",
        new_field=1,
        max_tool_calls=None,
    ).asked
    assert asked.sampling == Sampling(temperature=0.5, top_p=0.25, logprobs=True, top_logprobs=2)
    assert asked.form == Form(kind="json_schema", name="f", schema='{"a": 1}', strict=True)
    assert asked.thinking == Thinking(effort="high", shows="detailed")
    assert (asked.max_tokens, asked.is_parallel, asked.is_stream) == (5, False, True)
    assert (asked.cache_key, asked.user, asked.service_tier) == ("k", "u", "flex")
    assert (asked.metadata, asked.verbosity, asked.wants_usage) == ({"a": "b"}, "low", True)
    assert {name: bytes(raw) for name, raw in asked.extras.items()} == {
        "include": b'["web_search_call.results"]',
        "reasoning.context": b'"all_turns"',
        "truncation": b'"auto"',
        "new_field": b"1",
    }


def test_read_both_names_of_the_user_are_kept() -> None:
    """The newer one is who asks; the older one goes to targets of this dialect."""
    asked = _read(user="old", safety_identifier="new").asked
    assert (asked.user, bytes(asked.extras["user"])) == ("new", b'"old"')


def test_read_what_the_gateway_must_know_stands_beside() -> None:
    """State is the server's business, not a target's."""
    said = _read(store=False, previous_response_id="resp_1", background=True)
    assert (said.store, said.previous_response_id, said.is_background) == (False, "resp_1", True)
    assert _read(conversation="conv_1").conversation_id == "conv_1"
    assert _read(conversation={"id": "conv_2"}).conversation_id == "conv_2"
    assert not said.asked.extras


def test_read_codex_known_model() -> None:
    """Codex 0.169 with an id that it knows: tools come as an item, and no instructions."""
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
    extra = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [
            {
                "type": "namespace",
                "name": "functions",
                "description": "Run things.",
                "tools": [
                    {"type": "custom", "name": "exec", "description": "d", "format": grammar}
                ],
            }
        ],
    }
    said = _read(
        instructions="",
        input=[extra, {"role": "developer", "content": "p"}, {"role": "user", "content": "u"}],
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        client_metadata={"x": "y"},
    )
    [tool] = said.asked.tools
    assert tool.name == "functions__exec"
    assert tool.description == "functions: Run things.\n\nd"
    assert json.loads(tool.custom_format or "") == {
        "type": "grammar",
        "grammar": {"syntax": "lark", "definition": "start: /.+/"},
    }
    assert said.origins["functions__exec"].namespace == "functions"
    assert [turn.role for turn in said.asked.turns] == ["system", "user"]


def test_read_codex_unknown_model() -> None:
    """Codex 0.169 with an id that it does not know: flat tools, a namespace and a web search."""
    tools = [
        {"type": "function", "name": "shell", "strict": False, "parameters": {"type": "object"}},
        {
            "type": "namespace",
            "name": "multi_agent_v1",
            "description": "",
            "tools": [{"type": "function", "name": "spawn_agent", "parameters": {}}],
        },
        {"type": "web_search", "external_web_access": False},
    ]
    items = [
        {"type": "message", "id": "msg_1", "role": "user", "content": "u"},
        {
            "type": "function_call",
            "name": "spawn_agent",
            "namespace": "multi_agent_v1",
            "arguments": "{}",
            "call_id": "c1",
        },
        {"type": "function_call_output", "call_id": "c1", "output": "ok"},
    ]
    asked = _read(tools=tools, input=items, tool_choice="auto").asked
    assert [tool.name for tool in asked.tools] == ["shell", "multi_agent_v1__spawn_agent"]
    assert asked.tools[0] == Tool(name="shell", schema='{"type": "object"}', strict=False)
    assert asked.hosted_tools == (
        HostedTool("web_search", json.dumps(tools[2]), "openai_responses"),
    )
    assert asked.turns[1:] == (
        Turn(
            "assistant",
            (ToolCall(call_id="c1", name="multi_agent_v1__spawn_agent", arguments="{}"),),
        ),
        Turn("tool", (ToolResult(call_id="c1", parts=(Text("ok"),)),)),
    )
    assert asked.tool_choice == ToolChoice("auto")


def test_read_earlier_items_come_before_the_input() -> None:
    """An answer that was stored goes on; its instructions do not."""
    earlier = [
        {"role": "user", "content": "a"},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "b", "annotations": []}],
        },
    ]
    said = read_asked(
        b'{"model":"m","input":"c","previous_response_id":"resp_1"}',
        earlier=[msgspec.Raw(json.dumps(item).encode()) for item in earlier],
    )
    assert [(turn.role, turn.parts) for turn in said.asked.turns] == [
        ("user", (Text("a"),)),
        ("assistant", (Text("b"),)),
        ("user", (Text("c"),)),
    ]
    assert len(said.items) == 1


def test_read_reference_is_found_among_the_known() -> None:
    """Of items that are not kept the client is told so."""
    known = {"rs_1": msgspec.Raw(b'{"type":"reasoning","id":"rs_1","encrypted_content":"gA"}')}
    body = (
        b'{"model":"m","input":[{"role":"user","content":"a"},{"type":"item_reference","id":"%s"}]}'
    )
    turns = read_asked(body.replace(b"%s", b"rs_1"), known=known).asked.turns
    seal = Seal(vendor="openai", kind="encrypted_content", data="gA", item_id="rs_1")
    assert turns[1].parts == (Reasoning(seals=(seal,)),)
    with pytest.raises(BadRequest) as caught:
        read_asked(body.replace(b"%s", b"rs_2"), known=known)
    assert (caught.value.param, caught.value.code) == ("input[1].id", "item_not_found")


def test_read_hosted_choice_is_kept_for_its_vendor() -> None:
    """Others name it among what they change."""
    asked = _read(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"}).asked
    assert asked.tool_choice is None
    assert bytes(asked.extras["tool_choice"]) == b'{"type": "web_search"}'


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"input": [3]}, "input[0]"),
        ({"input": [{"role": "boss", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "input[0].content[0].type"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"reasoning": {"effort": "some"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "some"}}, "reasoning.summary"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "must"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "x"}}, "tool_choice.name"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"previous_response_id": "a", "conversation": "b"}, "previous_response_id"),
    ],
)
def test_read_refuses_by_the_name_of_the_field(fields: dict[str, Any], param: str) -> None:
    """The caller is told what to mend."""
    error = _error(**fields)
    assert error.param == param
    assert param in error.message


def test_read_no_object_is_refused() -> None:
    """Whatever the bytes are, the error is the caller's."""
    for body in (b"", b"[]", b'{"model":', b"\xff", b"[" * 5000):
        with pytest.raises(BadRequest):
            read_asked(body)


def test_read_echo_holds_what_the_answer_repeats() -> None:
    """As the client wrote it."""
    echo = _read(temperature=0, tools=[], user=None, text={"verbosity": "low"}).echo
    assert {name: bytes(raw) for name, raw in echo.items()} == {
        "temperature": b"0",
        "tools": b"[]",
        "text": b'{"verbosity": "low"}',
    }
