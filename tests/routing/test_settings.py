"""What the configuration may say of a route."""

from dataclasses import fields
from pathlib import Path

from slipstream.routing.settings import STRATEGIES, RouteSettings
from slipstream.settings import about
from slipstream.toml_settings import Problems, build


def _build(**table: object) -> tuple[RouteSettings | None, list[str]]:
    problems = Problems(Path("f.toml"), {})
    return build(RouteSettings, table, "routes.fast", problems), problems.texts


def test_route_needs_targets_only() -> None:
    """The rest has a default: in order, four at most."""
    assert _build(targets=["a/m"])[0] == RouteSettings(("a/m",), "ordered", 4)
    record, [problem] = _build()
    assert record is None
    assert "'targets' is missing" in problem


def test_route_strategy_that_is_not_offered_is_told_those_that_are() -> None:
    """The design's other strategies are refused by name, not ignored."""
    for strategy in ("weighted", "cheapest", "fastest", "balanced", "race"):
        _, [problem] = _build(targets=["a/m"], strategy=strategy)
        assert f"one of 'pinned', 'ordered', got '{strategy}'" in problem


def test_route_max_attempts_has_bounds() -> None:
    """At least one try, and no endless ones."""
    for wrong in (0, 17, 1.5, "3", True):
        _, [problem] = _build(targets=["a/m"], max_attempts=wrong)
        assert "a whole number from 1 to 16" in problem


def test_strategies_are_the_choices_of_the_setting() -> None:
    """What is offered is said in one place."""
    [entry] = [entry for entry in fields(RouteSettings) if entry.name == "strategy"]
    said = about(entry.metadata)
    assert said is not None
    assert said.choices == STRATEGIES
