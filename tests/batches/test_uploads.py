"""Uploads: bounded, whole or gone."""

from pathlib import Path

import pytest

from slipstream.batches.records import new_file_id
from slipstream.batches.refusals import StorageUnavailable
from slipstream.batches.uploads import Upload
from slipstream.errors import BodyTooLarge
from tests.batches.world import largest_file, names_in

MIB = 1024 * 1024


def upload_in(folder: Path, max_bytes: int = 8 * MIB) -> Upload:
    """Return an upload of nothing yet."""
    return Upload(new_file_id(), folder / "content", max_bytes)


async def test_upload_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Until then there is no such file; afterwards discarding changes nothing."""
    upload = upload_in(tmp_path)
    for _ in range(3):
        await upload.write(b"x" * MIB)
    await upload.write(b"end")
    assert names_in(tmp_path) == ["content.part"]
    await upload.finish()
    await upload.discard()
    assert names_in(tmp_path) == ["content"]
    assert (tmp_path / "content").stat().st_size == upload.num_bytes == 3 * MIB + 3


async def test_upload_of_little_is_written_too(tmp_path: Path) -> None:
    """What never filled a piece is there all the same."""
    upload = upload_in(tmp_path)
    await upload.write(b"a")
    await upload.finish()
    assert (tmp_path / "content").read_bytes() == b"a"


async def test_upload_over_its_bound_is_refused_at_that_byte(tmp_path: Path) -> None:
    """The last byte that may be there is taken, the next is not."""
    upload = upload_in(tmp_path, max_bytes=10)
    await upload.write(b"x" * 10)
    with pytest.raises(BodyTooLarge, match="more than 10 bytes"):
        await upload.write(b"x")
    await upload.discard()
    assert names_in(tmp_path) == []


async def test_upload_that_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    """Neither before its first byte reached the disk nor after."""
    for content in (b"", b"x", b"x" * 2 * MIB):
        upload = upload_in(tmp_path)
        await upload.write(content)
        await upload.discard()
        await upload.discard()
        assert names_in(tmp_path) == []


async def test_upload_to_a_full_disk_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    """The kernel's refusal, in the middle of a piece, is an error that a client understands."""
    upload = upload_in(tmp_path)
    await upload.write(b"x" * MIB)
    with largest_file(MIB + 10), pytest.raises(StorageUnavailable, match="File too large"):
        await upload.write(b"x" * MIB)
    await upload.discard()
    assert names_in(tmp_path) == []


async def test_upload_to_a_folder_that_is_gone_says_so(tmp_path: Path) -> None:
    """Also where not even the file can be made."""
    upload = upload_in(tmp_path / "gone")
    with pytest.raises(StorageUnavailable, match="No such file"):
        await upload.write(b"x" * MIB)
    await upload.discard()
