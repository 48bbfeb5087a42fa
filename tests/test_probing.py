"""Tests of slipstream.probing: a list of models wakes what is left alone, on a real Board."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from slipstream.call import Outcome, Secret, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.errors import Busy, ConnectFailed, GatewayError, Rejected
from slipstream.probing import looks_for, probing
from slipstream.routing.board import Board
from slipstream.routing.facts import TargetFacts
from slipstream.routing.settings import RoutingSettings
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.keyed import Keyed, relays_of
from slipstream.upstream.relay import Endpoint

NOW_S = 1000.0  # a clock that stands still: no cooldown ends by itself
ONE, TWO = Target("lab", "one", "1"), Target("lab", "two/b", "2")


class Provider:
    """Lists its models to those of its keys that are good."""

    def __init__(self, *models: str) -> None:
        self.models, self.bad_keys = models, set[str]()
        self.asked: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its client leaves."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                key = head.partition(b"Bearer ")[2].partition(b"\r\n")[0].decode()
                self.asked.append(key)
                body = json.dumps({"data": [{"id": model} for model in self.models]}).encode()
                status = 401 if key in self.bad_keys else 200
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(body)))
                writer.write(body)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def relays(provider: Provider) -> AsyncIterator[dict[str, Keyed]]:
    """Give the relays of a provider with two keys."""
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    client = HttpClient(HttpSettings(), environ={})
    endpoint = Endpoint(
        name="lab",
        base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1",
        key=Secret("k1"),
        more_keys=(Secret("k2"),),
    )
    try:
        async with asyncio.timeout(30):
            yield {"lab": relays_of(endpoint, client, now=lambda: datetime.now(UTC))}
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


def board() -> Board:
    """Return a board on which two models of one provider have been asked once."""
    made = Board(
        lambda target: TargetFacts(
            target=Target(target.provider, target.model, "1"), credentials=("1", "2")
        ),
        RoutingSettings(),
        random.Random(1),
    )
    for target in (ONE, TWO):
        assert made.begin(target, NOW_S)
        made.end(target)
    return made


def fails(made: Board, target: Target, error: GatewayError, times: int = 1) -> None:
    """Note failed attempts."""
    for number in range(times):
        attempt = Attempt(
            attempt_id=f"a-{number}",
            number=1,
            route="r",
            target=target,
            deadlines=Deadlines(),
            started_at_ns=0,
            total_deadline_s=NOW_S,
        )
        outcome = Outcome(
            attempt=attempt,
            state="failed",
            error=error,
            usage=Usage(),
            cost_usd_pico=None,
            first_token_s=None,
            total_s=0.1,
            held_s=0.0,
            body_bytes=10,
        )
        made.note(outcome, NOW_S)


async def woken(made: Board, keyed: dict[str, Keyed], target: Target) -> None:
    """Return when a target takes a request again."""
    task = asyncio.create_task(probing(made, keyed, 0.01, lambda: NOW_S))
    try:
        while made.is_open(target, NOW_S):
            await asyncio.sleep(0.01)
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


BROKEN = Rejected("down", upstream_status=500)
OVERLOADED = Rejected("full", upstream_status=503)
OVERLOADED.retry_after_s = 60.0
REFUSED = Rejected("who?", upstream_status=401)


@pytest.mark.parametrize(
    ("error", "times"), [(BROKEN, 5), (ConnectFailed("refused"), 3)], ids=["target", "provider"]
)
async def test_list_that_comes_lets_one_request_look(error: GatewayError, times: int) -> None:
    """Not more than one: it is a sign, and the request's own end says whether it was right."""
    made = board()
    fails(made, TWO, error, times)
    assert made.is_open(TWO, NOW_S)
    async with relays(Provider("one", "two/b")) as keyed:
        await woken(made, keyed, TWO)
    assert made.begin(TWO, NOW_S)
    assert not made.begin(TWO, NOW_S)


async def test_model_that_is_not_listed_is_not_woken() -> None:
    """Its provider is well without it."""
    made, provider = board(), Provider("one")
    fails(made, ONE, BROKEN, 5)
    fails(made, TWO, BROKEN, 5)
    async with relays(provider) as keyed:
        await woken(made, keyed, ONE)
    assert made.is_open(TWO, NOW_S)


async def test_key_is_asked_for_itself() -> None:
    """The other one speaks neither for it nor against it."""
    made, provider = board(), Provider()
    provider.bad_keys = {"k2"}
    fails(made, TWO, REFUSED)
    async with relays(provider) as keyed:
        task = asyncio.create_task(probing(made, keyed, 0.01, lambda: NOW_S))
        while len(provider.asked) < 2:
            await asyncio.sleep(0.01)
        assert made.is_open(TWO, NOW_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        provider.bad_keys = set()
        await woken(made, keyed, TWO)
    assert set(provider.asked) == {"k2"}


async def test_target_is_asked_with_a_key_that_is_well() -> None:
    """A refused key would say nothing of the model."""
    made, provider = board(), Provider("two/b")
    provider.bad_keys = {"k1"}
    fails(made, Target("lab", "two/b", "1"), REFUSED)
    fails(made, TWO, BROKEN, 5)
    async with relays(provider) as keyed:
        await woken(made, keyed, TWO)
    assert made.is_open(Target("lab", "two/b", "1"), NOW_S)


def test_nothing_is_asked_of_what_is_well_of_quotas_and_of_our_own() -> None:
    """Whoever said when to come back is not asked before."""
    made = board()
    relay: Any = None
    keyed = {"lab": {"1": relay, "2": relay}}
    assert looks_for(made.standings(NOW_S), keyed) == {}
    fails(made, ONE, Busy("later", retry_after_s=60.0))
    fails(made, Target("local", "m"), BROKEN, 5)
    assert looks_for(made.standings(NOW_S), keyed) == {}


def test_wait_that_was_asked_for_is_not_cut_short() -> None:
    """An overloaded target said itself when it will be back."""
    made = board()
    fails(made, ONE, OVERLOADED)
    made.wake("target lab/one", NOW_S)
    assert made.wait_s(ONE, NOW_S) >= 60.0
    made.wake("target lab/two/b", NOW_S)  # which is well
    assert not made.is_open(TWO, NOW_S)
