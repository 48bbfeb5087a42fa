"""Samples of a run and what is made of them: least, median, most, ratios, one table, one line.

Ratios are taken within a round, where both contestants met the same noise, then the median.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

SUBJECT = "slipstream"


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table.

    Args:
        budget: What the design asks of Slipstream, in the design's words; may be empty.
        limit: The same as a number; `is_more_better` says on which side of it the good lies.
        nginx_limit: The same as a multiple of nginx's figure, where the design's machine gave one:
            it holds on a slower machine too.
    """

    figure: str
    name: str
    unit: str
    is_more_better: bool = False
    budget: str = ""
    limit: float | None = None
    nginx_limit: float | None = None


@dataclass(slots=True)
class Results:
    """Everything that a run measured."""

    samples: dict[Metric, dict[str, dict[int, float]]] = field(default_factory=dict)  # by round
    notes: list[str] = field(default_factory=list)

    def add(self, metric: Metric, contestant: str, number: int, value: float) -> None:
        """Keep what a contestant gave in a round."""
        self.samples.setdefault(metric, {}).setdefault(contestant, {})[number] = value

    def values(self, metric: Metric, contestant: str) -> list[float]:
        """Return a contestant's samples; none if it was not measured."""
        return list(self.samples[metric].get(contestant, {}).values())

    def note(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.notes:
            self.notes.append(text)

    def contestants(self) -> list[str]:
        """Return who was measured, in the order they came first."""
        return list(dict.fromkeys(name for per in self.samples.values() for name in per))

    def ratio(self, metric: Metric, other: str) -> float | None:
        """Return Slipstream's figure over another's: the median of the rounds' ratios."""
        ours = self.samples[metric].get(SUBJECT, {})
        theirs = self.samples[metric].get(other, {})
        ratios = [ours[n] / theirs[n] for n in ours.keys() & theirs.keys() if theirs[n] > 0]
        return statistics.median(ratios) if ratios else None


def table(results: Results) -> str:
    """Return the table, which is Markdown and readable as it is."""
    names = results.contestants()
    others = [name for name in names if name not in (SUBJECT, "direct")]
    if SUBJECT not in names:
        others = []
    heads = ["what", "unit", *names, *[f"{SUBJECT} / {name}" for name in others], "budget"]
    rows = [heads]
    for metric in results.samples:
        cells = [metric.name, metric.unit]
        cells += [_spread(results.values(metric, name)) for name in names]
        cells += [_ratio(results.ratio(metric, name)) for name in others]
        rows.append([*cells, _budget(results, metric)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    rule = [f":{'-' * (w + 1)}" if i < 2 else f"{'-' * (w + 1)}:" for i, w in enumerate(widths)]
    lines = [_line(rows[0], widths), f"|{'|'.join(rule)}|"]
    return "\n".join([*lines, *[_line(row, widths) for row in rows[1:]]])


def as_json(results: Results, conditions: dict[str, Any]) -> str:
    """Return everything as one line."""
    others = [name for name in results.contestants() if name != SUBJECT]
    figures = [
        {
            "figure": metric.figure,
            "name": metric.name,
            "unit": metric.unit,
            "budget": metric.budget,
            "samples": {name: [_short(v) for v in by.values()] for name, by in per.items()},
            "median": {name: _short(statistics.median(by.values())) for name, by in per.items()},
            "ratio": {
                name: _short(ratio)
                for name in others
                if (ratio := results.ratio(metric, name)) is not None
            },
        }
        for metric, per in results.samples.items()
    ]
    return json.dumps({"conditions": conditions, "notes": results.notes, "figures": figures})


def quantile(values: Iterable[float], share: float) -> float:
    """Return the value below which a share of all lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _short(value: float) -> float:
    return float(f"{value:.4g}") if abs(value) < 10_000 else round(value)


def show(value: float) -> str:
    """Return a figure with three digits that mean something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    middle = show(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({show(min(values))}–{show(max(values))})"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{show(value)}×"


def _budget(results: Results, metric: Metric) -> str:
    ours = results.values(metric, SUBJECT)
    if metric.limit is None or not metric.budget:
        return ""
    if not ours:
        return metric.budget
    sign = metric.budget[0]
    said = [f"{metric.budget} {_verdict(metric, ours, metric.limit)}"]
    ratio = results.ratio(metric, "nginx")
    if metric.nginx_limit is not None and ratio is not None:
        verdict = _verdict(metric, [ratio], metric.nginx_limit)
        said.append(f"{sign} {metric.nginx_limit:g}× nginx {verdict}")
    return "; ".join(said)


def _verdict(metric: Metric, values: Sequence[float], limit: float) -> str:
    """Say `met` or `MISSED` only if every round says so."""
    good = [value >= limit if metric.is_more_better else value <= limit for value in values]
    if all(good):
        return "met"
    return f"unclear ({sum(good)} of {len(good)} rounds)" if any(good) else "MISSED"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = [
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(parts) + " |"
