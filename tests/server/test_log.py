"""The canonical log: lines in order, bounded, and never a reason to wait."""

import asyncio
import os
from pathlib import Path

import pytest

from slipstream.errors import ConfigError
from slipstream.server.log import MAX_WAITING_LINES, CanonicalLog, open_log


class Later:
    """Stands for the loop's timers: keeps what is to be called, and calls it when told."""

    def __init__(self) -> None:
        self.handles: list[asyncio.TimerHandle] = []

    def __call__(self, delay_s: float, callback: object) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        handle = asyncio.TimerHandle(loop.time() + delay_s, callback, (), loop)  # type: ignore[arg-type]
        self.handles.append(handle)
        return handle

    def run(self) -> int:
        """Call what is due; return how much that was."""
        due = [handle for handle in self.handles if not handle.cancelled()]
        self.handles = []
        for handle in due:
            handle._run()
        return len(due)


async def test_lines_are_written_in_order_in_one_go(tmp_path: Path) -> None:
    """Lines wait for one timer and are all there after it; nothing runs in between."""
    later, path = Later(), tmp_path / "log"
    with open_log(str(path), later) as log:
        assert log.is_on
        log.write("one")
        log.write("two é")
        assert path.read_text() == ""
        assert later.run() == 1
        assert path.read_text() == "one\ntwo é\n"
        assert later.run() == 0
        log.write("three")
    assert path.read_text() == "one\ntwo é\nthree\n"
    assert later.run() == 0
    assert path.stat().st_mode & 0o777 == 0o600


async def test_log_that_is_off_keeps_nothing() -> None:
    """Nobody makes or keeps a line that goes nowhere."""
    later = Later()
    with open_log("off", later) as log:
        assert not log.is_on
        log.write("one")
    assert later.run() == 0


async def test_stderr_gets_the_lines(capfd: pytest.CaptureFixture[str]) -> None:
    """The default goes where the operator looks."""
    with open_log("stderr", Later()) as log:
        log.write("one")
    assert capfd.readouterr().err == "one\n"


async def test_file_that_cannot_be_written_is_refused_at_start(tmp_path: Path) -> None:
    """A wrong path is a clear error that names the setting."""
    with (
        pytest.raises(ConfigError, match=r"server\.log: the file .*nowhere"),
        open_log(str(tmp_path / "nowhere" / "log"), Later()),
    ):
        pass


async def test_pipe_that_nobody_reads_does_not_stop_the_writer() -> None:
    """What a full pipe does not take waits; it is written whole once somebody reads.

    It once blocked the event loop, and so every answer, behind a stalled `| less`.
    """
    later = Later()
    reader, writer = os.pipe()
    log = CanonicalLog(writer, later)
    lines = [f"{number:05d} {'x' * 90}" for number in range(3_000)]
    for line in lines:
        log.write(line)
    assert later.run() == 1  # 300 KB into a pipe of 64: it returns
    log.write("last")
    read = b""
    while not read.endswith(b"last\n"):
        read += os.read(reader, 65_536)
        later.run()
    assert read.decode().split("\n") == [*lines, "last", ""]
    assert later.run() == 0
    os.close(reader)
    os.close(writer)


async def test_lines_over_the_bound_are_counted(tmp_path: Path) -> None:
    """A log that cannot be written fast enough loses lines, and says how many."""
    path = tmp_path / "log"
    with open_log(str(path), Later()) as log:
        for _ in range(MAX_WAITING_LINES + 3):
            log.write("x")
    lines = path.read_text().split("\n")
    assert len(lines) == MAX_WAITING_LINES + 2
    assert lines[-2] == "log lines dropped: 3"


async def test_reader_that_went_away_is_no_error() -> None:
    """A broken pipe costs its lines and nothing else; the log goes on."""
    later = Later()
    reader, writer = os.pipe()
    log = CanonicalLog(writer, later)
    os.close(reader)
    log.write("one")
    later.run()
    log.write("two")
    later.run()
    log.close()
    assert later.run() == 0
    os.close(writer)
