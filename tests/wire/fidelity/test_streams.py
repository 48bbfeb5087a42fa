"""Every stream says the same however its bytes come: in pieces, with other line ends, padded.

`SLIPSTREAM_FUZZ=1 .venv/bin/pytest tests/wire/fidelity` reads each stream cut at every byte by each
of its readers; the ordinary run cuts the splitter's bytes there, and the readers' at some of them.
"""

import os
from functools import cache
from typing import Final

import pytest

from slipstream.call import Dialect
from slipstream.upstream.translate import TONGUES
from slipstream.wire.sse import EventSplitter
from tests.wire.fidelity.hearers import EARS, Heard, understood
from tests.wire.fidelity.streams import SHAPES, STREAMS, Stream, pieces_of

IS_LONG: Final = bool(os.environ.get("SLIPSTREAM_FUZZ"))
_STEP: Final = 1 if IS_LONG else 397  # bytes between two places where a reader's bytes are cut
_INSIDE: Final = ("events", "relayed")

every_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.label)


def _ears(stream: Stream) -> list[str]:
    """Return who hears a stream: all who can, or those inside and one client, by turns."""
    if stream.dialect not in TONGUES:
        return ["relayed"]
    inside = _INSIDE[:1] if stream.dialect is Dialect.GEMINI else _INSIDE
    clients = [name for name in EARS if name not in _INSIDE]
    at = STREAMS.index(stream) % len(clients)
    return [*inside, *(clients if IS_LONG else clients[at : at + 1])]


@cache
def _whole(stream: Stream, name: str) -> Heard:
    return understood(EARS[name](stream), [stream.body])


@every_stream
def test_stream_in_single_bytes_says_the_same(stream: Stream) -> None:
    """For our account, for a translation and for each client."""
    for name in _ears(stream):
        heard = understood(EARS[name](stream), (bytes([b]) for b in stream.body))
        assert heard == _whole(stream, name), name


@every_stream
def test_stream_cut_at_any_byte_says_the_same(stream: Stream) -> None:
    """What came before a cut is read before what came after it, and nothing is read twice."""
    events = EventSplitter().feed(stream.body)
    for cut in range(1, len(stream.body)):
        splitter = EventSplitter()
        cut_in_two = splitter.feed(stream.body[:cut]) + splitter.feed(stream.body[cut:])
        assert (cut_in_two, splitter.finish()) == (events, b""), cut
    for name in _ears(stream):
        for cut in range(1, len(stream.body), _STEP):
            heard = understood(EARS[name](stream), pieces_of(stream.body, [cut]))
            assert heard == _whole(stream, name), (name, cut)


@every_stream
def test_stream_in_another_shape_says_the_same(stream: Stream) -> None:
    """Line ends, comments, a byte order mark, and a last blank line that is missing."""
    for shape, change in SHAPES.items():
        body = change(stream.body)
        for name in _ears(stream):
            heard = understood(EARS[name](stream), [body])
            assert heard == _whole(stream, name), (name, shape)
            heard = understood(EARS[name](stream), pieces_of(body, range(0, len(body), 61)))
            assert heard == _whole(stream, name), (name, shape, "in pieces")
