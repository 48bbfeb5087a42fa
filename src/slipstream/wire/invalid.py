"""Turns a failed decoding of a request body into an error that the caller can act on.

Names the field, the value that was sent and what would be accepted, in OpenAI's words.
"""

import re

import msgspec

from slipstream.errors import BadRequest

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises on bytes that are not what they should be, or are nested too deeply."""

_EXPECTED = re.compile(
    r"^Expected `(?P<wanted>[^`]+)`(?P<bound>[^,]*?)(?:, got `(?P<got>[^`]+)`)?$"
)
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")
_PATH = re.compile(r" - at `(?P<path>[^`]+)`$")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]|(?P<unknown>\[\.\.\.\])")

_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_SHOWN_CHARS = 80  # of a value in a message: enough to recognise it, too little to leak a prompt


def explain(error: Exception, body: bytes) -> BadRequest:
    """Return the error for the caller.

    Args:
        error: One of `UNREADABLE`.
        body: What failed to decode.
    """
    if not isinstance(error, msgspec.ValidationError):
        return _unreadable(error)
    text = str(error)
    found = _PATH.search(text)
    path = found["path"].removeprefix("$") if found else ""
    text = _PATH.sub("", text)
    if missing := _MISSING.search(text):
        param = f"{path}.{missing['field']}".removeprefix(".")
        return BadRequest(
            f"Missing required parameter: '{param}'.",
            param=param,
            code="missing_required_parameter",
        )
    param = path.removeprefix(".")
    expected = _EXPECTED.search(text)
    wanted = _accepted(expected["wanted"]) + expected["bound"] if expected else ""
    if not param:
        if not wanted:  # of a value that nobody asked for, which the decoder does not locate
            return BadRequest(f"The body cannot be read: {text}.", code="invalid_value")
        return BadRequest(f"The body must be {wanted}.", code="invalid_type")
    try:
        got = _show(body, path)
    except UNREADABLE as exc:  # the decoder stopped at the field, and the rest is worse
        return _unreadable(exc)
    reason = f"expected {wanted}, got {got}" if wanted else f"{text}, got {got}"
    return BadRequest(
        f"Invalid value for '{param}': {reason}.",
        param=param,
        code="invalid_type" if expected and expected["got"] else "invalid_value",
    )


def _unreadable(error: Exception) -> BadRequest:
    if isinstance(error, RecursionError):
        return BadRequest("The body is nested too deeply.", code="invalid_json")
    if isinstance(error, UnicodeDecodeError):
        return BadRequest(f"The body is not valid UTF-8: {error.reason}.", code="invalid_json")
    return BadRequest(f"The body is not valid JSON: {error}.", code="invalid_json")


def _accepted(wanted: str) -> str:
    """Say a type of the decoder, such as `str | null`, in plain words."""
    return " or ".join(_NAMES.get(part, part) for part in wanted.split(" | "))


def _show(body: bytes, path: str) -> str:
    """Return the value at a path as it was written; only what leads there is decoded."""
    raw: bytes | msgspec.Raw = body
    for step in _STEP.finditer(path):
        try:
            if step["unknown"]:
                return "something else"
            if step["key"]:
                raw = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[step["key"]]
            else:
                raw = msgspec.json.decode(raw, type=list[msgspec.Raw])[int(step["index"])]
        except (KeyError, IndexError, msgspec.ValidationError):
            return "something else"
    shown = bytes(memoryview(raw)[: 4 * _SHOWN_CHARS + 4]).decode(errors="replace")
    return shown if len(shown) <= _SHOWN_CHARS else shown[:_SHOWN_CHARS] + "…"
