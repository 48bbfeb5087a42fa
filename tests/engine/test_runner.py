"""Tests of slipstream.engine.runner, with the real model: which steps give the same bits."""

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from slipstream.engine.blocks import blocks_for
from slipstream.engine.runner import Logits, PagedRunner
from slipstream.engine.sequence import Chunk, Sequence, Step
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.engine.weights.manifest import MODEL_FILE
from slipstream.errors import LoadFailed

RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def runner(prepared_smollm2: Path) -> PagedRunner:
    """Give the real model with a small cache, in the default arithmetic."""
    return PagedRunner(prepared_smollm2 / MODEL_FILE, EngineSettings(kv_cache_bytes=128 * MIB))


def make(num_tokens: int, first_block: int, tokens: list[int] | None = None) -> Sequence:
    """Return a sequence with blocks of its own."""
    ids = tokens or RNG.integers(20, 40_000, num_tokens).tolist()
    sequence = Sequence(list(ids), num_tokens + 1)
    sequence.block_ids = list(range(first_block, first_block + blocks_for(num_tokens)))
    return sequence


def read(runner: PagedRunner, sequence: Sequence, cuts: list[int]) -> Logits:
    """Read a sequence in pieces that end at these places; return the last token's logits."""
    ends = [*cuts, len(sequence.token_ids)]
    for start, end in itertools.pairwise([0, *ends]):
        logits = runner.run(Step((Chunk(sequence, start, end, 1),)))
    last: Logits = logits[0].copy()
    return last


def last_tokens(runner: PagedRunner, sequences: list[Sequence]) -> Logits:
    """Compute the last token of each sequence together; the rest was read before."""
    ends = [len(sequence.token_ids) for sequence in sequences]
    chunks = [Chunk(s, end - 1, end, 1) for s, end in zip(sequences, ends, strict=True)]
    return runner.run(Step(tuple(chunks))).copy()


@pytest.mark.parametrize("cuts", [[128], [64, 128, 192], [100, 102], [254], [2], [33, 65]])
def test_run_prompt_in_pieces_is_bit_identical(runner: PagedRunner, cuts: list[int]) -> None:
    """However a prompt is cut into pieces of two tokens or more, no bit changes."""
    whole = make(256, 0)
    pieces = make(256, 8, whole.token_ids)

    assert (read(runner, whole, []) == read(runner, pieces, cuts)).all()


@pytest.mark.parametrize("num_neighbours", [1, 2, 7, 15])
def test_run_answer_beside_neighbours_is_bit_identical(
    runner: PagedRunner, num_neighbours: int
) -> None:
    """A token computed alone and one computed in a batch have the same logits."""
    sequences = [make(41, 2 * number) for number in range(num_neighbours + 1)]
    for sequence in sequences:
        runner.run(Step((Chunk(sequence, 0, 40, 0),)))
    alone = last_tokens(runner, sequences[:1])

    assert (last_tokens(runner, sequences)[0] == alone[0]).all()


def test_run_answer_beside_a_prompt_is_bit_identical(runner: PagedRunner) -> None:
    """A prompt that is read in the same step changes nothing."""
    sequence, prompt = make(41, 0), make(100, 4)
    runner.run(Step((Chunk(sequence, 0, 40, 0),)))
    alone = last_tokens(runner, [sequence])

    together = runner.run(Step((Chunk(sequence, 40, 41, 1), Chunk(prompt, 0, 100, 1))))
    assert (together[0] == alone[0]).all()
    assert together.shape[0] == 2


def test_run_wanted_rows_are_the_last_of_their_chunks(runner: PagedRunner) -> None:
    """Several wanted tokens come in order; each row is what its own prefix gives."""
    sequence = make(70, 0)
    rows = runner.run(Step((Chunk(sequence, 0, 70, 3),))).copy()

    assert rows.shape == (3, 49_152)
    prefix = make(69, 4, sequence.token_ids[:69])
    assert np.abs(rows[1] - read(runner, prefix, [])).max() < 1e-3


def test_run_nothing_wanted_returns_no_rows(runner: PagedRunner) -> None:
    """A piece in the middle of a prompt gives no logits."""
    assert runner.run(Step((Chunk(make(40, 0), 0, 20, 0),))).shape[0] == 0


def test_run_guesses_behind_a_token_give_the_rows_of_a_prompt(runner: PagedRunner) -> None:
    """Guesses are computed like known tokens, and leave the sequence as it was."""
    whole = make(48, 0)
    known = make(41, 4, whole.token_ids[:41])
    known.block_ids.append(6)
    expected = runner.run(Step((Chunk(whole, 0, 48, 8),))).copy()

    runner.run(Step((Chunk(known, 0, 40, 0),)))
    rows = runner.run(Step((Chunk(known, 40, 41, 8, tuple(whole.token_ids[41:])),)))
    assert (rows == expected).all()
    assert len(known.token_ids) == 41


def test_run_copies_come_before_the_computation(runner: PagedRunner) -> None:
    """A copied block is read as the original would be; the original stays as it was."""
    whole = make(34, 0)
    expected = read(runner, whole, [32])
    copy = make(34, 4, whole.token_ids)
    copy.block_ids = [5, 6]

    copied = runner.run(Step((Chunk(copy, 32, 34, 1),), copies=((0, 5),))).copy()
    assert (copied[0] == expected).all()
    assert (runner.run(Step((Chunk(whole, 32, 34, 1),)))[0] == expected).all()


def test_run_copies_of_copies_are_made_in_order(runner: PagedRunner) -> None:
    """A block that was just copied can be copied on in the same step."""
    whole = make(34, 0)
    expected = read(runner, whole, [32])
    last = make(34, 4, whole.token_ids)
    last.block_ids = [9, 6]

    copied = runner.run(Step((Chunk(last, 32, 34, 1),), copies=((0, 8), (8, 9))))
    assert (copied[0] == expected).all()


def test_finish_lets_other_threads_run(runner: PagedRunner) -> None:
    """While a step is computed, Python goes on: masks are filled meanwhile."""
    counted, is_over = [0], threading.Event()

    def count() -> None:
        while not is_over.is_set():
            counted[0] += 1

    prompt = make(256, 0)
    thread = threading.Thread(target=count)
    thread.start()
    try:
        runner.start(Step((Chunk(prompt, 0, 256, 1),)))
        before, began_s = counted[0], time.perf_counter()
        runner.finish()
        rate = (counted[0] - before) / (time.perf_counter() - began_s)
    finally:
        is_over.set()
        thread.join()
    assert rate > 1000, "one switch of threads would allow a few counts and no more"


@pytest.mark.parametrize("device", ["TPU", "GPU.7", "CPU.3", ""])
def test_load_unknown_device_names_those_that_are_there(
    prepared_smollm2: Path, device: str
) -> None:
    """A device that OpenVINO does not have is refused by name."""
    with pytest.raises(LoadFailed, match=rf"device '{device}': .* it has: .*CPU"):
        PagedRunner(prepared_smollm2 / MODEL_FILE, EngineSettings(device=device))


def test_runner_blocks_fit_the_memory_that_was_set(runner: PagedRunner) -> None:
    """30 layers of 3 heads of 64 numbers, keys and values, 4 bytes: 1,474,560 bytes a block."""
    assert runner.num_blocks == 128 * MIB // 1_474_560


def test_load_something_else_is_a_load_failure(tmp_path: Path) -> None:
    """A file that is no model is named."""
    file = tmp_path / "openvino_model.xml"
    file.write_text("<net/>")

    with pytest.raises(LoadFailed, match=r"openvino_model\.xml"):
        PagedRunner(file, EngineSettings())
