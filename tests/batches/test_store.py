"""The store: batches of all keys, and the rules between files and batches."""

from pathlib import Path

import pytest

from slipstream.batches.records import Counts, Status, moved
from slipstream.batches.refusals import Conflict, NotFound, StorageUnavailable, TooManyBatches
from slipstream.batches.store import BATCH_LIFE_S
from slipstream.errors import ConfigError
from tests.batches.world import KEY, Clock, add_batch, add_file, names_in, store_in


async def test_batch_is_its_owners_alone_and_survives_a_restart(tmp_path: Path) -> None:
    """Another key's batch is as good as none."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, b"x"), metadata={"a": "b", "c": ["d"]})
    again = store_in(tmp_path)
    assert again.get(KEY, batch.id) == batch
    assert again.of_key(KEY) == [batch]
    assert again.unfinished() == [batch.id]
    assert again.of_key("key-b") == []
    for key_id, batch_id in (("key-b", batch.id), (KEY, "batch_x"), (KEY, "..")):
        with pytest.raises(NotFound, match="You have no batch"):
            again.get(key_id, batch_id)


async def test_batch_of_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Nor of another key's, nor of one that has expired; nothing of it is kept."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    file = await add_file(store, b"x")
    clock.now_s += 30 * 24 * 3600
    with pytest.raises(NotFound) as caught:
        await add_batch(store, file)
    assert caught.value.param == "input_file_id"
    assert store.of_key(KEY) == []


async def test_batches_in_progress_are_bounded_for_each_key(tmp_path: Path) -> None:
    """The one too many is refused until another has ended; other keys are not concerned."""
    store = store_in(tmp_path, max_active=2)
    file, other = await add_file(store, b"x"), await add_file(store, b"x", key_id="key-b")
    first = await add_batch(store, file)
    await add_batch(store, file)
    with pytest.raises(TooManyBatches, match="2 of your batches"):
        await add_batch(store, file)
    await add_batch(store, other)
    await store.change(first.id, lambda record: moved(record, Status.FAILED, 1.0))
    await add_batch(store, file)


async def test_file_that_a_batch_reads_is_not_deleted(tmp_path: Path) -> None:
    """Deleting it would fail the batch: the batch has to be cancelled first, knowingly."""
    store = store_in(tmp_path)
    file = await add_file(store, b"x")
    batch = await add_batch(store, file)
    with pytest.raises(Conflict, match=batch.id):
        await store.delete_file(KEY, file.id)
    with pytest.raises(NotFound):
        await store.delete_file("key-b", file.id)
    await store.change(batch.id, lambda record: moved(record, Status.FAILED, 1.0))
    await store.delete_file(KEY, file.id)
    assert names_in(tmp_path / "files") == []
    with pytest.raises(NotFound):
        await store.delete_file(KEY, file.id)


async def test_file_that_a_batch_reads_outlives_its_time_on_disk(tmp_path: Path) -> None:
    """Nobody sees it any more, but the batch can go on, also after a restart."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    file = await add_file(store, b"x", life_s=3600)
    batch = await add_batch(store, file)
    clock.now_s += 3600
    await store.sweep()
    assert store_in(tmp_path, clock).files.content(file.id).exists()
    with pytest.raises(NotFound):
        store.files.get(KEY, file.id)
    await store.change(batch.id, lambda record: moved(record, Status.FAILED, clock()))
    await store.sweep()
    assert not store.files.content(file.id).exists()


async def test_counts_are_those_of_now_while_it_runs_and_kept_at_its_end(tmp_path: Path) -> None:
    """They cost no write; a change of the record takes them along."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, b"x"))
    counts = Counts(total=5, completed=2, failed=1)
    store.count(batch.id, counts)
    assert store.get(KEY, batch.id).counts == store.of_key(KEY)[0].counts == counts
    assert store_in(tmp_path).get(KEY, batch.id).counts == Counts()
    await store.change(batch.id, lambda record: moved(record, Status.FAILED, 1.0))
    assert store_in(tmp_path).get(KEY, batch.id).counts == counts


async def test_batch_is_forgotten_a_month_after_its_end(tmp_path: Path) -> None:
    """A list stays of a size that can be read; what runs is never forgotten."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    file = await add_file(store, b"x")
    ended, running = await add_batch(store, file), await add_batch(store, file)
    await store.change(ended.id, lambda record: moved(record, Status.FAILED, clock()))
    clock.now_s += BATCH_LIFE_S - 1
    await store.sweep()
    assert len(store.of_key(KEY)) == 2
    clock.now_s += 1
    await store.sweep()
    assert [record.id for record in store.of_key(KEY)] == [running.id]
    assert store_in(tmp_path, clock).unfinished() == [running.id]


async def test_change_that_the_disk_refuses_changes_nothing(tmp_path: Path) -> None:
    """What a client was told is what a restart will say."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, b"x"))
    (tmp_path / "batches").rename(tmp_path / "away")
    with pytest.raises(StorageUnavailable):
        await store.change(batch.id, lambda record: moved(record, Status.FAILED, 1.0))
    assert store.get(KEY, batch.id) == batch


async def test_answers_of_a_batch_that_runs_are_no_leftovers(tmp_path: Path) -> None:
    """They have no record yet; a batch that has ended owns none of that kind."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, b"x"))
    store.files.content(batch.output_file_id).write_bytes(b"x")
    store_in(tmp_path)
    assert store.files.content(batch.output_file_id).exists()
    await store.change(batch.id, lambda record: moved(record, Status.FAILED, 1.0))
    store_in(tmp_path)
    assert not store.files.content(batch.output_file_id).exists()


async def test_damaged_record_of_a_batch_keeps_all_answers(tmp_path: Path) -> None:
    """Nobody can say whose they are, so none is deleted."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, b"x"))
    store.files.content(batch.output_file_id).write_bytes(b"answers that were paid for")
    (tmp_path / "batches" / f"{batch.id}.json").write_bytes(b'{"id":')
    store_in(tmp_path)
    assert store.files.content(batch.output_file_id).exists()


def test_folder_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    """An operator reads where and why, before any request does."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"batches cannot be kept in .*file/sub"):
        store_in(tmp_path / "file" / "sub")
