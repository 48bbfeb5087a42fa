"""Errors of decoding in words that a caller can act on."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE, explain


class Inner(msgspec.Struct):
    """One level down."""

    flag: bool
    texts: list[str] = []


class Body(msgspec.Struct):
    """A request with a field of every kind that our dialects have."""

    name: str
    count: Annotated[int, msgspec.Meta(ge=1, le=5)] | None = None
    share: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    words: str | list[str] = ""
    inner: Inner | None = None
    inners: list[Inner] = []
    by_name: dict[str, int] = {}
    kind: Literal["a", "b"] = "a"


# (what is wrong beside a good name, param, code, what the message must say)
WRONG: list[tuple[str, str | None, str, list[str]]] = [
    ('"count":"3"', "count", "invalid_type", ["'count'", "an integer", "null", '"3"']),
    ('"count":3.5', "count", "invalid_type", ["an integer", "3.5"]),
    ('"count":true', "count", "invalid_type", ["an integer", "true"]),
    ('"count":9', "count", "invalid_value", ["an integer <= 5", "got 9"]),
    ('"count":0', "count", "invalid_value", ["an integer >= 1", "got 0"]),
    ('"share":1e1', "share", "invalid_value", ["a number <= 2", "got 1e1"]),
    ('"words":7', "words", "invalid_type", ["a string or an array", "got 7"]),
    ('"words":["a",7]', "words[1]", "invalid_type", ["'words[1]'", "a string", "got 7"]),
    ('"inner":[]', "inner", "invalid_type", ["an object", "got []"]),
    ('"inner":{"flag":1}', "inner.flag", "invalid_type", ["true or false", "got 1"]),
    ('"inner":{}', "inner.flag", "missing_required_parameter", ["'inner.flag'"]),
    ('"inners":[{"flag":true,"texts":[5]}]', "inners[0].texts[0]", "invalid_type", ["got 5"]),
    ('"by_name":{"x":"y"}', "by_name[...]", "invalid_type", ["an integer", "something else"]),
    ('"kind":"c"', "kind", "invalid_value", ["'kind'", '"c"']),
]


def _fail(body: bytes) -> BadRequest:
    with pytest.raises(UNREADABLE) as caught:
        msgspec.json.decode(body, type=Body)
    return explain(caught.value, body)


@pytest.mark.parametrize(("wrong", "param", "code", "words"), WRONG)
def test_explain_wrong_field_names_field_value_and_what_is_accepted(
    wrong: str, param: str | None, code: str, words: list[str]
) -> None:
    """The caller reads which field, what was sent and what would do."""
    error = _fail(f'{{"name":"n",{wrong}}}'.encode())
    assert (error.param, error.code, error.status) == (param, code, 400)
    for word in words:
        assert word in error.message


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        (b"", "invalid_json", "JSON"),
        (b"{", "invalid_json", "JSON"),
        (b'{"name":"n",}', "invalid_json", "byte 12"),
        (b'{"name":NaN}', "invalid_json", "JSON"),
        (b'{"name":"\xff"}', "invalid_json", "UTF-8"),
        (b'{"x":' + b"[" * 100_000, "invalid_json", "nested too deeply"),
        (b"[]", "invalid_type", "must be an object"),
        (b"null", "invalid_type", "must be an object"),
        (b'"text"', "invalid_type", "must be an object"),
        (b"{}", "missing_required_parameter", "'name'"),
    ],
)
def test_explain_body_as_a_whole_says_what_it_should_be(body: bytes, code: str, word: str) -> None:
    """Bytes that are no JSON object are told apart: syntax, encoding, nesting, type."""
    error = _fail(body)
    assert error.code == code
    assert word in error.message


@pytest.mark.parametrize(
    ("rest", "word"),
    [(b"[", "JSON"), (b"[" * 100_000, "nested too deeply"), (b'"\\ud800"}', "JSON")],
)
def test_explain_wrong_field_in_a_body_broken_further_on_stays_a_bad_request(
    rest: bytes, word: str
) -> None:
    """Regression: reading the value for the message raised the decoder's own exception."""
    error = _fail(b'{"name":5,"more":' + rest)
    assert error.code == "invalid_json"
    assert word in error.message


def test_explain_number_that_no_reader_holds_shows_it_as_written() -> None:
    """Regression: the value was decoded to be shown, and `1e999` does not decode."""
    error = _fail(b'{"name":{"a":1e999}}')
    assert error.param == "name"
    assert 'got {"a":1e999}' in error.message


def test_explain_long_value_is_cut() -> None:
    """A prompt in the wrong place is not repeated in full, nor cut within a character."""
    error = _fail(b'{"name":["' + "é".encode() * 100_000 + b'"]}')
    assert len(error.message) < 200
    assert error.message.endswith("é….")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(Body.__struct_fields__, _json)))
def test_explain_any_json_object_gives_a_bad_request_or_decodes(body: dict[str, Any]) -> None:
    """Whatever valid JSON is sent, the only error is ours."""
    raw = msgspec.json.encode(body)
    try:
        msgspec.json.decode(raw, type=Body)
    except UNREADABLE as exc:
        error = explain(exc, raw)
    else:
        return
    assert error.param is not None


@given(st.binary(max_size=60))
def test_explain_arbitrary_bytes_gives_a_bad_request_or_decodes(tail: bytes) -> None:
    """Whatever bytes are sent, the only error is ours."""
    raw = b'{"name":' + tail
    try:
        msgspec.json.decode(raw, type=Body)
    except UNREADABLE as exc:
        error = explain(exc, raw)
    else:
        return
    assert error.status == 400


def test_number_that_is_none_is_said_to_be_one() -> None:
    """A value that nobody reads may still be more than any number; the decoder says not where."""
    error = msgspec.ValidationError("Number out of range")
    assert explain(error, b"{}").message == "The body cannot be read: Number out of range."
