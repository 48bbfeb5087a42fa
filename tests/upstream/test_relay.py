"""The relay against a server that plays bytes: what it sends, what it makes of every answer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from slipstream.call import Call, Dialect, Frame, Meaning, Secret
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.errors import Broken, Busy, Fault, GatewayError, Rejected, StreamCut, TimedOut
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.relay import Endpoint, Relay

KEY = "sk-live-1234"
LIMITS = Deadlines(connect_s=5.0, first_token_s=10.0, idle_s=10.0, total_s=20.0)
BODY: dict[str, object] = {"model": "lab/public", "messages": [], "stream_options": {"x": 1}}

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
SAY = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
PLAIN = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def chunk(data: bytes) -> bytes:
    """Frame a piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def plain(body: bytes, status: int = 200, extra: bytes = b"") -> bytes:
    """Return a whole plain answer."""
    head = b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n"
    return head % (status, extra, len(body)) + body


def closing(*events: bytes) -> Sequence[bytes | float]:
    """Return a stream that ends with its connection."""
    return [STREAM_HEAD + b"\r\n", *events, CLOSE]


def chunked(*events: bytes) -> Sequence[bytes | float]:
    """Return a chunked stream, whole."""
    head = STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n"
    return [head + b"".join(map(chunk, events)) + b"0\r\n\r\n"]


CLOSE = -1.0
Step = bytes | float  # bytes to write, seconds to wait, or CLOSE


@dataclass
class Player:
    """A provider that plays these steps for each request; notes requests and connections."""

    steps: Sequence[Step]
    requests: list[bytes] = field(default_factory=list)
    num_connections: int = 0
    num_open: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.num_connections += 1
        self.num_open += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(size))
                if not await self._play(reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.num_open -= 1
            writer.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for step in self.steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif step == CLOSE:
                return False
            else:
                await asyncio.sleep(step)
                if reader.at_eof():
                    return False
        return True


@dataclass
class Scene:
    """A relay, its client and its player."""

    relay: Relay
    client: HttpClient
    player: Player

    async def frames(
        self, limits: Deadlines = LIMITS, *, is_stream: bool = True, **fields: object
    ) -> list[Frame]:
        """Ask for an answer; return all of its frames."""
        call = call_of(limits, is_stream=is_stream, **fields)
        async with asyncio.timeout(20):
            return [frame async for frame in self.relay(call)]


def call_of(limits: Deadlines = LIMITS, *, is_stream: bool = True, **fields: object) -> Call:
    """Return a call that was aimed at this provider."""
    loop = asyncio.get_running_loop()
    attempt = Attempt(
        attempt_id="a-1",
        number=1,
        route="r",
        target=Target("lab", "their/id"),
        deadlines=limits,
        started_at_ns=0,
        total_deadline_s=loop.time() + limits.total_s,
    )
    return Call(
        call_id="a",
        dialect=Dialect.OPENAI_CHAT,
        body=json.dumps({**BODY, "stream": is_stream, **fields}).encode(),
        model="lab/public",
        key_id="key-1",
        is_stream=is_stream,
        attempt=attempt,
    )


@asynccontextmanager
async def scene(steps: Sequence[Step], **options: object) -> AsyncIterator[Scene]:
    """Open a relay to a player of these steps."""
    player = Player(steps)
    server = await asyncio.start_server(player.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base/v1/"
    client = HttpClient(HttpSettings(), environ={})
    endpoint = Endpoint(name="lab", base_url=url, key=Secret(KEY), **options)  # type: ignore[arg-type]
    try:
        yield Scene(Relay(endpoint, client, now=lambda: datetime.now(UTC)), client, player)
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


def said(frames: list[Frame]) -> bytes:
    """Return what a client would receive."""
    return b"".join(frame.data for frame in frames if frame.meaning is not Meaning.WITHHELD)


# ---- the request --------------------------------------------------------------------------------


async def test_request_goes_to_the_configured_place_with_the_configured_key() -> None:
    """Nothing of the call decides where it goes: not its model, not its body."""
    async with scene([plain(PLAIN)]) as s:
        await s.frames(is_stream=False, base_url="http://evil.example", host="evil")
    head, _, body = s.player.requests[0].partition(b"\r\n\r\n")

    assert head.startswith(b"POST /base/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:")
    assert f"authorization: Bearer {KEY}".encode() in head
    assert json.loads(body)["model"] == "their/id"


@pytest.mark.parametrize(
    ("is_stream", "options", "expected"),
    [
        (True, {}, {"x": 1, "include_usage": True}),
        (False, {}, {"x": 1}),
        (True, {"asks_usage": False}, {"x": 1}),
        (True, {"asks_usage": False, "like": "mistral"}, None),
    ],
)
async def test_request_is_patched_as_the_provider_needs_it(
    is_stream: bool, options: dict[str, object], expected: object
) -> None:
    """Usage is asked for where it must be; what a provider refuses is left out."""
    steps = chunked(SAY, STOP, DONE) if is_stream else [plain(PLAIN)]
    async with scene(steps, **options) as s:
        await s.frames(is_stream=is_stream)
    sent = json.loads(s.player.requests[0].partition(b"\r\n\r\n")[2])
    assert sent.get("stream_options") == expected


async def test_key_is_in_no_repr() -> None:
    """Neither the relay nor its endpoint shows the key."""
    async with scene([]) as s:
        endpoint = Endpoint(name="lab", base_url="http://h/v1", key=Secret(KEY))
        assert KEY not in f"{s.relay!r} {vars(s.relay).keys()} {endpoint!r} {endpoint}"


# ---- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "meanings"),
    [
        ([ROLE, SAY, STOP, DONE], "SILENT CONTENT CONTENT END"),
        ([b": ping\n\n", SAY, DONE], "SILENT CONTENT END"),
        ([DONE], "END"),
    ],
)
async def test_stream_is_relayed_byte_for_byte(events: list[bytes], meanings: str) -> None:
    """Every event is a frame with its own bytes."""
    async with scene(chunked(*events)) as s:
        frames = await s.frames()
    assert [frame.data for frame in frames] == events
    assert [frame.meaning.name for frame in frames] == meanings.split()


@pytest.mark.parametrize(
    ("tail", "end"),
    [
        (DONE, DONE),
        (b"data: [DONE]\n", b"data: [DONE]\n\n\n"),
        (b"data: [DONE]", DONE),
        (b"", DONE),  # all choices have finished
    ],
)
async def test_stream_that_ends_with_its_connection_has_one_end(tail: bytes, end: bytes) -> None:
    """With or without its last line ends, a terminal event ends the answer, once.

    `data: [DONE]` without a blank line once made two ends, and so a defect in the server.
    """
    async with scene(closing(SAY, STOP, tail)) as s:
        frames = await s.frames()
    assert [frame.meaning for frame in frames].count(Meaning.END) == 1
    assert said(frames) == SAY + STOP + end


async def test_last_event_without_its_blank_line_is_completed() -> None:
    """What follows an unfinished event must not become a part of it."""
    async with scene(closing(SAY, STOP.rstrip(b"\n"))) as s:
        frames = await s.frames()
    assert said(frames) == SAY + STOP + DONE
    assert frames[-1].finish_reason == "stop"


@pytest.mark.parametrize("tail", [b"", STOP[:30], b"data: {", b"dat"])
async def test_stream_without_its_terminal_event_was_cut(tail: bytes) -> None:
    """A connection that ends early is a cut, also in the middle of an event; not bad JSON."""
    async with scene(closing(ROLE, SAY, tail)) as s:
        with pytest.raises(StreamCut) as caught:
            await s.frames()
    assert caught.value.fault is Fault.NETWORK


async def test_event_that_is_no_chunk_is_broken() -> None:
    """Bad JSON in the middle of a stream is the provider's fault."""
    async with scene(chunked(SAY, b"data: {\n\n", DONE)) as s:
        with pytest.raises(Broken):
            await s.frames()


async def test_plain_answer_to_a_stream_is_refused_as_what_it_is() -> None:
    """An error inside a 200 is that error; any other plain answer is broken."""
    error = b'{"error":{"message":"slow down","type":"rate_limit_error"}}'
    async with scene([plain(error, extra=b"content-type: application/json\r\n")]) as s:
        with pytest.raises(Busy, match="slow down"):
            await s.frames()
    async with scene([plain(PLAIN)]) as s:
        with pytest.raises(Broken, match="plain answer"):
            await s.frames()


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [204, 300, 301, 302, 303, 307, 308, 304])
async def test_redirects_are_not_followed(status: int) -> None:
    """Where a provider points is not where the operator's key may go."""
    trap = Player([plain(PLAIN)])
    server = await asyncio.start_server(trap.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    location = b"location: http://127.0.0.1:%d/v1/chat/completions\r\n" % port
    body = b"" if status in (204, 304) else b"x"
    async with scene([plain(body, status, location)]) as s:
        for is_stream in (True, False):
            with pytest.raises(Broken, match=str(status)):
                await s.frames(is_stream=is_stream)
    server.close()
    await server.wait_closed()
    assert trap.num_connections == 0


async def test_refused_key_is_the_keys_fault_and_not_quoted() -> None:
    """What a provider says of a key stays here."""
    body = b'{"error":{"message":"Incorrect API key provided: sk-live-1234"}}'
    async with scene([plain(body, 401)]) as s:
        with pytest.raises(Rejected) as caught:
            await s.frames()
    assert caught.value.fault is Fault.KEY
    assert KEY not in caught.value.message


@pytest.mark.parametrize(
    ("status", "fault", "retryable"),
    [
        (400, Fault.CLIENT, False),
        (401, Fault.KEY, True),
        (429, Fault.QUOTA, True),
        (500, Fault.TARGET, True),
    ],
)
async def test_error_whose_body_is_cut_is_still_that_error(
    status: int, fault: Fault, retryable: bool
) -> None:
    """The status has said what matters: a cut body does not make a bad request retryable."""
    head = b"HTTP/1.1 %d X\r\nretry-after: 3\r\ncontent-length: 100\r\n\r\n{" % status
    async with scene([head, CLOSE]) as s:
        with pytest.raises((Rejected, Busy)) as caught:
            await s.frames(is_stream=False)
    assert caught.value.fault is fault
    assert caught.value.retryable is retryable
    assert caught.value.retry_after_s == (3.0 if status == 429 else None)


# ---- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "silence",
    [
        [ROLE],
        [b": ping\n\n"] * 3,
        [b": one\n\n", 0.05, b": two\n\n", 0.05, ROLE, 0.05, b": three\n\n"],
        [],
    ],
)
async def test_stream_that_only_begins_is_given_up_at_the_first_token_deadline(
    silence: list[Step],
) -> None:
    """Bytes that say nothing are no first token; the idle time is for later."""
    steps: list[Step] = [STREAM_HEAD + b"\r\n", *silence, 30.0]
    limits = Deadlines(first_token_s=0.4, idle_s=10.0, total_s=10.0)
    async with scene(steps) as s:
        began_s = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            await s.frames(limits)
        assert 0.35 < time.monotonic() - began_s < 5.0
    assert caught.value.phase == "first_token"
    assert "0.4 s" in caught.value.message


async def test_stream_that_has_said_something_has_the_idle_time() -> None:
    """After the first token, the deadline for it does not count any more."""
    head = STREAM_HEAD + b"\r\n"
    limits = Deadlines(first_token_s=0.3, idle_s=10.0, total_s=10.0)
    async with scene([head, ROLE, SAY, 0.6, STOP, DONE, CLOSE]) as s:
        assert said(await s.frames(limits)) == ROLE + SAY + STOP + DONE

    limits = Deadlines(first_token_s=10.0, idle_s=0.2, total_s=10.0)
    async with scene([head, ROLE, SAY, 30.0]) as s:
        with pytest.raises(TimedOut) as caught:
            await s.frames(limits)
    assert caught.value.phase == "idle"


# ---- the connection -----------------------------------------------------------------------------


@pytest.mark.parametrize("delay_s", [0.0, 0.03])
async def test_connection_is_kept_when_the_last_chunk_comes_after_the_last_event(
    delay_s: float,
) -> None:
    """Servers write `[DONE]` and the end of the body in two pieces; that costs no connection."""
    head = STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n"
    steps: list[Step] = [head + chunk(SAY) + chunk(STOP) + chunk(DONE), delay_s, b"0\r\n\r\n"]
    async with scene(steps) as s:
        for _ in range(3):
            assert said(await s.frames()) == SAY + STOP + DONE
            while s.client.stats.in_flight:
                await asyncio.sleep(0.005)
    assert s.player.num_connections == 1


async def test_connection_without_an_end_after_the_last_event_is_let_go() -> None:
    """A provider that never ends its body does not hold the client, nor a socket for long."""
    head = STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n"
    pings: list[Step] = [chunk(b": ping\n\n"), 0.02] * 500
    async with scene([head + chunk(SAY) + chunk(DONE), *pings]) as s:
        began_s = time.monotonic()
        await s.frames()
        assert time.monotonic() - began_s < 5.0
        async with asyncio.timeout(5):
            while s.client.stats.open or s.player.num_open:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("num_read", [1, 2])
async def test_frames_that_are_closed_early_close_the_connection(num_read: int) -> None:
    """Whoever stops reading stops the provider, at once."""
    async with scene([STREAM_HEAD + b"\r\n", ROLE, SAY, 30.0]) as s:
        frames = s.relay(call_of())
        for _ in range(num_read):
            await anext(frames)
        await frames.aclose()
        async with asyncio.timeout(5):
            while s.client.stats.open:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("is_stream", [True, False])
async def test_cancelled_answer_closes_the_connection(is_stream: bool) -> None:
    """A cancelled wait leaves nothing open."""
    async with scene([30.0]) as s:
        task = asyncio.ensure_future(s.frames(is_stream=is_stream))
        while not s.player.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            while s.client.stats.open:
                await asyncio.sleep(0.005)


async def test_errors_are_all_of_our_tree() -> None:
    """Whatever bytes a provider sends, what is raised is an error of ours."""
    answers: list[Sequence[Step]] = [
        [b"garbage\r\n\r\n", CLOSE],
        [CLOSE],
        [plain(b"")],
        [plain(b"\xff\xfe")],
        [plain(b"null")],
        [plain(b"[" * 100_000)],
        [plain(b'{"choices":5}')],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", CLOSE],
        [plain(b"<html>", 502)],
        closing(b"data: " + b"[" * 100_000 + b"\n\n"),
        closing(b"\xef\xbb\xbfdata: \xff\n\n"),
    ]
    for steps in answers:
        for is_stream in (True, False):
            async with scene(steps) as s:
                with pytest.raises(GatewayError):
                    await s.frames(is_stream=is_stream)
