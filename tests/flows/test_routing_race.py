"""Races: who speaks first is the answer, in any dialect; losers are closed and accounted for."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from slipstream.upstream.scripted.book import Exchange
from slipstream.upstream.scripted.server import ScriptedUpstream
from tests.flows.ledger_rows import rows_of
from tests.flows.local_house import CONFIG as LOCAL_CONFIG
from tests.flows.raw import connect, encode
from tests.flows.routing_house import HELLO, RoutingHouse, routing_house
from tests.prepared_model import MODEL, prepared_directory

DUEL = '[routes.duel]\nstrategy = "race"\ntargets = [{{first}}, {{second}}]\n{more}\n'
AT_ONCE = DUEL.format(more="hedge_s = 0.0")
GONE = ("client_closed_before_first_byte", "client_closed_mid_stream")
FOREVER = "delay=600"


def last(upstream: ScriptedUpstream) -> Exchange:
    """Return the last request for an answer."""
    return next(row for row in reversed(upstream.log) if row.method == "POST")


async def until_left(upstream: ScriptedUpstream) -> Exchange:
    """Wait until the gateway has left the last request; it would wait ten minutes otherwise."""
    await upstream.wait_for(lambda u: last(u).ending is not None)
    assert last(upstream).ending in GONE
    return last(upstream)


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("way", ["chat", "messages", "responses", "completions"])
@pytest.mark.parametrize(
    ("first", "second"), [("gemini", "chat"), ("chat", "messages"), ("messages", "responses")]
)
async def test_race_across_dialects_is_won_by_who_speaks(
    tmp_path: Path, first: str, second: str, way: str, is_stream: bool
) -> None:
    """The client gets one whole answer in its dialect; each runner has a row, the loser's is so."""
    async with routing_house(tmp_path, {"first": first, "second": second}, AT_ONCE) as house:
        house.upstreams["first"].script(FOREVER)
        told = await house.ask("duel", way=way, is_stream=is_stream)
        assert told.failure == ""
        loser = await until_left(house.upstreams["first"])
        winner = last(house.upstreams["second"])
        assert winner.ending == "complete"
        assert loser.ended_ms is not None
        assert winner.first_byte_ms is not None
        print(f"the loser was left after {loser.ended_ms - winner.first_byte_ms:.1f} ms")
        rows = {row["provider"]: row for row in await rows_of(house.home, num=2)}
    assert (rows["first"]["state"], rows["second"]["state"]) == ("outraced", "complete")
    assert rows["first"]["call_id"] == rows["second"]["call_id"]
    told_of = {row["number"]: row["cause"] for row in rows.values()}
    assert told_of == {1: "first", 2: "hedge"}
    assert rows["first"]["is_estimate"], "what a loser costs is estimated"
    assert rows["first"]["cost_usd_pico"] > 0
    assert rows["second"]["output_tokens"] == len(HELLO.split())


async def test_race_whose_first_runner_is_quick_has_no_second(tmp_path: Path) -> None:
    """No hedge before its time: the other provider is never asked."""
    patient = DUEL.format(more="hedge_s = 30.0")
    async with routing_house(tmp_path, {"first": "chat", "second": "chat"}, patient) as house:
        for is_stream in (False, True):
            assert (await house.ask("duel", is_stream=is_stream)).failure == ""
        assert await count(house) == 2


async def test_race_whose_first_runner_fails_goes_on_at_once(tmp_path: Path) -> None:
    """A failure does not wait for the hedge delay, which would be half a minute."""
    patient = DUEL.format(more="hedge_s = 30.0")
    async with routing_house(tmp_path, {"first": "chat", "second": "gemini"}, patient) as house:
        house.upstreams["first"].behave("status=503")
        async with asyncio.timeout(25):
            while not house.num_asked("first"):
                assert (await house.ask("duel", is_stream=True)).failure == ""
        rows = await rows_of(house.home, num=await count(house))
    [failed] = [row for row in rows if row["state"] == "failed"]
    [other] = [row for row in rows if row["call_id"] == failed["call_id"] and row is not failed]
    assert (other["state"], other["cause"]) == ("complete", "fallback")


async def test_race_is_not_won_by_silence(tmp_path: Path) -> None:
    """Headers and a role say nothing: who sends them and stalls loses to who speaks later."""
    async with routing_house(tmp_path, {"first": "chat", "second": "chat"}, AT_ONCE) as house:
        house.upstreams["first"].script("stall_after=1")
        house.upstreams["second"].script("delay=0.2")
        told = await house.ask("duel", is_stream=True)
        assert told.failure == ""
        await until_left(house.upstreams["first"])
        rows = {row["provider"]: row for row in await rows_of(house.home, num=2)}
    assert (rows["first"]["state"], rows["second"]["state"]) == ("outraced", "complete")


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", ["status=500", "http_garbage", "error_in_200", "cut_body=0"])
async def test_race_with_one_broken_runner_is_won_by_the_other(
    tmp_path: Path, fault: str, is_stream: bool
) -> None:
    """All at once: the failure of one is not seen, whether it comes before or after the win."""
    async with routing_house(tmp_path, {"first": "chat", "second": "messages"}, AT_ONCE) as house:
        for number in range(6):
            delay = 0.03 * (number % 3)
            house.upstreams["first"].script(f"{fault},delay={delay}")
            house.upstreams["second"].script("delay=0.03")
            told = await house.ask("duel", is_stream=is_stream)
            assert told.failure == "", f"{delay} s: {told.failure}"
        rows = await rows_of(house.home, num=await count(house))
    assert sum(row["state"] == "complete" for row in rows) == 6
    assert not any(row["state"] == "complete" for row in rows if row["provider"] == "first")


async def test_race_that_all_runners_lose_says_what_happened(tmp_path: Path) -> None:
    """An error of the gateway's, and a row for each."""
    async with routing_house(tmp_path, {"first": "chat", "second": "chat"}, AT_ONCE) as house:
        for upstream in house.upstreams.values():
            upstream.behave("status=500")
        told = await house.ask("duel")
        assert told.failure.startswith("5")
    rows_left = {row["state"] for row in await rows_of(house.home, num=await count(house))}
    assert rows_left == {"failed"}


async def count(house: RoutingHouse) -> int:
    """Return how many requests the providers saw in all."""
    return sum(house.num_asked(name) for name in house.upstreams)


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_client_that_leaves_amid_a_race_closes_all_runners(
    tmp_path: Path, is_stream: bool
) -> None:
    """Nobody goes on computing; both rows say that the client went."""
    async with routing_house(tmp_path, {"first": "chat", "second": "gemini"}, AT_ONCE) as house:
        for upstream in house.upstreams.values():
            upstream.behave(FOREVER)
        body = json.dumps(
            {"model": "duel", "messages": [{"role": "user", "content": "x"}], "stream": is_stream}
        ).encode()
        _, writer = await connect(house.url)
        writer.write(encode("POST", "/v1/chat/completions", house.key, body))
        for upstream in house.upstreams.values():
            await upstream.wait_for(lambda u: u.stats.active_requests == 1)
        writer.close()
        for upstream in house.upstreams.values():
            await upstream.wait_for(lambda u: u.stats.active_requests == 0)
            assert last(upstream).ending == "client_closed_before_first_byte"
        rows = await rows_of(house.home, num=2)
    assert {row["state"] for row in rows} == {"cancelled"}


async def test_race_may_cost_no_more_than_its_route_allows(tmp_path: Path) -> None:
    """At a share of 0, or for no money, nobody runs beside the first."""
    more = '[routes.poor]\nstrategy = "race"\ntargets = [{first}, {second}]\nrace_max_usd = 0.0\n'
    config = DUEL.format(more="hedge_s = 0.0\nrace_share = 0.0") + more + "hedge_s = 0.0\n"
    async with routing_house(tmp_path, {"first": "chat", "second": "chat"}, config) as house:
        for upstream in house.upstreams.values():
            upstream.behave("delay=0.05")
        for model in ("duel", "poor"):
            for _ in range(3):
                assert (await house.ask(model)).failure == ""
        assert await count(house) == 6


async def test_race_share_bounds_how_many_requests_have_a_second_runner(tmp_path: Path) -> None:
    """At a quarter, of 40 requests that all would, about ten do."""
    config = DUEL.format(more="hedge_s = 0.0\nrace_share = 0.25")
    async with routing_house(tmp_path, {"first": "chat", "second": "chat"}, config) as house:
        for upstream in house.upstreams.values():
            upstream.behave("delay=0.02")
        for _ in range(40):
            assert (await house.ask("duel")).failure == ""
        num_further = await count(house) - 40
    assert 8 <= num_further <= 14


# ---- with a model of ours among the runners -----------------------------------------------------


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_race_with_our_own_model_is_won_by_who_speaks(
    tmp_path: Path, is_stream: bool
) -> None:
    """It wins against silence; it is stopped when another wins, and answers the next request."""
    link_model(tmp_path)
    config = "".join(
        f'[routes.{name}]\nstrategy = "race"\ntargets = [{targets}]\nhedge_s = 0.0\n'
        for name, targets in (
            ("wins", f'{{first}}, "local/{MODEL}"'),
            ("loses", f'"local/{MODEL}", {{second}}'),
        )
    )
    kinds = {"first": "chat", "second": "messages"}
    async with routing_house(tmp_path, kinds, config, models=local_tables()) as house:
        asked: dict[str, Any] = {"temperature": 0, "max_tokens": 4}
        await house.ask(f"local/{MODEL}", more=asked)  # it is loaded by then
        house.upstreams["first"].script(FOREVER)
        await house.ask("wins", is_stream=is_stream, more=asked)
        await until_left(house.upstreams["first"])
        long = {"temperature": 0, "max_tokens": 400}
        story = "Tell me a long story about the sea. " * 40
        told = await house.ask("loses", story.strip(), is_stream=is_stream, more=long)
        assert told.failure == "" or "another answer" in told.failure
        async with asyncio.timeout(60):
            await house.ask(f"local/{MODEL}", more=asked)
        rows = await rows_of(house.home, num=6)
    states = [(row["provider"], row["state"]) for row in rows]
    assert sorted(states[1:3]) == [("first", "outraced"), ("local", "complete")]
    assert sorted(states[3:5]) == [("local", "outraced"), ("second", "complete")]
    assert (states[0], states[5]) == (("local", "complete"), ("local", "complete"))
    assert all(row["cost_usd_pico"] == 0 for row in rows if row["provider"] == "local")


def link_model(folder: Path) -> None:
    """Put the prepared model where the gateway's home will be."""
    models = folder / "home" / "models"
    models.mkdir(parents=True)
    (models / MODEL).symlink_to(prepared_directory())


def local_tables() -> str:
    """Return the tables of the embedded model."""
    return "[engine]" + LOCAL_CONFIG.partition("[engine]")[2]
