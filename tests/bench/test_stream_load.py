"""The stream server and the stream client, on real sockets, and the server's request reader."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.endpoints import Endpoint, free_port, post, stream_body, wait_for_port
from bench.processes import start
from bench.stream_load import StreamLoad, first_event_times
from bench.stream_server import take_request
from bench.upstreams import stream_server_command

BODY = b'{"max_tokens":3}'
BY_LENGTH = b"POST /x HTTP/1.1\r\nContent-Length: 16\r\n\r\n" + BODY
CHUNKED = (
    b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"6\r\n" + BODY[:6] + b"\r\na;note=1\r\n" + BODY[6:] + b"\r\n0\r\n\r\n"
)


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    port = free_port()
    tree = start(stream_server_command(port), core=None, log=tmp_path / "log")
    wait_for_port(port, limit_s=20.0)
    yield Endpoint(f"http://127.0.0.1:{port}/v1/chat/completions", "any-model", {})
    tree.stop()


@pytest.mark.parametrize("request_bytes", [BY_LENGTH, CHUNKED], ids=["length", "chunked"])
def test_take_request_split_at_every_byte_gives_the_body_once_whole(request_bytes: bytes) -> None:
    """A request is taken when its last byte is there, not before, and leaves what follows it."""
    for end in range(len(request_bytes)):
        assert take_request(bytearray(request_bytes[:end])) is None
    received = bytearray(request_bytes + b"POST")
    assert take_request(received) == BODY
    assert received == b"POST"


def test_stream_server_answer_has_every_event_and_the_usage(endpoint: Endpoint) -> None:
    """A stream is a role, as many tokens as asked for, a finish, usage, and the terminal event."""
    body = stream_body("any-model", num_events=5, events_per_s=0)
    status, answer = post(endpoint, body, limit_s=20.0)
    events = [line for line in answer.split(b"\n\n") if line]
    assert status == 200
    assert len(events) == 1 + 5 + 1 + 1 + 1
    assert b'"completion_tokens":5' in events[-2]
    assert events[-1] == b"data: [DONE]"


def test_stream_server_pace_takes_as_long_as_asked(endpoint: Endpoint) -> None:
    """Ten events at 50 a second are not over before their time."""
    began_s = time.monotonic()
    post(endpoint, stream_body("any-model", num_events=10, events_per_s=50), limit_s=20.0)
    assert time.monotonic() - began_s >= 9 / 50


def test_stream_load_counts_whole_streams_and_events(endpoint: Endpoint) -> None:
    """Every event of every stream is counted once, however the reads cut them."""
    load = StreamLoad(endpoint, num_events=20, events_per_s=200)
    for _ in range(30):
        load.open()
    deadline = time.monotonic() + 20
    while load.num_open and time.monotonic() < deadline:
        load.read(time.monotonic() + 0.05)
    load.close()
    assert load.tally.failures == []
    assert load.tally.num_whole == 30
    assert load.num_events == 600


def test_stream_load_short_stream_is_a_failure(endpoint: Endpoint, tmp_path: Path) -> None:
    """A stream that is cut is not counted as whole: the server is killed in the middle."""
    port = free_port()
    tree = start(stream_server_command(port), core=None, log=tmp_path / "second")
    wait_for_port(port, limit_s=20.0)
    doomed = Endpoint(endpoint.url.replace(str(endpoint.address[1]), str(port)), "any-model", {})
    load = StreamLoad(doomed, num_events=1000, events_per_s=100)
    load.open()
    deadline = time.monotonic() + 20
    while not load.num_flowing and time.monotonic() < deadline:
        load.read(time.monotonic() + 0.02)
    tree.stop()
    while load.num_open and time.monotonic() < deadline:
        load.read(time.monotonic() + 0.02)
    load.close()
    assert load.tally.num_whole == 0
    assert "of 1000 events" in load.tally.failures[0]


def test_first_event_times_one_connection_gives_a_time_for_each(endpoint: Endpoint) -> None:
    """Streams follow each other on one kept-alive connection."""
    times = first_event_times(endpoint, num_streams=20, limit_s=20.0)
    assert len(times) == 20
    assert all(0 < taken_s < 20 for taken_s in times)
