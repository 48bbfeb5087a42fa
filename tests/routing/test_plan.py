"""The choice of targets: what a model name stands for, and what an unknown one is told."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Call, Dialect
from slipstream.choice import Deadlines, Plan, Target
from slipstream.errors import UnknownModel
from slipstream.routing.plan import Catalogue, Planner, Route, find_target

DEADLINES = Deadlines(total_s=12.0)
FAST = Route(
    name="fast",
    strategy="ordered",
    targets=(Target("cerebras", "gpt-oss-120b"), Target("groq", "openai/gpt-oss-120b")),
    max_attempts=2,
)
SHADOW = Route(
    name="groq/shadowed", strategy="pinned", targets=(Target("lab", "m"),), max_attempts=1
)
CATALOGUE = Catalogue(
    routes={"fast": FAST, "groq/shadowed": SHADOW},
    served={"smollm2-135m": "smollm2-135m", "small": "smollm2-135m", "odd/name": "odd/name"},
    providers=frozenset({"cerebras", "groq", "lab"}),
    deadlines=DEADLINES,
)


def _call(model: str) -> Call:
    return Call(call_id="c", dialect=Dialect.OPENAI_CHAT, body=b"{}", model=model, key_id="none")


def _plan(model: str, catalogue: Catalogue = CATALOGUE) -> Plan:
    return Planner(catalogue).plan(_call(model))


def _refusal(model: str, catalogue: Catalogue = CATALOGUE) -> str:
    with pytest.raises(UnknownModel) as caught:
        _plan(model, catalogue)
    assert (caught.value.status, caught.value.param) == (404, "model")
    return caught.value.message


def test_plan_route_gives_its_targets_in_order() -> None:
    """A route's own settings reach the plan."""
    assert _plan("fast") == Plan(
        route="fast",
        strategy="ordered",
        targets=FAST.targets,
        deadlines=DEADLINES,
        max_attempts=2,
    )


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
    ],
)
def test_plan_name_of_a_model_pins_its_target(model: str, target: Target) -> None:
    """One target, one attempt; an upstream's own slashes stay in its id."""
    assert _plan(model) == Plan(
        route=target.name,
        strategy="pinned",
        targets=(target,),
        deadlines=DEADLINES,
        max_attempts=1,
    )


def test_plan_route_comes_before_served_model_and_provider() -> None:
    """What the operator named stands over what the name would mean otherwise."""
    assert _plan("groq/shadowed").targets == (Target("lab", "m"),)
    both = msgspec.structs.replace(CATALOGUE, routes={"small": FAST})
    assert _plan("small", both).strategy == "ordered"


def test_plan_served_model_comes_before_provider() -> None:
    """A name with a slash may be a model's own."""
    odd = msgspec.structs.replace(CATALOGUE, served={"groq/mine": "groq/mine"})
    assert _plan("groq/mine", odd).targets == (Target("local", "groq/mine"),)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "/",
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
    ],
)
def test_plan_unknown_name_is_refused(model: str) -> None:
    """Nothing is guessed: names are exact, and a provider alone is no model."""
    message = _refusal(model)
    assert f"'{model}'" in message


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("fats", "'fast'"),
        ("smollm-135m", "'smollm2-135m'"),
        ("grok/openai/gpt-oss-120b", "'groq/…'"),
        ("cerebas/gpt-oss-120b", "'cerebras/…'"),
    ],
)
def test_plan_unknown_name_is_told_the_nearest(model: str, hint: str) -> None:
    """A slip of one letter is answered with what was meant."""
    assert f"Did you mean {hint}" in _refusal(model)


def test_plan_unknown_name_is_told_what_is_offered() -> None:
    """Routes, served models and configured providers; no hint where nothing is near."""
    message = _refusal("zzz")
    assert "Did you mean" not in message
    for offered in ("'fast'", "'small'", "'smollm2-135m'", "'groq/…'", "'lab/…'"):
        assert offered in message


def test_plan_of_an_empty_catalogue_says_that_nothing_is_offered() -> None:
    """A gateway without a model still answers clearly."""
    empty = Catalogue(routes={}, served={}, providers=frozenset(), deadlines=DEADLINES)
    assert _refusal("m", empty).endswith("Offered: nothing yet.")


def test_plan_is_remembered_by_name() -> None:
    """A name's plan is made once."""
    planner = Planner(CATALOGUE)
    assert planner.plan(_call("lab/a")) is planner.plan(_call("lab/a"))


def test_plan_memory_is_bounded() -> None:
    """A client that asks for a new upstream id each time does not fill the memory."""
    planner = Planner(CATALOGUE)
    for number in range(5000):
        assert planner.plan(_call(f"lab/{number}")).targets == (Target("lab", str(number)),)
    assert len(planner._plans) <= 4096


def test_plan_refusals_are_not_remembered() -> None:
    """Unknown names take no room at all."""
    planner = Planner(CATALOGUE)
    for number in range(10):
        with pytest.raises(UnknownModel):
            planner.plan(_call(f"unknown-{number}"))
    assert not planner._plans


@given(
    st.text(max_size=30)
    | st.sampled_from(["local/", "groq/"]).flatmap(
        lambda prefix: st.text(max_size=10).map(prefix.__add__)
    )
)
def test_find_target_names_only_what_exists(name: str) -> None:
    """A target is of a served model or of a configured provider, never of anything else."""
    target = find_target(name, CATALOGUE.served, CATALOGUE.providers)
    if target is not None and target.provider == "local":
        assert target.model in CATALOGUE.served.values()
    elif target is not None:
        assert target.provider in CATALOGUE.providers
        assert target.name == name
