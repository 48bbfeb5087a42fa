"""Tests of slipstream.wire.cerebras.models."""

from typing import Any

import msgspec
import pytest

from slipstream.wire.cerebras.models import MODELS, CerebrasModel, row_for, row_from


@pytest.mark.parametrize("name", sorted(MODELS))
def test_row_is_one_that_could_be_configured(name: str) -> None:
    """Every row fits the types and bounds that overrides are checked against."""
    said = msgspec.to_builtins(MODELS[name])
    del said["name"]
    assert row_from(CerebrasModel(name=name), said) == MODELS[name]


def test_row_for_known_name_is_its_own() -> None:
    """A row of the catalogue stands for its name, whatever the engine's context is."""
    assert row_for("gpt-oss-120b", context_tokens=10) is MODELS["gpt-oss-120b"]


def test_row_for_unknown_name_permits_all_but_images() -> None:
    """A model that Cerebras never had is held back by nothing but the engine."""
    row = row_for("smollm2-135m", context_tokens=8192)
    assert (row.name, row.max_context_tokens, row.max_output_tokens) == ("smollm2-135m", 8192, 8192)
    assert row.efforts == ("none", "low", "medium", "high")
    assert row.has_prediction
    assert row.has_developer
    assert row.has_clear_thinking
    assert row.has_parallel_tools
    assert row.max_images == 0
    assert row.prompt_usd_pico is None


def test_row_from_replaces_what_is_said_and_nothing_else() -> None:
    """TOML's arrays become tuples; other fields keep their values."""
    row = row_from(MODELS["gpt-oss-120b"], {"efforts": ["low", "none"], "default_effort": "low"})
    assert row == msgspec.structs.replace(
        MODELS["gpt-oss-120b"], efforts=("low", "none"), default_effort="low"
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"efort": []}, ["efort:", "'efforts'"]),
        ({"name": "x"}, ["name:", "'title'"]),
        ({"zzz": 1}, ["zzz:", "'max_images'"]),
        ({"efforts": ["hi"]}, ["efforts:", "'hi'", "'low'", "'high'"]),
        ({"default_format": "none"}, ["default_format:", "'none'", "'text_parsed'"]),
        ({"max_context_tokens": 0}, ["max_context_tokens:", ">= 1"]),
        ({"max_images": 1.5}, ["max_images:", "int"]),
        ({"has_developer": "yes"}, ["has_developer:", "bool"]),
        ({"title": ""}, ["title:", "length >= 1"]),
        ({"supported_parameters": ["top_k"]}, ["supported_parameters:", "'top_p'"]),
        ({"efforts": []}, ["default_effort:", "'medium'"]),
        ({"formats": ["none", "raw"]}, ["default_format:", "'raw'", "'text_parsed'"]),
    ],
)
def test_row_from_names_what_is_wrong(said: dict[str, Any], words: list[str]) -> None:
    """The problem names the key, and the value or what is accepted."""
    with pytest.raises(ValueError, match=":") as caught:
        row_from(MODELS["gpt-oss-120b"], said)
    assert [word for word in words if word not in str(caught.value)] == []
