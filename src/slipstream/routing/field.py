"""The candidates for one kind of requests, parted for each request by who can take it now.

candidates ── fits? ── in the way? ──▶ ready ╌ on trial ╌ cooling
                 ╰──────────────────▶ left, with the reason in words
"""

from collections.abc import Callable, Sequence
from math import inf
from operator import attrgetter
from typing import Final

import msgspec

from slipstream.routing.candidates import Candidate
from slipstream.routing.expect import Size, glance_at, why_unfit
from slipstream.routing.glances import FRESH_S
from slipstream.routing.lanes import Lane

_blocked_until_s: Final[Callable[[Lane], float]] = attrgetter("blocked_until_s")


class Field:
    """The candidates for one kind of requests, and what holds for all of them together.

    `has_keys` says that a provider of one of them has several; `scale` is the largest of theirs.
    """

    __slots__ = (
        "_fresh_until_s",
        "_has_foreign",
        "_least_output",
        "_least_tokens",
        "_most_output",
        "_most_per_byte",
        "candidates",
        "has_keys",
        "lanes",
        "scale",
    )

    def __init__(self, candidates: tuple[Candidate, ...]) -> None:
        self.candidates = candidates
        self.lanes = tuple(each.lane for each in candidates)
        self.has_keys = any(len(each.keys) > 1 for each in candidates)
        self._has_foreign = any(each.is_foreign for each in candidates)
        self._fresh_until_s = -inf
        self._least_output = min((each.max_output_tokens for each in candidates), default=0)
        self._least_tokens = self._most_output = 0
        self._most_per_byte = self.scale = 0.0

    def look(self, now_s: float) -> None:
        """Look at all candidates anew, if that is some time ago."""
        if self._fresh_until_s - FRESH_S <= now_s < self._fresh_until_s:
            return
        self._fresh_until_s = now_s + FRESH_S
        for each in self.candidates:
            glance_at(each)
        glances = [each.glance for each in self.candidates]
        self._least_tokens = min((each.most_tokens for each in glances), default=0)
        self._most_output = max((each.num_output for each in glances), default=0)
        self.scale = max((each.scale for each in glances), default=0.0)
        self._most_per_byte = max((each.tokens_per_byte for each in glances), default=0.0)

    def is_plain(self, size: Size) -> bool:
        """Tell whether a glance says all of every candidate for a request of this size."""
        most = size.max_output_tokens
        if size.media_tokens or size.warm or size.input_tokens is not None or self._has_foreign:
            return False
        if (
            size.max_cost_usd_pico is not None
            or size.num_bytes * self._most_per_byte + (most or 1) > self._least_tokens
        ):
            return False
        return most is None or self._most_output <= most <= self._least_output


class Parted(msgspec.Struct, frozen=True, gc=False):
    """What became of the candidates for one request.

    Args:
        ready: Take requests now.
        num_trials: Of those, how many only perhaps.
        cooling: Will take them later.
        left: Cannot serve this one, each with the reason.
        is_plain: A glance says all of each that is ready.
        scale: The largest of theirs; see Glance.
    """

    ready: Sequence[Candidate]
    num_trials: int
    cooling: list[Candidate]
    left: list[tuple[Candidate, str]]
    is_plain: bool
    scale: float


def part(field: Field, size: Size, now_s: float) -> Parted:
    """Part a request's candidates into those that are ready, cooling, and of no use to it."""
    field.look(now_s)
    candidates: Sequence[Candidate] = field.candidates
    left: list[tuple[Candidate, str]] = []
    is_plain = field.is_plain(size)
    if not is_plain:
        reasons = [(each, why_unfit(each, size)) for each in candidates]
        left = [(each, reason) for each, reason in reasons if reason is not None]
        candidates = [each for each, reason in reasons if reason is None]
    cooling: list[Candidate] = []
    num_trials = 0
    # Nothing is in the way of most lanes, which is one look at each.
    if any(map(_blocked_until_s, field.lanes)):
        cooling = [each for each in candidates if each.lane.blocked_until_s > now_s]
        candidates = [each for each in candidates if each.lane.blocked_until_s <= now_s]
        num_trials = sum(each.lane.is_on_trial for each in candidates)
    return Parted(candidates, num_trials, cooling, left, is_plain, field.scale)


def together(one: Parted, other: Parted) -> Parted:
    """Return two sets of candidates as one."""
    return Parted(
        [*one.ready, *other.ready],
        one.num_trials + other.num_trials,
        one.cooling + other.cooling,
        one.left + other.left,
        one.is_plain and other.is_plain,
        max(one.scale, other.scale),
    )


def can_serve(parted: Parted, max_wait_s: float, now_s: float) -> bool:
    """Tell whether a candidate takes requests now, or soon enough for a call to wait for it."""
    if parted.ready:
        return True
    return bool(parted.cooling) and wait_s(parted.cooling, now_s) <= max_wait_s


def wait_s(cooling: Sequence[Candidate], now_s: float) -> float:
    """Return how long until the first of them takes requests again, as far as anybody knows."""
    return min(
        lane.first_token_s if lane.blocked_until_s == inf else lane.blocked_until_s - now_s
        for lane in (each.lane for each in cooling)
    )
