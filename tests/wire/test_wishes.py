"""Wishes of one request: where they may stand, and what is left of its body."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.choice import Wishes
from slipstream.errors import BadRequest
from slipstream.wire.wishes import read_patience, read_wishes, with_wishes

CHAT = {"model": "fast", "messages": [{"role": "user", "content": 'say "slipstream": hi'}]}
FASTEST = Wishes(strategy="fastest")


def written(**more: Any) -> bytes:
    """Return a chat request as an SDK sends it."""
    return json.dumps(CHAT | more).encode()


def test_body_without_wishes_is_the_same_object() -> None:
    """Nothing is copied, also where a text mentions the key."""
    for body in (written(), written(metadata={"slipstream": 1, "models": []}), b"", b"{", b"[1]"):
        wishes, rest = read_wishes(body, None)
        assert wishes is None
        assert rest is body


def test_wishes_of_a_body_leave_all_other_bytes() -> None:
    """The object goes with its comma; the rest is what the client wrote."""
    for body in (
        written(slipstream={"strategy": "fastest"}),
        written().replace(b'{"model"', b'{"slipstream": {"strategy": "fastest"}, "model"'),
        written().replace(
            b', "messages"', b', "\\u0073lipstream" : {"strategy":"fastest"}, "messages"'
        ),
    ):
        assert read_wishes(body, None) == (FASTEST, written())


def test_wishes_that_come_twice_are_the_last() -> None:
    """As every reader of JSON has it; both go."""
    body = written(slipstream={"strategy": "fastest"})
    body = body.replace(b'{"model"', b'{"slipstream": {"strategy": "race"}, "model"')
    assert read_wishes(body, None) == (FASTEST, written())


def test_header_wins_key_by_key() -> None:
    """What only the body says still holds."""
    body = written(slipstream={"strategy": "cheapest", "quality": "good"})
    wishes, rest = read_wishes(body, b"strategy=fastest; explain")
    assert wishes == Wishes(strategy="fastest", quality=2, is_explained=True)
    assert rest == written()


def test_header_alone_leaves_the_body() -> None:
    """Also one that is no JSON, which its own reader refuses."""
    for body in (written(), b"no JSON"):
        wishes, rest = read_wishes(body, b"strategy=fastest")
        assert wishes == FASTEST
        assert rest is body


def test_models_are_fallbacks_behind_the_model() -> None:
    """OpenRouter's list, which no other provider knows."""
    wishes, rest = read_wishes(written(models=["a/b", "fast", "c"]), None)
    assert wishes == Wishes(targets=("fast", "a/b", "c"))
    assert rest == written()


def test_models_of_a_model_at_openrouter_are_its_own() -> None:
    """It gets the list as the client wrote it, and our object is taken out all the same."""
    said = {"model": "openrouter/a/b", "models": ["c/d"]}
    wishes, rest = read_wishes(written(**said, slipstream={"max_attempts": 1}), None)
    assert wishes == Wishes(max_attempts=1)
    assert rest == written(**said)


@pytest.mark.parametrize("model", ["3", "null", '"\\ud800"'])
def test_models_beside_no_model_are_left_to_the_door(model: str) -> None:
    """It says what is wrong with the model."""
    body = b'{"model":%b,"models":["a"]}' % model.encode()
    assert read_wishes(body, None) == (None, body)


def test_models_that_are_null_go() -> None:
    """As SDKs send what was left out."""
    assert read_wishes(written(models=None), None) == (None, written())


def test_models_beside_targets_are_refused() -> None:
    """Both say where to go; the header's word is above both."""
    body = written(models=["a"], slipstream={"targets": ["b"]})
    with pytest.raises(BadRequest, match=r"'models' cannot be combined with 'slipstream\.targets'"):
        read_wishes(body, None)
    wishes, _ = read_wishes(written(models=["a"]), b"targets=b")
    assert wishes == Wishes(targets=("b",))


def test_wrong_models_are_refused_by_their_name() -> None:
    """The field is the client's own, and not within our object."""
    wrong: tuple[Any, ...] = ("a", [], [3], {})
    for models in wrong:
        with pytest.raises(BadRequest) as caught:
            read_wishes(written(models=models), None)
        assert (caught.value.param or "").startswith("models")


def test_wishes_that_are_not_wanted_say_so() -> None:
    """A dialect that knows no list of models keeps it, so that its reader refuses it."""
    body = written(models=["a"])
    assert read_wishes(body, None, keeps_models=lambda model: True) == (None, body)


wishes_drawn = st.builds(
    Wishes,
    strategy=st.sampled_from([None, "race", "cheapest"]),
    targets=st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=3).map(tuple),
    quality=st.none() | st.integers(0, 5),
    max_cost_usd_pico=st.none() | st.integers(0, 10**15),
    timeout_s=st.none() | st.floats(0.05, 86_400.0),
    hedge_s=st.none() | st.floats(0.0, 600.0),
    is_explained=st.booleans(),
)


@given(wishes_drawn, st.sampled_from([b"{}", b" {\n} ", written(), b'\t{ "model":"m"}']))
def test_wishes_that_are_put_back_are_read_again(wishes: Wishes, body: bytes) -> None:
    """For a request that is made again later: to the last pico-dollar."""
    read, rest = read_wishes(with_wishes(body, wishes), None)
    assert read == (None if wishes == Wishes() else wishes)
    assert json.loads(rest) == json.loads(body)
    assert with_wishes(body, None) is body


@given(
    st.binary(max_size=80) | st.text('{}[]"slipstreammodels:,1\\u ', max_size=80).map(str.encode)
)
def test_any_body_is_read_or_the_callers_error(body: bytes) -> None:
    """Whatever the bytes are."""
    try:
        wishes, rest = read_wishes(body, None)
    except BadRequest:
        return
    if wishes is None and rest is not body:
        msgspec.json.decode(body)


@pytest.mark.parametrize(
    ("headers", "patience_s"),
    [
        ({}, None),
        ({b"x-stainless-read-timeout": b"600"}, 600.0),
        ({b"x-stainless-read-timeout": b"2.0"}, 2.0),
        ({b"x-stainless-timeout": b"10"}, 10.0),
        ({b"x-stainless-timeout": b"None", b"x-stainless-read-timeout": b"20"}, 20.0),
        ({b"x-stainless-read-timeout": b"NOT_GIVEN", b"x-stainless-timeout": b"20"}, 20.0),
        ({b"x-stainless-read-timeout": b"0"}, None),
        ({b"x-stainless-read-timeout": b"-1"}, None),
        ({b"x-stainless-read-timeout": b"nan"}, None),
        ({b"x-stainless-read-timeout": b"inf"}, None),
        ({b"x-stainless-read-timeout": b"\xff"}, None),
    ],
    ids=str,
)
def test_patience_of_the_table(headers: dict[bytes, bytes], patience_s: float | None) -> None:
    """As long as the SDK waits; what is no time says nothing."""
    assert read_patience(headers) == patience_s
