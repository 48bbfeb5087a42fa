"""Refusals of a request that is read in full: each names the field, and what is accepted.

The path of a field is OpenAI's (`messages[1].content`). Decoders see only a part of the body; their
errors are moved to where that part lies, and `invalid.explain` words them.
"""

from typing import TypeVar

import msgspec

from slipstream.errors import BadRequest

T = TypeVar("T")
_SHOWN_CHARS = 80  # of a value: enough to recognise it


def decode_at(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, where: str) -> T:
    """Decode a part of a body; errors say where it lies in the whole."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        text, mark, path = str(exc).partition(" - at `$")
        raise msgspec.ValidationError(f"{text} - at `$.{where}{path if mark else '`'}") from exc


def is_object(raw: msgspec.Raw) -> bool:
    """Tell a JSON object from other values."""
    return bytes(memoryview(raw)[:1]) == b"{"


def invalid(param: str, said: str) -> BadRequest:
    """Return the error for a wrong value; `said` tells what is accepted and what came."""
    return BadRequest(f"Invalid value for '{param}': {said}.", param=param, code="invalid_value")


def not_among(param: str, value: str, accepted: tuple[str, ...]) -> BadRequest:
    """Return the error for a value that is none of a closed set."""
    *firsts, last = (f"'{word}'" for word in accepted)
    words = f"{', '.join(firsts)} or {last}" if firsts else last
    shown = value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…"
    return invalid(param, f"expected {words}, got '{shown}'")


def missing(param: str) -> BadRequest:
    """Return the error for a field that must be there."""
    return BadRequest(
        f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def not_offered(param: str, accepted: str) -> BadRequest:
    """Return the error for what these models do not do."""
    return BadRequest(
        f"This model does not offer what '{param}' asks for: {accepted}.",
        param=param,
        code="unsupported_parameter",
    )


def not_together(param: str, other: str) -> BadRequest:
    """Return the error for two fields that exclude each other."""
    return BadRequest(
        f"'{param}' cannot be combined with '{other}': leave one of them out.",
        param=param,
        code="unsupported_parameter",
    )
