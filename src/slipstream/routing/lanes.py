"""One target as the choice sees it: what is expected of it, and whether it takes requests.

What the planner reads are plain attributes, kept current when something is noted: it looks at many
lanes for each call. For an attempt with `i` input and `o` output tokens, while n are in flight:

    first_s = first_base_s + first_input_s·i + first_load_s·n + late_s
    total_s = first_s + (token_s + token_load_s·n)·o + failing_s
"""

from bisect import bisect_right
from collections.abc import Callable
from math import inf
from typing import Final

from slipstream.call import Outcome
from slipstream.routing.breaker import Breaker
from slipstream.routing.experience import Experience
from slipstream.routing.facts import TargetFacts
from slipstream.routing.keys import Quota, roomiest

_MAX_STARTS: Final = 1024  # remembered, beside four for each attempt in flight
_CLOCK_SKEW_S: Final = 1e-4  # the attempt's own clock was read a moment after ours
_ENOUGH: Final = 300.0  # samples; a busier target's answers are sampled, for the sake of speed
_LATE_IN_FLIGHT: Final = 3  # one or two long answers are not a target that has stopped
_LATE_TIMES: Final = 2.0  # the time in which 19 of 20 answers have come to their end


class Lane:
    """One target: provider and model, with all keys.

    Args:
        facts: Known beforehand.
        quotas: One for each of its keys, the preferred one first.
        breaker: Its own.
        around: Its provider's.
        memory_s: Half-life of what is learned.
        random: Uniform in [0, 1).

    `blocked_until_s` is 0.0 while it takes requests, inf until its single probe has ended.
    `is_on_trial` says that its next attempt is such a probe. `late_s` is how much later than usual
    its attempts in flight are, 0.0 as a rule. `failing_s` is what its failures cost an attempt on
    average. `spread` is the standard deviation of ln(time / expected time). `cached_share` is the
    part of input tokens that is read from the provider's cache. `usd_pico_per_token` is what was
    paid for all tokens in and out; None: no price is known, or nothing yet. `memo` is the
    planner's.
    """

    __slots__ = (
        "_experience",
        "_heard_s",
        "_loads",
        "_random",
        "_silence_s",
        "_starts",
        "answered_s",
        "around",
        "blocked_until_s",
        "breaker",
        "cached_share",
        "facts",
        "failing_s",
        "failure_share",
        "first_base_s",
        "first_input_s",
        "first_load_s",
        "first_token_s",
        "in_flight",
        "is_on_trial",
        "late_s",
        "memo",
        "output_tokens",
        "quotas",
        "samples",
        "spread",
        "target",
        "token_load_s",
        "token_s",
        "tokens_per_byte",
        "tokens_per_s",
        "usd_pico_per_token",
        "used_s",
    )

    def __init__(
        self,
        facts: TargetFacts,
        quotas: list[Quota],
        breaker: Breaker,
        around: Breaker,
        memory_s: float,
        random: Callable[[], float],
    ) -> None:
        self.facts, self.target = facts, facts.target
        self.quotas = quotas
        self.breaker, self.around = breaker, around
        self.in_flight = 0
        self.blocked_until_s = 0.0
        self.is_on_trial = False
        self.late_s = self.used_s = 0.0
        self.answered_s = -inf
        self.memo: object | None = None
        self._random = random
        self._experience = Experience(memory_s)
        self._starts: list[float] = []
        self._loads: list[int] = []
        self._heard_s = self._silence_s = 0.0
        self._read_figures()
        self._read_shares()

    # ---- what is expected ------------------------------------------------------------------------

    @property
    def tokens(self) -> float:
        """How many an attempt takes on average, in and out."""
        return self._experience.input.value + self.output_tokens

    def quota(self, credential: str) -> Quota:
        """Return that of a key; of the first one, where there is none of that label."""
        quotas = self.quotas
        first = quotas[0]
        if len(quotas) == 1 or first.key.credential == credential:
            return first
        return next((each for each in quotas if each.key.credential == credential), first)

    def expect_s(self, output_tokens: float, input_tokens: float) -> tuple[float, float]:
        """Return the expected time to the first token, and to the end, of one more attempt now."""
        others = self.in_flight
        first_s = (
            self.first_base_s
            + self.first_input_s * input_tokens
            + self.first_load_s * others
            + self.late_s
        )
        pace_s = self.token_s + self.token_load_s * others
        return first_s, first_s + pace_s * output_tokens + self.failing_s

    def first_token_quantile_s(
        self,
        share: float,
        *,
        is_stream: bool = True,
        output_tokens: float = 0.0,
        input_tokens: float = 0.0,
    ) -> float | None:
        """Return what the first sign of so large a share of attempts is sooner than.

        That of a plain answer is its end. None: too little is known.
        """
        beyond_s = self._experience.measures.beyond_mean_s(share, is_stream=is_stream)
        if beyond_s is None:
            return None
        first_s, total_s = self.expect_s(output_tokens, input_tokens)
        expected_s = first_s if is_stream else total_s - self.failing_s
        return max(expected_s + beyond_s, 0.0)

    def observed_first_token_s(self, share: float) -> float | None:
        """Return what so large a share of first signs came sooner than; None: nothing is known."""
        return self._experience.measures.observed_first_s(share)

    def samples_at(self, now_s: float) -> float:
        """Return how many samples of now all that is known is worth; few call for a look."""
        return self._experience.samples_at(now_s)

    def credential(self, now_s: float, tokens: float = 0.0) -> str:
        """Return the label of the key with most room; one that cools only where all of them do."""
        quotas = self.quotas
        if len(quotas) == 1:
            return quotas[0].key.credential
        return roomiest(quotas, now_s, tokens, self._random).key.credential

    # ---- attempts --------------------------------------------------------------------------------

    def begin(self, now_s: float) -> None:
        """Count an attempt in flight."""
        others = self.in_flight
        self.in_flight = others + 1
        self.used_s = now_s
        starts = self._starts
        starts.append(now_s)
        self._loads.append(others)
        if not others:
            self._heard_s, self.late_s = now_s, 0.0
        elif others >= _LATE_IN_FLIGHT and now_s - self._heard_s > self._silence_s:
            self.late_s = now_s - self._heard_s
        if len(starts) > _MAX_STARTS + 4 * others:
            del starts[: len(starts) // 2], self._loads[: len(self._loads) // 2]

    def end(self) -> None:
        """Count it out."""
        if self.in_flight:
            self.in_flight -= 1

    def note_success(self, outcome: Outcome, began_s: float, now_s: float) -> None:
        """Learn from a complete answer."""
        self._heard_s = self.answered_s = now_s
        self.late_s = 0.0
        if self.samples > _ENOUGH and self._random() * self.samples > _ENOUGH:
            self._experience.num_passed += 1
            return
        if self._experience.note_success(outcome, self._load_at(began_s), now_s):
            self._read_figures()
        self._read_shares()

    def note_failure(self, total_s: float, now_s: float) -> None:
        """Learn from a failure that was the target's, or of the way to it."""
        self._heard_s, self.late_s = now_s, 0.0
        self._experience.note_failure(total_s, now_s)
        self._read_shares()

    def note_left(self, outcome: Outcome, began_s: float, now_s: float) -> None:
        """Learn from an attempt that was left: another won, or its client went."""
        if self._experience.note_left(outcome, self._load_at(began_s), now_s):
            self._read_figures()

    def _load_at(self, began_s: float) -> float:
        """Return how many others were in flight when an attempt began."""
        loads = self._loads
        if not loads:
            return 0.0
        return float(loads[max(bisect_right(self._starts, began_s + _CLOCK_SKEW_S) - 1, 0)])

    def _read_figures(self) -> None:
        """Copy what the measures have come to."""
        figures = self._experience.figures()
        self.first_base_s = figures.first_base_s
        self.first_input_s = figures.first_input_s
        self.first_load_s = figures.first_load_s
        self.first_token_s = figures.first_token_s
        self.token_s = figures.token_s
        self.token_load_s = figures.token_load_s
        self.tokens_per_s = figures.tokens_per_s
        self.spread = figures.spread
        self._silence_s = _LATE_TIMES * self._experience.nearly_all_s()

    def _read_shares(self) -> None:
        """Copy what else has been learned."""
        experience = self._experience
        self.samples = experience.samples
        self.failure_share = experience.failures.value
        self.failing_s = experience.failing_s
        self.tokens_per_byte = experience.per_byte.value
        self.output_tokens = experience.output.value
        self.cached_share = experience.cached.value
        paid = experience.paid
        self.usd_pico_per_token = None if paid is None else paid.value

    # ---- what is in the way ----------------------------------------------------------------------

    def watch(self, now_s: float) -> None:
        """Read breakers and room anew; one of them has changed."""
        shared_s = max(self.breaker.blocked_until_s, self.around.blocked_until_s)
        is_clear = self.breaker.is_closed and self.around.is_closed
        best_s, is_best_closed = None, True
        for quota in self.quotas:
            is_closed = quota.breaker.is_closed and quota.key.breaker.is_closed
            quota.is_clear = is_clear and is_closed and not quota.has_room_told
            until_s = max(quota.blocked_until_s, quota.room_until_s(1.0, now_s))
            if best_s is None or until_s < best_s:
                best_s, is_best_closed = until_s, is_closed
        self.blocked_until_s = max(shared_s, best_s or 0.0)
        self.is_on_trial = not (is_clear and is_best_closed)

    def shift(self, by_s: float) -> None:
        """Move all moments; the clock was set."""
        self._starts = [start_s + by_s for start_s in self._starts]
        self._heard_s += by_s
        self.used_s += by_s
        self.answered_s += by_s
        self.breaker.shift(by_s)
        for quota in self.quotas:
            quota.shift(by_s)
        self._experience.shift(by_s)
