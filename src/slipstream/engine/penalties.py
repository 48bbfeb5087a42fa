"""Counts the tokens of a prompt and its answer, and lowers the logits of those that repeat."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from slipstream.engine.sampling import Sampling

_ROOM: Final = 256  # distinct tokens more than the prompt's; doubled when there are still more


class History:
    """The distinct tokens of one choice, with how often its answer holds each.

    Needed only where `Sampling.has_penalties`. The places [0, num_prompt) are the prompt's tokens.
    Other tokens of the answer follow in order of their first appearance: so `remove`, which takes
    back the newest, only ever drops the last place.
    """

    __slots__ = ("_counts", "_ids", "_num_prompt", "_places")

    def __init__(self, prompt_ids: Iterable[int]) -> None:
        self._places = {token_id: at for at, token_id in enumerate(dict.fromkeys(prompt_ids))}
        self._num_prompt = len(self._places)
        self._ids: npt.NDArray[np.intp] = np.array([*self._places, *([0] * _ROOM)], np.intp)
        self._counts: npt.NDArray[np.float32] = np.zeros(len(self._ids), np.float32)

    def add(self, token_ids: Iterable[int]) -> None:
        """Count tokens that were added to the answer."""
        for token_id in token_ids:
            place = self._places.setdefault(token_id, len(self._places))
            if place == len(self._ids):
                self._ids = np.concatenate((self._ids, np.zeros_like(self._ids)))
                self._counts = np.concatenate((self._counts, np.zeros_like(self._counts)))
            self._ids[place] = token_id
            self._counts[place] += 1

    def remove(self, token_ids: Sequence[int]) -> None:
        """Take back the answer's newest tokens, given in the order in which they were added."""
        for token_id in reversed(token_ids):
            place = self._places[token_id]
            self._counts[place] -= 1
            if self._counts[place] == 0 and place >= self._num_prompt:
                assert place == len(self._places) - 1, f"token {token_id} is not the newest"
                del self._places[token_id]

    def fork(self) -> "History":
        """Return a copy that counts on by itself."""
        copy = History(())
        copy._places, copy._num_prompt = dict(self._places), self._num_prompt
        copy._ids, copy._counts = self._ids.copy(), self._counts.copy()
        return copy

    def penalise(self, row: npt.NDArray[np.float32], sampling: Sampling) -> None:
        """Lower, or raise, the logits of the tokens counted here, in place."""
        ids = self._ids[: len(self._places)]
        counts = self._counts[: len(self._places)]
        logits = row[ids]
        if sampling.repetition_penalty != 1:
            factor = np.float32(sampling.repetition_penalty)
            logits = np.where(logits < 0, logits * factor, logits / factor)
        logits -= np.float32(sampling.frequency_penalty) * counts
        logits -= np.float32(sampling.presence_penalty) * (counts > 0)
        row[ids] = logits
