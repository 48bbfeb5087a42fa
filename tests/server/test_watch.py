"""What is overdue: each state of a connection, on both sides of its limit; then on real sockets."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from slipstream.call import Call, Frame, Frames, Meaning
from slipstream.server.watch import LOOKS, Watch
from tests.flows.raw import connect, decode, encode, read_one
from tests.server.asking import CHAT, chat, gateway_of, listening, whole


@dataclass
class Wire:
    """A transport as the watch sees it."""

    is_closed: bool = False
    unsent_bytes: int = 0
    calls: list[str] = field(default_factory=list)

    def is_closing(self) -> bool:
        """Say whether it was closed."""
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        """Return what the client has not taken."""
        return self.unsent_bytes

    def close(self) -> None:
        """Close when all is written."""
        self.is_closed = True
        self.calls.append("close")

    def abort(self) -> None:
        """Close now."""
        self.calls.append("abort")


@dataclass(eq=False)
class Line:
    """A connection as the watch sees it."""

    is_busy: bool = False
    since_s: float = 0.0
    unsent_bytes: int = 1 << 60
    seen_writes: int = 0
    spoke_s: float = 0.0
    num_writes: int = 0
    transport: Wire = field(default_factory=Wire)

    def ping(self) -> None:
        """Say that the stream goes on."""
        self.num_writes += 1
        self.transport.calls.append("ping")


class Clock:
    """A clock that is set."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def looked_at(line: Line, *times_s: float) -> list[str]:
    """Look at a connection at these times; return what was done to it."""
    clock = Clock()
    watch = Watch([line], idle_s=75.0, limit_s=630.0, now_s=clock)
    for clock.now_s in times_s:
        watch.look()
    return line.transport.calls


@pytest.mark.parametrize(
    ("line", "now_s", "calls"),
    [
        (Line(), 75.0, []),
        (Line(), 75.1, ["close"]),
        (Line(since_s=50.0), 125.0, []),
        (Line(is_busy=True), 75.1, []),
        (Line(is_busy=True), 630.0, []),
        (Line(is_busy=True), 630.1, ["abort"]),
    ],
)
def test_connection_ends_past_the_limit_of_its_state(
    line: Line, now_s: float, calls: list[str]
) -> None:
    """Idle ones are closed, overlong answers are aborted, neither too early."""
    assert looked_at(line, now_s) == calls


def test_closing_connection_whose_client_reads_is_left_alone() -> None:
    """A slow client gets its answer, as long as it takes some of it."""
    line = Line(transport=Wire(is_closed=True, unsent_bytes=1_000))
    clock = Clock()
    watch = Watch([line], idle_s=75.0, limit_s=630.0, now_s=clock)
    for clock.now_s in range(0, 700, 70):
        line.transport.unsent_bytes -= 1
        watch.look()
    assert line.transport.calls == []


def test_closing_connection_whose_client_takes_nothing_is_aborted() -> None:
    """An answer that nobody reads does not keep a socket for ever."""
    stuck = Line(transport=Wire(is_closed=True, unsent_bytes=1_000))
    assert looked_at(stuck, 10.0, 80.0) == []
    assert looked_at(stuck, 85.1) == ["abort"]


def test_idle_connection_with_an_unread_answer_is_closed_then_aborted() -> None:
    """An answer is complete for us long before its client has read it."""
    line = Line(transport=Wire(unsent_bytes=1_000))
    assert looked_at(line, 75.1, 81.0, 150.0, 157.0) == ["close", "abort"]


def test_look_is_taken_only_when_it_is_time() -> None:
    """Ten calls a second cost nothing in between."""
    line, clock = Line(), Clock()
    watch = Watch([line], idle_s=75.0, limit_s=630.0, now_s=clock)
    for clock.now_s in (75.0, 75.0 + 0.99 * 75.0 / LOOKS):
        watch.look()
    assert line.transport.calls == []
    clock.now_s = 75.0 + 75.0 / LOOKS
    watch.look()
    assert line.transport.calls == ["close"]


def pings(ping_s: float, spoken: set[int], line: Line | None = None) -> list[int]:
    """Return when a stream pinged that spoke at these seconds of 60, looked at each second."""
    line, clock, told = line or Line(is_busy=True), Clock(), []
    watch = Watch([line], idle_s=75.0, limit_s=630.0, now_s=clock, ping_s=ping_s)
    for now_s in range(60):
        line.num_writes += now_s in spoken
        clock.now_s = now_s * 1.0
        watch.look()
        told += [now_s] * line.transport.calls.count("ping")
        line.transport.calls.clear()
    return told


@pytest.mark.parametrize(
    ("ping_s", "spoken", "told"),
    [
        (10.0, set(range(60)), []),
        (10.0, set(range(0, 60, 9)), []),
        (10.0, {0, 5}, [15, 25, 35, 45, 55]),
        (10.0, {1, 30}, [11, 21, 40, 50]),
        (24.0, {0}, [24, 48]),
        (0.0, {0}, []),
    ],
)
def test_stream_pings_after_so_much_silence(
    ping_s: float, spoken: set[int], told: list[int]
) -> None:
    """Neither while it speaks nor twice for one silence; never where it is turned off."""
    assert all(abs(at - due) <= 4 for at, due in zip(pings(ping_s, spoken), told, strict=True))


def test_stream_whose_client_reads_nothing_does_not_ping() -> None:
    """It has enough to read."""
    line = Line(is_busy=True, transport=Wire(unsent_bytes=1))
    assert pings(10.0, {0}, line) == []


def test_idle_connection_does_not_ping() -> None:
    """There is nothing to wait for."""
    assert pings(10.0, {0}, Line()) == []


# ---- on real sockets ----------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"GET /hea", b"POST / HTTP/1.1\r\nhost: t\r\n"])
async def test_connection_that_says_nothing_is_closed(sent: bytes) -> None:
    """Silence, or half a head, is waited for only so long; no key was seen yet."""
    async with listening(gateway_of(whole()), idle_s=0.3) as url:
        reader, writer = await connect(url)
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(-1), 10) == b""
        writer.close()


async def test_connection_is_closed_when_idle_after_an_answer() -> None:
    """Keep-alive has its end, too, and not before the answer was idle for so long."""
    async with listening(gateway_of(whole()), idle_s=0.3) as url:
        reader, writer = await connect(url)
        for _ in range(2):
            writer.write(encode("GET", "/health", None, b"", close=False))
            assert (await read_one(reader)).status == 200
            await asyncio.sleep(0.1)
        assert await asyncio.wait_for(reader.read(-1), 10) == b""
        writer.close()


async def test_body_that_comes_too_slowly_ends_the_request() -> None:
    """A byte a second is not waited for beyond the limit."""
    async with listening(gateway_of(whole()), max_answer_s=0.3) as url:
        reader, writer = await connect(url)
        writer.write(encode("POST", CHAT, None, chat(), close=False)[:-20])
        waiting = asyncio.ensure_future(reader.read(-1))
        while not waiting.done():
            writer.write(b" ")
            await asyncio.wait((waiting,), timeout=0.1)
        await asyncio.gather(waiting, return_exceptions=True)  # a reset is as good as an end
        writer.close()


async def test_client_that_never_reads_is_ended() -> None:
    """A stream that nobody takes is closed at the limit; its frames are closed, too."""
    is_closed = asyncio.Event()

    async def serve(call: Call) -> Frames:
        try:
            while True:
                yield Frame(b"data: %b\n\n" % (b"x" * 60_000), Meaning.CONTENT)
                await asyncio.sleep(0)
        finally:
            is_closed.set()

    gateway = gateway_of(serve)
    async with listening(gateway, max_answer_s=0.5) as url:
        reader, writer = await connect(url)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(encode("POST", CHAT, None, chat(stream=True), close=False))
        await asyncio.wait_for(is_closed.wait(), 10)
        assert gateway.metrics.num_active == 0
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        with suppress(ConnectionResetError):
            while await asyncio.wait_for(reader.read(1 << 20), 10):
                pass
        assert reader.at_eof() or reader.exception() is not None
        writer.close()


class Sleepy:
    """Answers that fall silent before their last frame."""

    def __init__(self, *frames: Frame) -> None:
        self.frames = frames
        self.wakes = asyncio.Event()

    async def serve(self, call: Call) -> Frames:
        """Answer a call: the last frame comes when it is woken."""
        for frame in self.frames[:-1]:
            yield frame
        await self.wakes.wait()
        yield self.frames[-1]


SAID = Frame(b"data: 1\n\n", Meaning.CONTENT)
DONE = Frame(b"data: [DONE]\n\n", Meaning.END)
MESSAGES = b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}'
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


@pytest.mark.parametrize(
    ("path", "body", "ping"),
    [
        (CHAT, chat(stream=True), b": ping\n\n"),
        ("/v1/responses", b'{"model":"m","input":"x","stream":true}', b": ping\n\n"),
        ("/v1/messages?beta=true", MESSAGES, PING),
    ],
)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_silent_stream_pings_in_the_clients_dialect(
    path: str, body: bytes, ping: bytes, version: bytes
) -> None:
    """Whole events between those of the answer, none after the last; HTTP/1.0 has no chunks."""
    sleepy = Sleepy(SAID, DONE)
    async with listening(gateway_of(sleepy.serve), ping_s=0.2) as url:
        reader, writer = await connect(url)
        request = encode("POST", path, None, body, close=True)
        writer.write(request.replace(b"HTTP/1.1", b"HTTP/" + version, 1))
        seen = b""
        while seen.count(ping) < 2:
            seen += await asyncio.wait_for(reader.read(1 << 16), 10)
        sleepy.wakes.set()
        answer = decode(seen + await asyncio.wait_for(reader.read(-1), 10))
        writer.close()
    assert answer.body.startswith(SAID.data + ping + ping)
    assert answer.body.endswith(ping + DONE.data)
    assert answer.body.replace(ping, b"") == SAID.data + DONE.data


async def test_plain_answer_and_stream_that_has_not_begun_do_not_ping() -> None:
    """The bytes of a plain answer are all there is; before its first frame a stream is none."""
    for body, last in ((chat(), Frame(b"{}", Meaning.END)), (chat(stream=True), DONE)):
        sleepy = Sleepy(last)
        async with listening(gateway_of(sleepy.serve), ping_s=0.1) as url:
            reader, writer = await connect(url)
            writer.write(encode("POST", CHAT, None, body, close=True))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.6)
            sleepy.wakes.set()
            answer = decode(await asyncio.wait_for(reader.read(-1), 10))
            writer.close()
        assert answer.body == last.data


async def test_connection_that_is_kept_does_not_ping_between_answers() -> None:
    """What comes after a stream's end is the next answer."""
    sleepy = Sleepy(SAID, DONE)
    sleepy.wakes.set()
    async with listening(gateway_of(sleepy.serve), ping_s=0.1) as url:
        reader, writer = await connect(url)
        for _ in range(2):
            writer.write(encode("POST", CHAT, None, chat(stream=True), close=False))
            assert (await read_one(reader)).body == SAID.data + DONE.data
            await asyncio.sleep(0.3)
        writer.close()
