"""What routing knows of a target beforehand, from the configuration and the catalogue."""

from collections.abc import Callable, Mapping

import msgspec

from slipstream.call import Price
from slipstream.choice import ALL_ABILITIES, DataPolicy, Target, Task

PriceOf = Callable[[str, str, int], Price | None]
"""From provider, upstream model and moment (wall clock, ns) to the price then."""


class TargetFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One model at one provider.

    Args:
        target: With the first of its credentials.
        credentials: Labels of the provider's keys, the preferred one first.
        vendor: Whose opaque reasoning it can read: the name of its provider's row.
        abilities: Bits of `choice.ABILITIES`; all where nobody knows.
        context_tokens: Of input and output together; None where nobody knows.
        max_output_tokens: None where nobody knows.
        qualities: Tier by task; a task that is not named has that of `general`. Empty: not known.
        data: What its provider promises of the requests that it gets.
        max_concurrent: Attempts that it gets at the same time from this gateway; None: no bound.
        is_usable: False where it cannot answer now whatever is asked, such as a model of ours that
            is not installed.
    """

    target: Target
    credentials: tuple[str, ...] = ("default",)
    vendor: str = ""
    abilities: int = ALL_ABILITIES
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    qualities: Mapping[Task, int] = {}
    data: DataPolicy = "any"
    max_concurrent: int | None = None
    is_usable: bool = True


FactsOf = Callable[[Target], TargetFacts]
"""Any target has facts: of a model that no table knows, only what its provider promises."""
