"""Tests of slipstream.wire.completions.reading."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest, Unsupported
from slipstream.wire.completions.reading import read_asked
from slipstream.wire.talk.asking import Asked, Text, Turn
from slipstream.wire.talk.means import Sampling


def read(**fields: Any) -> Asked:
    return read_asked(msgspec.json.encode({"model": "m", "prompt": "hello", **fields}))


def test_read_asked_prompt_is_the_users_one_turn() -> None:
    """One text, alone or in an array; the limit is this endpoint's own."""
    plain = Asked(
        dialect="openai_completions",
        model="m",
        turns=(Turn("user", (Text("hello"),)),),
        max_tokens=16,
    )
    assert read() == plain
    assert read(prompt=["hello"], best_of=1, echo=False, suffix="", max_tokens=None) == plain


def test_read_asked_every_field_has_its_place() -> None:
    """Sampling, limits and streaming are read; what is not known is kept."""
    asked = read(
        max_tokens=5,
        n=2,
        best_of=2,
        stream=True,
        stream_options={"include_usage": True},
        temperature=0.5,
        stop="end",
        seed=1,
        logit_bias={"1": 2},
        user="u",
        prompt_cache_key="k",
        service_tier="flex",
        odd=[1],
        none=None,
    )
    assert (asked.max_tokens, asked.num_choices) == (5, 2)
    assert (asked.is_stream, asked.wants_usage) == (True, True)
    assert asked.sampling == Sampling(temperature=0.5, stop=("end",), seed=1, logit_bias={"1": 2.0})
    assert (asked.user, asked.cache_key, asked.service_tier) == ("u", "k", "flex")
    assert {name: bytes(raw) for name, raw in asked.extras.items()} == {"odd": b"[1]"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ["a", "b"]),
        ("prompt", [1, 2]),
        ("prompt", [[1, 2]]),
        ("echo", True),
        ("suffix", "end"),
        ("logprobs", 0),
        ("best_of", 3),
        ("messages", []),
        ("tools", [{"type": "function"}]),
        ("functions", [{}]),
        ("response_format", {"type": "json_object"}),
        ("reasoning_effort", "low"),
    ],
)
def test_read_asked_refuses_what_it_cannot_say(field: str, value: object) -> None:
    """Another target of the route may do it, so the error is one that may be tried elsewhere."""
    with pytest.raises(Unsupported) as caught:
        read(**{field: value})
    assert caught.value.param == field
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"prompt": ""}, "prompt"), ({"prompt": 5}, "prompt"), ({"n": "two"}, "n")],
)
def test_read_asked_names_the_wrong_field(fields: dict[str, Any], param: str) -> None:
    """Whoever sends something wrong is told where."""
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert caught.value.param == param
