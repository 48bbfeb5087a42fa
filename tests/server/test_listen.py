"""Listening and stopping: addresses, signals, and what happens to answers that are still open."""

import asyncio
import socket
import subprocess
import sys
import time

import pytest

from slipstream.call import Call, Frame, Frames, Meaning
from slipstream.errors import ConfigError
from slipstream.server.listen import listen, serving, url_of
from tests.flows.raw import ask, connect, decode, encode
from tests.server.asking import CHAT, chat, gateway_of, listening, whole

SIGNALS = """
import asyncio, os, signal
from slipstream.server.listen import stop_signals

async def main():
    with stop_signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(signals.first.wait(), 5)
        assert not signals.second.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(signals.second.wait(), 5)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


class Slow:
    """Streams that go on for a while; counts those that are open."""

    def __init__(self, duration_s: float = 60.0) -> None:
        self.duration_s = duration_s
        self.num_open = 0
        self.has_begun = asyncio.Event()

    async def serve(self, call: Call) -> Frames:
        """Answer a call."""
        self.num_open += 1
        try:
            yield Frame(b"data: 1\n\n", Meaning.CONTENT)
            self.has_begun.set()
            await asyncio.sleep(self.duration_s)
            yield Frame(b"data: [DONE]\n\n", Meaning.END)
        finally:
            await asyncio.sleep(0)
            self.num_open -= 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_listen_takes_a_free_port_and_says_which(host: str) -> None:
    """Port 0 becomes a real one, in a URL that works."""
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with listen(host, 0) as sock:
        assert url_of(sock) == f"http://{'[::1]' if host == '::1' else '127.0.0.1'}:{_port(sock)}"


def _port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid", "not a host"])
def test_address_of_another_machine_is_refused(host: str) -> None:
    """What cannot be listened on is a clear error that names it and what to do."""
    with pytest.raises(ConfigError, match=r"cannot listen on .*choose another with --port"):
        listen(host, 0)


def test_port_that_is_taken_is_refused() -> None:
    """Two gateways on one port are a mistake."""
    with listen("127.0.0.1", 0) as sock, pytest.raises(ConfigError, match=str(_port(sock))):
        listen("127.0.0.1", _port(sock))


async def test_serving_that_cannot_begin_raises() -> None:
    """A server that does not run is not yielded as one that does."""
    sock = listen("127.0.0.1", 0)
    sock.close()
    with pytest.raises((OSError, ValueError)):
        async with serving(gateway_of(whole()), sock, shutdown_s=0.1, max_answer_s=10.0):
            pass


async def test_stop_without_requests_is_quick_and_closes_idle_connections() -> None:
    """Nothing is waited for when there is nothing to wait for."""
    async with listening(gateway_of(whole()), shutdown_s=30.0) as url:
        reader, writer = await connect(url)
        assert (await ask(url, encode("GET", "/health", None, b""))).status == 200
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 5.0
    assert await asyncio.wait_for(reader.read(-1), 5) == b""
    writer.close()


async def test_open_answers_may_end_while_stopping() -> None:
    """An answer that ends in time is whole, and its connection then closes."""
    slow = Slow(0.5)
    async with listening(gateway_of(slow.serve), shutdown_s=30.0) as url:
        request = encode("POST", CHAT, None, chat(stream=True), close=False)
        answer = asyncio.ensure_future(ask(url, request))
        await asyncio.wait_for(slow.has_begun.wait(), 5)
    assert (await asyncio.wait_for(answer, 5)).body.endswith(b"data: [DONE]\n\n")
    assert slow.num_open == 0


async def test_open_answers_are_cut_with_an_error_when_the_time_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A stream ends with an error event, a waiting request with a 503; nothing is left."""
    slow = Slow()
    gateway = gateway_of(slow.serve)
    async with listening(gateway, shutdown_s=0.3) as url:
        request = encode("POST", CHAT, None, chat(stream=True), close=False)
        answers = [asyncio.ensure_future(ask(url, request)) for _ in range(3)]
        await asyncio.wait_for(slow.has_begun.wait(), 5)
        while slow.num_open < 3:
            await asyncio.sleep(0.01)
    assert slow.num_open == 0, "the context ends only after all was closed"
    assert gateway.metrics.num_active == 0
    for answer in answers:
        body = (await asyncio.wait_for(answer, 5)).body
        assert b'"code":"shutting_down"' in body
        assert b"[DONE]" not in body
    assert "3 open answers were cut" in caplog.text
    assert "Traceback" not in caplog.text


async def test_second_signal_cuts_at_once() -> None:
    """Who asks twice does not want to wait."""
    slow, hurry = Slow(), asyncio.Event()
    async with listening(gateway_of(slow.serve), shutdown_s=60.0, hurry=hurry) as url:
        reader, writer = await connect(url)
        writer.write(encode("POST", CHAT, None, chat(stream=True), close=False))
        await asyncio.wait_for(slow.has_begun.wait(), 5)
        asyncio.get_running_loop().call_later(0.2, hurry.set)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 20.0
    assert b"shutting_down" in await asyncio.wait_for(reader.read(-1), 5)
    writer.close()


async def test_stop_is_not_held_up_by_a_client_that_reads_nothing() -> None:
    """A full socket does not keep the process."""

    async def serve(call: Call) -> Frames:
        while True:
            yield Frame(b"data: %b\n\n" % (b"x" * 60_000), Meaning.CONTENT)
            await asyncio.sleep(0)

    gateway = gateway_of(serve)
    async with listening(gateway, shutdown_s=0.2) as url:
        _, writer = await connect(url)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(encode("POST", CHAT, None, chat(stream=True), close=False))
        while gateway.metrics.num_active == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
    await asyncio.sleep(0)
    assert gateway.metrics.num_active == 0
    writer.close()


async def test_request_while_stopping_is_answered_and_its_connection_closed() -> None:
    """A connection that was busy when the stop came is not kept after its answer."""
    slow = Slow(0.3)
    async with listening(gateway_of(slow.serve), shutdown_s=30.0) as url:
        reader, writer = await connect(url)
        writer.write(encode("POST", CHAT, None, chat(stream=True), close=False))
        await asyncio.wait_for(slow.has_begun.wait(), 5)
    whole_answer = await asyncio.wait_for(reader.read(-1), 5)
    assert decode(whole_answer).status == 200
    writer.close()


def test_signals_are_counted() -> None:
    """The first asks to stop, the second to hurry; both kinds count alike.

    In a process of its own: after OpenVINO has run in a process (tests/engine), the kernel can no
    longer deliver a signal to it, and ends it with SIGSEGV instead.
    """
    subprocess.run([sys.executable, "-c", SIGNALS], check=True, timeout=30)
