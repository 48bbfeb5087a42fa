"""Tests of slipstream.wire.messages.writing."""

from typing import Any

import msgspec
import pytest

from slipstream.call import Dialect
from slipstream.errors import BadRequest, Unsupported
from slipstream.wire.messages.writing import write_asked
from slipstream.wire.talk.asking import Asked, Target, Text, Turn
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, Sampling, Tool
from tests.wire.messages.requests import CLAUDE, asking, read, targeting, write

HI = [{"role": "user", "content": "hi"}]


def test_write_smallest_request() -> None:
    """The limit must be said: it is the model's own, or what is enough for any answer."""
    assert write(asking()) == (
        {"model": "claude-opus-5-5", "max_tokens": 128_000, "messages": HI},
        (),
    )
    body, _ = write(asking(), Target(vendor="lab", model="m"))
    assert body["max_tokens"] == 32_000


def test_write_keys_keep_one_order() -> None:
    """Caches of prompts depend on the bytes: the same request is written the same."""
    asked = asking(
        turns=(Turn("system", (Text("S"),)), Turn("user", (Text("hi"),))),
        tools=(Tool(name="f"),),
        user="u",
        is_stream=True,
    )
    body, _ = write(asked)
    assert list(body) == [
        "model",
        "max_tokens",
        "tools",
        "system",
        "messages",
        "metadata",
        "stream",
    ]
    assert write_asked(asked, CLAUDE) == write_asked(asked, CLAUDE)


@pytest.mark.parametrize(("most", "sent"), [(None, 200_000), (300_000, 200_000), (64_000, 64_000)])
def test_write_limit_over_the_models_own_is_cut(most: int | None, sent: int) -> None:
    """Anthropic would refuse it; no answer is longer anyway."""
    body, changes = write(asking(max_tokens=200_000), targeting(max_output_tokens=most))
    assert body["max_tokens"] == sent
    assert changes == (() if sent == 200_000 else ("max_completion_tokens -> 64000",))


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"prediction": "x"}, ("prediction",)),
        ({"cache_key": "k", "verbosity": "low"}, ("prompt_cache_key", "verbosity")),
        ({"metadata": {"a": "b"}}, ("metadata",)),
        ({"extras": {"web_search_options": msgspec.Raw(b"{}")}}, ("web_search_options",)),
        ({"service_tier": "flex"}, ("service_tier",)),
        ({"sampling": Sampling(seed=1, min_p=0.1)}, ("min_p", "seed")),
    ],
)
def test_write_what_has_no_word_is_named(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    """What changes how an answer is found, not whether it is one, is left out and named."""
    body, changes = write(asking(**fields))
    assert body == {"model": "claude-opus-5-5", "max_tokens": 128_000, "messages": HI}
    assert changes == names


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"num_choices": 2}, "n"),
        ({"sampling": Sampling(logprobs=True)}, "logprobs"),
        ({"sampling": Sampling(top_logprobs=2)}, "logprobs"),
        ({"sampling": Sampling(logit_bias={"1": -100})}, "logit_bias"),
        ({"sampling": Sampling(stop=("\n",))}, "stop"),
    ],
)
def test_write_what_would_be_missed_is_refused(fields: dict[str, Any], param: str) -> None:
    """Another target may do it, so the error lets it be tried."""
    with pytest.raises(Unsupported) as caught:
        write(asking(**fields))
    assert caught.value.param == param
    assert caught.value.retryable


@pytest.mark.parametrize(
    "turns", [(), (Turn("user", (Text(" "),)),), (Turn("assistant", ()),), (Turn("system", ()),)]
)
def test_write_nothing_to_say_is_refused(turns: tuple[Turn, ...]) -> None:
    """A conversation of empty texts cannot be sent."""
    with pytest.raises(BadRequest):
        write(asking(turns=turns))


def test_write_system_alone_is_the_users() -> None:
    """There must be a message, which OpenAI does not ask for."""
    body, changes = write(asking(turns=(Turn("system", (Text("S"),)),)))
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": "S"}]
    assert changes == ("messages.role -> user",)


def test_write_field_that_the_target_refuses_is_left_out_and_named() -> None:
    """By the names of the dialect, told in the client's."""
    asked = asking(sampling=Sampling(temperature=0.5, stop=("#",)), user="u", service_tier="fast")
    target = targeting("temperature", "stop_sequences", "metadata", "speed", "top_k")
    body, changes = write(asked, target)
    assert set(body) == {"model", "max_tokens", "messages"}
    assert changes == ("user", "service_tier", "stop", "temperature")


def test_write_words_for_a_form_stand_behind_the_system() -> None:
    """What is cached before them stays the same."""
    turns = (Turn("system", (Text("S"),)), Turn("user", (Text("hi"),)))
    body, changes = write(asking(turns=turns, form=Form(kind="json_object")))
    assert body["system"][0] == {"type": "text", "text": "S"}
    assert "JSON" in body["system"][1]["text"]
    assert changes == ("response_format -> system",)
    body, _ = write(asking(form=Form(kind="json_object")))
    assert "JSON" in body["system"]


def test_write_extras_of_this_dialect_are_put_back() -> None:
    """What has no place between dialects is kept for a target that speaks the same one."""
    tool = {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}
    asked = read(container="c", tools=[tool], output_config={"task_budget": {"total": 1}})
    body, changes = write(asked)
    assert (body["container"], body["tools"], body["output_config"]) == (
        "c",
        [tool],
        {"task_budget": {"total": 1}},
    )
    assert changes == ()
    of_chat = msgspec.structs.replace(asked, dialect="openai_chat")
    assert set(write(of_chat)[1]) == set(asked.extras)


@pytest.mark.parametrize("dialect", [dialect.value for dialect in Dialect])
def test_write_of_any_dialect_says_the_same(dialect: str) -> None:
    """Only what is named differs."""
    asked = Asked(dialect=dialect, model="m", turns=(Turn("user", (Text("hi"),)),), max_tokens=5)
    assert write(asked)[0] == {"model": "claude-opus-5-5", "max_tokens": 5, "messages": HI}


def test_write_extras_of_what_is_not_said_are_named() -> None:
    """A part of a field goes with the field, and what the target refuses is not put back."""
    thinking = {"type": "enabled", "budget_tokens": 1024, "block_binding": {"a": 1}}
    body, changes = write(read(thinking=thinking, max_tokens=1024))
    assert "thinking" not in body
    assert changes[-1] == "thinking.block_binding"
    asked = read(thinking={"type": "disabled"}, output_config={"effort": "low"})
    body, changes = write(asked, targeting("output_config.effort"))
    assert "output_config" not in body
    assert changes == ("output_config.effort",)


def test_write_more_marks_than_there_may_be_are_named() -> None:
    """OpenAI has no bound on them."""
    marked = Turn("user", tuple(Text(str(at), CacheMark()) for at in range(5)))
    body, changes = write(asking(turns=(marked,)))
    kept = ["cache_control" in block for block in body["messages"][0]["content"]]
    assert kept == [False, True, True, True, True]
    assert changes == ("prompt_cache_breakpoint",)
