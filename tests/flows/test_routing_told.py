"""What clients and operators see of a choice: headers, the admin API, the log and the metrics."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import House
from tests.flows.told_house import HELLO, LIMIT_S, ask, told_house

ROUTES = """
[targets."lab/blind"]
abilities = ["chat"]

[routes.chain]
targets = ["lab/first", "spare/second"]
max_wait_s = 0.0

[routes.quick]
strategy = "fastest"
targets = ["lab/first", "lab/blind"]
"""
CHAT = "/v1/chat/completions"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"model": "chain", "messages": HELLO},
    "/v1/messages": {"model": "chain", "messages": HELLO, "max_tokens": 20},
    "/v1/responses": {"model": "chain", "input": "one two three", "store": False},
    "/v1/completions": {"model": "chain", "prompt": "one two three"},
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A gateway with a chain and a choice."""
    async with told_house(tmp_path, ROUTES) as opened:
        yield opened


async def logged(house: House, call_id: str) -> dict[str, str]:
    """Return the pairs of a request's line in the log, once it is written."""
    path = house.home / "log"
    async with asyncio.timeout(LIMIT_S):
        while not (lines := [n for n in path.read_text().split("\n") if f"call={call_id} " in n]):
            await asyncio.sleep(0.02)
    return dict(word.split("=", 1) for word in lines[0].split(" ")[1:])


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
async def test_answer_after_a_fallback_tells_what_was_tried(
    house: House, path: str, is_stream: bool
) -> None:
    """In every dialect, plain or streamed; and so does the line in the log."""
    house.lab.script("status=500")
    answer = await ask(house, path, {**ASKED[path], "stream": is_stream})

    assert answer.status_code == 200
    assert answer.headers["x-slipstream-route"] == "chain; ordered"
    tried = answer.headers["x-slipstream-tried"]
    assert tried == "lab/first=server_error, spare/second=ok"
    assert "x-slipstream-considered" not in answer.headers
    line = await logged(house, answer.headers["x-request-id"])
    assert (line["route"], line["strategy"]) == ("chain", "ordered")
    assert line["tried"] == "lab/first=server_error,spare/second=ok"


@pytest.mark.parametrize("path", ASKED)
async def test_error_tells_what_was_tried(house: House, path: str) -> None:
    """As an answer does; no key and no address is in it."""
    for provider in (house.lab, house.spare):
        provider.script("status=500", requests=5)
    answer = await ask(house, path, ASKED[path])

    assert answer.status_code == 502
    assert answer.headers["x-slipstream-route"] == "chain; ordered"
    assert answer.headers["x-slipstream-tried"].startswith(
        "lab/first=server_error, spare/second=server_error"
    )
    told = json.dumps(dict(answer.headers)) + answer.text
    assert "secret-key" not in told
    assert "127.0.0.1" not in told


async def test_pinned_call_has_no_header_of_a_choice(house: House) -> None:
    """There was none; its line says so."""
    answer = await ask(house, CHAT, {"model": "lab/any", "messages": HELLO})
    assert not {"x-slipstream-route", "x-slipstream-tried"} & set(answer.headers)
    line = await logged(house, answer.headers["x-request-id"])
    assert (line["route"], line["strategy"], line["tried"]) == ("-", "-", "-")


async def test_wish_explain_tells_what_was_considered(house: House) -> None:
    """Also of one target, and of a request that nobody can serve."""
    content = [{"type": "text", "text": "what?"}, IMAGE]
    body = {"model": "quick", "messages": [{"role": "user", "content": content}]}
    seen = await ask(house, CHAT, body | {"slipstream": {"explain": True}})
    assert seen.headers["x-slipstream-route"] == "quick; fastest"
    assert seen.headers["x-slipstream-tried"] == "lab/first=ok"
    considered = seen.headers["x-slipstream-considered"]
    assert considered.startswith('lab/first;taken="')
    assert considered.endswith(', lab/blind;left="it does not offer images"')

    body["model"] = "lab/blind"
    blind = await ask(house, CHAT, body, {"x-slipstream": "explain"})
    assert blind.headers["x-slipstream-route"] == "lab/blind; pinned"
    assert "lab/blind;" in blind.headers["x-slipstream-considered"]


async def test_explanation_is_what_is_then_done(house: House) -> None:
    """The plan of a request is told, nothing is sent, and the request takes the way it told."""
    body = {"model": "chain", "messages": HELLO, "max_tokens": 20}
    told = (await ask(house, "/v1/slipstream/explain", {"body": body})).json()
    assert not house.lab.log
    assert not house.spare.log
    assert [each["target"] for each in told["tries"]] == ["lab/first", "spare/second"]
    answer = await ask(house, CHAT, body)
    assert answer.headers["x-slipstream-target"] == "lab/first"


async def test_candidates_are_told_with_what_is_expected_of_them(house: House) -> None:
    """Tokens are estimated for each; what was never measured is null, and no guess."""
    body = {"model": "quick", "messages": HELLO, "max_tokens": 20}
    told = (await ask(house, "/v1/slipstream/explain", {"body": body})).json()
    assert told["strategy"] == "fastest"
    assert {each["target"] for each in told["candidates"]} == {"lab/first", "lab/blind"}
    for each in told["candidates"]:
        assert each["is_taken"]
        assert each["expected_input_tokens"] > 0
        assert 0 < each["expected_output_tokens"] <= 20
        assert each["expected_total_s"] is each["expected_cost_usd"] is None


async def test_times_are_told_once_they_are_measured(house: House) -> None:
    """What a target took is what it is expected to take."""
    house.lab.script("delay=0.05", requests=10)
    for _ in range(10):
        await ask(house, CHAT, {"model": "lab/first", "messages": HELLO})
    asked = {"body": {"model": "quick", "messages": HELLO}}
    told = (await ask(house, "/v1/slipstream/explain", asked)).json()
    first = next(each for each in told["candidates"] if each["target"] == "lab/first")
    assert 0.02 < first["expected_total_s"] < 5.0


async def test_breaker_that_opens_is_shown(house: House) -> None:
    """To the admin API and to Prometheus, beside every attempt by its outcome."""
    house.lab.script("status=429,retry_after=60")
    await ask(house, CHAT, {"model": "chain", "messages": HELLO})
    targets = (await ask(house, "/v1/slipstream/targets")).json()["data"]
    states = {each["target"]: each for each in targets}
    assert states["lab/first"]["state"] == "open"
    assert 0 < states["lab/first"]["wait_s"] < 120
    assert states["lab/first"]["reason"]
    assert (states["spare/second"]["state"], states["spare/second"]["reason"]) == ("closed", None)

    lines = (await ask(house, "/metrics")).text.split("\n")
    assert 'slipstream_breaker_state{target="lab/first"} 2.0' in lines
    assert 'slipstream_breaker_state{target="spare/second"} 0.0' in lines
    failed = 'cause="first",outcome="rate_limit_exceeded",target="lab/first"'
    assert any(line.startswith(f"slipstream_attempts_total{{{failed}}}") for line in lines)
    answered = 'cause="fallback",outcome="complete",target="spare/second"'
    assert any(line.startswith(f"slipstream_attempts_total{{{answered}}}") for line in lines)


async def test_admin_api_is_in_the_document(house: House) -> None:
    """Whoever reads `/openapi.json` finds it."""
    paths = (await ask(house, "/openapi.json")).json()["paths"]
    assert {"/v1/slipstream/targets", "/v1/slipstream/explain"} <= set(paths)
