"""Names that say what is wanted and not where: `auto`, plain names, and tiers of quality."""

import json
from pathlib import Path

import pytest

from tests.flows.routing_house import RoutingHouse, routing_house

KINDS = {"groq": "chat", "lab": "chat"}


async def target_of(house: RoutingHouse, model: str, **more: object) -> str:
    """Ask, and return which target has answered."""
    told = await house.ask(model, more=more)
    assert told.failure == ""
    return told.headers["x-slipstream-target"]


@pytest.mark.parametrize(
    "model", ["auto", "auto:cheapest", "auto:fastest", "gpt-oss-120b", "gpt-oss-120b:floor"]
)
async def test_name_without_a_place_goes_where_it_can_be_answered(
    tmp_path: Path, model: str
) -> None:
    """With nothing configured but providers."""
    async with routing_house(tmp_path, KINDS, "") as house:
        provider, _, _ = (await target_of(house, model)).partition("/")
        assert provider in KINDS


async def test_auto_keeps_to_the_tier_that_is_asked_for(tmp_path: Path) -> None:
    """A table raises one target; nobody else will do then."""
    config = '[targets."lab/openai/gpt-oss-120b"]\nquality = 4\n'
    async with routing_house(tmp_path, KINDS, config) as house:
        for _ in range(4):
            target = await target_of(house, "auto", slipstream={"quality": 4})
            assert target == "lab/openai/gpt-oss-120b"


async def test_lists_tell_names_that_can_be_asked_for(tmp_path: Path) -> None:
    """Each of our own names in the list is answered."""
    async with routing_house(tmp_path, KINDS, "") as house:
        async with house.client() as client:
            names = [each.id async for each in client.models.list() if "/" not in each.id]
        assert {"auto", "auto:cheapest", "auto:fastest", "gpt-oss-120b", "qwen3.8-27b"} <= set(
            names
        )
        for name in names:
            assert (await house.ask(name)).failure == "", name


async def test_data_policy_leaves_those_who_promise_nothing(tmp_path: Path) -> None:
    """Only the provider whose table says what its contract does."""
    more = {"lab": 'data = "no_retention"'}
    async with routing_house(tmp_path, KINDS, "", more=more) as house:
        for _ in range(4):
            target = await target_of(house, "auto", slipstream={"data": "no_training"})
            assert target.startswith("lab/")
        told = await house.ask("auto", more={"slipstream": {"data": "local"}})
        assert told.failure != ""
        assert json.dumps(told.failure)
