"""What the configuration may say of routes, of single targets, and of choosing as a whole."""

from dataclasses import fields
from pathlib import Path
from typing import get_args

from slipstream.choice import DataPolicy, Deadlines, Strategy, Task
from slipstream.routing.routes import Route
from slipstream.routing.settings import (
    DATA_POLICIES,
    STRATEGIES,
    TASKS,
    RouteSettings,
    RoutingSettings,
    TargetSettings,
)
from slipstream.settings import about
from slipstream.toml_settings import Problems, build


def _build(**table: object) -> tuple[RouteSettings | None, list[str]]:
    problems = Problems(Path("f.toml"), {})
    return build(RouteSettings, table, "routes.fast", problems), problems.texts


def test_route_needs_targets_only() -> None:
    """The rest has a default: in order, four at most."""
    record = _build(targets=["a/m"])[0]
    assert record == RouteSettings(("a/m",))
    assert (record.strategy, record.max_attempts) == ("ordered", 4)
    record, [problem] = _build()
    assert record is None
    assert "'targets' is missing" in problem


def test_route_strategy_that_is_not_offered_is_told_those_that_are() -> None:
    """A mistyped one is refused by name, not ignored."""
    assert all(not _build(targets=["a/m"], strategy=strategy)[1] for strategy in STRATEGIES)
    _, [problem] = _build(targets=["a/m"], strategy="random")
    assert "one of 'pinned', 'ordered', 'weighted'" in problem
    assert "got 'random'" in problem


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


def test_words_are_those_of_the_choice() -> None:
    """What may be written is what the choice knows."""
    assert get_args(Strategy) == STRATEGIES
    assert get_args(Task) == TASKS
    assert get_args(DataPolicy) == DATA_POLICIES


def test_defaults_are_those_of_the_record_that_a_route_becomes() -> None:
    """What nobody set is the same wherever it is read."""
    settings = RouteSettings(targets=())
    plain = Route(name="r", strategy="ordered", targets=(), deadlines=Deadlines())
    for name in set(Route.__struct_fields__) - {
        "name",
        "targets",
        "deadlines",
        "race_max_usd_pico",
    }:
        assert getattr(settings, name) == getattr(plain, name), name


def test_target_and_routing_may_say_nothing() -> None:
    """Everything has a default; the address of a Valkey, which may hold a password, is hidden."""
    problems = Problems(Path("f.toml"), {})
    assert build(TargetSettings, {}, "targets.a/m", problems) == TargetSettings()
    said = build(RoutingSettings, {"valkey": "redis://:s3cret@h"}, "routing", problems)
    assert said is not None
    assert "s3cret" not in repr(said)
    assert build(RoutingSettings, {"valkey": ["s3cret"]}, "routing", problems) is None
    assert "s3cret" not in problems.texts[0]
