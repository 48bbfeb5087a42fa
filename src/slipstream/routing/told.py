"""What a choice says of itself: each candidate with a reason, or why none of them can.

Asked for by few requests; the others do not pay for any of it.
"""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from slipstream.choice import Plan, Strategy, Target, Weighed
from slipstream.errors import NoTarget
from slipstream.routing.candidates import Candidate, Sieved, why_spared
from slipstream.routing.expect import Size, rate
from slipstream.routing.field import Parted, wait_s
from slipstream.routing.ordering import Order
from slipstream.routing.terms import Terms

MAX_TOLD: Final = 8  # targets that an error's message names; `NoTarget.left` has all of them

_MAX_NAME_CHARS: Final = 200
_FIRST: Final[Mapping[Strategy, str]] = {
    "pinned": "the one that was asked for",
    "ordered": "the first of those that can",
    "weighted": "drawn by the shares",
    "cheapest": "expected to cost least, or next to it",
    "fastest": "expected to be done first, or next to it",
    "balanced": "the best of cost and time together, or next to it",
    "race": "expected to be done first of those that run, or next to it",
}


def weighed(
    terms: Terms,
    left: Iterable[tuple[Target, str]],
    spare: Iterable[Candidate],
    parted: Parted,
    found: Order,
    size: Size,
    now_s: float,
) -> tuple[Weighed, ...]:
    """Return all that was considered: what is tried, in order, then what was left.

    Args:
        left: Whatever requests of this kind ask.
        spare: Not needed, since others are better.
    """
    told = [
        _rated(each, size, _why_taken(place, each, terms, found, now_s))
        for place, each in enumerate(found.candidates)
    ]
    told += [_left(candidate.target, reason) for candidate, reason in parted.left]
    told += [_left(each.target, why_spared(each, terms.task)) for each in spare]
    told += [_left(target, reason) for target, reason in left]
    return tuple(told)


def _why_taken(place: int, each: Candidate, terms: Terms, found: Order, now_s: float) -> str:
    lane = each.lane
    if lane.blocked_until_s > now_s:
        return _cooling(each, now_s)
    if place == 0:
        reason = found.why_first or _FIRST[terms.strategy]
    elif place < found.max_runners:
        reason = "runs beside the one before it, if that is late"
    else:
        reason = f"choice {place + 1}, if those before it fail"
    if lane.is_on_trial and each is not found.probe:
        reason += "; it failed lately, and perhaps is well again"
    if each.is_foreign:
        reason += "; it cannot read the reasoning that the request holds"
    return reason


def _cooling(each: Candidate, now_s: float) -> str:
    left_s = each.lane.blocked_until_s - now_s
    if left_s == inf:
        return "it failed; another request is finding out whether it is well again"
    return f"it failed or has no room left; it is asked again in {left_s:.1f} s"


def _rated(each: Candidate, size: Size, reason: str, *, is_taken: bool = True) -> Weighed:
    rated = rate(each, size)
    is_measured = each.lane.samples > 0.0  # otherwise it is a guess, and the same for each
    return Weighed(
        target=each.target,
        reason=reason,
        is_taken=is_taken,
        cost_usd_pico=rated.cost_usd_pico,
        first_token_s=rated.first_s if is_measured else None,
        total_s=rated.total_s if is_measured else None,
        input_tokens=rated.num_input,
        output_tokens=rated.num_output,
    )


def _left(target: Target, reason: str) -> Weighed:
    return Weighed(target=target, reason=reason, is_taken=False)


def refusal(terms: Terms, sieved: Sieved, parted: Parted, size: Size, now_s: float) -> NoTarget:
    """Return the error that says of each target why it cannot serve a request."""
    back = parted.cooling
    cooling = [(each.target, _cooling(each, now_s)) for each in back]
    unfit = [(candidate.target, reason) for candidate, reason in parted.left]
    left = [*cooling, *unfit, *sieved.left]
    retry_after_s = wait_s(back, now_s) if back else None
    listed = "; ".join(f"{target.name}: {reason}" for target, reason in left[:MAX_TOLD])
    more = f"; and {len(left) - MAX_TOLD} more" if len(left) > MAX_TOLD else ""
    when = "now" if back else "as it is"
    name = terms.model[:_MAX_NAME_CHARS]
    error = NoTarget(
        f"No target of '{name}' can serve this request {when}: {listed}{more}.",
        left=tuple((target.name, reason) for target, reason in left),
        status=503 if back else 400 if unfit or sieved.has_usable else 404,
        retry_after_s=retry_after_s,
    )
    error.plan = Plan(
        route=terms.route.name,
        strategy=terms.strategy,
        targets=(),
        deadlines=terms.deadlines,
        max_attempts=terms.max_attempts,
        weighed=(
            *(_rated(each, size, _cooling(each, now_s), is_taken=False) for each in back),
            *(_left(target, reason) for target, reason in (*unfit, *sieved.left)),
        ),
    )
    return error
