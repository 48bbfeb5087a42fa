"""A gateway's connection to the process that runs a model: requests out, answers in.

Keeps one connection to a Unix socket and makes it again whenever it is lost. Each request has a
small buffer of its own: what its consumer has not taken yet grows together into one Delta, so
that it is bounded by the answer itself. Starting the process is another's business.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, cast

import msgspec

from slipstream.engine.protocol import (
    Cancel,
    Delta,
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
from slipstream.framing import FramingError, MessageReader, encode_message

_RECONNECT_S: Final = 0.02  # a connection to a socket that is not there costs some 20 µs

AnswerPart = Started | Delta | Finished | Failed


class Answer:
    """What came back for one request and was not taken yet. Close it in every ending."""

    __slots__ = ("_client", "_error", "_has_begun", "_parts", "_waiter", "is_over", "request_id")

    def __init__(self, client: "EngineClient", request_id: int) -> None:
        self._client = client
        self._parts: list[AnswerPart] = []
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
        return self._parts.pop(0)

    def close(self) -> None:
        """Give the request up, if it is not over; waits for nothing."""
        self._client.forget(self)

    def add(self, part: AnswerPart) -> None:
        """Take a part that has arrived."""
        self._has_begun = self._has_begun or isinstance(part, Delta)
        self.is_over = isinstance(part, Finished | Failed)
        last = self._parts[-1] if self._parts else None
        if isinstance(part, Delta) and isinstance(last, Delta):
            self._parts[-1] = Delta(
                part.request_id, last.text + part.text, last.num_tokens + part.num_tokens
            )
        else:
            self._parts.append(part)
        self._wake()

    def fail(self, reason: str) -> None:
        """Note that nothing more will come."""
        self._error = StreamCut(reason) if self._has_begun else Broken(reason)
        self._wake()

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
        self._connection: _Connection | None = None
        self._ready: Ready | None = None
        self._failure: GatewayError | None = None
        self._changed = asyncio.Event()  # set once for each change, then replaced
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> Ready | None:
        """What the process said of its model; None while it is not there."""
        return self._ready

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
        found: asyncio.Future[Stats] = asyncio.get_running_loop().create_future()
        if not self._send(Probe(request_id)):
            raise Broken("the model's process is not running")
        self._probes[request_id] = found
        return found

    def forget(self, answer: Answer) -> None:
        """Take no more parts of an answer, and say so to the process if more would come."""
        if self._answers.pop(answer.request_id, None) is not None and not answer.is_over:
            self._send(Cancel(answer.request_id))

    def _send(self, message: FromGateway) -> bool:
        return self._connection is not None and self._connection.send(message)

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while self._failure is None:
            try:
                _, connection = await loop.create_unix_connection(
                    lambda: _Connection(self._received), str(self._socket)
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
                found = self._probes.pop(message.request_id, None)
                if found is not None and not found.done():
                    found.set_result(message)
            case _:
                answer = self._answers.get(message.request_id)
                if answer is not None:  # otherwise it was given up meanwhile
                    answer.add(message)

    def _disconnected(self) -> None:
        self._connection = self._ready = None
        answers, self._answers = self._answers, {}
        probes, self._probes = self._probes, {}
        for answer in answers.values():
            if not answer.is_over:
                answer.fail("the model's process ended")
        for found in probes.values():
            if not found.done():
                found.set_exception(Broken("the model's process ended"))
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class _Connection(asyncio.Protocol):
    """One connection, until it is lost."""

    def __init__(self, on_message: Callable[[FromChild], None]) -> None:
        self._on_message = on_message
        self._reader: MessageReader[FromChild] = MessageReader(cast(type[FromChild], FromChild))
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()

    def send(self, message: FromGateway) -> bool:
        """Write a message; False if the connection is lost."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(encode_message(message))
        return True

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except FramingError:
            self.close()
            return
        for message in messages:
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.lost.set()
