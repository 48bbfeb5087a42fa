"""Cutting members out of a JSON object, with every other byte as it was."""

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.routing.members import MAX_MEMBERS, without_member

# (an object, the same without "x")
TABLE = [
    (b'{"x":1}', b"{}"),
    (b'{ "x" : 1 }', b"{  }"),
    (b'{"x":1,"a":2}', b'{"a":2}'),
    (b'{"a":2,"x":1}', b'{"a":2}'),
    (b'{"a":2, "x" : {"y":[1,"]}"]} , "b":3}', b'{"a":2, "b":3}'),
    (b'{"a":2,"x":1,"x":{},"b":3,"x":[]}', b'{"a":2,"b":3}'),
    (b'{"x":1,"x":2}', b"{}"),
    (b'{"\\u0078":1,"a":2}', b'{"a":2}'),
    (b'\n{\t"a":"\\"x\\":1","x":null\r\n}\n', b'\n{\t"a":"\\"x\\":1"\r\n}\n'),
    (b'{"a":{"x":1},"b":[{"x":2}]}', b'{"a":{"x":1},"b":[{"x":2}]}'),
    (b'{"X":1,"xx":2,"":3}', b'{"X":1,"xx":2,"":3}'),
    (b'{"a":1,"x":0,"a":12}', b'{"a":1,"a":12}'),
    (b'{"a":"b","x":0,"a":"bc"}', b'{"a":"b","a":"bc"}'),
    (b'{"a":[1],"x":0,"a":[[1],2]}', b'{"a":[1],"a":[[1],2]}'),
    (b"{}", b"{}"),
]


@pytest.mark.parametrize(("body", "rest"), TABLE, ids=[str(at) for at in range(len(TABLE))])
def test_without_member_of_the_table(body: bytes, rest: bytes) -> None:
    """Wherever it stands, however it is escaped and however often it comes."""
    assert without_member(body, "x") == rest


@pytest.mark.parametrize("body", [b"", b"[]", b'{"x":1', b'{"x"}', b'"x"', b'{"x":1}}', b"nul"])
def test_without_member_no_object_is_refused(body: bytes) -> None:
    """It is the caller's error, and no exception of ours."""
    with pytest.raises(BadRequest):
        without_member(body, "x")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text('x"\\{}[],:é\n 𝄞', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=1), inner),
    max_leaves=8,
)
spaces = st.text(" \t\n\r", max_size=2)


@st.composite
def written(draw: st.DrawFn, names: list[str]) -> list[tuple[str, str]]:
    """Return the members of an object by name, each as text with any space and any escapes."""
    members = []
    for name in names:
        escaped = "".join(f"\\u{ord(c):04x}" if draw(st.booleans()) else c for c in name)
        said = json.dumps(draw(values), ensure_ascii=draw(st.booleans()))
        gaps = [draw(spaces) for _ in range(4)]
        members.append((name, f'{gaps[0]}"{escaped}"{gaps[1]}:{gaps[2]}{said}{gaps[3]}'))
    return members


@given(st.lists(st.sampled_from("abx"), max_size=6).flatmap(written), spaces)
def test_without_member_leaves_the_others_as_they_were(
    members: list[tuple[str, str]], space: str
) -> None:
    """All other members are there, in their order, twice where they came twice, byte for byte."""
    text = space + "{" + ",".join(said for _, said in members) + "}" + space
    rest = without_member(text.encode(), "x").decode()
    told: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    assert json.loads(rest, object_pairs_hook=list) == [pair for pair in told if pair[0] != "x"]
    others = "".join(said for name, said in members if name != "x")
    assert re.sub(r"[\s,]", "", rest) == re.sub(r"[\s,]", "", "{" + others + "}")
    if "x" not in dict(members):
        assert rest == text


@pytest.mark.parametrize(
    "inner",
    [b"[" * 900 + b"]" * 900, b"[" + b"{}," * 60_000 + b"{}]", b'"' + b'\\"' * 90_000 + b'"'],
    ids=["deep", "wide", "escapes"],
)
@pytest.mark.parametrize("is_twice", [False, True])
def test_without_member_of_a_hostile_body_is_linear(inner: bytes, *, is_twice: bool) -> None:
    """Neither depth nor breadth nor escapes nor keys that come twice make it slow."""
    first = b'"a":' + inner + b","
    body = b"{" + (first if is_twice else b"") + b'"x":1,"a":' + inner + b"}"
    if is_twice:
        body = body[:-1] + b',"a":0}'
    began_s = time.process_time()
    rest = without_member(body, "x")
    assert time.process_time() - began_s < 5
    assert rest == body.replace(b'"x":1,', b"")


def test_without_member_of_too_many_fields_is_refused() -> None:
    """Each costs a step of ours, so a body of millions would hold up everybody else."""
    most = b"{" + b'"a":1,' * (MAX_MEMBERS - 1) + b'"x":1}'
    assert without_member(most, "x") == most.replace(b',"x":1', b"")
    with pytest.raises(BadRequest, match="more than 1000 fields"):
        without_member(b"{" + b'"a":1,' * 3_000_000 + b'"x":1}', "x")
