"""Shelves of records: on disk first, and what cannot be read is left alone."""

import logging
from pathlib import Path

import msgspec
import pytest

from slipstream.batches.records import FileRecord, is_file_id, new_file_id
from slipstream.batches.refusals import StorageUnavailable
from slipstream.batches.shelf import Shelf, on_disk
from tests.batches.world import names_in


def shelf_in(folder: Path) -> Shelf[FileRecord]:
    """Return an open shelf of files."""
    shelf = Shelf(folder, FileRecord, is_file_id)
    shelf.open()
    return shelf


def record(filename: str = "a") -> FileRecord:
    """Return a record."""
    return FileRecord(
        id=new_file_id(),
        key_id="k",
        filename=filename,
        purpose="batch",
        num_bytes=1,
        created_at_ns=1,
        expires_at_s=1,
    )


async def test_record_is_there_again_after_a_restart_until_it_is_removed(tmp_path: Path) -> None:
    """What was put is on disk; what was removed is gone."""
    shelf, one, two = shelf_in(tmp_path), record('a\n"é'), record()
    await shelf.put(one)
    await shelf.put(two)
    await shelf.remove(two.id)
    again = shelf_in(tmp_path)
    assert list(again) == [one]
    assert again.get(one.id) == one
    assert (again.has_path(one.id), again.has_path(two.id)) == (True, False)


async def test_record_that_the_disk_refuses_is_not_seen(tmp_path: Path) -> None:
    """Memory never knows more than the disk."""
    folder = tmp_path / "shelf"
    shelf, one = shelf_in(folder), record("old")
    await shelf.put(one)
    folder.rename(tmp_path / "away")
    with pytest.raises(StorageUnavailable, match="cannot be stored or read: No such file"):
        await shelf.put(msgspec.structs.replace(one, filename="new"))
    with pytest.raises(StorageUnavailable):
        await shelf.put(record())
    with pytest.raises(StorageUnavailable):
        await shelf.remove(one.id)
    assert list(shelf) == [one]


async def test_records_that_cannot_be_read_are_left_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged record costs nobody else theirs; a half-written one is nothing."""
    shelf, one = shelf_in(tmp_path), record()
    await shelf.put(one)
    damaged = tmp_path / f"{new_file_id()}.json"
    damaged.write_bytes(b'{"id": "fi')
    stranger = tmp_path / f"{new_file_id()}.json"
    stranger.write_bytes(msgspec.json.encode(one))
    (tmp_path / f"{one.id}.json.part").write_bytes(b"half")
    with caplog.at_level(logging.ERROR):
        again = shelf_in(tmp_path)
    assert list(again) == [one]
    assert again.num_unreadable == 2
    assert damaged.name in caplog.text
    assert stranger.name in caplog.text
    assert names_in(tmp_path) == sorted([f"{one.id}.json", damaged.name, stranger.name])


async def test_disk_error_is_named_without_a_path() -> None:
    """A client learns what is wrong, and nothing of our folders."""
    with pytest.raises(StorageUnavailable) as caught:
        await on_disk(Path("/no/such/secret").read_bytes)
    assert caught.value.message == "Files cannot be stored or read: No such file or directory."
