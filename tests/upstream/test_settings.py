"""What the configuration may say of providers, served models and deadlines."""

from pathlib import Path
from typing import Any

import pytest

from slipstream.call import Dialect
from slipstream.choice import Deadlines
from slipstream.toml_settings import Problems, build
from slipstream.upstream.settings import (
    DIALECTS,
    DeadlineSettings,
    ModelSettings,
    ProviderSettings,
)


def _build(cls: type[Any], **table: object) -> tuple[Any, list[str]]:
    problems = Problems(Path("f.toml"), {})
    return build(cls, table, "t", problems), problems.texts


def test_defaults_are_those_of_the_records_that_they_become() -> None:
    """The deadlines that nobody set are the same wherever they are read."""
    settings, plain = DeadlineSettings(), Deadlines()
    for name in Deadlines.__struct_fields__:
        assert getattr(settings, name) == getattr(plain, name)


def test_dialects_are_dialects() -> None:
    """What may be written is what the gateway speaks."""
    assert set(DIALECTS) <= set(Dialect)


@pytest.mark.parametrize("wrong", [0, -1, 0.01, 1e9, float("nan"), float("inf"), "5", None])
def test_deadline_out_of_range_is_refused(wrong: object) -> None:
    """No phase is without an end, and none ends before it began."""
    for name in Deadlines.__struct_fields__:
        record, [problem] = _build(DeadlineSettings, **{name: wrong})
        assert record is None
        assert f"t.{name}: expected a number from 0.05 to " in problem


def test_everything_of_a_provider_and_a_model_has_a_default() -> None:
    """A table may be empty: a built-in provider's row, and a model under its own name."""
    assert _build(ProviderSettings)[0] == ProviderSettings(warm_connections=1)
    assert _build(ModelSettings)[0] == ModelSettings(None, ())


def test_warm_connections_are_bounded() -> None:
    """None, or a few."""
    assert _build(ProviderSettings, warm_connections=0)[0].warm_connections == 0
    for wrong in (-1, 65, 1.0):
        assert "from 0 to 64" in _build(ProviderSettings, warm_connections=wrong)[1][0]


def test_key_of_the_wrong_type_is_not_shown() -> None:
    """A key in brackets is still a key."""
    [problem] = _build(ProviderSettings, api_key=["sk-live-1234"])[1]
    assert problem == "f.toml: t.api_key: expected a string, got an array"
