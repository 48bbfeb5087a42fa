"""A runner that computes nothing: the next token is a fixed function of the tokens before it.

It keeps a cache of its own in the blocks that it is told to use, and reads every earlier token
from there, so that a block given to two sequences, freed too early or never filled is noticed.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Items

import numpy as np

from slipstream.engine.blocks import BLOCK_TOKENS
from slipstream.engine.runner import Logits
from slipstream.engine.sequence import Chunk, Step

VOCABULARY = 64


def next_token(tokens: Items[int]) -> int:
    """Return the token that follows, by arithmetic that depends on all of them and their order."""
    value = 7
    for token in tokens:
        value = (value * 31 + token + 1) % 1_000_003
    return value % VOCABULARY


class ScriptedRunner:
    """Remembers tokens by block; its logits single out `next_token`."""

    def __init__(self, num_blocks: int) -> None:
        self._cache = np.full((num_blocks, BLOCK_TOKENS), -1)
        self._logits: Logits | None = None
        self.steps: list[Step] = []

    def start(self, step: Step) -> None:
        """Begin a step as `Runner.start` promises; it is done at once."""
        assert self._logits is None, "the step before is finished first"
        self.steps.append(step)
        for source, target in step.copies:
            self._cache[target] = self._cache[source]
        for chunk in step.chunks:
            blocks = chunk.sequence.block_ids
            for position, token in enumerate(chunk.token_ids, chunk.start):
                self._cache[blocks[position // BLOCK_TOKENS], position % BLOCK_TOKENS] = token
        rows = [row for chunk in step.chunks for row in self._rows(chunk)]
        self._logits = np.array(rows, np.float32).reshape(len(rows), VOCABULARY)

    def finish(self) -> Logits:
        """Return the wanted logits as `Runner.finish` promises."""
        logits, self._logits = self._logits, None
        assert logits is not None, "a step was started"
        return logits

    def _rows(self, chunk: Chunk) -> Iterator[Logits]:
        sequence, end = chunk.sequence, chunk.start + chunk.num_tokens
        seen = self._cache[sequence.block_ids].reshape(-1)[:end].tolist()
        known = sequence.token_ids[: chunk.end] + list(chunk.guesses)
        assert seen == known, "the cache holds another's tokens"
        for length in range(end - chunk.num_wanted + 1, end + 1):
            row = np.zeros(VOCABULARY, np.float32)
            row[next_token(seen[:length])] = 9.0
            yield row
