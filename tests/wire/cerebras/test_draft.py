"""A body that is changed: what is touched is new, all else keeps its bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.body import Body, Text, Tool
from slipstream.wire.cerebras.draft import (
    MAX_WORDS,
    Draft,
    drop_unknown,
    inside,
    keys_of,
    not_taken,
)
from slipstream.wire.cerebras.shape import StreamOptions

ODD = b'{"a": 1e2, "b": [ {"x":"\\u00e9", "y":0.10} , 3.0], "c":{"d" : null}}'


def test_draft_without_changes_is_the_same_bytes() -> None:
    """Nothing is written anew that nobody touched."""
    assert Draft(ODD).encode() is ODD


def test_draft_keeps_the_bytes_of_what_it_did_not_touch() -> None:
    """Numbers, escapes and order stay as the client wrote them, also beside a change."""
    draft = Draft(ODD)
    draft.put("b", 0, "y", value=7)
    draft.drop("c")
    assert draft.encode() == b'{"a":1e2,"b":[{"x":"\\u00e9","y":7},3.0]}'
    assert draft.changes == ("c",)


def test_draft_changes_of_what_was_put_are_written() -> None:
    """A change inside of a new value is not lost, and one around a change takes it in."""
    draft = Draft(b'{"a":{"b":1},"c":2}')
    draft.put("a", "b", value={"x": 1})
    draft.put("a", "b", "y", value=2)
    draft.put("n", value=draft.take("a"))
    draft.put("n", "z", value=3)
    assert json.loads(draft.encode()) == {"c": 2, "n": {"b": {"x": 1, "y": 2}, "z": 3}}


def test_draft_names_what_said_something() -> None:
    """A null and an empty list say nothing; a key's own name cannot break a header."""
    draft = Draft(b'{"a":1,"n":null,"e":[],"x\\r\\ny":0}')
    for key in ("a", "n", "e", "x\r\ny"):
        draft.drop(key)
    draft.note("m", 2, "old", to="new")
    assert draft.changes == ("a", "x??y", "m.2.old -> new")
    assert draft.encode() == b"{}"


def test_draft_with_many_changes_names_the_first_and_counts_the_rest() -> None:
    """A header has a bound."""
    draft = Draft(json.dumps({f"k{n}": n for n in range(MAX_WORDS + 5)}).encode())
    for n in range(MAX_WORDS + 5):
        draft.drop(f"k{n}")
    assert draft.changes[-2:] == (f"k{MAX_WORDS - 1}", "5 more")
    assert len(draft.changes) == MAX_WORDS + 1


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"a":\xff}', b"[" * 100_000])
def test_draft_of_no_object_is_a_bad_request(body: bytes) -> None:
    """What cannot be read is the client's fault."""
    with pytest.raises(BadRequest):
        Draft(body)


def test_drop_unknown_leaves_what_is_no_object() -> None:
    """Whoever checks types tells of it."""
    draft = Draft(b'{"a":[1],"b":{"x":1,"y":2}}')
    drop_unknown(draft, ("a",), draft.said["a"], frozenset("x"))
    drop_unknown(draft, ("b",), draft.said["b"], frozenset("x"))
    assert draft.encode() == b'{"a":[1],"b":{"x":1}}'


def test_keys_are_read_off_the_profiles_own_shapes() -> None:
    """There is one table of what an object may hold: body.py's."""
    assert keys_of(Text) == {"type", "text"}
    assert keys_of(inside(Tool, "function")) == {"name", "description", "parameters", "strict"}
    assert inside(Body, "stream_options") is StreamOptions


def test_not_taken_names_the_field_and_lets_another_target_try() -> None:
    """The refusal is of this target."""
    error = not_taken("audio", "its answers are text")
    assert (error.param, error.status, error.retryable) == ("audio", 400, True)
    assert "'audio'" in error.message


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(data=st.data(), body=st.dictionaries(st.text(max_size=3), values, max_size=5))
def test_draft_writes_what_it_says(data: st.DataObject, body: dict[str, Any]) -> None:
    """After any changes the bytes decode to the values that were decided on."""
    draft = Draft(json.dumps(body).encode())
    for _ in range(data.draw(st.integers(0, 5))):
        path: list[Any] = []
        at: Any = draft.said
        while isinstance(at, dict | list) and len(at) and (not path or data.draw(st.booleans())):
            key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            path.append(key)
            at = at[key]
        if not path:
            continue
        if isinstance(path[-1], str) and data.draw(st.booleans()):
            draft.drop(*path)
        else:
            draft.put(*path, value=data.draw(values))
    assert json.loads(draft.encode()) == draft.said
