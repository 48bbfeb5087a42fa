"""What is wrong with a body that a strict decoder refused, for dialects to say in their own words.

The decoder's messages are msgspec's; what is said of a field is left to each dialect.
"""

import re
from typing import Final, Literal, NamedTuple, TypeVar

import msgspec

from slipstream.errors import BadRequest

T = TypeVar("T")

_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<at>.*)`)?$", re.DOTALL)
_UNKNOWN: Final = re.compile(r"unknown field `(.+?)`")
_MISSING: Final = re.compile(r"required field `(.+?)`")


class Flaw(NamedTuple):
    """One thing that is wrong.

    `path` is as `messages[0].content`, the field itself included.
    """

    kind: Literal["unknown", "missing", "invalid"]
    path: str
    what: str

    @property
    def dotted(self) -> str:
        """The path as `messages.0.content`."""
        return re.sub(r"\[(\d+)\]", r".\1", self.path).lstrip(".")

    @property
    def field(self) -> str:
        """The last name of the path."""
        return self.path.rpartition(".")[2]


class Flawed(Exception):
    """A body that is not what its dialect promises."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.what)
        self.flaw = flaw


def decode_strictly(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a body.

    Raises:
        Flawed: It does not fit.
        BadRequest: It is no JSON.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise Flawed(_flaw(str(exc))) from exc
    except (msgspec.DecodeError, RecursionError) as exc:
        raise BadRequest(f"the body is not JSON: {exc}", code="invalid_json") from exc


def _flaw(message: str) -> Flaw:
    found = _AT.match(message)
    what, at = (found["what"], found["at"] or "") if found else (message, "")
    for kind, pattern in (("unknown", _UNKNOWN), ("missing", _MISSING)):
        named = pattern.search(what)
        if named is not None:
            path = f"{at}.{named[1]}" if at else named[1]
            return Flaw("unknown" if kind == "unknown" else "missing", path, what)
    return Flaw("invalid", at, what)


def names(text: str) -> frozenset[str]:
    """Return the names that a text lists."""
    return frozenset(text.split())
