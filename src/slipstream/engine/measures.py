"""What a runner is found to be when it is loaded: the cost of its steps, and whether bits hold.

One piece of a text is computed at lengths from 64 rows to one, always ending at the same token:
the times are the curve by which guesses are paid, and the last row must come out the same in
every bit wherever a piece has two tokens or more.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from slipstream.engine.blocks import blocks_for
from slipstream.engine.runner import Logits, PagedRunner
from slipstream.engine.sequence import LEAST_PIECE, Chunk, Sequence, Step
from slipstream.engine.settings import EngineSettings

_ROWS: Final = (1, 2, 4, 8, 16, 32, 64)
_LAST: Final = _ROWS[-1]
_REPEATED: Final = 8  # longer pieces are timed once: they take long, and noise matters less
_NEIGHBOUR: Final = 5  # tokens
_TOKENS: Final = 250  # ids that every vocabulary has

log = logging.getLogger("slipstream.engine")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found.

    Args:
        costs: (rows, seconds) of steps whose rows are all wanted, ascending.
        is_invariant: Whether pieces of two tokens and more agreed in every bit.
    """

    costs: tuple[tuple[int, float], ...]
    is_invariant: bool


def load_runner(model_file: Path, settings: EngineSettings) -> tuple[PagedRunner, Measured]:
    """Load a model, warm it up and measure it.

    Where the setting batch_invariant is on and this CPU does not hold the bits, the model is
    loaded again with activations that are not quantised on the fly.

    Raises:
        LoadFailed: See `PagedRunner`.
    """
    runner = PagedRunner(model_file, settings)
    measured = measure(runner)
    if measured.is_invariant or not settings.batch_invariant:
        return runner, measured
    log.warning(
        "this CPU rounds steps of different lengths differently: loaded again without "
        "quantisation on the fly, because batch_invariant is on"
    )
    del runner  # its weights and cache, before there are two of each
    runner = PagedRunner(model_file, settings, quantises_on_the_fly=False)
    measured = measure(runner)
    if not measured.is_invariant:
        log.warning("steps of different lengths differ even so: answers may depend on guesses")
    return runner, measured


def measure(runner: PagedRunner, clock: Callable[[], float] = time.perf_counter) -> Measured:
    """Measure a runner that nobody uses yet; writes to its first blocks."""
    text = _sequence(_LAST, 0)
    longest = runner.run(_piece(text, _LAST)).copy()
    costs, lasts = [], [longest[-1]]
    for rows in reversed(_ROWS):
        step = _piece(text, rows)
        times = []
        for _ in range(2 if rows <= _REPEATED else 1):
            began_s = clock()
            logits = runner.run(step)
            times.append(clock() - began_s)
        costs.append((rows, min(times)))
        if rows >= LEAST_PIECE:
            lasts.append(logits[-1].copy())
    lasts.append(runner.run(_beside_another(text))[-1])
    return Measured(tuple(sorted(costs)), all(_have_equal_bits(longest[-1], row) for row in lasts))


def _sequence(num_tokens: int, first_block: int) -> Sequence:
    ids = [number * 37 % _TOKENS for number in range(num_tokens)]
    sequence = Sequence(ids, num_tokens + 1)
    sequence.block_ids = list(range(first_block, first_block + blocks_for(num_tokens)))
    return sequence


def _piece(text: Sequence, rows: int) -> Step:
    return Step((Chunk(text, _LAST - rows, _LAST, rows),))


def _beside_another(text: Sequence) -> Step:
    other = _sequence(_NEIGHBOUR, len(text.block_ids))
    return Step((Chunk(other, 0, _NEIGHBOUR, 1), Chunk(text, _LAST - LEAST_PIECE, _LAST, 1)))


def _have_equal_bits(left: Logits, right: Logits) -> bool:
    return np.array_equal(left.view(np.int32), right.view(np.int32))
