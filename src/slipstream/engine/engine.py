"""The loop that answers requests: receive, plan, run, choose, tell.

Runs in a thread of its own and owns everything that a step touches; other threads reach it
through one queue. Knows no socket: what is to be said goes to `emit`, once per step.
"""

import queue
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final

from slipstream.engine.blocks import BlockPool
from slipstream.engine.protocol import Failed, Finished, FromChild, Stats
from slipstream.engine.request import Request
from slipstream.engine.runner import Runner
from slipstream.engine.sampler import Draw, choose
from slipstream.engine.scheduler import Scheduler
from slipstream.engine.sequence import Chunk, Sequence, Step
from slipstream.errors import Overloaded

Emit = Callable[[list[tuple[object, FromChild]]], None]
"""Takes (reply, message) pairs in order. Called in the engine's thread; must not block."""

_RETRY_AFTER_S: Final = 1.0  # a place in the queue is free again after one answer


@dataclass(frozen=True, slots=True)
class _Submit:
    request: Request


@dataclass(frozen=True, slots=True)
class _Cancel:
    key: Hashable


@dataclass(frozen=True, slots=True)
class _CancelAll:
    reply: object


@dataclass(frozen=True, slots=True)
class _Probe:
    reply: object
    request_id: int


@dataclass(frozen=True, slots=True)
class _Close:
    pass


_Command = _Submit | _Cancel | _CancelAll | _Probe | _Close


class Engine:
    """Answers requests one step at a time. `run` is its thread; the rest may be called from any."""

    def __init__(
        self,
        runner: Runner,
        scheduler: Scheduler,
        pool: BlockPool,
        *,
        emit: Emit,
        clock: Callable[[], float],
    ) -> None:
        self._runner, self._scheduler, self._pool = runner, scheduler, pool
        self._emit, self._clock = emit, clock
        self._inbox: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._requests: dict[Hashable, Request] = {}
        self._by_sequence: dict[Sequence, Request] = {}
        self._is_open = True
        self._num_steps = self._num_prompt = self._num_answer = 0
        self._busy_s = self._runner_s = 0.0

    def submit(self, request: Request) -> None:
        """Answer a request; its key must be new."""
        self._inbox.put(_Submit(request))

    def cancel(self, key: Hashable) -> None:
        """Drop a request between two steps; unknown and finished ones are ignored."""
        self._inbox.put(_Cancel(key))

    def cancel_all(self, reply: object) -> None:
        """Drop every request of a reply that has gone."""
        self._inbox.put(_CancelAll(reply))

    def probe(self, reply: object, request_id: int) -> None:
        """Ask for Stats between two steps."""
        self._inbox.put(_Probe(reply, request_id))

    def close(self) -> None:
        """End `run` after the step that it is in; open requests are told nothing."""
        self._inbox.put(_Close())

    def run(self) -> None:
        """Work until `close`."""
        while self._is_open:
            self.turn()

    def turn(self) -> None:
        """Obey what has come in and carry out one step; wait where there is nothing to do."""
        self._receive()
        began_s = self._clock()
        step = self._scheduler.plan()
        if step is not None:
            self._emit(list(self._carry_out(step, began_s)))
            self._busy_s += self._clock() - began_s

    def _receive(self) -> None:
        """Take all commands; wait for one only where there is nothing to compute."""
        if self._scheduler.is_idle and self._inbox.empty():
            self._scheduler.check_integrity()
            self._obey(self._inbox.get())
        while not self._inbox.empty():
            self._obey(self._inbox.get())

    def _obey(self, command: _Command) -> None:
        match command:
            case _Submit(request):
                self._accept(request)
            case _Cancel(key):
                if found := self._requests.get(key):
                    self._forget(found)
            case _CancelAll(reply):
                for request in [r for r in self._requests.values() if r.reply is reply]:
                    self._forget(request)
            case _Probe(reply, request_id):
                self._emit([(reply, self._stats(request_id))])
            case _Close():
                self._is_open = False

    def _accept(self, request: Request) -> None:
        if not self._scheduler.has_room:
            refusal = Failed(
                request_id=request.request_id,
                code=Overloaded.code or "",
                message=f"{self._scheduler.num_waiting} requests wait already",
                retry_after_s=_RETRY_AFTER_S,
            )
            self._emit([(request.reply, refusal)])
            return
        assert request.key not in self._requests, "a key names one request"
        self._requests[request.key] = request
        self._by_sequence[request.sequence] = request
        self._scheduler.add(request.sequence)

    def _carry_out(self, step: Step, began_s: float) -> Iterator[tuple[object, FromChild]]:
        for request in self._new_in(step):
            yield request.reply, request.start(began_s)
        run_s = self._clock()
        logits = self._runner.run(step)
        self._runner_s += self._clock() - run_s
        self._scheduler.advance(step)
        self._num_steps += 1
        wanted = [self._request_of(chunk.sequence) for chunk in step.chunks if chunk.num_wanted]
        self._num_prompt += sum(map(_num_prompt_tokens, step.chunks))
        draws = [Draw(request.sampling, len(request.sequence.token_ids)) for request in wanted]
        tokens = choose(logits, draws) if draws else []
        now_s = self._clock()
        for request, token_id in zip(wanted, tokens, strict=True):
            self._num_answer += 1
            for message in request.add(token_id, now_s):
                if isinstance(message, Finished):
                    self._forget(request)
                yield request.reply, message

    def _new_in(self, step: Step) -> list[Request]:
        requests = [self._request_of(chunk.sequence) for chunk in step.chunks if chunk.start == 0]
        return [request for request in requests if request.started_s is None]

    def _request_of(self, sequence: Sequence) -> Request:
        return self._by_sequence[sequence]

    def _forget(self, request: Request) -> None:
        self._scheduler.remove(request.sequence)
        del self._requests[request.key], self._by_sequence[request.sequence]

    def _stats(self, request_id: int) -> Stats:
        return Stats(
            request_id=request_id,
            num_running=self._scheduler.num_running,
            num_waiting=self._scheduler.num_waiting,
            num_blocks=self._pool.num_blocks,
            num_free_blocks=self._pool.num_free,
            num_steps=self._num_steps,
            prompt_tokens=self._num_prompt,
            completion_tokens=self._num_answer,
            busy_s=self._busy_s,
            runner_s=self._runner_s,
        )


def _num_prompt_tokens(chunk: Chunk) -> int:
    return max(min(chunk.end, chunk.sequence.num_prompt) - chunk.start, 0)
