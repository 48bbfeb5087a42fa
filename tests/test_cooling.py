"""Tests of slipstream.cooling: gateways that share, with a real server that comes and goes."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from slipstream.call import Outcome, Secret, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.cooling import FIRST_WAIT_S, MAX_SCOPES, POLL_S, Sharing, marks_of
from slipstream.errors import Busy, ConfigError, ConnectFailed, GatewayError, Rejected
from slipstream.routing.board import Board
from slipstream.routing.facts import TargetFacts
from slipstream.routing.settings import RoutingSettings
from tests.config_place import Place
from tests.valkey_server import ValkeyServer, free_port, valkey

MAX_S = 300.0
CONFIG = """
[models.m]
[providers.groq]
api_keys = ["{0}", "k2"]
[providers.lab]
dialect = "openai_chat"
base_url = "http://127.0.0.1:{1}/v1"
"""


class Gateway:
    """One end, and what it heard: scope and until when, by the loop's clock."""

    def __init__(
        self,
        url: str,
        mark: Callable[[str], str | None] = lambda scope: "m",
        *,
        ahead_s: float = 0.0,
        cool: Callable[[str, float, float], None] | None = None,
    ) -> None:
        self.heard: list[tuple[str, float]] = []
        self.sharing = Sharing(
            Secret(url),
            mark,
            cool or (lambda scope, seconds, now_s: self.heard.append((scope, seconds))),
            max_s=MAX_S,
            now_s=lambda: asyncio.get_running_loop().time() + ahead_s,
            rng=random.Random(1),
        )

    async def hears(self, num: int = 1) -> list[tuple[str, float]]:
        """Return what it heard, once that is so many things."""
        async with asyncio.timeout(30):
            while len(self.heard) < num:
                await asyncio.sleep(0.01)
        return self.heard


@asynccontextmanager
async def running(*gateways: Gateway) -> AsyncIterator[None]:
    """Run these ends while the context is open."""
    tasks = [asyncio.create_task(gateway.sharing.run()) for gateway in gateways]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def settled(server: ValkeyServer, num: int = 1) -> dict[bytes, float]:
    """Return what the server keeps, once that is so many things, with its end."""
    client = redis.Redis.from_url(server.url)
    try:
        async with asyncio.timeout(30):
            while client.zcard("slipstream:cooling") < num:
                await asyncio.sleep(0.01)
        return dict(client.zrange("slipstream:cooling", 0, -1, withscores=True))  # type: ignore[arg-type]
    finally:
        client.close()


# ---- what is told and heard ----------------------------------------------------------------------


async def test_what_one_leaves_alone_the_other_hears_once() -> None:
    """With the seconds that are left; whoever said it does not hear it back."""
    with valkey() as server:
        one, other = Gateway(server.url), Gateway(server.url, ahead_s=1e6)
        async with running(one, other):
            one.sharing.tell("target groq/openai/gpt-oss-120b", 60.0, "502")
            [(scope, seconds)] = await other.hears()
            await asyncio.sleep(3 * POLL_S)
    assert scope == "target groq/openai/gpt-oss-120b"
    assert 50.0 < seconds <= 60.0
    assert (len(other.heard), one.heard) == (1, [])


async def test_cooldown_is_never_shortened_and_may_grow() -> None:
    """The server keeps the later end; the later one is heard again, the earlier is not."""
    with valkey() as server:
        one, other = Gateway(server.url), Gateway(server.url)
        async with running(one, other):
            one.sharing.tell("provider groq", 60.0, "")
            await other.hears()
            one.sharing.tell("provider groq", 5.0, "")
            one.sharing.tell("target groq/x", 7.0, "")
            await other.hears(2)
            one.sharing.tell("provider groq", 120.0, "")
            heard = await other.hears(3)
    assert [scope for scope, _ in heard] == ["provider groq", "target groq/x", "provider groq"]
    assert heard[2][1] > 100.0


async def test_gateway_that_comes_later_hears_what_still_holds() -> None:
    """And nothing of what is over; no longer than any cooldown may be."""
    with valkey() as server:
        one = Gateway(server.url)
        async with running(one):
            one.sharing.tell("target groq/gone", 0.2, "")
            one.sharing.tell("target groq/here", 1e6, "")
            await settled(server, 2)
            await asyncio.sleep(0.3)
        late = Gateway(server.url)
        async with running(late):
            [(scope, seconds)] = await late.hears()
    assert scope == "target groq/here"
    assert MAX_S - 5.0 < seconds <= MAX_S


async def test_gateways_that_mean_something_else_do_not_share() -> None:
    """The same name may stand for another place or another key."""
    with valkey() as server:
        one = Gateway(server.url, lambda scope: "here")
        other = Gateway(server.url, lambda scope: "there" if "lab" in scope else "here")
        quiet = Gateway(server.url, lambda scope: None)
        async with running(one, other, quiet):
            one.sharing.tell("target lab/m", 60.0, "")
            quiet.sharing.tell("target local/m", 60.0, "")
            one.sharing.tell("target groq/m", 60.0, "")
            heard = await other.hears()
            kept = await settled(server, 2)
    assert [scope for scope, _ in heard] == ["target groq/m"]
    assert sorted(kept) == [b"here target groq/m", b"here target lab/m"]


async def test_what_somebody_else_wrote_there_does_no_harm() -> None:
    """Endless, unreadable and strange entries are bounded or passed by."""
    with valkey() as server:
        client = redis.Redis.from_url(server.url)
        client.zadd("slipstream:cooling", {b"\xff\xfe": 9e15, b"": 9e15, b"m target a/b": 9e15})
        client.zadd("slipstream:cooling", {b"m provider x": float("inf")})
        client.close()
        one = Gateway(server.url)
        async with running(one):
            heard = await one.hears(2)
    assert {scope for scope, _ in heard} == {"target a/b", "provider x"}
    assert all(seconds <= MAX_S for _, seconds in heard)


async def test_number_of_scopes_is_bounded_here_and_there() -> None:
    """Those that end soonest go."""
    with valkey() as server:
        one = Gateway(server.url)
        for number in range(MAX_SCOPES + 50):
            one.sharing.tell(f"target groq/{number}", 100.0 + number, "")
        async with running(one):
            kept = await settled(server, MAX_SCOPES)
    assert len(kept) == MAX_SCOPES
    assert b"m target groq/49" not in kept
    assert b"m target groq/50" in kept


# ---- a server that is away -----------------------------------------------------------------------


async def test_server_that_is_killed_and_started_again_is_used_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was noted meanwhile is told then, with what is left of it; an outage is logged once."""
    caplog.set_level(logging.WARNING, "slipstream.cooling")
    with valkey() as server:
        one, other = Gateway(server.url), Gateway(server.url)
        async with running(one, other):
            one.sharing.tell("provider groq", 60.0, "")
            await other.hears()
            server.kill()
            one.sharing.tell("target groq/a", 50.0, "")
            one.sharing.tell("target groq/short", 0.1, "")
            async with asyncio.timeout(30):
                while len(caplog.records) < 2:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(FIRST_WAIT_S * 2)  # it is tried again, which is not logged again
            server.start()
            heard = await other.hears(2)
            kept = await settled(server)
    assert [scope for scope, _ in heard] == ["provider groq", "target groq/a"]
    assert heard[1][1] < 49.0
    assert list(kept) == [b"m target groq/a"]
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 4
    assert sum("is not shared until it is back" in text for text in texts) == 2
    assert sum("valkey is back" in text for text in texts) == 2


async def test_server_that_was_never_there_costs_nothing() -> None:
    """Telling is a note in memory; the end of the gateway need not wait."""
    one = Gateway(f"redis://127.0.0.1:{free_port()}")
    async with asyncio.timeout(5), running(one):
        one.sharing.tell("provider groq", 60.0, "")
        await asyncio.sleep(FIRST_WAIT_S * 2)
    assert one.heard == []


async def test_end_of_the_gateway_is_never_lost() -> None:
    """Whenever it comes: redis-py's own timeouts lose a cancellation now and then."""
    rng = random.Random(1)

    async def run_for_a_moment(gateway: Gateway) -> None:
        task = asyncio.create_task(gateway.sharing.run())
        for number in range(20):
            gateway.sharing.tell(f"target groq/{number}", 60.0, "")
        await asyncio.sleep(rng.uniform(0.0, 0.2))
        task.cancel()
        await asyncio.wait((task,))

    with valkey() as server:
        async with asyncio.timeout(60):
            for _ in range(4):
                gateways = [Gateway(server.url) for _ in range(40)]
                await asyncio.gather(*map(run_for_a_moment, gateways))


async def test_password_is_used_and_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong one is an outage like any other."""
    caplog.set_level(logging.WARNING)
    with valkey("--requirepass", "s3cret-right") as server:
        address = f"127.0.0.1:{server.port}"
        right = Gateway(f"valkey://:s3cret-right@{address}/0")
        wrong = Gateway(f"redis://:s3cret-wrong@{address}/0")
        other = Gateway(f"redis://:s3cret-right@{address}/0")
        async with running(right, wrong, other):
            right.sharing.tell("provider groq", 60.0, "")
            await other.hears()
            await asyncio.sleep(0.2)
    assert "not shared" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("url", ["redis://h:port", "redis://h/0?bogus=1", "redis://[bogus"])
def test_url_that_cannot_be_one_is_a_config_error(url: str) -> None:
    """At start, without what it says: it may hold a password."""
    with pytest.raises(ConfigError, match="no URL of a Valkey") as caught:
        Gateway(url)
    assert "bogus" not in caught.value.message


# ---- boards --------------------------------------------------------------------------------------


def board_on(server: ValkeyServer) -> tuple[Board, Gateway]:
    """Return a board, and the end through which it shares what it leaves alone."""
    board = Board(
        lambda target: TargetFacts(target=target, credentials=("1", "2")),
        RoutingSettings(),
        random.Random(1),
    )
    gateway = Gateway(server.url, cool=board.cool)
    board.on_cooled = gateway.sharing.tell
    return board, gateway


@pytest.mark.parametrize(
    ("error", "times", "closed"),
    [
        (Rejected("who?", upstream_status=401), 1, {"m#1": True, "m#2": False, "n#1": True}),
        (Busy("later", retry_after_s=60.0), 1, {"m#1": True, "m#2": False, "n#1": False}),
        (ConnectFailed("refused"), 12, {"m#1": True, "m#2": True, "n#1": True}),
        (Rejected("down", upstream_status=500), 12, {"m#1": True, "m#2": True, "n#1": False}),
        (Rejected("not you", upstream_status=400), 9, {"m#1": False, "m#2": False}),
    ],
    ids=["key", "quota", "network", "target", "client"],
)
async def test_board_that_has_asked_nobody_leaves_alone_what_another_found(
    error: GatewayError, times: int, closed: dict[str, bool]
) -> None:
    """The same things as the one that found out, and nothing of the caller's faults."""
    with valkey() as server:
        (found, one), (asked_nobody, other) = board_on(server), board_on(server)
        async with asyncio.timeout(30), running(one, other):
            at_s = now_s = asyncio.get_running_loop().time()
            for number in range(times):
                at_s = now_s + 100.0 * number  # each time it is left alone for longer
                found.note(failed(Target("groq", "m", "1"), error), at_s)
            for name, is_open in closed.items():
                target = Target("groq", *name.split("#"))
                assert found.is_open(target, at_s) is is_open
                while is_open and not asked_nobody.is_open(target, now_s):
                    await asyncio.sleep(0.01)
            for name, is_open in closed.items():
                target = Target("groq", *name.split("#"))
                assert asked_nobody.begin(target, now_s) is not is_open


def failed(target: Target, error: GatewayError) -> Outcome:
    """Return the end of an attempt that failed."""
    attempt = Attempt(
        attempt_id="a",
        number=1,
        route="r",
        target=target,
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=0.0,
    )
    return Outcome(
        attempt=attempt,
        state="failed",
        error=error,
        usage=Usage(),
        cost_usd_pico=None,
        first_token_s=None,
        total_s=0.01,
        held_s=0.0,
        body_bytes=10,
    )


# ---- marks ---------------------------------------------------------------------------------------


def test_marks_tell_providers_and_keys_apart(tmp_path: Path) -> None:
    """Another address is another place, another key another key; of ours nothing is shared."""

    def marks(key: str, port: int) -> Callable[[str], str | None]:
        return marks_of(Place(tmp_path).load(CONFIG.format(key, port)))

    one, other = marks("k1", 1), marks("k1", 1)
    other_key, other_place = marks("k9", 1), marks("k1", 2)
    scopes = ["target groq/a/b", "provider groq", "key groq#2", "lane groq/a/b#1", "target lab/m"]
    for scope in scopes:
        assert one(scope) == other(scope) is not None
        assert (one(scope) == other_key(scope)) is ("#" not in scope)
        assert (one(scope) == other_place(scope)) is ("lab" not in scope)
    assert one("target groq/a/b") != one("key groq#2")
    for scope in (
        "target local/m",
        "target nobody/m",
        "target groq",
        "provider groq/m",
        "provider groq#1",
        "key groq#3",
        "key groq/m#1",
        "lane groq#1",
        "planet groq#1",
        "key #",
        "key",
        "",
    ):
        assert one(scope) is None
    assert all("k1" not in str(one(scope)) for scope in scopes)
