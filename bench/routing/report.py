"""The tables of a run, in Markdown, and all of it as one line of JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from bench.routing.claims import Row, Verdict
from bench.routing.measures import Measured
from bench.routing.worlds import World

MARK: Final = "<!-- tables of make bench-routing -->"
"""Stands before and behind the tables in a page."""

_HEAD: Final = (
    "| strategy | cost, USD | mean, s | p50 | p95 | p99 | failed | attempts | swing | crowding "
    "| attempts by target, % |\n"
    "|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|:--|"
)
_MOST_SHARES: Final = 4


def table(world: World, row: Row) -> str:
    """Return the strategies of one world, one a line."""
    num = next(iter(row.values())).num_requests
    lines = [f"### {world.name}: {world.about}", "", f"{num:,} requests.", "", _HEAD]
    lines += [_line(name, measured) for name, measured in row.items()]
    return "\n".join(lines)


def claims_table(verdicts: Sequence[Verdict]) -> str:
    """Return each claim with its figure in every world; what is missed is bold."""
    texts = list(dict.fromkeys(verdict.text for verdict in verdicts))
    worlds = list(dict.fromkeys(verdict.world for verdict in verdicts))
    lines = [
        f"| claim | at most | {' | '.join(worlds)} |",
        "|:--|--:|" + "--:|" * len(worlds),
    ]
    for text in texts:
        by_world = {each.world: each for each in verdicts if each.text == text}
        most = next(iter(by_world.values())).most
        cells = [_cell(by_world.get(world)) for world in worlds]
        lines.append(f"| {text} | {most:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def in_page(page: str, tables: str) -> str:
    """Return a page with these tables between its two marks.

    Raises:
        ValueError: It has not exactly two marks.
    """
    before, _, after = page.split(MARK)
    return f"{before}{MARK}\n\n{tables}\n\n{MARK}{after}"


def as_json(
    rows: Mapping[str, Row], verdicts: Sequence[Verdict], conditions: Mapping[str, Any]
) -> str:
    """Return one line with everything."""
    return json.dumps(
        {
            "benchmark": "routing",
            "conditions": dict(conditions),
            "worlds": {
                world: {name: _rounded(measured) for name, measured in row.items()}
                for world, row in rows.items()
            },
            "claims": [
                {**asdict(verdict), "figure": round(verdict.figure, 4), "is_held": verdict.is_held}
                for verdict in verdicts
            ],
        }
    )


def _line(name: str, measured: Measured) -> str:
    shares = sorted(measured.shares.items(), key=lambda item: -item[1])
    told = [
        f"{target} {100 * share:.0f}" for target, share in shares[:_MOST_SHARES] if share > 0.005
    ]
    return (
        f"| {name} | {measured.cost_usd:.2f} | {measured.mean_s:.2f} | {measured.p50_s:.2f} "
        f"| {measured.p95_s:.2f} | {measured.p99_s:.2f} | {measured.failures} "
        f"| {measured.attempts:.3f} | {measured.swing:.2f} | {measured.herd:.2f} "
        f"| {', '.join(told)} |"
    )


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return f"{verdict.figure:.2f}" if verdict.is_held else f"**{verdict.figure:.2f}**"


def _rounded(measured: Measured) -> dict[str, Any]:
    fields = asdict(measured)
    fields["shares"] = {name: round(share, 4) for name, share in measured.shares.items()}
    return {
        name: round(value, 5) if isinstance(value, float) else value
        for name, value in fields.items()
    }
