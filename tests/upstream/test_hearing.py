"""Hearing: every client's request read whole, with who writes its answer."""

import json
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Usage
from slipstream.errors import BadRequest, Broken
from slipstream.upstream.hearing import CLIENTS, hear, tell_end
from slipstream.wire.talk.asking import Text
from slipstream.wire.talk.events import Began, Counted, Ended, Event, Over, Said
from tests.upstream.dialect_scene import CEREBRAS, CHAT, MESSAGES, RESPONSES, TEXTS, asking


def call_of(dialect: Dialect, body: dict[str, Any]) -> Call:
    """Return a call of a client."""
    return Call(
        call_id="a",
        dialect=dialect,
        body=json.dumps(body).encode(),
        model="public",
        key_id="k",
        is_stream=bool(body.get("stream")),
    )


@pytest.mark.parametrize("dialect", CLIENTS)
def test_request_is_read_in_every_dialect(dialect: Dialect) -> None:
    """The same question, whoever asks."""
    heard = hear(call_of(dialect, asking(dialect, "hi", stream=False)), lambda: 7.5)
    [turn] = heard.asked.turns
    assert (turn.role, turn.parts) == ("user", (Text("hi"),))


@pytest.mark.parametrize(
    ("dialect", "prefix"),
    [
        (CHAT, "chatcmpl-"),
        (CEREBRAS, "chatcmpl-"),
        (MESSAGES, "msg_"),
        (RESPONSES, "resp_"),
        (TEXTS, "cmpl-"),
    ],
)
def test_answer_is_called_after_its_call(dialect: Dialect, prefix: str) -> None:
    """An id in an answer leads to the line in the log."""
    heard = hear(call_of(dialect, asking(dialect, stream=False)), lambda: 7.5)
    frame = heard.writer.whole([Began(), Said("x"), Ended(reason="stop"), Over()])
    answer = json.loads(frame.data)
    assert answer["id"] == f"{prefix}a"
    assert answer["model"] == "public"


@pytest.mark.parametrize("store", [True, False, None])
def test_answer_that_should_be_kept_says_that_it_is_not(store: bool | None) -> None:
    """Who asks for it reads it in the header, everybody in the answer."""
    body = asking(RESPONSES, stream=False) | ({} if store is None else {"store": store})
    heard = hear(call_of(RESPONSES, body), lambda: 7.5)
    assert heard.changes == (("store",) if store else ())
    frame = heard.writer.whole([Began(), Ended(reason="stop"), Over()])
    assert json.loads(frame.data)["store"] is False


@pytest.mark.parametrize("dialect", CLIENTS)
def test_end_is_told_by_the_writer_that_must(dialect: Dialect) -> None:
    """Only Responses ends a broken stream with what was said until then."""
    heard = hear(call_of(dialect, asking(dialect, stream=True)), lambda: 7.5)
    heard.writer.write(Said("x"))
    error = Broken("no")
    tell_end(error, heard)
    assert (error.last_event is not None) is (dialect is RESPONSES)


def test_unreadable_request_is_refused() -> None:
    """The error is the client's."""
    with pytest.raises(BadRequest):
        hear(call_of(MESSAGES, {"model": "m"}), lambda: 7.5)


def test_cerebras_client_reads_usage_with_the_chunk_that_finishes() -> None:
    """Also where the provider told it in the same event."""
    heard = hear(call_of(CEREBRAS, asking(CEREBRAS, stream=True)), lambda: 7.5)
    events: list[Event] = [
        Began(),
        Said("x"),
        Counted(Usage(input_tokens=3, output_tokens=2)),
        Ended(reason="stop"),
        Over(),
    ]
    data = b"".join(f.data for event in events for f in heard.writer.write(event))
    chunks = [json.loads(text[6:]) for text in data.split(b"\n\n") if text[:7] == b"data: {"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == 2
