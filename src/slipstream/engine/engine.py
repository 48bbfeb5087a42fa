"""The loop that answers requests: receive, guess, plan, run, choose, tell.

Runs in a thread of its own and owns everything that a step touches; other threads reach it
through one queue. Knows no socket: what is to be said goes to `emit`, once per step.

    guess ──▶ plan ──▶ start ─┬─ the model computes ─┬─▶ choose ──▶ advance, fork ──▶ take ──▶ emit
                              └─ grammars make masks ┘
"""

import queue
from collections.abc import Callable, Hashable, Iterator
from typing import Final, NamedTuple

from slipstream.engine.blocks import BlockPool
from slipstream.engine.choice import Choice
from slipstream.engine.commands import Cancel, CancelAll, Close, Command, Probe, Submit
from slipstream.engine.figures import Figures, stats_of
from slipstream.engine.pace import PromptPace, StepCosts, lengths
from slipstream.engine.protocol import Failed, FromChild
from slipstream.engine.request import Request
from slipstream.engine.runner import Logits, Runner
from slipstream.engine.sampler import Chosen, choose
from slipstream.engine.scheduler import Scheduler
from slipstream.engine.sequence import LEAST_PIECE, Chunk, Sequence, Step
from slipstream.errors import GatewayError, Overloaded

Said = list[tuple[object, FromChild]]
"""(reply, message) pairs in order."""

Emit = Callable[[Said], None]
"""Called in the engine's thread; must not block."""

_LEAST_RETRY_S: Final = 1.0
_FEW: Final = 4  # answers at once among which all are guessed, exact or not


class _Job(NamedTuple):
    """A choice whose next tokens are chosen in this step.

    Args:
        place: Of the chunk in its step.
        row: The first of its rows in the logits.
    """

    request: Request
    choice: Choice
    chunk: Chunk
    place: int
    row: int

    @property
    def is_to_fork(self) -> bool:
        """Whether its prompt has just been read and other choices begin here."""
        return self.choice.sequence.num_choices > len(self.request.choices)


class _Pick(NamedTuple):
    """The tokens that were chosen for a choice, and how many guesses were computed for it."""

    request: Request
    choice: Choice
    tokens: list[Chosen]
    num_guessed: int = 0


class Engine:
    """Answers requests one step at a time. `run` is its thread; the rest may be called from any."""

    def __init__(
        self,
        runner: Runner,
        scheduler: Scheduler,
        pool: BlockPool,
        costs: StepCosts,
        *,
        emit: Emit,
        clock: Callable[[], float],
        paces_prompts: bool = False,
    ) -> None:
        """Take the parts, which nobody else touches from now on.

        Args:
            paces_prompts: What is read of prompts beside running answers depends on what steps
                cost, and not on the scheduler's limit.
        """
        self._runner, self._scheduler, self._pool, self._costs = runner, scheduler, pool, costs
        self._emit, self._clock, self._paces_prompts = emit, clock, paces_prompts
        self._inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._requests: dict[Hashable, Request] = {}
        self._by_sequence: dict[Sequence, tuple[Request, Choice]] = {}
        self._pace = PromptPace(costs)
        self._figures = Figures()
        self._is_open = True

    def submit(self, request: Request) -> None:
        """Answer a request; its key must be new."""
        self._inbox.put(Submit(request))

    def cancel(self, key: Hashable) -> None:
        """Drop a request between two steps; unknown and finished ones are ignored."""
        self._inbox.put(Cancel(key))

    def cancel_all(self, reply: object) -> None:
        """Drop every request of a reply that has gone."""
        self._inbox.put(CancelAll(reply))

    def probe(self, reply: object, request_id: int) -> None:
        """Ask for Stats between two steps."""
        self._inbox.put(Probe(reply, request_id))

    def close(self) -> None:
        """End `run` after the step that it is in; open requests are told nothing."""
        self._inbox.put(Close())

    def run(self) -> None:
        """Work until `close`."""
        while self._is_open:
            self.turn()

    def turn(self) -> None:
        """Obey what has come in and carry out one step; wait where there is nothing to do."""
        self._receive()
        began_s = self._clock()
        self._guess()
        step = self._scheduler.plan(began_s, mixed_prompt_tokens=self._num_beside())
        if step is not None:
            self._emit(self._carry_out(step, began_s))

    def _receive(self) -> None:
        """Take all commands; wait for one only where there is nothing to compute."""
        if self._scheduler.is_idle and self._inbox.empty():
            self._scheduler.check_integrity()
            self._obey(self._inbox.get())
        while not self._inbox.empty():
            self._obey(self._inbox.get())

    def _obey(self, command: Command) -> None:
        match command:
            case Submit(request):
                self._accept(request)
            case Cancel(key):
                if found := self._requests.get(key):
                    self._forget(found)
            case CancelAll(reply):
                for request in [r for r in self._requests.values() if r.reply is reply]:
                    self._forget(request)
            case Probe(reply, request_id):
                parts = self._figures, self._scheduler, self._pool
                self._emit([(reply, stats_of(request_id, *parts, wait_s=self._wait_s()))])
            case Close():
                self._is_open = False

    def _accept(self, request: Request) -> None:
        wait_s = self._wait_s()
        if not self._scheduler.has_room:
            reason = f"{self._scheduler.num_waiting} requests wait already"
            self._emit([(request.reply, _refusal(request, reason, wait_s))])
            return
        if request.max_queue_s is not None and wait_s > request.max_queue_s:
            reason = f"the queue takes about {wait_s:.2g} s, longer than {request.max_queue_s:g} s"
            self._emit([(request.reply, _refusal(request, reason, wait_s))])
            return
        assert request.key not in self._requests, "a key names one request"
        self._requests[request.key] = request
        self._know(request, request.first)
        self._scheduler.add(request.first.sequence, self._clock())

    def _guess(self) -> None:
        """Let sequences carry guesses whose next token may be chosen in this step.

        Exact ones always do, one at least; so does an answer that runs alone, whose second row
        costs nothing. Among many the others do not: rows that nobody needs would slow them all.
        """
        num_running = self._scheduler.num_running
        is_quiet = num_running <= _FEW
        drafted = [
            choice
            for sequence, (_, choice) in self._by_sequence.items()
            if (is_quiet or sequence.is_exact)
            and (sequence.block_ids or sequence.num_pending < LEAST_PIECE)
        ]
        if not drafted:
            return
        leasts = [int(num_running <= 1 or choice.sequence.is_exact) for choice in drafted]
        drafters = [choice.catch_up() for choice in drafted]
        most = lengths(self._costs, drafters, leasts, num_running - len(drafted))
        for choice, each in zip(drafted, most, strict=True):
            choice.guess(each)

    def _num_beside(self) -> int | None:
        num_running = self._scheduler.num_running
        return self._pace.num_tokens(num_running) if self._paces_prompts else None

    def _carry_out(self, step: Step, began_s: float) -> Said:
        said: Said = [(request.reply, request.start(began_s)) for request in self._new_in(step)]
        run_s = self._clock()
        self._runner.start(step)
        jobs = list(self._jobs_in(step))
        rows = [job.choice.rows(job.chunk.guesses) for job in jobs]
        logits = self._runner.finish()
        ran_s = self._clock()
        picks = choose(logits, rows) if jobs else []
        self._advance(step, jobs, picks)
        num_answer = 0
        for pick in [*_pair(jobs, picks), *self._fork(jobs, logits)]:
            num_before = pick.choice.sequence.num_answer
            said += self._take(pick, ran_s)
            num_answer += pick.choice.sequence.num_answer - num_before
        self._note_costs(step, ran_s - run_s)
        self._figures.note_step(num_answer, self._clock() - began_s, ran_s - run_s)
        return said

    def _note_costs(self, step: Step, seconds: float) -> None:
        num_read = sum(chunk.num_prompt_tokens for chunk in step.chunks)
        self._figures.prompt_tokens += num_read
        self._pace.note(step.num_tokens - num_read, num_read, seconds)
        if not num_read:
            self._costs.note(step.num_tokens, seconds)

    def _new_in(self, step: Step) -> list[Request]:
        firsts = (
            self._by_sequence[c.sequence][0] for c in step.chunks if not c.sequence.num_answer
        )
        return [request for request in firsts if request.started_s is None]

    def _jobs_in(self, step: Step) -> Iterator[_Job]:
        row = 0
        for place, chunk in enumerate(step.chunks):
            if chunk.num_wanted:
                yield _Job(*self._by_sequence[chunk.sequence], chunk, place, row)
                row += chunk.num_wanted

    def _advance(self, step: Step, jobs: list[_Job], picks: list[list[Chosen]]) -> None:
        """Record the step; what was chosen is appended after it."""
        accepted = [0] * len(step.chunks)
        for job, picked in zip(jobs, picks, strict=True):
            if job.is_to_fork:
                del picked[1:]  # each choice chooses its first token for itself
            accepted[job.place] = len(picked) - 1
        self._scheduler.advance(step, accepted)

    def _fork(self, jobs: list[_Job], logits: Logits) -> Iterator[_Pick]:
        """Begin the other choices of prompts that were read; one row gives all first tokens."""
        for job in jobs:
            if not job.is_to_fork:
                continue
            others = job.request.fork()
            self._scheduler.fork(job.choice.sequence, [choice.sequence for choice in others])
            for choice in others:
                self._know(job.request, choice)
                row = logits[job.row : job.row + 1]
                yield _Pick(job.request, choice, choose(row, [choice.rows(())])[0])

    def _take(self, pick: _Pick, now_s: float) -> Said:
        """Add chosen tokens to an answer; forget it where it ends."""
        request, choice, *_ = pick
        if request.first_token_s is None:
            request.first_token_s = now_s
            self._figures.cached_tokens += choice.sequence.num_cached
        try:
            messages: list[FromChild] = [*choice.take(pick.tokens, pick.num_guessed)]
        except GatewayError as error:  # its grammar outgrew its bounds; nobody else notices
            self._forget(request)
            return [(request.reply, Failed.of(request.request_id, error))]
        if choice.finish is not None:
            self._drop(choice)
            self._figures.note_left(now_s - (request.started_s or now_s))
        if request.is_finished:
            self._forget(request)
            messages.append(request.end(now_s))
        return [(request.reply, message) for message in messages]

    def _know(self, request: Request, choice: Choice) -> None:
        self._by_sequence[choice.sequence] = request, choice

    def _drop(self, choice: Choice) -> None:
        """Let go of what a choice holds here, and of its blocks."""
        if self._by_sequence.pop(choice.sequence, None) is not None:
            self._scheduler.remove(choice.sequence)
            self._figures.note_choice(choice)

    def _forget(self, request: Request) -> None:
        for choice in request.choices:
            self._drop(choice)
        del self._requests[request.key]

    def _wait_s(self) -> float:
        num_waiting, num_running = self._scheduler.num_waiting, self._scheduler.num_running
        is_free = self._scheduler.has_place
        return 0.0 if is_free else self._figures.wait_s(num_waiting, num_running)


def _pair(jobs: list[_Job], picks: list[list[Chosen]]) -> Iterator[_Pick]:
    for job, picked in zip(jobs, picks, strict=True):
        yield _Pick(job.request, job.choice, picked, len(job.chunk.guesses))


def _refusal(request: Request, reason: str, wait_s: float) -> Failed:
    error = Overloaded(reason, retry_after_s=max(wait_s, _LEAST_RETRY_S))
    return Failed.of(request.request_id, error)
