"""One exchange, whatever ends it: frames go out in order, errors in shape, and it always ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from slipstream.call import Call, Dialect, Frame, Frames, Meaning, Receipt, Serve
from slipstream.choice import Target
from slipstream.errors import Busy, GatewayError, StreamCut
from slipstream.server.asgi import Header, Message
from slipstream.server.doors import doors_of
from slipstream.server.exchange import Exchange, Terms
from slipstream.server.profiles import Profiles
from slipstream.server.protocol import ON_GONE
from slipstream.wire.cerebras.models import row_for
from slipstream.wire.cerebras.objects import answer_id_of
from tests.server.asking import NO_LIMITS, Asked, chat, serve_frames

RECEIPT = Receipt(attempt_id="a", target=Target("lab", "m"), num_attempts=1)
SAY = Frame(b"data: one\n\n", Meaning.CONTENT, receipt=RECEIPT)
USAGE = Frame(b"data: usage\n\n", Meaning.WITHHELD)
DONE = Frame(b"data: [DONE]\n\n", Meaning.END, receipt=RECEIPT)


TERMS = Terms(None, Profiles(of_models={"strict": "cerebras"}), NO_LIMITS, 10_000)
CHAT_DOOR = doors_of(lambda name: row_for(name))["/chat/completions"]
SDK = (b"user-agent", b"Cerebras/Python 1.91.0")


def exchange_of(asked: Asked) -> Exchange:
    """Return the exchange of a request, in the running task."""
    return Exchange(CHAT_DOOR, TERMS, "req-1", asked.scope, asked.receive, asked.send)


async def run(asked: Asked, serve: Serve) -> Exchange:
    """Run the exchange of a request to its end."""
    exchange = exchange_of(asked)
    async with asyncio.timeout(10):
        await exchange.run(serve)
    return exchange


class Endless:
    """A stream that says one thing and then waits; notes that it was closed."""

    def __init__(self) -> None:
        self.is_waiting = asyncio.Event()
        self.is_closed = False

    async def serve(self, call: Call) -> Frames:
        """Answer a call."""
        try:
            yield SAY
            self.is_waiting.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)  # closing takes a turn of the loop
            self.is_closed = True


@asynccontextmanager
async def begun(asked: Asked, endless: Endless) -> AsyncIterator[asyncio.Task[Exchange]]:
    """Run an exchange up to where its stream waits; it must end by itself afterwards."""
    task = asyncio.ensure_future(run(asked, endless.serve))
    await asyncio.wait_for(endless.is_waiting.wait(), 5)
    yield task
    await asyncio.wait_for(task, 5)
    assert endless.is_closed
    assert not task.cancelling()
    assert ON_GONE not in asked.scope


async def test_stream_goes_out_frame_by_frame_without_what_is_withheld() -> None:
    """Each frame is a message of its own; ours alone is not sent; END ends it."""
    asked = Asked(chat(stream=True))
    exchange = await run(asked, serve_frames(SAY, USAGE, DONE))

    assert [message.get("body") for message in asked.sent[1:]] == [SAY.data, DONE.data]
    assert asked.has_ended
    assert asked.headers["content-type"].startswith("text/event-stream")
    assert asked.headers["x-slipstream-target"] == "lab/m"
    assert "content-length" not in asked.headers
    assert exchange.summary().outcome == "ok"


async def test_plain_answer_has_its_length() -> None:
    """A plain answer is one message with a length."""
    asked = Asked([b"", *[bytes([byte]) for byte in chat()]])
    await run(asked, serve_frames(Frame(b"{}", Meaning.END)))

    assert asked.headers["content-length"] == "2"
    assert asked.headers["content-type"] == "application/json"
    assert asked.body == b"{}"


async def test_error_before_the_first_frame_is_a_status() -> None:
    """Nothing was said yet, so the status can still tell."""

    async def serve(call: Call) -> Frames:
        raise Busy("later", retry_after_s=3.0)
        yield SAY

    asked = Asked(chat(stream=True))
    exchange = await run(asked, serve)

    assert asked.status == 429
    assert asked.headers["retry-after"] == "3"
    assert asked.headers["x-request-id"] == "req-1"
    assert exchange.summary().outcome == "rate_limit_exceeded"


async def test_error_after_the_first_frame_is_the_last_event() -> None:
    """A stream that has begun ends with an error, never with a made-up end."""

    async def serve(call: Call) -> Frames:
        yield SAY
        raise StreamCut("cut")

    asked = Asked(chat(stream=True))
    exchange = await run(asked, serve)

    assert asked.status == 200
    assert asked.has_ended
    assert asked.error["code"] == "upstream_stream_cut"
    assert b"[DONE]" not in asked.body
    assert exchange.summary().outcome == "upstream_stream_cut"


async def test_error_after_the_end_sends_nothing_more() -> None:
    """What goes wrong once the client has everything is logged, not sent."""

    async def serve(call: Call) -> Frames:
        yield SAY
        yield DONE
        raise StreamCut("too late")

    asked = Asked(chat(stream=True))
    exchange = await run(asked, serve)

    assert asked.body == SAY.data + DONE.data
    assert exchange.error is not None


async def test_client_gone_cancels_and_closes_the_answer() -> None:
    """The frames are closed to their end, and the task is not left cancelled."""
    asked, endless = Asked(chat(stream=True)), Endless()
    async with begun(asked, endless) as task:
        asked.scope[ON_GONE]()
    summary = task.result().summary()
    assert summary.outcome == "client_gone"
    assert summary.status == 200


async def test_client_gone_twice_does_not_interrupt_the_closing() -> None:
    """A second notice, while frames are being closed, changes nothing."""
    asked, endless = Asked(chat(stream=True)), Endless()
    async with begun(asked, endless):
        on_gone = asked.scope[ON_GONE]
        on_gone()
        asyncio.get_running_loop().call_soon(on_gone)


async def test_stop_of_the_server_ends_a_stream_with_an_error() -> None:
    """An answer that outlives the shutdown says why it ends."""
    asked, endless = Asked(chat(stream=True)), Endless()
    async with begun(asked, endless) as task:
        task.cancel()
        await asyncio.sleep(0)
    assert asked.has_ended
    assert asked.error["code"] == "shutting_down"


async def test_stop_of_the_server_before_the_first_frame_is_a_503() -> None:
    """A client that got nothing may try another replica at once."""

    async def serve(call: Call) -> Frames:
        await asyncio.sleep(60)
        yield SAY

    asked = Asked(chat())
    task = asyncio.ensure_future(run(asked, serve))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait_for(task, 5)

    assert asked.status == 503
    assert asked.headers["x-should-retry"] == "true"
    assert asked.headers["retry-after"] == "1"


async def test_client_gone_while_an_error_is_sent_is_the_end() -> None:
    """A client that leaves while it is told of an error leaves no error behind. (It once did.)"""

    class Slow(Asked):
        async def send(self, message: Message) -> None:
            self.scope[ON_GONE]()
            await asyncio.sleep(60)

    async def serve(call: Call) -> Frames:
        raise StreamCut("cut")
        yield SAY

    exchange = await run(Slow(chat(stream=True)), serve)
    assert exchange.summary().is_gone


async def test_client_gone_between_the_end_and_its_sending_closes_all() -> None:
    """A client that leaves in the last moment leaves nothing open."""
    endings: list[str] = []

    class Slow(Asked):
        async def send(self, message: Message) -> None:
            if message.get("more_body") is False:
                self.scope[ON_GONE]()
                await asyncio.sleep(60)
            await super().send(message)

    async def serve(call: Call) -> Frames:
        try:
            yield SAY
            yield DONE
        finally:
            endings.append("closed")

    exchange = await run(Slow(chat(stream=True)), serve)
    assert exchange.summary().is_gone
    assert endings == ["closed"]


async def test_half_a_request_is_not_served() -> None:
    """A client that leaves while it sends is gone, and nobody is asked."""

    class Leaving(Asked):
        async def receive(self) -> Message:
            message = await super().receive()
            return {**message, "more_body": True} if message["type"] == "http.request" else message

    def serve(call: Call) -> Frames:
        raise AssertionError("it must not be asked")

    asked = Leaving(chat())
    exchange = await run(asked, serve)
    assert asked.sent == []
    assert exchange.summary().outcome == "client_gone"
    assert exchange.summary().status == 0


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ((), None),
        (("store",), "store"),
        (("store", "messages.2.reasoning_content -> reasoning"), None),
        (("x" * 2_000,), "x" * 1_000 + "..."),
        (("schlüssel\r\nx: y",), "schl%C3%BCssel%0D%0Ax: y"),
    ],
)
async def test_what_a_target_got_otherwise_is_named(
    changes: tuple[str, ...], shown: str | None
) -> None:
    """Nothing is changed silently, and nothing that a client wrote can make a header of its own."""
    asked = Asked(chat())
    await run(asked, serve_frames(Frame(b"{}", Meaning.END, receipt=RECEIPT, changes=changes)))
    wanted = shown if shown is not None else ", ".join(changes) or None
    assert asked.headers.get("x-slipstream-changed") == wanted


@pytest.mark.parametrize(
    ("fields", "headers", "dialect"),
    [
        ({}, [], Dialect.OPENAI_CHAT),
        ({"model": "strict"}, [], Dialect.CEREBRAS_CHAT),
        ({}, [SDK], Dialect.CEREBRAS_CHAT),
        ({}, [(b"user-agent", b"AsyncCerebras/Python 1.91.0")], Dialect.CEREBRAS_CHAT),
        ({}, [(b"user-agent", b"OpenAI/Python 3.52.0")], Dialect.OPENAI_CHAT),
    ],
)
async def test_model_or_sdk_decides_the_dialect(
    fields: dict[str, object], headers: list[Header], dialect: Dialect
) -> None:
    """A model's own profile holds for every caller; else the caller's SDK decides."""
    calls: list[Call] = []

    async def serve(call: Call) -> Frames:
        calls.append(call)
        yield DONE

    await run(Asked(chat(**fields), headers=headers), serve)
    assert [call.dialect for call in calls] == [dialect]
    assert (calls[0].asked is not None) == (dialect is Dialect.CEREBRAS_CHAT)


async def test_strict_request_fails_in_its_own_shape() -> None:
    """What is wrong with a strict model's request is told as its API tells it."""
    asked = Asked(chat(model="strict", n="two", stream="yes"))
    await run(asked, serve_frames(DONE))
    assert asked.status == 400
    assert set(json.loads(asked.body)) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("provider", "shown"), [("local", answer_id_of("req-1")), ("cerebras", None)]
)
async def test_answer_of_our_own_has_its_id_in_a_header(provider: str, shown: str | None) -> None:
    """The id is the body's, which only our own models' answers have from us."""
    receipt = Receipt(attempt_id="a", target=Target(provider, "m"), num_attempts=1)
    asked = Asked(chat(model="strict"))
    await run(asked, serve_frames(Frame(b"{}", Meaning.END, receipt=receipt)))
    assert asked.headers.get("inference-id") == shown


async def test_fail_ends_an_exchange_that_never_ran() -> None:
    """A refusal before anything was looked at is an answer, too."""
    asked = Asked(chat())
    exchange = exchange_of(asked)
    await exchange.fail(GatewayError("no"))
    assert asked.status == 500
    assert exchange.summary().status == 500
