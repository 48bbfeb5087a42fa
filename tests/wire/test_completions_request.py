"""Tests of slipstream.wire.completions_request."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.completions_request import (
    CompletionsRequest,
    parse_completions,
    scan_completions,
)
from slipstream.wire.openai_chat import Scan


def body_of(**fields: Any) -> bytes:
    """Return a request that is right but for these fields."""
    return msgspec.json.encode({"model": "m", "prompt": "Hi"} | fields)


def test_scan_reads_what_routing_needs() -> None:
    """Unsaid means OpenAI's defaults."""
    assert scan_completions(body_of()) == Scan("m", False, False, 16)
    asked = body_of(stream=True, stream_options={"include_usage": True}, max_tokens=5)
    assert scan_completions(asked) == Scan("m", True, True, 5)


def test_parse_bare_request_has_openais_defaults() -> None:
    """Null says the same as leaving out."""
    bare = parse_completions(body_of())
    assert bare == CompletionsRequest(prompts=("Hi",))
    assert (bare.max_tokens, bare.temperature, bare.best_of) == (16, 1.0, 1)
    nulls = dict.fromkeys(("max_tokens", "n", "best_of", "logprobs", "stop", "suffix", "seed"))
    assert parse_completions(body_of(**nulls)) == bare


def test_parse_reads_every_field() -> None:
    """None is lost on the way."""
    asked = parse_completions(
        body_of(
            prompt=[[1, 2], [3]], max_tokens=9, min_tokens=2, temperature=0, top_p=0.5, top_k=3,
            min_p=0.1, frequency_penalty=1, presence_penalty=-1, repetition_penalty=1.5,
            logit_bias={"4": 2}, seed=0, stop="x", logprobs=0, n=2, best_of=3, exact=True,
            prompt_cache_key="k", user="ignored",
        )
    )  # fmt: skip
    assert asked == CompletionsRequest(
        prompts=((1, 2), (3,)), max_tokens=9, min_tokens=2, temperature=0.0, top_p=0.5, top_k=3,
        min_p=0.1, frequency_penalty=1.0, presence_penalty=-1.0, repetition_penalty=1.5,
        logit_bias=((4, 2.0),), seed=0, stop=("x",), num_logprobs=0, num_choices=2, best_of=3,
        is_exact=True, cache_key="k",
    )  # fmt: skip


def test_parse_best_of_equal_to_n_may_be_streamed() -> None:
    """It asks for what happens anyway."""
    assert parse_completions(body_of(n=2, best_of=2, stream=True)).best_of == 2


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"prompt": ["a"] * 129}, "prompt"),
        ({"prompt": ["a"] * 65, "n": 2}, "prompt"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 4, "min_tokens": 5}, "min_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"n": 0}, "n"),
        ({"best_of": 21}, "best_of"),
        ({"n": 2, "best_of": 1}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"echo": True, "logprobs": 0}, "echo"),
        ({"echo": True, "prompt": [1]}, "echo"),
        ({"suffix": "x"}, "suffix"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"messages": []}, "messages"),
    ],
)
def test_parse_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    """The error names the field as OpenAI does."""
    with pytest.raises(BadRequest) as caught:
        parse_completions(body_of(**fields))
    assert caught.value.param == param


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model":"m"}', b'{"model":"","prompt":"a"}'])
def test_scan_unusable_body_is_refused(body: bytes) -> None:
    """Before anything is routed."""
    with pytest.raises(BadRequest):
        scan_completions(body)
