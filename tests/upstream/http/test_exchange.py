"""The state of one request: its reader, its clock, its end; no socket and no waiting for time."""

import asyncio

import pytest

from slipstream.choice import Deadlines
from slipstream.errors import Broken, GatewayError, StreamCut, TimedOut
from slipstream.upstream.http.exchange import STALE_RACE_S, Exchange

_LIMITS = Deadlines(connect_s=1, first_token_s=20, idle_s=10, total_s=100)


class _Carrier:
    """Notes what the exchange asks of its connection, and ends it as a connection does."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.num_resumed = 0
        self.dropped: list[GatewayError] = []

    def drop(self, error: GatewayError) -> None:
        self.dropped.append(error)
        assert self.exchange is not None
        self.exchange.error = error
        self.exchange.carrier = None
        self.exchange.wake()

    def resume_reading(self) -> None:
        self.num_resumed += 1


def _begin(total_s: float = 100) -> tuple[Exchange, _Carrier]:
    carrier = _Carrier()
    loop = asyncio.get_running_loop()
    exchange = Exchange(loop, carrier, _LIMITS, loop.time() + total_s, False)
    carrier.exchange = exchange
    return exchange, carrier


async def _waiting(coroutine: "asyncio.Task[object]") -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    assert not coroutine.done()


def _feed(exchange: Exchange, *parts: bytes) -> None:
    for part in parts:
        exchange.chunks.append(part)
        exchange.buffered_bytes += len(part)
    exchange.progress()


async def test_exchange_hands_out_what_has_arrived_at_once() -> None:
    """Pieces that came together are given together; the reader never waits for more."""
    exchange, _ = _begin()
    exchange.accept_head(200, [])
    _feed(exchange, b"a", b"b")
    assert await exchange.next_chunk() == b"ab"
    reading = asyncio.ensure_future(exchange.next_chunk())
    await _waiting(reading)
    _feed(exchange, b"c")
    assert await reading == b"c"
    exchange.is_complete = True
    assert await exchange.next_chunk() == b""


async def test_exchange_hands_out_what_came_before_a_failure() -> None:
    """A cut stream is relayed up to its cut."""
    exchange, carrier = _begin()
    exchange.accept_head(200, [])
    _feed(exchange, b"a")
    carrier.drop(StreamCut("cut"))
    assert await exchange.next_chunk() == b"a"
    with pytest.raises(StreamCut, match="cut"):
        await exchange.next_chunk()


async def test_exchange_in_the_first_phase_expires_by_first_token() -> None:
    """Until a byte of the body came, the limit runs from the request's last byte."""
    exchange, carrier = _begin()
    waiting = asyncio.ensure_future(exchange.wait_head())
    await _waiting(waiting)
    exchange.check(exchange.begun_s + 19.9)
    assert carrier.dropped == []
    exchange.check(exchange.begun_s + 20.1)
    await waiting
    assert isinstance(exchange.error, TimedOut)
    assert (exchange.error.phase, "20 s" in exchange.error.message) == ("first_token", True)


async def test_exchange_with_head_and_no_body_still_expires_by_first_token() -> None:
    """Headers that come early are no token."""
    exchange, _ = _begin()
    exchange.accept_head(200, [])
    exchange.progress()
    reading = asyncio.ensure_future(exchange.next_chunk())
    await _waiting(reading)
    exchange.check(exchange.begun_s + 20.1)
    with pytest.raises(TimedOut) as caught:
        await reading
    assert caught.value.phase == "first_token"


async def test_exchange_between_reads_expires_by_idle() -> None:
    """After the first byte the limit runs from the last byte, or from when the reader came."""
    exchange, carrier = _begin()
    exchange.accept_head(200, [])
    _feed(exchange, b"a")
    await exchange.next_chunk()
    reading = asyncio.ensure_future(exchange.next_chunk())
    await _waiting(reading)
    started_s = exchange.phase_deadline_s - _LIMITS.idle_s
    exchange.check(started_s + 9.9)
    assert carrier.dropped == []
    exchange.check(started_s + 10.1)
    with pytest.raises(TimedOut) as caught:
        await reading
    assert caught.value.phase == "idle"


async def test_exchange_without_a_waiting_reader_expires_by_total_alone() -> None:
    """A slow client is no fault of the upstream's; the call's own end holds all the same."""
    exchange, carrier = _begin(total_s=100)
    exchange.accept_head(200, [])
    _feed(exchange, b"a")
    exchange.check(exchange.begun_s + 99)
    assert carrier.dropped == []
    exchange.check(exchange.begun_s + 100.1)
    assert isinstance(carrier.dropped[0], TimedOut)
    assert carrier.dropped[0].phase == "total"


async def test_exchange_read_whole_is_bounded_by_what_is_declared_and_by_what_comes() -> None:
    """An answer over the bound is given up before it is in memory, declared or not."""
    for headers, fed in (([(b"content-length", b"11")], b""), ([], b"x" * 11)):
        exchange, carrier = _begin()
        exchange.accept_head(200, headers)
        if fed:
            _feed(exchange, fed)
        with pytest.raises(Broken, match="more than 10 bytes"):
            await exchange.read_whole(10)
        assert len(carrier.dropped) == 1


async def test_exchange_read_whole_accepts_exactly_the_bound() -> None:
    """The bound itself is accepted."""
    exchange, _ = _begin()
    exchange.accept_head(200, [(b"content-length", b"10")])
    _feed(exchange, b"x" * 10)
    exchange.is_complete, exchange.carrier = True, None
    assert await exchange.read_whole(10) == b"x" * 10


async def test_exchange_read_whole_lets_the_connection_go_on() -> None:
    """What was held back for a reader of pieces flows again for one who wants it all."""
    exchange, carrier = _begin()
    exchange.accept_head(200, [])
    reading = asyncio.ensure_future(exchange.read_whole(100))
    await _waiting(reading)
    assert carrier.num_resumed == 1
    _feed(exchange, b"a")
    await _waiting(reading)  # a piece does not wake a reader of the whole
    exchange.is_complete = True
    exchange.wake()
    assert await reading == b"a"


async def test_exchange_cancelled_wait_drops_the_connection() -> None:
    """Cancellation reaches the transport before the exception leaves the wait."""
    exchange, carrier = _begin()
    waiting = asyncio.ensure_future(exchange.wait_head())
    await _waiting(waiting)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert isinstance(carrier.dropped[0], StreamCut)
    exchange.close()
    assert len(carrier.dropped) == 1


async def test_exchange_counts_as_unanswered_only_if_it_ended_soon_and_without_a_byte() -> None:
    """Only this outcome may be sent again; see rule R in client.py."""
    outcomes = []
    for has_bytes, age_s in ((False, 0.0), (True, 0.0), (False, STALE_RACE_S + 1)):
        exchange, _ = _begin()
        exchange.has_bytes = has_bytes
        exchange.begun_s -= age_s
        exchange.note_end()
        outcomes.append(exchange.is_unanswered)
    assert outcomes == [True, False, False]
