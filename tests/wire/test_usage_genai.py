"""Usage and cost of every provider's answers, against genai-prices' own reading of them."""

import json
import time
from decimal import Decimal

import msgspec
import pytest
from genai_prices import calc_price, extract_usage

from slipstream.call import Usage
from slipstream.catalog.prices import price_of
from slipstream.ledger.cost import cost_usd_pico
from slipstream.wire.gemini.usage import read_gemini_usage
from slipstream.wire.messages.usage import read_reported, usage_of
from slipstream.wire.responses import usage as responses
from slipstream.wire.usage import in_tier, read_usage
from tests.wire.genai_usage import GENAI_IDS, differences, extracted
from tests.wire.usage_samples import SAMPLES, Sample

PICO = 10**12


def read(sample: Sample) -> Usage:
    """Read a sample as the dialect's reader does."""
    raw = json.dumps(sample.usage).encode()
    match sample.dialect:
        case "chat":
            usage = read_usage(raw, is_reasoning_outside=sample.provider == "xai")
        case "responses":
            usage = responses.read_usage(raw)
        case "messages":
            reported = read_reported(raw)
            usage = None if reported is None else usage_of(reported)
        case _:
            usage = read_gemini_usage(raw)
    found = in_tier(usage, sample.tier)
    assert found is not None
    return found


every_sample = pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda s: f"{s.provider} {s.dialect}: {s.name}"
)


@every_sample
def test_buckets_agree_with_genai_prices(sample: Sample) -> None:
    """Each count that it reads is ours, but for those whose reason stands in the table."""
    usage = read(sample)
    theirs = extracted(sample.answer, sample.provider, sample.flavor)
    assert {"input_tokens", "output_tokens"} <= theirs.keys()
    assert differences(usage, theirs).keys() == sample.differs.keys()


@every_sample
def test_buckets_sum_to_the_providers_totals(sample: Sample) -> None:
    """No token is counted twice or lost, and nothing was guessed."""
    usage = read(sample)
    assert (usage.total_input_tokens, usage.total_output_tokens) == sample.totals
    assert not usage.is_estimate


@every_sample
def test_cost_agrees_with_genai_prices(sample: Sample) -> None:
    """To the pico-dollar, but for those whose reason stands in the table."""
    usage = msgspec.structs.replace(read(sample), reported_cost_usd_pico=None)
    price = price_of(sample.provider, sample.model, time.time_ns())
    cost, _ = cost_usd_pico(usage, price)
    assert cost is not None
    theirs = extract_usage(
        sample.answer,
        provider_id=GENAI_IDS.get(sample.provider, sample.provider),
        api_flavor=sample.flavor,
    ).usage
    provider_id = GENAI_IDS.get(sample.provider, sample.provider)
    key = "speed" if sample.provider == "anthropic" else "service_tier"
    context = {key: sample.tier} if sample.tier else None
    total = calc_price(
        theirs, sample.model, provider_id=provider_id, price_context=context
    ).total_price
    assert (abs(Decimal(cost) - total * PICO) <= 1) is (sample.costs is None)


def test_every_provider_with_prices_has_samples() -> None:
    """DeepInfra is not in genai-prices: its own words are tested in test_usage.py."""
    assert {sample.provider for sample in SAMPLES} == {
        "openai",
        "anthropic",
        "gemini",
        "groq",
        "cerebras",
        "mistral",
        "xai",
        "openrouter",
    }
