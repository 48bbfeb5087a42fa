"""What is answered survives being written for a client and read again, plain and streamed.

A writer of one dialect and the reader of the same are a gateway in front of another one: a round
trip by way of a second dialect is an answer that went through three of them.
"""

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Meaning
from slipstream.upstream.hearing import Writer
from slipstream.upstream.translate_reading import Reader
from slipstream.wire.chat import answers_in as chat_in
from slipstream.wire.chat import answers_out as chat_out
from slipstream.wire.messages import answers_in as messages_in
from slipstream.wire.messages import answers_out as messages_out
from slipstream.wire.responses import answers_in as responses_in
from slipstream.wire.responses import answers_out as responses_out
from slipstream.wire.responses import reading as responses_reading
from slipstream.wire.sse import EventSplitter
from slipstream.wire.talk.events import Event, Pinged
from tests.wire.fidelity.effort import many
from tests.wire.fidelity.losses import CHAT, MESSAGES, RESPONSES
from tests.wire.fidelity.telling import CUSTOM, answers, essence, ids_of

_NAMES: Final = frozenset({CUSTOM})


class _Codec(NamedTuple):
    writer: Callable[[], Writer]
    reader: Callable[[], Reader]


def _responses_writer() -> Writer:
    tool = {"type": "custom", "name": CUSTOM}
    asked = responses_reading.read_asked(
        json.dumps({"model": "m", "input": "hi", "tools": [tool]}).encode()
    )
    return responses_out.AnswerWriter(asked, response_id="resp_1", created_s=1)


CODECS: Final = {
    CHAT: _Codec(
        lambda: chat_out.AnswerWriter(answer_id="a", model="m", created_s=1, wants_usage=True),
        lambda: chat_in.AnswerReader(vendor="lab", custom_names=_NAMES),
    ),
    MESSAGES: _Codec(
        lambda: messages_out.AnswerWriter(answer_id="msg_1", model="m"),
        lambda: messages_in.AnswerReader(custom_names=_NAMES),
    ),
    RESPONSES: _Codec(_responses_writer, responses_in.AnswerReader),
}
_PAIRS: Final = [(one, other) for one in CODECS for other in CODECS]


def _streamed(events: Iterable[Event], dialect: str) -> list[Event]:
    """Return what a reader makes of what a writer of the same dialect streams."""
    codec = CODECS[dialect]
    writer, reader = codec.writer(), codec.reader()
    frames = [frame for event in events for frame in writer.write(event)]
    assert [frame.meaning for frame in frames].count(Meaning.END) == 1
    assert frames[-1].meaning is Meaning.END
    raws = EventSplitter().feed(b"".join(frame.data for frame in frames))
    return [*(event for raw in raws for event in reader.read(raw)), *reader.end()]


def _plain(events: Iterable[Event], dialect: str) -> list[Event]:
    codec = CODECS[dialect]
    return codec.reader().read_whole(codec.writer().whole(events).data)


@pytest.mark.parametrize("dialect", CODECS)
@pytest.mark.parametrize("through", [_streamed, _plain])
@many
@given(told=answers())
def test_answer_is_read_as_it_was_told(
    dialect: str, through: Callable[..., list[Event]], told: tuple[Event, ...]
) -> None:
    """Text, thoughts, calls with their arguments, the end and the tokens, in both ways."""
    assert essence(through(told, dialect)) == essence(told)


@pytest.mark.parametrize(("first", "then"), _PAIRS)
@many
@given(told=answers())
def test_answer_through_two_dialects_says_the_same(
    first: str, then: str, told: tuple[Event, ...]
) -> None:
    """As a stream, which is then streamed on; signs of life may come anywhere."""
    with_pings = [one for event in told for one in (event, Pinged())][:-1]
    there = _streamed(with_pings, first)
    assert essence(_streamed(there, then)) == essence(told)
    assert essence(_plain(there, then)) == essence(told)


@pytest.mark.parametrize("dialect", CODECS)
@many
@given(told=answers())
def test_plain_and_streamed_answers_agree(dialect: str, told: tuple[Event, ...]) -> None:
    """Also in the ids of calls, which the next turn must name, and which are legal in between."""
    streamed, plain = _streamed(told, dialect), _plain(told, dialect)
    assert ids_of(streamed) == ids_of(plain)
    if dialect != MESSAGES:
        assert ids_of(plain) == ids_of(told)


@many
@given(told=answers(), cuts=st.sets(st.integers(0, 5_000), max_size=8))
def test_written_stream_is_read_in_any_pieces(told: tuple[Event, ...], cuts: set[int]) -> None:
    """What we write ourselves survives the network like any other's stream."""
    for dialect, codec in CODECS.items():
        writer, reader, splitter = codec.writer(), codec.reader(), EventSplitter()
        body = b"".join(frame.data for event in told for frame in writer.write(event))
        places = sorted({cut % len(body) for cut in cuts} | {0, len(body)})
        found: list[Any] = []
        for start, end in pairwise(places):
            for raw in splitter.feed(body[start:end]):
                found += reader.read(raw)
        assert essence([*found, *reader.end()]) == essence(told), dialect
