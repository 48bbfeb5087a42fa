"""CPU time of an event on its way through the codecs alone, for every client and upstream.

    bytes of one read ─▶ splitter ─▶ the upstream's reader ─▶ the client's writer ─▶ bytes

No socket and no event loop: what remains of a translated event when the kernel, HTTP and the
gateway around it are taken away. Relayed ones go through the scan that looks on from the side.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from bench.dialect_streams import STREAMS, request_of
from slipstream.call import Call, Dialect
from slipstream.upstream.hearing import CLIENTS, hear
from slipstream.upstream.relay_reading import Reading, Scanning
from slipstream.upstream.relay_scan import SCANS
from slipstream.upstream.translate import TONGUES, Peer
from slipstream.upstream.translate_reading import TranslatedReading
from slipstream.wire.openai_chat_answers import AnswerStream

_NUM_EVENTS: Final = 2_000
_NUM_RUNS: Final = 9
_RELAYED: Final = ("openai_chat", "anthropic_messages", "openai_responses")

Feed = Callable[[bytes], Iterable[Any]]


class _Nobody:
    """Hears how far an answer is."""

    def expect_meaning(self) -> None:
        """Do nothing."""

    def note_meaning(self) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Do nothing."""


def measure_translated() -> dict[str, dict[str, float]]:
    """Return microseconds per event, by client and upstream."""
    return {
        client.value: {
            name: _least_us(name, lambda client=client, name=name: _translated(client, name))  # type: ignore[misc]
            for name in STREAMS
        }
        for client in CLIENTS
    }


def measure_relayed() -> dict[str, float]:
    """Return the same for streams that are handed on as they are, by dialect."""
    return {name: _least_us(name, lambda name=name: _relayed(name)) for name in _RELAYED}  # type: ignore[misc]


def _least_us(name: str, begin: Callable[[], Feed]) -> float:
    """Return the least of some runs: what others do on the machine can only add."""
    parts = STREAMS[name]
    reads = [parts.tokens[at % len(parts.tokens)] for at in range(_NUM_EVENTS)]
    times = []
    for _ in range(_NUM_RUNS):
        feed = begin()
        for event in (*parts.head, parts.tokens[0]):
            list(feed(event))
        started_s = time.process_time()
        for data in reads:
            for _ in feed(data):
                pass
        times.append((time.process_time() - started_s) / _NUM_EVENTS * 1e6)
    return min(times)


def _translated(client: Dialect, upstream: str) -> Feed:
    body = request_of("openai_chat" if client is Dialect.CEREBRAS_CHAT else client.value, "m")
    if client is Dialect.CEREBRAS_CHAT:
        del body["stream_options"]
    call = Call(
        call_id="bench",
        dialect=client,
        body=json.dumps(body).encode(),
        model="m",
        key_id="k",
        is_stream=True,
        wants_usage=True,
    )
    heard = hear(call, time.time)
    reader = TONGUES[Dialect(upstream)].reader(heard.asked, Peer("lab"), "bench")
    return TranslatedReading(_Nobody(), reader, heard.writer).feed


def _relayed(name: str) -> Feed:
    scan = SCANS.get(Dialect(name))
    scanning: Scanning = AnswerStream(wants_usage=True) if scan is None else scan("lab")
    return Reading(_Nobody(), scanning, None).feed


def spread(table: dict[str, dict[str, float]]) -> tuple[float, float, float]:
    """Return the least, the median and the most of a table."""
    values = [value for row in table.values() for value in row.values()]
    return min(values), statistics.median(values), max(values)
