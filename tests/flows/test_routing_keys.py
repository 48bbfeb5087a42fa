"""Several keys of one provider, and turns at a target that takes only so many at a time."""

import asyncio
import json
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from bench.failover.asking import WAYS, Client
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import create_key
from slipstream.upstream.scripted.book import redact
from slipstream.upstream.scripted.server import ScriptedUpstream
from tests.flows.ledger_rows import rows_of
from tests.flows.routing_house import routing_house

TWO_KEYS = {"lab": 'api_keys = ["sk-one", "sk-two"]'}
ROUTE = "[routes.only]\ntargets = [{lab}]\n"


def num_by_key(upstream: ScriptedUpstream) -> Counter[str]:
    """Count the requests for answers of each of the two keys."""
    names = {redact(key.encode()).decode(): key for key in ("sk-one", "sk-two")}
    rows = [row for row in upstream.log if row.method == "POST"]
    return Counter(names[f"sha256:{row.key}"] for row in rows)


@pytest.mark.parametrize("kind", ["chat", "messages", "gemini"])
@pytest.mark.parametrize("status", [401, 402])
async def test_revoked_key_is_left_alone_and_the_other_serves(
    tmp_path: Path, kind: str, status: int
) -> None:
    """No request fails, and after the first refusal nobody tries the revoked key again."""
    async with routing_house(tmp_path, {"lab": kind}, ROUTE, more=TWO_KEYS) as house:
        lab = house.upstreams["lab"]
        lab.behave({"only_key": "sk-one", "status": status})
        for number in range(30):
            model = "only" if number % 2 else house.targets["lab"]
            told = await house.ask(model, is_stream=number % 3 == 0)
            assert told.failure == "", f"request {number}: {told.failure}"
        asked = num_by_key(lab)
        rows = await rows_of(house.home, num=sum(asked.values()))
    assert asked["sk-two"] == 30
    assert asked["sk-one"] <= 2
    assert len({row["credential"] for row in rows if row["state"] == "complete"}) == 1
    assert {row["fault"] for row in rows if row["state"] == "failed"} <= {"key"}


async def test_keys_are_used_by_what_is_left_of_their_limits(tmp_path: Path) -> None:
    """Headers tell the room of each: both are used up together, and no request meets a 429."""
    async with routing_house(tmp_path, {"lab": "chat"}, ROUTE, more=TWO_KEYS) as house:
        lab = house.upstreams["lab"]
        lab.behave("quota=20,quota_s=3600")
        for number in range(36):
            told = await house.ask("only")
            assert told.failure == "", f"request {number}: {told.failure}"
        asked = num_by_key(lab)
        assert [row.status for row in lab.log if row.method == "POST"] == [200] * 36
    assert abs(asked["sk-one"] - asked["sk-two"]) <= 4, asked


async def test_key_out_of_quota_leaves_the_other_to_serve(tmp_path: Path) -> None:
    """A 429 of one key, with no room told before, cools that key with that model alone."""
    async with routing_house(tmp_path, {"lab": "chat"}, ROUTE, more=TWO_KEYS) as house:
        lab = house.upstreams["lab"]
        lab.behave({"only_key": "sk-one", "status": 429, "retry_after": 600})
        for number in range(20):
            told = await house.ask("only", is_stream=bool(number % 2))
            assert told.failure == "", f"request {number}: {told.failure}"
        asked = num_by_key(lab)
    assert asked["sk-two"] == 20
    assert asked["sk-one"] <= 2


async def test_all_keys_out_of_quota_tell_the_client_when_to_come_back(tmp_path: Path) -> None:
    """429 with Retry-After, not another error; and the provider is not hammered meanwhile."""
    config = ROUTE + "max_wait_s = 0.0\n"
    async with routing_house(tmp_path, {"lab": "chat"}, config, more=TWO_KEYS) as house:
        lab = house.upstreams["lab"]
        lab.behave("status=429,retry_after=90")
        tolds = [await house.ask("only") for _ in range(8)]
    assert all(told.failure.startswith(("429", "503")) for told in tolds), tolds[-1].failure
    assert tolds[0].failure.startswith("429")
    assert all(60 < float(told.headers["retry-after"]) <= 120 for told in tolds)
    assert len(lab.log) <= 4


# ---- turns --------------------------------------------------------------------------------------


async def test_target_gets_no_more_at_a_time_and_keys_take_turns(tmp_path: Path) -> None:
    """One client's flood of 40 does not hold up the four requests of another."""
    config = ROUTE + '[targets."{plain}"]\nmax_concurrent = 2\n'.replace(
        "{plain}", "lab/openai/gpt-oss-120b"
    )
    async with routing_house(tmp_path, {"lab": "chat"}, config) as house:
        lab = house.upstreams["lab"]
        lab.behave("delay=0.02")
        with closing(open_store(sqlite_url(house.home))) as store:
            _, second = create_key(store, "second", time.time_ns())
        async with asyncio.timeout(15):
            while (await ask_as(house.url, second, "until known")).startswith("401"):
                await asyncio.sleep(0.05)
        num_before = len(lab.log)
        flood = [asyncio.create_task(ask_as(house.url, house.key, "flood")) for _ in range(40)]
        await lab.wait_for(lambda u: len(u.log) >= num_before + 4)
        few = [asyncio.create_task(ask_as(house.url, second, "few")) for _ in range(4)]
        assert await asyncio.gather(*flood, *few) == [""] * 44
        said = [json.loads(row.body)["messages"][0]["content"] for row in lab.log][num_before:]
        assert lab.stats.peak_active_requests <= 2
    last_of_few = max(place for place, text in enumerate(said) if text == "few")
    print(f"the last of the few was number {last_of_few + 1} of 44")
    assert last_of_few < 30, "they waited for the whole flood"


async def ask_as(url: str, key: str, text: str) -> str:
    """Ask with a client's key; return what failed."""
    client = Client(url, key)
    try:
        return (await client.ask(WAYS["chat"], "only", text, is_stream=False)).failure
    finally:
        await client.close()
