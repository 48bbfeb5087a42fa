"""Tests of slipstream.engine.measures, with the real model."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from slipstream.engine.measures import load_runner, measure
from slipstream.engine.runner import Logits, PagedRunner
from slipstream.engine.sequence import Step
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.engine.weights.manifest import MODEL_FILE

SETTINGS = EngineSettings(kv_cache_bytes=32 * MIB)


class Uneven(PagedRunner):
    """A runner whose logits depend on the length of the step in one bit."""

    def finish(self) -> Logits:
        """Return the logits of the real one, with the last bit of one number changed."""
        logits = super().finish()
        logits.view(np.int32)[-1, 0] ^= self.num_rows & 1
        return logits

    def start(self, step: Step) -> None:
        """Note how long the step is."""
        self.num_rows = step.num_tokens
        super().start(step)


@pytest.mark.parametrize("precision", ["auto", "exact"])
def test_load_runner_holds_the_bits_here(prepared_smollm2: Path, precision: str) -> None:
    """On the CPUs that are tested, pieces of two tokens and more agree in every bit."""
    settings = EngineSettings(kv_cache_bytes=32 * MIB, precision=precision)
    _, measured = load_runner(prepared_smollm2 / MODEL_FILE, settings)

    assert measured.is_invariant
    assert [rows for rows, _ in measured.costs] == [1, 2, 4, 8, 16, 32, 64]


def test_measure_costs_are_what_the_clock_said(prepared_smollm2: Path) -> None:
    """Each cost is the least of its runs, by the clock that was given."""
    ticks = itertools.count()
    measured = measure(
        PagedRunner(prepared_smollm2 / MODEL_FILE, SETTINGS), clock=lambda: float(next(ticks))
    )
    assert {seconds for _, seconds in measured.costs} == {1.0}


def test_measure_one_bit_that_differs_is_noticed(prepared_smollm2: Path) -> None:
    """A CPU on which one length rounds one number differently is not called invariant."""
    assert not measure(Uneven(prepared_smollm2 / MODEL_FILE, SETTINGS)).is_invariant
