"""Tests of slipstream.wire.completions.writing."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import Unsupported
from slipstream.wire.completions.transcript import STOPS
from slipstream.wire.completions.writing import DEFAULT_MAX_TOKENS, write_asked
from slipstream.wire.talk.asking import Asked, Target, Text, Turn
from slipstream.wire.talk.means import Form, HostedTool, Sampling, Thinking, Tool, ToolChoice

HI = (Turn("user", (Text("Hi"),)),)
TARGET = Target(vendor="lab", model="base")


def asked(dialect: str = "openai_chat", **fields: Any) -> Asked:
    said: dict[str, Any] = {"max_tokens": 9} | fields
    return Asked(dialect=dialect, model="m", turns=HI, **said)


def write(
    dialect: str = "openai_chat", target: Target = TARGET, **fields: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    written = write_asked(asked(dialect, **fields), target)
    return msgspec.json.decode(written.body), written.changes


def test_write_asked_is_a_transcript_with_stops() -> None:
    """The model must not speak for the user, and stops where the client wants it to."""
    plain = {"model": "base", "prompt": "User: Hi\n\nAssistant:", "max_tokens": 9}
    assert write() == (plain | {"stop": list(STOPS)}, ())
    body, _ = write(sampling=Sampling(stop=("END",)))
    assert body["stop"] == ["END", *STOPS]


def test_write_asked_streams_ask_for_usage() -> None:
    """Our own account needs it, whether the client does or not."""
    body, _ = write(is_stream=True)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(("most", "limit"), [(None, DEFAULT_MAX_TOKENS), (64, 64), (10**6, 512)])
def test_write_asked_without_a_limit_sets_one_and_says_so(most: int | None, limit: int) -> None:
    """The dialect's own default is 16 tokens."""
    target = Target(vendor="lab", model="base", max_output_tokens=most)
    body, changes = write("openai_responses", target, max_tokens=None)
    assert body["max_tokens"] == limit
    assert changes == (f"max_output_tokens -> {limit}",)


def test_write_asked_says_how_tokens_are_chosen() -> None:
    """Under the names that OpenAI and vLLM have in common with chat."""
    said: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "min_p": 0.1,
        "frequency_penalty": 1.0,
        "presence_penalty": 0.5,
        "repetition_penalty": 1.1,
        "seed": 7,
        "logit_bias": {"5": 1.0},
    }
    body, changes = write(sampling=Sampling(**said), num_choices=2, user="u")
    assert said.items() <= body.items()
    assert (body["n"], body["user"], changes) == (2, "u", ())


def test_write_asked_names_what_it_leaves_out() -> None:
    """What changes nothing that the client would miss."""
    _, changes = write(
        prediction="x",
        cache_key="k",
        metadata={"a": "b"},
        verbosity="low",
        service_tier="flex",
        hosted_tools=(HostedTool("web_search", "{}", "openai_responses"),),
        extras={"odd": msgspec.Raw(b"1")},
    )
    assert set(changes) == {
        "prediction",
        "prompt_cache_key",
        "metadata",
        "verbosity",
        "service_tier",
        "tools -> without web_search",
        "odd",
    }


TOOLS = (Tool(name="f"),)
FORM = Form(kind="json_object")


@pytest.mark.parametrize(
    ("dialect", "fields", "param"),
    [
        ("openai_chat", {"tools": TOOLS}, "tools"),
        ("openai_chat", {"form": FORM}, "response_format"),
        ("openai_chat", {"thinking": Thinking(effort="low")}, "reasoning_effort"),
        ("openai_chat", {"sampling": Sampling(logprobs=True)}, "logprobs"),
        ("openai_chat", {"sampling": Sampling(top_logprobs=2)}, "top_logprobs"),
        ("openai_responses", {"form": FORM}, "text.format"),
        ("openai_responses", {"thinking": Thinking(effort="low")}, "reasoning.effort"),
        ("anthropic_messages", {"form": FORM}, "output_config.format"),
        ("anthropic_messages", {"thinking": Thinking(budget_tokens=2000)}, "thinking"),
        ("anthropic_messages", {"thinking": Thinking(is_adaptive=True)}, "thinking"),
    ],
)
def test_write_asked_refuses_what_the_client_would_miss(
    dialect: str, fields: dict[str, Any], param: str
) -> None:
    """By the name that the client wrote; another target may offer it."""
    with pytest.raises(Unsupported) as caught:
        write(dialect, **fields)
    assert caught.value.param == param


def test_write_asked_takes_what_asks_for_none_of_it() -> None:
    """Tools that must not be called, thinking that is turned off, no log probabilities."""
    body, changes = write(
        tools=TOOLS,
        tool_choice=ToolChoice("none"),
        thinking=Thinking(effort="none"),
        sampling=Sampling(logprobs=False, top_logprobs=0),
    )
    assert set(body) == {"model", "prompt", "max_tokens", "stop"}
    assert changes == ()
