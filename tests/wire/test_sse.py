"""Server-sent events: where they end and what they say, however the bytes arrive."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.wire import sse
from slipstream.wire.sse import (
    DONE,
    MAX_EVENT_BYTES,
    EventSplitter,
    EventTooLarge,
    encode_event,
    event_data,
)

# (bytes, whole events, rest)
STREAMS: list[tuple[bytes, list[bytes], bytes]] = [
    (b"", [], b""),
    (b"data: a\n\n", [b"data: a\n\n"], b""),
    (b"data: a\r\n\r\n", [b"data: a\r\n\r\n"], b""),
    (b"data: a\r\r.", [b"data: a\r\r"], b"."),
    (b"data: a\r\r", [], b"data: a\r\r"),  # an LF might follow and belong to the second CR
    (b"data: a\n\ndata: b\n\n", [b"data: a\n\n", b"data: b\n\n"], b""),
    (b"data: a\r\n\r\ndata: b\n\n", [b"data: a\r\n\r\n", b"data: b\n\n"], b""),
    (b"data: a\r\n\ndata: b\n\r\n.", [b"data: a\r\n\n", b"data: b\n\r\n"], b"."),
    (b"data: a\n\rdata: b\r\r\n.", [b"data: a\n\r", b"data: b\r\r\n"], b"."),
    (b"data: a\ndata: b\n\n", [b"data: a\ndata: b\n\n"], b""),
    (b"data: a\rdata: b\r\n\r\n", [b"data: a\rdata: b\r\n\r\n"], b""),
    (b": ping\n\ndata: a\n\n", [b": ping\n\n", b"data: a\n\n"], b""),
    (b"event: x\nid: 1\ndata: a\n\n", [b"event: x\nid: 1\ndata: a\n\n"], b""),
    (b"\n\ndata: a\n\n", [b"\n\n", b"data: a\n\n"], b""),
    (b"data: a\n\n\n\n\ndata: b\n\n", [b"data: a\n\n", b"\n\n", b"\ndata: b\n\n"], b""),
    (b"data: a\r\n\r\n\r\n\r\n", [b"data: a\r\n\r\n", b"\r\n\r\n"], b""),
    (b"data: a\n\ndata: cut", [b"data: a\n\n"], b"data: cut"),
    (b"data: a\n\ndata: cut\n", [b"data: a\n\n"], b"data: cut\n"),
    (b"\xef\xbb\xbfdata: a\n\n", [b"\xef\xbb\xbfdata: a\n\n"], b""),
    (DONE, [b"data: [DONE]\n\n"], b""),
]

DATA = [
    (b"data: a\n\n", b"a"),
    (b"data:a\n\n", b"a"),
    (b"data:  a\n\n", b" a"),
    (b"data: a\r\n\r\n", b"a"),
    (b"data: a\r\n\n", b"a"),
    (b"data: a\r\r", b"a"),
    (b"data: a\ndata: b\n\n", b"a\nb"),
    (b"data: a\rdata: b\n\n", b"a\nb"),
    (b"data: a\r\ndata: b\r\n\r\n", b"a\nb"),
    (b"event: x\ndata: a\nid: 7\n\n", b"a"),
    (b": remark\ndata: a\n\n", b"a"),
    (b"data\n\n", b""),
    (b"data: a\ndata\n\n", b"a\n"),
    (b"\ndata: a\n\n", b"a"),
    (b"\xef\xbb\xbfdata: a\n\n", b"a"),
    (b"data: a", b"a"),
    (b": OPENROUTER PROCESSING\n\n", None),
    (b"event: ping\n\n", None),
    (b"database: a\n\n", None),
    (b"\n\n", None),
    (b"", None),
]

_line_ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"data: x", b"\xef\xbb\xbf", b":", b"a"])
_streams = st.lists(_line_ends, max_size=24).map(b"".join)


def _run(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events, splitter.finish()


def _cut(stream: bytes, *offsets: int) -> list[bytes]:
    marks = [0, *sorted(offsets), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(marks)]


@pytest.mark.parametrize(("stream", "events", "rest"), STREAMS)
def test_splitter_whole_stream_gives_events_of_the_table(
    stream: bytes, events: list[bytes], rest: bytes
) -> None:
    """LF, CRLF, CR and mixtures end lines; two ends in a row end an event."""
    assert _run([stream]) == (events, rest)


@pytest.mark.parametrize(("stream", "events", "rest"), STREAMS)
def test_splitter_split_at_every_pair_of_offsets_gives_the_same(
    stream: bytes, events: list[bytes], rest: bytes
) -> None:
    """Where the network cut the bytes changes nothing."""
    for offsets in itertools.combinations_with_replacement(range(len(stream) + 1), 2):
        assert _run(_cut(stream, *offsets)) == (events, rest)
    assert _run([bytes([byte]) for byte in stream]) == (events, rest)


@given(_streams, st.data())
def test_splitter_any_stream_loses_no_byte_and_ignores_the_split(
    stream: bytes, data: st.DataObject
) -> None:
    """Joined events and the rest are the input, and splitting it elsewhere gives the same."""
    events, rest = _run([stream])
    assert b"".join(events) + rest == stream
    offsets = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    assert _run(_cut(stream, *offsets)) == (events, rest)


@given(st.binary(max_size=64), st.integers(0, 64))
def test_splitter_arbitrary_bytes_loses_no_byte(stream: bytes, offset: int) -> None:
    """Bytes that are no event stream at all come back as they went in."""
    events, rest = _run(_cut(stream, min(offset, len(stream))))
    assert b"".join(events) + rest == stream


def test_splitter_finish_empties_it() -> None:
    """What `finish` returned once is not returned again."""
    splitter = EventSplitter()
    splitter.feed(b"data: a")
    assert splitter.finish() == b"data: a"
    assert splitter.finish() == b""
    assert splitter.feed(b"data: b\n\n") == [b"data: b\n\n"]


def test_splitter_unfinished_event_over_the_bound_is_refused() -> None:
    """An event that never ends cannot fill the memory."""
    splitter = EventSplitter()
    assert splitter.feed(b"x" * MAX_EVENT_BYTES) == []
    with pytest.raises(EventTooLarge):
        splitter.feed(b"x")


@pytest.mark.parametrize("num_pieces", [1, 2])
def test_splitter_event_at_the_bound_passes_and_one_byte_more_is_refused(num_pieces: int) -> None:
    """The bound counts the whole event, whether it came at once or in pieces."""
    largest = encode_event(b"x" * (MAX_EVENT_BYTES - 8))
    offset = len(largest) // num_pieces
    assert _run(_cut(largest, offset)) == ([largest], b"")
    with pytest.raises(EventTooLarge):
        _run(_cut(b"d" + largest, offset + 1))


def test_splitter_huge_event_in_tiny_pieces_is_not_looked_at_again_for_each_piece() -> None:
    """A hostile stream of single bytes costs time in proportion to its length.

    Regression: every piece copied and searched all that had come before it, and the 2 MiB of this
    test took three minutes. Bytes handled are counted here, not seconds.
    """

    class Counting(bytearray):
        """Counts the bytes that searches go over."""

        searched = 0

        def find(self, sub: bytes, start: int = 0) -> int:  # type: ignore[override]
            Counting.searched += len(self) - start
            return super().find(sub, start)

    splitter = EventSplitter()
    splitter._rest = Counting(b"data: ")
    piece = b"x" * 16
    for _ in range(2 * 1024 * 1024 // len(piece)):
        splitter.feed(piece)
    assert Counting.searched < 4 * 2 * 1024 * 1024
    assert splitter.feed(b"\n\n")[0].endswith(b"x\n\n")


@pytest.mark.parametrize(("event", "data"), DATA)
def test_event_data_of_the_table(event: bytes, data: bytes | None) -> None:
    """`data` lines are joined by LF, one leading space is dropped, everything else is ignored."""
    assert event_data(event) == data


@given(st.text(st.characters(exclude_characters="\r\n"), max_size=40))
def test_encode_event_read_back_is_the_data(text: str) -> None:
    """What is encoded comes back from splitter and reader as it was."""
    data = text.encode(errors="surrogatepass")
    [event], rest = _run([encode_event(data)])
    assert (event_data(event), rest) == (data, b"")


@given(st.binary(max_size=40))
def test_event_data_arbitrary_bytes_never_raises(event: bytes) -> None:
    """A reader of foreign bytes has no exception of its own."""
    found = event_data(event)
    assert found is None or isinstance(found, bytes)


def test_done_is_the_terminal_event() -> None:
    """The end of an OpenAI stream is exactly this."""
    assert sse.DONE == b"data: [DONE]\n\n"
