"""Every file of this installation: uploaded ones, and those that batches made.

    FOLDER/files/file_….json       a file's record
    FOLDER/files/file_….jsonl      its content

A content without a record is an upload that was cut off, or the answers of a batch that runs: the
first is deleted at the next start. What has expired is invisible at once, and deleted later.
"""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from slipstream.batches.disk import remove
from slipstream.batches.records import (
    DEFAULT_FILE_LIFE_S,
    BatchRecord,
    FileRecord,
    is_file_id,
    new_file_id,
)
from slipstream.batches.refusals import NotFound, StorageFull, StorageUnavailable
from slipstream.batches.shelf import Shelf, on_disk
from slipstream.batches.uploads import Upload
from slipstream.errors import Overloaded

MAX_UPLOADS: Final = 16  # at once; each holds up to two pieces in memory
MAX_KEY_FILES: Final = 10_000

_RETRY_AFTER_S: Final = 5.0  # when too many uploads run: one takes seconds


class Files:
    """Files and their contents; used on one event loop, by one process.

    Args:
        folder: Made if missing.
        now_s: The wall clock.
        next_ns: The same, in ns, never twice the same.
        max_file_bytes: Of an uploaded file.
        max_key_bytes: Of all files of one key.
    """

    def __init__(
        self,
        folder: Path,
        *,
        now_s: Callable[[], float],
        next_ns: Callable[[], int],
        max_file_bytes: int,
        max_key_bytes: int,
    ) -> None:
        self._shelf = Shelf(folder, FileRecord, is_file_id)
        self._now_s, self._next_ns = now_s, next_ns
        self.max_file_bytes: Final = max_file_bytes
        self._max_key_bytes = max_key_bytes
        self._num_uploads = 0

    def open(self) -> int:
        """Read what is on disk; return when the newest file was made, in ns.

        Raises:
            OSError: The folder cannot be used.
        """
        self._shelf.open()
        return max((record.created_at_ns for record in self._shelf), default=0)

    def get(self, key_id: str, file_id: str, *, param: str = "id") -> FileRecord:
        """Return a file of a key; NotFound if it has none of that id, or none any more."""
        record = self._shelf.get(file_id)
        if record is None or record.key_id != key_id or self._is_over(record):
            raise NotFound(f"You have no file with the id '{file_id[:100]}'.", param=param)
        return record

    def of_key(self, key_id: str) -> list[FileRecord]:
        """Return all files of a key, oldest first."""
        return [r for r in self._shelf.of_key(key_id) if not self._is_over(r)]

    def content(self, file_id: str) -> Path:
        """Return where the content of a file is."""
        assert is_file_id(file_id), "never a client's word"
        return self._shelf.folder / f"{file_id}.jsonl"

    def check_room(self, key_id: str, num_bytes: int) -> None:
        """Raise StorageFull if a key has no room for a further file of this size."""
        files = self.of_key(key_id)
        used_bytes = sum(record.num_bytes for record in files)
        if used_bytes + num_bytes > self._max_key_bytes:
            raise StorageFull(
                f"Your files take {used_bytes} of {self._max_key_bytes} bytes; this one has "
                f"{num_bytes}. Delete some first."
            )
        if len(files) >= MAX_KEY_FILES:
            raise StorageFull(f"You have {len(files)} files, as many as may be. Delete some first.")

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[Upload]:
        """Yield an upload, which is gone afterwards if nobody took it; Overloaded if too many."""
        if self._num_uploads >= MAX_UPLOADS:
            raise Overloaded(
                f"{MAX_UPLOADS} files are being received, as many as may be.",
                retry_after_s=_RETRY_AFTER_S,
            )
        file_id = new_file_id()
        upload = Upload(file_id, self.content(file_id), self.max_file_bytes)
        self._num_uploads += 1
        try:
            yield upload
        finally:
            self._num_uploads -= 1
            await upload.discard()

    async def take(
        self, upload: Upload, key_id: str, filename: str, life_s: int = DEFAULT_FILE_LIFE_S
    ) -> FileRecord:
        """Make a file of a whole upload.

        Raises:
            StorageFull: The key has no room left.
            StorageUnavailable: The disk does not take it.
        """
        self.check_room(key_id, upload.num_bytes)
        await upload.finish()
        created_at_ns = self._next_ns()
        record = FileRecord(
            id=upload.file_id,
            key_id=key_id,
            filename=filename,
            purpose="batch",
            num_bytes=upload.num_bytes,
            created_at_ns=created_at_ns,
            expires_at_s=created_at_ns // 10**9 + life_s,
        )
        try:
            await self._shelf.put(record)
        except StorageUnavailable:
            await self.drop_content(record.id)
            raise
        return record

    async def adopt(self, batch: BatchRecord, file_id: str, kind: str) -> None:
        """Make a file of answers of a batch; one that is a file already stays as it is.

        Args:
            kind: Of the answers, for the file's name.
        """
        if self._shelf.get(file_id) is not None:
            return  # made before the process was killed
        stat = await on_disk(self.content(file_id).stat)
        created_at_ns = self._next_ns()
        record = FileRecord(
            id=file_id,
            key_id=batch.key_id,
            filename=f"{batch.id}_{kind}.jsonl",
            purpose="batch_output",
            num_bytes=stat.st_size,
            created_at_ns=created_at_ns,
            expires_at_s=created_at_ns // 10**9 + batch.output_life_s,
        )
        await self._shelf.put(record)

    async def drop_content(self, file_id: str) -> None:
        """Delete a content that no record speaks of."""
        assert self._shelf.get(file_id) is None, "a file is deleted with its record"
        await on_disk(remove, self.content(file_id))

    async def delete(self, file_id: str) -> None:
        """Delete a file for good: the record first, without which the content is a leftover."""
        await self._shelf.remove(file_id)
        await self.drop_content(file_id)

    def expired(self) -> list[str]:
        """Return the ids of the files that nobody sees any more."""
        return [record.id for record in self._shelf if self._is_over(record)]

    def delete_leftovers(self, owned: Collection[str]) -> None:
        """Delete contents without a record, but for those with these ids; for the start only."""
        for path in self._shelf.folder.glob("*.jsonl"):
            if path.stem not in owned and not self._shelf.has_path(path.stem):
                path.unlink()

    def _is_over(self, record: FileRecord) -> bool:
        return self._now_s() >= record.expires_at_s
