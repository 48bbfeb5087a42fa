"""Guesses what an answer says next: from predicted text, a grammar, or what was said before.

    predicted   a  b  c  d  e  f  g          the answer departs behind c, and is back at f, g:
    answer      a  b  c  x  y  f  g ▸        anchor = 3, 4 tokens lost, then cursor = 7, run = 2

A source points at the token that it expects, and says by how many tokens in front of it (`run`)
the answer agrees there. How often such a source was right is learnt from every token of the
answer, guessed or not: so nothing has to be tried out at a price.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import mul
from typing import Final, Literal, NamedTuple

from slipstream.engine.lookup import Lookup, num_agreeing

Source = Literal["prediction", "lookup", "grammar", "padding"]

_TRUSTED: Final = 4  # tokens of agreement; with fewer a better place is looked for
_NEAR: Final = 6  # tokens behind the anchor where a single token is a sign
_PLACES: Final = 8  # looked at on either side of the anchor, where many read alike
_LONG_EDIT: Final = 8  # tokens; a longer one may go on anywhere and does not come again

# How likely the next token is right where 0, 1, 2-3, 4-7, 8-15, 16-31, more tokens agree. An
# answer is expected to begin like its prediction: with 4.
_PREDICTED_ODDS: Final = (0.2, 0.3, 0.6, 0.9, 0.94, 0.96, 0.98)
_LOOKED_UP_ODDS: Final = (0.0, 0.08, 0.35, 0.7, 0.85, 0.93, 0.97)
_SURE_ODDS: Final = (0.9,) * 7  # by how many tokens of the same guess were right
_PRIOR_WEIGHT: Final = 1.0  # in tokens
_MEMORY: Final = 0.93  # of what was seen, at each further token
_LEAST_ODDS: Final = 0.05  # less is no guess
_HORIZON: Final = 16  # tokens by which sources are compared
_FARTHEST: Final = 32  # tokens of agreement; more tell no more
_LEVELS: Final = bytes(min(run.bit_length(), 6) for run in range(_FARTHEST + 64))  # of the odds


class Guess(NamedTuple):
    """Tokens that may come next, one at least, and who says so."""

    tokens: tuple[int, ...]
    source: Source


class Drafter:
    """Guesses for one choice, and the account of them.

    Args:
        prompt_ids: What the answer follows.
        predicted: What it may look like; empty where nobody said.
    """

    __slots__ = ("_last", "_lookup", "_num_sure", "_prediction", "_sure", "accepted", "rejected")

    def __init__(self, prompt_ids: Sequence[int], predicted: Sequence[int]) -> None:
        self._last = prompt_ids[-1] if prompt_ids else 0
        self._prediction = _Voice("prediction", _Alignment(predicted), _PREDICTED_ODDS)
        self._lookup = _Voice("lookup", Lookup(prompt_ids), _LOOKED_UP_ODDS)
        self._begin()

    def _begin(self) -> None:
        self._sure = _Odds(_SURE_ODDS)
        self._num_sure = 0
        self.accepted: Counter[str] = Counter()  # tokens by source
        self.rejected: Counter[str] = Counter()  # computed in vain; padding is no claim

    def outlook(self, most: int) -> list[float]:
        """Return how likely the first, the first two, ... guessed tokens are all right.

        What a grammar will say is not known before; it is expected to say as much as last time.
        """
        chances = self._guess(most).chances
        if self._num_sure > len(chances):
            return self._sure.chances(0, min(self._num_sure, most))
        return chances

    def propose(self, most: int, sure: Sequence[int] = ()) -> Guess:
        """Guess at most `most` tokens, but one at least; may be asked again before `add`.

        Args:
            sure: What the request's grammar says comes next.
        """
        most = max(most, 1)
        self._num_sure = len(sure)
        sure = tuple(sure[:most])
        guess = self._guess(most).guess
        if sure and not (len(guess.tokens) > len(sure) and guess.tokens[: len(sure)] == sure):
            return Guess(sure, "grammar")
        return guess

    def settle(self, guess: Guess, num_computed: int, num_accepted: int) -> None:
        """Account for a guess, of which so many tokens were computed and so many were right."""
        assert 0 <= num_accepted <= num_computed <= len(guess.tokens), "computed, then accepted"
        self.accepted[guess.source] += num_accepted
        if guess.source != "padding":
            self.rejected[guess.source] += num_computed - num_accepted
        if guess.source == "grammar":
            for number in range(min(num_accepted + 1, num_computed)):
                self._sure.note(number, number < num_accepted)

    def add(self, token_ids: Iterable[int]) -> None:
        """Go on by tokens that were appended to the answer, wherever they came from."""
        for token_id in token_ids:
            self._prediction.add(token_id)
            self._lookup.add(token_id)
            self._last = token_id

    def fork(self) -> "Drafter":
        """Return one for another answer to the same prompt; none was begun."""
        other = Drafter.__new__(Drafter)
        other._last = self._last
        other._prediction, other._lookup = self._prediction.fork(), self._lookup.fork()
        other._begin()
        return other

    def _guess(self, most: int) -> "_Offer":
        """Choose what promises more; where both say the same it is the prediction's merit."""
        predicted, looked_up = self._prediction.offer(most), self._lookup.offer(most)
        if not (predicted.chances or looked_up.chances):
            return _Offer(Guess((self._last,), "padding"), [])
        if predicted.promise >= looked_up.promise:
            return predicted
        tokens = predicted.guess.tokens
        is_same = predicted.chances and looked_up.guess.tokens[: len(tokens)] == tokens
        return predicted if is_same else looked_up


class _Offer(NamedTuple):
    """A guess, and how likely its first token, its first two, ... are all right."""

    guess: Guess
    chances: list[float]

    @property
    def promise(self) -> float:
        """How many of its next tokens are to be hoped for."""
        return sum(self.chances[:_HORIZON])


class _Voice:
    """A source, and how far it is to be believed."""

    __slots__ = ("_odds", "_priors", "_source", "_text")

    def __init__(
        self, source: Source, text: "Lookup | _Alignment", priors: tuple[float, ...]
    ) -> None:
        self._source, self._text, self._priors = source, text, priors
        self._odds = _Odds(priors)

    def fork(self) -> "_Voice":
        """Return the same for another answer; none was begun."""
        return _Voice(self._source, self._text.fork(), self._priors)

    def add(self, token_id: int) -> None:
        """Learn from the answer's next token and go on by it."""
        expected = self._text.expected
        if expected is not None:
            self._odds.note(self._text.run, expected == token_id)
        self._text.add(token_id)

    def offer(self, most: int) -> _Offer:
        """Return what it says next."""
        tokens = self._text.ahead(most)
        return _Offer(Guess(tokens, self._source), self._odds.chances(self._text.run, len(tokens)))


class _Odds:
    """How often tokens were right lately, by how many tokens agreed in front of them."""

    __slots__ = ("_hits", "_misses", "_odds", "_priors")

    def __init__(self, priors: tuple[float, ...]) -> None:
        self._priors = priors
        self._odds = list(priors)
        self._hits = [0.0] * len(priors)
        self._misses = [0.0] * len(priors)

    def note(self, run: int, is_right: bool) -> None:
        """Learn from a token behind `run` that agreed."""
        at = _LEVELS[min(run, _FARTHEST)]
        hits = self._hits[at] = self._hits[at] * _MEMORY + is_right
        misses = self._misses[at] = self._misses[at] * _MEMORY + (not is_right)
        prior = self._priors[at] * _PRIOR_WEIGHT
        self._odds[at] = (hits + prior) / (hits + misses + _PRIOR_WEIGHT)

    def chances(self, run: int, num_tokens: int) -> list[float]:
        """Return how likely the next token, the next two, ... are right; none if hardly one is."""
        levels = _LEVELS[min(run, _FARTHEST) :][:num_tokens]
        if not levels or self._odds[levels[0]] < _LEAST_ODDS:
            return []
        return list(accumulate([self._odds[level] for level in levels], mul))


class _Alignment:
    """Predicted text, and where in it the answer stands."""

    __slots__ = ("_anchor", "_answer", "_cursor", "_edit", "_num_lost", "_places", "_predicted",
                 "run")  # fmt: skip

    def __init__(self, predicted: Sequence[int]) -> None:
        self._predicted = tuple(predicted)
        self._places: dict[tuple[int, int], list[int]] = {}  # pair of tokens: ends, ascending
        pairs = zip(self._predicted, self._predicted[1:], strict=False)
        for end, pair in enumerate(pairs, 2):
            self._places.setdefault(pair, []).append(end)
        self._begin()

    def _begin(self) -> None:
        self._answer: list[int] = []
        self._cursor = 0  # at the end where the place is not known
        self.run = _TRUSTED
        self._anchor = 0  # where the answer departed
        self._num_lost = 0  # tokens of the answer since then
        self._edit = 1, 1  # the latest departure took so many tokens of answer and prediction

    @property
    def expected(self) -> int | None:
        """The token at the cursor."""
        return self._predicted[self._cursor] if self._cursor < len(self._predicted) else None

    def ahead(self, most: int) -> tuple[int, ...]:
        """Return the tokens from the cursor on."""
        return self._predicted[self._cursor : self._cursor + most]

    def add(self, token_id: int) -> None:
        """Go on by the answer's next token: along the prediction, away from it or back to it."""
        if not self._predicted:
            return
        self._answer.append(token_id)
        if self.expected == token_id:
            self._cursor += 1
            self.run += 1
        else:
            if self.run >= _TRUSTED:
                self._anchor, self._num_lost = self._cursor, 0
            self._cursor, self.run = len(self._predicted), 0
        if self.run < _TRUSTED or self._num_lost:
            self._num_lost += 1
        if self.run < _TRUSTED:
            self._realign()
        if self.run >= _TRUSTED and self._num_lost:
            self._return()

    def fork(self) -> "_Alignment":
        """Return the same for another answer; none was begun."""
        assert not self._answer, "nothing was answered"
        other = _Alignment.__new__(_Alignment)
        other._predicted, other._places = self._predicted, self._places
        other._begin()
        return other

    def _realign(self) -> None:
        """Point to where most of the answer's newest tokens stand, if that is better than here."""
        length, place = max(map(self._rate, self._candidates()), default=(0, 0, 0))[::2]
        if length > self.run:
            self._cursor, self.run = place, length
        if self.run:
            return
        num_near = min(self._num_lost, _LONG_EDIT) + _NEAR
        near = self._predicted[self._anchor : self._anchor + num_near]
        num_written, num_skipped = self._edit
        if self._answer[-1] in near:
            self._cursor, self.run = self._anchor + near.index(self._answer[-1]) + 1, 1
        elif self._num_lost == num_written:  # no sign yet: it may be an edit like the one before
            self._cursor = self._anchor + num_skipped

    def _candidates(self) -> list[int]:
        """Places behind the answer's newest two tokens, those around the anchor."""
        if len(self._answer) < 2:
            return []
        places = self._places.get((self._answer[-2], self._answer[-1]), [])
        middle = bisect_left(places, self._anchor)
        return places[max(middle - _PLACES, 0) : middle + _PLACES]

    def _rate(self, place: int) -> tuple[int, int, int]:
        """The longer agreement goes first, then what lies behind the anchor, then the nearest."""
        length = num_agreeing(self._predicted, place, self._answer)
        distance = place - self._anchor
        size = len(self._predicted)
        return length, -distance if distance >= 0 else distance - size, place

    def _return(self) -> None:
        """Remember the shape of a departure: the next may well be alike."""
        num_written = self._num_lost - self.run
        num_skipped = self._cursor - self.run - self._anchor
        if 0 < num_written <= _LONG_EDIT and 0 <= num_skipped <= _LONG_EDIT:
            self._edit = num_written, num_skipped
        self._num_lost = 0
