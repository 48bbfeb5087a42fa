"""The tables say what was measured, and find their place in a page."""

import json
from dataclasses import replace

import pytest

from bench.routing.claims import Verdict
from bench.routing.measures import Measured
from bench.routing.report import MARK, as_json, claims_table, in_page, table
from bench.routing.worlds import WORLDS

MEASURED = Measured(
    cost_usd=1.234,
    mean_s=2.0,
    p50_s=1.5,
    p95_s=4.0,
    p99_s=8.25,
    failures=3,
    attempts=1.05,
    shares={"left": 0.75, "right": 0.25},
    swing=0.04,
    herd=0.0,
    num_requests=1200,
)


def test_table_has_a_line_for_each_strategy() -> None:
    """Each figure stands in its column, targets by how much they got."""
    rows = {"race": MEASURED, "random": replace(MEASURED, shares={"left": 0.3, "right": 0.7})}
    lines = table(WORLDS["tails"], rows).splitlines()
    assert lines[0] == f"### tails: {WORLDS['tails'].about}"
    assert "1,200 requests." in lines
    assert lines[-2] == (
        "| race | 1.23 | 2.00 | 1.50 | 4.00 | 8.25 | 3 | 1.050 | 0.04 | 0.00 | left 75, right 25 |"
    )
    assert lines[-1].endswith("| right 70, left 30 |")


def test_claims_table_marks_what_did_not_hold() -> None:
    """A figure over its bound is bold; a world in which nothing is claimed has an empty cell."""
    told = [
        Verdict("one", "fast", 1.04, 1.1),
        Verdict("two", "fast", 1.2, 1.1),
        Verdict("two", "cheap", 1.0, 1.05),
    ]
    lines = claims_table(told).splitlines()
    assert lines[0] == "| claim | at most | one | two |"
    assert lines[2:] == ["| fast | 1.1 | 1.04 | **1.20** |", "| cheap | 1.05 |  | 1.00 |"]


def test_page_keeps_what_is_around_its_tables() -> None:
    """Tables replace those that were there; a page without the marks is not touched."""
    page = f"before\n{MARK}\n\nold\n\n{MARK}\nafter\n"
    written = in_page(page, "new")
    assert written == f"before\n{MARK}\n\nnew\n\n{MARK}\nafter\n"
    assert in_page(written, "new") == written
    with pytest.raises(ValueError, match="unpack"):
        in_page("no marks", "new")


def test_json_line_has_everything() -> None:
    """Whoever reads the line needs no table."""
    verdict = Verdict("tails", "fast", 1.2, 1.1)
    told = json.loads(as_json({"tails": {"race": MEASURED}}, [verdict], {"seed": 1}))
    assert told["worlds"]["tails"]["race"]["shares"] == MEASURED.shares
    assert told["claims"][0]["is_held"] is False
    assert told["conditions"] == {"seed": 1}
