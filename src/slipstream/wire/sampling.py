"""What requests for text, as chats and as completions, say alike of how tokens are drawn.

Ranges are OpenAI's.
"""

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from slipstream.wire.refusals import invalid

MAX_CHOICES: Final = 128  # OpenAI's bound
MAX_TOKENS: Final = 2**31 - 1
Penalty = Annotated[float, Meta(ge=-2, le=2)]

_MAX_STOPS: Final = 4
MAX_STOP_CHARS: Final = 1_000  # each is searched for in every piece of the answer
_MAX_BIAS: Final = 100
TOKEN_ID: Final = re.compile(r"0|[1-9][0-9]{0,8}")  # one way to write each; none is larger


def read_bias(said: dict[str, Any] | None) -> tuple[tuple[int, float], ...]:
    """Return token ids and what is added to their logits."""
    biases = []
    for key, value in (said or {}).items():
        if not TOKEN_ID.fullmatch(key):
            raise invalid("logit_bias", f"expected token ids as its keys, got '{key[:20]}'")
        if type(value) not in (int, float) or not -_MAX_BIAS <= value <= _MAX_BIAS:
            raise invalid(
                f"logit_bias.{key}",
                f"expected a number from -{_MAX_BIAS} to {_MAX_BIAS}, got {shown(value)}",
            )
        biases.append((int(key), float(value)))
    return tuple(biases)


def given_or(value: float | None, default: float) -> float:
    """Return what was given, 0 too; the default where nothing was."""
    return default if value is None else value


def shown(value: Any) -> str:
    """Return a value as the start of its JSON, for an error."""
    return msgspec.json.encode(value)[:80].decode(errors="replace")


def read_stops(said: str | list[str] | None) -> tuple[str, ...]:
    """Return what ends an answer where it comes up in it."""
    stops = (said,) if isinstance(said, str) else tuple(said or ())
    if len(stops) > _MAX_STOPS:
        raise invalid("stop", f"expected at most {_MAX_STOPS} strings, got {len(stops)}")
    for stop in stops:
        if not 0 < len(stop) <= MAX_STOP_CHARS:
            raise invalid(
                "stop", f"expected strings of 1 to {MAX_STOP_CHARS} characters, got {len(stop)}"
            )
    return stops
