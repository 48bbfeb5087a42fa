"""Each key of a wish: what it takes, and how it refuses what it does not."""

import dataclasses
import re
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.choice import DataPolicy, Strategy, Task, Wishes
from slipstream.errors import BadRequest
from slipstream.routing import candidates
from slipstream.routing.settings import RouteSettings
from slipstream.wire.routing.wish_fields import (
    TIERS,
    Said,
    read_fields,
    read_header,
    read_object,
    write_fields,
)

encode = msgspec.json.Encoder().encode


def wished(**said: Any) -> Wishes | None:
    """Return what an object says."""
    return read_fields(read_object(encode(said), "slipstream"))


def refused(said: Said | bytes) -> BadRequest:
    """Return how an object is refused."""
    with pytest.raises(BadRequest) as caught:
        read_fields(read_object(said, "slipstream") if isinstance(said, bytes) else said)
    return caught.value


TAKEN: list[tuple[str, Any, Wishes]] = [
    *(("strategy", word, Wishes(strategy=word)) for word in get_args(Strategy)),
    *(("task", word, Wishes(task=word)) for word in get_args(Task)),
    *(("data", word, Wishes(data=word)) for word in get_args(DataPolicy)),
    *(("quality", number, Wishes(quality=number)) for number in range(6)),
    *(("quality", name, Wishes(quality=number)) for number, name in enumerate(TIERS)),
    ("targets", ["a/b", "c", "a/b"], Wishes(targets=("a/b", "c"))),
    ("models", ["a/b", "c"], Wishes(targets=("a/b", "c"))),
    ("max_cost_usd", 0, Wishes(max_cost_usd_pico=0)),
    ("max_cost_usd", 0.1, Wishes(max_cost_usd_pico=100_000_000_000)),
    ("max_cost_usd", 1e-12, Wishes(max_cost_usd_pico=1)),
    ("max_cost_usd", 1000, Wishes(max_cost_usd_pico=10**15)),
    ("timeout_s", 1, Wishes(timeout_s=1.0)),
    ("timeout_s", 0.25, Wishes(timeout_s=0.25)),
    ("max_attempts", 16, Wishes(max_attempts=16)),
    ("hedge_s", 0, Wishes(hedge_s=0.0)),
    ("max_runners", 8, Wishes(max_runners=8)),
    ("explain", True, Wishes(is_explained=True)),
]


@pytest.mark.parametrize(
    ("key", "value", "wishes"), TAKEN, ids=[f"{key}-{at}" for at, (key, _, _) in enumerate(TAKEN)]
)
def test_key_is_read_and_written_again(key: str, value: Any, wishes: Wishes) -> None:
    """Money is exact; what is written for later means the same."""
    assert wished(**{key: value}) == wishes
    assert wished(**write_fields(wishes)) == wishes


REFUSED: list[tuple[str, Any, str]] = [
    ("strategy", "fastst", "Did you mean 'fastest'?"),
    ("strategy", 3, "expected pinned, ordered, weighted, cheapest, fastest, balanced or race"),
    ("task", "maths", "Did you mean 'math'?"),
    ("data", "none", "expected any, no_training, no_retention or local"),
    ("quality", 6, "0 (toy), 1 (small), 2 (good), 3 (strong), 4 (best)"),
    ("quality", True, "got true"),
    ("quality", "stong", "Did you mean 'strong'?"),
    ("quality", 2.0, "got 2.0"),
    ("targets", "a", "an array of 1 to 32 names"),
    ("targets", [], "an array of 1 to 32 names"),
    ("targets", ["x"] * 33, "an array of 1 to 32 names"),
    ("max_cost_usd", -0.01, "from 0 to 1000, got -0.01"),
    ("max_cost_usd", 1000.5, "from 0 to 1000"),
    ("max_cost_usd", "1", 'got "1"'),
    ("timeout_s", 0, "a number of seconds from 0.05"),
    ("timeout_s", True, "got true"),
    ("max_attempts", 0, "an integer from 1 to 16"),
    ("max_attempts", 17, "an integer from 1 to 16"),
    ("max_attempts", 1.5, "an integer from 1 to 16"),
    ("hedge_s", -1, "from 0 to 600"),
    ("max_runners", 1, "an integer from 2 to 8"),
    ("explain", 1, "true or false"),
    ("explain", "yes", 'true or false, got "yes"'),
]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    REFUSED,
    ids=[f"{key}-{at}" for at, (key, _, _) in enumerate(REFUSED)],
)
def test_wrong_value_is_refused_by_name(key: str, value: Any, words: str) -> None:
    """The error names the field, what came and what would be accepted."""
    error = refused(encode({key: value}))
    assert error.param == f"slipstream.{key}"
    assert error.status == 400
    assert words in error.message


def test_wrong_name_within_targets_is_refused_by_its_place() -> None:
    """A name is text of a bounded length."""
    assert refused(b'{"targets":["a",5]}').param == "slipstream.targets[1]"
    assert refused(b'{"targets":["a",""]}').param == "slipstream.targets[1]"
    assert refused(encode({"targets": ["a", "b" * 513]})).param == "slipstream.targets[1]"


def test_unknown_key_is_refused_with_the_nearest() -> None:
    """Nothing is dropped silently."""
    error = refused(b'{"stratgy":"fastest"}')
    assert error.param == "slipstream.stratgy"
    assert error.code == "unknown_parameter"
    assert "Did you mean 'strategy'?" in error.message
    assert "max_runners" in refused(b'{"qwertz":1}').message


@pytest.mark.parametrize("said", [b"3", b"[]", b'"fastest"', b"true"])
def test_what_is_no_object_is_refused(said: bytes) -> None:
    """The error names the object itself."""
    assert refused(said).param == "slipstream"


def test_null_says_nothing() -> None:
    """As SDKs send what was left out."""
    assert wished(strategy=None, quality=None) is None
    assert read_fields(read_object(b"null", "slipstream")) is None


def test_targets_under_both_names_are_refused() -> None:
    """Which of the two holds would be a guess."""
    error = refused(b'{"targets":["a"],"models":["b"]}')
    assert "slipstream.models" in error.message
    assert "slipstream.targets" in error.message


# (the header, what it says)
HEADERS: list[tuple[bytes, Wishes | None]] = [
    (b"strategy=fastest", Wishes(strategy="fastest")),
    (
        b" strategy = cheapest ; max_cost_usd=0.01;",
        Wishes(strategy="cheapest", max_cost_usd_pico=10**10),
    ),
    (b"targets=a/b, c:nitro ,d", Wishes(targets=("a/b", "c:nitro", "d"))),
    (b"targets=a", Wishes(targets=("a",))),
    (b"quality=3; task=code", Wishes(quality=3, task="code")),
    (b"quality=best", Wishes(quality=4)),
    (b"explain", Wishes(is_explained=True)),
    (b"explain=true", Wishes(is_explained=True)),
    (b"timeout_s=2.5;max_attempts=2", Wishes(timeout_s=2.5, max_attempts=2)),
    (b"timeout_s=1e1", Wishes(timeout_s=10.0)),
    (b'{"strategy": "race", "hedge_s": 0.2}', Wishes(strategy="race", hedge_s=0.2)),
    (b"", None),
    (b" ; ", None),
    (b"strategy=null", None),
]


@pytest.mark.parametrize(("header", "wishes"), HEADERS, ids=[str(at) for at in range(len(HEADERS))])
def test_header_of_the_table(header: bytes, wishes: Wishes | None) -> None:
    """The object, or pairs that mean the same."""
    assert read_fields(read_header(header, "x-slipstream")) == wishes


@pytest.mark.parametrize(
    ("header", "param"),
    [
        (b"strategy=fastst", "x-slipstream.strategy"),
        (b"strategy", "x-slipstream.strategy"),
        (b"fastest", "x-slipstream.fastest"),
        (b"targets=a,,b", "x-slipstream.targets[1]"),
        (b"max_attempts=\xff", "x-slipstream.max_attempts"),
        (b'{"strategy": ', "x-slipstream"),
        (b'{"quality": 9}', "x-slipstream.quality"),
    ],
    ids=str,
)
def test_wrong_header_is_refused_by_name(header: bytes, param: str) -> None:
    """The error tells that it is the header's."""
    with pytest.raises(BadRequest) as caught:
        read_fields(read_header(header, "x-slipstream"))
    assert caught.value.param == param


@given(st.binary(max_size=60) | st.text('{}"=;,:.stargeqluiy1 ', max_size=60).map(str.encode))
def test_any_header_is_wishes_or_the_callers_error(header: bytes) -> None:
    """Whatever a header holds, nothing else is raised."""
    with suppress(BadRequest):
        read_fields(read_header(header, "x-slipstream"))


def test_bounds_are_those_of_the_settings() -> None:
    """A fact that is kept in two places says the same in both."""
    known = {field.name: field.metadata for field in dataclasses.fields(RouteSettings)}
    for key in ("max_attempts", "hedge_s", "max_runners", "quality"):
        setting = next(iter(known[key].values()))
        told = [float(n) for n in re.findall(r"\d+", refused(encode({key: -1})).message)]
        assert {float(setting.least), float(setting.most)} <= set(told)
    assert TIERS == candidates.TIERS
