"""Records of one kind: in memory, and each in a JSON file of its own that is named by its id."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Generic, ParamSpec, TypeVar

import msgspec

from slipstream.batches.disk import in_thread, is_partial, make_folder, remove, write_whole
from slipstream.batches.records import BatchRecord, FileRecord
from slipstream.batches.refusals import StorageUnavailable

_log = logging.getLogger("slipstream.batches")

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", FileRecord, BatchRecord)


class Shelf(Generic[R]):
    """All records of one kind. A record is on disk before it is seen here.

    Args:
        folder: Made if missing.
        is_id: Says whether a text may be the name of a record.
    """

    def __init__(self, folder: Path, kind: type[R], is_id: Callable[[str], bool]) -> None:
        self.folder: Final = folder
        self._decoder: msgspec.json.Decoder[R] = msgspec.json.Decoder(kind)
        self._is_id = is_id
        self._records: dict[str, R] = {}
        self._of_key: dict[str, dict[str, R]] = {}
        self.num_unreadable = 0

    def open(self) -> None:
        """Read what is on disk; what cannot be read is left where it is, and said.

        Raises:
            OSError: The folder cannot be used.
        """
        make_folder(self.folder)
        for path in sorted(self.folder.iterdir()):
            if is_partial(path):
                path.unlink()
            elif path.suffix == ".json":
                self._read(path)

    def get(self, record_id: str) -> R | None:
        """Return the record of an id."""
        return self._records.get(record_id)

    def of_key(self, key_id: str) -> list[R]:
        """Return the records of a key, oldest first."""
        return oldest_first(self._of_key.get(key_id, {}).values())

    def __iter__(self) -> Iterator[R]:
        return iter(self._records.values())

    async def put(self, record: R) -> None:
        """Add or replace a record; StorageUnavailable, and all as it was, if the disk refuses."""
        data = msgspec.json.format(msgspec.json.encode(record), indent=1)
        await on_disk(write_whole, self._path(record.id), data)
        self._note(record)

    async def remove(self, record_id: str) -> None:
        """Forget a record; StorageUnavailable, and all as it was, if the disk refuses."""
        await on_disk(remove, self._path(record_id))
        record = self._records.pop(record_id)
        of_key = self._of_key[record.key_id]
        del of_key[record_id]
        if not of_key:
            del self._of_key[record.key_id]

    def has_path(self, record_id: str) -> bool:
        """Say whether there is a record of this id on disk, readable or not."""
        return self._path(record_id).exists()

    def _path(self, record_id: str) -> Path:
        return self.folder / f"{record_id}.json"

    def _note(self, record: R) -> None:
        self._records[record.id] = record
        self._of_key.setdefault(record.key_id, {})[record.id] = record

    def _read(self, path: Path) -> None:
        try:
            record = self._decoder.decode(path.read_bytes())
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            _log.error("%s cannot be read, and is left alone: %s", path, exc)
            self.num_unreadable += 1
            return
        if record.id == path.stem and self._is_id(record.id):
            self._note(record)
        else:
            _log.error("%s is the record of something else, and is left alone", path)
            self.num_unreadable += 1


def oldest_first(records: Iterable[R]) -> list[R]:
    """Return records in the order in which they were made."""
    return sorted(records, key=lambda record: record.created_at_ns)


async def on_disk(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Do work on disk in a thread; StorageUnavailable if the disk does not let us."""
    try:
        return await in_thread(work, *args, **options)
    except OSError as exc:
        _log.warning("%s failed: %s", getattr(work, "__name__", "work on disk"), exc)
        raise StorageUnavailable(
            f"Files cannot be stored or read: {exc.strerror or type(exc).__name__}."
        ) from exc
