"""What an answer's headers say of how its targets were chosen, and of what came of each.

    x-slipstream-route: auto; cheapest
    x-slipstream-tried: groq/m=upstream_timeout, cerebras/m=ok
    x-slipstream-considered: cerebras/m;taken="cheapest";usd=0.00012;first=0.210;total=1.400, +7

`+7` at the end: so many more did not fit. Names are percent-encoded so far that no list is read
wrongly. Keys and addresses are in none of it.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from slipstream.choice import Plan, Tried, Weighed
from slipstream.ledger.cost import usd_text
from slipstream.server.asgi import Header

# Servers in between refuse heads of more than 8,000 characters or so, and there is much else.
MAX_TRIED_CHARS: Final = 600
MAX_LOGGED_CHARS: Final = 200
MAX_CONSIDERED_CHARS: Final = 1800
_MAX_NAME_CHARS: Final = 160
_MAX_REASON_CHARS: Final = 120
_MAX_MORE_CHARS: Final = 8  # of the count of what did not fit
_IN_QUOTES: Final = "".join(chr(code) for code in range(32, 127) if chr(code) not in '"\\%')


def routing_headers(plan: Plan | None, tried: Iterable[Tried] = ()) -> list[Header]:
    """Return the headers that tell of a choice; none where there was none.

    Args:
        plan: As dispatch hands it up, which it does where there is something to tell.
        tried: Every attempt so far, in order.
    """
    if plan is None:
        return []
    headers: list[Header] = [
        (b"x-slipstream-route", f"{encoded_name(plan.route)}; {plan.strategy}".encode())
    ]
    if told := tried_text(tried):
        headers.append((b"x-slipstream-tried", told.encode()))
    if plan.weighed:
        told = _bounded(map(_considered, plan.weighed), MAX_CONSIDERED_CHARS, ", ")
        headers.append((b"x-slipstream-considered", told.encode()))
    return headers


def tried_text(tried: Iterable[Tried]) -> str:
    """Return each attempt as `target=outcome`, in order."""
    return _bounded(map(_tried, tried), MAX_TRIED_CHARS, ", ")


def tried_word(tried: Iterable[Tried]) -> str:
    """Return the same as one word of a log line."""
    return _bounded(map(_tried, tried), MAX_LOGGED_CHARS, ",")


@lru_cache(maxsize=1024)  # most names come again with each request
def encoded_name(name: str) -> str:
    """Return a name without what would end it in a list: the rest is percent-encoded."""
    return quote(name[:_MAX_NAME_CHARS], safe="/:@+!$&*", errors="replace")


def _tried(tried: Tried) -> str:
    return f"{encoded_name(tried.target.name)}={encoded_name(tried.outcome)}"


def _considered(weighed: Weighed) -> str:
    reason = quote(weighed.reason[:_MAX_REASON_CHARS], safe=_IN_QUOTES, errors="replace")
    parts = [
        encoded_name(weighed.target.name),
        f'{"taken" if weighed.is_taken else "left"}="{reason}"',
    ]
    if weighed.cost_usd_pico is not None:
        parts.append(f"usd={usd_text(weighed.cost_usd_pico)}")
    if weighed.first_token_s is not None:
        parts.append(f"first={weighed.first_token_s:.3f}")
    if weighed.total_s is not None:
        parts.append(f"total={weighed.total_s:.3f}")
    return ";".join(parts)


def _bounded(words: Iterable[str], max_chars: int, separator: str) -> str:
    """Join words as long as they fit; say how many did not."""
    words = list(words)
    joined = separator.join(words)
    if len(joined) <= max_chars:
        return joined
    return separator.join(_fitting(words, max_chars - _MAX_MORE_CHARS, len(separator)))


def _fitting(words: list[str], max_chars: int, num_between: int) -> Iterator[str]:
    num_chars = 0
    for number, word in enumerate(words):
        num_chars += len(word) + num_between
        if num_chars > max_chars:
            yield f"+{len(words) - number}"
            return
        yield word
