"""One row per attempt in every ending; what is metered, and what is handed on untouched."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from slipstream.call import Call, Frame, Frames, Meaning, Price, Receipt, Usage
from slipstream.errors import (
    Busy,
    GatewayError,
    LedgerUnavailable,
    Rejected,
    StreamCut,
    TimedOut,
)
from slipstream.ledger.records import Opened, Settled
from slipstream.ledger.segments import list_segments, parse
from tests.ledger.metering_scene import END, PRICE, TARGET, USAGE, Books, all_of, call_of, text
from tests.ledger.samples import NOON_NS, buckets


async def test_stream_is_recorded_with_usage_cost_and_times(books: Books) -> None:
    """A whole stream: both records, every field."""
    carrier = Frame(b"usage", Meaning.WITHHELD, usage=USAGE)
    stop = Frame(b"stop", Meaning.CONTENT, finish_reason="stop")
    silent = Frame(b"role", Meaning.SILENT)
    await all_of(books.meter(books.leaf(1, silent, 2, text(1), 4, stop, carrier, 8, END)))
    first, last = books.records()
    assert first == Opened(
        "c-2",
        "c",
        "key-1",
        "fast",
        "cerebras",
        "gpt-oss-120b",
        "default",
        2,
        True,
        NOON_NS,
        "first",
    )
    assert last == Settled(
        attempt_id="c-2",
        state="complete",
        buckets=buckets(input_tokens=10, output_tokens=5),
        is_estimate=False,
        cost_usd_pico=6000,
        price_source="list",
        price_date="2026-01-31",
        http_status=200,
        fault=None,
        error_code=None,
        finish_reason="stop",
        first_token_us=3000,
        total_us=15000,
    )
    assert books.asked == [("cerebras", "gpt-oss-120b", NOON_NS)]


async def test_frames_pass_untouched_but_for_receipts_on_first_and_last(books: Books) -> None:
    """Middle frames are the same objects; first and last differ in their receipt alone."""
    sent = [text(1), text(2), text(3), Frame(b"end", Meaning.END, USAGE, "stop")]
    got = await all_of(books.meter(books.leaf(*sent)))
    assert got[1] is sent[1]
    assert got[2] is sent[2]
    assert got[0].receipt == Receipt(attempt_id="c-2", target=TARGET, num_attempts=2)
    assert got[3].receipt == Receipt(
        attempt_id="c-2",
        target=TARGET,
        num_attempts=2,
        state="complete",
        usage=USAGE,
        cost_usd_pico=6000,
    )
    for mine, theirs in zip(got, sent, strict=True):
        assert (mine.data, mine.meaning, mine.usage, mine.finish_reason) == (
            theirs.data,
            theirs.meaning,
            theirs.usage,
            theirs.finish_reason,
        )


async def test_opened_is_on_record_before_the_leaf_is_pulled(books: Books) -> None:
    """When the request goes out, the attempt is already in the journal."""

    async def leaf(call: Call) -> Frames:
        (segment,) = list_segments(books.directory)
        assert [type(each) for each in parse(segment.path.read_bytes()).records] == [Opened]
        yield END

    await all_of(books.meter(leaf))


async def test_settled_is_on_record_before_the_end_is_handed_on(books: Books) -> None:
    """A client that has the last byte has a row, even if we die at that moment."""
    async with aclosing(books.meter(books.leaf(text(1), END))) as frames:
        async for frame in frames:
            if frame.meaning is Meaning.END:
                assert books.records()[1].state == "complete"


async def test_leaf_is_not_asked_when_the_journal_refuses(tmp_path: Path) -> None:
    """Nothing is sent, and so nothing spent, that cannot be put on record."""
    books = Books(tmp_path)
    books.journal.close()
    asked = []

    async def leaf(call: Call) -> Frames:
        asked.append(call)
        yield END

    with pytest.raises(LedgerUnavailable):
        await all_of(books.meter(leaf))
    assert asked == []


async def test_client_that_goes_away_is_recorded_with_an_estimate(books: Books) -> None:
    """Closed in mid-stream: state cancelled, tokens so far estimated and priced."""
    async with aclosing(books.meter(books.leaf(text(1), text(2), text(3), END))) as frames:
        async for frame in frames:
            if frame.data == b"text 2":
                break
    _, last = books.records()
    assert last.state == "cancelled"
    assert last.buckets == buckets(input_tokens=100, output_tokens=2)
    assert last.is_estimate
    assert last.cost_usd_pico == 100 * 100 + 2 * 1000


async def test_cancelled_task_is_recorded_as_cancelled(books: Books) -> None:
    """A task cancelled while it waits for the first byte has its row, and its leaf is closed."""
    is_waiting, is_closed = asyncio.Event(), False

    async def leaf(call: Call) -> Frames:
        nonlocal is_closed
        try:
            is_waiting.set()
            await asyncio.sleep(60)
            yield END
        finally:
            is_closed = True

    task = asyncio.create_task(all_of(books.meter(leaf)))
    await asyncio.wait_for(is_waiting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, last = books.records()
    assert (last.state, last.first_token_us) == ("cancelled", None)
    assert last.buckets == buckets(input_tokens=100)
    assert is_closed


async def test_leaf_is_closed_at_once_when_its_caller_goes(books: Books) -> None:
    """The upstream's connection must not wait for a garbage collector."""
    is_closed = False
    leaves: list[Frames] = []

    async def play() -> Frames:
        nonlocal is_closed
        try:
            yield text(1)
            yield text(2)
        finally:
            is_closed = True

    def leaf(call: Call) -> Frames:
        leaves.append(play())  # the reference keeps it alive
        return leaves[0]

    frames = books.meter(leaf)
    await anext(frames)
    await frames.aclose()
    assert is_closed


async def test_closed_after_the_end_stays_complete(books: Books) -> None:
    """Whoever closes the frames after the last one, as dispatch does, changes nothing."""
    async with aclosing(books.meter(books.leaf(text(1), END))) as frames:
        async for frame in frames:
            if frame.meaning is Meaning.END:
                break
    assert books.records()[1].state == "complete"


@pytest.mark.parametrize(
    ("error", "state", "http_status", "fault", "code"),
    [
        (StreamCut("cut"), "cut", None, "network", "upstream_stream_cut"),
        (TimedOut("idle", 5), "failed", None, "target", "upstream_timeout"),
        (Busy("busy"), "failed", 429, "quota", "rate_limit_exceeded"),
        (Rejected("no", upstream_status=401), "failed", 401, "key", "upstream_error"),
        (GatewayError("ours"), "failed", None, None, None),
    ],
)
async def test_error_is_recorded_with_its_blame(
    books: Books,
    error: GatewayError,
    state: str,
    http_status: int | None,
    fault: str | None,
    code: str | None,
) -> None:
    """State, status of the upstream, fault and code tell what happened; the error goes on up."""
    with pytest.raises(type(error)) as caught:
        await all_of(books.meter(books.leaf(text(1), error)))
    assert caught.value is error
    _, last = books.records()
    assert (last.state, last.http_status) == (state, http_status)
    assert (last.fault, last.error_code) == (fault, code)
    assert last.buckets == buckets(input_tokens=100, output_tokens=1)
    assert last.is_estimate


async def test_failure_before_any_byte_used_and_cost_nothing(books: Books) -> None:
    """No byte came: zero tokens, no fee, and that is no estimate."""
    books.price = Price(rates=PRICE.rates, request_usd_pico=77, source="list")
    with pytest.raises(TimedOut):
        await all_of(books.meter(books.leaf(TimedOut("first_token", 1))))
    _, last = books.records()
    assert (last.buckets, last.is_estimate, last.cost_usd_pico) == (buckets(), False, 0)


async def test_defect_in_a_leaf_is_recorded_too(books: Books) -> None:
    """An exception that is no error of ours still leaves its row."""
    with pytest.raises(ZeroDivisionError):
        await all_of(books.meter(books.leaf(text(1), ZeroDivisionError())))
    _, last = books.records()
    assert (last.state, last.error_code) == ("failed", "internal_error")


async def test_answer_without_an_end_is_cut(books: Books) -> None:
    """A leaf that stops without its terminal event never looks like a whole answer."""
    with pytest.raises(StreamCut):
        await all_of(books.meter(books.leaf(text(1))))
    assert books.records()[1].state == "cut"


async def test_usage_stated_before_a_cut_is_taken(books: Books) -> None:
    """What the provider stated beats an estimate, also in an answer that broke."""
    carrier = Frame(b"start", Meaning.SILENT, usage=USAGE)
    with pytest.raises(StreamCut):
        await all_of(books.meter(books.leaf(carrier, StreamCut("cut"))))
    _, last = books.records()
    assert (last.buckets, last.is_estimate) == (buckets(input_tokens=10, output_tokens=5), False)


@pytest.mark.parametrize(
    ("frames", "is_stream", "num_output"),
    [
        ((text(1), text(2), END), True, 2),
        ((Frame(b"role" * 20, Meaning.SILENT), END), True, 0),
        ((Frame(b"y" * 80, Meaning.END),), False, 20),
    ],
    ids=["stream", "silent stream", "plain"],
)
async def test_answer_without_usage_is_estimated(
    books: Books, frames: tuple[Frame, ...], is_stream: bool, num_output: int
) -> None:
    """A stream counts its frames, a plain answer its bytes; all are complete and flagged."""
    call = msgspec.structs.replace(call_of(), is_stream=is_stream)
    got = await all_of(books.meter(books.leaf(*frames), call))
    _, last = books.records()
    assert last.state == "complete"
    assert last.is_estimate
    assert last.buckets == buckets(input_tokens=100, output_tokens=num_output)
    receipt = got[-1].receipt
    assert receipt is not None
    assert receipt.usage is not None
    assert receipt.usage.is_estimate


@pytest.mark.parametrize("count", [-5, 10**30])
async def test_absurd_usage_is_replaced_by_an_estimate(books: Books, count: int) -> None:
    """An upstream's garbage numbers neither break the answer nor reach the ledger."""
    carrier = Frame(b"end", Meaning.END, usage=Usage(output_tokens=count))
    await all_of(books.meter(books.leaf(text(1), carrier)))
    _, last = books.records()
    assert (last.buckets, last.is_estimate) == (buckets(input_tokens=100, output_tokens=1), True)


async def test_unknown_price_is_null_in_record_and_receipt(books: Books) -> None:
    """No price: tokens are kept, the cost is None."""
    books.price = None
    got = await all_of(books.meter(books.leaf(Frame(b"end", Meaning.END, USAGE))))
    _, last = books.records()
    assert (last.cost_usd_pico, last.price_source, last.price_date) == (None, None, None)
    receipt = got[0].receipt
    assert receipt is not None
    assert (receipt.state, receipt.cost_usd_pico) == ("complete", None)


async def test_reported_cost_has_the_provider_as_its_source(books: Books) -> None:
    """A price list's date does not stand beside a cost that the provider stated."""
    usage = Usage(input_tokens=10, reported_cost_usd_pico=42)
    await all_of(books.meter(books.leaf(Frame(b"end", Meaning.END, usage))))
    _, last = books.records()
    assert (last.cost_usd_pico, last.price_source, last.price_date) == (42, "provider", None)


@pytest.mark.parametrize("close_at", range(5))
async def test_every_point_of_closing_gives_exactly_one_settled(
    tmp_path: Path, close_at: int
) -> None:
    """Wherever the caller stops, the pair of records is complete and single."""
    books = Books(tmp_path)
    frames = books.meter(books.leaf(text(1), text(2), text(3), END))
    async with aclosing(frames):
        for _ in range(close_at):
            await anext(frames)
    if close_at:
        _, last = books.records()
        assert last.state == ("complete" if close_at == 4 else "cancelled")
    books.journal.close()
