"""The streams of the benchmark say the same in every dialect, so that their costs compare."""

import json

import pytest

from bench.dialect_server import paced, script_of
from bench.dialect_streams import PATHS, STREAMS, request_of
from slipstream.call import Call, Dialect
from slipstream.upstream.hearing import CLIENTS, hear
from slipstream.upstream.translate import TONGUES, Peer
from slipstream.wire.talk.events import Event, Over, Said


def _asked(client: Dialect) -> Call:
    return Call(
        call_id="c",
        dialect=client,
        body=json.dumps(request_of(client.value, "m")).encode(),
        model="m",
        key_id="k",
        is_stream=True,
    )


@pytest.mark.parametrize("name", STREAMS)
def test_stream_of_a_dialect_says_every_token(name: str) -> None:
    """One event for each, and nothing is broken or cut."""
    parts = STREAMS[name]
    asked = hear(_asked(Dialect.OPENAI_CHAT), lambda: 0.0).asked
    reader = TONGUES[Dialect(name)].reader(asked, Peer("lab"), "c")
    events: list[Event] = []
    for raw in (*parts.head, *parts.tokens, *parts.tail):
        events += reader.read(raw)
    events += reader.end()
    texts = [event.text for event in events if isinstance(event, Said) and event.text]
    assert "".join(texts).split() == [f"token{number}" for number in range(100)]
    assert isinstance(events[-1], Over)


@pytest.mark.parametrize("client", CLIENTS)
def test_request_of_a_client_is_read(client: Dialect) -> None:
    """Each dialect in which a client may ask has one, and all but Cerebras's have a path."""
    assert hear(_asked(client), lambda: 0.0).asked.is_stream
    assert client is Dialect.CEREBRAS_CHAT or client.value in PATHS


def test_script_takes_its_pace_from_the_model() -> None:
    """Which every dialect passes on: in the body, or in Gemini's path."""
    body = json.dumps({"model": paced(7, 50)}).encode()
    target = f"POST /v1beta/models/{paced(7, 50)}:streamGenerateContent?alt=sse HTTP/1.1"
    for script in (
        script_of(b"POST /v1/messages HTTP/1.1", body),
        script_of(target.encode(), b"{}"),
    ):
        assert (script.num_events, script.interval_s) == (7, 0.02)
