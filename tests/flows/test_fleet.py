"""Two gateways over the same providers, with a Valkey between them and without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from slipstream.app import running
from slipstream.config import load
from tests.flows.routing_house import RoutingHouse, routing_house
from tests.valkey_server import ValkeyServer, free_port, valkey

CONFIG = """
[routing]
valkey = "{url}"
[routes.both]
targets = [{one}, {two}]
"""


@asynccontextmanager
async def two_gateways(folder: Path, url: str) -> AsyncIterator[tuple[RoutingHouse, RoutingHouse]]:
    """Run two gateways of the same configuration."""
    config = CONFIG.replace("{url}", url)
    async with routing_house(folder, {"one": "chat", "two": "chat"}, config) as first:
        home = folder / "second"
        home.mkdir()
        settings = load(folder / "slipstream.toml", {"SLIPSTREAM_HOME": str(home)})
        async with running(settings) as gateway:
            assert gateway.first_key is not None
            yield (
                first,
                RoutingHouse(gateway.url, gateway.first_key, home, first.upstreams, first.targets),
            )


async def is_left_alone(house: RoutingHouse, name: str) -> None:
    """Return once a gateway leaves the model of a provider alone, without asking it."""
    target = house.targets[name]
    body = {"model": target, "messages": [{"role": "user", "content": "hi"}]}
    async with house.client() as client, asyncio.timeout(30):
        while True:
            await client.post("/slipstream/explain", body={"body": body}, cast_to=object)
            found: Any = await client.get("/slipstream/targets", cast_to=object)
            states = {state["target"]: state["state"] for state in found["data"]}
            if states.get(target) == "open":
                return
            await asyncio.sleep(0.05)


async def test_what_one_gateway_found_out_the_other_need_not(tmp_path: Path) -> None:
    """A key that was refused there is not tried here; the next target serves at once."""
    with valkey() as server:
        async with two_gateways(tmp_path, server.url) as (first, second):
            first.upstreams["one"].behave("status=401")
            assert (await first.ask("both")).failure == ""
            num_asked = first.num_asked("one")
            assert num_asked > 0
            await is_left_alone(second, "one")
            for _ in range(5):
                assert (await second.ask("both")).failure == ""
            assert first.num_asked("one") == num_asked
            assert first.num_asked("two") == 6


async def test_gateways_whose_valkey_comes_and_goes_serve_all_the_same(tmp_path: Path) -> None:
    """Before it is there, while it is, and after it was killed: no request notices."""
    server = ValkeyServer(free_port())
    try:
        async with two_gateways(tmp_path, server.url) as (first, second):
            first.upstreams["one"].behave("status=401")
            assert (await first.ask("both")).failure == ""
            server.start()
            await is_left_alone(second, "one")  # what was noted before there was a server
            server.kill()
            for house in (first, second):
                for _ in range(5):
                    assert (await house.ask("both")).failure == ""
    finally:
        server.kill()


async def test_probes_find_a_key_well_again_before_a_request_has_to(tmp_path: Path) -> None:
    """It would be left alone for a minute; its list of models says that it is accepted again."""
    config = "[routing]\nprobe_s = 0.1\n[routes.both]\ntargets = [{one}, {two}]\n"
    async with routing_house(tmp_path, {"one": "chat", "two": "chat"}, config) as house:
        one = house.upstreams["one"]
        one.behave("status=401")
        assert (await house.ask("both")).failure == ""
        await is_left_alone(house, "one")
        assert house.num_asked("two") == 1
        one.behave()
        async with asyncio.timeout(30):
            while house.num_asked("one") < 3:
                assert (await house.ask("both")).failure == ""
        assert any(row.method == "GET" for row in one.log)
