"""How long steps should be: what they cost by their rows, against what guesses promise.

Pure: no clock, no model. A row that is worth nothing is carried only where it costs nothing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import truediv
from typing import Final

from slipstream.engine.drafts import Drafter

_MOST_GUESSES: Final = 63  # of one sequence: with its newest token as many rows as are measured
_MOST_TOGETHER: Final = 128  # of all: their neighbours wait for them
_LEAST_EACH: Final = 4

_STRETCH: Final = 1.9  # of a step in which a prompt is read beside answers: 3 is noticed
_LEAST_BESIDE: Final = 4  # prompt tokens of such a step
_WEIGHT_NEW: Final = 0.2  # of the newest step in what steps took lately

_MOST_STRANGE: Final = 2.0  # a step that took longer, by this factor, says no more than that
_WEIGHT_ALL: Final = 0.03  # of a step, in all points: a slower machine is slower everywhere
_WEIGHT_HERE: Final = 0.01  # in the points next to it besides
_FARTHEST: Final = 2  # times the last point: longer steps read prompts, which cost otherwise


class StepCosts:
    """Seconds of a step by its rows: straight lines between points, never falling.

    Args:
        points: (rows, seconds), measured; one at least.
    """

    __slots__ = ("_rows", "_seconds")

    def __init__(self, points: Iterable[tuple[int, float]]) -> None:
        measured = dict(sorted(points))
        assert measured, "one point at least"
        assert min(measured) > 0, "a step has rows"
        assert min(measured.values()) > 0, "a step takes time"
        self._rows = list(measured)
        self._seconds = list(accumulate(measured.values(), max))

    def seconds(self, rows: int) -> float:
        """Return what a step of so many rows takes."""
        return self.span(rows, rows)[0]

    def span(self, first: int, last: int) -> list[float]:
        """Return what steps of first, first + 1, ... last rows take."""
        costs: list[float] = []
        rows = first
        while rows <= last:
            left = bisect_right(self._rows, rows) - 1
            is_inside = left + 1 < len(self._rows)
            end = min(last + 1, self._rows[left + 1]) if is_inside else last + 1
            base, slope = self._line(left)
            costs += [base + slope * number for number in range(rows, end)]
            rows = end
        return costs

    def note(self, rows: int, seconds: float) -> None:
        """Learn a little from a step; one that was held up teaches hardly more."""
        if seconds <= 0 or not 0 < rows <= self._rows[-1] * _FARTHEST:
            return
        ratio = seconds / self.seconds(rows)
        change = min(max(ratio, 1 / _MOST_STRANGE), _MOST_STRANGE) - 1
        left = max(bisect_right(self._rows, rows) - 1, 0)
        right = min(left + 1, len(self._rows) - 1)
        width = self._rows[right] - self._rows[left]
        share = min(max((rows - self._rows[left]) / width, 0), 1) if width else 0
        self._seconds = [cost * (1 + _WEIGHT_ALL * change) for cost in self._seconds]
        self._seconds[left] *= 1 + _WEIGHT_HERE * (1 - share) * change
        self._seconds[right] *= 1 + _WEIGHT_HERE * share * change
        self._straighten(right if share > 0.5 else left)

    def _line(self, left: int) -> tuple[float, float]:
        """Return base and slope of the line that begins at a point; -1 lies before the first."""
        if left < 0 or len(self._rows) == 1:
            return self._seconds[0], 0.0
        left = min(left, len(self._rows) - 2)
        (start, end), (low, high) = self._rows[left : left + 2], self._seconds[left : left + 2]
        slope = (high - low) / (end - start)
        return low - slope * start, slope

    def _straighten(self, at: int) -> None:
        """Let no point cost less than one of fewer rows; `at` stays as it is."""
        below = accumulate(reversed(self._seconds[: at + 1]), min)
        above = accumulate(self._seconds[at:], max)
        self._seconds = [*reversed(list(below)), *list(above)[1:]]


def lengths(
    costs: StepCosts, drafters: Sequence[Drafter], leasts: Sequence[int], num_others: int
) -> list[int]:
    """Return how many guesses each may carry, so that the batch gets most tokens in a second.

    The cost depends on all rows together, so these are best filled with the likeliest guesses of
    all; what is left to choose is how many.

    Args:
        drafters: Of sequences that may be guessed.
        leasts: Guesses that each carries anyway: 1 where the sequence is exact, else 0.
        num_others: Sequences in the same step that carry one row each.
    """
    if not drafters:
        return []
    num, num_others = len(drafters), max(num_others, 0)
    each = min(max(_MOST_TOGETHER // num, _LEAST_EACH), _MOST_GUESSES)
    outlooks = [drafter.outlook(each) for drafter in drafters]
    wanted = list(zip(outlooks, leasts, strict=True))
    likeliest = sorted(
        [(chance, at) for at, (chances, least) in enumerate(wanted) for chance in chances[least:]],
        reverse=True,
    )
    sure = num_others + num + sum([sum(chances[:least]) for chances, least in wanted])
    expected = accumulate([chance for chance, _ in likeliest], initial=sure)
    num_rows = num_others + num + sum(leasts)
    seconds = costs.span(num_rows, num_rows + len(likeliest))
    rates = list(map(truediv, expected, seconds))  # tokens per second, by guesses beyond the least
    num_chosen = rates.index(max(rates))
    chosen = list(leasts)
    for _, at in likeliest[:num_chosen]:
        chosen[at] += 1
    return chosen


class PromptPace:
    """How much of prompts is read beside running answers, so that these hardly stutter.

    What a piece costs grows with the text in front of it, which no curve of rows knows: so it is
    steered by what the last such step took, beside what steps without prompts took lately.
    """

    __slots__ = ("_costs", "_held", "_slowness")

    def __init__(self, costs: StepCosts) -> None:
        self._costs = costs
        self._held: int | None = None  # tokens; None: nothing was read beside answers lately
        self._slowness = 1.0  # of steps without prompts lately, against the curve

    def num_tokens(self, num_answers: int) -> int:
        """Return how many prompt tokens a step with so many answers may read."""
        return self._most(num_answers) if self._held is None else self._held

    def note(self, num_answer_rows: int, num_tokens: int, seconds: float) -> None:
        """Learn from a step that computed so many rows of answers and tokens of prompts."""
        if num_answer_rows == 0:
            return
        slowness = seconds / self._costs.seconds(num_answer_rows)
        if num_tokens == 0:
            self._held = None
            self._slowness += _WEIGHT_NEW * (min(slowness, _MOST_STRANGE) - self._slowness)
            return
        room = _STRETCH * self._slowness / slowness
        held = num_tokens * room if room < 1 else num_tokens + 1
        self._held = min(max(int(held), _LEAST_BESIDE), self._most(num_answer_rows))

    def _most(self, num_answers: int) -> int:
        """Return what the curve of rows allows, as for a prompt's beginning."""
        most_s = _STRETCH * self._costs.seconds(max(num_answers, 1))
        costs = self._costs.span(num_answers, num_answers + _MOST_TOGETHER)
        return max(bisect_right(costs, most_s) - 1, _LEAST_BESIDE)
