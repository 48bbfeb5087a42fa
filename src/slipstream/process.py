"""A child process that is kept alive, and that never outlives us.

Parent's side: `Supervised` starts it, starts it again when it ends, and stops it.

    stopped ──start──▶ up ──it ends──▶ waiting (back-off) ──▶ up …        stop: from anywhere
                        └──exit status 78──▶ given up

 1. The wait doubles with each end, up to a bound, with jitter; it is forgotten once a child has
    lived `settled_s`. A child that ends at once is tried for ever, at the bound's pace.
 2. Exit status 78 (EX_CONFIG of sysexits.h) says that starting again cannot help: it is obeyed.
 3. Standard input is a pipe that stays open: its end tells the child that we are gone, however
    we went. It also carries `send`. Standard error goes to `logging`, line by line.

Child's side: `die_with_parent` and `watch_lifeline`. Nothing here knows what a child does.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

EXIT_IS_FINAL: Final = 78

_LINE_CHARS: Final = 2_000  # of one line of standard error; the rest of it is dropped
_READ_BYTES: Final = 64 * 1024
_LEVELS: Final = logging.getLevelNamesMapping()
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


class Supervised:
    """One child process, started again whenever it ends. All methods on one event loop."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        on_stdout: Callable[[bytes], None] | None = None,
        on_up: Callable[[], None] | None = None,
        on_down: Callable[[int | None], None] | None = None,
        backoff_s: tuple[float, float] = (0.1, 10.0),
        settled_s: float = 30.0,
        grace_s: float = 5.0,
        rng: random.Random | None = None,
    ) -> None:
        """Describe the child; nothing is started yet.

        Args:
            name: Of the child, for the log.
            env: All of its environment; None hands on ours.
            on_stdout: Gets what it writes to standard output as it comes; without it, nothing
                is piped and its output is discarded.
            on_up: Called when a process was started, before it is known to work.
            on_down: Called with its exit status (negative: a signal) when it ended without
                `stop`, or None where it could not be started at all.
            backoff_s: First and longest wait before it is started again.
            settled_s: A child that lived this long has its ends forgotten.
            grace_s: From SIGTERM to SIGKILL in `stop`.
            rng: For the jitter, each wait being between half and all of what rule 1 says.
        """
        self._name, self._argv, self._env = name, tuple(argv), env
        self._on_stdout, self._on_up, self._on_down = on_stdout, on_up, on_down
        self._backoff_s, self._settled_s, self._grace_s = backoff_s, settled_s, grace_s
        self._rng = rng or random.Random()  # noqa: S311 -- spreads load, keeps no secret
        self._log = logging.getLogger(f"slipstream.{name}")
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_words = ""
        self._num_starts = 0
        self._has_given_up = False

    @property
    def is_up(self) -> bool:
        """Whether a process is running."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None and self.is_up else None

    @property
    def num_starts(self) -> int:
        """How often it was started so far."""
        return self._num_starts

    @property
    def has_given_up(self) -> bool:
        """Whether the child said that starting it again cannot help."""
        return self._has_given_up

    @property
    def last_words(self) -> str:
        """The last line of its standard error, without its level."""
        return self._last_words

    async def start(self) -> None:
        """Start the child and keep it alive until `stop`; returns after the first attempt."""
        assert self._task is None, "it is started once"
        started = asyncio.Event()
        self._task = asyncio.create_task(self._keep_alive(started))
        await started.wait()

    async def stop(self) -> None:
        """End the child: SIGTERM, then SIGKILL after `grace_s`. Safe to call at any time."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def send(self, data: bytes) -> bool:
        """Write to its standard input; False, and nothing written, if no process is up."""
        if self._process is None or self._process.stdin is None or not self.is_up:
            return False
        if self._process.stdin.is_closing():
            return False
        self._process.stdin.write(data)
        return True

    async def drain(self) -> None:
        """Wait until the child has taken most of what was sent; returns if it goes away."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                await self._process.stdin.drain()

    async def _keep_alive(self, started: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        num_ends = 0
        while not self._has_given_up:
            began_s = clock()
            status = await self._live(started)
            num_ends = 1 if clock() - began_s >= self._settled_s else num_ends + 1
            self._has_given_up = status == EXIT_IS_FINAL
            if self._on_down is not None:
                self._on_down(status)
            wait_s = self._wait_s(num_ends)
            if self._has_given_up:
                self._log.error("%s cannot run: %s", self._name, self._last_words)
                return
            self._log.warning("%s ended (%s); again in %.1f s", self._name, status, wait_s)
            await asyncio.sleep(wait_s)

    def _wait_s(self, num_ends: int) -> float:
        first_s, longest_s = self._backoff_s
        full_s = min(longest_s, first_s * 2.0 ** min(num_ends - 1, 32))
        return full_s * self._rng.uniform(0.5, 1.0)

    async def _live(self, started: asyncio.Event) -> int | None:
        """Start one process and wait for its end; when cancelled, end it."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                env=self._env,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if self._on_stdout else asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as exc:
            self._last_words = f"{self._argv[0]}: {exc.strerror}"
            started.set()
            return None
        self._process = process
        self._num_starts += 1
        readers = asyncio.gather(self._forward_stdout(process), self._forward_stderr(process))
        try:
            if self._on_up is not None:
                self._on_up()
            started.set()
            return await process.wait()
        finally:
            await self._end(process)
            # A grandchild may hold the pipes open: what is left of the output is not waited for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await readers

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self._grace_s):
                await process.wait()
        except TimeoutError:
            self._log.warning("%s did not end within %g s: killed", self._name, self._grace_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _forward_stdout(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None or self._on_stdout is None:
            return
        while data := await process.stdout.read(_READ_BYTES):
            self._on_stdout(data)

    async def _forward_stderr(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None, "it is a pipe"
        rest = b""
        while data := await process.stderr.read(_READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._log_line(line)
            rest = rest[:_LINE_CHARS]
        if rest:
            self._log_line(rest)

    def _log_line(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace").rstrip()[:_LINE_CHARS]
        word, _, message = text.partition(" ")
        level = _LEVELS.get(word)
        words = text if level is None else message
        if words:
            self._last_words = words
            self._log.log(logging.INFO if level is None else level, "%s", words)


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when our parent ends. Linux only; does nothing elsewhere.

    A parent that ended already is not noticed: `watch_lifeline` notices that.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def watch_lifeline(on_end: Callable[[], None], fd: int = 0) -> None:
    """Call `on_end`, in a thread of its own, when the pipe from our parent has ended.

    For a child whose standard input carries nothing; what comes on it is dropped.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(fd, _READ_BYTES):
                pass
        on_end()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
