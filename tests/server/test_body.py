"""Reading a body: whole, within its bound, and without more memory than it has bytes."""

import gzip
import json
import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest

from slipstream.errors import BadRequest, BodyTooLarge
from slipstream.server.asgi import Message
from slipstream.server.body import ClientGone, as_json, read_body


class Pieces:
    """A client that sends these pieces, and then leaves."""

    def __init__(self, *pieces: bytes, is_whole: bool = True) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._num_left = len(pieces)
        self._is_whole = is_whole

    async def receive(self) -> Message:
        """Give the next piece."""
        piece = next(self._pieces, None)
        if piece is None:
            return {"type": "http.disconnect"}
        self._num_left -= 1
        has_more = self._num_left > 0 or not self._is_whole
        return {"type": "http.request", "body": piece, "more_body": has_more}

    @property
    def num_left(self) -> int:
        """Pieces that nobody asked for."""
        return self._num_left


@pytest.mark.parametrize("pieces", [(b"",), (b"abcd",), (b"a", b"", b"bc", b"d"), (b"abcd", b"")])
async def test_body_is_whole_in_any_pieces(pieces: tuple[bytes, ...]) -> None:
    """The pieces are joined in order; the bound is inclusive."""
    assert await read_body({}, Pieces(*pieces).receive, 4) == b"".join(pieces)


async def test_body_with_missing_keys_is_empty() -> None:
    """ASGI allows both keys of a message to be left out."""

    async def receive() -> Message:
        return {"type": "http.request"}

    assert await read_body({}, receive, 4) == b""


@pytest.mark.parametrize("pieces", [(b"abcde",), (b"abcd", b"e"), (b"a",) * 5])
async def test_body_over_the_bound_is_refused_after_it_was_read(pieces: tuple[bytes, ...]) -> None:
    """A client that sends a little too much has sent all of it when it is told."""
    client = Pieces(*pieces)
    with pytest.raises(BodyTooLarge, match="5 bytes or more; at most 4"):
        await read_body({}, client.receive, 4)
    assert client.num_left == 0


async def test_body_without_end_is_given_up_at_twice_the_bound() -> None:
    """A client that never stops is not listened to for ever."""
    client = Pieces(*[b"x" * 10] * 1_000)
    with pytest.raises(BodyTooLarge):
        await read_body({}, client.receive, 100)
    assert client.num_left == 1_000 - 21


async def test_declared_length_over_the_bound_is_refused_whatever_is_sent() -> None:
    """What is said to be too large is not kept, not even its first bytes."""
    client = Pieces(b"ab", b"cd")
    with pytest.raises(BodyTooLarge, match="99 bytes"):
        await read_body({b"host": b"x", b"content-length": b"99"}, client.receive, 10)


@pytest.mark.parametrize("pieces", [(), (b"a",), (b"abcdefgh", b"ijkl")])
async def test_client_that_leaves_first_is_gone(pieces: tuple[bytes, ...]) -> None:
    """Half a body is no request, over the bound or not."""
    with pytest.raises(ClientGone):
        await read_body({}, Pieces(*pieces, is_whole=False).receive, 8)


async def test_body_in_tiny_pieces_takes_no_more_memory_than_its_bytes() -> None:
    """A client that sends two bytes at a time must not cost twenty times what it sends."""
    num = 50_000
    client = Pieces(*(bytes((n & 255, n >> 8 & 255)) for n in range(num)))
    tracemalloc.start()
    body = await read_body({}, client.receive, 2 * num)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(body) == 2 * num
    assert peak_bytes < 8 * num


_SAID = {"model": "m", "messages": [{"role": "user", "content": "zwölf"}], "n": 2, "stop": None}
_PLAIN = json.dumps(_SAID).encode()
_PACKED = msgspec.msgpack.encode(_SAID)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, _PLAIN),
        ({b"content-type": b"application/json"}, _PLAIN),
        ({b"content-type": b"text/plain", b"content-encoding": b"identity"}, _PLAIN),
        ({b"content-encoding": b"gzip"}, gzip.compress(_PLAIN, mtime=0)),
        (
            {b"content-encoding": b" X-GZip "},
            gzip.compress(_PLAIN[:9], mtime=0) + gzip.compress(_PLAIN[9:], mtime=0),
        ),
        ({b"content-type": b"application/msgpack"}, _PACKED),
        ({b"content-type": b"application/x-msgpack"}, _PACKED),
        (
            {
                b"content-type": b"Application/vnd.msgpack; charset=binary",
                b"content-encoding": b"gzip",
            },
            gzip.compress(_PACKED, mtime=0),
        ),
    ],
)
def test_body_reads_the_same_however_it_was_packed(
    headers: dict[bytes, bytes], body: bytes
) -> None:
    """JSON or msgpack, with gzip around it or without."""
    assert json.loads(as_json(headers, body, 10_000)) == _SAID


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({b"content-encoding": b"gzip"}, _PLAIN),
        ({b"content-encoding": b"gzip"}, gzip.compress(_PLAIN, mtime=0)[:-3]),
        ({b"content-encoding": b"gzip"}, gzip.compress(_PLAIN, mtime=0) + b"more"),
        ({b"content-encoding": b"br"}, _PLAIN),
        ({b"content-encoding": b"\xff\x00"}, _PLAIN),
        ({b"content-type": b"application/msgpack"}, _PACKED[:-1]),
        ({b"content-type": b"application/msgpack"}, _PACKED + b"\x01"),
        ({b"content-type": b"application/msgpack"}, b"\x91" * 100_000),
        ({b"content-type": b"application/msgpack"}, b""),
        ({b"content-type": b"application/msgpack"}, b"\x81\x90\x01"),  # an array as a key
    ],
)
def test_body_that_is_not_what_its_headers_say_is_refused(
    headers: dict[bytes, bytes], body: bytes
) -> None:
    """It is the caller's fault, however it is broken."""
    with pytest.raises(BadRequest):
        as_json(headers, body, 1_000_000)


@pytest.mark.parametrize("num_members", [1, 3])
def test_unpacked_body_has_the_same_bound(num_members: int) -> None:
    """A small body that unpacks to a large one is cut off at the bound, not unpacked whole."""
    member = gzip.compress(b" " * (1_000_000 // num_members))
    with pytest.raises(BodyTooLarge):
        as_json({b"content-encoding": b"gzip"}, member * num_members, 900_000)
    assert len(as_json({b"content-encoding": b"gzip"}, member * num_members, 1_000_000)) > 900_000
