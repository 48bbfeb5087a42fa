"""From candidates to the order in which they are tried, and how.

    ready ── measure ── rank ── probe or look at an unknown one ── race? ──▶ first, second, …
    cooling ── by when they come back ─────────────────────────────────────▶ behind all of them

Numbers
    patience   a target may take max(5 s, 4 x its p99) to the first token of a stream while another
               one is left, once 20 samples say what its p99 is: a target that has stopped costs its
               caller seconds, and one that is only slow today is waited for
    probe      whoever may be well again goes first for one request, the next one beside it as soon
               as that one would probably have spoken (its p95)
"""

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from random import Random
from typing import Final

import msgspec

from slipstream.choice import Plan, Target
from slipstream.routing.candidates import Candidate
from slipstream.routing.expect import PATIENCE_TIMES, Size, rate
from slipstream.routing.field import Parted
from slipstream.routing.racing import affordable, hedge_s
from slipstream.routing.strategies import (
    RANKINGS,
    Placed,
    draw_unknown,
    groups_at_a_glance,
    in_order,
    measured,
)
from slipstream.routing.terms import Terms

PROBED: Final = "to find out whether it is well again, with the next one beside it if it is late"
EXPLORED: Final = "too little is known of it"

_LEAST_SHARE_OF_ROOM: Final = 0.05  # a key with less is not stayed with for its warm cache
_NOBODY: Final[frozenset[Target]] = frozenset()
_candidate_of: Final[Callable[[Placed], Candidate]] = itemgetter(2)
_target_of: Final[Callable[[Candidate], Target]] = attrgetter("target")


# ---- the order -----------------------------------------------------------------------------------


class Chance(msgspec.Struct, frozen=True, gc=False):
    """What an order may depend on besides what is known.

    Args:
        rng: None: on nothing, as for an explanation.
        explore: Share of orders that begin with one of which little is known.
        may_race: Further runners may start.
    """

    rng: Random | None
    explore: float
    may_race: bool


class Order(msgspec.Struct, kw_only=True, gc=False):
    """Who is tried in which order, those that are left alone last.

    Args:
        why_first: Where it is not the strategy's doing.
        hedge_s: See Plan; likewise `max_runners`.
    """

    candidates: list[Candidate]
    why_first: str | None = None
    probe: Candidate | None = None
    hedge_s: float | None = None
    max_runners: int = 1


def order(terms: Terms, parted: Parted, size: Size, chance: Chance, now_s: float) -> Order:
    """Return the order in which to try candidates."""
    rng = chance.rng
    placed = _measures(terms, parted, size)
    placed = in_order(terms.strategy, placed, size.num_bytes, rng, parted.scale)
    found = Order(candidates=[])
    if len(placed) > 1:
        if parted.num_trials:
            can_probe = rng is not None and terms.max_attempts > 1
            placed, found.probe = _with_probe(placed, terms, can_probe=can_probe)
        elif rng is not None and chance.explore and rng.random() < chance.explore:
            found.why_first = _explore(placed, terms, size, rng, now_s)
    candidates = found.candidates = list(map(_candidate_of, placed))
    if found.probe is not None:
        found.why_first, found.max_runners = PROBED, 2
        found.hedge_s = hedge_s(candidates[1], size)
    elif terms.strategy == "race" and chance.may_race and len(candidates) > 1:
        _race(found, terms, size)
    if parted.cooling:
        back = sorted(parted.cooling, key=lambda each: each.lane.blocked_until_s)
        found.candidates += back
    return found


def _measures(terms: Terms, parted: Parted, size: Size) -> list[Placed]:
    if terms.strategy == "ordered" and terms.is_grouped:
        return groups_at_a_glance(parted.ready, size.num_bytes)
    ranking = RANKINGS[terms.strategy]
    if ranking.measure is None or parted.is_plain:
        return ranking.glance(parted.ready, size.num_bytes)
    return measured(ranking, [rate(each, size) for each in parted.ready])


def _race(found: Order, terms: Terms, size: Size) -> None:
    """Say who runs beside whom, and when."""
    candidates = found.candidates
    most = min(terms.max_runners, terms.max_attempts)
    most_usd_pico = terms.route.race_max_usd_pico
    runners = list(range(min(most, len(candidates))))
    if most_usd_pico is not None:
        costs = [rate(each, size).cost_usd_pico for each in candidates]
        runners = affordable(costs, most, most_usd_pico)
    if len(runners) < 2:
        return
    if runners[-1] >= len(runners):  # some that cost too much stand between them
        rest = [each for place, each in enumerate(candidates) if place not in runners]
        found.candidates = [*(candidates[place] for place in runners), *rest]
    found.max_runners = len(runners)
    found.hedge_s = terms.hedge_s
    if found.hedge_s is None:
        found.hedge_s = hedge_s(candidates[0], size)


def _with_probe(
    placed: list[Placed], terms: Terms, *, can_probe: bool
) -> tuple[list[Placed], Candidate | None]:
    """Put those that only perhaps take requests behind the others, but for one that is probed."""
    sure = [each for each in placed if not each[2].lane.is_on_trial]
    trials = [each for each in placed if each[2].lane.is_on_trial]
    if not sure:
        return placed, None
    ranking = RANKINGS[terms.strategy]
    limit = sure[0][0] * (1.0 if ranking.measure is None else ranking.explore_within)
    if not can_probe or trials[0][0] > limit:
        return sure + trials, None
    return [trials[0], *sure, *trials[1:]], trials[0][2]


def _explore(
    placed: list[Placed], terms: Terms, size: Size, rng: Random, now_s: float
) -> str | None:
    """Put one of which too little is known first, if there is one; return why it is."""
    ranking = RANKINGS[terms.strategy]
    # What has part of a request in its cache is not left for this.
    if ranking.measure is None or size.warm:
        return None
    found = draw_unknown(placed, ranking, now_s, rng)
    if found is None:
        return None
    placed.insert(0, placed.pop(found))
    return EXPLORED


# ---- the plan ------------------------------------------------------------------------------------


def plain_plan(terms: Terms) -> Plan:
    """Return the plan of terms that tries all their targets as they stand."""
    route = terms.route
    return Plan(
        route=route.name,
        strategy=terms.strategy,
        targets=tuple(target for _, target in terms.places),
        deadlines=terms.deadlines,
        max_attempts=terms.max_attempts,
        max_wait_s=0.0 if terms.strategy == "pinned" else route.max_wait_s,
        least_tokens_per_s=route.least_tokens_per_s,
        rate_window_s=route.rate_window_s,
        retries_refusals=route.retries_refusals,
    )


def plan_from(terms: Terms, found: Order, size: Size, now_s: float, *, has_keys: bool) -> Plan:
    """Return the plan that carries an order out.

    Args:
        has_keys: A target has several.
    """
    route, candidates = terms.route, found.candidates
    targets = _targets(candidates, size, now_s, has_keys=has_keys)
    patience: tuple[float, ...] = ()
    if size.is_stream and len(candidates) > 1:
        patience = _patience(candidates, terms, size, len(targets))
    return Plan(
        route=route.name,
        strategy=terms.strategy,
        targets=targets,
        deadlines=terms.deadlines,
        max_attempts=terms.max_attempts,
        is_weighed=True,
        hedge_s=found.hedge_s,
        max_runners=found.max_runners,
        max_wait_s=route.max_wait_s,
        least_tokens_per_s=route.least_tokens_per_s,
        rate_window_s=route.rate_window_s,
        retries_refusals=route.retries_refusals,
        probes=_NOBODY if found.probe is None else frozenset(found.probe.keys),
        patience_s=patience,
    )


def _targets(
    candidates: Sequence[Candidate], size: Size, now_s: float, *, has_keys: bool
) -> tuple[Target, ...]:
    """Return what to try: each candidate with one of its keys, the others right behind it."""
    if not has_keys:
        return tuple(map(_target_of, candidates))
    targets: list[Target] = []
    for candidate in candidates:
        keys = candidate.keys
        if len(keys) == 1:
            targets.append(keys[0])
            continue
        chosen = _key_of(candidate, size, now_s)
        start = next((n for n, key in enumerate(keys) if key.credential == chosen), 0)
        targets += keys[start:]
        targets += keys[:start]
    return tuple(targets)


def _key_of(candidate: Candidate, size: Size, now_s: float) -> str:
    """Return the key whose cache is warm, if it has room; else the one with most room."""
    lane = candidate.lane
    sent = size.warm.get(candidate.key)
    if sent is not None:
        for quota in lane.quotas:
            if (
                quota.key.credential == sent.credential
                and quota.blocked_until_s <= now_s
                and quota.share(now_s) > _LEAST_SHARE_OF_ROOM
            ):
                return sent.credential
    tokens = size.num_bytes * lane.tokens_per_byte + candidate.glance.num_output
    return lane.credential(now_s, tokens)


def _patience(
    candidates: Sequence[Candidate], terms: Terms, size: Size, num_targets: int
) -> tuple[float, ...]:
    """Return how long each target of a stream may take to its first token while others are left.

    Returns:
        One for each of the targets, or nothing where nothing is known of any that will be tried.
    """
    most_s = terms.deadlines.first_token_s
    patience: list[float] = []
    least_s = most_s
    for each in candidates[: terms.max_attempts]:
        glance = each.glance
        allowed_s = glance.patience_s + PATIENCE_TIMES * glance.byte_s * size.num_bytes
        if allowed_s > most_s:
            allowed_s = most_s
        elif allowed_s < least_s:
            least_s = allowed_s
        if len(each.keys) == 1:
            patience.append(allowed_s)
        else:
            patience += [allowed_s] * len(each.keys)
    if least_s == most_s:
        return ()
    patience += [most_s] * (num_targets - len(patience))
    return tuple(patience[:num_targets])
