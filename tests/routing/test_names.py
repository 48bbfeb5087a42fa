"""What a model name stands for, and what an unknown one is told."""

import msgspec
import pytest

from slipstream.choice import Strategy, Target
from slipstream.routing.facts import TargetFacts
from slipstream.routing.names import SUFFIXES, find_route, find_target, unknown_name
from slipstream.routing.routes import Catalogue, Route
from tests.routing.scenes import DEADLINES

FAST = Route(
    name="fast",
    strategy="ordered",
    targets=(Target("cerebras", "gpt-oss-120b"), Target("groq", "openai/gpt-oss-120b")),
    max_attempts=2,
    race_share=0.25,
)
SHADOW = Route(name="groq/shadowed", strategy="pinned", targets=(Target("lab", "m"),))
BOTH = (Target("cerebras", "gpt-oss-120b"), Target("groq", "openai/gpt-oss-120b"))
EVERYTHING = (*BOTH, Target("local", "smollm2-135m"))
CATALOGUE = Catalogue(
    routes={"fast": FAST, "groq/shadowed": SHADOW},
    served={"smollm2-135m": "smollm2-135m", "small": "smollm2-135m", "odd/name": "odd/name"},
    providers=frozenset({"cerebras", "groq", "lab", "openrouter"}),
    deadlines=DEADLINES,
    models={"gpt-oss-120b": BOTH},
    auto=EVERYTHING,
    facts_of=lambda target: TargetFacts(target=target),
)
EMPTY = Catalogue(
    routes={},
    served={},
    providers=frozenset(),
    deadlines=DEADLINES,
    facts_of=lambda target: TargetFacts(target=target),
)


def _found(name: str, catalogue: Catalogue = CATALOGUE) -> Route:
    route = find_route(name, catalogue)
    assert route is not None
    return route


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("smollm2-135m", Target("local", "smollm2-135m")),
        ("small", Target("local", "smollm2-135m")),
        ("local/smollm2-135m", Target("local", "smollm2-135m")),
        ("local/small", Target("local", "smollm2-135m")),
        ("odd/name", Target("local", "odd/name")),
        ("local/odd/name", Target("local", "odd/name")),
        ("cerebras/gpt-oss-120b", Target("cerebras", "gpt-oss-120b")),
        ("groq/openai/gpt-oss-120b", Target("groq", "openai/gpt-oss-120b")),
        ("lab/ a b ", Target("lab", " a b ")),
        ("openrouter/x/y:floor", Target("openrouter", "x/y:floor")),
        ("lab/m:race", Target("lab", "m:race")),
    ],
)
def test_find_route_name_of_one_model_pins_its_target(model: str, target: Target) -> None:
    """One target; an upstream's own slashes and suffixes stay in its id."""
    route = _found(model)
    assert (route.name, route.strategy, route.targets) == (target.name, "pinned", (target,))
    assert (route.max_attempts, route.deadlines) == (1, DEADLINES)


def test_find_route_plain_name_is_every_provider_that_has_the_model() -> None:
    """`gpt-oss-120b` goes wherever it is best just now."""
    route = _found("gpt-oss-120b")
    assert (route.strategy, route.targets, route.name) == ("balanced", BOTH, "gpt-oss-120b")


def test_find_route_auto_is_everything() -> None:
    """Without any configuration there is one name for all that can answer."""
    route = _found("auto")
    assert (route.strategy, route.targets, route.name) == ("balanced", EVERYTHING, "auto")


@pytest.mark.parametrize("base", ["fast", "gpt-oss-120b", "auto", "small"])
@pytest.mark.parametrize(("suffix", "strategy"), SUFFIXES.items())
def test_find_route_suffix_changes_the_strategy(base: str, suffix: str, strategy: Strategy) -> None:
    """A route, a plain name and `auto` take a strategy for one request; the rest stays."""
    plain, route = _found(base), _found(f"{base}:{suffix}")
    assert route.strategy == strategy
    assert route.name == f"{plain.name}:{suffix}"
    assert msgspec.structs.replace(route, name=plain.name, strategy=plain.strategy) == plain


def test_find_route_name_that_exists_as_it_is_wins_over_its_suffix() -> None:
    """Whoever calls a route `fast:nitro` gets that one."""
    own = msgspec.structs.replace(SHADOW, name="fast:nitro")
    catalogue = msgspec.structs.replace(CATALOGUE, routes={"fast": FAST, "fast:nitro": own})
    assert _found("fast:nitro", catalogue) is own
    auto = msgspec.structs.replace(CATALOGUE, routes={"auto": FAST})
    assert _found("auto", auto) is FAST
    assert _found("auto:fastest", auto).targets == FAST.targets


def test_find_route_order_is_route_served_provider_plain_name() -> None:
    """What the operator named stands over what the name would mean otherwise."""
    assert _found("groq/shadowed").targets == (Target("lab", "m"),)
    both = msgspec.structs.replace(CATALOGUE, routes={"small": FAST})
    assert _found("small", both).strategy == "ordered"
    odd = msgspec.structs.replace(CATALOGUE, served={"groq/mine": "groq/mine"})
    assert _found("groq/mine", odd).targets == (Target("local", "groq/mine"),)
    alias = msgspec.structs.replace(CATALOGUE, served={"gpt-oss-120b": "smollm2-135m"})
    assert _found("gpt-oss-120b", alias).targets == (Target("local", "smollm2-135m"),)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "/",
        ":",
        "fats",
        "FAST",
        "fast ",
        "groq",
        "groq/",
        "/m",
        "local",
        "local/",
        "local/fast",
        "x/y",
        "fast:",
        "fast:slow",
        "fast:nitro:floor",
        ":nitro",
        "nothing:nitro",
    ],
)
def test_find_route_unknown_name_is_nothing(model: str) -> None:
    """Nothing is guessed: names are exact, and a provider alone is no model."""
    assert find_route(model, CATALOGUE) is None
    assert f"'{model}'" in unknown_name(model, CATALOGUE)


def test_find_route_auto_of_nothing_is_nothing() -> None:
    """Where nothing is configured there is nothing to choose from."""
    assert find_route("auto", EMPTY) is None
    assert find_route("auto:fastest", EMPTY) is None


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("fats", "'fast'"),
        ("smollm-135m", "'smollm2-135m'"),
        ("grok/openai/gpt-oss-120b", "'groq/…'"),
        ("cerebas/gpt-oss-120b", "'cerebras/…'"),
        ("gpt-oss-12b", "'gpt-oss-120b'"),
        ("fast:nitor", "'fast:nitro'"),
        ("fats:floor", "'fast:floor'"),
        ("auto:cheepest", "'auto:cheapest'"),
        ("aoto", "'auto'"),
    ],
)
def test_unknown_name_is_told_the_nearest(model: str, hint: str) -> None:
    """A slip of one letter is answered with what was meant."""
    assert f"Did you mean {hint}" in unknown_name(model, CATALOGUE)


def test_unknown_name_is_told_what_is_offered() -> None:
    """Routes, served models and configured providers; no hint where nothing is near."""
    message = unknown_name("zzzzzzzz", CATALOGUE)
    assert "Did you mean" not in message
    for offered in ("'fast'", "'small'", "'smollm2-135m'", "'auto'", "'groq/…'", "'lab/…'"):
        assert offered in message
    assert unknown_name("m", EMPTY).endswith("Offered: nothing yet.")


def test_unknown_name_stays_short_with_a_thousand_routes() -> None:
    """Neither the catalogue's size nor the caller's words make the message long."""
    routes = {f"r{n}": msgspec.structs.replace(FAST, name=f"r{n}") for n in range(1000)}
    many = msgspec.structs.replace(CATALOGUE, routes=routes)
    assert len(unknown_name("y" * 10_000, many)) < 1000
    assert "'r77'" in unknown_name("r-77", many)
    assert "'r777'" in unknown_name("s777", many)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("small", Target("local", "smollm2-135m")),
        ("groq/a/b", Target("groq", "a/b")),
        ("fast", None),
        ("other/m", None),
    ],
)
def test_find_target_names_one_target_or_none(name: str, target: Target | None) -> None:
    """The configuration checks its routes with it."""
    assert find_target(name, CATALOGUE.served, CATALOGUE.providers) == target
