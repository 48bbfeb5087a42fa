"""After the commit point nothing is retried: every client dialect, every upstream dialect.

Before it, every way to break off leads to the next target, and the client sees none of it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.failover.asking import WAYS, read_events
from tests.flows.ledger_rows import rows_of
from tests.flows.routing_house import RoutingHouse, routing_house

CLIENTS = ("chat", "completions", "messages", "responses")
UPSTREAMS = ("chat", "messages", "gemini", "responses", "mistral")
# What goes wrong once words have been said, in a stream of 60: behind so many events or bytes.
LATE = [
    f"tokens=60,{fault}"
    for fault in (
        "cut_body=2500",
        "cut_body=2500,reset",
        "error_after=12",
        "stall_after=12",
        "malformed_chunk=12",
    )
]
# Each ends before any word was said.
EARLY = ("cut_body=0", "stall_after=0", "error_in_200", "http_garbage", "status=503", "reset")


def chains(faults: Iterable[str]) -> str:
    """Return a route for each fault and client dialect: to a provider of its own, then a well one.

    What breaks again and again is left alone; a provider for each keeps them from each other.
    """
    tables = ["[deadlines]\nfirst_token_s = 1.5\nidle_s = 1.5"]
    tables += [f"[routes.{name}]\ntargets = [{{{name}}}, {{second}}]" for name in names(faults)]
    return "\n".join(tables)


def names(faults: Iterable[str]) -> list[str]:
    """Return the names of the providers that break."""
    return [f"{way}-{place}" for place, _ in enumerate(faults) for way in CLIENTS]


def way_of(name: str) -> str:
    """Return the client dialect of a provider's name."""
    return name.partition("-")[0]


@asynccontextmanager
async def breaking(folder: Path, kind: str, faults: Iterable[str]) -> AsyncIterator[RoutingHouse]:
    """Run a gateway with a provider of a kind for each fault and client dialect, and a well one."""
    faults = list(faults)
    kinds = dict.fromkeys(names(faults), kind) | {"second": "chat"}
    async with routing_house(folder, kinds, chains(faults)) as house:
        for place, fault in enumerate(faults):
            for way in CLIENTS:
                house.upstreams[f"{way}-{place}"].behave(fault)
        yield house


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_stream_that_breaks_after_the_commit_is_not_retried(
    tmp_path: Path, upstream: str
) -> None:
    """In all four client dialects: one attempt, no second target, an end that says it is none."""
    async with breaking(tmp_path, upstream, LATE) as house:
        asking = [house.ask(name, way=way_of(name), is_stream=True) for name in names(LATE)]
        for name, told in zip(names(LATE), await asyncio.gather(*asking), strict=True):
            assert told.failure, f"{name}: a broken stream passed for a whole one"
            assert told.first_s is not None, f"{name}: {told.failure}"
            assert house.num_asked(name) == 1
        assert house.num_asked("second") == 0
        rows = await rows_of(house.home, num=len(CLIENTS) * len(LATE))
    assert {row["number"] for row in rows} == {1}
    assert all(row["state"] in ("cut", "failed") for row in rows)
    assert all(row["cost_usd_pico"] for row in rows), "what was said is paid for"


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_answer_that_breaks_before_the_commit_is_not_seen(
    tmp_path: Path, upstream: str
) -> None:
    """Plain and streaming, in all four client dialects: the whole answer of the next target."""
    async with breaking(tmp_path, upstream, EARLY) as house:
        for is_stream in (False, True):
            asking = [
                house.ask(name, way=way_of(name), is_stream=is_stream) for name in names(EARLY)
            ]
            for name, told in zip(names(EARLY), await asyncio.gather(*asking), strict=True):
                assert told.failure == "", f"{name}, stream {is_stream}: {told.failure}"
        assert all(house.num_asked(name) >= 2 for name in names(EARLY))
        assert house.num_asked("second") == 2 * len(CLIENTS) * len(EARLY)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_plain_answer_that_breaks_off_is_begun_anew(tmp_path: Path, upstream: str) -> None:
    """Of a plain answer the client has seen nothing before its end: the next target gives it."""
    async with breaking(tmp_path, upstream, ["tokens=60,cut_body=40"]) as house:
        for number, way in enumerate(CLIENTS, 1):
            told = await house.ask(f"{way}-0", way=way)
            assert told.failure == "", f"{way}: {told.failure}"
            assert (house.num_asked(f"{way}-0"), house.num_asked("second")) == (1, number)


def test_late_faults_leave_words_behind() -> None:
    """The table of client dialects reads errors: else the tests above would prove nothing."""
    body = b'data: {"error": {"message": "x"}}\n\n'
    assert read_events(body) == [{"error": {"message": "x"}}]
    assert set(CLIENTS) == set(WAYS)
