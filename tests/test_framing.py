"""Messages between our own processes: whole ones come out, however the bytes arrive."""

import itertools
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.framing import MAX_MESSAGE_BYTES, FramingError, MessageReader, encode_message


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A message with the kinds of field that ours have."""

    number: int
    text: str = ""
    data: bytes = b""
    nested: tuple[tuple[str, ...], ...] = ()


MESSAGES = [Said(1), Said(2, "é" * 40, b"\x00\xff" * 200), Said(3, nested=(("a",), ())), Said(4)]
STREAM = b"".join(map(encode_message, MESSAGES))


def _framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def _read(pieces: list[bytes]) -> list[Said]:
    reader = MessageReader(Said)
    return [message for piece in pieces for message in reader.feed(piece)]


def test_reader_stream_split_at_every_byte_gives_the_messages() -> None:
    """Where the socket cut the bytes changes nothing."""
    for offset in range(len(STREAM) + 1):
        assert _read([STREAM[:offset], STREAM[offset:]]) == MESSAGES
    assert _read([bytes([byte]) for byte in STREAM]) == MESSAGES


@given(
    st.lists(st.builds(Said, st.integers(-(2**63), 2**63), st.text(), st.binary()), max_size=5),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_reader_any_messages_come_back(messages: list[Said], cuts: list[int]) -> None:
    """What was encoded is what is read, in its order."""
    stream = b"".join(map(encode_message, messages))
    marks = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert _read([stream[start:end] for start, end in itertools.pairwise(marks)]) == messages


def test_reader_gives_a_message_as_soon_as_its_last_byte_came() -> None:
    """Nothing waits for the message after it."""
    reader = MessageReader(Said)
    whole = encode_message(MESSAGES[1])
    assert reader.feed(whole[:-1]) == []
    assert reader.feed(whole[-1:] + whole[:3]) == [MESSAGES[1]]
    assert reader.feed(whole[3:]) == [MESSAGES[1]]


def test_reader_message_keeps_its_bytes_when_more_is_fed() -> None:
    """A message owns its data: it is no view of a buffer that goes on changing."""
    reader = MessageReader(Said)
    [message] = reader.feed(encode_message(MESSAGES[1]))
    reader.feed(encode_message(Said(9, "x" * 500)))
    assert message == MESSAGES[1]


def test_reader_length_over_the_bound_is_refused_before_the_body_comes() -> None:
    """Four bytes cannot make a reader collect gigabytes."""
    with pytest.raises(FramingError, match=str(MAX_MESSAGE_BYTES)):
        MessageReader(Said).feed(struct.pack(">I", MAX_MESSAGE_BYTES + 1))
    assert MessageReader(Said).feed(struct.pack(">I", MAX_MESSAGE_BYTES)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"text",
        msgspec.msgpack.encode({"type": "other", "number": 1}),
        msgspec.msgpack.encode({"type": "said", "number": "1"}),
        msgspec.msgpack.encode({"type": "said"}),
        msgspec.msgpack.encode([1, 2]),
        encode_message(Said(1))[4:] + b"x",
        b"\x82\xa4type\xa4said\xa4text\xa1\xff",
        b"\x82\xa4type\xa4said\xa1x" + b"\x91" * 100_000 + b"\x00",
    ],
)
def test_reader_body_of_another_kind_is_a_framing_error(body: bytes) -> None:
    """Whatever the peer sends, one error says that the channel is lost.

    Regression: text that is no UTF-8 and endless nesting raised exceptions of the decoder.
    """
    with pytest.raises(FramingError):
        MessageReader(Said).feed(_framed(body))


@given(st.lists(st.binary(max_size=20), max_size=4))
def test_reader_arbitrary_bytes_raise_framing_errors_only(pieces: list[bytes]) -> None:
    """A broken peer has one error."""
    reader = MessageReader(Said)
    try:
        for piece in pieces:
            reader.feed(piece)
            reader.feed(_framed(piece))
    except FramingError:
        return
