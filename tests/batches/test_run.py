"""Batches from their beginning to each of their ends, and from wherever a restart finds them."""

import asyncio
import json
import logging
import resource
import time
from pathlib import Path

import msgspec
import pytest

from slipstream.batches.records import Answered, Ask, Counts, Status
from slipstream.batches.refusals import Conflict, NotFound
from slipstream.batches.store import Store
from tests.batches.world import (
    DEADLINE_S,
    KEY,
    START_S,
    Answers,
    Clock,
    add_batch,
    add_file,
    ended,
    good,
    ids_in,
    input_of,
    largest_file,
    line_of,
    lines_in,
    names_in,
    reached,
    refused,
    running,
    store_in,
    until,
)


async def begun(store: Store, batch_id: str) -> None:
    """Wait until a batch has its first answer."""
    await until(lambda: store.known(batch_id).counts.completed >= 1)


def names(num: int) -> list[str]:
    """Return the custom_ids of an input, in the order of the alphabet."""
    return sorted(f"r{i}" for i in range(num))


async def test_batch_is_carried_out_and_its_answers_are_files(tmp_path: Path) -> None:
    """Good answers are in the output, others in the errors, each with what was answered."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    content = input_of(5) + line_of("bad")
    batch = await add_batch(store, await add_file(store, content))
    answers = Answers(lambda name, _: refused(400) if name == "bad" else good(name))
    async with running(store, answers) as runner:
        record = await ended(store, batch.id)
        await until(lambda: runner.num_running == 0)
    assert record.status is Status.COMPLETED
    assert record.counts == Counts(total=6, completed=5, failed=1)
    assert (record.has_output, record.has_errors, record.problems) == (True, True, ())
    assert record.in_progress_at_s == record.finalizing_at_s == record.completed_at_s == START_S
    output = {line["custom_id"]: line for line in lines_in(store, record.output_file_id)}
    assert sorted(output) == names(5)
    assert output["r3"]["response"]["body"]["said"] == "r3"
    assert output["r3"]["response"]["request_id"] == "req-r3"
    (failed,) = lines_in(store, record.error_file_id)
    assert failed["response"]["status_code"] == 400
    assert failed["response"]["body"] == {"error": {"message": "no"}}
    kinds = [(f.purpose, f.filename) for f in store.files.of_key(KEY)]
    assert ("batch_output", f"{batch.id}_output.jsonl") in kinds
    assert ("batch_output", f"{batch.id}_errors.jsonl") in kinds
    assert {ask.key_id for ask in answers.asks} == {KEY}
    assert json.loads(answers.asks[0].body)["model"] == "m"
    assert store_in(tmp_path, clock).get(KEY, batch.id) == record


async def test_batch_without_errors_has_no_file_of_them(tmp_path: Path) -> None:
    """An empty file is nothing to download, and leaves nothing on disk."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(2)))
    async with running(store, Answers()):
        record = await ended(store, batch.id)
    assert (record.has_output, record.has_errors) == (True, False)
    assert not store.files.content(record.error_file_id).exists()


async def test_input_that_is_wrong_fails_the_batch_and_asks_nobody(tmp_path: Path) -> None:
    """Every problem is told with its line; not one request is paid for."""
    store = store_in(tmp_path)
    content = line_of("a") + b"nonsense\n\n" + line_of("a", method="GET") + line_of("b") * 2
    batch = await add_batch(store, await add_file(store, content))
    answers = Answers()
    async with running(store, answers):
        record = await ended(store, batch.id)
    assert record.status is Status.FAILED
    assert record.failed_at_s == START_S
    assert [(p.line, p.code) for p in record.problems] == [
        (2, "invalid_json_line"),
        (4, "invalid_method"),
        (6, "duplicate_custom_id"),
    ]
    assert answers.asks == []
    assert [f.purpose for f in store.files.of_key(KEY)] == ["batch"]
    assert len(names_in(tmp_path / "files")) == 2


async def test_input_that_is_gone_fails_the_batch(tmp_path: Path) -> None:
    """Somebody deleted the content by hand: the owner is told."""
    store = store_in(tmp_path)
    file = await add_file(store, input_of(1))
    batch = await add_batch(store, file)
    store.files.content(file.id).unlink()
    async with running(store, Answers()):
        record = await ended(store, batch.id)
    assert [p.code for p in record.problems] == ["input_file_unreadable"]


async def test_line_that_asks_for_a_stream_is_an_error_and_never_asked(tmp_path: Path) -> None:
    """There is nobody to stream to; the other lines are not concerned."""
    store = store_in(tmp_path)
    content = line_of("s", body={"model": "m", "stream": True}) + line_of("a")
    batch = await add_batch(store, await add_file(store, content))
    answers = Answers()
    async with running(store, answers):
        record = await ended(store, batch.id)
    assert record.counts == Counts(total=2, completed=1, failed=1)
    assert answers.asked == ["a"]
    (failed,) = lines_in(store, record.error_file_id)
    assert (failed["custom_id"], failed["response"]) == ("s", None)
    assert failed["error"]["code"] == "stream_not_supported"


async def test_ten_thousand_lines_take_seconds(tmp_path: Path) -> None:
    """What the runner itself costs for each line is small."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(10_000)))
    answers = Answers()
    began_s = time.monotonic()
    async with running(store, answers), asyncio.timeout(60):
        while not store.known(batch.id).is_final:
            await asyncio.sleep(0.02)
    print(f"10,000 lines in {time.monotonic() - began_s:.2f} s")
    record = store.known(batch.id)
    assert record.counts == Counts(total=10_000, completed=10_000)
    assert ids_in(store, record.output_file_id) == names(10_000)
    assert sorted(answers.asked) == names(10_000)


# ---- limits -------------------------------------------------------------------------------------


async def test_lines_being_asked_are_bounded_over_all_batches(tmp_path: Path) -> None:
    """Batches share the places, and each gets on."""
    store = store_in(tmp_path)
    file = await add_file(store, input_of(30))
    batches = [await add_batch(store, file) for _ in range(3)]
    answers = Answers()
    answers.may_answer.clear()
    async with running(store, answers, max_concurrent=4):
        await until(lambda: len(answers.asks) == 4)
        await asyncio.sleep(0.05)
        assert len(answers.asks) == 4
        answers.may_answer.set()
        records = [await ended(store, batch.id) for batch in batches]
    assert answers.most_open == 4
    assert [r.counts.completed for r in records] == [30] * 3


async def test_limit_is_waited_out_and_the_line_asked_again(tmp_path: Path) -> None:
    """429 with a time to come back is no result; other lines go on meanwhile."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(6)))

    def answer(name: str, num_tries: int) -> Answered:
        return refused(429, 0.01) if name == "r2" and num_tries < 8 else good(name)

    answers = Answers(answer)
    async with running(store, answers, max_concurrent=2):
        record = await ended(store, batch.id)
    assert record.counts == Counts(total=6, completed=6)
    assert answers.asked.count("r2") == 8
    assert len(answers.asks) == 13


async def test_passing_fault_becomes_the_result_after_so_many_tries(tmp_path: Path) -> None:
    """A fault that stays is told with what was answered last."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(2)))
    answers = Answers(lambda name, _: refused(503, 0.001) if name == "r1" else good(name))
    async with running(store, answers):
        record = await ended(store, batch.id)
    assert record.counts == Counts(total=2, completed=1, failed=1)
    assert answers.asked.count("r1") == 3
    (failed,) = lines_in(store, record.error_file_id)
    assert failed["response"]["status_code"] == 503


async def test_batch_that_waits_for_a_limit_does_not_hold_up_another(tmp_path: Path) -> None:
    """A line that waits keeps its place in its own batch only."""
    store = store_in(tmp_path)
    slow = await add_batch(store, await add_file(store, input_of(20)))
    quick_input = b"".join(line_of(f"q{i}") for i in range(20))
    quick = await add_batch(store, await add_file(store, quick_input))
    answers = Answers(lambda name, _: refused(429, 60.0) if name[0] == "r" else good(name))
    async with running(store, answers, max_concurrent=3):
        assert (await ended(store, quick.id)).counts.completed == 20
        assert store.known(slow.id).counts == Counts(total=20)
        assert len([name for name in answers.asked if name[0] == "r"]) == 3


# ---- ends before the end ------------------------------------------------------------------------


async def test_cancelled_batch_keeps_what_was_answered_and_asks_no_more(tmp_path: Path) -> None:
    """Cancelling, then cancelled: in between nothing new is asked, and what runs is cut."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(50)))
    answers = Answers(num_free=20)
    async with running(store, answers, max_concurrent=2) as runner:
        await until(lambda: store.known(batch.id).counts.completed == 20)
        await until(lambda: answers.num_open == 2)
        record = await runner.cancel(KEY, batch.id)
        assert (record.status, record.cancelling_at_s) == (Status.CANCELLING, START_S)
        record = await ended(store, batch.id)
        assert answers.num_open == 0
        num_asked = len(answers.asks)
        again = await runner.cancel(KEY, batch.id)
        await asyncio.sleep(0.02)
    assert again == record
    assert len(answers.asks) == num_asked
    assert (record.status, record.cancelled_at_s) == (Status.CANCELLED, START_S)
    assert record.counts == Counts(total=50, completed=20)
    assert len(lines_in(store, record.output_file_id)) == record.counts.completed
    assert (record.has_output, record.has_errors) == (True, False)


async def test_batch_is_cancelled_while_its_lines_wait_for_a_limit(tmp_path: Path) -> None:
    """A wait of an hour is not waited for."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(5)))
    answers = Answers(lambda name, _: refused(429, 3600.0))
    async with running(store, answers, max_concurrent=2) as runner:
        await until(lambda: len(answers.asks) == 2)
        await runner.cancel(KEY, batch.id)
        record = await ended(store, batch.id)
    assert (record.status, record.counts) == (Status.CANCELLED, Counts(total=5))
    assert not record.has_output


async def test_cancel_is_refused_where_it_cannot_be(tmp_path: Path) -> None:
    """What has ended stays as it is, and another's batch is not there."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(1)))
    async with running(store, Answers()) as runner:
        await ended(store, batch.id)
        with pytest.raises(Conflict, match="that is completed cannot be cancelled"):
            await runner.cancel(KEY, batch.id)
        with pytest.raises(NotFound):
            await runner.cancel("key-b", batch.id)


async def test_window_that_is_over_ends_the_batch_with_an_error_for_each_line(
    tmp_path: Path,
) -> None:
    """What was answered stays; each line that was not has its error."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    batch = await add_batch(store, await add_file(store, input_of(1200)))
    answers = Answers(num_free=10)
    async with running(store, answers):
        await until(lambda: store.known(batch.id).counts.completed == 10)
        clock.now_s += 24 * 3600 - 1
        await asyncio.sleep(0.05)
        assert store.known(batch.id).status is Status.IN_PROGRESS
        clock.now_s += 1
        record = await ended(store, batch.id)
    assert (record.status, record.expired_at_s) == (Status.EXPIRED, START_S + 24 * 3600)
    assert answers.num_open == 0
    assert record.counts == Counts(total=1200, completed=10, failed=1190)
    errors = lines_in(store, record.error_file_id)
    assert {line["error"]["code"] for line in errors} == {"batch_expired"}
    found = ids_in(store, record.output_file_id) + ids_in(store, record.error_file_id)
    assert sorted(found) == names(1200)


async def test_window_that_was_over_before_the_start_asks_nobody(tmp_path: Path) -> None:
    """A gateway that was off for two days does not run the batches of then."""
    clock = Clock()
    store = store_in(tmp_path, clock)
    batch = await add_batch(store, await add_file(store, input_of(3)))
    clock.now_s += 48 * 3600
    answers = Answers()
    async with running(store, answers):
        record = await ended(store, batch.id)
    assert (record.status, record.counts) == (Status.EXPIRED, Counts(total=3, failed=3))
    assert answers.asks == []


# ---- restarts -----------------------------------------------------------------------------------


async def test_stopped_batch_goes_on_with_the_lines_that_have_no_answer(tmp_path: Path) -> None:
    """No line whose answer is on disk is asked again, and none is left out."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(100)))
    first = Answers(num_free=20)
    async with running(store, first):
        await until(lambda: store.known(batch.id).counts.completed == 20)
        await until(lambda: first.num_open == 8)
    assert first.num_open == 0
    again = store_in(tmp_path)
    assert again.known(batch.id).status is Status.IN_PROGRESS
    kept = set(ids_in(again, batch.output_file_id))
    second = Answers()
    async with running(again, second):
        record = await ended(again, batch.id)
    assert len(kept) == 20
    assert sorted(second.asked) == sorted(set(names(100)) - kept)
    assert record.counts == Counts(total=100, completed=100)
    assert ids_in(again, record.output_file_id) == names(100)


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (Status.VALIDATING, Status.COMPLETED),
        (Status.IN_PROGRESS, Status.COMPLETED),
        (Status.FINALIZING, Status.COMPLETED),
        (Status.CANCELLING, Status.CANCELLED),
    ],
)
async def test_batch_goes_on_from_every_status(
    tmp_path: Path, status: Status, ending: Status
) -> None:
    """A process may be killed at any step; the next one knows which comes next."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(2)))
    stamped = {"status": status, "counts": Counts(total=2)}
    await store.change(batch.id, lambda record: msgspec.structs.replace(record, **stamped))
    if status is Status.FINALIZING:
        await _keep_answers(store, batch.output_file_id)
    answers = Answers()
    again = store_in(tmp_path)
    async with running(again, answers):
        record = await ended(again, batch.id)
    assert record.status is ending
    is_asked = status in (Status.VALIDATING, Status.IN_PROGRESS)
    assert sorted(answers.asked) == (["r0", "r1"] if is_asked else [])
    assert record.counts.completed == (0 if ending is Status.CANCELLED else 2)


async def _keep_answers(store: Store, file_id: str) -> None:
    lines = [f'{{"id":"batch_req_{i}","custom_id":"r{i}"}}\n' for i in range(2)]
    store.files.content(file_id).write_text("".join(lines))


async def test_restart_between_the_files_and_the_last_record_makes_them_once(
    tmp_path: Path,
) -> None:
    """The output is a file already, the batch is not completed yet: both are, once."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(2)))
    await _keep_answers(store, batch.output_file_id)
    await store.files.adopt(batch, batch.output_file_id, "output")
    stamped = {"status": Status.FINALIZING, "counts": Counts(total=2)}
    await store.change(batch.id, lambda record: msgspec.structs.replace(record, **stamped))
    again = store_in(tmp_path)
    async with running(again, Answers()):
        record = await ended(again, batch.id)
    assert record.counts == Counts(total=2, completed=2)
    assert [f.id for f in again.files.of_key(KEY)] == [batch.input_file_id, batch.output_file_id]


# ---- what goes wrong ----------------------------------------------------------------------------


async def test_full_disk_keeps_the_answers_waiting_and_asks_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is paid for that cannot be kept; once there is room, all is as it should be."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(200)))
    answers = Answers()
    with largest_file(5000):
        async with running(store, answers, max_concurrent=3):
            await until(lambda: caplog.text.count("the disk refuses") >= 3)
            counts = store.known(batch.id).counts
            assert 0 < counts.completed < 40
            assert len(answers.asks) == counts.completed + 3
            assert len(lines_in(store, batch.output_file_id)) == counts.completed
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            record = await ended(store, batch.id)
    assert record.counts == Counts(total=200, completed=200)
    assert sorted(answers.asked) == names(200)


async def test_disk_that_refuses_a_record_is_waited_for(tmp_path: Path) -> None:
    """A step that cannot be written is taken later, and the batch ends well."""
    store = store_in(tmp_path)
    batch = await add_batch(store, await add_file(store, input_of(3)))
    folder = tmp_path / "batches"
    folder.rename(tmp_path / "away")
    async with running(store, Answers()):
        await asyncio.sleep(0.1)
        assert store.known(batch.id).status is Status.VALIDATING
        (tmp_path / "away").rename(folder)
        assert (await ended(store, batch.id)).counts.completed == 3


async def test_defect_fails_its_batch_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was answered before stays; the log has the defect, the client a code."""
    store = store_in(tmp_path)
    broken = await add_batch(store, await add_file(store, input_of(9)))
    content = b"".join(line_of(f"q{i}") for i in range(9))
    other = await add_batch(store, await add_file(store, content))

    async def answer(ask: Ask) -> Answered:
        await asyncio.sleep(0.001)
        if ask.custom_id == "r7":
            raise ZeroDivisionError("a defect")
        return good(ask.custom_id)

    with caplog.at_level(logging.ERROR):
        async with running(store, answer, max_concurrent=1):
            record = await ended(store, broken.id)
            assert (await ended(store, other.id)).status is Status.COMPLETED
    assert record.status is Status.FAILED
    assert [p.code for p in record.problems] == ["internal_error"]
    assert record.counts == Counts(total=9, completed=7)
    assert record.has_output
    assert "a defect" in caplog.text


async def test_batch_made_after_the_stop_waits_for_the_next_start(tmp_path: Path) -> None:
    """A request that came in while the gateway ends loses nothing."""
    store = store_in(tmp_path)
    async with running(store, Answers()) as runner:
        pass
    batch = await add_batch(store, await add_file(store, input_of(1)))
    runner.begin(batch.id)
    assert runner.num_running == 0
    async with running(store, Answers()):
        assert (await ended(store, batch.id)).status is Status.COMPLETED


async def test_cancel_that_comes_with_the_end_leaves_one_of_both(tmp_path: Path) -> None:
    """Whichever is first on disk holds; the other is refused or does nothing."""
    store = store_in(tmp_path)
    file = await add_file(store, input_of(2))
    async with running(store, Answers()) as runner, asyncio.timeout(DEADLINE_S):
        for _ in range(30):
            batch = await add_batch(store, file)
            runner.begin(batch.id)
            await begun(store, batch.id)
            cancelled = await asyncio.gather(runner.cancel(KEY, batch.id), return_exceptions=True)
            record = await ended(store, batch.id)
            is_refused = isinstance(cancelled[0], Conflict)
            wanted = Status.COMPLETED if is_refused else Status.CANCELLED
            assert record.status is wanted
            await reached(store, batch.id, wanted)
