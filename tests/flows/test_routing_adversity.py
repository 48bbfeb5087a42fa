"""What routing must bear: slow readers, quick nonsense, a thousand routes, storms, the end."""

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.failover.asking import WAYS, Client
from bench.failover.house import gateway, mocks, provider_table
from slipstream.upstream.scripted.server import ScriptedUpstream
from tests.flows.ledger_rows import read_rows, rows_of
from tests.flows.raw import ask, connect, encode
from tests.flows.routing_house import RoutingHouse, routing_house

TARGETS = "/v1/slipstream/targets"


async def standing_of(house: RoutingHouse, name: str) -> Any:
    """Return what the admin API tells of a provider's target."""
    told = await ask(house.url, encode("GET", TARGETS, house.key, b""))
    assert told.status == 200, told.body
    return next(row for row in told.json()["data"] if row["target"] == house.targets[name])


def fastest(*names: str) -> str:
    """Return a route to the fastest of these providers, without exploration."""
    targets = ", ".join("{" + name + "}" for name in names)
    route = f'[routes.quick]\nstrategy = "fastest"\ntargets = [{targets}]\n'
    return f"[routing]\nexplore = 0.0\n{route}"


async def read_slowly(house: RoutingHouse, model: str, num_words: int) -> int:
    """Stream a long answer and read it in drops, slower than it is written; return its bytes."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "x"}]}
    reader, writer = await connect(house.url)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(*RECEIVE_BUFFER)
    writer.write(encode("POST", "/v1/chat/completions", house.key, json.dumps(body).encode()))
    num_bytes = 0
    transport: Any = writer.transport
    while True:
        data = await asyncio.wait_for(reader.read(16_384), 20)
        if not data:
            break
        num_bytes += len(data)
        if num_bytes < 300_000:
            transport.pause_reading()
            await asyncio.sleep(0.1)
            transport.resume_reading()
    writer.close()
    await writer.wait_closed()
    assert num_bytes > 100 * num_words
    return num_bytes


RECEIVE_BUFFER = (1, 8, 8192)  # SOL_SOCKET, SO_RCVBUF


async def test_slow_reader_does_not_make_its_target_look_slow(tmp_path: Path) -> None:
    """What the client takes its time with is not held against who wrote it; the plan stays."""
    kinds = {"swift": "chat", "other": "chat"}
    async with routing_house(tmp_path, kinds, fastest("swift", "other")) as house:
        house.upstreams["other"].behave("delay=0.15")
        for _ in range(4):
            for name in kinds:
                assert (await house.ask(house.targets[name], is_stream=True)).failure == ""
        for _ in range(4):
            assert (await house.ask("quick", is_stream=True)).failure == ""
        before = await standing_of(house, "swift")
        num_other = house.num_asked("other")
        house.upstreams["swift"].behave("tokens=5000,events_per_write=50")
        await asyncio.gather(*(read_slowly(house, "quick", 5000) for _ in range(2)))
        house.upstreams["swift"].behave()
        after = await standing_of(house, "swift")
        for _ in range(12):
            assert (await house.ask("quick", is_stream=True)).failure == ""
        assert house.num_asked("other") == num_other, "the slow reader drove everyone away"
    assert after["failure_share"] <= before["failure_share"]
    assert after["state"] == "closed"
    assert after["tokens_per_s"] >= 500, "5,000 words in a moment, read in seconds"


@pytest.mark.parametrize(
    "nonsense",
    [
        "http_garbage",
        "body=<h1>It works!</h1>",
        'body={"ok": true}',
        "error_in_200",
        "malformed_chunk=1",
        "empty",
        "status=500",
        "status=404",
        "no_done,tokens=0",
    ],
)
@pytest.mark.parametrize("kind", ["chat", "messages"])
async def test_provider_of_instant_nonsense_never_wins_fastest(
    tmp_path: Path, nonsense: str, kind: str
) -> None:
    """Being wrong at once is not being fast: it is asked a few times and then left alone."""
    kinds = {"hasty": kind, "sound": "chat"}
    async with routing_house(tmp_path, kinds, fastest("hasty", "sound")) as house:
        house.upstreams["hasty"].behave(nonsense)
        house.upstreams["sound"].behave("delay=0.02")
        for number in range(60):
            told = await house.ask("quick", is_stream=bool(number % 2))
            assert told.failure == "", f"request {number}: {told.failure}"
        num_hasty = house.num_asked("hasty")
        assert house.num_asked("sound") == 60
    print(f"asked {num_hasty} times")
    assert num_hasty <= 12


async def test_thousand_routes_start_and_plan(tmp_path: Path) -> None:
    """The gateway starts, lists them, answers through the first, the last and some between."""
    strategies = ("ordered", "weighted", "cheapest", "fastest", "balanced", "race")
    routes = "\n".join(
        f'[routes.r{number}]\nstrategy = "{strategies[number % 6]}"\n'
        f'targets = [{{alpha}}, {{beta}}, "alpha/model-{number}", "beta/model-{number}"]'
        for number in range(1000)
    )
    async with routing_house(tmp_path, {"alpha": "chat", "beta": "messages"}, routes) as house:
        listed = await ask(house.url, encode("GET", "/v1/models", house.key, b""))
        names = {row["id"] for row in listed.json()["data"]}
        assert names >= {f"r{number}" for number in range(1000)}
        for number in (0, *range(100, 1000, 83), 999):
            assert (await house.ask(f"r{number}")).failure == ""


# ---- outages ------------------------------------------------------------------------------------

STALL = "[deadlines]\nfirst_token_s = 0.5\n[routes.chain]\ntargets = [{{first}}, {{second}}]\n{}"


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_storm_at_an_outage_stalls_each_request_once_and_then_one_probe(
    tmp_path: Path, is_stream: bool
) -> None:
    """All that were under way wait out one deadline; later bursts send one request to look."""
    kinds = {"first": "chat", "second": "messages"}
    async with routing_house(tmp_path, kinds, STALL.format("")) as house:
        first = house.upstreams["first"]
        assert (await house.ask("chain")).failure == ""
        first.behave("delay=600")
        storm = await burst(house, 100, is_stream=is_stream)
        assert storm == [""] * 100
        rows = await rows_of(house.home, num=len(first.log) + len(house.upstreams["second"].log))
        stalls = Counter(row["call_id"] for row in rows if row["state"] == "failed")
        assert stalls, "the storm met no outage"
        assert max(stalls.values()) == 1
        probes = []
        for _ in range(4):
            num_before = len(first.log)
            assert await burst(house, 40, is_stream=is_stream) == [""] * 40
            probes.append(len(first.log) - num_before)
            await asyncio.sleep(0.6)
        assert max(probes) <= 1, probes
        first.behave()
        async with asyncio.timeout(30):
            num_before = len(first.log)
            while not any(row.ending == "complete" for row in tuple(first.log)[num_before:]):
                assert (await house.ask("chain", is_stream=is_stream)).failure == ""
                await asyncio.sleep(0.05)
        num_before = len(first.log)
        assert await burst(house, 40, is_stream=is_stream) == [""] * 40
        assert len(first.log) - num_before == 40, "it is well, and first in line again"


async def burst(house: RoutingHouse, num: int, *, is_stream: bool) -> list[str]:
    """Ask so often at once; return what failed of each."""
    tolds = await asyncio.gather(*(house.ask("chain", is_stream=is_stream) for _ in range(num)))
    return [told.failure for told in tolds]


async def test_outage_of_all_targets_is_told_at_once_and_ends_by_itself(tmp_path: Path) -> None:
    """Errors with a Retry-After while all are down; answers again when they are back."""
    config = STALL.format("max_wait_s = 0.0\n")
    async with routing_house(tmp_path, {"first": "chat", "second": "chat"}, config) as house:
        for upstream in house.upstreams.values():
            upstream.behave("status=503")
        tolds = [await house.ask("chain") for _ in range(20)]
        assert all(told.failure.startswith("50") for told in tolds)
        num_asked = sum(len(upstream.log) for upstream in house.upstreams.values())
        assert num_asked < 30, "who is down is hammered"
        assert "retry-after" in tolds[-1].headers
        for upstream in house.upstreams.values():
            upstream.behave()
        async with asyncio.timeout(30):
            while (await house.ask("chain")).failure:
                await asyncio.sleep(0.05)


# ---- clients and processes that go --------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["ordered", "fastest", "race"])
async def test_clients_that_leave_cool_nothing(tmp_path: Path, strategy: str) -> None:
    """Whoever hangs up says nothing about who was asked: 60 of them, and nobody is left alone."""
    config = f'[routes.chain]\nstrategy = "{strategy}"\ntargets = [{{first}}, {{second}}]\n'
    kinds = {"first": "chat", "second": "messages"}
    async with routing_house(tmp_path, kinds, config) as house:
        for upstream in house.upstreams.values():
            upstream.behave("delay=600")
        for number in range(60):
            await leave(house, is_stream=bool(number % 2))
        for upstream in house.upstreams.values():
            await upstream.wait_for(lambda u: u.stats.active_requests == 0)
            upstream.behave()
        rows = await rows_of(house.home, num=sum(len(u.log) for u in house.upstreams.values()))
        assert {row["state"] for row in rows} == {"cancelled"}
        for name in kinds:
            if house.num_asked(name):
                standing = await standing_of(house, name)
                assert (standing["state"], standing["in_flight"]) == ("closed", 0)
        assert (await house.ask("chain")).failure == ""


async def leave(house: RoutingHouse, *, is_stream: bool) -> None:
    """Send a request and hang up once some provider has it."""
    num_before = num_seen(house.upstreams.values())
    body = {"model": "chain", "stream": is_stream, "messages": [{"role": "user", "content": "x"}]}
    _, writer = await connect(house.url)
    writer.write(encode("POST", "/v1/chat/completions", house.key, json.dumps(body).encode()))
    async with asyncio.timeout(10):
        while num_seen(house.upstreams.values()) == num_before:
            await asyncio.sleep(0.002)
    writer.close()
    await writer.wait_closed()


def num_seen(upstreams: Any) -> int:
    """Count the requests that providers got."""
    return sum(upstream.stats.requests for upstream in upstreams)


def active(upstream: ScriptedUpstream) -> int:
    """Count the requests that are being answered."""
    return upstream.stats.active_requests


async def test_sigterm_amid_races_lets_them_finish_and_settles_every_row(tmp_path: Path) -> None:
    """A real process: answers under way are given, nothing is lost, status 0."""
    behaviours = ("delay=exp:0.4", "delay=exp:0.4,seed=1")
    with mocks(tmp_path, {"alpha": "chat", "beta": "messages"}, behaviours) as running:
        both = ", ".join(f'"{mock.target}"' for mock in running)
        config = "\n".join(provider_table(mock) for mock in running)
        config += f'\n[routes.duel]\nstrategy = "race"\nhedge_s = 0.0\ntargets = [{both}]\n'
        with gateway(tmp_path, config) as house:
            clients = [Client(house.url, house.key) for _ in range(20)]
            asking = [
                asyncio.create_task(
                    client.ask(WAYS["chat"], "duel", "x y z", is_stream=bool(number % 2))
                )
                for number, client in enumerate(clients)
            ]
            async with asyncio.timeout(20):
                while sum(len(mock.rows()) for mock in running) < 24:
                    await asyncio.sleep(0.01)
            house.tree.send(signal.SIGTERM)
            tolds = await asyncio.gather(*asking)
            await asyncio.gather(*(client.close() for client in clients))
            async with asyncio.timeout(30):
                while house.tree.is_alive():
                    await asyncio.sleep(0.02)
            assert house.tree.status() == 0, house.tree.tail()
        rows = read_rows(house.home)
        num_at_mocks = sum(len(mock.rows()) for mock in running)
    answered = [told for told in tolds if not told.failure]
    refused = [told.failure for told in tolds if told.failure]
    assert all("shutting_down" in failure or "Connection" in failure for failure in refused)
    assert len(rows) >= num_at_mocks
    assert {row["state"] for row in rows} <= {"complete", "outraced", "cancelled"}
    assert sum(row["state"] == "complete" for row in rows) >= len(answered) > 0
