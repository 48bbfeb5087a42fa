"""Our prices against genai-prices' own arithmetic, over its whole data set; and what we add."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import genai_prices
import msgspec
import pytest
from genai_prices import data as genai_data
from genai_prices import types as genai_types
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.call import BUCKETS, Price, Usage
from slipstream.catalog.genai import types as genai
from slipstream.catalog.price_rows import EXTRA_ROWS
from slipstream.catalog.prices import MAX_CACHED, PriceBook, price_from_keys, price_of
from slipstream.ledger.cost import cost_usd_pico

_NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
_LIMIT_S = 30

# Keys for what Usage cannot count; a key beyond these and those that we price is news to us.
_NOT_COUNTED = {
    "cache_audio_read_mtok",
    "cache_image_read_mtok",
    "input_video_mtok",
    "output_video_mtok",
    "output_citation_mtok",
    "audio_hours",
    "input_audio_hours",
    "input_mchars",
    "input_document_kpages",
    "input_annotated_document_kpages",
    "input_text_messages_kcount",
}
_COUNTED = {
    "input_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_5m_mtok",
    "cache_write_1h_mtok",
    "input_audio_mtok",
    "input_image_mtok",
    "output_mtok",
    "output_reasoning_mtok",
    "output_audio_mtok",
    "output_image_mtok",
    "web_searches_kcount",
    "storage_searches_kcount",
    "requests_kcount",
}


def _ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _all_prices() -> Iterator[tuple[str, str, genai_types.ModelPrice]]:
    for provider in genai_data.providers:
        for model in provider.models:
            listed = model.prices
            if isinstance(listed, genai_types.ModelPrice):
                yield provider.id, model.id, listed
            else:
                yield from ((provider.id, model.id, each.prices) for each in listed)


def _by_key(price: genai_types.ModelPrice) -> dict[str, Decimal | genai_types.TieredPrices]:
    return {key: value for key, value in vars(price).items() if value is not None}


def _ours(price: genai_types.ModelPrice) -> Price:
    """Turn one of its prices into ours by way of our own records."""
    by_key: dict[str, Decimal | genai.TieredPrices] = {}
    for key, value in _by_key(price).items():
        if isinstance(value, genai_types.TieredPrices):
            tiers = [genai.Tier(tier.start, tier.price) for tier in value.tiers]
            by_key[key] = genai.TieredPrices(value.base, tiers)
        else:
            by_key[key] = value
    return price_from_keys(by_key, "test", None)


def _theirs(usage: Usage, tool: str) -> genai_prices.Usage:
    """State a usage of disjoint buckets as its inclusive totals."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return genai_prices.Usage(
        input_tokens=usage.total_input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=written,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        input_image_tokens=usage.input_image_tokens,
        cache_audio_read_tokens=0,
        cache_image_read_tokens=0,
        input_video_tokens=0,
        output_tokens=usage.total_output_tokens,
        output_reasoning_tokens=usage.output_reasoning_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        output_image_tokens=usage.output_image_tokens,
        output_video_tokens=0,
        output_citation_tokens=0,
        **{tool: usage.tool_units},
    )


def _tool_of(by_key: dict[str, Decimal | genai_types.TieredPrices]) -> str:
    return "storage_searches" if "storage_searches_kcount" in by_key else "web_searches"


def _their_pico(price: genai_types.ModelPrice, usage: Usage) -> int:
    with localcontext(prec=80):
        total = price.calc_price(_theirs(usage, _tool_of(_by_key(price))))["total_price"]
        return int((total * 10**12).quantize(Decimal(1), ROUND_HALF_EVEN))


_PRICES = [each for each in _all_prices() if _by_key(each[2])]
_small = st.integers(0, 5_000)
_usages = st.builds(
    lambda counts, large: Usage(**(counts | {"input_tokens": large})),
    st.fixed_dictionaries(dict.fromkeys(BUCKETS, _small)),
    st.one_of(_small, st.integers(90_000, 600_000)),
)


@settings(max_examples=400, deadline=None)
@given(listed=st.sampled_from(_PRICES), usage=_usages)
def test_cost_equals_genai_prices_for_any_model_and_usage(
    listed: tuple[str, str, genai_types.ModelPrice], usage: Usage
) -> None:
    """To the pico-dollar: tiers, fractions and fees. One bucket without a rate: unknown."""
    price = _ours(listed[2])
    unpriced = [name for name in BUCKETS if getattr(price.rates, name) is None]
    priced = msgspec.structs.replace(usage, **dict.fromkeys(unpriced, 0))
    cost, _ = cost_usd_pico(priced, price)
    assert cost == _their_pico(listed[2], priced)
    if any(getattr(usage, name) for name in unpriced):
        assert cost_usd_pico(usage, price)[0] is None


def test_cost_equals_genai_prices_for_every_model_of_the_data_set() -> None:
    """Each of some 2,600 prices once with plain text, below and above every tier."""
    for provider, model, listed in _PRICES:
        price = _ours(listed)
        for num_input in (1_000, 700_001):
            usage = Usage(input_tokens=num_input, cache_read_tokens=77, output_tokens=333)
            if price.rates.input_tokens is not None and price.rates.output_tokens is not None:
                cost, _ = cost_usd_pico(usage, price)
                assert cost == _their_pico(listed, usage), (provider, model)


def test_price_keys_of_the_data_set_are_all_known_to_us() -> None:
    """A new kind of price in a new release must be priced, or be listed as not counted."""
    keys = {key for _, _, price in _PRICES for key in _by_key(price)}
    assert keys <= _COUNTED | _NOT_COUNTED


def test_prices_that_are_no_whole_micro_dollars_are_few_and_exact() -> None:
    """They have a denominator; all others are plain integers."""
    fractional = {p for p, _, price in _PRICES if _ours(price).denominator != 1}
    assert fractional <= {"openrouter", "huggingface_together"}
    listed = next(
        price for p, m, price in _PRICES if (p, m) == ("openrouter", "google/gemini-3.1-flash-lite")
    )
    assert _ours(listed).denominator > 1


# ---- finding a model ----------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    provider=st.sampled_from(genai_data.providers),
    data=st.data(),
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_price_book_finds_the_price_that_genai_prices_finds(
    provider: genai_types.Provider, data: st.DataObject, moment: datetime
) -> None:
    """Same model by the same name, same price at the same moment, through the light reader."""
    if not provider.models:
        return
    name = data.draw(st.sampled_from(provider.models)).id
    name = data.draw(st.sampled_from([name, name.upper(), f"{name}-20251104", f"{name}:x"]))
    price = _BOOK.price_of(provider.id, name, _ns(moment))
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(), name, provider_id=provider.id, genai_request_timestamp=moment
        )
    except LookupError:
        assert price is None
        return
    if not _by_key(found.model_price):
        assert price is None
        return
    assert price is not None
    theirs = _ours(found.model_price)
    assert (price.rates, price.tiers, price.denominator) == (
        theirs.rates,
        theirs.tiers,
        theirs.denominator,
    )


_BOOK = PriceBook()


@pytest.mark.parametrize(
    ("provider", "genai_id", "model"),
    [
        ("gemini", "google", "gemini-2.5-pro"),
        ("xai", "x-ai", "grok-4.7"),
        ("groq", "groq", "openai/gpt-oss-120b"),
    ],
)
def test_provider_rows_find_their_prices(provider: str, genai_id: str, model: str) -> None:
    """Our names of providers lead to theirs."""
    assert (
        price_of(provider, model, _ns(_NOON)) == price_of(genai_id, model, _ns(_NOON)) is not None
    )


def test_served_models_cost_nothing_by_rule() -> None:
    """Zero is known here, for every bucket, and the source says why."""
    price = price_of("local", "any-model", _ns(_NOON))
    assert price is not None
    everything = Usage(**dict.fromkeys(BUCKETS, 10))  # type: ignore[arg-type]
    assert cost_usd_pico(everything, price) == (0, "local")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("lab", "gpt-5"),
        ("openai", "no-such-model"),
        ("openrouter", "x" * 10_000),
        ("deepinfra", "no/such"),
    ],
)
def test_unknown_providers_and_models_have_no_price(provider: str, model: str) -> None:
    """None, never zero and never another's price."""
    assert price_of(provider, model, _ns(_NOON)) is None


def test_model_without_a_listed_price_is_unknown() -> None:
    """An entry that lists no price at all does not say that the model is free."""
    empty = next((p, m) for p, m, price in _all_prices() if not _by_key(price))
    assert price_of(*empty, _ns(_NOON)) is None


def test_deepinfra_rows_are_found_with_source_and_date() -> None:
    """$0.037 and $0.17 per million tokens, read on the day that the row says."""
    price = price_of("deepinfra", "openai/gpt-oss-120b", _ns(_NOON))
    assert price is EXTRA_ROWS["deepinfra", "openai/gpt-oss-120b"]
    assert (price.rates.input_tokens, price.rates.output_tokens) == (37_000, 170_000)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", price.date or "")


# ---- moments ------------------------------------------------------------------------------------


def test_price_changes_on_its_day() -> None:
    """mistral-large-4 changed twice in October 2026; each day has the price of that day."""
    rates = {}
    for day in (1, 20, 30):
        price = price_of("mistral", "mistral-large-4", _ns(datetime(2026, 10, day, tzinfo=UTC)))
        assert price is not None
        rates[day] = price.rates.input_tokens
    assert rates[30] == 700_000
    assert len(set(rates.values())) > 1


def _by_the_clock() -> list[tuple[str, str]]:
    return [
        (provider.id, model.id)
        for provider in genai_data.providers
        for model in provider.models
        if isinstance(model.prices, list)
        and any(isinstance(p.constraint, genai_types.TimeOfDateConstraint) for p in model.prices)
    ]


@pytest.mark.parametrize(("provider", "model"), _by_the_clock())
def test_price_by_time_of_day_changes_within_the_day(provider: str, model: str) -> None:
    """Every half hour of a day has the price that genai-prices has, in any order of asking."""
    book = PriceBook()
    moments = [
        datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=m) for m in range(0, 1440, 30)
    ]
    for moment in (*moments, *reversed(moments)):
        found = genai_prices.calc_price(
            genai_prices.Usage(), model, provider_id=provider, genai_request_timestamp=moment
        )
        price = book.price_of(provider, model, _ns(moment))
        assert price is not None
        assert price.rates == _ours(found.model_price).rates


def test_price_one_nanosecond_before_midnight_is_of_the_old_day() -> None:
    """A change at midnight UTC is kept to the nanosecond, cached or not."""
    book = PriceBook()
    change = next(
        (provider.id, model.id, condition.constraint.start_date)
        for provider in genai_data.providers
        if provider.id == "mistral"
        for model in provider.models
        if model.id == "mistral-large-4" and isinstance(model.prices, list)
        for condition in reversed(model.prices)
        if isinstance(condition.constraint, genai_types.StartDateConstraint)
    )
    midnight_ns = _ns(datetime.combine(change[2], datetime.min.time(), tzinfo=UTC))
    before = book.price_of(change[0], change[1], midnight_ns - 1)
    after = book.price_of(change[0], change[1], midnight_ns)
    assert before is not None
    assert after is not None
    assert before.rates != after.rates
    assert after.date == change[2].isoformat()


# ---- the cache ----------------------------------------------------------------------------------


def test_price_book_forgets_the_oldest_when_it_is_full() -> None:
    """Names come from callers, so what is kept of them is bounded; prices stay right."""
    book = PriceBook()
    first = book.price_of("openai", "gpt-5", _ns(_NOON))
    for number in range(MAX_CACHED + 10):
        assert book.price_of("lab", f"model-{number}", _ns(_NOON)) is None
    assert book.num_cached == MAX_CACHED
    assert book.price_of("openai", "gpt-5", _ns(_NOON)) == first is not None


def test_price_of_a_known_model_is_the_same_object_again() -> None:
    """The hot path is a look-up: nothing is computed twice in a day."""
    first = price_of("openai", "gpt-5", _ns(_NOON))
    assert first is not None
    assert price_of("openai", "gpt-5", _ns(_NOON) + 1) is first


def test_prices_import_neither_pydantic_nor_an_http_client() -> None:
    """The price list is read without the packages that its own package loads."""
    code = (
        "import sys, slipstream.catalog.prices; "
        "print(sorted({'pydantic', 'httpx2', 'genai_prices'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=_LIMIT_S, check=True
    )
    assert done.stdout.strip() == "[]"


def _served() -> Iterator[tuple[str, genai_types.ModelInfo, str, str]]:
    """Yield models whose price depends on how they serve: provider, model, key and word."""
    for provider in genai_data.providers:
        for model in provider.models:
            for variant in model.price_variants or ():
                for key in {"service_tier", "speed"} & variant.when.keys():
                    yield provider.id, model, key, variant.when[key]


def test_price_of_a_tier_of_service_agrees_with_genai_prices() -> None:
    """Flex, priority and fast answers cost what the list says, each part of them."""
    usage = Usage(
        input_tokens=1001,
        cache_read_tokens=500,
        cache_write_5m_tokens=300,
        output_tokens=77,
        output_reasoning_tokens=33,
    )
    theirs = genai_prices.Usage(
        input_tokens=1801,
        cache_read_tokens=500,
        cache_write_tokens=300,
        output_tokens=110,
        output_reasoning_tokens=33,
    )
    rows = {"google": "gemini", "x-ai": "xai"}
    seen = set()
    for provider_id, model, key, word in _served():
        if word not in ("flex", "priority", "fast", "default"):
            continue
        price = price_of(rows.get(provider_id, provider_id), model.id, _ns(_NOON))
        if price is None:
            continue
        found = genai_prices.calc_price(
            theirs,
            model.id,
            provider_id=provider_id,
            genai_request_timestamp=_NOON,
            price_context={key: word},
        )
        cost, _ = cost_usd_pico(msgspec.structs.replace(usage, tier=word), price)
        if found.model.id == model.id and cost is not None:
            assert abs(cost - found.total_price * 10**12) <= 1, (provider_id, model.id, word)
            seen.add((provider_id, word))
    assert {("openai", "flex"), ("openai", "priority"), ("anthropic", "fast")} <= seen
