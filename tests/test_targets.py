"""Tests of slipstream.targets: what names stand for, what `auto` has, what is known of targets."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slipstream.choice import (
    ALL_ABILITIES,
    CHAT,
    CHOICES,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    JSON_SCHEMA,
    REASONING,
    TOOLS,
    Target,
)
from slipstream.config import Config
from slipstream.routing.routes import Catalogue
from slipstream.served import Missing, ServedModels
from slipstream.targets import catalogue_of, facts_from, pricing_of
from tests.config_place import Place

DAY = date(2026, 11, 21)
KEYS = {
    name: f"sk-{name}"
    for name in ("CEREBRAS_API_KEY", "GROQ_API_KEY", "OPENAI_API_KEY", "K1", "K2")
}
TWO = "[models]\n[providers.cerebras]\n[providers.groq]\napi_keys = ['env:K1', 'env:K2']\n"
LAB = "dialect = 'openai_chat'\nbase_url = 'http://127.0.0.1:1/v1'\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a home folder that is empty."""
    return Place(tmp_path)


def running(**kinds: str) -> ServedModels:
    """Return served models that run, by name: for `chat`, `embeddings` or, not yet, `unknown`."""
    models: Any = {
        name: SimpleNamespace(
            ready=None
            if kind == "unknown"
            else SimpleNamespace(kind=kind, context_tokens=8192, reasons=kind == "chat")
        )
        for name, kind in kinds.items()
    }
    return ServedModels(models, {"gone": Missing("not installed", "")})


def catalogue(place: Place, text: str, served: ServedModels | None = None) -> Catalogue:
    """Return the catalogue of a file."""
    return catalogue_of(place.load(text, KEYS), served or running(), DAY)


# ---- routes --------------------------------------------------------------------------------------


def test_route_keeps_its_targets_order_and_takes_the_deadlines(place: Place) -> None:
    """All that a table says arrives in the units of the choice."""
    found = catalogue(
        place,
        TWO + "[deadlines]\nidle_s = 7.0\n[routes.both]\nstrategy = 'race'\n"
        "targets = ['groq/x', 'cerebras/y']\nfirst_token_s = 3\nrace_max_usd = 0.25\n"
        "max_attempts = 2\nhedge_s = 0.5\nquality = 3\ntask = 'code'\ndata = 'no_training'\n",
    ).routes["both"]
    assert [(t.name, t.credential) for t in found.targets] == [
        ("groq/x", "1"),
        ("cerebras/y", "default"),
    ]
    assert (found.deadlines.idle_s, found.deadlines.first_token_s) == (7.0, 3.0)
    assert (found.race_max_usd_pico, found.hedge_s, found.max_attempts) == (250_000_000_000, 0.5, 2)
    assert (found.strategy, found.quality, found.task, found.data) == (
        "race",
        3,
        "code",
        "no_training",
    )


def test_plain_name_in_a_route_is_all_who_have_it_and_shares_its_weight(place: Place) -> None:
    """Weights are written for names; a target that is named twice has both."""
    found = catalogue(
        place,
        TWO + "[routes.r]\nstrategy = 'weighted'\nweights = [1, 2]\n"
        "targets = ['groq/openai/gpt-oss-120b', 'gpt-oss-120b']\n",
    ).routes["r"]
    assert [target.name for target in found.targets] == [
        "groq/openai/gpt-oss-120b",
        "cerebras/gpt-oss-120b",
    ]
    assert found.weights == (2.0, 1.0)


def test_route_that_only_repeats_a_target_asks_it_that_often(place: Place) -> None:
    """Whoever writes a name twice wants a second try; beside others it is the same place."""
    tables = "[routes.r]\ntargets = ['groq/x', 'groq/x']\n[routes.s]\nstrategy = 'weighted'\n"
    tables += "weights = [1, 2]\ntargets = ['groq/x', 'groq/x']\n"
    tables += "[routes.t]\ntargets = ['groq/x', 'cerebras/y', 'groq/x']\n"
    routes = catalogue(place, TWO + tables).routes
    assert [target.name for target in routes["r"].targets] == ["groq/x", "groq/x"]
    assert (len(routes["s"].targets), routes["s"].weights) == (2, ())
    assert [target.name for target in routes["t"].targets] == ["groq/x", "cerebras/y"]


def test_plain_names_are_of_those_that_are_configured(place: Place) -> None:
    """In the order of the configuration, from the rows and from tables of single targets."""
    models = catalogue(
        place, TWO + f"[providers.lab]\n{LAB}[targets.'lab/mine']\nname = 'gpt-oss-120b'\n"
    ).models
    assert [target.name for target in models["gpt-oss-120b"]] == [
        "cerebras/gpt-oss-120b",
        "groq/openai/gpt-oss-120b",
        "lab/mine",
    ]
    assert "grok-4.7" not in models


def test_provider_that_is_like_another_has_its_models(place: Place) -> None:
    """Under its own name; a table may call one of them otherwise."""
    found = catalogue(
        place,
        "[models]\n[providers.east]\nlike = 'groq'\napi_key = 'k'\n"
        "[targets.'east/openai/gpt-oss-20b']\nname = 'tiny'\n",
    )
    assert [target.name for target in found.models["tiny"]] == ["east/openai/gpt-oss-20b"]
    assert "gpt-oss-20b" not in found.models
    assert found.facts_of(Target("east", "openai/gpt-oss-120b")).vendor == "groq"


# ---- auto ----------------------------------------------------------------------------------------


def names_in_auto(place: Place, text: str, **kinds: str) -> list[str]:
    """Return what `auto` may choose."""
    return [target.name for target in catalogue(place, text, running(**kinds)).auto]


CEREBRAS_BOTH = ["cerebras/gpt-oss-120b", "cerebras/qwen-3.8-27b"]


@pytest.mark.parametrize(
    ("text", "kinds", "names"),
    [
        ("[models.smollm2-135m]\n[providers]\n", {"smollm2-135m": "chat"}, ["local/smollm2-135m"]),
        ("[models.smollm2-135m]\n[providers]\n", {}, []),
        ("[models.own]\n[providers.cerebras]\n", {"own": "chat"}, ["local/own", *CEREBRAS_BOTH]),
        (
            "[models.own]\n[providers.cerebras]\n[targets.'local/own']\nin_auto = false\n",
            {"own": "chat"},
            CEREBRAS_BOTH,
        ),
        (
            "[models.own]\n[providers.cerebras]\n[targets.'cerebras/qwen-3.8-27b']\n"
            "in_auto = false\n",
            {"own": "chat"},
            ["local/own", "cerebras/gpt-oss-120b"],
        ),
        (
            f"[models]\n[providers.lab]\n{LAB}[targets.'lab/a']\nquality = 2\n"
            "[targets.'lab/b']\ncontext_tokens = 9\n[targets.'lab/c']\nin_auto = true\n"
            "[targets.'lab/d']\nquality_code = 2\n[targets.'lab/e']\nquality = 2\nin_auto = false",
            {},
            ["lab/a", "lab/c", "lab/d"],
        ),
    ],
)
def test_auto_has_what_is_known_and_what_is_told(
    text: str, kinds: dict[str, str], names: list[str], place: Place
) -> None:
    """Rows and models that are installed; what no row knows, where its table says so."""
    assert names_in_auto(place, text, **kinds) == names


def test_auto_has_no_model_that_is_gone(place: Place) -> None:
    """A row's last day counts, though its name goes on to resolve."""
    config = place.load("[models]\n[providers.openai]\n", KEYS)
    before = catalogue_of(config, running(), date(2027, 1, 13))
    after = catalogue_of(config, running(), date(2027, 1, 14))
    assert Target("openai", "gpt-4.1") in before.auto
    assert Target("openai", "gpt-4.1") not in after.auto
    assert after.models["gpt-4.1"] == (Target("openai", "gpt-4.1"),)


# ---- facts ---------------------------------------------------------------------------------------


def test_facts_are_the_rows_and_the_tables_stand_over_them(place: Place) -> None:
    """What a person says of a target is taken, the rest is the catalogue's."""
    text = (
        TWO + "[targets.'cerebras/gpt-oss-120b']\ncontext_tokens = 5000\nquality_code = 4\n"
        "abilities = ['chat', 'tools']\nmax_concurrent = 3\n"
    )
    facts_of = catalogue(place, text).facts_of
    said = facts_of(Target("cerebras", "gpt-oss-120b"))
    assert (said.context_tokens, said.max_output_tokens) == (5000, 32_768)
    assert (said.abilities, said.max_concurrent) == (CHAT | TOOLS, 3)
    assert (said.qualities["general"], said.qualities["code"]) == (2, 4)
    groq = facts_of(Target("groq", "openai/gpt-oss-120b", "2"))
    assert (groq.target.credential, groq.credentials) == ("1", ("1", "2"))
    assert groq.context_tokens == 131_072
    assert not groq.abilities & (CHOICES | IMAGES)
    assert groq.abilities & JSON_SCHEMA


@pytest.mark.parametrize(
    ("said", "abilities"),
    [
        ([], CHAT | COMPLETIONS),
        (["tools", "tools"], CHAT | COMPLETIONS | TOOLS),
        (["chat"], CHAT),
        (["embeddings"], EMBEDDINGS),
        (["completions", "choices"], COMPLETIONS | CHOICES),
    ],
)
def test_target_of_which_little_is_said_can_be_asked(
    said: list[str], abilities: int, place: Place
) -> None:
    """A table that tells of tools and images need not tell that it is for chat."""
    text = f"{TWO}[targets.'groq/x']\nabilities = {said}\n"
    assert catalogue(place, text).facts_of(Target("groq", "x")).abilities == abilities


def test_tier_of_a_table_is_for_all_work_that_it_does_not_name(place: Place) -> None:
    """The rows' tiers of single kinds of work do not stand over it."""
    text = TWO + "[targets.'cerebras/gpt-oss-120b']\nquality = 1\nquality_math = 4\n"
    qualities = catalogue(place, text).facts_of(Target("cerebras", "gpt-oss-120b")).qualities
    assert qualities == {"general": 1, "math": 4}


def test_of_what_no_row_knows_nothing_is_claimed(place: Place) -> None:
    """It may be able to do everything, but what its provider has not at all."""
    facts_of = catalogue(place, TWO + f"[providers.lab]\n{LAB}").facts_of
    lab = facts_of(Target("lab", "anything"))
    assert (lab.abilities, lab.qualities, lab.context_tokens) == (ALL_ABILITIES, {}, None)
    assert facts_of(Target("groq", "new-one")).abilities == ALL_ABILITIES & ~EMBEDDINGS


def test_contract_and_concurrency_of_a_provider_are_of_all_its_models(place: Place) -> None:
    """What is said of a single target is narrower."""
    text = (
        f"[models]\n[providers.lab]\n{LAB}data = 'no_retention'\nmax_concurrent = 8\n"
        "[targets.'lab/b']\nmax_concurrent = 2\n"
    )
    facts_of = catalogue(place, text).facts_of
    assert facts_of(Target("lab", "a")).data == "no_retention"
    assert facts_of(Target("lab", "a")).max_concurrent == 8
    assert facts_of(Target("lab", "b")).max_concurrent == 2


def test_models_of_ours_are_as_they_are_now(place: Place) -> None:
    """Their window is known once they run; what makes vectors does nothing else."""
    text = "[models.smollm2-135m]\n[models.vectors]\n[models.later]\n[models.gone]\n[providers]\n"
    served = running(**{"smollm2-135m": "chat", "vectors": "embeddings", "later": "unknown"})
    facts_of = facts_from(place.load(text), served)
    small = facts_of(Target("local", "smollm2-135m"))
    assert (small.context_tokens, small.qualities["general"], small.data) == (8192, 0, "local")
    assert small.abilities & TOOLS
    assert small.abilities & REASONING
    assert not small.abilities & IMAGES
    assert facts_of(Target("local", "vectors")).abilities == EMBEDDINGS
    assert facts_of(Target("local", "later")).context_tokens is None
    assert not facts_of(Target("local", "gone")).is_usable
    ready: Any = SimpleNamespace(kind="chat", context_tokens=4096, reasons=False)
    later: Any = SimpleNamespace(ready=None)
    facts_of = facts_from(place.load(text), ServedModels({"later": later}, {}))
    facts_of(Target("local", "later"))
    later.ready = ready
    assert facts_of(Target("local", "later")).context_tokens == 4096


def test_facts_of_others_are_kept_and_bounded(place: Place) -> None:
    """A client that makes up models fills no memory."""
    facts_of = catalogue(place, TWO).facts_of
    first = facts_of(Target("groq", "a"))
    assert facts_of(Target("groq", "a", "2")) is first
    for number in range(4096):
        facts_of(Target("groq", f"m{number}"))
    assert facts_of(Target("groq", "a")) is not first
    assert facts_of(Target("groq", "a")) == first


def test_thousand_routes_are_loaded_at_once(place: Place) -> None:
    """Each is checked and resolved; nothing is searched for each anew."""
    routes = "".join(
        f"[routes.r{n}]\nstrategy = 'fastest'\ntargets = ['gpt-oss-120b', 'groq/m{n}']\n"
        for n in range(1000)
    )
    config: Config = place.load(TWO + routes, KEYS)
    found = catalogue_of(config, running(), DAY)
    assert len(found.routes) == 1000
    assert [target.name for target in found.routes["r7"].targets] == [
        "cerebras/gpt-oss-120b",
        "groq/openai/gpt-oss-120b",
        "groq/m7",
    ]


# ---- prices --------------------------------------------------------------------------------------


def test_provider_that_is_like_another_has_its_prices(place: Place) -> None:
    """Under a name of its own; a server that people run has none that anybody lists."""
    config = place.load(
        "[providers.east]\nlike = 'openai'\napi_key = 'k'\n[providers.vllm]\n"
        f"[providers.lab]\n{LAB}"
    )
    price_of = pricing_of(config)
    at_ns = 1_795_262_400_000_000_000
    east = price_of("east", "gpt-5.4", at_ns)
    assert east is not None
    assert east == price_of("openai", "gpt-5.4", at_ns)
    assert price_of("vllm", "gpt-5.4", at_ns) is None
    assert price_of("lab", "gpt-5.4", at_ns) is None
    assert price_of("local", "small", at_ns) is not None
