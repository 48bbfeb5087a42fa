"""Sums and rates of one engine: what it did, how fast answers come, how long a place takes."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from slipstream.engine.blocks import BlockPool
from slipstream.engine.choice import Choice
from slipstream.engine.protocol import Stats
from slipstream.engine.scheduler import Scheduler

_MEMORY: Final = 32  # answers whose length says how quickly places become free
_TAU_S: Final = 5.0  # seconds of work after which a rate has forgotten two thirds
_UNKNOWN_WAIT_S: Final = 1.0  # before anything has left


@dataclass(slots=True)
class Figures:
    """Kept by the engine's thread; seconds are those of its clock."""

    num_steps: int = 0
    prompt_tokens: int = 0  # computed
    cached_tokens: int = 0
    completion_tokens: int = 0
    accepted: Counter[str] = field(default_factory=Counter)  # guesses by source
    rejected: Counter[str] = field(default_factory=Counter)
    forced_tokens: int = 0
    busy_s: float = 0.0
    runner_s: float = 0.0
    tokens_per_s: float = 0.0  # of answers, over the last seconds of work
    _lives_s: deque[float] = field(default_factory=lambda: deque(maxlen=_MEMORY))

    def note_step(self, num_answer_tokens: int, step_s: float, runner_s: float) -> None:
        """Count one step."""
        self.num_steps += 1
        self.completion_tokens += num_answer_tokens
        self.busy_s += step_s
        self.runner_s += runner_s
        if step_s > 0:
            weight = min(step_s / _TAU_S, 1.0)
            self.tokens_per_s += weight * (num_answer_tokens / step_s - self.tokens_per_s)

    def note_choice(self, choice: Choice) -> None:
        """Add what a choice that ends was guessed and forced."""
        self.forced_tokens += choice.num_forced
        self.accepted.update(choice.accepted)
        self.rejected.update(choice.rejected)

    def note_left(self, lived_s: float) -> None:
        """Note that an answer is complete, and for how long it had its place."""
        self._lives_s.append(lived_s)

    def wait_s(self, num_waiting: int, num_running: int) -> float:
        """Estimate how long a request waits that comes now and finds no place.

        Each of those that run keeps its place for as long as the last ones did; so places become
        free that much more often, whether they become so one by one or all at once.
        """
        if not self._lives_s:
            return _UNKNOWN_WAIT_S * (num_waiting + 1)
        life_s = sum(self._lives_s) / len(self._lives_s)
        return life_s * (num_waiting + 1) / max(num_running, 1)


def stats_of(
    request_id: int, figures: Figures, scheduler: Scheduler, pool: BlockPool, *, wait_s: float
) -> Stats:
    """Return what an engine does now and did so far."""
    return Stats(
        request_id=request_id,
        num_running=scheduler.num_running,
        num_waiting=scheduler.num_waiting,
        num_blocks=pool.num_blocks,
        num_free_blocks=pool.num_free,
        num_cached_blocks=pool.num_kept,
        num_steps=figures.num_steps,
        prompt_tokens=figures.prompt_tokens,
        cached_tokens=figures.cached_tokens,
        completion_tokens=figures.completion_tokens,
        prediction_accepted_tokens=figures.accepted["prediction"],
        prediction_rejected_tokens=figures.rejected["prediction"],
        lookup_accepted_tokens=figures.accepted["lookup"],
        lookup_rejected_tokens=figures.rejected["lookup"],
        forced_tokens=figures.forced_tokens,
        num_preemptions=scheduler.num_preemptions,
        wait_s=wait_s,
        tokens_per_s=figures.tokens_per_s,
        busy_s=figures.busy_s,
        runner_s=figures.runner_s,
    )


def no_stats(request_id: int) -> Stats:
    """Return the figures of a process without an engine: one that makes vectors."""
    return Stats(
        request_id=request_id,
        num_running=0,
        num_waiting=0,
        num_blocks=0,
        num_free_blocks=0,
        num_steps=0,
        prompt_tokens=0,
        completion_tokens=0,
        busy_s=0.0,
        runner_s=0.0,
    )
