"""The gateway's end of its bookkeeper: starts the process and hears which keys are valid.

The bookkeeper is a process of its own so that no disk can stall a stream, and so that the ledger
is brought up to date even when the gateway is killed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from slipstream.errors import ConfigError
from slipstream.framing import FramingError, MessageReader
from slipstream.ledger.notices import KeysChanged, Notice, Ready, Refused, bookkeeper_command
from slipstream.limits.keys import digest_of
from slipstream.process import Supervised

_logger = logging.getLogger(__name__)

START_S = 30.0  # a migration of a large database may take a while
STOP_S = 15.0  # for the last drain


class KeyRing:
    """The valid keys, as the bookkeeper last said.

    A key is found by its SHA-256 in a dict. Comparing digests of what a caller chose leaks nothing
    about other keys, so nothing here needs to take constant time.
    """

    __slots__ = ("_key_ids", "_names")

    def __init__(self) -> None:
        self._key_ids: Mapping[bytes, str] = {}
        self._names: Mapping[str, str] = {}

    def __len__(self) -> int:
        return len(self._key_ids)

    def replace(self, keys: Mapping[bytes, tuple[str, str]]) -> None:
        """Take these keys, id and name by digest, in place of all others."""
        self._key_ids = {digest: key_id for digest, (key_id, _) in keys.items()}
        self._names = dict(keys.values())

    def find(self, key: str) -> str | None:
        """Return the id of a key, or None if it is not valid."""
        return self._key_ids.get(digest_of(key))

    def name_of(self, key_id: str) -> str | None:
        """Return the name of a valid key, or None if there is none of this id."""
        return self._names.get(key_id)


@asynccontextmanager
async def keeping_books(
    home: Path, database_url: str, *, start_s: float = START_S
) -> AsyncIterator[KeyRing]:
    """Run a bookkeeper while the context is open; yield the keys that it reports.

    When the context closes, the bookkeeper drains what is left and ends.

    Raises:
        ConfigError: The database cannot be used, or there was no word of it for `start_s`.
    """
    ring = KeyRing()
    first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    readers: list[MessageReader[Notice]] = []

    def begin() -> None:
        readers[:] = [MessageReader(Notice)]  # type: ignore[arg-type]

    def hear(data: bytes) -> None:
        try:
            notices = readers[0].feed(data)
        except FramingError as exc:
            _logger.error("the bookkeeper said something that is no notice: %s", exc)
            return
        for notice in notices:
            _take(notice, ring, first)

    process = Supervised(
        "bookkeeper",
        bookkeeper_command(home, database_url),
        on_stdout=hear,
        on_up=begin,
        grace_s=STOP_S,
    )
    try:
        await process.start()
        await _until_ready(first, process, start_s)
        yield ring
    finally:
        await process.stop()


async def _until_ready(first: asyncio.Future[None], process: Supervised, start_s: float) -> None:
    try:
        async with asyncio.timeout(start_s):
            await first
    except TimeoutError as exc:
        raise ConfigError(
            f"the ledger's process did not come up within {start_s:g} s; "
            f"its last words: {process.last_words or 'none'}"
        ) from exc


def _take(notice: Notice, ring: KeyRing, first: asyncio.Future[None]) -> None:
    match notice:
        case Ready(keys) | KeysChanged(keys):
            ring.replace(keys)
            if not first.done():
                first.set_result(None)
        case Refused(message):
            if first.done():
                _logger.error("the bookkeeper cannot work, attempts wait in files: %s", message)
            else:
                first.set_exception(ConfigError(message))
