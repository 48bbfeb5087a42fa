"""Which tokens are computed next: continuous batching with chunked prompts.

Decides and accounts for blocks; it computes nothing and knows no text, sampling or OpenVINO.

    waiting, first come first served ──admit──▶ running, oldest first ──finish, cancel──▶ gone
            ▲──────────────────── preempt, youngest first ────┘

Rules
 1. A running answer gets its token in every step; prompts share what is left of the budget.
 2. A sequence is admitted with the blocks of everything that it has to compute, so a prompt never
    waits half read; only a growing answer asks for more.
 3. Where no block is free, the youngest running sequence gives up all of its own and waits at
    the front, to be computed again. The oldest is never preempted, so every request ends.
 4. A prompt is read in pieces of two tokens or more: a single token takes another attention
    kernel, whose last bits differ, and pieces must not change an answer.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from slipstream.engine.blocks import BlockPool, blocks_for
from slipstream.engine.sequence import Chunk, Sequence, Step


@dataclass(frozen=True, slots=True)
class Limits:
    """What one step and the two queues may hold; see `EngineSettings` for each."""

    max_running: int
    max_queued: int
    max_batch_tokens: int
    mixed_prompt_tokens: int


class Scheduler:
    """Two queues over one pool of blocks. One thread at a time."""

    def __init__(self, pool: BlockPool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []  # by arrival

    @property
    def num_waiting(self) -> int:
        """Sequences without a place, new or preempted."""
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """Sequences that hold blocks."""
        return len(self._running)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self._running and not self._waiting

    @property
    def has_room(self) -> bool:
        """Whether `add` would be accepted."""
        return len(self._waiting) < self._limits.max_queued

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn. It must fit the pool even when it is full."""
        assert blocks_for(sequence.limit_tokens) <= self._pool.num_blocks, "it can never finish"
        self._waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Drop a sequence in any state, finished or cancelled; its blocks are free at once."""
        if sequence in self._running:
            self._running.remove(sequence)
            self._release(sequence)
        elif sequence in self._waiting:
            self._waiting.remove(sequence)

    def plan(self) -> Step | None:
        """Choose the next step and take the blocks that it writes to; None when idle."""
        num_before = len(self._running)
        answers = list(self._plan_answers())
        if len(self._running) == num_before:  # nobody was preempted: there is room to admit
            self._admit()
        chunks = answers + list(self._plan_prompts(len(answers)))
        return Step(tuple(chunks)) if chunks else None

    def advance(self, step: Step) -> None:
        """Record that a step was computed."""
        for chunk in step.chunks:
            chunk.sequence.num_computed = chunk.end

    def check_integrity(self) -> None:
        """Assert that blocks and queues agree; cheap enough to run when idle."""
        self._pool.check_integrity(sequence.block_ids for sequence in self._running)
        for sequence in self._waiting:
            assert not sequence.block_ids, "a waiting sequence holds blocks"
            assert sequence.num_computed == 0, "a waiting sequence says that it was computed"

    def _plan_answers(self) -> Iterator[Chunk]:
        """One token for each answer that is being written, oldest first."""
        for sequence in tuple(self._running):
            if sequence.is_answering and self._grow(sequence):
                start = sequence.num_computed
                yield Chunk(sequence, start, start + 1, num_wanted=1)

    def _grow(self, sequence: Sequence) -> bool:
        """Give a sequence the block of its newest token; False if it was preempted itself."""
        while len(sequence.block_ids) < blocks_for(len(sequence.token_ids)):
            taken = self._pool.allocate(1)
            if taken is not None:
                sequence.block_ids += taken
                continue
            youngest = self._running.pop()
            self._release(youngest)
            self._waiting.appendleft(youngest)
            if youngest is sequence:
                return False
        return True

    def _admit(self) -> None:
        """Give places to those that waited longest, as far as blocks and places go."""
        while self._waiting and len(self._running) < self._limits.max_running:
            taken = self._pool.allocate(blocks_for(len(self._waiting[0].token_ids)))
            if taken is None:
                return
            sequence = self._waiting.popleft()
            sequence.block_ids = taken
            self._running.append(sequence)

    def _plan_prompts(self, num_answers: int) -> Iterator[Chunk]:
        """Pieces of prompts, oldest first, within the budget of this step."""
        limits = self._limits
        budget = limits.mixed_prompt_tokens if num_answers else limits.max_batch_tokens
        for sequence in self._running:
            if sequence.is_answering:
                continue
            pending, start = sequence.num_pending, sequence.num_computed
            num_tokens = _piece(pending, budget)
            if num_tokens == 0:
                return
            budget -= num_tokens
            is_last = num_tokens == pending
            yield Chunk(sequence, start, start + num_tokens, num_wanted=int(is_last))

    def _release(self, sequence: Sequence) -> None:
        self._pool.free(sequence.block_ids)
        sequence.block_ids = []
        sequence.num_computed = 0


def _piece(pending: int, budget: int) -> int:
    """Return how much of a prompt to read: 0, all of it, or at least 2 leaving at least 2."""
    if pending <= budget:
        return pending
    num_tokens = budget - 1 if pending - budget == 1 else budget
    return num_tokens if num_tokens >= 2 else 0
