"""The keys of a `slipstream` object, or of its header: what each may say, and how it is refused.

Bounds are those of the same settings in routing/settings.py; a test compares them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from typing import Any, Final, NamedTuple, get_args

import msgspec

from slipstream.choice import DataPolicy, Strategy, Task, Wishes
from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.refusals import not_together

TIERS: Final = ("toy", "small", "good", "strong", "best", "beyond")
"""Of quality, by number."""

MAX_TARGETS: Final = 32
_MAX_NAME_CHARS: Final = 512
_MAX_COST_USD: Final = 1000
_MAX_TIMEOUT_S: Final = 86_400.0
_USD_PICO: Final = 10**12
_NONE: Final = Wishes()
_SHOWN_CHARS: Final = 80
_ALIAS: Final = "models"  # of `targets`, as OpenRouter calls it
_JSON_WORD: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


class Given(NamedTuple):
    """A value as it was written, and the name of its field."""

    raw: msgspec.Raw
    where: str


Said = dict[str, Given]
"""What was said, by key."""

_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode


# ---- the two ways to say it ----------------------------------------------------------------------


def read_object(raw: msgspec.Raw | bytes, where: str) -> Said:
    """Return the members of an object; nothing where it is null.

    Raises:
        BadRequest: It is no object, or has a key that is none of ours.
    """
    if bytes(raw) == b"null":
        return {}
    try:
        fields = _fields_decoder.decode(raw)
    except UNREADABLE as exc:
        raise _wrong(where, "an object", raw) from exc
    return _checked(
        {name: Given(value, f"{where}.{name}") for name, value in fields.items()}, where
    )


def read_header(value: bytes, where: str) -> Said:
    """Return what a header says: an object, or `key=value; key=value`.

    In the short form a list is separated by commas, and a key alone is true.

    Raises:
        BadRequest: It is neither, or has a key that is none of ours.
    """
    text = value.decode("latin-1").strip()
    if text.startswith("{"):
        return read_object(value.strip(), where)
    said: Said = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, word = (piece.strip() for piece in part.partition("="))
        given = _short(name, word) if equals else msgspec.Raw(b"true")
        said[name] = Given(given, f"{where}.{name}")
    return _checked(said, where)


def _short(name: str, word: str) -> msgspec.Raw:
    """Return a value of the short form as JSON."""
    if _READERS.get(name) is read_targets:
        return msgspec.Raw(_encode([one.strip() for one in word.split(",")]))
    return msgspec.Raw(word.encode() if _JSON_WORD.fullmatch(word) else _encode(word))


def _checked(said: Said, where: str) -> Said:
    """Return what is said, the alias under the name that it stands for."""
    for name in said:
        if name not in _READERS:
            raise _unknown(name, where)
    if _ALIAS in said:
        if "targets" in said:
            raise not_together(f"{where}.{_ALIAS}", f"{where}.targets")
        said["targets"] = said.pop(_ALIAS)
    return said


def _unknown(name: str, where: str) -> BadRequest:
    return BadRequest(
        f"Unknown parameter: '{where}.{name[:_SHOWN_CHARS]}'.{_nearest(name, _READERS)} "
        f"Known are {', '.join(_READERS)}.",
        param=f"{where}.{name[:_SHOWN_CHARS]}",
        code="unknown_parameter",
    )


# ---- what each key may say -----------------------------------------------------------------------

_Read = Callable[[msgspec.Raw, str], Any]


def read_fields(said: Said) -> Wishes | None:
    """Return the wishes; None where nothing is wished.

    Raises:
        BadRequest: A value is of the wrong type or out of range.
    """
    wishes: dict[str, Any] = {}
    for name, (raw, where) in said.items():
        if bytes(raw) != b"null":
            wishes[_FIELDS.get(name, name)] = _READERS[name](raw, where)
    return Wishes(**wishes) if wishes else None


def write_fields(wishes: Wishes) -> dict[str, Any]:
    """Return the object that says these wishes."""
    said: dict[str, Any] = {}
    for name in _READERS:
        field = _FIELDS.get(name, name)
        if name != _ALIAS and getattr(wishes, field) != getattr(_NONE, field):
            said[name] = getattr(wishes, field)
    if "max_cost_usd" in said:
        usd = Decimal(said["max_cost_usd"]) / _USD_PICO
        said["max_cost_usd"] = msgspec.Raw(f"{usd:f}".encode())
    return said


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:  # of a header, or a number that is too large
        return None


def _wrong(where: str, wanted: str, raw: msgspec.Raw | bytes, hint: str = "") -> BadRequest:
    shown = bytes(memoryview(raw)[: 4 * _SHOWN_CHARS + 4]).decode(errors="replace")
    shown = shown if len(shown) <= _SHOWN_CHARS else shown[:_SHOWN_CHARS] + "…"
    return BadRequest(
        f"Invalid value for '{where}': expected {wanted}, got {shown}.{hint}",
        param=where,
        code="invalid_value",
    )


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _word(accepted: tuple[str, ...], raw: msgspec.Raw, where: str) -> str:
    said = _decoded(raw)
    if isinstance(said, str) and said in accepted:
        return said
    raise _wrong(where, _either(accepted), raw, _nearest(said, accepted))


def _tier(raw: msgspec.Raw, where: str) -> int:
    said = _decoded(raw)
    if type(said) is int and 0 <= said < len(TIERS):
        return said
    if isinstance(said, str) and said in TIERS:
        return TIERS.index(said)
    words = ", ".join(f"{number} ({name})" for number, name in enumerate(TIERS))
    raise _wrong(where, f"one of {words}", raw, _nearest(said, TIERS))


def _nearest(said: object, known: Iterable[str]) -> str:
    near = get_close_matches(said, known, n=1, cutoff=0.6) if isinstance(said, str) else []
    return f" Did you mean '{near[0]}'?" if near else ""


def _count(least: int, most: int, raw: msgspec.Raw, where: str) -> int:
    said = _decoded(raw)
    if type(said) is not int or not least <= said <= most:
        raise _wrong(where, f"an integer from {least} to {most}", raw)
    return said


def _seconds(least_s: float, most_s: float, raw: msgspec.Raw, where: str) -> float:
    said = _decoded(raw)
    if type(said) not in (int, float) or not least_s <= said <= most_s:
        raise _wrong(where, f"a number of seconds from {least_s:g} to {most_s:g}", raw)
    return float(said)


def _cost(raw: msgspec.Raw, where: str) -> int:
    said = _decoded(raw)
    if type(said) not in (int, float) or not 0 <= said <= _MAX_COST_USD:
        raise _wrong(where, f"a number of US dollars from 0 to {_MAX_COST_USD}", raw)
    return int(Decimal(bytes(raw).decode()) * _USD_PICO)


def _flag(raw: msgspec.Raw, where: str) -> bool:
    said = _decoded(raw)
    if not isinstance(said, bool):
        raise _wrong(where, "true or false", raw)
    return said


def read_targets(raw: msgspec.Raw, where: str) -> tuple[str, ...]:
    """Return names of targets, models or routes.

    Raises:
        BadRequest: They are no such array.
    """
    said = _decoded(raw)
    if not isinstance(said, list) or not 0 < len(said) <= MAX_TARGETS:
        raise _wrong(where, f"an array of 1 to {MAX_TARGETS} names", raw)
    for at, name in enumerate(said):
        if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME_CHARS:
            value = msgspec.Raw(_encode(name))
            raise _wrong(f"{where}[{at}]", f"a name of 1 to {_MAX_NAME_CHARS} characters", value)
    return tuple(dict.fromkeys(said))


_READERS: Final[Mapping[str, _Read]] = {
    "strategy": partial(_word, get_args(Strategy)),
    "targets": read_targets,
    _ALIAS: read_targets,
    "quality": _tier,
    "task": partial(_word, get_args(Task)),
    "data": partial(_word, get_args(DataPolicy)),
    "max_cost_usd": _cost,
    "timeout_s": partial(_seconds, 0.05, _MAX_TIMEOUT_S),
    "max_attempts": partial(_count, 1, 16),
    "hedge_s": partial(_seconds, 0.0, 600.0),
    "max_runners": partial(_count, 2, 8),
    "explain": _flag,
}
# Where the record of wishes has another name than the client.
_FIELDS: Final = {"max_cost_usd": "max_cost_usd_pico", "explain": "is_explained"}
