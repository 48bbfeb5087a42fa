"""Rate limits as a request meets them: let in, refused, corrected, and told in headers."""

import asyncio
import json
from typing import Any

import pytest

from slipstream.call import Call, Frame, Frames, Meaning, Receipt, Usage
from slipstream.choice import Target
from slipstream.errors import Broken, StreamCut
from slipstream.limits.rates import SWEEP_AT_KEYS, RateLimits
from slipstream.limits.settings import LimitSettings
from slipstream.limits.standing import cerebras_headers
from tests.server.asking import Asked, ask, chat, gateway_of, serve_frames, whole

SDK = (b"user-agent", b"Cerebras/Python 1.91.0")
USAGE = Usage(input_tokens=10, cache_read_tokens=90, output_tokens=5)
DONE = Receipt(
    attempt_id="a", target=Target("local", "m"), num_attempts=1, state="complete", usage=USAGE
)


def limits_of(**settings: Any) -> RateLimits:
    """Return limits for every caller; the clock stands still."""
    return RateLimits({"default": LimitSettings(**settings)}, lambda key_id: None, lambda: 0.0)


def remaining(limits: RateLimits) -> dict[str, int]:
    """Return what is left of each limit, of a caller without a key."""
    told = dict(limits.standing("none", "m", cerebras_headers))
    return {
        name.decode().removeprefix("x-ratelimit-remaining-"): int(value)
        for name, value in told.items()
        if b"remaining" in name
    }


@pytest.mark.parametrize("is_strict", [False, True])
async def test_answer_tells_how_far_the_limits_are_used(is_strict: bool) -> None:
    """Cerebras's callers see the whole family, others what is set."""
    gateway = gateway_of(whole(), limits=limits_of(requests_per_minute=3))
    asked = await ask(gateway, Asked(chat(), headers=[SDK] if is_strict else []))
    assert asked.headers["x-ratelimit-limit-requests-minute"] == "3"
    assert asked.headers["x-ratelimit-remaining-requests-minute"] == "2"
    assert ("x-ratelimit-limit-tokens-day" in asked.headers) == is_strict
    assert ("x-ratelimit-limit-requests" in asked.headers) != is_strict


async def test_strict_callers_see_the_family_also_without_limits() -> None:
    """A program that reads these headers finds them; others get nothing that means nothing."""
    strict = await ask(gateway_of(whole()), Asked(chat(), headers=[SDK]))
    plain = await ask(gateway_of(whole()), Asked(chat()))
    assert strict.headers["x-ratelimit-remaining-tokens-minute"] == "1000000000"
    assert not [name for name in plain.headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize("is_strict", [False, True])
async def test_request_over_a_limit_is_refused_and_says_when_to_come_back(is_strict: bool) -> None:
    """Status 429 in the caller's shape, with Retry-After and the family; nobody is asked."""
    gateway = gateway_of(whole(), limits=limits_of(requests_per_minute=1))
    headers = [SDK] if is_strict else []
    assert (await ask(gateway, Asked(chat(), headers=headers))).status == 200
    asked = await ask(gateway, Asked(chat(), headers=headers))
    assert asked.status == 429
    assert asked.headers["retry-after"] == "60"
    assert asked.headers["x-should-retry"] == "true"
    assert asked.headers["x-ratelimit-remaining-requests-minute"] == "0"
    said = json.loads(asked.body)
    code = said["code"] if is_strict else said["error"]["code"]
    assert code == ("request_quota_exceeded" if is_strict else "rate_limit_exceeded")


async def test_what_was_held_is_corrected_before_the_answer_ends() -> None:
    """Cached tokens count in the total alone; whoever asks at once again meets the true figures."""
    limits = limits_of(tokens_per_minute=100_000, uncached_tokens_per_hour=100_000)
    gateway = gateway_of(serve_frames(Frame(b"{}", Meaning.END, receipt=DONE)), limits=limits)
    await ask(gateway, Asked(chat()))
    left = remaining(limits)
    assert left["tokens-minute"] == 100_000 - 105
    assert left["tokens-hour"] == 100_000 - 15


async def test_failed_request_gives_its_tokens_back_and_stays_counted() -> None:
    """Nothing was answered."""

    async def serve(call: Call) -> Frames:
        raise Broken("no")
        yield

    limits = limits_of(tokens_per_minute=100_000, requests_per_minute=9)
    assert (await ask(gateway_of(serve, limits=limits), Asked(chat()))).status == 502
    assert remaining(limits)["tokens-minute"] == 100_000
    assert remaining(limits)["requests-minute"] == 8


async def test_client_that_leaves_pays_for_what_it_saw() -> None:
    """A stream that is given up costs what its last frame said."""
    begun = asyncio.Event()

    async def serve(call: Call) -> Frames:
        yield Frame(b"data: a\n\n", Meaning.CONTENT, USAGE)
        begun.set()
        await asyncio.sleep(10)

    limits = limits_of(tokens_per_minute=100_000)
    asked = Asked(chat(stream=True))
    task = asyncio.create_task(ask(gateway_of(serve, limits=limits), asked))
    await begun.wait()
    assert remaining(limits)["tokens-minute"] < 100_000 - 10_000  # what it might have taken
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert remaining(limits)["tokens-minute"] == 100_000 - 105


async def test_body_that_cannot_be_read_takes_nothing() -> None:
    """What is refused at the door is not counted."""
    limits = limits_of(requests_per_minute=1)
    gateway = gateway_of(whole(), limits=limits)
    assert (await ask(gateway, Asked(b"{"))).status == 400
    assert (await ask(gateway, Asked(chat()))).status == 200


async def test_stream_that_nobody_counted_stays_as_it_was_estimated() -> None:
    """Its account is closed like any other: once it is full again, it is forgotten."""
    now_s = 0.0

    async def serve(call: Call) -> Frames:
        yield Frame(b"data: a\n\n", Meaning.CONTENT)
        raise StreamCut("no usage was told")

    settings = {"default": LimitSettings(tokens_per_minute=100_000)}
    limits, other = (RateLimits(settings, lambda key_id: None, lambda: now_s) for _ in range(2))
    await ask(gateway_of(serve, limits=limits), Asked(chat(stream=True)))
    assert 100_000 - remaining(limits)["tokens-minute"] > 16_000
    other.admit("none", "m", 1, 1).cancel()
    now_s = 3_600.0
    for each in (limits, other):
        for number in range(SWEEP_AT_KEYS):
            each.admit(f"key-{number}", "m", 1, 1).cancel()
    assert limits.num_accounts == other.num_accounts


async def test_anthropics_callers_are_told_in_their_own_headers() -> None:
    """Also with the refusal, which is one that their SDK waits for."""
    gateway = gateway_of(whole(), limits=limits_of(requests_per_minute=1))
    body = json.dumps(
        {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    ).encode()
    first = await ask(gateway, Asked(body, path="/v1/messages"))
    again = await ask(gateway, Asked(body, path="/v1/messages"))
    assert (first.status, again.status) == (200, 429)
    for asked in (first, again):
        assert asked.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert asked.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
        assert not [name for name in asked.headers if name.startswith("x-ratelimit")]
    assert json.loads(again.body)["error"]["type"] == "rate_limit_error"
    assert (again.headers["retry-after"], again.headers["x-should-retry"]) == ("60", "true")
