"""How `slipstream explain` shows a plan: what is tried, what was left and why, and the bounds."""

from typing import Final

from slipstream.cli.tables import (
    Column,
    counted,
    named,
    print_table,
    print_words,
    shown_s,
    shown_usd,
)
from slipstream.server.routing_answers import Candidate, PlannedCall

_COLUMNS: Final = (
    Column("#", is_figure=True),
    Column("target"),
    Column("cost USD", is_figure=True),
    Column("first", is_figure=True),
    Column("total", is_figure=True),
    Column("why"),
)
_MOST_SHOWN: Final = 10  # of what is tried; more are tried by hardly any request


def show(plan: PlannedCall) -> None:
    """Print it: what is tried in its order, then what was left, by reason."""
    print_words(_heading(plan))
    if sizes := _sizes(plan.candidates):
        print_words(sizes)
    places = {tried.target: n for n, tried in reversed([*enumerate(plan.tries, 1)])}
    taken = [each for each in plan.candidates if each.target in places]
    taken.sort(key=lambda each: places[each.target])
    if taken:
        print()
        print_table(_COLUMNS, [_row(places[each.target], each) for each in taken[:_MOST_SHOWN]])
    if len(taken) > _MOST_SHOWN:
        print_words(f"and {len(taken) - _MOST_SHOWN:,} more after them; --json tells of all")
    for line in _left([each for each in plan.candidates if each.target not in places]):
        print()
        print_words(line)
    print()
    print_words(_bounds(plan))


def _heading(plan: PlannedCall) -> str:
    num_taken = len({each.target for each in plan.tries})
    considered = f" of {len(plan.candidates):,}" if plan.candidates else ""
    name = plan.route if plan.route == plan.model else f"{plan.model} → {plan.route}"
    if plan.problem is not None:
        # All of the reasons stand below, and the sentence names the first ones again.
        problem = plan.problem.partition(": ")[0] if plan.candidates else plan.problem
        return f"{name}: {problem.rstrip('.')}."
    return f"{name}: {plan.strategy}, {num_taken:,}{considered} targets to try"


def _sizes(candidates: list[Candidate]) -> str:
    """Return how long the request and its answer are taken to be."""
    known = [each for each in candidates if each.expected_input_tokens is not None]
    if not known:
        return ""
    read = _span([each.expected_input_tokens or 0 for each in known])
    written = _span([each.expected_output_tokens or 0 for each in known])
    return f"about {read} tokens to read, {written} to write"


def _span(counts: list[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _row(place: int, candidate: Candidate) -> tuple[str, ...]:
    cost = candidate.expected_cost_usd
    return (
        str(place),
        named(candidate.target, candidate.credential),
        "unknown" if cost is None else shown_usd(cost),
        shown_s(candidate.expected_first_token_s),
        shown_s(candidate.expected_total_s),
        candidate.reason,
    )


def _left(candidates: list[Candidate]) -> list[str]:
    """Return a line for each reason, with the targets that were left for it."""
    by_reason: dict[str, list[str]] = {}
    for each in candidates:
        by_reason.setdefault(each.reason, []).append(each.target)
    return [f"left, {reason}: {', '.join(names)}" for reason, names in by_reason.items()]


def _bounds(plan: PlannedCall) -> str:
    limits = plan.deadlines
    said = [
        f"at most {counted(plan.max_attempts, 'attempt')}",
        f"first token within {limits.first_token_s:,.10g} s",
        f"{limits.total_s:,.10g} s in all",
    ]
    if plan.hedge_s == 0:
        said.append(f"{plan.max_runners} start at once")
    elif plan.hedge_s is not None:
        said.append(f"up to {plan.max_runners} at once, the next after {shown_s(plan.hedge_s)}")
    if plan.max_wait_s:
        said.append(f"waits up to {plan.max_wait_s:,.10g} s for a target that says when")
    if plan.least_tokens_per_s is not None:
        said.append(f"left below {plan.least_tokens_per_s:g} tokens/s")
    return "; ".join(said)
