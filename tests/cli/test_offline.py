"""A plan without a gateway: the same reading, the same choice, and no figure that was measured."""

from pathlib import Path

import pytest

from slipstream.cli.asked_calls import CHAT_PATH, Flags, asked_call
from slipstream.cli.offline import offline_plan
from slipstream.config import Config
from slipstream.errors import BadRequest, GatewayError, UnknownModel
from slipstream.server.routing_answers import PlannedCall
from tests.config_place import KEY, Place

_CONFIG = f"""
[providers.groq]
api_key = "{KEY}"

[providers.cerebras]
api_key = "{KEY}"

[routes.both]
strategy = "cheapest"
targets = ["cerebras/gpt-oss-120b", "groq/openai/gpt-oss-120b"]

[models]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration of two providers."""
    return Place(tmp_path).load(_CONFIG)


def plan(config: Config, **said: object) -> PlannedCall:
    """Return the plan of a request that these flags make."""
    return offline_plan(config, asked_call(None, Flags(**said), CHAT_PATH))  # type: ignore[arg-type]


def test_plan_has_prices_and_no_times(config: Config) -> None:
    """What is in the catalogue is known, what only a gateway measures is not."""
    found = plan(config, model="both")
    assert (found.route, found.strategy, found.problem) == ("both", "cheapest", None)
    costs = [float(each.expected_cost_usd or "nan") for each in found.candidates]
    assert costs == sorted(costs)
    assert all(each.expected_first_token_s is None for each in found.candidates)
    assert all(each.expected_total_s is None for each in found.candidates)
    assert KEY not in repr(found)


def test_wishes_and_needs_decide(config: Config) -> None:
    """A longer answer costs more, and a strategy that is asked for is the one that is told."""
    short = plan(config, model="both", max_tokens=10)
    long = plan(config, model="both", max_tokens=1000, wishes={"strategy": "fastest"})
    assert long.strategy == "fastest"
    assert short.candidates[0].expected_output_tokens == 10
    by_name = {each.target: float(each.expected_cost_usd or 0) for each in long.candidates}
    for each in short.candidates:
        assert float(each.expected_cost_usd or 0) < by_name[each.target]


def test_request_that_nobody_serves_has_a_problem(config: Config) -> None:
    """And a reason for each."""
    found = plan(config, model="both", has_image=True)
    assert found.problem is not None
    assert found.tries == []
    assert {each.reason for each in found.candidates} == {"it does not offer images"}


@pytest.mark.parametrize(
    ("said", "error", "complaint"),
    [
        ({"model": "bth"}, UnknownModel, "Did you mean 'both'"),
        ({"model": "both", "wishes": {"strategy": "fast"}}, BadRequest, "fastest"),
        ({"model": "both", "wishes": {"targets": ["nobody"]}}, GatewayError, "nobody"),
    ],
    ids=["model", "strategy", "target"],
)
def test_request_is_refused_as_the_gateway_would(
    config: Config, said: dict[str, object], error: type[GatewayError], complaint: str
) -> None:
    """In the same words."""
    with pytest.raises(error, match=complaint):
        plan(config, **said)
