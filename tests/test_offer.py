"""Tests of slipstream.offer, with a configuration and nothing that runs."""

from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from slipstream.call import Call, Dialect
from slipstream.choice import Deadlines, Needs
from slipstream.config import Config, load
from slipstream.errors import LoadFailed, UnknownModel, Unsupported
from slipstream.offer import Offer
from slipstream.routing.board import Board
from slipstream.routing.names import LOCAL
from slipstream.routing.plan import Planner
from slipstream.served import Missing, ServedModels
from slipstream.targets import catalogue_of, pricing_of
from slipstream.upstream.model_lists import ModelLists
from slipstream.wire.talk.asking import Asked, Text, Turn

DAY = date(2026, 11, 21)
GENERAL = ["auto", "auto:cheapest", "auto:fastest", "qwen3.8-27b"]
CONFIG = """
[server]
profile = "{profile}"
[models.small]
aliases = ["tiny"]
[models.gone]
[providers.cerebras]
[routes."gpt-oss-120b"]
targets = ["small"]
profile = "cerebras"
[routes.mine]
targets = ["cerebras/qwen-3.8-27b"]
like = "qwen-3.8-27b"
[routes.plain]
targets = ["small"]
profile = "openai"
"""


def offer_of(folder: Path, profile: str = "auto") -> Offer:
    """Return the offer of a gateway whose model `gone` is not installed and none runs."""
    path = folder / "slipstream.toml"
    path.write_text(CONFIG.format(profile=profile))
    config = load(path, {"SLIPSTREAM_HOME": str(folder), "CEREBRAS_API_KEY": "csk"})
    served = ServedModels({"small": None}, {"gone": Missing("not installed", "")})  # type: ignore[dict-item]
    return made(config, served)


def made(config: Config, served: ServedModels) -> Offer:
    """Return the offer of a configuration, of which nobody is asked for lists."""
    catalogue = catalogue_of(config, served, DAY)
    planner = Planner(
        catalogue,
        Board(catalogue.facts_of, config.routing, Random(1)),
        needs_of=lambda call: Needs(),
        price_of=pricing_of(config),
        now_s=lambda: 0.0,
        wall_ns=lambda: 0,
        rng=Random(1),
    )
    return Offer(config, served, catalogue, planner, ModelLists({}, lambda: 0.0), {})


@pytest.mark.parametrize(
    ("name", "efforts"),
    [
        ("gpt-oss-120b", ("low", "medium", "high")),
        ("mine", ("none", "low", "medium", "high")),
        ("small", ("none", "low", "medium", "high")),
        ("cerebras/anything", ("none", "low", "medium", "high")),
        ("nobody", None),
        ("groq/llama", None),
    ],
)
def test_row_is_of_its_name_or_its_likeness(
    tmp_path: Path, name: str, efforts: tuple[str, ...] | None
) -> None:
    """A name that stands for nothing has none."""
    row = offer_of(tmp_path).row_of(name)
    assert (row and row.efforts) == efforts


def test_names_of_nothing_are_not_listed(tmp_path: Path) -> None:
    """Where nothing is configured that could be chosen, `auto` is no name."""
    path = tmp_path / "slipstream.toml"
    path.write_text("[models]\n[providers]\n")
    config = load(path, {"SLIPSTREAM_HOME": str(tmp_path)})
    assert made(config, ServedModels({}, {})).own_models() == []


def test_listed_model_has_the_window_of_its_target(tmp_path: Path) -> None:
    """What it is like may be larger than where its requests go."""
    listed = {each.name: each for each in offer_of(tmp_path).own_models()}
    assert listed["qwen3.8-27b"].context_tokens == 65_536
    assert listed["qwen3.8-27b"].max_output_tokens == 32_768


async def test_lists_have_what_could_answer(tmp_path: Path) -> None:
    """Also what is chosen among many, and plain names; a model that is not installed is not."""
    offer = offer_of(tmp_path)
    names = [listed.name for listed in offer.own_models()]
    assert names == ["gpt-oss-120b", "mine", "plain", "small", "tiny", *GENERAL]
    assert [entry["id"] for entry in await offer.all_models()] == names


def test_listed_model_says_what_it_costs_here(tmp_path: Path) -> None:
    """What runs here is free, whatever it is like; what is relayed has its provider's price."""
    listed = {each.name: each for each in offer_of(tmp_path).own_models()}
    assert listed["gpt-oss-120b"].prompt_usd == "0"
    assert float(listed["mine"].prompt_usd) > 0


@pytest.mark.parametrize(
    ("profile", "public"),
    [
        ("auto", {"gpt-oss-120b"}),
        ("openai", {"gpt-oss-120b"}),
        ("cerebras", {"gpt-oss-120b", "mine", "small", "tiny", *GENERAL}),
    ],
)
def test_only_names_under_the_profile_are_public(
    tmp_path: Path, profile: str, public: set[str]
) -> None:
    """An ordinary gateway tells nobody without a key what it has."""
    offer = offer_of(tmp_path, profile)
    assert {each.name for each in offer.own_models() if offer.is_public(each.name)} == public


def test_local_is_the_name_of_our_own(tmp_path: Path) -> None:
    """A served model is known by its pinned name, too."""
    assert offer_of(tmp_path).row_of(f"{LOCAL}/small") is not None


def test_price_that_nobody_knows_is_not_zero(tmp_path: Path) -> None:
    """A relayed model without a price is listed as such."""
    path = tmp_path / "slipstream.toml"
    path.write_text(
        '[models]\n[providers.lab]\nbase_url = "http://127.0.0.1:1/v1"\ndialect = "openai_chat"\n'
        '[routes.far]\ntargets = ["lab/unheard-of"]\n'
    )
    config = load(path, {"SLIPSTREAM_HOME": str(tmp_path)})
    offer = made(config, ServedModels({}, {}))
    assert [(each.name, each.is_priced) for each in offer.own_models()] == [("far", False)]


class Counting:
    """A served model that counts, or does not take what it is asked."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses

    async def count(self, asked: Asked, deadlines: Deadlines) -> int:
        """Count."""
        if self.refuses:
            raise Unsupported("no pictures")
        return 5


COUNTS = """
[models.one]
[models.two]
[providers.lab]
dialect = "openai_chat"
base_url = "http://127.0.0.1:1/v1"
[routes.ours]
targets = ["one", "two"]
[routes.mixed]
targets = ["one", "lab/m"]
[routes.far]
targets = ["lab/m", "one"]
"""


@pytest.mark.parametrize(
    ("model", "refusing", "tokens"),
    [
        ("one", "", 5),
        ("ours", "one", 5),
        ("mixed", "", 5),
        ("mixed", "one", 14),
        ("far", "", 14),
        ("lab/other", "", 14),
        ("ours", "one two", None),
        ("one", "one", None),
    ],
)
async def test_tokens_are_counted_by_the_first_that_takes_them(
    tmp_path: Path, model: str, refusing: str, tokens: int | None
) -> None:
    """Exactly by a model of ours, nearly for others; what none of ours takes is told so."""
    path = tmp_path / "slipstream.toml"
    path.write_text(COUNTS)
    config = load(path, {"SLIPSTREAM_HOME": str(tmp_path)})
    models: Any = {name: Counting(name in refusing) for name in ("one", "two")}
    offer = made(config, ServedModels(models, {}))
    asked = Asked(dialect="x", model=model, turns=(Turn("user", (Text("word " * 8),)),))
    if tokens is None:
        with pytest.raises(Unsupported):
            await offer.count_tokens(asked)
    else:
        assert await offer.count_tokens(asked) == tokens


async def test_tokens_of_what_is_not_there_are_not_counted(tmp_path: Path) -> None:
    """A name that stands for nothing, and a model that is not installed; nobody is asked."""
    offer = offer_of(tmp_path)
    turns = (Turn("user", (Text("x"),)),)
    with pytest.raises(UnknownModel):
        await offer.count_tokens(Asked(dialect="x", model="nowhere", turns=turns))
    with pytest.raises(LoadFailed):
        await offer.count_tokens(Asked(dialect="x", model="gone", turns=turns))
    call = Call(
        call_id="c", dialect=Dialect.ANTHROPIC_MESSAGES, body=b"", model="small", key_id="k"
    )
    assert await offer.count_elsewhere(call) is None
