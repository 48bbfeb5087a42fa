"""Retries of the official SDKs beside our own attempts: the two never multiply.

What each provider was asked is counted in the scripted providers' own logs.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import House
from tests.flows.told_house import SDKS, Sdk, told_house

ROUTES = """
[routes.chain]
targets = ["lab/first", "spare/second"]
max_attempts = 2
max_wait_s = 0.0
"""
RETRIES = 2  # as the SDKs have it where nobody says otherwise


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A gateway with one route of two targets."""
    async with told_house(tmp_path, ROUTES) as opened:
        yield opened


async def failure_of(sdk: Sdk, house: House, model: str) -> Any:
    """Return the response of a request that fails, after the SDK has retried as it sees fit."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- each SDK has a class of its own
        await sdk.ask(house, model, max_retries=RETRIES)
    return caught.value.response  # type: ignore[attr-defined]


@pytest.mark.parametrize("sdk", SDKS, ids=[sdk.name for sdk in SDKS])
@pytest.mark.parametrize("behaviour", ["status=500", "status=503", "error_in_200", "http_garbage"])
async def test_call_whose_targets_all_fail_costs_our_attempts_once(
    house: House, sdk: Sdk, behaviour: str
) -> None:
    """Three times as many were made before an SDK was told that it had all been tried."""
    for provider in (house.lab, house.spare):
        provider.script(behaviour, requests=10)
    answer = await failure_of(sdk, house, "chain")

    assert answer.headers["x-should-retry"] == "false"
    num_asked = len(house.lab.log) + len(house.spare.log)
    assert num_asked == int(answer.headers["x-slipstream-attempts"]) == 2


@pytest.mark.parametrize("sdk", SDKS, ids=[sdk.name for sdk in SDKS])
async def test_wait_that_is_named_is_waited_and_the_call_is_sent_again(
    house: House, sdk: Sdk
) -> None:
    """A 429 that says when to come back is the SDK's to wait for, of a route as of one target."""
    for provider in (house.lab, house.spare):
        provider.script("status=429,retry_after=1", requests=1)
    began_s = time.monotonic()
    headers = await sdk.ask(house, "chain", max_retries=RETRIES)

    assert time.monotonic() - began_s >= 1.0
    assert headers["x-slipstream-target"] in ("lab/first", "spare/second")


@pytest.mark.parametrize("sdk", SDKS, ids=[sdk.name for sdk in SDKS])
async def test_key_of_ours_that_is_refused_is_tried_once(house: House, sdk: Sdk) -> None:
    """No SDK mends the operator's key by asking again; the caller's own mistake neither."""
    house.lab.script("status=401", requests=10)
    answer = await failure_of(sdk, house, "lab/any")
    assert answer.headers["x-should-retry"] == "false"
    assert len(house.lab.log) == 1
    assert "lab-secret-key" not in answer.text
