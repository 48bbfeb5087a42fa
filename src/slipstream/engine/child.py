"""The process that runs one model: `python -m slipstream.engine.child`.

Serves the messages of protocol.py on a Unix socket, to any number of gateway workers. Logs to
standard error, one line per event with its level first, and never a prompt or an answer.

It ends with its parent, whatever ends that: on SIGTERM, when its standard input reaches its end
(the parent holds the other end open), and, on Linux, by the kernel's parent-death signal.

Exit status: 0 after a stop, 78 where starting again cannot help (the model cannot be loaded),
70 where it can (the engine's thread failed).
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from slipstream import process
from slipstream.engine.channel import Channel
from slipstream.engine.engine import Engine, Said
from slipstream.engine.figures import no_stats
from slipstream.engine.loading import load_model
from slipstream.engine.model import LoadedEmbedder, LoadedModel
from slipstream.engine.protocol import (
    Cancel,
    Count,
    Embed,
    Failed,
    FromChild,
    FromGateway,
    Generate,
    Probe,
)
from slipstream.engine.settings import EngineSettings
from slipstream.errors import BadRequest, GatewayError, LoadFailed, Overloaded

_EXIT_CANNOT_LOAD: Final = process.EXIT_IS_FINAL
_EXIT_ENGINE_FAILED: Final = 70
_STOP_WITHIN_S: Final = 10  # then the kernel ends the process, whatever native code is doing

log = logging.getLogger("slipstream.engine")

_Key = tuple[Channel, int]


class Child:
    """The socket's side of the process; all methods run on the event loop."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._channels: set[Channel] = set()
        self._preparing: dict[_Key, asyncio.Task[None]] = {}
        # Templates and tokenisers have a thread of their own: a long prompt stalls no answer.
        self._text = ThreadPoolExecutor(1, thread_name_prefix="text")
        self._model: LoadedModel | LoadedEmbedder | None = None
        self._engine: Engine | None = None

    def open_channel(self) -> Channel:
        """Return the protocol of a new connection."""
        return Channel(on_open=self._opened, on_message=self._received, on_close=self._closed)

    async def load(self, directory: Path) -> Engine | None:
        """Load the model and tell everyone who waits.

        Returns:
            The engine, to be run in a thread; None for a model that makes vectors only.
        """
        loop = asyncio.get_running_loop()
        model = await loop.run_in_executor(self._text, load_model, directory, self._settings)

        def emit(pairs: Said) -> None:
            if pairs:
                with contextlib.suppress(RuntimeError):  # the loop closed: nobody listens
                    loop.call_soon_threadsafe(_deliver, pairs)

        if isinstance(model, LoadedModel):
            self._engine = Engine(
                model.runner,
                model.scheduler,
                model.pool,
                model.costs,
                emit=emit,
                clock=time.monotonic,
                paces_prompts=model.paces_prompts,
            )
        self._model = model
        for channel in self._channels:
            channel.send([model.ready])
        return self._engine

    def close(self) -> None:
        """Drop all connections and what is being prepared."""
        for task in self._preparing.values():
            task.cancel()
        for channel in self._channels:
            channel.close()
        self._text.shutdown(wait=False, cancel_futures=True)

    def _opened(self, channel: Channel) -> None:
        self._channels.add(channel)
        if self._model is not None:
            channel.send([self._model.ready])

    def _closed(self, channel: Channel) -> None:
        self._channels.discard(channel)
        for key in [key for key in self._preparing if key[0] is channel]:
            self._preparing[key].cancel()
        if self._engine is not None:
            self._engine.cancel_all(channel)

    def _received(self, channel: Channel, message: FromGateway) -> None:
        if self._model is None:  # not before Ready: a gateway that does not keep to the protocol
            channel.close()
            return
        key = (channel, message.request_id)
        match message:
            case Generate() | Embed() | Count():
                self._prepare(key, message)
            case Cancel():
                if task_found := self._preparing.get(key):
                    task_found.cancel()
                if self._engine is not None:
                    self._engine.cancel(key)
            case Probe() if self._engine is not None:
                self._engine.probe(channel, message.request_id)
            case Probe():
                channel.send([no_stats(message.request_id)])

    def _prepare(self, key: _Key, message: Generate | Embed | Count) -> None:
        """Carry out what a request needs before, or in place of, the engine's steps."""
        if len(self._preparing) >= self._settings.max_queued:
            refusal = Overloaded("too many prompts are being read", retry_after_s=1.0)
            key[0].send([Failed.of(key[1], refusal)])
            return
        match message:
            case Generate():
                work = self._generate(key, message)
            case Count():
                work = self._count(key, message)
            case Embed():
                work = self._embed(key, message)
        task = asyncio.create_task(_or_fail(key, work))
        self._preparing[key] = task
        task.add_done_callback(lambda _: self._preparing.pop(key, None))

    async def _generate(self, key: _Key, message: Generate) -> None:
        """Turn messages into tokens and hand them to the engine."""
        model, channel, now_s = self._model, key[0], time.monotonic()
        if self._engine is None or not isinstance(model, LoadedModel):
            raise _no_prompts()
        make = partial(model.make_request, message, key=key, reply=channel, now_s=now_s)
        self._engine.submit(await asyncio.get_running_loop().run_in_executor(self._text, make))

    async def _count(self, key: _Key, message: Count) -> None:
        """Turn messages into tokens, and say how many they are."""
        model = self._model
        if not isinstance(model, LoadedModel):
            raise _no_prompts()
        count = partial(model.count, message)
        key[0].send([await asyncio.get_running_loop().run_in_executor(self._text, count)])

    async def _embed(self, key: _Key, message: Embed) -> None:
        """Make vectors."""
        model = self._model
        if not isinstance(model, LoadedEmbedder):
            raise BadRequest("This model answers prompts and makes no vectors.", param="model")
        make = partial(model.embed, message)
        key[0].send([await asyncio.get_running_loop().run_in_executor(self._text, make)])


def _no_prompts() -> BadRequest:
    return BadRequest("This model makes vectors and answers no prompts.", param="model")


async def _or_fail(key: _Key, work: Coroutine[None, None, None]) -> None:
    """Do the work, or say why it cannot be done."""
    try:
        await work
    except GatewayError as error:
        key[0].send([Failed.of(key[1], error)])


def _deliver(pairs: list[tuple[object, FromChild]]) -> None:
    """Hand a step's messages to their channels, each in one write."""
    by_channel: dict[Channel, list[FromChild]] = {}
    for channel, message in pairs:
        assert isinstance(channel, Channel)
        by_channel.setdefault(channel, []).append(message)
    for channel, messages in by_channel.items():
        channel.send(messages)


async def serve(directory: Path, socket: Path, settings: EngineSettings) -> int:
    """Serve until told to stop; return the exit status."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not stop.done():
            signal.alarm(_STOP_WITHIN_S)
            stop.set_result(status)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, 0)
    process.watch_lifeline(lambda: _end_soon(loop, end, 0))
    child = Child(settings)
    loading = asyncio.create_task(_load_and_run(child, directory, end))
    try:
        server = await _listen(child, socket)
        status = await stop
        server.close()
    finally:
        loading.cancel()
        child.close()
        _remove(socket)
    return status


async def _load_and_run(child: Child, directory: Path, end: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    try:
        engine = await child.load(directory)
    except LoadFailed as exc:
        log.error("%s", exc.message)
        end(_EXIT_CANNOT_LOAD)
        return

    if engine is None:
        return

    def work() -> None:
        status = _EXIT_ENGINE_FAILED
        try:
            engine.run()
            status = 0
        finally:  # an error is printed by the thread's hook; the process is started afresh
            _end_soon(loop, end, status)

    threading.Thread(target=work, name="engine", daemon=True).start()


def _end_soon(loop: asyncio.AbstractEventLoop, end: Callable[[int], None], status: int) -> None:
    """Call `end` on the loop, from another thread."""
    with contextlib.suppress(RuntimeError):  # the loop has closed: we are ending anyway
        loop.call_soon_threadsafe(end, status)


async def _listen(child: Child, socket: Path) -> asyncio.Server:
    _make_room(socket)
    return await asyncio.get_running_loop().create_unix_server(child.open_channel, str(socket))


def _make_room(socket: Path) -> None:
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)  # of a process that was killed


def _remove(socket: Path) -> None:
    """Remove the socket and the directory that was made for it."""
    with contextlib.suppress(OSError):
        socket.unlink()
        socket.parent.rmdir()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one model until told to stop."""
    parser = argparse.ArgumentParser(prog="slipstream.engine.child", description=__doc__)
    parser.add_argument("--model-dir", type=Path, required=True, help="a prepared model")
    parser.add_argument(
        "--socket", type=Path, required=True, help="in a directory of its own, removed at the end"
    )
    parser.add_argument("--settings", default="{}", help="EngineSettings as JSON")
    args = parser.parse_args(argv)
    process.die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings = msgspec.json.decode(args.settings, type=EngineSettings)
    return asyncio.run(serve(args.model_dir, args.socket, settings))


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # Native threads may still be inside a step: leave without waiting for them.
    sys.stderr.flush()
    os._exit(status)
