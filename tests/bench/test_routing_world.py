"""The simulated day: requests, targets that answer, wait, fail and bill, and what is drawn."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from bench.routing import clock
from bench.routing.capacity import Bucket, Servers
from bench.routing.draws import Draws
from bench.routing.sites import Site, Watch
from bench.routing.specs import Fault, Spec, value_at
from bench.routing.traffic import Request, Traffic, day_of
from bench.routing.worlds import WORLDS
from slipstream.call import Call, Dialect, Meaning, Usage
from slipstream.choice import CHAT, IMAGES, Attempt, Deadlines
from slipstream.errors import Busy, ConnectFailed, GatewayError, Rejected, StreamCut, TimedOut

HOUR_S = 3600.0
PLAIN = Spec(
    name="plain",
    input_usd=1.0,
    output_usd=2.0,
    first_s=0.5,
    first_sigma=0.0,
    read_per_s=1_000,
    write_per_s=100,
    write_sigma=0.0,
    error_share=0.0,
)


def _request(number: int = 0, **changes: int) -> Request:
    fields = {"conversation": 7, "turn": 0, "input_tokens": 1000, "shared_tokens": 0}
    fields |= {"output_tokens": 200, "abilities": CHAT} | changes
    return Request(number=number, at_s=0.0, **fields)


class _Bills(Watch):
    def __init__(self) -> None:
        self.usd_pico: list[int] = []

    def billed(self, request: Request, usd_pico: int) -> None:
        self.usd_pico.append(usd_pico)


def _site(spec: Spec, day: list[Request], watch: Watch | None = None) -> Site:
    now_s = asyncio.get_running_loop().time
    return Site(0, spec, day, Draws(1), watch or Watch(), day_s=HOUR_S, now_s=now_s)


def _call(number: int = 0, *, first_token_s: float = 20.0, total_s: float = 100.0) -> Call:
    deadlines = Deadlines(first_token_s=first_token_s, total_s=total_s)
    attempt = Attempt(
        attempt_id="a",
        number=1,
        route="r",
        target=PLAIN.target,
        deadlines=deadlines,
        started_at_ns=0,
        total_deadline_s=asyncio.get_running_loop().time() + total_s,
    )
    return Call(
        call_id=str(number),
        dialect=Dialect.OPENAI_CHAT,
        body=b"{}",
        model="r",
        key_id="none",
        attempt=attempt,
    )


async def _ask(site: Site, call: Call) -> tuple[float, float, Usage]:
    """Return when the first token and the end came, and what was used."""
    now_s = asyncio.get_running_loop().time
    first_s = 0.0
    usage: Usage | None = None
    async for frame in site.leaf(call):
        first_s = first_s or now_s()
        if frame.meaning is Meaning.END:
            usage = frame.usage
    assert usage is not None
    return first_s, now_s(), usage


def _run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    clock.run(whole())


def test_site_takes_the_time_and_the_money_that_its_spec_says() -> None:
    """20 ms there and back, half a second, a second for 1,000 tokens in, two for 200 out."""

    async def work() -> None:
        bills = _Bills()
        site = _site(PLAIN, [_request()], bills)
        first_s, end_s, usage = await _ask(site, _call())
        assert first_s == pytest.approx(0.02 + 0.5 + 1.0)
        assert end_s == pytest.approx(first_s + 2.0)
        assert (usage.input_tokens, usage.output_tokens) == (1000, 200)
        assert bills.usd_pico == [1000 * 1_000_000 + 200 * 2_000_000]

    _run(work)


def test_site_a_conversation_finds_its_prompt_cached_until_it_expires() -> None:
    """The second turn reads what it shares with the first from the cache: sooner and cheaper."""

    async def work() -> None:
        turn = _request(1, turn=1, input_tokens=1300, shared_tokens=1200)
        late = replace(turn, number=2)
        site = _site(PLAIN, [_request(), turn, late])
        await _ask(site, _call(0))
        began_s = asyncio.get_running_loop().time()
        first_s, _, usage = await _ask(site, _call(1))
        assert (usage.input_tokens, usage.cache_read_tokens) == (100, 1200)
        assert first_s - began_s == pytest.approx(0.02 + 0.5 + 0.1)
        await asyncio.sleep(PLAIN.cache_s)
        assert (await _ask(site, _call(2)))[2].cache_read_tokens == 0

    _run(work)


@pytest.mark.parametrize(
    ("fault", "error", "after_s"),
    [
        pytest.param(Fault(0.0, 1.0, "refuses", after_s=0.1), ConnectFailed, 0.1, id="refuses"),
        pytest.param(Fault(0.0, 1.0, "errors", after_s=0.2), Rejected, 0.2, id="errors"),
        pytest.param(Fault(0.0, 1.0, "cuts", after_s=0.3), StreamCut, 0.3, id="cuts"),
        pytest.param(Fault(0.0, 1.0, "stalls"), TimedOut, 20.0, id="stalls"),
    ],
)
def test_site_fault_raises_what_the_relay_would(
    fault: Fault, error: type[GatewayError], after_s: float
) -> None:
    """Each kind of failure has its error and its time, and costs nothing."""

    async def work() -> None:
        bills = _Bills()
        site = _site(replace(PLAIN, faults=(fault,)), [_request()], bills)
        assert site.forecast(_request()).is_failure
        with pytest.raises(error):
            await _ask(site, _call())
        assert asyncio.get_running_loop().time() == pytest.approx(after_s)
        assert (bills.usd_pico, site.in_flight) == ([], 0)

    _run(work)


def test_site_that_is_left_early_bills_what_it_has_written() -> None:
    """A loser of a race costs its prompt and the tokens until it was closed."""

    async def work() -> None:
        bills = _Bills()
        site = _site(PLAIN, [_request()], bills)
        frames = site.leaf(_call())
        await anext(frames)
        rest = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0.5)  # a quarter of the answer
        rest.cancel()
        await asyncio.gather(rest, return_exceptions=True)
        await frames.aclose()
        assert bills.usd_pico == [1000 * 1_000_000 + 50 * 2_000_000]

    _run(work)


def test_site_over_its_limit_says_when_to_come_back() -> None:
    """1,200 tokens of 1,800 a minute are gone; 600 more take twenty seconds to fill."""

    async def work() -> None:
        site = _site(replace(PLAIN, tokens_per_min=1800), [_request(), _request(1)])
        asking = asyncio.ensure_future(_ask(site, _call(0)))
        await asyncio.sleep(0)
        with pytest.raises(Busy) as caught:
            await _ask(site, _call(1))
        assert caught.value.retry_after_s == pytest.approx(20.0)
        await asking

    _run(work)


def test_servers_are_taken_in_turn_and_forecast() -> None:
    """With one server, the third waits for two; whoever gives up leaves no hole."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        servers = Servers(1, loop.time)
        begun: list[tuple[str, float]] = []

        async def use(name: str, work_s: float, limit_s: float = 99.0) -> None:
            end_s = await servers.enter(work_s, limit_s)
            begun.append((name, loop.time()))
            await asyncio.sleep(work_s)
            servers.leave(end_s)

        async with asyncio.TaskGroup() as group:
            group.create_task(use("first", 10.0))
            impatient = asyncio.ensure_future(use("impatient", 5.0, limit_s=1.0))
            group.create_task(use("second", 3.0))
            await asyncio.sleep(2.0)
            assert isinstance(impatient.exception(), TimedOut)
            assert servers.wait_s() == 8.0 + 3.0
            cancelled = asyncio.ensure_future(use("cancelled", 3.0))
            await asyncio.sleep(1.0)
            cancelled.cancel()
            group.create_task(use("third", 1.0))
        assert begun == [("first", 0.0), ("second", 10.0), ("third", 13.0)]
        assert (servers.num_waiting, servers.wait_s()) == (0, 0.0)

    _run(work)


def test_bucket_fills_evenly_and_holds_a_minute() -> None:
    """Sixty a minute: one a second, and no more than sixty however long nobody came."""
    bucket = Bucket(60)
    assert bucket.wait_s(60, 1000.0) == 0.0
    bucket.take(60)
    assert bucket.wait_s(2, 1000.5) == pytest.approx(1.5)
    assert bucket.reset_s == pytest.approx(59.5)


def test_draws_are_the_same_whoever_asks_when() -> None:
    """A draw depends on what it is for and on the seed, and its neighbours are not like it."""
    one, same, other = Draws(5), Draws(5), Draws(6)
    assert one.normal(3, 1, 0) == same.normal(3, 1, 0) != other.normal(3, 1, 0)
    means = [sum(one.normal(n, t, 0) for n in range(20_000)) / 20_000 for t in range(3)]
    assert all(abs(mean) < 0.03 for mean in means)
    products = [one.normal(n, 0, 0) * one.normal(n, 1, 0) for n in range(20_000)]
    assert abs(sum(products) / 20_000) < 0.03


def test_day_has_its_rate_its_night_and_its_conversations() -> None:
    """The mean rate is the one asked for, nights are quiet, turns repeat what was said before."""
    traffic = Traffic(per_s=5.0, bursts_per_day=0)
    day = day_of(traffic, 3, HOUR_S)
    assert len(day) == pytest.approx(5.0 * HOUR_S, rel=0.1)
    assert [request.number for request in day] == list(range(len(day)))
    assert all(one.at_s <= next_.at_s for one, next_ in pairwise(day))
    at_night = sum(request.at_s < HOUR_S / 8 for request in day)
    at_noon = sum(abs(request.at_s - HOUR_S / 2) < HOUR_S / 16 for request in day)
    assert at_noon > 2.5 * at_night
    last: dict[int, Request] = {}
    for request in day:
        if before := last.get(request.conversation):
            assert request.shared_tokens == before.input_tokens + before.output_tokens
            assert request.turn == before.turn + 1
        last[request.conversation] = request
    assert len(last) < 0.7 * len(day)
    assert day == day_of(traffic, 3, HOUR_S) != day_of(traffic, 4, HOUR_S)


def test_site_serves_only_what_it_is_able_to() -> None:
    """Images go to no target without eyes, and a book only where it fits."""

    async def work() -> None:
        site = _site(replace(PLAIN, abilities=CHAT, context_tokens=1500), [])
        assert site.can_serve(_request())
        assert not site.can_serve(_request(abilities=CHAT | IMAGES))
        assert not site.can_serve(_request(input_tokens=1301))

    _run(work)


def test_value_at_goes_straight_from_point_to_point() -> None:
    """Curves are level outside their points and straight between them."""
    curve = ((0.2, 1.0), (0.4, 3.0))
    assert [value_at(curve, at) for at in (0.0, 0.2, 0.3, 0.4, 0.9)] == pytest.approx(
        [1.0, 1.0, 2.0, 3.0, 3.0]
    )


@pytest.mark.parametrize("name", WORLDS)
def test_world_has_a_target_for_every_request(name: str) -> None:
    """No request of a day is one that nobody could serve, so every failure is a strategy's."""

    async def work() -> None:
        world = WORLDS[name]
        day = day_of(world.traffic, 1, HOUR_S)
        sites = [_site(spec, day) for spec in world.specs]
        assert all(any(site.can_serve(request) for site in sites) for request in day)
        assert len({spec.name for spec in world.specs}) == len(sites)

    _run(work)
