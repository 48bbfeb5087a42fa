"""Files of all keys: who sees which, until when, and what the disk holds."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from slipstream.batches.files import MAX_UPLOADS
from slipstream.batches.records import new_file_id
from slipstream.batches.refusals import NotFound, StorageFull, StorageUnavailable
from slipstream.errors import Overloaded
from tests.batches.world import KEY, START_S, Clock, add_batch, add_file, names_in, store_in


def names(folder: Path) -> list[str]:
    """Return what is in the folder of files."""
    return names_in(folder / "files")


async def test_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Another key's file is as good as none, and the error does not say more."""
    store = store_in(tmp_path)
    file = await add_file(store, b"content")
    assert store.files.get(KEY, file.id) == file
    assert store.files.of_key(KEY) == [file]
    assert store.files.of_key("key-b") == []
    for key_id, file_id in (("key-b", file.id), (KEY, new_file_id()), (KEY, "../../etc")):
        with pytest.raises(NotFound, match="You have no file with the id") as caught:
            store.files.get(key_id, file_id, param="input_file_id")
        assert caught.value.param == "input_file_id"


async def test_file_survives_a_restart_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    """Record and content are on disk when `take` returns."""
    file = await add_file(store_in(tmp_path), b"content", life_s=3600)
    again = store_in(tmp_path)
    assert again.files.of_key(KEY) == [file]
    assert again.files.content(file.id).read_bytes() == b"content"
    assert (file.num_bytes, file.purpose, file.filename) == (7, "batch", "in.jsonl")
    assert file.created_at_ns // 10**9 == START_S
    assert file.expires_at_s == START_S + 3600


async def test_files_are_ordered_as_they_came_also_within_one_tick(tmp_path: Path) -> None:
    """A clock that stands still, or goes back, does not mix up the lists."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    made = [await add_file(store, b"x") for _ in range(3)]
    clock.now_s -= 1000
    again = store_in(tmp_path, clock)
    made.append(await add_file(again, b"x"))
    assert again.files.of_key(KEY) == made


async def test_file_that_has_expired_is_gone_at_once_and_deleted_when_swept(tmp_path: Path) -> None:
    """A week by default: one second before it is there, then it is not."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    file = await add_file(store, b"x")
    clock.now_s += 7 * 24 * 3600 - 1
    assert store.files.get(KEY, file.id) == file
    clock.now_s += 1
    with pytest.raises(NotFound):
        store.files.get(KEY, file.id)
    assert store.files.of_key(KEY) == []
    assert len(names(tmp_path)) == 2
    await store.sweep()
    assert names(tmp_path) == []


async def test_key_has_so_much_room_and_no_more(tmp_path: Path) -> None:
    """One key's files do not fill the disk for all; deleting makes room."""
    store = store_in(tmp_path, max_key_bytes=100)
    first = await add_file(store, b"x" * 60)
    await add_file(store, b"x" * 60, key_id="key-b")
    with pytest.raises(StorageFull, match="take 60 of 100 bytes; this one has 41"):
        await add_file(store, b"x" * 41)
    assert len(names(tmp_path)) == 4
    await add_file(store, b"x" * 40)
    await store.delete_file(KEY, first.id)
    await add_file(store, b"x" * 60)


async def test_uploads_at_once_are_bounded(tmp_path: Path) -> None:
    """Each takes memory and disk: the one too many is told when to come back."""
    store = store_in(tmp_path)
    async with AsyncExitStack() as stack:
        for _ in range(MAX_UPLOADS):
            await stack.enter_async_context(store.files.receiving())
        with pytest.raises(Overloaded) as caught:
            await add_file(store, b"x")
        assert caught.value.retry_after_s
    await add_file(store, b"x")


async def test_upload_whose_receiver_fails_or_is_cut_leaves_nothing(tmp_path: Path) -> None:
    """Whatever ends it, a file that nobody took is gone."""
    store = store_in(tmp_path)

    async def receive(ending: asyncio.Future[None]) -> None:
        async with store.files.receiving() as upload:
            await upload.write(b"x" * 3_000_000)
            await ending

    for failure in (None, KeyError("x")):
        ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if failure is None:
            ending.set_result(None)
        else:
            ending.set_exception(failure)
        await asyncio.gather(receive(ending), return_exceptions=True)
        assert names(tmp_path) == []
    task = asyncio.create_task(receive(asyncio.get_running_loop().create_future()))
    async with asyncio.timeout(10):
        while not names(tmp_path):
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert names(tmp_path) == []


async def test_upload_without_a_record_is_not_kept(tmp_path: Path) -> None:
    """If the disk takes the content and not the record, there is neither."""
    store = store_in(tmp_path)
    async with store.files.receiving() as upload:
        await upload.write(b"content")
        in_the_way = tmp_path / "files" / f"{upload.file_id}.json"
        (in_the_way / "x").mkdir(parents=True)
        with pytest.raises(StorageUnavailable):
            await store.files.take(upload, KEY, "a")
        shutil.rmtree(in_the_way)
    assert names(tmp_path) == []
    assert store.files.of_key(KEY) == []


async def test_content_without_a_record_is_deleted_at_the_start(tmp_path: Path) -> None:
    """What a killed process left of an upload goes; what has a record, or may have one, stays."""
    store = store_in(tmp_path)
    file = await add_file(store, b"x")
    folder = tmp_path / "files"
    (folder / f"{new_file_id()}.jsonl.part").write_bytes(b"cut off")
    (folder / f"{new_file_id()}.jsonl").write_bytes(b"renamed, and no record")
    damaged = new_file_id()
    (folder / f"{damaged}.jsonl").write_bytes(b"of a damaged record")
    (folder / f"{damaged}.json").write_bytes(b"{")
    store_in(tmp_path)
    kept = [f"{file.id}.json", f"{file.id}.jsonl", f"{damaged}.json", f"{damaged}.jsonl"]
    assert names(tmp_path) == sorted(kept)


async def test_answers_become_a_file_once(tmp_path: Path) -> None:
    """Adopting again, after a restart, changes nothing; the file lives as long as was asked."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    batch = await add_batch(store, await add_file(store, b"x"), output_life_s=3600)
    store.files.content(batch.output_file_id).write_bytes(b"12345")
    await store.files.adopt(batch, batch.output_file_id, "output")
    clock.now_s += 5
    await store.files.adopt(batch, batch.output_file_id, "output")
    file = store.files.get(KEY, batch.output_file_id)
    assert (file.num_bytes, file.purpose) == (5, "batch_output")
    assert file.filename == f"{batch.id}_output.jsonl"
    assert file.expires_at_s == START_S + 3600
