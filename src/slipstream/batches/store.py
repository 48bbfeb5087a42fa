"""Every file and batch of this installation, and the rules between them.

    FOLDER/files/…                  see files.py
    FOLDER/batches/batch_….json     a batch's record

One process uses the folder. A record's change is on disk before anybody sees it; one change is made
at a time. The answers of a batch that runs are contents of files that have no record yet.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from slipstream.batches.files import Files
from slipstream.batches.lines import MAX_FILE_BYTES
from slipstream.batches.records import BatchRecord, Counts, is_batch_id
from slipstream.batches.refusals import Conflict, NotFound, TooManyBatches
from slipstream.batches.shelf import Shelf, oldest_first
from slipstream.errors import ConfigError

MAX_KEY_BATCHES: Final = 10_000  # beyond, the oldest that ended is forgotten for a new one
BATCH_LIFE_S: Final = 30 * 24 * 3600  # after its end


class Store:
    """Files and batches; used on one event loop, by one process.

    Args:
        folder: Made if missing.
        now_s: The wall clock.
        max_file_bytes: Of an uploaded file.
        max_key_bytes: Of all files of one key.
        max_active: Batches of one key that have not ended.
    """

    def __init__(
        self,
        folder: Path,
        *,
        now_s: Callable[[], float] = time.time,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_key_bytes: int = 10 * 1024 * 1024 * 1024,
        max_active: int = 10,
    ) -> None:
        self._folder: Final = folder
        self.now_s: Final = now_s
        self._max_active = max_active
        self._last_ns = 0
        self.files: Final = Files(
            folder / "files",
            now_s=now_s,
            next_ns=self._next_ns,
            max_file_bytes=max_file_bytes,
            max_key_bytes=max_key_bytes,
        )
        self._shelf = Shelf(folder / "batches", BatchRecord, is_batch_id)
        self._counts: dict[str, Counts] = {}  # of batches that run
        self._lock = asyncio.Lock()

    def open(self) -> None:
        """Read what is on disk and delete what a killed process left half done.

        Raises:
            ConfigError: The folder cannot be used.
        """
        try:
            newest_file_ns = self.files.open()
            self._shelf.open()
            # A record that we cannot read may own any of the contents without a record.
            if not self._shelf.num_unreadable:
                running = [record for record in self._shelf if not record.is_final]
                owned = {r.output_file_id for r in running} | {r.error_file_id for r in running}
                self.files.delete_leftovers(owned)
        except OSError as exc:
            raise ConfigError(f"batches cannot be kept in {self._folder}: {exc}") from exc
        self._last_ns = max([newest_file_ns, *(r.created_at_ns for r in self._shelf)])

    def get(self, key_id: str, batch_id: str) -> BatchRecord:
        """Return a batch of a key; NotFound if it has none of that id."""
        record = self._shelf.get(batch_id)
        if record is None or record.key_id != key_id:
            raise NotFound(f"You have no batch with the id '{batch_id[:100]}'.")
        return self.known(batch_id)

    def of_key(self, key_id: str) -> list[BatchRecord]:
        """Return all batches of a key, oldest first."""
        return [self.known(record.id) for record in self._shelf.of_key(key_id)]

    def known(self, batch_id: str) -> BatchRecord:
        """Return a batch that there is, with its newest counts."""
        record = self._shelf.get(batch_id)
        assert record is not None, "the caller knows it"
        counts = self._counts.get(batch_id, record.counts)
        return msgspec.structs.replace(record, counts=counts)

    def unfinished(self) -> list[str]:
        """Return the ids of the batches that have not ended, oldest first."""
        return [record.id for record in oldest_first(self._shelf) if not record.is_final]

    def count(self, batch_id: str, counts: Counts) -> None:
        """Note how far a batch is; what is counted is on disk already, as its answers."""
        self._counts[batch_id] = counts

    async def create(self, make: Callable[[int], BatchRecord]) -> BatchRecord:
        """Add a batch.

        Args:
            make: From the time of its creation, in ns, to its record.

        Raises:
            NotFound: Its input file is not there, or not any more.
            TooManyBatches: Too many of its key have not ended.
            StorageUnavailable: The disk does not take the record.
        """
        async with self._lock:
            record = make(self._next_ns())
            self.files.get(record.key_id, record.input_file_id, param="input_file_id")
            await self._make_room(record.key_id)
            await self._shelf.put(record)
            return record

    async def change(
        self, batch_id: str, change: Callable[[BatchRecord], BatchRecord]
    ) -> BatchRecord:
        """Replace a batch's record; StorageUnavailable, and all as it was, if the disk refuses."""
        async with self._lock:
            record = change(self.known(batch_id))
            await self._shelf.put(record)
            if record.is_final:
                self._counts.pop(batch_id, None)
            return record

    async def delete_file(self, key_id: str, file_id: str) -> None:
        """Delete a file for good.

        Raises:
            NotFound: The key has no such file.
            Conflict: A batch that has not ended reads it.
            StorageUnavailable: The disk refuses.
        """
        async with self._lock:
            self.files.get(key_id, file_id)
            reader = self._readers().get(file_id)
            if reader is not None:
                raise Conflict(
                    f"The batch '{reader}' reads this file: cancel it, or wait for its end."
                )
            await self.files.delete(file_id)

    async def sweep(self) -> None:
        """Delete files that have expired and batches that ended long ago."""
        async with self._lock:
            readers = self._readers()
            for file_id in self.files.expired():
                if file_id not in readers:
                    await self.files.delete(file_id)
            over_s = self.now_s() - BATCH_LIFE_S
            for record in tuple(self._shelf):
                if record.ended_at_s is not None and record.ended_at_s <= over_s:
                    await self._shelf.remove(record.id)

    def _readers(self) -> dict[str, str]:
        """Return each file that a batch reads which has not ended, and one such batch."""
        return {r.input_file_id: r.id for r in self._shelf if not r.is_final}

    async def _make_room(self, key_id: str) -> None:
        batches = self._shelf.of_key(key_id)
        ended = [record.id for record in batches if record.is_final]
        num_active = len(batches) - len(ended)
        if num_active >= self._max_active:
            raise TooManyBatches(
                f"{num_active} of your batches have not ended, as many as may be at once. "
                "Wait for one, or cancel one."
            )
        if len(batches) >= MAX_KEY_BATCHES:
            await self._shelf.remove(ended[0])

    def _next_ns(self) -> int:
        """Return the time, later than that of any record."""
        self._last_ns = max(self._last_ns + 1, int(self.now_s() * 10**9))
        return self._last_ns
