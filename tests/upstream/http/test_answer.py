"""Reading answers from bytes: framing, bounds and what may follow; no socket."""

import asyncio
import itertools
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.errors import Broken, GatewayError
from slipstream.upstream.http.answer import AnswerReader
from slipstream.upstream.http.exchange import Exchange
from tests.upstream.http.cases import CASES, MALFORMED, Case
from tests.upstream.http.servers import PATIENT

_MAX_HEADER_BYTES = 4096


class _NoCarrier:
    """Stands where the connection would; nothing here may reach it."""

    def drop(self, error: GatewayError) -> NoReturn:
        raise AssertionError(error)

    def resume_reading(self) -> None:
        """Nothing is ever paused."""


def _exchange(method: bytes = b"POST") -> Exchange:
    loop = asyncio.get_running_loop()
    return Exchange(loop, _NoCarrier(), PATIENT, float("inf"), method == b"HEAD")


def _read(
    parts: list[bytes], method: bytes = b"POST", max_header_bytes: int = _MAX_HEADER_BYTES
) -> tuple[Exchange, AnswerReader, GatewayError | None]:
    reader, exchange = AnswerReader(max_header_bytes), _exchange(method)
    reader.begin(exchange)
    for part in parts:
        error = reader.feed(part)
        if error is not None:
            return exchange, reader, error
    return exchange, reader, None


def _assert_reads(case: Case, parts: list[bytes]) -> None:
    exchange, reader, error = _read(parts, case.method)
    assert error is None
    assert exchange.status == case.status
    assert b"".join(exchange.chunks) == case.body
    assert exchange.buffered_bytes == len(case.body)
    assert exchange.trailers == case.trailers
    assert exchange.is_complete is not case.ends_at_eof
    assert exchange.ends_with_connection() or not case.ends_at_eof
    assert reader.can_reuse is case.is_reusable


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_answer_split_at_every_offset_reads_the_same(case: Case) -> None:
    """Where a segment ends never changes what an answer says."""
    for offset in range(len(case.data) + 1):
        _assert_reads(case, [case.data[:offset], case.data[offset:]])
    _assert_reads(case, [bytes([byte]) for byte in case.data])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_answer_cut_at_every_offset_is_not_complete(case: Case) -> None:
    """Only the last byte completes an answer."""
    needed = case.body_start if case.method == b"HEAD" else len(case.data)
    for offset in range(needed):
        exchange, _, error = _read([case.data[:offset]], case.method)
        assert error is None
        assert not exchange.is_complete


@given(data=st.data())
@settings(max_examples=60, deadline=None)
async def test_answer_of_any_chunks_in_any_segments_reads_the_same(data: st.DataObject) -> None:
    """A chunked body is the concatenation of its chunks, however chunked and however segmented."""
    chunks = data.draw(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw += b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12)))
    edges = [0, *cuts, len(raw)]
    parts = [raw[start:end] for start, end in itertools.pairwise(edges)]
    exchange, reader, error = _read(parts)
    assert error is None
    assert exchange.is_complete
    assert reader.can_reuse
    assert b"".join(exchange.chunks) == b"".join(chunks)


@given(raw=st.binary(max_size=300), cut=st.integers(0, 300))
@settings(max_examples=200, deadline=None)
async def test_answer_of_noise_is_read_or_refused_but_never_raises(raw: bytes, cut: int) -> None:
    """Whatever comes, the outcome is an exchange or an error of ours, alike for each split."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = _read([head + raw])
    split = _read([head + raw[:cut], raw[cut:]])
    assert (whole[2] is None) == (split[2] is None)
    assert whole[0].is_complete == split[0].is_complete
    if whole[2] is not None:
        assert isinstance(whole[2], Broken)


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_answer_is_refused_at_every_split(name: str) -> None:
    """A malformed answer is Broken with its reason, wherever a segment ends, and never whole."""
    data, reason = MALFORMED[name]
    for offset in range(len(data)):
        exchange, reader, error = _read([data[:offset], data[offset:]])
        assert isinstance(error, Broken), offset
        assert reason in error.message
        assert not exchange.is_complete
        assert not reader.can_reuse


@pytest.mark.parametrize(
    "extra", [b"X", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny"]
)
async def test_bytes_after_an_answer_spoil_the_connection_and_not_the_answer(extra: bytes) -> None:
    """What follows a whole answer belongs to nobody: the answer stands, nothing may come after."""
    exchange, reader, error = _read([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + extra])
    assert isinstance(error, Broken)
    assert exchange.is_complete
    assert b"".join(exchange.chunks) == b"ok"
    assert not reader.can_reuse


async def test_reader_reads_one_answer_after_another() -> None:
    """A reader that has read an answer starts the next one afresh: counts, headers, trailers."""
    reader = AnswerReader(_MAX_HEADER_BYTES)
    for _ in range(40):
        for case in (case for case in CASES if case.is_reusable):
            exchange = _exchange()
            reader.begin(exchange)
            assert reader.feed(case.data) is None
            assert exchange.is_complete
            assert exchange.trailers == case.trailers
            assert b"".join(exchange.chunks) == case.body


@pytest.mark.parametrize(("num_bytes", "is_accepted"), [(_MAX_HEADER_BYTES, True), (4097, False)])
async def test_headers_at_the_bound_are_accepted_and_beyond_it_refused(
    num_bytes: int, is_accepted: bool
) -> None:
    """The bound on header bytes is exact: name, value, colon, space and line end."""
    length_line = b"Content-Length: 0\r\n"
    padding = b"a" * (num_bytes - len(length_line) - len(b"X: \r\n"))
    data = b"HTTP/1.1 200 OK\r\n" + length_line + b"X: " + padding + b"\r\n\r\n"
    for offset in (0, 5, 20, 3000, len(data) - 1):
        exchange, _, error = _read([data[:offset], data[offset:]])
        assert exchange.is_complete is is_accepted
        assert (error is None) is is_accepted


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
        (b"HTTP/1.1 200 O", b"K"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"e"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: ", b"v"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"T: v\r\n"),
    ],
    ids=["header", "reason", "chunk extension", "trailer", "trailers"],
)
async def test_framing_without_end_is_refused(start: bytes, more: bytes) -> None:
    """Nothing that is not body may grow without end, in whatever place an upstream sends it."""
    reader, exchange = AnswerReader(_MAX_HEADER_BYTES), _exchange()
    reader.begin(exchange)
    error = reader.feed(start)
    num_fed = 0
    while error is None and num_fed < 20 * _MAX_HEADER_BYTES:
        error = reader.feed(more * 100)
        num_fed += 100 * len(more)
    assert isinstance(error, Broken)
    assert "4096" in error.message
    assert num_fed <= 2 * _MAX_HEADER_BYTES + 100 * len(more)


async def test_headers_keep_order_and_repetitions_in_lower_case() -> None:
    """All headers are handed on; a look-up by name gives the last of repeated ones."""
    raw = b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX-B: 1\r\nSET-cookie: b\r\n"
    exchange, _, _ = _read([raw + b"Content-Length: 0\r\n\r\n"])
    assert exchange.headers == (
        (b"set-cookie", b"a"),
        (b"x-b", b"1"),
        (b"set-cookie", b"b"),
        (b"content-length", b"0"),
    )
    assert exchange.fields[b"set-cookie"] == b"b"
