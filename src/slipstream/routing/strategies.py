"""How strategies order candidates: by a measure, the least first, and by chance where it is close.

    strategy    measure                                         close is
    pinned      the only one                                    never
    ordered     place in the route                              never
    weighted    chance, by share of those that are ready        never
    cheapest    expected cost                                   0.5%; then the faster, the likelier
    fastest     expected time to the end                        3% to 30%, as little is known
    balanced    (expected cost + $0.0001) x expected time       3% to 30%
    race        expected time to the end                        3% to 30%

Chance between those that are close keeps all gateways and requests from running to the same one at
the same time: how likely a candidate is falls smoothly with how much worse it looks, so that no
small change of an estimate turns all of the traffic.
"""

from bisect import bisect
from collections.abc import Callable, Sequence
from math import exp, log
from random import Random
from types import MappingProxyType
from typing import Final, NamedTuple

from slipstream.choice import Strategy
from slipstream.routing.candidates import Candidate
from slipstream.routing.expect import Rated
from slipstream.routing.glances import UNKNOWN_USD_PICO

SMALL_USD_PICO: Final = 10**8
"""A hundredth of a cent: below it `balanced` looks at time alone, also where all is free."""

_LEAST: Final = 1e-6  # of a measure, where a share of it is taken
_LEAST_CLOSE: Final = 0.005
_SOME_UNKNOWN: Final = 1e20  # pico-dollars x seconds: more than a known price comes to
_NOTHING: Final = (0.0,)
_NUM_SCALES: Final = 3.0  # behind three scales a candidate's chance would be under 5%
_MAX_DRAWN: Final = 8
_MOSTLY: Final = 0.5  # of the attempts
_BEHIND_ALL: Final = 1e12  # those that cannot read a request's opaque reasoning

Placed = tuple[float, int, Candidate]
"""A measure, the place in the list, and the candidate."""


class Ranking(NamedTuple):
    """A strategy.

    Args:
        glance: Measures candidates for a plain request of so many bytes.
        measure: Measures one for any request, as it was rated; None: size makes no difference.
        close: Relative difference of measures below which chance decides; None: never; 0.0: as
            much as is not known.
        explore_within: How many times the best one's measure a target may have to be looked at for
            the sake of knowing.
    """

    glance: Callable[[Sequence[Candidate], int], list[Placed]]
    measure: Callable[[Rated, float], float] | None = None
    close: float | None = None
    explore_within: float = 10.0


# ---- measures, of many at a glance and of one that was rated -------------------------------------


def _order_at_a_glance(candidates: Sequence[Candidate], _num_bytes: int) -> list[Placed]:
    return [
        (each.index + (_BEHIND_ALL if each.is_foreign else 0.0), place, each)
        for place, each in enumerate(candidates)
    ]


def groups_at_a_glance(candidates: Sequence[Candidate], num_bytes: int) -> list[Placed]:
    """Return candidates in the order of their places, those of one place by cost and time."""
    ordered = _order_at_a_glance(candidates, num_bytes)
    balanced = _balance_at_a_glance(candidates, num_bytes)
    most = max((measure for measure, _, _ in balanced), default=0.0) + _LEAST
    inside = {place: measure / (2.0 * most) for measure, place, _ in balanced}
    return [(measure + inside[place], place, each) for measure, place, each in ordered]


def _cost_at_a_glance(candidates: Sequence[Candidate], num_bytes: int) -> list[Placed]:
    return [
        ((glance := each.glance).usd_pico + glance.byte_usd_pico * num_bytes, place, each)
        for place, each in enumerate(candidates)
    ]


def _cost(rated: Rated, _dearest: float) -> float:
    cost = UNKNOWN_USD_PICO if rated.cost_usd_pico is None else rated.cost_usd_pico
    # What is free elsewhere is no reason to leave who can read a request for fractions of a cent.
    return (cost + SMALL_USD_PICO) * rated.bias if rated.bias > 1.0 else cost * rated.bias


def _time_at_a_glance(candidates: Sequence[Candidate], num_bytes: int) -> list[Placed]:
    return [
        (
            (glance := each.glance).total_s
            + glance.byte_s * num_bytes
            + glance.load_s * each.lane.in_flight,
            place,
            each,
        )
        for place, each in enumerate(candidates)
    ]


def _time(rated: Rated, _dearest: float) -> float:
    return rated.total_s * rated.bias


def _balance_at_a_glance(candidates: Sequence[Candidate], num_bytes: int) -> list[Placed]:
    placed = [
        (
            ((glance := each.glance).usd_pico + glance.byte_usd_pico * num_bytes + SMALL_USD_PICO)
            * (glance.total_s + glance.byte_s * num_bytes + glance.load_s * each.lane.in_flight),
            place,
            each,
        )
        for place, each in enumerate(candidates)
    ]
    if max(placed, default=_NOTHING)[0] < _SOME_UNKNOWN:
        return placed
    # Who does not know a price has to expect the highest of those around.
    costs = [
        glance.usd_pico + glance.byte_usd_pico * num_bytes
        for glance in (each.glance for each in candidates)
        if glance.usd_pico != UNKNOWN_USD_PICO
    ]
    dearest = max(costs, default=0.0) + SMALL_USD_PICO
    return [
        (dearest * time_s(each, num_bytes), place, each)
        if each.glance.usd_pico == UNKNOWN_USD_PICO
        else (measure, place, each)
        for measure, place, each in placed
    ]


def _balance(rated: Rated, dearest: float) -> float:
    cost = dearest if rated.cost_usd_pico is None else rated.cost_usd_pico
    return (cost + SMALL_USD_PICO) * rated.total_s * rated.bias


RANKINGS: Final = MappingProxyType[Strategy, Ranking](
    {
        "pinned": Ranking(_order_at_a_glance),
        "ordered": Ranking(_order_at_a_glance),
        "weighted": Ranking(_order_at_a_glance),
        "cheapest": Ranking(_cost_at_a_glance, _cost, _LEAST_CLOSE, 1.03),
        "fastest": Ranking(_time_at_a_glance, _time, 0.0),
        "balanced": Ranking(_balance_at_a_glance, _balance, 0.0),
        "race": Ranking(_time_at_a_glance, _time, 0.0),
    }
)
"""Every strategy by its name."""


def measured(ranking: Ranking, rated: Sequence[Rated]) -> list[Placed]:
    """Return candidates with their measures, as they were rated one by one."""
    assert ranking.measure is not None, "what is not measured is looked at"
    measure = ranking.measure
    dearest = float(max((each.cost_usd_pico or 0 for each in rated), default=0))
    return [(measure(each, dearest), place, each.candidate) for place, each in enumerate(rated)]


# ---- the order -----------------------------------------------------------------------------------


def in_order(
    strategy: Strategy, placed: list[Placed], num_bytes: int, rng: Random | None, scale: float
) -> list[Placed]:
    """Put candidates into the order in which to try them; changes the list that it returns.

    Args:
        placed: With their measures.
        num_bytes: Of the request.
        scale: The largest of theirs; see Glance.
        rng: Decides between those that are close; None: the least measure comes first.
    """
    if strategy == "weighted":
        placed = _drawn(placed, rng)
    placed.sort()
    close = RANKINGS[strategy].close
    if rng is None or close is None or len(placed) < 2:
        return placed
    limit = max(placed[0][0], _LEAST) * (1.0 + _NUM_SCALES * (close or scale))
    if placed[1][0] > limit:
        return placed
    first = _draw_close(placed, close, num_bytes, rng, bisect(placed, (limit, len(placed))))
    if first:
        placed.insert(0, placed.pop(first))
    return placed


def _drawn(placed: Sequence[Placed], rng: Random | None) -> list[Placed]:
    """Draw without putting back: -ln(u)/w, the least first, is such an order.

    Source: Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006.
    """
    if rng is None:
        return [
            (each.rarity + (_BEHIND_ALL if each.is_foreign else 0.0), place, each)
            for _, place, each in placed
        ]
    draw = rng.random
    return [
        (
            -log(1.0 - draw()) * each.rarity + (_BEHIND_ALL if each.is_foreign else 0.0),
            place,
            each,
        )
        for _, place, each in placed
    ]


def _draw_close(
    placed: Sequence[Placed], close: float, num_bytes: int, rng: Random, num_near: int
) -> int:
    """Return which of the first few shall be first."""
    best = max(placed[0][0], _LEAST)
    offset, near = 0, placed[:num_near]
    if num_near > _MAX_DRAWN:  # any eight that stand together, so that each has its turn
        offset = int(rng.random() * num_near)
        near = [*near[offset:], *near[:offset]][:_MAX_DRAWN]
    if close:  # equal prices say nothing of who is faster
        chances = [
            exp((1.0 - measure / best) / close) / time_s(each, num_bytes) ** 2
            for measure, _, each in near
        ]
    else:
        chances = [exp((1.0 - measure / best) / each.glance.scale) for measure, _, each in near]
    drawn = rng.random() * sum(chances)
    for step, chance in enumerate(chances):
        drawn -= chance
        if drawn < 0.0:
            return (offset + step) % num_near
    return 0


def time_s(candidate: Candidate, num_bytes: int) -> float:
    """Return about how long a request of so many bytes takes at a candidate."""
    glance = candidate.glance
    seconds = glance.total_s + glance.byte_s * num_bytes + glance.load_s * candidate.lane.in_flight
    return max(seconds, _LEAST)


def draw_unknown(
    placed: Sequence[Placed], ranking: Ranking, now_s: float, rng: Random
) -> int | None:
    """Return which candidate to look at although another seems better; None: all are known.

    Those of which little is known are likelier, and those which may well be the best one.
    """
    best = max(placed[0][0], _LEAST)
    weights = []
    for measure, _, each in placed[1:]:
        need = 1.0 / (1.0 + each.lane.samples_at(now_s))
        if ranking.close == 0.0:
            measure = _at_its_best(measure, each, best)
        is_plausible = measure <= best * ranking.explore_within
        likeness = min(best / max(measure, _LEAST), 1.0)  # what is free has a measure of nothing
        weights.append((need * likeness**2 if is_plausible else 0.0, need))
    drawn = rng.random() * sum(weight for weight, _ in weights)
    for place, (weight, need) in enumerate(weights, 1):
        drawn -= weight
        if drawn < 0.0:
            return place if rng.random() < need else None
    return None


def _at_its_best(measure: float, candidate: Candidate, best: float) -> float:
    """Return a measure by time if what is not known of a candidate turned out to be good.

    One that was never asked may be the best of all, and whether failures are over is what a look is
    to find out. Otherwise, where few requests come, neither would be looked at for hours.
    """
    lane = candidate.lane
    if not lane.samples and lane.failure_share < _MOSTLY:
        return best
    total_s = candidate.glance.total_s
    well_s = total_s - lane.failing_s
    # On trial, failures are left out of its time already.
    return measure if lane.is_on_trial or well_s <= 0.0 else measure * well_s / total_s
