"""Where the newest tokens of a text stood before in it: what followed then may follow again.

Constant work per token: a table from each run of one to three tokens to what followed it latest.
"""

from collections.abc import Iterable, Sequence
from typing import Final

_SIZES: Final = (3, 2, 1)  # tokens of a run, the strongest sign first
_TRUSTED: Final = _SIZES[0]  # a place that agrees so far is left only where it departs
_LONGEST: Final = 8  # an agreement is not measured beyond

_Places = dict[tuple[int, ...], int]


class Lookup:
    """Prompt and answer of one choice, and the earlier place in it that reads like its end.

    `run` tells how many tokens before that place equal the newest ones; 0 where there is none.
    """

    __slots__ = ("_at", "_old", "_own", "_text", "run")

    def __init__(self, prompt_ids: Sequence[int]) -> None:
        self._text = list(prompt_ids)
        self._old: _Places = {}  # of the prompt; shared among its answers and never changed
        for size in _SIZES:
            runs = zip(*(self._text[start:] for start in range(size)), strict=False)
            self._old.update(zip(runs, range(size, len(self._text)), strict=False))
        self._own: _Places = {}
        self._at = self.run = 0
        self._arrive()

    @property
    def expected(self) -> int | None:
        """The token that followed last time."""
        return self._text[self._at] if self.run else None

    def ahead(self, most: int) -> tuple[int, ...]:
        """Return the tokens that followed; one that runs into the text's end goes round."""
        if not self.run:
            return ()
        tokens = self._text[self._at : self._at + most]
        while len(tokens) < most:
            tokens += tokens[: most - len(tokens)]
        return tuple(tokens)

    def add(self, token_id: int) -> None:
        """Go on by the answer's next token."""
        if self.run and self._text[self._at] == token_id:
            self._at += 1
            self.run += 1
        else:
            self.run = 0
        self._text.append(token_id)
        self._arrive()

    def fork(self) -> "Lookup":
        """Return the same for another answer to the prompt; none was begun."""
        other = Lookup(())
        other._text, other._old, other._own = list(self._text), self._old, dict(self._own)
        other._at, other.run = self._at, self.run
        return other

    def _arrive(self) -> None:
        """Look for the text's end where the present place is weaker; then note it."""
        end = len(self._text)
        runs = [tuple(self._text[-size:]) for size in _SIZES if size <= end]
        if self.run < _TRUSTED:
            self._find(runs)
        self._own.update(dict.fromkeys(runs, end))

    def _find(self, runs: Iterable[tuple[int, ...]]) -> None:
        for run in runs:
            if len(run) <= self.run:
                return
            at = self._own.get(run) or self._old.get(run)
            if at is not None:
                self._at, self.run = at, num_agreeing(self._text, at, self._text)
                return


def num_agreeing(text: Sequence[int], end: int, tail: Sequence[int]) -> int:
    """Return how many tokens of text[:end] equal those that `tail` ends with, eight at most."""
    most = min(end, len(tail), _LONGEST)
    for num in range(most):
        if text[end - 1 - num] != tail[-1 - num]:
            return num
    return most
