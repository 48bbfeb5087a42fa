"""What a model costs at a moment: genai-prices, additional rows of our own, and zero for local.

`PriceBook.price_of` is a dict look-up on the hot path: what it resolves, it keeps with the span of
time for which that holds (a UTC day at most, less where a price changes within the day).
Not covered: batches and audio by the hour, which Usage does not state.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib.machinery import SourceFileLoader
from importlib.metadata import version
from math import lcm
from pathlib import Path
from typing import Final, cast

import msgspec

from slipstream.call import BUCKETS, Price, Rates, Tier
from slipstream.catalog.genai import types as genai
from slipstream.catalog.price_rows import EXTRA_ROWS

LOCAL: Final = "local"
MAX_CACHED: Final = 4096
MAX_NAME_CHARS: Final = 256  # a longer model name is no model's; it is not kept either

# Our provider rows whose name differs from the id that genai-prices gives them.
_GENAI_IDS: Final[Mapping[str, str]] = {"gemini": "google", "xai": "x-ai"}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_NS_PER_US: Final = 1000
_PICO_PER_USD: Final = 10**12

# Price keys per bucket, most specific first: what has no price of its own is billed as its parent.
_PRICE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": ("input_mtok",),
    "cache_read_tokens": ("cache_read_mtok", "input_mtok"),
    "cache_write_5m_tokens": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "cache_write_1h_tokens": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "input_audio_tokens": ("input_audio_mtok", "input_mtok"),
    "input_image_tokens": ("input_image_mtok", "input_mtok"),
    "output_tokens": ("output_mtok",),
    "output_reasoning_tokens": ("output_reasoning_mtok", "output_mtok"),
    "output_audio_tokens": ("output_audio_mtok", "output_mtok"),
    "output_image_tokens": ("output_image_mtok", "output_mtok"),
    "prediction_accepted_tokens": ("output_mtok",),
    "prediction_rejected_tokens": ("output_mtok",),
}
_TOOL_KEYS: Final = ("web_searches_kcount", "storage_searches_kcount")
# What providers call the tier of service: OpenAI and Google, and Anthropic.
_SERVICE_KEYS: Final = ("service_tier", "speed")
_AUDIO_BY_THE_HOUR: Final = ("audio_hours", "input_audio_hours")

_FREE: Final = Price(rates=Rates(**dict.fromkeys(BUCKETS, 0)), source=LOCAL)

_BELOW_ALL_TIERS: Final = -1

_ByKey = Mapping[str, Decimal | genai.TieredPrices]


@dataclass(frozen=True, slots=True)
class _Span:
    """A resolved price (None: unknown) and for which moments, half open, it was resolved."""

    start_ns: int
    end_ns: int
    price: Price | None


_ALWAYS: Final = (-(2**63), 2**63)


class PriceBook:
    """All prices that we know, by provider row, model and moment.

    Loading takes about 60 ms and 4 MB. Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._providers = {provider.id: provider for provider in _load_providers()}
        self._source = f"genai-prices {version('genai-prices')}"
        self._spans: dict[tuple[str, str], _Span] = {}

    @property
    def num_cached(self) -> int:
        """How many answers are kept, at most `MAX_CACHED`."""
        return len(self._spans)

    def price_of(self, provider: str, model: str, at_ns: int) -> Price | None:
        """Return what a model cost at a moment (wall clock), or None if that is not known."""
        span = self._spans.get((provider, model))
        if span is not None and span.start_ns <= at_ns < span.end_ns:
            return span.price
        if len(model) > MAX_NAME_CHARS:
            return None
        span = self._resolve(provider, model, at_ns)
        while len(self._spans) >= MAX_CACHED:
            del self._spans[next(iter(self._spans))]
        self._spans[provider, model] = span
        return span.price

    def _resolve(self, provider: str, model: str, at_ns: int) -> _Span:
        if provider == LOCAL:
            return _Span(*_ALWAYS, _FREE)
        row = EXTRA_ROWS.get((provider, model))
        if row is not None:
            return _Span(*_ALWAYS, row)
        listed = self._providers.get(_GENAI_IDS.get(provider, provider))
        found = listed.find_model(model, self._providers) if listed is not None else None
        if found is None:
            return _Span(*_ALWAYS, None)
        return _span_of(found, _EPOCH + timedelta(microseconds=at_ns // _NS_PER_US), self._source)


def _load_providers() -> list[genai.Provider]:
    """Run genai-prices' data file with our records in place of its own.

    Raises:
        ImportError: genai-prices is not installed, or has no data file any more.
    """
    package = importlib.util.find_spec("genai_prices")
    if package is None or package.origin is None:
        raise ImportError("genai-prices is not installed; it holds the providers' prices")
    name = f"{genai.__package__}.data"
    loader = SourceFileLoader(name, str(Path(package.origin).with_name("data.py")))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None, "a spec is always made for a given loader"
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return cast(list[genai.Provider], module.providers)


def _span_of(model: genai.ModelInfo, at: datetime, source: str) -> _Span:
    start, end = _window(model, at)
    conditional = model.price_at(at)
    if conditional is None or not conditional.prices.by_key:
        return _Span(_ns(start), _ns(end), None)  # no price on the list is not a price of zero
    since = conditional.constraint
    dated = since.start_date.isoformat() if isinstance(since, genai.StartDateConstraint) else None
    standard = conditional.prices.by_key
    price = price_from_keys(standard, source, dated)
    by_service = tuple(
        (word, price_from_keys(standard | variant.by_key, source, dated))
        for key in _SERVICE_KEYS
        for word, variant in model.variants_at(at, key).items()
        if variant.by_key
    )
    return _Span(_ns(start), _ns(end), msgspec.structs.replace(price, by_service=by_service))


def _window(model: genai.ModelInfo, at: datetime) -> tuple[datetime, datetime]:
    """Return the part of this UTC day around a moment in which no condition changes."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    every = [price.constraint for price in model.prices]
    every += [variant.constraint for variant in model.variants]
    conditions = (constraint for constraint in every if constraint is not None)
    changes = [moment for each in conditions for moment in each.bounds(at.date())]
    start = max((moment for moment in changes if moment <= at), default=midnight)
    end = min((moment for moment in changes if moment > at), default=midnight + _DAY)
    return start, end


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * _NS_PER_US


price_of: Final = PriceBook().price_of
"""The prices of this process, loaded with this module so that no request waits for them."""


# ---- from price keys to rates -------------------------------------------------------------------


def price_from_keys(by_key: _ByKey, source: str, dated: str | None) -> Price:
    """Turn prices by genai-prices' keys into exact integer rates for our buckets."""
    starts = sorted({_BELOW_ALL_TIERS, *_tier_starts(by_key)}, reverse=True)
    exact = [(start, _rates_above(by_key, start)) for start in starts]
    denominator = lcm(*(rate.denominator for _, rates in exact for rate in rates.values()))
    scaled = [
        Tier(start, Rates(**{name: int(rate * denominator) for name, rate in rates.items()}))
        for start, rates in exact
    ]
    fee = by_key.get("requests_kcount")
    return Price(
        rates=scaled[-1].rates,
        tiers=tuple(scaled[:-1]),
        denominator=denominator,
        request_usd_pico=round(_rate(fee, _BELOW_ALL_TIERS, per=1000)) if fee is not None else 0,
        source=source,
        date=dated,
    )


def _tier_starts(by_key: _ByKey) -> Iterator[int]:
    for price in by_key.values():
        if isinstance(price, genai.TieredPrices):
            yield from (tier.start for tier in price.tiers)


def _rates_above(by_key: _ByKey, start: int) -> dict[str, Fraction]:
    """Return the known rates, pico-dollars per token, for an input just over `start` tokens."""
    rates = {}
    for bucket, keys in _PRICE_KEYS.items():
        key = next((key for key in keys if key in by_key), None)
        if key is not None:
            rates[bucket] = _rate(by_key[key], start, per=1_000_000)
    if "input_audio_mtok" not in by_key and any(key in by_key for key in _AUDIO_BY_THE_HOUR):
        rates.pop("input_audio_tokens", None)
    tools = {_rate(by_key[key], start, per=1000) for key in _TOOL_KEYS if key in by_key}
    if len(tools) == 1:  # with two prices we cannot tell which tool was called
        rates["tool_units"] = tools.pop()
    return rates


def _rate(price: Decimal | genai.TieredPrices, start: int, *, per: int) -> Fraction:
    """Return pico-dollars for one of the units that cost `price` USD per `per`."""
    usd = price
    if isinstance(price, genai.TieredPrices):
        passed = [tier for tier in price.tiers if tier.start <= start]
        usd = max(passed, key=lambda tier: tier.start).price if passed else price.base
    assert isinstance(usd, Decimal), "tiers hold plain prices"
    return Fraction(usd) * _PICO_PER_USD / per
