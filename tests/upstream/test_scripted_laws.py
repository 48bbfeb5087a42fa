"""Tests of what differs between requests: laws, shares, keys, quotas, what stands; the file."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.behaviour import Behaviour, merge, parse_header, parse_values
from slipstream.upstream.scripted.laws import Law, draw, is_chosen, parse_law
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from slipstream.wire.rate_hints import wait_in_headers
from tests.upstream.scripted_raw import chat, control, talk

NOW_S = 1_800_000_000.0


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(clock=lambda: NOW_S) as running:
        yield running


def key(name: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {name}"), ("connection", "close"))


# ---- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "middle", "tail"),
    [
        ("lognormal:0.05:1.2", 0.05, 0.360),
        ("pareto:0.05:2", 0.0707, 0.2236),
        ("exp:0.1", 0.0693, 0.2996),
        ("uniform:0.1:0.3", 0.2, 0.29),
    ],
)
def test_law_has_its_median_and_its_tail(text: str, middle: float, tail: float) -> None:
    """Median and 95th of a hundred, of 20,000 draws with a fixed seed, against the formulas."""
    law = parse_law(text)
    assert law is not None
    drawn = sorted(draw(law, 1, serial, "delay") for serial in range(20_000))
    assert median(drawn) == pytest.approx(middle, rel=0.03)
    assert drawn[19_000] == pytest.approx(tail, rel=0.05)


def test_law_draws_by_seed_serial_and_name_alone() -> None:
    """The same in another order, another when one of the three differs."""
    law = Law("exp", (1.0,))
    forth = [draw(law, 0, serial, "delay") for serial in range(5)]
    back = [draw(law, 0, serial, "delay") for serial in reversed(range(5))]
    assert forth == back[::-1]
    assert len({draw(law, 0, 1, "delay"), draw(law, 1, 1, "delay"), draw(law, 0, 1, "gap")}) == 3


def test_law_that_overflows_is_bounded_by_its_row() -> None:
    """No infinite delay, whatever is drawn."""
    assert draw(Law("lognormal", (1.0, 1e6)), 0, 1, "delay") <= 1e6 * 1e6
    wild = [merge({"delay": Law("lognormal", (1.0, 1e6))}, serial=n).delay for n in range(20)]
    assert all(0 <= delay <= 86_400 for delay in wild)


def test_law_is_drawn_once_sources_are_merged() -> None:
    """Header, JSON and model suffix read the same law; the merged record has a number."""
    said = parse_header("delay=exp:0.5,seed=3")
    assert said == parse_values({"delay": "exp:0.5", "seed": 3})
    drawn = draw(Law("exp", (0.5,)), 3, 9, "delay")
    assert merge(said, serial=9) == Behaviour(delay=drawn, seed=3)


async def test_delay_of_a_law_differs_from_request_to_request(upstream: ScriptedUpstream) -> None:
    """The Nth request waits as long as what is drawn for N."""
    upstream.behave("delay=uniform:0.01:0.06,seed=4")
    for serial in range(1, 5):
        await talk(upstream, chat())
        row = upstream.log[-1]
        wanted_ms = draw(Law("uniform", (0.01, 0.06)), 4, serial, "delay") * 1000
        assert (row.first_byte_ms or 0) - row.started_ms >= wanted_ms - 1


# ---- for whom -----------------------------------------------------------------------------------


async def test_share_holds_for_the_drawn_requests_only(upstream: ScriptedUpstream) -> None:
    """Which ones follows from the seed; what stands beside it holds for all."""
    upstream.behave("text=hi", "share=0.5,seed=2,status=500")
    statuses = [(await talk(upstream, chat())).status for _ in range(12)]
    assert statuses == [500 if is_chosen(0.5, 2, n) else 200 for n in range(1, 13)]
    assert set(statuses) == {200, 500}
    upstream.behave("text=hi", "share=0,status=500")
    assert (await talk(upstream, chat(stream=True))).words == "hi"


async def test_only_key_holds_for_requests_with_that_key(upstream: ScriptedUpstream) -> None:
    """A revoked key among others; a request without a key has none."""
    upstream.behave({"only_key": "sk-old", "status": 401})
    assert (await talk(upstream, chat(), headers=key("sk-old"))).status == 401
    assert (await talk(upstream, chat(), headers=key("sk-new"))).status == 200
    assert (await talk(upstream, chat())).status == 200
    old = (("x-api-key", "sk-old"), ("connection", "close"))
    assert (await talk(upstream, chat(), headers=old)).status == 401


# ---- quotas -------------------------------------------------------------------------------------


async def test_quota_counts_down_for_each_key_and_then_refuses(upstream: ScriptedUpstream) -> None:
    """Headers tell what is left of the window; the next one gets 429 and when to come back."""
    upstream.behave("quota=2,quota_s=3600")
    left = []
    for _ in range(3):
        wire = await talk(upstream, chat(), headers=key("a"))
        left.append((wire.status, wire.headers["x-ratelimit-remaining-requests"]))
        assert wire.headers["x-ratelimit-limit-requests"] == "2"
    assert left == [(200, "1"), (200, "0"), (429, "0")]
    assert 3590 < float(wire.headers["retry-after"]) <= 3600
    assert wire.document["error"]["code"] == "rate_limit_exceeded"
    other = await talk(upstream, chat(), headers=key("b"))
    assert (other.status, other.headers["x-ratelimit-remaining-requests"]) == (200, "1")


async def test_quota_of_the_next_window_is_whole(upstream: ScriptedUpstream) -> None:
    """After the window's end a request is let through again."""
    upstream.behave("quota=1,quota_s=0.05")
    assert (await talk(upstream, chat())).status == 200
    wire = await talk(upstream, chat(), headers=key("other"))
    assert wire.status == 200, "each key has its own"
    await asyncio.sleep(0.06)
    assert (await talk(upstream, chat())).status == 200


@pytest.mark.parametrize(
    ("path", "model", "header"),
    [
        ("/openai/v1/chat/completions", "m", "x-ratelimit-reset-requests"),
        ("/cerebras/v1/chat/completions", "llama3.1-8b", "x-ratelimit-reset-requests-day"),
        ("/mistral/v1/chat/completions", "m", "x-ratelimit-reset-req-minute"),
        ("/openrouter/api/v1/chat/completions", "m", "x-ratelimit-reset"),
        ("/anthropic/v1/messages", "m", "anthropic-ratelimit-requests-reset"),
    ],
)
async def test_quota_reset_is_told_as_each_provider_tells_it(
    upstream: ScriptedUpstream, path: str, model: str, header: str
) -> None:
    """What our own reader of these headers makes of them is the window's rest."""
    upstream.behave("quota=1,quota_s=90")
    body: dict[str, Any] = {**chat(), "model": model, "max_tokens": 5}
    headers = (*key("k"), ("anthropic-version", "2023-06-01"))
    wire = await talk(upstream, body, path=path, headers=headers)
    assert wire.status == 200
    told = {name.encode(): value.encode() for name, value in wire.headers.items()}
    assert header in wire.headers
    waited = wait_in_headers(told, datetime.fromtimestamp(NOW_S, UTC))
    assert waited is not None
    assert 85 < waited <= 91


# ---- what stands --------------------------------------------------------------------------------


async def test_standing_behaviour_is_switched_while_it_runs() -> None:
    """In place of what it was started with, until it is taken back; the script wins over it."""
    async with scripted_upstream(behaviour="text=usual") as upstream:
        standing: dict[str, object] = {"behaviour": {"status": 503}}
        assert await control(upstream.origin, "PUT", "/mock/behaviour", standing) == standing
        upstream.script("status=418")
        assert [(await talk(upstream, chat())).status for _ in range(3)] == [418, 503, 503]
        both: dict[str, object] = {"behaviour": [{"text": "well"}, {"text": "again"}]}
        await control(upstream.origin, "PUT", "/mock/behaviour", both)
        assert (await talk(upstream, chat(stream=True))).words == "again"
        await control(upstream.origin, "DELETE", "/mock/behaviour")
        assert (await talk(upstream, chat(stream=True))).words == "usual"


async def test_standing_behaviour_holds_for_lists_of_models_but_not_for_health(
    upstream: ScriptedUpstream,
) -> None:
    """A provider that is down is down for who looks whether it is back."""
    upstream.behave("status=503")
    assert (await talk(upstream, None, method="GET", path="/v1/models")).status == 503
    assert (await talk(upstream, None, method="GET", path="/health")).status == 200
    assert (await talk(upstream, None, method="GET", path="/mock/stats")).status == 200


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"behaviour": {"stal": 1}}, "unknown behaviour 'stal'"),
        ({"behaviour": [{"gap": 1}, {"rate": 1}]}, "gap and rate"),
        ({"behaviour": {"delay": "soon"}}, "delay takes a number"),
        ({"behaviour": 7}, "PUT /mock/behaviour"),
        ({}, "behaviour"),
    ],
)
async def test_standing_behaviour_that_is_wrong_changes_nothing(
    upstream: ScriptedUpstream, document: dict[str, object], text: str
) -> None:
    """It is refused where it was said, and what stood before still stands."""
    upstream.behave("status=418")
    answer = await control(upstream.origin, "PUT", "/mock/behaviour", document)
    assert text in answer["error"]["message"]
    assert (await talk(upstream, chat())).status == 418


async def test_standing_behaviour_in_process_refuses_the_same(upstream: ScriptedUpstream) -> None:
    """As an exception; without arguments it goes back to the start."""
    with pytest.raises(BadRequest, match="gap and rate"):
        upstream.behave("gap=1", "rate=1")
    upstream.behave("status=418")
    upstream.behave()
    assert (await talk(upstream, chat())).status == 200


# ---- the file -----------------------------------------------------------------------------------


async def test_log_file_has_a_line_for_each_begin_and_end(tmp_path: Path) -> None:
    """Before the answer is there; no key, no body; requests of the control API are left out."""
    path = tmp_path / "log"
    async with scripted_upstream(log_path=path) as upstream:
        await talk(upstream, chat("hidden"), headers=key("sk-secret"))
        await control(upstream.origin, "GET", "/mock/stats")
        await talk(upstream, chat(), mock="cut=10")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["serial"], "ending" in row) for row in rows] == [
        (1, False),
        (1, True),
        (2, False),
        (2, True),
    ]
    assert (rows[0]["path"], len(rows[0]["key"])) == ("/v1/chat/completions", 12)
    assert [row["ending"] for row in rows[1::2]] == ["complete", "cut"]
    assert rows[0]["started_ms"] <= rows[1]["first_byte_ms"] <= rows[1]["ended_ms"]
    assert "sk-secret" not in path.read_text()
    assert "hidden" not in path.read_text()
