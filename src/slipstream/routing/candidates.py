"""Which targets a request may go to at all, judged by what stays the same from one to the next.

    targets ── usable? ── able? ── promises? ── good enough? ──▶ candidates
                  ╰──────────┴─────────┴────────────┴─────────▶ left, with the reason in words

What differs between requests of one kind, such as their size, is no matter of this module.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from slipstream.call import Price
from slipstream.choice import ABILITIES, REASONING, DataPolicy, Target, Task
from slipstream.routing.facts import TargetFacts
from slipstream.routing.glances import Glance
from slipstream.routing.lanes import Lane
from slipstream.routing.learned import Answers
from slipstream.routing.terms import PROMISES

TIERS: Final = ("toy", "small", "good", "strong", "best", "beyond")
"""What tiers of quality are called, by their number."""

AUTO_TIER: Final = 2
"""What `auto` keeps to where nobody asks for a tier and some target has it."""

UNUSABLE: Final = "it cannot answer now, whatever it is asked"

_UNBOUNDED: Final = 2**62
_NEVER: Final = 1e9  # of a share of nothing: behind every other


class Ask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What requests of one kind ask of every target: needs, wishes and what their route says.

    Args:
        abilities: Bits of `choice.ABILITIES`.
        quality: Least tier for `task`; None: nobody asks for one.
        is_auto: Without a quality it keeps to `AUTO_TIER`, if any target has it.
    """

    abilities: int
    quality: int | None = None
    task: Task = "general"
    data: DataPolicy = "any"
    sealed_by: frozenset[str] = frozenset()
    is_auto: bool = False


class Candidate:
    """A target that a kind of request may go to, with all that choosing it needs at hand.

    Args:
        index: Its place in the route.
        weight: Its share under `weighted`; `rarity` is one over it.
        is_foreign: It cannot read the opaque reasoning that the request holds.
        tier: Of quality for the task; None where nobody knows.

    `keys` is one target for each of its provider's keys. `glance` is what is known of it as of a
    moment ago; see glances.
    """

    __slots__ = (
        "answers",
        "context_tokens",
        "facts",
        "glance",
        "index",
        "is_foreign",
        "key",
        "keys",
        "lane",
        "max_output_tokens",
        "price",
        "rarity",
        "target",
        "tier",
    )

    def __init__(
        self,
        facts: TargetFacts,
        lane: Lane,
        answers: Answers,
        price: Price | None,
        *,
        index: int,
        weight: float,
        is_foreign: bool,
        tier: int | None,
    ) -> None:
        self.facts, self.lane, self.answers, self.price = facts, lane, answers, price
        self.index, self.is_foreign, self.tier = index, is_foreign, tier
        self.rarity = 1.0 / weight if weight > 0.0 else _NEVER
        target = facts.target
        self.target = target
        self.key = (target.provider, target.model)
        self.keys = tuple(
            msgspec.structs.replace(target, credential=label) for label in facts.credentials
        ) or (target,)
        self.context_tokens = facts.context_tokens or _UNBOUNDED
        self.max_output_tokens = facts.max_output_tokens or _UNBOUNDED
        self.glance = Glance()


class Sieved(msgspec.Struct, frozen=True, gc=False):
    """What became of a route's targets.

    Args:
        candidates: In the route's order.
        left: Each with the reason.
        spare: Below the tier that `auto` keeps to: better than no answer.
        has_usable: Some of them can serve other requests, if not these.
    """

    candidates: tuple[Candidate, ...]
    left: tuple[tuple[Target, str], ...]
    spare: tuple[Candidate, ...] = ()
    has_usable: bool = True


def sieve(
    targets: Iterable[TargetFacts], ask: Ask, make: Callable[[int, TargetFacts], Candidate]
) -> Sieved:
    """Part the targets that can serve such requests from those that cannot.

    Args:
        make: Makes a candidate of a target, from its place in the route and its facts.
    """
    all_facts = tuple(targets)
    reasons = [why_left(facts, ask) for facts in all_facts]
    if ask.abilities & REASONING and None not in reasons:
        # How much to think is advice: who takes none is better than nobody, and says so.
        ask = msgspec.structs.replace(ask, abilities=ask.abilities & ~REASONING)
        reasons = [why_left(facts, ask) for facts in all_facts]
    left: list[tuple[Target, str]] = []
    taken: list[Candidate] = []
    for index, (facts, reason) in enumerate(zip(all_facts, reasons, strict=True)):
        if reason is None:
            taken.append(make(index, facts))
        else:
            left.append((facts.target, reason))
    has_usable = bool(taken) or any(reason != UNUSABLE for _, reason in left)
    if not ask.is_auto or ask.quality is not None:
        return Sieved(tuple(taken), tuple(left), has_usable=has_usable)
    tiers = [-1 if each.tier is None else each.tier for each in taken]
    wanted = min(AUTO_TIER, max(tiers, default=-1))
    good = tuple(each for each, tier in zip(taken, tiers, strict=True) if tier >= wanted)
    spare = tuple(each for each, tier in zip(taken, tiers, strict=True) if tier < wanted)
    return Sieved(good, tuple(left), spare, has_usable)


def why_left(facts: TargetFacts, ask: Ask) -> str | None:
    """Return in words why a target cannot serve such requests; None if it can."""
    if not facts.is_usable:
        return UNUSABLE
    if missing := ask.abilities & ~facts.abilities:
        return f"it does not offer {_listed(missing)}"
    if PROMISES.index(facts.data) < PROMISES.index(ask.data):
        return f"its data policy is '{facts.data}', and '{ask.data}' is asked for"
    if ask.quality is None:
        return None
    tier = tier_of(facts, ask.task)
    if tier is None:
        return f"its quality is not known, and {_tier(ask.quality)} is asked for"
    if tier < ask.quality:
        return f"its quality for '{ask.task}' is {_tier(tier)}, below {_tier(ask.quality)}"
    return None


def tier_of(facts: TargetFacts, task: Task) -> int | None:
    """Return the tier of a target for a task; None where nobody knows."""
    tier = facts.qualities.get(task)
    return facts.qualities.get("general") if tier is None else tier


def why_spared(candidate: Candidate, task: Task) -> str:
    """Return in words why `auto` would rather not choose a target."""
    if candidate.tier is None:
        return "its quality is not known, and that of others is"
    return f"its quality for '{task}' is {_tier(candidate.tier)}, and others are better"


def _tier(tier: int) -> str:
    return f"{tier} ({TIERS[tier]})" if 0 <= tier < len(TIERS) else str(tier)


def _listed(abilities: int) -> str:
    return ", ".join(name for name, bit in ABILITIES.items() if bit & abilities)
