"""What the admin API tells: exact money, null for what nobody knows, and no key."""

import json
from typing import Any

import msgspec

from slipstream.server.routing_answers import PlannedCall, TargetList, planned_call, target_list
from tests.server.plan_samples import RACE, STANDINGS


def as_json(told: object) -> Any:
    """Return what a client reads."""
    return json.loads(msgspec.json.encode(told))


def test_plan_tells_each_candidate_with_exact_money() -> None:
    """Dollars are text, so that no reader rounds them; what is not known is null."""
    told = as_json(planned_call("auto:race", RACE))
    blind, quick, cheap = told["candidates"]

    assert (quick["target"], quick["is_taken"]) == ("groq/openai/gpt-oss-20b", True)
    assert quick["expected_cost_usd"] == "0.123456789012"
    assert (quick["expected_first_token_s"], quick["expected_total_s"]) == (0.1231, 1.5)
    assert (quick["expected_input_tokens"], quick["expected_output_tokens"]) == (1200, 300)
    assert (cheap["expected_cost_usd"], cheap["expected_total_s"]) == ("0.000000000001", None)
    assert (blind["is_taken"], blind["expected_cost_usd"]) == (False, None)
    assert blind["reason"] == "it does not offer images"


def test_plan_tells_its_order_and_its_bounds() -> None:
    """What is tried, in which order, what runs beside it, and how long each phase may take."""
    told = as_json(planned_call("auto:race", RACE, "but not now"))

    assert told["object"] == "slipstream.plan"
    assert (told["model"], told["route"], told["strategy"]) == ("auto:race", "auto", "race")
    assert told["tries"] == [
        {"target": "groq/openai/gpt-oss-20b", "credential": "default"},
        {"target": "deepinfra/openai/gpt-oss-120b", "credential": "2"},
    ]
    assert (told["hedge_s"], told["max_runners"], told["max_attempts"]) == (0.25, 2, 4)
    assert told["deadlines"]["first_token_s"] == 30.0
    assert told["problem"] == "but not now"
    assert msgspec.convert(told, PlannedCall) == planned_call("auto:race", RACE, "but not now")


def test_targets_are_told_by_name() -> None:
    """With the state of each breaker; a wait that nobody can tell is null."""
    told = as_json(target_list(STANDINGS))
    blind, cheap, quick = told["data"]

    assert told["object"] == "list"
    assert (blind["target"], blind["state"]) == ("cerebras/gpt-oss-120b", "open")
    assert (blind["reason"], blind["wait_s"]) == ("upstream_timeout", 12.346)
    assert (cheap["state"], cheap["wait_s"]) == ("half_open", None)
    assert (quick["state"], quick["reason"], quick["wait_s"]) == ("closed", None, 0.0)
    assert (quick["in_flight"], quick["samples"], quick["tokens_per_s"]) == (2, 2.0, 98.7654)
    assert quick["keys"][0]["requests_left"] == 17.0
    assert quick["keys"][0]["breakers"][0]["scope"] == "key groq#default"
    assert msgspec.convert(told, TargetList) == target_list(STANDINGS)
