"""Races and fallbacks through the whole gateway: every dialect, streaming and plain."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.flows.ledger_rows import rows_of
from tests.flows.local_house import CONFIG as LOCAL_CONFIG
from tests.flows.raw import Answer, ask, connect, encode
from tests.prepared_model import MODEL, prepared_directory

# Closed at once is a few milliseconds, which are printed. What a test can hold a busy machine to is
# that nobody waited for the minute that the loser would have taken.
LIMIT_MS = 5000.0
_CONFIG = """
[server]
port = 0
log = "off"

[providers.lab]
dialect = "openai_chat"
base_url = "{lab}/openai/v1"

[providers.claude]
dialect = "anthropic_messages"
base_url = "{claude}/anthropic"

[routes.derby]
strategy = "race"
hedge_s = {hedge_s}
targets = ["lab/first", "claude/second"]

[routes.chain]
targets = ["lab/first", "claude/second"]

[models]
"""
PATHS = {
    "chat": ("/v1/chat/completions", "messages"),
    "messages": ("/v1/messages", "messages"),
    "responses": ("/v1/responses", "input"),
}


@dataclass(frozen=True)
class Derby:
    """A gateway whose route `derby` races two providers of different dialects."""

    url: str
    key: str
    home: Path
    lab: ScriptedUpstream
    claude: ScriptedUpstream

    def request(
        self, door: str = "chat", *, stream: bool, close: bool = True, route: str = "derby"
    ) -> bytes:
        """Encode a request."""
        path, words = PATHS[door]
        body: dict[str, Any] = {"model": route, "stream": stream, "max_tokens": 50}
        if door == "responses":
            del body["max_tokens"]
        body[words] = [{"role": "user", "content": "one two three"}]
        return encode("POST", path, self.key, json.dumps(body).encode(), close=close)

    async def ask(self, door: str = "chat", *, stream: bool) -> Answer:
        """Ask the route through one of its doors."""
        return await ask(self.url, self.request(door, stream=stream))


@asynccontextmanager
async def derby(folder: Path, *, hedge_s: float = 0.0) -> AsyncIterator[Derby]:
    """Open the gateway and both providers."""
    async with scripted_upstream() as lab, scripted_upstream() as claude:
        path = folder / "slipstream.toml"
        path.write_text(_CONFIG.format(lab=lab.origin, claude=claude.origin, hedge_s=hedge_s))
        home = folder / "home"
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
            assert gateway.first_key is not None
            yield Derby(gateway.url, gateway.first_key, home, lab, claude)


async def closed_after_ms(loser: ScriptedUpstream, since_ms: float) -> float:
    """Wait until the loser's exchange has ended; return how long after a moment that was."""
    await loser.wait_for(lambda upstream: upstream.log[-1].ending is not None)
    exchange = loser.log[-1]
    assert exchange.ending is not None
    assert exchange.ending.startswith("client_closed")
    assert exchange.ended_ms is not None
    return exchange.ended_ms - since_ms


@pytest.mark.parametrize("door", PATHS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("winner", ["lab", "claude"])
async def test_first_to_speak_wins_and_the_other_is_closed_at_once(
    tmp_path: Path, door: str, stream: bool, winner: str
) -> None:
    """Whichever dialects client and runners speak; the loser has a row of its own."""
    async with derby(tmp_path) as house:
        fast, slow = (house.lab, house.claude) if winner == "lab" else (house.claude, house.lab)
        fast.script("delay=0.2")
        slow.script("delay_headers_only,delay=60")
        answer = await house.ask(door, stream=stream)
        assert answer.status == 200
        assert b"three" in answer.body
        assert answer.headers["x-slipstream-target"].startswith(f"{winner}/")
        assert answer.headers["x-slipstream-attempts"] == "2"
        first_byte_ms = fast.log[-1].first_byte_ms
        assert first_byte_ms is not None
        late_ms = await closed_after_ms(slow, first_byte_ms)
        print(f"the loser was closed {late_ms:.1f} ms after the winner's first byte")
        assert late_ms < LIMIT_MS
        rows = {row["provider"]: row for row in await rows_of(house.home, num=2)}
    loser = rows["claude" if winner == "lab" else "lab"]
    assert (rows[winner]["state"], loser["state"]) == ("complete", "outraced")
    assert loser["is_estimate"]
    assert loser["input_tokens"] > 0
    assert {row["cause"] for row in rows.values()} == {"first", "hedge"}


async def test_loser_is_closed_while_the_winner_talks(tmp_path: Path) -> None:
    """Also one that has said something already, though nothing that means anything."""
    async with derby(tmp_path) as house:
        house.lab.script("stall_after=1")  # the role, and then nothing
        house.claude.script("delay=0.2,gap=0.2")
        answer = await house.ask(stream=True)
        assert b"three" in answer.body
        end_ms = house.claude.log[-1].ended_ms
        assert end_ms is not None
        assert await closed_after_ms(house.lab, end_ms) < 0


async def test_fast_first_runner_costs_one_attempt(tmp_path: Path) -> None:
    """The hedge waits; most requests never start one."""
    async with derby(tmp_path, hedge_s=5.0) as house:
        answer = await house.ask(stream=True)
        assert answer.headers["x-slipstream-attempts"] == "1"
        assert len(house.lab.log) + len(house.claude.log) == 1
        [row] = await rows_of(house.home, num=1)
    assert (row["state"], row["cause"]) == ("complete", "first")


_FAILURES = ("status=503", "reset", "error_in_200", "empty", "cut=0")


@pytest.mark.parametrize(
    ("behaviour", "stream", "door"),
    [
        *((behaviour, stream, "chat") for behaviour in _FAILURES for stream in (True, False)),
        *((behaviour, True, "messages") for behaviour in ("error_in_200", "empty")),
        *((behaviour, True, "responses") for behaviour in ("error_in_200", "empty")),
    ],
)
async def test_target_that_fails_before_it_says_anything_is_never_seen(
    tmp_path: Path, behaviour: str, stream: bool, door: str
) -> None:
    """Whatever it fails with: the next one answers, in whichever dialect."""
    async with derby(tmp_path) as house:
        house.lab.script(behaviour, requests=2)  # a connection that breaks may be tried again
        request = house.request(door, stream=stream, route="chain")
        answer = await ask(house.url, request)
        assert answer.status == 200
        assert b"three" in answer.body
        assert answer.headers["x-slipstream-attempts"] == "2"
        rows = await rows_of(house.home, num=2)
    assert [row["cause"] for row in rows] == ["first", "fallback"]
    assert [row["provider"] for row in rows] == ["lab", "claude"]


async def test_client_that_leaves_in_the_race_closes_both_upstreams(tmp_path: Path) -> None:
    """Nobody has won: both attempts are cancelled."""
    async with derby(tmp_path) as house:
        house.lab.script("delay=60")
        house.claude.script("delay=60")
        _, writer = await connect(house.url)
        writer.write(house.request(stream=True, close=False))
        for upstream in (house.lab, house.claude):
            await upstream.wait_for(lambda each: each.stats.active_requests == 1)
        left_ms = time.monotonic_ns() / 1e6
        writer.close()
        for upstream in (house.lab, house.claude):
            assert await closed_after_ms(upstream, left_ms) < LIMIT_MS
        rows = await rows_of(house.home, num=2)
    assert [row["state"] for row in rows] == ["cancelled", "cancelled"]


@pytest.mark.parametrize("door", PATHS)
async def test_cut_of_the_winner_is_never_retried(tmp_path: Path, door: str) -> None:
    """In every dialect: what was said stays, and then there is an error."""
    async with derby(tmp_path) as house:
        house.lab.script("delay=60")
        house.claude.script("error_after=4,text=alpha beta gamma delta")
        answer = await house.ask(door, stream=True)
        assert b"alpha" in answer.body
        assert b"error" in answer.body
        assert (len(house.lab.log), len(house.claude.log)) == (1, 1)
        rows = {row["provider"]: row for row in await rows_of(house.home, num=2)}
    assert rows["lab"]["state"] == "outraced"
    assert rows["claude"]["state"] in ("failed", "cut")


async def test_many_races_at_once_leave_nothing_open(tmp_path: Path) -> None:
    """A hundred, of which each runner wins some: two rows each, one answer, nothing in use."""
    async with derby(tmp_path) as house:
        for number in range(100):
            house.lab.script(f"delay={0.02 * (number % 3)}")
            house.claude.script(f"delay={0.02 * (number % 2)}")
        asked = [house.ask(stream=number % 2 == 0) for number in range(100)]
        answers = await asyncio.gather(*asked)
        assert all(answer.status == 200 and b"three" in answer.body for answer in answers)
        for upstream in (house.lab, house.claude):
            await upstream.wait_for(lambda each: each.stats.active_requests == 0)
        rows = await rows_of(house.home, num=200)
    by_call: dict[str, list[str]] = {}
    for row in rows:
        by_call.setdefault(row["call_id"], []).append(row["state"])
    assert len(by_call) == 100
    assert all(sorted(states) == ["complete", "outraced"] for states in by_call.values())


@pytest.mark.parametrize("is_ours_first", [True, False], ids=["ours wins", "theirs wins"])
async def test_model_of_ours_races_a_provider(tmp_path: Path, is_ours_first: bool) -> None:
    """Through the official SDK; the loser's row says so, whichever it is."""
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / MODEL).symlink_to(prepared_directory())
    async with scripted_upstream() as lab:
        path = tmp_path / "slipstream.toml"
        path.write_text(
            LOCAL_CONFIG
            + f'\n[providers.lab]\ndialect = "openai_chat"\nbase_url = "{lab.base_url}"\n'
            f'[routes.derby]\nstrategy = "race"\nhedge_s = 0.0\ntargets = ["{MODEL}", "lab/any"]\n'
        )
        lab.script("delay=120" if is_ours_first else "text=theirs")
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
            async with AsyncOpenAI(
                base_url=f"{gateway.url}/v1", api_key=gateway.first_key, max_retries=0, timeout=120
            ) as client:
                said = await client.chat.completions.create(
                    model="derby",
                    messages=[{"role": "user", "content": "Count from one to a hundred."}],
                    max_tokens=8 if is_ours_first else 400,
                    temperature=0,
                )
            rows = {row["provider"]: row for row in await rows_of(home, num=2)}
    assert said.choices[0].message.content
    assert (said.choices[0].message.content == "theirs") != is_ours_first
    states = (rows["local"]["state"], rows["lab"]["state"])
    assert states == (("complete", "outraced") if is_ours_first else ("outraced", "complete"))
