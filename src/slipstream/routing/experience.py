"""Everything that one target's attempts have taught: times, failures, tokens, what was paid.

Samples weigh twice as much every half-life, which is the same as forgetting the older ones.
"""

from math import exp2
from typing import Final

from slipstream.call import Outcome, Usage
from slipstream.routing.estimates import Ratio
from slipstream.routing.measures import Figures, Measures

_PRIOR_FAILURES: Final = 0.02
_PRIOR_INPUT: Final = 500.0
_PRIOR_OUTPUT: Final = 200.0
_PRIOR_TOKENS_PER_BYTE: Final = 0.25
_PRIOR_FAILED_S: Final = 1.0
_RETRY_S: Final = 0.25  # what a failure costs beside its own time: back-off, an attempt spent
_MOST_FAILURES: Final = 0.95
_BYTES_OF_A_RATIO: Final = 20_000  # a longer body tells no more of the tokenizer
_LIKELY_LEAST: Final = 0.02  # tokens per byte: with less, most of the body is an image
_LIKELY_MOST: Final = 1.5  # with more, most of the tokens are of something else
_OUTLIER: Final = 8.0  # an answer that many times as long as usual counts as no longer
_MOST_DOUBLINGS: Final = 40.0  # of weights, before they are made small again
_NEARLY_ALL: Final = 0.95


class Experience:
    """What was learned of one target.

    Args:
        memory_s: Half-life.

    `num_passed` are successes of which nothing but their number was noted, since the last that was.
    """

    __slots__ = (
        "_failed_s",
        "_per_second",
        "_since_s",
        "_weight",
        "cached",
        "failing_s",
        "failures",
        "input",
        "learned_s",
        "measures",
        "num_passed",
        "output",
        "paid",
        "per_byte",
        "samples",
    )

    def __init__(self, memory_s: float) -> None:
        self.measures = Measures()
        self.failures = Ratio(_PRIOR_FAILURES, 2.0)
        self.per_byte = Ratio(_PRIOR_TOKENS_PER_BYTE, 2000.0)
        self.output = Ratio(_PRIOR_OUTPUT, 1.0)
        self.input = Ratio(_PRIOR_INPUT, 1.0)
        self.cached = Ratio(0.0, 1000.0)
        self.paid: Ratio | None = None
        self._failed_s = Ratio(_PRIOR_FAILED_S, 0.5)
        self._per_second = 1.0 / memory_s
        self._since_s: float | None = None
        self._weight = 1.0
        self.learned_s = 0.0
        self.samples = 0.0
        self.num_passed = 0
        self._cost_failures()

    def note_success(self, outcome: Outcome, load: float, now_s: float) -> bool:
        """Learn from a complete answer; return whether figures have changed."""
        weight = self._weigh(now_s)
        usage = outcome.usage
        num_input, num_output = usage.total_input_tokens, usage.total_output_tokens
        has_changed = self.measures.note_answer(outcome, num_input, num_output, load, weight)
        self.samples = self.measures.samples(weight)
        self.failures.add(0.0, 1.0 + self.num_passed, weight)
        self.num_passed = 0
        self._cost_failures()
        self.input.add(num_input, 1.0, weight)
        usual = self.output.value
        self.output.add(min(num_output, _OUTLIER * max(usual, 50.0)), 1.0, weight)
        if not usage.is_estimate:
            self._note_usage(outcome, usage, num_input, num_output, weight)
        return has_changed

    def note_failure(self, total_s: float, now_s: float) -> None:
        """Learn from a failure."""
        weight = self._weigh(now_s)
        self.failures.add(1.0, 1.0, weight)
        if total_s >= 0.0:
            self._failed_s.add(min(total_s, 3600.0), 1.0, weight)
        self._cost_failures()

    def note_left(self, outcome: Outcome, load: float, now_s: float) -> bool:
        """Learn from an attempt that was left unfinished; return whether figures have changed."""
        weight = self._weigh(now_s)
        first_s = outcome.first_token_s
        if first_s is None:
            has_changed = self.measures.note_unanswered(outcome.total_s, load, weight)
        else:
            num_input = outcome.usage.total_input_tokens
            has_changed = self.measures.note_beginning(first_s, num_input, load, weight)
        self.samples = self.measures.samples(weight)
        return has_changed

    def figures(self) -> Figures:
        """Return what is expected of times."""
        return self.measures.figures(self._weight)

    def nearly_all_s(self) -> float:
        """Return the time in which nearly all answers have come to their end, about."""
        return self.measures.nearly_all_s(self.output.value)

    def samples_at(self, now_s: float) -> float:
        """Return what the samples are worth at a later moment."""
        age_s = max(now_s - self.learned_s, 0.0)
        return self.samples * exp2(-min(age_s * self._per_second, 1000.0))

    def shift(self, by_s: float) -> None:
        """Move all moments; the clock was set."""
        self.learned_s += by_s
        if self._since_s is not None:
            self._since_s += by_s

    def _weigh(self, now_s: float) -> float:
        """Return what a sample of now weighs."""
        since_s = self._since_s
        if since_s is None:
            self._since_s = since_s = now_s
        self.learned_s = now_s
        doublings = (now_s - since_s) * self._per_second
        if doublings > _MOST_DOUBLINGS:
            self._rebase(exp2(min(doublings, 1000.0)))
            self._since_s, doublings = now_s, 0.0
        self._weight = weight = exp2(max(doublings, -_MOST_DOUBLINGS))
        return weight

    def _rebase(self, weight: float) -> None:
        self.measures.rebase(weight)
        ratios = [self.failures, self.per_byte, self.input, self.output, self.cached]
        ratios.append(self._failed_s)
        for ratio in ratios if self.paid is None else [*ratios, self.paid]:
            ratio.rebase(weight)

    def _note_usage(
        self, outcome: Outcome, usage: Usage, num_input: int, num_output: int, weight: float
    ) -> None:
        """Learn from what the provider itself has counted."""
        num_bytes = outcome.body_bytes
        if num_bytes > 0:
            per_byte = num_input / num_bytes
            if _LIKELY_LEAST <= per_byte <= _LIKELY_MOST:
                part = min(num_bytes, _BYTES_OF_A_RATIO)
                self.per_byte.add(per_byte * part, part, weight)
        if num_input > 0:
            self.cached.add(usage.cache_read_tokens, num_input, weight)
        cost, num_tokens = outcome.cost_usd_pico, num_input + num_output
        if cost is None or num_tokens <= 0:
            return
        if self.paid is None:
            self.paid = Ratio(cost / num_tokens, 1.0)
        self.paid.add(cost, num_tokens, weight)

    def _cost_failures(self) -> None:
        """Say what failures cost: until one succeeds, p/(1-p) of them on average."""
        share = min(self.failures.value, _MOST_FAILURES)
        self.failing_s = share / (1.0 - share) * (self._failed_s.value + _RETRY_S)
