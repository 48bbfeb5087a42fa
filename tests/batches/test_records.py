"""Records: what follows on what, ids, and what is kept of old records."""

import msgspec
import pytest

from slipstream.batches.records import (
    CANCELLABLE,
    FINAL,
    NEXT,
    BatchRecord,
    Status,
    is_batch_id,
    is_file_id,
    moved,
    new_batch,
    new_file_id,
)

BATCH = new_batch(key_id="k", input_file_id=new_file_id(), created_at_ns=7 * 10**9)


def test_table_of_statuses_is_whole() -> None:
    """Every status says what may follow, and those that end a batch are the documented ones."""
    assert set(NEXT) == set(Status)
    assert {s.value for s in FINAL} == {"completed", "failed", "expired", "cancelled"}
    assert {s.value for s in CANCELLABLE} == {"validating", "in_progress"}


@pytest.mark.parametrize("status", sorted(Status))
def test_moved_notes_the_time_of_every_step_that_may_follow(status: Status) -> None:
    """Each status but the first has its time, and steps that cannot be are a defect."""
    record = msgspec.structs.replace(BATCH, status=status)
    for following in Status:
        if following in NEXT[status]:
            after = moved(record, following, 12.9)
            assert (after.status, getattr(after, f"{following}_at_s")) == (following, 12)
            assert after.ended_at_s == (12 if following in FINAL else None)
        else:
            with pytest.raises(AssertionError, match="is not followed by"):
                moved(record, following, 12.9)


def test_new_batch_has_a_day_and_ids_of_its_own() -> None:
    """The window begins with the batch; the files of its answers are reserved."""
    assert BATCH.expires_at_s == 7 + 24 * 3600
    assert is_batch_id(BATCH.id)
    assert len({BATCH.input_file_id, BATCH.output_file_id, BATCH.error_file_id}) == 3
    assert is_file_id(BATCH.output_file_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file_",
        "file_" + "0" * 23,
        "file_" + "g" * 24,
        "../file_" + "0" * 24,
        "file_" + "0" * 24 + "\n",
        "batch_" + "0" * 24 + "/..",
        "FILE_" + "0" * 24,
    ],
)
def test_ids_of_another_form_are_none(text: str) -> None:
    """What becomes a path has exactly our form."""
    assert not is_file_id(text)
    assert not is_batch_id(text)


def test_record_of_an_older_version_can_be_read() -> None:
    """Fields with a default may be missing."""
    whole = msgspec.to_builtins(BATCH)
    old = {name: whole[name] for name in BatchRecord.__struct_fields__[:10]}
    assert msgspec.convert(old, BatchRecord) == BATCH
