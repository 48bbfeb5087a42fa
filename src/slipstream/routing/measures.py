"""The times of one target, learned from its attempts: to the first token, and for each token after.

Theory of operation

    told bit by bit     first token │ token, token, token …   ──▶ `first`, `pace`
    told at once        the whole answer                      ──▶ `whole`, by its length
    left unanswered     longer than so much                   ──▶ spread over what is longer

Both kinds come to one set of `Figures`: a time before the first token, which may grow with the
input and with how many attempts are in flight, and a time for each token, which may grow likewise.

Rules
 1. What the consumer held up is taken out; where that is much of it, the pace learns nothing.
 2. Only a complete answer with output tells the pace.
 3. How many were in flight counts as it was when the attempt began.
"""

from typing import Final

import msgspec

from slipstream.call import Outcome
from slipstream.routing.estimates import Gauge
from slipstream.routing.histogram import Histogram

# Before anything is known: a middling provider's, so that a new target is neither first nor last.
_PRIOR_FIRST_S: Final = 0.6
_PRIOR_TOKEN_S: Final = 1.0 / 60.0
_KILO: Final = 0.001  # input is counted in thousands of tokens, so that sums are of one size

_LEAST_REST_S: Final = 0.002
_LEAST_REST: Final = 0.02  # less of the time than this after the first token: told at once
_MOST_HELD: Final = 0.2  # of the time in which tokens came
_TOKENS_OF_A_PACE: Final = 16.0  # a shorter answer tells less of the pace
_NEARLY_ALL: Final = 0.95
_MANY: Final = 3.0  # times the usual length of an answer
_PATIENCE_S: Final = 30.0
_WORTH_OF_WHOLE: Final = 0.25  # one answer told at once, against one that shows where its time went


class Figures(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an attempt takes: see Lane, whose attributes these become."""

    first_base_s: float = _PRIOR_FIRST_S
    first_input_s: float = 0.0
    first_load_s: float = 0.0
    first_token_s: float = _PRIOR_FIRST_S
    token_s: float = _PRIOR_TOKEN_S
    token_load_s: float = 0.0
    tokens_per_s: float = 1.0 / _PRIOR_TOKEN_S
    spread: float = 0.5


class Measures:
    """What attempts of one target took; weights are as those of Gauge."""

    __slots__ = ("_first", "_pace", "_whole")

    def __init__(self) -> None:
        self._first = Gauge(_PRIOR_FIRST_S, units=(0.5, 1.0), times=Histogram())
        self._pace = Gauge(_PRIOR_TOKEN_S)
        self._whole = Gauge(
            _PRIOR_FIRST_S, units=(100.0, 1.0), lean=_PRIOR_TOKEN_S, times=Histogram()
        )

    def note_answer(
        self, outcome: Outcome, num_input: int, num_output: int, load: float, weight: float
    ) -> bool:
        """Learn from a complete answer; return whether the figures have changed."""
        end_s, first_s = outcome.total_s, outcome.first_token_s
        assert first_s is not None, "an answer that said nothing is a failure"
        told_s = end_s - first_s
        rest_s = told_s - outcome.held_s
        if num_output < 2 or told_s < _LEAST_REST_S or told_s < _LEAST_REST * end_s:
            return self._whole.add(end_s - outcome.held_s, float(num_output), load, weight)
        has_changed = self._first.add(first_s, num_input * _KILO, load, weight)
        if outcome.held_s <= _MOST_HELD * told_s:
            worth = min(num_output / _TOKENS_OF_A_PACE, 1.0)
            has_changed |= self._pace.add(rest_s / (num_output - 1), 0.0, load, weight * worth)
        return has_changed

    def note_beginning(self, first_s: float, num_input: int, load: float, weight: float) -> bool:
        """Learn from an answer that was left after its first token."""
        return self._first.add(first_s, num_input * _KILO, load, weight)

    def note_unanswered(self, waited_s: float, load: float, weight: float) -> bool:
        """Learn from an attempt that was left before it said anything."""
        return self._mostly().add_longer_than(waited_s, load, weight)

    def samples(self, weight: float) -> float:
        """Return how many samples of now all that is known is worth."""
        return self._first.samples(weight) + self._whole.samples(weight)

    def figures(self, weight: float) -> Figures:
        """Return what is expected."""
        first, pace, whole = self._first, self._pace, self._whole
        num_whole = whole.samples(weight) * _WORTH_OF_WHOLE
        by_first = _share(first.samples(weight), num_whole)
        by_pace = _share(pace.samples(weight), num_whole)
        token_s = by_pace * pace.base + (1.0 - by_pace) * whole.slope1
        mean_token_s = by_pace * pace.mean + (1.0 - by_pace) * whole.slope1
        whole_first_s = whole.base  # its slope takes the tokens off
        return Figures(
            first_base_s=by_first * first.base + (1.0 - by_first) * whole_first_s,
            first_input_s=by_first * first.slope1 * _KILO,
            first_load_s=by_first * first.slope2 + (1.0 - by_first) * whole.slope2,
            first_token_s=by_first * first.mean + (1.0 - by_first) * whole_first_s,
            token_s=token_s,
            token_load_s=by_pace * pace.slope2,
            tokens_per_s=1.0 / max(mean_token_s, 1e-6),
            spread=by_first * first.spread + (1.0 - by_first) * whole.spread,
        )

    def beyond_mean_s(self, share: float, *, is_stream: bool) -> float | None:
        """Return how far the quantile of a share lies above the mean; None: nothing is known.

        Of a stream it is that of first tokens, of a plain answer that of its end.
        """
        gauge = self._mostly() if is_stream else self._whole
        quantile_s = _quantile(gauge, share)
        return None if quantile_s is None else quantile_s - gauge.mean

    def observed_first_s(self, share: float) -> float | None:
        """Return the quantile of first signs; None: nothing is known."""
        return _quantile(self._mostly(), share)

    def nearly_all_s(self, output_tokens: float) -> float:
        """Return in what time nearly all answers have come to their end; long, if nobody knows."""
        ends_s = [_PATIENCE_S]
        first_s = _quantile(self._first, _NEARLY_ALL)
        if first_s is not None:
            ends_s = [first_s + self._pace.mean * _MANY * output_tokens]
        whole_s = _quantile(self._whole, _NEARLY_ALL)
        if whole_s is not None:
            ends_s.append(whole_s)
        return max(ends_s)

    def rebase(self, weight: float) -> None:
        """Let a sample of now weigh 1 from here on."""
        for gauge in (self._first, self._pace, self._whole):
            gauge.rebase(weight)

    def _mostly(self) -> Gauge:
        """Return the gauge of first signs: some providers tell every answer at once."""
        first, whole = self._first, self._whole
        return whole if first.samples(1.0) < _WORTH_OF_WHOLE * whole.samples(1.0) else first


def _share(samples: float, num_others: float) -> float:
    """Return the part that samples have in all; all of it where there is nothing at all."""
    return samples / (samples + num_others) if samples + num_others > 0.0 else 1.0


def _quantile(gauge: Gauge, share: float) -> float | None:
    return None if gauge.times is None else gauge.times.quantile(share)
