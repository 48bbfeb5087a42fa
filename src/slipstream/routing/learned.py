"""What the answers of a route are like at each of its targets: how long, and how much was cached.

Counted in answers, not in seconds: what people ask of a route does not change while nobody asks.
"""

from typing import Final

from slipstream.call import Usage

MAX_PAIRS: Final = 4096
"""Pairs of route and target that are remembered; the one unused for longest goes first."""

DEFAULT_OUTPUT_TOKENS: Final = 300  # of a first answer: a few paragraphs
_MEMORY: Final = 400  # answers after which a new one counts as one in so many
# Squared: within three standard errors the answers of a target are like those of its route. Lengths
# vary so much that the mean of a hundred is off by a tenth; taken at their word, such differences
# would send all requests to whoever happened to give short answers last.
_BELIEF: Final = 9.0
_HIT_SHARE: Final = 0.8  # of a warm prefix: providers cache whole blocks, and not on every machine


class Answers:
    """The means of what was answered; planners read the attributes as they are.

    Args:
        text_tokens: Of an answer, reasoning apart; whole ones, as cost is computed with integers.
        hit_share: Of the input that should be in the provider's cache, how much was.
        write_share: Of the other input, how much was billed as written to its cache.
    """

    __slots__ = (
        "_num",
        "_num_hits",
        "_reasoning",
        "_reasoning_square",
        "_text",
        "_text_square",
        "hit_share",
        "reasoning_tokens",
        "text_tokens",
        "write_share",
    )

    def __init__(self) -> None:
        self.text_tokens, self._text = DEFAULT_OUTPUT_TOKENS, float(DEFAULT_OUTPUT_TOKENS)
        self.reasoning_tokens, self._reasoning = 0, 0.0
        self.hit_share = _HIT_SHARE
        self.write_share = 0.0
        self._text_square = self._reasoning_square = 0.0
        self._num = self._num_hits = 0

    @property
    def num_answers(self) -> int:
        """How many of them count."""
        return self._num

    def note(self, usage: Usage, of_route: "Answers | None") -> None:
        """Count an answer in.

        Args:
            of_route: Those of all targets together, which stand in for what is not known here.
        """
        self._num = min(self._num + 1, _MEMORY)
        weight = 1 / self._num
        reasoning = usage.output_reasoning_tokens
        text = usage.total_output_tokens - reasoning
        self._text += weight * (text - self._text)
        self._text_square += weight * (text * text - self._text_square)
        self._reasoning += weight * (reasoning - self._reasoning)
        self._reasoning_square += weight * (reasoning * reasoning - self._reasoning_square)
        written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        if unread := usage.total_input_tokens - usage.cache_read_tokens:
            self.write_share += weight * (written / unread - self.write_share)
        if of_route is None:
            self.text_tokens, self.reasoning_tokens = round(self._text), round(self._reasoning)
            return
        other, num = of_route, self._num
        self.text_tokens = round(_believed(self._text, other._text, other._text_square, num))
        self.reasoning_tokens = round(
            _believed(self._reasoning, other._reasoning, other._reasoning_square, num)
        )

    def note_hit(self, share: float) -> None:
        """Count in how much of a prefix that should have been cached was read from the cache."""
        self._num_hits = min(self._num_hits + 1, _MEMORY)
        # The first guess counts as much as one observation.
        self.hit_share += (min(max(share, 0.0), 1.0) - self.hit_share) / (self._num_hits + 1)


class AnswerHistory:
    """The answers of all routes and targets, by their names."""

    def __init__(self) -> None:
        self._by_pair: dict[tuple[str, str], Answers] = {}

    def __len__(self) -> int:
        return len(self._by_pair)

    def answers(self, route: str, target: str) -> Answers:
        """Return those of a pair, or of the route, or what any answer is taken for.

        What is returned for a pair without answers is not the object that `note` will fill.
        """
        found = self._by_pair.get((route, target)) or self._by_pair.get((route, ""))
        return found or Answers()

    def note(self, route: str, target: str, usage: Usage) -> Answers:
        """Count a complete answer in; return the pair's answers."""
        of_route = self._touch(route, "")
        of_route.note(usage, None)
        own = self._touch(route, target)
        own.note(usage, of_route)
        return own

    def _touch(self, route: str, target: str) -> Answers:
        answers = self._by_pair.pop((route, target), None) or Answers()
        while len(self._by_pair) >= MAX_PAIRS:
            del self._by_pair[next(iter(self._by_pair))]
        self._by_pair[route, target] = answers
        return answers


def _believed(own: float, of_route: float, square_of_route: float, num: int) -> float:
    """Return a target's mean as far as it stands out of the noise, and its route's otherwise.

    Args:
        square_of_route: Mean of the squares of all the route's answers, for their variance.
        num: How many answers the target's own mean is of.
    """
    difference = own - of_route
    doubt = _BELIEF * max(square_of_route - of_route * of_route, 0.0) / num
    if difference * difference <= doubt:
        return of_route
    return of_route + difference * (1.0 - doubt / (difference * difference))
