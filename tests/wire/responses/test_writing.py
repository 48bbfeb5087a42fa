"""Requests for upstreams that speak Responses: what they get, and what they cannot be asked."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import Unsupported
from slipstream.wire.responses.reading import read_asked
from slipstream.wire.responses.writing import write_asked
from slipstream.wire.talk.asking import (
    Asked,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, HostedTool, Sampling, Thinking, Tool, ToolChoice

OPENAI = Target(vendor="openai", model="gpt-6-sol")
USER = Turn("user", (Text("hi"),))


def _asked(*turns: Turn, dialect: str = "openai_chat", **more: Any) -> Asked:
    return Asked(dialect=dialect, model="fast", turns=turns or (USER,), **more)


def _write(asked: Asked, target: Target = OPENAI) -> tuple[dict[str, Any], tuple[str, ...]]:
    written = write_asked(asked, target)
    return json.loads(written.body), written.changes


def test_write_shortest_keeps_nothing_at_the_vendor() -> None:
    """Responses stores by default; nobody asked for that."""
    assert _write(_asked()) == (
        {
            "model": "gpt-6-sol",
            "store": False,
            "input": [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}],
                }
            ],
        },
        (),
    )


def test_write_every_setting_by_its_name_there() -> None:
    """What both have is translated and no change."""
    asked = _asked(
        tools=(Tool(name="f", schema='{"type":"object"}'),),
        tool_choice=ToolChoice("named", ("f",)),
        is_parallel=False,
        form=Form(kind="json_schema", name="n", schema="{}", strict=True),
        thinking=Thinking(effort="low"),
        sampling=Sampling(temperature=0.0, top_p=0.5, logprobs=True, top_logprobs=3),
        max_tokens=9,
        is_stream=True,
        cache_key="k",
        user="u",
        service_tier="priority",
        metadata={"a": "b"},
        verbosity="high",
    )
    body, changes = _write(asked)
    assert changes == ()
    assert body.pop("input")
    assert body == {
        "model": "gpt-6-sol",
        "store": False,
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
        ],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "text": {
            "format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True},
            "verbosity": "high",
        },
        "reasoning": {"effort": "low"},
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "temperature": 0.0,
        "top_p": 0.5,
        "top_logprobs": 3,
        "max_output_tokens": 9,
        "stream": True,
        "prompt_cache_key": "k",
        "safety_identifier": "u",
        "service_tier": "priority",
        "metadata": {"a": "b"},
    }


@pytest.mark.parametrize(
    ("more", "dialect", "param"),
    [
        ({"num_choices": 2}, "openai_chat", "n"),
        ({"sampling": Sampling(stop=("x",))}, "openai_chat", "stop"),
        ({"sampling": Sampling(stop=("x",))}, "anthropic_messages", "stop_sequences"),
        ({"sampling": Sampling(seed=0)}, "openai_chat", "seed"),
        ({"sampling": Sampling(logit_bias={"1": 2})}, "openai_chat", "logit_bias"),
        ({"sampling": Sampling(presence_penalty=0.1)}, "openai_chat", "presence_penalty"),
        ({"sampling": Sampling(frequency_penalty=1)}, "openai_chat", "frequency_penalty"),
    ],
)
def test_write_what_changes_the_answer_is_refused(
    more: dict[str, Any], dialect: str, param: str
) -> None:
    """By the name that the client wrote; another target may take it."""
    with pytest.raises(Unsupported) as caught:
        write_asked(_asked(dialect=dialect, **more), OPENAI)
    assert caught.value.param == param
    assert f"'{param}'" in caught.value.message
    assert caught.value.retryable


def test_write_system_that_leads_is_the_instructions() -> None:
    """And the rest is the input."""
    body, _ = _write(_asked(Turn("system", (Text("s"),)), USER))
    assert (body["instructions"], len(body["input"])) == ("s", 1)


def test_write_neutral_values_are_no_change() -> None:
    """Clients send defaults."""
    sampling = Sampling(
        presence_penalty=0, frequency_penalty=0.0, top_k=-1, repetition_penalty=1.0, min_p=0.0
    )
    assert _write(_asked(sampling=sampling))[1] == ()


def test_write_what_is_only_taste_is_named() -> None:
    """Left out, and told in a header."""
    asked = _asked(
        sampling=Sampling(top_k=40),
        prediction="x",
        extras={"audio": msgspec.Raw(b"{}"), "store": msgspec.Raw(b"true")},
    )
    body, changes = _write(asked)
    assert changes == ("top_k", "prediction", "audio")
    assert body["store"] is True


def test_write_refused_fields_are_left_out_and_named() -> None:
    """Reasoning models refuse sampling; the client hears it in its own words."""
    target = Target(
        vendor="openai",
        model="o",
        refuses=frozenset({"temperature", "max_output_tokens", "text.verbosity", "top_p"}),
    )
    asked = _asked(sampling=Sampling(temperature=1.0), max_tokens=3, verbosity="low")
    body, changes = _write(asked, target)
    assert changes == ("max_completion_tokens", "temperature", "verbosity")
    assert not {"temperature", "max_output_tokens", "text"} & set(body)


@pytest.mark.parametrize(
    ("thinking", "efforts", "effort", "changes"),
    [
        (Thinking(effort="high"), (), "high", ()),
        (Thinking(effort="max"), ("low", "high"), "high", ("reasoning_effort: max -> high",)),
        (Thinking(effort="none"), ("low", "high"), "low", ("reasoning_effort: none -> low",)),
        (Thinking(effort="medium"), ("low", "high"), "high", ("reasoning_effort: medium -> high",)),
        (Thinking(budget_tokens=1024), (), "low", ()),
        (Thinking(budget_tokens=4096), (), "medium", ()),
        (Thinking(budget_tokens=31999), (), "high", ()),
        (Thinking(is_adaptive=True), (), None, ()),
    ],
)
def test_write_effort_is_what_the_model_knows(
    thinking: Thinking, efforts: tuple[str, ...], effort: str | None, changes: tuple[str, ...]
) -> None:
    """The nearest that it has; a budget becomes a word."""
    target = Target(vendor="openai", model="m", efforts=efforts)
    body, said = _write(_asked(thinking=thinking), target)
    assert body.get("reasoning", {}).get("effort") == effort
    assert said == changes


@pytest.mark.parametrize(
    ("tier", "written", "changes"),
    [
        ("flex", "flex", ()),
        ("standard_only", "default", ("service_tier -> default",)),
        ("on_demand", None, ("service_tier",)),
    ],
)
def test_write_tier_in_its_words(tier: str, written: str | None, changes: tuple[str, ...]) -> None:
    """Tiers of other vendors are named, not passed on."""
    body, said = _write(_asked(service_tier=tier))
    assert (body.get("service_tier"), said) == (written, changes)


def test_write_user_where_the_newer_field_is_unknown() -> None:
    """Vendors that copied the dialect earlier know `user`."""
    target = Target(vendor="xai", model="m", refuses=frozenset({"safety_identifier"}))
    body, changes = _write(_asked(user="u" * 128), target)
    assert (body["user"], changes) == ("u" * 128, ())


def test_write_refused_field_that_is_not_there_is_no_change() -> None:
    """Rows name all that a model refuses."""
    target = Target(vendor="openai", model="m", refuses=frozenset({"text.verbosity", "top_p"}))
    assert _write(_asked(), target)[1] == ()


def test_write_json_object() -> None:
    """Any object, as the instructions say."""
    body, _ = _write(_asked(form=Form(kind="json_object")))
    assert body["text"] == {"format": {"type": "json_object"}}


def test_write_long_user_is_hashed() -> None:
    """Claude Code's is a long JSON text; OpenAI takes 128 characters."""
    said = {_write(_asked(user="u" * 128 + last))[0]["safety_identifier"] for last in "ab"}
    assert len(said) == 2
    assert all(len(user) <= 128 for user in said)


def test_write_own_extras_go_back() -> None:
    """A request of the same dialect that must be written anew loses nothing."""
    fields: dict[str, Any] = {
        "model": "m",
        "input": "hi",
        "truncation": "auto",
        "reasoning": {"effort": "low", "summary": "concise", "context": "all_turns"},
        "include": ["web_search_call.results", "reasoning.encrypted_content"],
        "tools": [{"type": "web_search", "x": 1}],
        "tool_choice": {"type": "web_search"},
    }
    body, changes = _write(read_asked(json.dumps(fields).encode()).asked)
    assert changes == ()
    assert body["reasoning"] == fields["reasoning"]
    assert sorted(body["include"]) == sorted(fields["include"])
    for name in ("truncation", "tools", "tool_choice"):
        assert body[name] == fields[name]


def test_write_hosted_tool_of_another_vendor() -> None:
    """A web search is one there, too; the rest is named."""
    hosted = (
        HostedTool("web_search_20260209", "{}", "anthropic_messages"),
        HostedTool("memory_20250818", "{}", "anthropic_messages"),
    )
    body, changes = _write(_asked(hosted_tools=hosted))
    assert body["tools"] == [{"type": "web_search"}]
    assert changes == ("tools.web_search_20260209 -> web_search", "tools.memory_20250818")


_words = st.text(min_size=1, max_size=6)
_marks = st.none() | st.builds(CacheMark, st.sampled_from([None, "30m", "12h"]))
_user_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, _words, _marks),
    st.builds(Image, url=st.just("https://x.y/z.png"), detail=st.just("low"), cache=_marks),
    st.builds(Image, data=st.just("aGk="), media_type=st.just("image/png"), detail=st.just("auto")),
    st.builds(
        Document,
        data=st.just("aGk="),
        media_type=st.just("application/pdf"),
        title=st.just("a.pdf"),
    ),
    st.builds(Document, url=st.just("https://x.y/z.pdf")),
    st.builds(Document, file_id=st.just("file-1")),
)
_seal = Seal(vendor="openai", kind="encrypted_content", data="gA", item_id="rs_1")
_answer_part: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, _words),
    st.builds(Refusal, _words),
    st.builds(Reasoning, text=_words, is_summary=st.just(True), seals=st.just((_seal,))),
    st.builds(ToolCall, call_id=_words, name=st.just("f"), arguments=st.just("{}")),
    st.builds(
        ToolCall, call_id=_words, name=st.just("p"), arguments=_words, is_custom=st.just(True)
    ),
)
_turns = st.lists(
    st.one_of(
        st.builds(Turn, st.just("user"), st.lists(_user_part, min_size=1).map(tuple)),
        st.builds(Turn, st.just("assistant"), st.lists(_answer_part, min_size=1).map(tuple)),
        st.builds(
            Turn,
            st.just("system"),
            st.lists(st.builds(Text, _words, _marks), min_size=1).map(tuple),
        ),
    ),
    min_size=1,
    max_size=5,
)


@given(_turns, st.none() | st.integers(1, 99), st.sampled_from([None, "low", "max"]))
def test_write_is_read_back(turns: list[Turn], limit: int | None, effort: str | None) -> None:
    """What the dialect can say survives the way there and back."""
    asked = Asked(
        dialect="openai_responses",
        model="m",
        turns=_joined(turns),
        tools=(
            Tool(name="f", description="d", schema='{"type":"object"}', strict=True),
            Tool(name="p", custom_format=""),
        ),
        tool_choice=ToolChoice("allowed", ("f", "p"), must_call=True),
        max_tokens=limit,
        thinking=None if effort is None else Thinking(effort=effort, shows="summary"),
        wants_usage=True,
    )
    body = write_asked(asked, Target(vendor="openai", model="m")).body
    assert read_asked(body).asked == asked


def _joined(turns: list[Turn]) -> tuple[Turn, ...]:
    """Join as readers do: what leads as the system's, and neighbours that are one answer."""
    joined: list[Turn] = []
    for turn in turns:
        last = joined[-1] if joined else None
        leads = len(joined) == 1 and turn.role == "system"
        if last and last.role == turn.role and (leads or turn.role == "assistant"):
            joined[-1] = Turn(turn.role, last.parts + turn.parts)
        else:
            joined.append(turn)
    return tuple(joined)


def test_write_results_are_read_back() -> None:
    """Calls, pictures in results, and errors, which are told in the text."""
    calls = (
        ToolCall(call_id="a", name="f", arguments="{}"),
        ToolCall(call_id="b", name="p", arguments="x", is_custom=True),
    )
    results = (
        ToolResult(call_id="a", parts=(Text("x"), Image(url="https://x.y", detail="auto"))),
        ToolResult(call_id="b", parts=(Text("no"),), is_error=True),
    )
    asked = _asked(USER, Turn("assistant", calls), Turn("tool", results))
    items = _write(asked)[0]["input"]
    assert [item["type"] for item in items[1:]] == [
        "function_call",
        "custom_tool_call",
        "function_call_output",
        "custom_tool_call_output",
    ]
    assert items[-1]["output"] == "Error: no"
    assert read_asked(write_asked(asked, OPENAI).body).asked.turns[2].parts[0] == results[0]
