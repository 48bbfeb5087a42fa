"""The bookkeeper as a real process: what it says, when it drains, how it ends."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipstream.framing import MessageReader
from slipstream.ledger.journal import Journal
from slipstream.ledger.notices import (
    KeysChanged,
    Notice,
    Ready,
    Refused,
    bookkeeper_command,
    journal_directory,
)
from slipstream.ledger.segments import list_segments
from slipstream.ledger.store import sqlite_url
from slipstream.limits.keys import create_key, digest_of, revoke_key
from tests.ledger.samples import new_home, opened, settled, store_in

_LIMIT_S = 30.0
_MAX_RSS_KIB = 35 * 1024


class _Child:
    """A bookkeeper, and what it has said."""

    def __init__(self, home: Path, url: str | None = None) -> None:
        command = bookkeeper_command(home, url or sqlite_url(home))
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._reader = MessageReader[Notice](Notice)  # type: ignore[arg-type]
        self._heard: list[Notice] = []

    def hear(self) -> Notice:
        """Return the next notice."""
        assert self.process.stdout is not None
        deadline_s = time.monotonic() + _LIMIT_S
        while not self._heard:
            left_s = deadline_s - time.monotonic()
            readable, _, _ = select.select([self.process.stdout], [], [], max(0.0, left_s))
            assert readable, "the bookkeeper says nothing"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the bookkeeper has ended"
            self._heard += self._reader.feed(data)
        return self._heard.pop(0)

    def end(self) -> int:
        """Close its standard input, as a parent that dies does; return its exit status."""
        self.process.communicate(timeout=_LIMIT_S)
        return self.process.returncode


@contextmanager
def _bookkeeper(home: Path, url: str | None = None) -> Iterator[_Child]:
    child = _Child(home, url)
    try:
        yield child
    finally:
        child.process.kill()
        child.process.communicate(timeout=_LIMIT_S)


def _num_attempts(home: Path) -> int:
    with store_in(home) as store:
        return int(store.execute("SELECT count(*) FROM attempts")[0][0])


def _until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline_s, "it never came to be so"
        time.sleep(0.02)


def _record(journal: Journal, name: str, number: int) -> None:
    for each in range(number):
        journal.open(opened(f"{name}-{each}"))
        journal.settle(settled(f"{name}-{each}"))


@pytest.fixture(scope="module")
def ready_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an installation whose schema is current."""
    return new_home(tmp_path_factory.mktemp("home"))


def test_bookkeeper_of_a_fresh_installation_migrates_and_reports_ready(tmp_path: Path) -> None:
    """The first start makes the database; there are no keys yet."""
    with _bookkeeper(tmp_path / "home") as child:
        assert child.hear() == Ready({})
        assert child.end() == 0
    assert _num_attempts(tmp_path / "home") == 0


def test_bookkeeper_drains_several_workers_while_they_write(ready_home: Path) -> None:
    """Rows appear while the writers live; those in flight have none."""
    before = _num_attempts(ready_home)
    with _bookkeeper(ready_home) as child:
        assert isinstance(child.hear(), Ready)
        workers = [Journal(journal_directory(ready_home)) for _ in range(2)]
        for number, journal in enumerate(workers):
            journal.open(opened(f"flight-{number}"))
            _record(journal, f"live-{number}", 50)
        _until(lambda: _num_attempts(ready_home) == before + 100)
        for number, journal in enumerate(workers):
            journal.settle(settled(f"flight-{number}"))
            journal.close()
        _until(lambda: _num_attempts(ready_home) == before + 102)
        _until(lambda: list_segments(journal_directory(ready_home)) == [])
        assert child.end() == 0


def test_bookkeeper_sends_the_keys_again_when_they_change(ready_home: Path) -> None:
    """Another process makes and revokes a key; the gateway hears of both within seconds."""
    with _bookkeeper(ready_home) as child, store_in(ready_home) as store:
        assert child.hear() == Ready({})
        record, token = create_key(store, "bob", time.time_ns())
        assert child.hear() == KeysChanged({digest_of(token): (record.key_id, "bob")})
        revoke_key(store, "bob", time.time_ns())
        assert child.hear() == KeysChanged({})


@pytest.mark.parametrize("how", ["end of stdin", "SIGTERM"])
def test_bookkeeper_drains_a_last_time_before_it_ends(ready_home: Path, how: str) -> None:
    """What was written just before the owner goes is in the ledger when the process is gone."""
    before = _num_attempts(ready_home)
    with _bookkeeper(ready_home) as child:
        assert isinstance(child.hear(), Ready)
        journal = Journal(journal_directory(ready_home))
        _record(journal, how, 2000)
        journal.open(opened(f"{how}-lost"))
        journal.close()
        if how == "SIGTERM":
            child.process.send_signal(signal.SIGTERM)
            assert child.process.wait(_LIMIT_S) == 0
        else:
            assert child.end() == 0
    assert _num_attempts(ready_home) == before + 2001
    assert list_segments(journal_directory(ready_home)) == []


def test_bookkeeper_ignores_ctrl_c_which_its_owner_handles(ready_home: Path) -> None:
    """A terminal's Ctrl-C reaches the whole group; the ledger outlives the gateway's shutdown."""
    with _bookkeeper(ready_home) as child:
        assert isinstance(child.hear(), Ready)
        child.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            child.process.wait(0.3)
        assert child.end() == 0


def test_bookkeeper_killed_and_started_again_goes_on_where_it_was(ready_home: Path) -> None:
    """SIGKILL in the middle of its work costs no row and doubles none."""
    before = _num_attempts(ready_home)
    journal = Journal(journal_directory(ready_home), segment_bytes=300_000)
    _record(journal, "kill", 6000)
    for _ in range(3):
        with _bookkeeper(ready_home) as child:
            assert isinstance(child.hear(), Ready)
            time.sleep(0.02)
            child.process.kill()
            child.process.wait(_LIMIT_S)
    journal.close()
    with _bookkeeper(ready_home) as child:
        assert isinstance(child.hear(), Ready)
        assert child.end() == 0
    assert _num_attempts(ready_home) == before + 6000


def test_bookkeeper_refuses_a_newer_schema_and_says_so(tmp_path: Path) -> None:
    """The owner reads the reason as a notice; the process ends with status 1."""
    with store_in(new_home(tmp_path)) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    with _bookkeeper(tmp_path) as child:
        notice = child.hear()
        assert isinstance(notice, Refused)
        assert "9999" in notice.message
        assert child.process.wait(_LIMIT_S) == 1


def test_bookkeeper_whose_owner_stops_listening_ends(ready_home: Path) -> None:
    """A closed standard output is an owner that is gone."""
    with _bookkeeper(ready_home) as child, store_in(ready_home) as store:
        assert isinstance(child.hear(), Ready)
        assert child.process.stdout is not None
        child.process.stdout.close()
        create_key(store, "mallory", time.time_ns())
        assert child.process.wait(_LIMIT_S) == 0
        revoke_key(store, "mallory", time.time_ns())


def test_bookkeeper_stays_small_and_nice(ready_home: Path) -> None:
    """After a thousand attempts it takes at most 35 MiB, and yields to the gateway."""
    with _bookkeeper(ready_home) as child:
        assert isinstance(child.hear(), Ready)
        journal = Journal(journal_directory(ready_home))
        before = _num_attempts(ready_home)
        _record(journal, "small", 3000)
        _until(lambda: _num_attempts(ready_home) == before + 3000)
        journal.close()
        status = Path(f"/proc/{child.process.pid}/status").read_text()
        rss_kib = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmRSS"))
        assert rss_kib <= _MAX_RSS_KIB
        assert os.getpriority(os.PRIO_PROCESS, child.process.pid) >= 5


def test_bookkeeper_imports_nothing_heavy() -> None:
    """No asyncio, SQLAlchemy, Alembic, pydantic, price list or OpenSSL in this process."""
    code = (
        "import sys, slipstream.bookkeeper; heavy = {'asyncio', 'sqlalchemy', 'alembic', "
        "'pydantic', 'genai_prices', 'slipstream.catalog', '_hashlib'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=_LIMIT_S, check=True
    )
    assert done.stdout.strip() == "[]"
