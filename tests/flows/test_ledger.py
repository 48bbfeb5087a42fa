"""One attempt, one row: what the ledger says of whole calls, and after a SIGKILL."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from slipstream.upstream.scripted.server import scripted_upstream
from tests.flows.conftest import House
from tests.flows.gateway_process import GatewayProcess, launched, write_config
from tests.flows.ledger_rows import read_rows, rows_of
from tests.flows.raw import ask, connect, encode

HELLO = [{"role": "user", "content": "one two three"}]


def chat(model: str = "lab/any", **fields: object) -> bytes:
    """Encode a chat request's body."""
    return json.dumps({"model": model, "messages": HELLO, **fields}).encode()


async def post(house: House, body: bytes) -> bytes:
    """Send a chat request; return the answer's body."""
    answer = await ask(house.url, encode("POST", "/v1/chat/completions", house.key, body))
    return answer.body


async def test_plain_answer_has_one_row_with_the_stated_usage(house: House) -> None:
    """The row holds the provider's counts in disjoint buckets and no made-up price."""
    house.lab.script("cached=2,reasoning=4,tokens=6")

    usage = json.loads(await post(house, chat()))["usage"]

    [row] = await rows_of(house.home, num=1)
    assert row["state"] == "complete"
    assert row["provider"] == "lab"
    assert row["cache_read_tokens"] == 2
    assert row["input_tokens"] + row["cache_read_tokens"] == usage["prompt_tokens"]
    assert row["output_reasoning_tokens"] == 4
    assert row["output_tokens"] + 4 == usage["completion_tokens"]
    assert row["cost_usd_pico"] is None
    assert not row["is_estimate"]


async def test_stream_has_the_same_usage_as_the_plain_answer(house: House) -> None:
    """Usage that the client did not ask for is counted all the same."""
    house.lab.script("text=alpha beta gamma", requests=2)
    await post(house, chat())
    await post(house, chat(stream=True))

    plain, stream = await rows_of(house.home, num=2)
    for bucket in ("input_tokens", "output_tokens"):
        assert plain[bucket] == stream[bucket]
    assert not stream["is_estimate"]
    assert stream["is_stream"]


async def test_fallback_has_a_row_for_each_attempt(house: House) -> None:
    """The attempt that failed and the one that answered are separate rows of one call."""
    house.lab.script("status=503")
    await post(house, chat("chain"))

    failed, served = await rows_of(house.home, num=2)
    assert failed["call_id"] == served["call_id"]
    assert (failed["state"], served["state"]) == ("failed", "complete")
    assert (failed["number"], served["number"]) == (1, 2)
    assert failed["http_status"] == 503
    assert served["route"] == "chain"


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [("error_after=2,text=a b c d", "failed"), ("cut_body=700,text=a b c d e f g h", "cut")],
)
async def test_stream_broken_after_commit_has_a_row_with_tokens_so_far(
    house: House, behaviour: str, state: str
) -> None:
    """What was received before a break is on record, as an estimate."""
    house.lab.script(behaviour)
    await post(house, chat(stream=True))

    [row] = await rows_of(house.home, num=1)
    assert row["state"] == state
    assert row["output_tokens"] > 0
    assert row["is_estimate"]


async def test_gateway_killed_in_a_burst_leaves_one_row_for_each_answer(tmp_path: Path) -> None:
    """SIGKILL loses no answered request and counts none twice, also across a restart."""
    async with scripted_upstream() as lab:
        config = write_config(tmp_path, lab.base_url)
        async with launched(config) as gateway:
            await gateway.until_listening()
            answered = await _burst(gateway, num=10_000, kill_after=6_000)
        async with launched(config) as gateway:
            await gateway.until_listening()
            gateway.process.send_signal(signal.SIGTERM)
            assert await gateway.wait() == 0

    by_call: dict[str, int] = {}
    for row in read_rows(gateway.home):
        by_call[row["call_id"]] = by_call.get(row["call_id"], 0) + 1
    assert len(answered) >= 5_900
    assert set(answered) <= set(by_call)
    assert set(by_call.values()) == {1}


async def _burst(gateway: GatewayProcess, *, num: int, kill_after: int) -> list[str]:
    """Send `num` requests over 32 connections, kill the gateway in the middle; return the ids of
    those that were answered whole."""
    request = encode("POST", "/v1/chat/completions", gateway.key, chat(), close=False)
    answered: list[str] = []
    left = iter(range(num))

    async def client() -> None:
        reader, writer = await connect(gateway.url)
        try:
            for _ in left:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(headers["content-length"]))
                answered.append(headers["x-request-id"])
                if len(answered) == kill_after:
                    gateway.process.kill()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    await asyncio.wait_for(asyncio.gather(*(client() for _ in range(32))), 120)
    await gateway.wait()
    return answered
