"""Members of a JSON object as spans of its bytes, so that one can go and all others stay.

Provider caches and signatures depend on the bytes of a body, so nothing is encoded anew. Works in
time linear in the size, whatever the nesting.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE, explain

MAX_MEMBERS: Final = 1_000  # of an object; each costs a step, and no request has a tenth of them

_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_string: Final = re.compile(_STRING, re.DOTALL)
_space: Final = re.compile(rb"[ \t\n\r]*+")
_scalar: Final = re.compile(rb"[^,}\] \t\n\r]++")
# Everything up to the next bracket that is in no string.
_to_bracket: Final = re.compile(rb'[^"\[\]{}]*+(?:' + _STRING + rb'[^"\[\]{}]*+)*+', re.DOTALL)
_OPENING: Final = b"[{"
_SELF_ENDING: Final = b'[{"'
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Member(NamedTuple):
    """One `"name": value`.

    Args:
        is_cut: It is to go.
    """

    start: int
    end: int
    is_cut: bool


def without_member(body: bytes, name: str) -> bytes:
    """Return the bytes of an object without its members of a name, however the name is escaped.

    One comma and the space behind it go with each. The same object where there is no such member.

    Args:
        body: A JSON object.

    Raises:
        BadRequest: It is none, or has more than `MAX_MEMBERS`.
    """
    members = list(islice(_members(body, name), MAX_MEMBERS + 1))
    if len(members) > MAX_MEMBERS:
        raise BadRequest(
            f"The body has more than {MAX_MEMBERS} fields: no dialect has so many.",
            code="invalid_value",
        )
    if not any(member.is_cut for member in members):
        return body
    kept = [member for member in members if not member.is_cut]
    if not kept:
        return body[: members[0].start] + body[members[-1].end :]
    pieces = [body[: members[0].start]]
    for at, member in enumerate(members):
        if member.is_cut:
            continue
        if member is kept[-1]:
            pieces.append(body[member.start : member.end])
            break
        pieces.append(body[member.start : members[at + 1].start])
    return b"".join((*pieces, body[members[-1].end :]))


def _members(body: bytes, name: str) -> Iterator[_Member]:
    try:
        values = _fields_decoder.decode(body)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    at = _skip_space(body, _skip_space(body, 0) + 1)
    while body[at : at + 1] != b"}":
        start = at
        key_end = _end_of_string(body, at)
        key: str = msgspec.json.decode(body[at:key_end], type=str)
        at = _skip_space(body, _skip_space(body, key_end) + 1)
        end = _end_of_value(body, at, values[key])
        yield _Member(start, end, key == name)
        at = _skip_space(body, end)
        if body[at : at + 1] == b",":
            at = _skip_space(body, at + 1)


def _skip_space(body: bytes, at: int) -> int:
    found = _space.match(body, at)
    assert found is not None, "it matches nothing, too"
    return found.end()


def _end_of_string(body: bytes, at: int) -> int:
    found = _string.match(body, at)
    assert found is not None, "it was decoded"
    return found.end()


def _end_of_value(body: bytes, at: int, value: msgspec.Raw) -> int:
    """Return where a value ends, which is `value` unless its key comes twice."""
    first = body[at : at + 1]
    if first in _SELF_ENDING and body.startswith(bytes(value), at):
        return at + len(memoryview(value))
    if first == b'"':
        return _end_of_string(body, at)
    if first in _OPENING:
        return _end_of_nested(body, at)
    found = _scalar.match(body, at)
    assert found is not None, "it was decoded"
    return found.end()


def _end_of_nested(body: bytes, at: int) -> int:
    match, depth = _to_bracket.match, 0
    while True:
        found = match(body, at)
        assert found is not None, "it matches nothing, too"
        at = found.end() + 1
        depth += 1 if body[at - 1] in _OPENING else -1
        if depth == 0:
            return at
