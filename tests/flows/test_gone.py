"""Clients that go away: noticed at once, the upstream closed, the attempt on record."""

import asyncio
import json
import time

import pytest

from slipstream.upstream.scripted.server import ScriptedUpstream
from tests.flows.conftest import House
from tests.flows.ledger_rows import rows_of
from tests.flows.raw import connect, encode

LIMIT_MS = 50.0


def request(house: House, model: str, *, stream: bool) -> bytes:
    """Encode a chat request on a connection that stays open."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return encode("POST", "/v1/chat/completions", house.key, json.dumps(body).encode(), close=False)


@pytest.mark.parametrize(
    ("behaviour", "stream", "reads"),
    [
        ("delay=60", True, 0),  # before the first byte of a stream
        ("delay=60", False, 0),  # a plain request
        ("delay_headers_only,delay=60", True, 0),  # headers came, no event
        ("stall_after=3,text=a b c d e f", True, 3),  # in mid-stream, while it is silent
        ("rate=200,tokens=100000", True, 3),  # in mid-stream, while it talks
    ],
)
async def test_client_gone_closes_the_upstream_and_settles_the_attempt(
    house: House, behaviour: str, stream: bool, reads: int
) -> None:
    """Wherever a client leaves, the upstream is closed within 50 ms and the row says cancelled."""
    house.lab.script(behaviour)
    reader, writer = await connect(house.url)
    writer.write(request(house, "lab/any", stream=stream))
    await house.lab.wait_for(lambda lab: lab.stats.active_requests == 1)
    for _ in range(reads):
        await asyncio.wait_for(reader.readuntil(b"\n\n"), 5)

    left_ms = time.monotonic_ns() / 1e6
    writer.close()
    await house.lab.wait_for(_has_ended)

    exchange = house.lab.log[-1]
    assert exchange.ending is not None
    assert exchange.ending.startswith("client_closed")
    assert exchange.ended_ms is not None
    print(f"upstream closed {exchange.ended_ms - left_ms:.1f} ms after the client left")
    [row] = await rows_of(house.home, num=1)
    assert row["state"] == "cancelled"
    assert row["is_estimate"]
    assert (row["output_tokens"] > 0) == (reads > 0)
    await asyncio.wait_for(_drained(house.lab), 5)


async def test_client_gone_while_sending_its_body_disturbs_nothing(house: House) -> None:
    """Half a request is forgotten; no target hears of it."""
    _, writer = await connect(house.url)
    writer.write(request(house, "lab/any", stream=False)[:-10])
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    async with house.client() as client:
        await client.chat.completions.create(
            model="lab/any", messages=[{"role": "user", "content": "hi"}]
        )

    assert len(house.lab.log) == 1


def _has_ended(lab: ScriptedUpstream) -> bool:
    return lab.log[-1].ending is not None


async def _drained(lab: ScriptedUpstream) -> None:
    await lab.wait_for(lambda lab: lab.stats.active_requests == 0)
