"""How far limits are used, as answers tell it in `x-ratelimit-` headers; pure.

    x-ratelimit-{limit,remaining,reset}-{requests,tokens}-{minute,hour,day}    Cerebras's family
    x-ratelimit-{limit,remaining,reset}-{requests,tokens}                      OpenAI's
    anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}              Anthropic's

Where several limits share a name, the one is told of which the least is left: whoever sends what
`remaining` says is let in. Of two that have the same left, it is the shorter period, and uncached
before total tokens: a fresh key's `tokens` are those that Cerebras shows.
"""

from collections.abc import Callable, Iterable
from math import ceil
from time import gmtime, strftime
from typing import Final, NamedTuple

from slipstream.limits.plan import PERIOD_US, Unit, What

Header = tuple[bytes, bytes]

UNLIMITED: Final = 1_000_000_000
"""What Cerebras's family says of a limit that is not set."""

_FIGURES: Final = ("limit", "remaining", "reset")
_WHATS: Final[tuple[What, ...]] = ("requests", "tokens")
_MS_US: Final = 1_000
_S_US: Final = 1_000_000
_MIN_US: Final = 60 * _S_US
_H_US: Final = 60 * _MIN_US


class Level(NamedTuple):
    """How far one bucket is used.

    Args:
        reset_us: Until it is full.
    """

    what: What
    unit: Unit
    limit: int
    remaining: int
    reset_us: int


TellLevels = Callable[[Iterable[Level]], list[Header]]
"""Makes one API's headers of levels."""

_Names = tuple[bytes, bytes, bytes]


def _names(suffix: str) -> _Names:
    limit, remaining, reset = (f"x-ratelimit-{each}-{suffix}".encode() for each in _FIGURES)
    return limit, remaining, reset


_SHORT_NAMES: Final = {what: _names(what) for what in _WHATS}
_ANTHROPIC_NAMES: Final = {
    what: tuple(f"anthropic-ratelimit-{what}-{each}".encode() for each in _FIGURES)
    for what in _WHATS
}
_LONG_NAMES: Final = {
    (what, unit): _names(f"{what}-{unit}") for what in _WHATS for unit in PERIOD_US
}


_UNSET: Final = {
    names: list(zip(names, (b"%d" % UNLIMITED, b"%d" % UNLIMITED, b"0.0"), strict=True))
    for names in _LONG_NAMES.values()
}


def openai_headers(levels: Iterable[Level]) -> list[Header]:
    """Return OpenAI's headers, and Cerebras's for each limit that is set."""
    nearest = _nearest(levels)
    headers: list[Header] = []
    for what, names in _SHORT_NAMES.items():
        own = [level for level in nearest.values() if level.what == what]
        if own:
            least = min(own, key=_remaining)
            headers += _told(names, least, duration_text(least.reset_us).encode())
    for key, level in nearest.items():
        headers += _told(_LONG_NAMES[key], level, _seconds(level))
    return headers


def anthropic_headers(levels: Iterable[Level], now_s: float) -> list[Header]:
    """Return Anthropic's headers of the requests and the tokens of which the least is left.

    Args:
        now_s: Since 1970: it tells the times at which limits are whole again.
    """
    told = list(levels)
    headers: list[Header] = []
    for what, names in _ANTHROPIC_NAMES.items():
        own = [level for level in told if level.what == what]
        if own:
            least = min(own, key=_remaining)
            until_s = ceil(now_s + least.reset_us / _S_US)
            reset = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(until_s)).encode()
            values = (b"%d" % least.limit, b"%d" % least.remaining, reset)
            headers += zip(names, values, strict=True)
    return headers


def cerebras_headers(levels: Iterable[Level]) -> list[Header]:
    """Return Cerebras's whole family, also for limits that are not set."""
    nearest = _nearest(levels)
    headers: list[Header] = []
    for key, names in _LONG_NAMES.items():
        level = nearest.get(key)
        headers += _UNSET[names] if level is None else _told(names, level, _seconds(level))
    return headers


def duration_text(duration_us: int) -> str:
    """Write a time as OpenAI does, rounded up to milliseconds: `6ms`, `8.64s`, `6m0s`."""
    rounded_us = -(-duration_us // _MS_US) * _MS_US
    if 0 < rounded_us < _S_US:
        return f"{rounded_us // _MS_US}ms"
    hours, rest_us = divmod(rounded_us, _H_US)
    minutes, rest_us = divmod(rest_us, _MIN_US)
    seconds = f"{rest_us / _S_US:g}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _remaining(level: Level) -> int:
    return level.remaining


def _nearest(levels: Iterable[Level]) -> dict[tuple[What, Unit], Level]:
    """Return the level to tell for each name of Cerebras's family; the first of equals."""
    nearest: dict[tuple[What, Unit], Level] = {}
    for level in levels:
        key = (level.what, level.unit)
        found = nearest.get(key)
        if found is None or level.remaining < found.remaining:
            nearest[key] = level
    return nearest


def _told(names: _Names, level: Level, reset: bytes) -> list[Header]:
    limit, remaining, reset_name = names
    return [(limit, b"%d" % level.limit), (remaining, b"%d" % level.remaining), (reset_name, reset)]


def _seconds(level: Level) -> bytes:
    return repr(level.reset_us / _S_US).encode()
