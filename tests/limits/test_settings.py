"""What a `[limits.NAME]` table may hold."""

import re
from typing import Any

import pytest

from slipstream.limits.settings import LimitSettings
from slipstream.toml_settings import Problems, build


def _build(table: dict[str, Any]) -> tuple[LimitSettings | None, list[str]]:
    problems = Problems(None, {})
    return build(LimitSettings, table, "limits.bob", problems), problems.texts


def test_limits_that_are_left_out_are_none() -> None:
    """An empty table limits nothing, each model by itself."""
    assert _build({}) == (LimitSettings(), [])
    assert LimitSettings().per == "model"
    assert {getattr(LimitSettings(), name) for name in LimitSettings.__slots__} == {None, "model"}


def test_limits_are_read_as_they_stand() -> None:
    """Requests, uncached and total tokens; per minute, hour and day."""
    table = {
        f"{what}_per_{unit}": number
        for number, (what, unit) in enumerate(
            (
                (what, unit)
                for what in ("requests", "uncached_tokens", "tokens")
                for unit in ("minute", "hour", "day")
            ),
            1,
        )
    }
    found, problems = _build({**table, "per": "key"})
    assert problems == []
    assert {name: getattr(found, name) for name in table} == table
    assert found is not None
    assert found.per == "key"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"requests_per_minute": 0}, "at least 1|from 1 to"),
        ({"tokens_per_day": 10**12 + 1}, "from 1 to 1000000000000 "),
        ({"tokens_per_hour": 1.5}, "a whole number"),
        ({"requests_per_second": 1}, "unknown key; did you mean 'requests_per_"),
        ({"per": "user"}, "'model', 'key'"),
    ],
)
def test_limits_that_cannot_be_are_refused(table: dict[str, Any], words: str) -> None:
    """The problem names the key and what is accepted."""
    found, [problem] = _build(table)
    assert found is None
    assert f"limits.bob.{next(iter(table))}" in problem
    assert re.search(words, problem)
