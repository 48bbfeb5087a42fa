"""A runner that computes nothing: the next token is a fixed function of the tokens before it.

It keeps a cache of its own in the blocks that it is told to use, and reads every earlier token
from there, so that a block given to two sequences, freed too early or never filled is noticed.
"""

from collections.abc import Sequence as Items

import numpy as np

from slipstream.engine.blocks import BLOCK_TOKENS
from slipstream.engine.runner import Logits
from slipstream.engine.sequence import Step

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
        self.steps: list[Step] = []

    def run(self, step: Step) -> Logits:
        """Compute a step as `Runner.run` promises."""
        self.steps.append(step)
        rows = []
        for chunk in step.chunks:
            blocks = chunk.sequence.block_ids
            for position in range(chunk.start, chunk.end):
                token = chunk.sequence.token_ids[position]
                self._cache[blocks[position // BLOCK_TOKENS], position % BLOCK_TOKENS] = token
            seen = self._cache[blocks].reshape(-1)[: chunk.end].tolist()
            assert seen == chunk.sequence.token_ids[: chunk.end], "the cache holds another's tokens"
            for end in range(chunk.end - chunk.num_wanted + 1, chunk.end + 1):
                row = np.zeros(VOCABULARY, np.float32)
                row[next_token(seen[:end])] = 9.0
                rows.append(row)
        return np.array(rows, np.float32).reshape(len(rows), VOCABULARY)
