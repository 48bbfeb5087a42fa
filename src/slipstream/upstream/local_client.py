"""A gateway's connection to the process that runs a model: requests out, answers in.

Keeps one connection to a Unix socket and makes it again whenever it is lost. Each request has a
small buffer of its own: what its consumer has not taken yet grows together (engine.merging), so
that it is bounded by the answer itself. Starting the process is another's business.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from slipstream.engine.merging import DeltaPile
from slipstream.engine.protocol import (
    Cancel,
    Count,
    Counted,
    Delta,
    Embed,
    Embedded,
    Failed,
    Finished,
    FromChild,
    FromGateway,
    Generate,
    Probe,
    Ready,
    Started,
    Stats,
)
from slipstream.errors import Broken, GatewayError, StreamCut
from slipstream.upstream.local_connection import Connection
from slipstream.upstream.local_errors import error_of

_RECONNECT_S: Final = 0.02  # a connection to a socket that is not there costs some 20 µs

AnswerPart = Started | Delta | Finished | Failed
_Reply = TypeVar("_Reply", Stats, Embedded, Counted)


class Answer:
    """What came back for one request and was not taken yet. Close it in every ending."""

    __slots__ = ("_client", "_error", "_has_begun", "_parts", "_waiter", "is_over", "request_id")

    def __init__(self, client: "EngineClient", request_id: int) -> None:
        self._client = client
        self._parts: deque[Started | DeltaPile | Finished | Failed] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: GatewayError | None = None
        self._has_begun = False
        self.request_id = request_id
        self.is_over = False  # the last part has arrived, taken or not

    async def next(self) -> AnswerPart:
        """Return the next part; after Finished or Failed there is none.

        Raises:
            Broken: The process went away before the answer began.
            StreamCut: It went away in the middle.
        """
        while not self._parts:
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        part = self._parts.popleft()
        return part.take() if isinstance(part, DeltaPile) else part

    def close(self) -> None:
        """Give the request up, if it is not over; waits for nothing."""
        self._client.forget(self)

    def add(self, part: AnswerPart) -> None:
        """Take a part that has arrived."""
        if not isinstance(part, Delta):
            self.is_over = isinstance(part, Finished | Failed)
            self._parts.append(part)
        else:
            self._has_begun = True
            if not (self._parts and self._grow(part)):
                self._parts.append(DeltaPile(part))
        self._wake()

    def fail(self, reason: str) -> None:
        """Note that nothing more will come."""
        self._error = StreamCut(reason) if self._has_begun else Broken(reason)
        self._wake()

    def _grow(self, part: Delta) -> bool:
        """Join a Delta to what waits of its choice, if it may be."""
        for earlier in reversed(self._parts):
            if not isinstance(earlier, DeltaPile):
                return False
            if earlier.choice == part.choice:
                return earlier.add(part)
        return False

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class EngineClient:
    """The requests of this gateway at one model's process. All methods on one event loop."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, Answer] = {}
        self._probes: dict[int, asyncio.Future[Stats]] = {}
        self._embeds: dict[int, asyncio.Future[Embedded]] = {}
        self._counts: dict[int, asyncio.Future[Counted]] = {}
        self._connection: Connection | None = None
        self._ready: Ready | None = None
        self._failure: GatewayError | None = None
        self._changed = asyncio.Event()  # set once for each change, then replaced
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> Ready | None:
        """What the process said of its model; None while it is not there."""
        return self._ready

    @property
    def num_open(self) -> int:
        """Return how many answers, embeddings and counts are being waited for."""
        return len(self._answers) + len(self._embeds) + len(self._counts)

    def start(self) -> None:
        """Keep connected from now on until `stop`."""
        assert self._task is None, "it is started once"
        self._task = asyncio.create_task(self._keep_connected())

    async def stop(self) -> None:
        """Close the connection; open answers fail."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def wait_ready(self) -> Ready:
        """Wait until the model answers; the caller bounds the wait.

        Raises:
            GatewayError: What `give_up` was told.
        """
        while self._ready is None:
            if self._failure is not None:
                raise self._failure
            await self._changed.wait()
        return self._ready

    def give_up(self, failure: GatewayError) -> None:
        """Let all who wait for the model fail: its process will not come back."""
        self._failure = failure
        self._announce()

    def generate(self, ask: Generate) -> Answer:
        """Send a request, under an id of our own; its answer is to be closed.

        Raises:
            Broken: The process is not there.
        """
        request_id = next(self._ids)
        answer = Answer(self, request_id)
        if not self._send(msgspec.structs.replace(ask, request_id=request_id)):
            raise Broken("the model's process is not running")
        self._answers[request_id] = answer
        return answer

    def probe(self) -> Awaitable[Stats]:
        """Ask for the engine's figures.

        Raises:
            Broken: The process is not there, now or while waiting.
        """
        request_id = next(self._ids)
        return self._ask(Probe(request_id), self._probes)

    async def embed(
        self, inputs: tuple[str | tuple[int, ...], ...], dimensions: int | None = None
    ) -> Embedded:
        """Turn texts, or token ids, into vectors; giving up the wait gives up the work.

        Raises:
            Broken: The process is not there, now or while waiting.
            GatewayError: What the engine refuses, such as a text that is too long.
        """
        ask = Embed(request_id=next(self._ids), inputs=inputs, dimensions=dimensions)
        return await self._wait(ask, self._embeds)

    async def count(self, ask: Generate) -> int:
        """Return how many tokens the prompt of a request would have; raises as `embed` does."""
        counting = Count(next(self._ids), ask)
        return (await self._wait(counting, self._counts)).num_tokens

    def forget(self, answer: Answer) -> None:
        """Take no more parts of an answer, and say so to the process if more would come."""
        if self._answers.pop(answer.request_id, None) is not None and not answer.is_over:
            self._send(Cancel(answer.request_id))

    async def _wait(self, ask: Embed | Count, waiting: dict[int, asyncio.Future[_Reply]]) -> _Reply:
        """Send what has one reply and wait for it; giving up gives up the work."""
        found = self._ask(ask, waiting)
        try:
            return await found
        finally:
            if waiting.pop(ask.request_id, None) is not None:
                self._send(Cancel(ask.request_id))

    def _ask(
        self, message: Probe | Embed | Count, waiting: dict[int, asyncio.Future[_Reply]]
    ) -> asyncio.Future[_Reply]:
        """Send what has one reply, and note who waits for it."""
        if not self._send(message):
            raise Broken("the model's process is not running")
        found: asyncio.Future[_Reply] = asyncio.get_running_loop().create_future()
        waiting[message.request_id] = found
        return found

    def _send(self, message: FromGateway) -> bool:
        return self._connection is not None and self._connection.send(message)

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while self._failure is None:
            try:
                _, connection = await loop.create_unix_connection(
                    lambda: Connection(self._received), str(self._socket)
                )
            except OSError:
                await asyncio.sleep(_RECONNECT_S)
                continue
            self._connection = connection
            try:
                await connection.lost.wait()
            finally:
                connection.close()
                self._disconnected()
                await connection.lost.wait()  # at once: what was closed is also gone

    def _received(self, message: FromChild) -> None:
        match message:
            case Ready():
                self._ready = message
                self._announce()
            case Stats():
                _settle(self._probes.pop(message.request_id, None), message)
            case Embedded():
                _settle(self._embeds.pop(message.request_id, None), message)
            case Counted():
                _settle(self._counts.pop(message.request_id, None), message)
            case Failed() if message.request_id in self._embeds:
                _fail(self._embeds.pop(message.request_id), error_of(message))
            case Failed() if message.request_id in self._counts:
                _fail(self._counts.pop(message.request_id), error_of(message))
            case _:
                answer = self._answers.get(message.request_id)
                if answer is not None:  # otherwise it was given up meanwhile
                    answer.add(message)

    def _disconnected(self) -> None:
        self._connection = self._ready = None
        answers, self._answers = self._answers, {}
        probes, self._probes = self._probes, {}
        embeds, self._embeds = self._embeds, {}
        counts, self._counts = self._counts, {}
        for answer in answers.values():
            if not answer.is_over:
                answer.fail("the model's process ended")
        lost: list[asyncio.Future[Any]] = [*probes.values(), *embeds.values(), *counts.values()]
        for found in lost:
            _fail(found, Broken("the model's process ended"))
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _settle(found: asyncio.Future[_Reply] | None, reply: _Reply) -> None:
    if found is not None and not found.done():
        found.set_result(reply)


def _fail(found: asyncio.Future[Any], error: GatewayError) -> None:
    if not found.done():
        found.set_exception(error)
