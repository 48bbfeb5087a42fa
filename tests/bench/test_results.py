"""The table and the ratios: medians of each round's own ratio, and verdicts on the budget."""

import json

from bench.results import Metric, Results, as_json, table

SPEED = Metric("throughput", "requests/s", "1/s", True, "≥ 15,000", 15_000, 0.14)
WAIT = Metric("first_token", "added", "µs", False, "≤ 300", 300)


def _measured() -> Results:
    results = Results()
    # The machine was half as fast in the second round, for both.
    rounds = ((20_000.0, 100_000.0), (10_000.0, 50_000.0), (12_000.0, 50_000.0))
    for number, (ours, nginx) in enumerate(rounds):
        results.add(SPEED, "slipstream", number, ours)
        results.add(SPEED, "nginx", number, nginx)
    results.add(WAIT, "nginx", 0, 20.0)
    return results


def test_ratio_noise_of_a_round_hits_both_and_cancels_out() -> None:
    """A ratio is taken within a round: 0.2, 0.2 and 0.24, not 12,000 over 50,000."""
    assert _measured().ratio(SPEED, "nginx") == 0.2


def test_ratio_contestant_not_measured_is_absent() -> None:
    """Who was not measured has no ratio, rather than 0 or infinity."""
    results = _measured()
    assert results.ratio(SPEED, "litellm") is None
    assert results.ratio(WAIT, "nginx") is None


def test_ratio_sample_missing_in_a_round_leaves_that_round_out() -> None:
    """Rounds are matched by their number: a contestant that broke down once shifts nothing."""
    results = Results()
    results.add(SPEED, "slipstream", 1, 10.0)
    for number, value in enumerate((1000.0, 20.0)):
        results.add(SPEED, "nginx", number, value)
    assert results.ratio(SPEED, "nginx") == 0.5


def test_table_budget_says_met_and_missed() -> None:
    """A verdict needs every round; the absolute and the relative budget are judged apart."""
    line = next(line for line in table(_measured()).splitlines() if "requests/s" in line)
    assert "≥ 15,000 unclear (1 of 3 rounds); ≥ 0.14× nginx met" in line
    assert "12,000 (10,000–20,000)" in line


def test_table_figure_not_measured_gives_no_verdict() -> None:
    """A budget is judged only on a figure of Slipstream's own."""
    line = next(line for line in table(_measured()).splitlines() if "added" in line)
    assert line.rstrip(" |").endswith("≤ 300")


def test_as_json_is_one_line_with_every_sample() -> None:
    """The last line of a run holds the conditions, each sample, and the ratios."""
    text = as_json(_measured(), {"cores": 2})
    said = json.loads(text)
    assert "\n" not in text
    assert said["conditions"] == {"cores": 2}
    assert said["figures"][0]["samples"]["nginx"] == [100_000, 50_000, 50_000]
    assert said["figures"][0]["ratio"] == {"nginx": 0.2}
