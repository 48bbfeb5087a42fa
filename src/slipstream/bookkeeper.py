"""The process that keeps the ledger: `python -m slipstream.bookkeeper --home DIR --database URL`.

Started and owned by the gateway, whose event loop never touches a database. It brings the schema up
to date, sends the valid keys, moves the journals of all workers into the database, and sends the
keys again whenever they change. It ends, after a last drain, when its standard input ends or on
SIGTERM. Small on purpose: no asyncio, no SQLAlchemy, no price list.
"""

import argparse
import contextlib
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from slipstream.errors import GatewayError, LedgerUnavailable
from slipstream.framing import encode_message
from slipstream.ledger.drain import drain, has_news
from slipstream.ledger.notices import KeysChanged, Notice, Ready, Refused, journal_directory
from slipstream.ledger.store import Store, open_store, sqlite_url
from slipstream.limits.snapshot import load_snapshot, snapshot_version

BUSY_POLL_S: Final = 0.05
IDLE_POLL_S: Final = 0.5
FAILED_POLL_S: Final = 2.0
LAST_DRAIN_S: Final = 1.0
_NICENESS: Final = (
    15  # a share of 3% of a full core: requests come first, nothing is lost meanwhile
)
_STDIN: Final = 0
_STDOUT: Final = 1

_log = logging.getLogger("slipstream.bookkeeper")


def main(arguments: list[str] | None = None) -> int:
    """Run a bookkeeper until its owner goes away; return the exit status."""
    options = _parse(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    os.nice(_NICENESS)
    with _stop_signals() as wakeup:
        try:
            store = open_store(options.database or sqlite_url(options.home))
        except GatewayError as error:
            with contextlib.suppress(BrokenPipeError):
                _send(Refused(error.message))
            return 1
        directory = journal_directory(options.home)
        with contextlib.closing(store):
            with contextlib.suppress(BrokenPipeError):  # the owner is gone: as if stdin had ended
                _keep_books(store, directory, wakeup)
            return 0 if _drain_last(store, directory) else 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="slipstream.bookkeeper", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the journals lie")
    parser.add_argument("--database", default="", help="URL; a SQLite file in --home if not given")
    return parser.parse_args(arguments)


def _keep_books(store: Store, directory: Path, wakeup: int) -> None:
    """Drain and watch the keys until told to stop."""
    watch = _KeyWatch(store)
    _send(Ready(watch.keys))
    ends: Mapping[str, int] = {}
    wait_s = 0.0
    while not _is_over(wakeup, wait_s):
        try:
            ends, wait_s = _drain_once(store, directory, ends, wait_s)
            if watch.has_changed():
                _send(KeysChanged(watch.keys))
        except LedgerUnavailable as error:
            _log.error("%s; trying again in %g s", error.message, FAILED_POLL_S)
            wait_s = FAILED_POLL_S


def _drain_once(
    store: Store, directory: Path, ends: Mapping[str, int], waited_s: float
) -> tuple[Mapping[str, int], float]:
    """Drain a batch if there is any; return how far all was read, and how long to wait now."""
    if not has_news(directory, ends):
        return ends, min(max(waited_s * 2, BUSY_POLL_S), IDLE_POLL_S)
    done = drain(store, directory)
    return done.ends, 0.0 if done.is_more else BUSY_POLL_S


def _drain_last(store: Store, directory: Path) -> bool:
    """Drain until no journal is left, or no more is to be had; say whether the last one worked.

    The owner's files may stay locked for a moment after its end of our standard input closed.
    """
    deadline_s = time.monotonic() + LAST_DRAIN_S
    while True:
        has_worked = True
        try:
            done = drain(store, directory)
            if done.is_more:
                continue
            if not done.ends:
                return True
        except LedgerUnavailable as error:
            _log.error("last drain: %s", error.message)
            has_worked = False
        if time.monotonic() > deadline_s:
            return has_worked
        time.sleep(BUSY_POLL_S)


class _KeyWatch:
    """The valid keys, and a look at whether they changed, at most every `IDLE_POLL_S`."""

    __slots__ = ("_next_look_s", "_store", "_version", "keys")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = snapshot_version(store)
        self._next_look_s = time.monotonic() + IDLE_POLL_S
        self.keys = load_snapshot(store)

    def has_changed(self) -> bool:
        """Look, if it is time to, and renew `keys`; say whether they may differ now."""
        now_s = time.monotonic()
        if now_s < self._next_look_s:
            return False
        self._next_look_s = now_s + IDLE_POLL_S
        version = snapshot_version(self._store)
        if version == self._version:
            return False
        self._version, self.keys = version, load_snapshot(self._store)
        return True


# ---- the owner ----------------------------------------------------------------------------------


def _send(notice: Notice) -> None:
    """Write a notice whole.

    Raises:
        BrokenPipeError: The owner is gone.
    """
    data = memoryview(encode_message(notice))
    while data:
        data = data[os.write(_STDOUT, data) :]


def _is_over(wakeup: int, wait_s: float) -> bool:
    """Wait; say whether standard input ended or a signal asked to stop."""
    readable, _, _ = select.select([_STDIN, wakeup], [], [], wait_s)
    return wakeup in readable or (_STDIN in readable and not os.read(_STDIN, 4096))


@contextlib.contextmanager
def _stop_signals() -> Iterator[int]:
    """Turn SIGTERM into a readable file; leave Ctrl-C to the owner, who gets it too."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


if __name__ == "__main__":
    sys.exit(main())
