"""One row per attempt in every ending; what is metered, and what is handed on untouched."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from slipstream.call import (
    Call,
    Dialect,
    Frame,
    Frames,
    Meaning,
    Price,
    Rates,
    Receipt,
    Serve,
    Usage,
)
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.errors import (
    Busy,
    GatewayError,
    LedgerUnavailable,
    Rejected,
    StreamCut,
    TimedOut,
)
from slipstream.ledger.journal import Journal
from slipstream.ledger.metering import metered
from slipstream.ledger.records import Opened, Settled
from slipstream.ledger.segments import list_segments, parse
from tests.ledger.samples import NOON_NS, buckets

_USAGE = Usage(input_tokens=10, output_tokens=5)
_PRICE = Price(rates=Rates(input_tokens=100, output_tokens=1000), source="list", date="2026-01-31")
_TARGET = Target("cerebras", "gpt-oss-120b")
_BODY = b"x" * 403
_END = Frame(b"[DONE]", Meaning.END)


def _call() -> Call:
    attempt = Attempt(
        attempt_id="c-2",
        number=2,
        route="fast",
        target=_TARGET,
        deadlines=Deadlines(),
        started_at_ns=NOON_NS,
        total_deadline_s=1e9,
    )
    return Call(
        call_id="c",
        dialect=Dialect.OPENAI_CHAT,
        body=_BODY,
        model="fast",
        key_id="key-1",
        is_stream=True,
        attempt=attempt,
    )


def _leaf(*script: Frame | BaseException) -> Serve:
    """Play frames; raise what is to be raised."""

    async def serve(call: Call) -> Frames:
        for step in script:
            if isinstance(step, BaseException):
                raise step
            yield step

    return serve


def _text(number: int) -> Frame:
    return Frame(f"text {number}".encode(), Meaning.CONTENT)


class _Books:
    """A journal in a folder, a price list of one price, and a clock that ticks 1 ms per look."""

    def __init__(self, directory: Path, price: Price | None = _PRICE) -> None:
        self.directory = directory
        self.journal = Journal(directory)
        self.price = price
        self.asked: list[tuple[str, str, int]] = []
        self._now_ns = 0

    def meter(self, leaf: Serve) -> Frames:
        return metered(leaf, self.journal, self._price_of, self._clock_ns)(_call())

    def records(self) -> tuple[Opened, Settled]:
        (segment,) = list_segments(self.directory)
        first, last = parse(segment.path.read_bytes()).records
        assert isinstance(first, Opened)
        assert isinstance(last, Settled)
        return first, last

    def _price_of(self, provider: str, model: str, at_ns: int) -> Price | None:
        self.asked.append((provider, model, at_ns))
        return self.price

    def _clock_ns(self) -> int:
        self._now_ns += 1_000_000
        return self._now_ns


@pytest.fixture
def books(tmp_path: Path) -> Iterator[_Books]:
    """Give a journal of its own to each test."""
    books = _Books(tmp_path)
    yield books
    books.journal.close()


async def _all(frames: Frames) -> list[Frame]:
    async with aclosing(frames):
        return [frame async for frame in frames]


async def test_stream_is_recorded_with_usage_cost_and_times(books: _Books) -> None:
    """A whole stream: both records, every field."""
    carrier = Frame(b"usage", Meaning.WITHHELD, usage=_USAGE)
    stop = Frame(b"stop", Meaning.CONTENT, finish_reason="stop")
    silent = Frame(b"role", Meaning.SILENT)
    await _all(books.meter(_leaf(silent, _text(1), stop, carrier, _END)))
    first, last = books.records()
    assert first == Opened(
        "c-2", "c", "key-1", "fast", "cerebras", "gpt-oss-120b", "default", 2, True, NOON_NS
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
        first_token_us=1000,
        total_us=2000,
    )
    assert books.asked == [("cerebras", "gpt-oss-120b", NOON_NS)]


async def test_frames_pass_untouched_but_for_receipts_on_first_and_last(books: _Books) -> None:
    """Middle frames are the same objects; first and last differ in their receipt alone."""
    sent = [_text(1), _text(2), _text(3), Frame(b"end", Meaning.END, _USAGE, "stop")]
    got = await _all(books.meter(_leaf(*sent)))
    assert got[1] is sent[1]
    assert got[2] is sent[2]
    assert got[0].receipt == Receipt(attempt_id="c-2", target=_TARGET, num_attempts=2)
    assert got[3].receipt == Receipt(
        attempt_id="c-2",
        target=_TARGET,
        num_attempts=2,
        state="complete",
        usage=_USAGE,
        cost_usd_pico=6000,
    )
    for mine, theirs in zip(got, sent, strict=True):
        assert (mine.data, mine.meaning, mine.usage, mine.finish_reason) == (
            theirs.data,
            theirs.meaning,
            theirs.usage,
            theirs.finish_reason,
        )


async def test_opened_is_on_record_before_the_leaf_is_pulled(books: _Books) -> None:
    """When the request goes out, the attempt is already in the journal."""

    async def leaf(call: Call) -> Frames:
        (segment,) = list_segments(books.directory)
        assert [type(each) for each in parse(segment.path.read_bytes()).records] == [Opened]
        yield _END

    await _all(books.meter(leaf))


async def test_settled_is_on_record_before_the_end_is_handed_on(books: _Books) -> None:
    """A client that has the last byte has a row, even if we die at that moment."""
    async with aclosing(books.meter(_leaf(_text(1), _END))) as frames:
        async for frame in frames:
            if frame.meaning is Meaning.END:
                assert books.records()[1].state == "complete"


async def test_leaf_is_not_asked_when_the_journal_refuses(tmp_path: Path) -> None:
    """Nothing is sent, and so nothing spent, that cannot be put on record."""
    books = _Books(tmp_path)
    books.journal.close()
    asked = []

    async def leaf(call: Call) -> Frames:
        asked.append(call)
        yield _END

    with pytest.raises(LedgerUnavailable):
        await _all(books.meter(leaf))
    assert asked == []


async def test_client_that_goes_away_is_recorded_with_an_estimate(books: _Books) -> None:
    """Closed in mid-stream: state cancelled, tokens so far estimated and priced."""
    async with aclosing(books.meter(_leaf(_text(1), _text(2), _text(3), _END))) as frames:
        async for frame in frames:
            if frame.data == b"text 2":
                break
    _, last = books.records()
    assert last.state == "cancelled"
    assert last.buckets == buckets(input_tokens=100, output_tokens=2)
    assert last.is_estimate
    assert last.cost_usd_pico == 100 * 100 + 2 * 1000


async def test_cancelled_task_is_recorded_as_cancelled(books: _Books) -> None:
    """A task cancelled while it waits for the first byte has its row, and its leaf is closed."""
    is_waiting, is_closed = asyncio.Event(), False

    async def leaf(call: Call) -> Frames:
        nonlocal is_closed
        try:
            is_waiting.set()
            await asyncio.sleep(60)
            yield _END
        finally:
            is_closed = True

    task = asyncio.create_task(_all(books.meter(leaf)))
    await asyncio.wait_for(is_waiting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, last = books.records()
    assert (last.state, last.first_token_us) == ("cancelled", None)
    assert last.buckets == buckets(input_tokens=100)
    assert is_closed


async def test_leaf_is_closed_at_once_when_its_caller_goes(books: _Books) -> None:
    """The upstream's connection must not wait for a garbage collector."""
    is_closed = False
    leaves: list[Frames] = []

    async def play() -> Frames:
        nonlocal is_closed
        try:
            yield _text(1)
            yield _text(2)
        finally:
            is_closed = True

    def leaf(call: Call) -> Frames:
        leaves.append(play())  # the reference keeps it alive
        return leaves[0]

    frames = books.meter(leaf)
    await anext(frames)
    await frames.aclose()
    assert is_closed


async def test_closed_after_the_end_stays_complete(books: _Books) -> None:
    """Whoever closes the frames after the last one, as dispatch does, changes nothing."""
    async with aclosing(books.meter(_leaf(_text(1), _END))) as frames:
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
    books: _Books,
    error: GatewayError,
    state: str,
    http_status: int | None,
    fault: str | None,
    code: str | None,
) -> None:
    """State, status of the upstream, fault and code tell what happened; the error goes on up."""
    with pytest.raises(type(error)) as caught:
        await _all(books.meter(_leaf(_text(1), error)))
    assert caught.value is error
    _, last = books.records()
    assert (last.state, last.http_status) == (state, http_status)
    assert (last.fault, last.error_code) == (fault, code)
    assert last.buckets == buckets(input_tokens=100, output_tokens=1)
    assert last.is_estimate


async def test_failure_before_any_byte_used_and_cost_nothing(books: _Books) -> None:
    """No byte came: zero tokens, no fee, and that is no estimate."""
    books.price = Price(rates=_PRICE.rates, request_usd_pico=77, source="list")
    with pytest.raises(TimedOut):
        await _all(books.meter(_leaf(TimedOut("first_token", 1))))
    _, last = books.records()
    assert (last.buckets, last.is_estimate, last.cost_usd_pico) == (buckets(), False, 0)


async def test_defect_in_a_leaf_is_recorded_too(books: _Books) -> None:
    """An exception that is no error of ours still leaves its row."""
    with pytest.raises(ZeroDivisionError):
        await _all(books.meter(_leaf(_text(1), ZeroDivisionError())))
    _, last = books.records()
    assert (last.state, last.error_code) == ("failed", "internal_error")


async def test_answer_without_an_end_is_cut(books: _Books) -> None:
    """A leaf that stops without its terminal event never looks like a whole answer."""
    with pytest.raises(StreamCut):
        await _all(books.meter(_leaf(_text(1))))
    assert books.records()[1].state == "cut"


async def test_usage_stated_before_a_cut_is_taken(books: _Books) -> None:
    """What the provider stated beats an estimate, also in an answer that broke."""
    carrier = Frame(b"start", Meaning.SILENT, usage=_USAGE)
    with pytest.raises(StreamCut):
        await _all(books.meter(_leaf(carrier, StreamCut("cut"))))
    _, last = books.records()
    assert (last.buckets, last.is_estimate) == (buckets(input_tokens=10, output_tokens=5), False)


@pytest.mark.parametrize(
    ("frames", "num_output"),
    [((_text(1), _text(2), _END), 2), ((Frame(b"y" * 80, Meaning.END),), 20)],
)
async def test_answer_without_usage_is_estimated(
    books: _Books, frames: tuple[Frame, ...], num_output: int
) -> None:
    """A stream counts its frames, a plain answer its bytes; both are complete and flagged."""
    got = await _all(books.meter(_leaf(*frames)))
    _, last = books.records()
    assert last.state == "complete"
    assert last.is_estimate
    assert last.buckets == buckets(input_tokens=100, output_tokens=num_output)
    receipt = got[-1].receipt
    assert receipt is not None
    assert receipt.usage is not None
    assert receipt.usage.is_estimate


@pytest.mark.parametrize("count", [-5, 10**30])
async def test_absurd_usage_is_replaced_by_an_estimate(books: _Books, count: int) -> None:
    """An upstream's garbage numbers neither break the answer nor reach the ledger."""
    carrier = Frame(b"end", Meaning.END, usage=Usage(output_tokens=count))
    await _all(books.meter(_leaf(_text(1), carrier)))
    _, last = books.records()
    assert (last.buckets, last.is_estimate) == (buckets(input_tokens=100, output_tokens=1), True)


async def test_unknown_price_is_null_in_record_and_receipt(books: _Books) -> None:
    """No price: tokens are kept, the cost is None."""
    books.price = None
    got = await _all(books.meter(_leaf(Frame(b"end", Meaning.END, _USAGE))))
    _, last = books.records()
    assert (last.cost_usd_pico, last.price_source, last.price_date) == (None, None, None)
    receipt = got[0].receipt
    assert receipt is not None
    assert (receipt.state, receipt.cost_usd_pico) == ("complete", None)


async def test_reported_cost_has_the_provider_as_its_source(books: _Books) -> None:
    """A price list's date does not stand beside a cost that the provider stated."""
    usage = Usage(input_tokens=10, reported_cost_usd_pico=42)
    await _all(books.meter(_leaf(Frame(b"end", Meaning.END, usage))))
    _, last = books.records()
    assert (last.cost_usd_pico, last.price_source, last.price_date) == (42, "provider", None)


@pytest.mark.parametrize("close_at", range(5))
async def test_every_point_of_closing_gives_exactly_one_settled(
    tmp_path: Path, close_at: int
) -> None:
    """Wherever the caller stops, the pair of records is complete and single."""
    books = _Books(tmp_path)
    frames = books.meter(_leaf(_text(1), _text(2), _text(3), _END))
    async with aclosing(frames):
        for _ in range(close_at):
            await anext(frames)
    if close_at:
        _, last = books.records()
        assert last.state == ("complete" if close_at == 4 else "cancelled")
    books.journal.close()
