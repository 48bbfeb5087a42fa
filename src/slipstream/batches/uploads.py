"""A file while it is being received: invisible until it is whole, gone if it never is."""

import contextlib
from pathlib import Path
from typing import Final

from slipstream.batches.disk import Written, in_thread, partial, remove, sync_folder
from slipstream.batches.shelf import on_disk
from slipstream.errors import BodyTooLarge

_PIECE_BYTES: Final = 1024 * 1024  # kept in memory before they are written


class Upload:
    """Takes the bytes of one file.

    Args:
        path: Where the file will be; until then it stands beside that.
        max_bytes: Of the whole file.
    """

    __slots__ = ("_file", "_max_bytes", "_path", "_piece", "file_id", "num_bytes")

    def __init__(self, file_id: str, path: Path, max_bytes: int) -> None:
        self.file_id = file_id
        self.num_bytes = 0
        self._path = path
        self._max_bytes = max_bytes
        self._piece = bytearray()
        self._file: Written | None = None

    async def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            BodyTooLarge: The file is over its bound.
            StorageUnavailable: The disk does not take them.
        """
        self.num_bytes += len(data)
        if self.num_bytes > self._max_bytes:
            raise BodyTooLarge(f"The file has more than {self._max_bytes} bytes.")
        self._piece += data
        if len(self._piece) >= _PIECE_BYTES:
            await self._flush()

    async def finish(self) -> None:
        """Give the file its place; StorageUnavailable if the disk does not take the last bytes."""
        await self._flush()
        await on_disk(self._place)

    async def discard(self) -> None:
        """Leave nothing behind, unless it was finished."""
        self._piece.clear()
        if self._file is not None:
            with contextlib.suppress(OSError):  # what cannot be deleted now is at the next start
                await in_thread(self._drop)

    async def _flush(self) -> None:
        piece, self._piece = self._piece, bytearray()
        await on_disk(self._append, bytes(piece))

    def _append(self, piece: bytes) -> None:
        if self._file is None:
            self._file = Written(partial(self._path), is_new=True)
        self._file.append(piece)

    def _place(self) -> None:
        assert self._file is not None, "it was flushed"
        self._file.sync()
        self._file.close()
        self._file.path.rename(self._path)
        sync_folder(self._path.parent)
        self._file = None

    def _drop(self) -> None:
        assert self._file is not None, "something was written"
        self._file.close()
        remove(self._file.path)
