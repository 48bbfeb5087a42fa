"""The records that genai-prices' data file is written in, reduced to what pricing needs.

Its `data.py` begins with `from .types import *`; loaded as `slipstream.catalog.genai.data` it
finds these small classes instead of its own, which import pydantic. Field names are its, not ours.
Knows how a model is found by name and which of its prices is in force; knows nothing of cost.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol

__all__ = (
    "ArrayMatch",
    "ClauseAnd",
    "ClauseContains",
    "ClauseEndsWith",
    "ClauseEquals",
    "ClauseOr",
    "ClauseRegex",
    "ClauseStartsWith",
    "ConditionalPrice",
    "ModelInfo",
    "ModelPrice",
    "PriceVariant",
    "Provider",
    "StartDateConstraint",
    "Tier",
    "TieredPrices",
    "TimeOfDateConstraint",
    "UsageExtractor",
    "UsageExtractorMapping",
)

# A day written without dashes at the end of an id, as LiteLLM and OpenRouter write it.
_COMPACT_DAY = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?![^:-])")


class Clause(Protocol):
    """A condition on a model's name, which arrives in lower case."""

    def is_match(self, text: str) -> bool:
        """Say whether the name fulfils the condition."""
        ...


class Constraint(Protocol):
    """A condition on the moment of a request."""

    def is_active(self, at: datetime) -> bool:
        """Say whether the condition holds at this moment (UTC)."""
        ...

    def bounds(self, day: date) -> Iterator[datetime]:
        """Yield the moments of this UTC day at which the answer may change."""
        ...


# ---- names --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClauseStartsWith:
    starts_with: str

    def is_match(self, text: str) -> bool:
        return text.startswith(self.starts_with.lower())


@dataclass(frozen=True, slots=True)
class ClauseEndsWith:
    ends_with: str

    def is_match(self, text: str) -> bool:
        return text.endswith(self.ends_with.lower())


@dataclass(frozen=True, slots=True)
class ClauseContains:
    contains: str

    def is_match(self, text: str) -> bool:
        return self.contains.lower() in text


@dataclass(frozen=True, slots=True)
class ClauseEquals:
    equals: str

    def is_match(self, text: str) -> bool:
        return text == self.equals.lower()


@dataclass(frozen=True, slots=True)
class ClauseRegex:
    regex: str

    def is_match(self, text: str) -> bool:
        return re.search(self.regex, text) is not None


@dataclass(frozen=True, slots=True)
class ClauseOr:
    or_: list[Clause]

    def is_match(self, text: str) -> bool:
        return any(clause.is_match(text) for clause in self.or_)


@dataclass(frozen=True, slots=True)
class ClauseAnd:
    and_: list[Clause]

    def is_match(self, text: str) -> bool:
        return all(clause.is_match(text) for clause in self.and_)


# ---- moments ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartDateConstraint:
    start_date: date

    def is_active(self, at: datetime) -> bool:
        return at.date() >= self.start_date

    def bounds(self, day: date) -> Iterator[datetime]:
        return iter(())  # it changes at midnight only, and every window ends there


@dataclass(frozen=True, slots=True)
class TimeOfDateConstraint:
    start_time: time
    end_time: time

    def is_active(self, at: datetime) -> bool:
        now, start, end = at.time(), _utc(self.start_time), _utc(self.end_time)
        if end < start:  # the interval runs over midnight
            return now >= start or now < end
        return start <= now < end

    def bounds(self, day: date) -> Iterator[datetime]:
        for moment in (self.start_time, self.end_time):
            yield datetime.combine(day, _utc(moment), tzinfo=UTC)


def _utc(moment: time) -> time:
    if moment.tzinfo is None or moment.utcoffset() == timedelta(0):
        return moment.replace(tzinfo=None)
    return datetime.combine(date(2000, 1, 2), moment).astimezone(UTC).time()


# ---- prices -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tier:
    start: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class TieredPrices:
    base: Decimal
    tiers: list[Tier]


class ModelPrice:
    """USD per unit by price key, such as `input_mtok`: per million tokens."""

    __slots__ = ("by_key",)

    def __init__(self, **by_key: Decimal | TieredPrices | None) -> None:
        self.by_key = {key: price for key, price in by_key.items() if price is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalPrice:
    prices: ModelPrice
    constraint: Constraint | None = None

    def is_active(self, at: datetime) -> bool:
        return self.constraint is None or self.constraint.is_active(at)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVariant:
    """Prices that replace others where a request was served in some way, such as a tier."""

    when: dict[str, str]
    prices: ModelPrice
    constraint: Constraint | None = None


class ModelInfo:
    """One model: the names it answers to, and its prices, last active one first in force."""

    __slots__ = ("id", "match", "prices", "variants")

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 -- the data file's own word
        match: Clause,
        prices: ModelPrice | list[ConditionalPrice] | None = None,
        price_variants: list[PriceVariant] | None = None,
        **_unused: Any,
    ) -> None:
        self.id = id
        self.match = match
        listed = [ConditionalPrice(prices=prices)] if isinstance(prices, ModelPrice) else prices
        self.prices = tuple(listed or ())
        self.variants = tuple(price_variants or ())

    def variants_at(self, at: datetime, key: str) -> dict[str, ModelPrice]:
        """Return prices that replace those in force, by what the request's `key` says.

        The first variant of a word that is in force and has a price counts for that price.
        """
        found: dict[str, ModelPrice] = {}
        for variant in self.variants:
            word = variant.when.get(key) if len(variant.when) == 1 else None
            if word is None or not (variant.constraint is None or variant.constraint.is_active(at)):
                continue
            before = found[word].by_key if word in found else {}
            found[word] = ModelPrice(**{**variant.prices.by_key, **before})
        return found

    def price_at(self, at: datetime) -> ConditionalPrice | None:
        """Return the price in force: the last one whose condition holds, or else the first."""
        active = (price for price in reversed(self.prices) if price.is_active(at))
        return next(active, self.prices[0] if self.prices else None)


# ---- providers ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Provider:
    id: str
    name: str
    api_pattern: str
    models: list[ModelInfo] = field(default_factory=list)
    fallback_model_providers: list[str] | None = None
    pricing_urls: list[str] | None = None
    description: str | None = None
    price_comments: str | None = None
    model_match: Clause | None = None
    provider_match: Clause | None = None
    extractors: list["UsageExtractor"] | None = None

    def find_model(self, name: str, others: dict[str, "Provider"]) -> ModelInfo | None:
        """Find a model by name; `others` are all providers, some of which may stand in."""
        lowered = name.lower()
        found = self._match(lowered, others)
        if found is not None:
            return found
        dashed = _COMPACT_DAY.sub(r"-\1-\2-\3", lowered)
        return self._match(dashed, others) if dashed != lowered else None

    def _match(self, name: str, others: dict[str, "Provider"]) -> ModelInfo | None:
        places = [self, *(others[id_] for id_ in self.fallback_model_providers or ())]
        listed = (model for place in places for model in place.models)
        return next((model for model in listed if model.match.is_match(name)), None)


class UsageExtractor:
    """How usage is read from an answer; `wire` does that itself, so nothing is kept."""

    __slots__ = ()

    def __init__(self, **fields: Any) -> None:
        pass


class UsageExtractorMapping(UsageExtractor):
    __slots__ = ()


class ArrayMatch(UsageExtractor):
    __slots__ = ()
