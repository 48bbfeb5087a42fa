"""The records that stand in for genai-prices' own: all that its data uses, and how they match."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path

import genai_prices
import pytest

from slipstream.catalog.genai import types as genai


def test_all_names_that_the_data_file_uses_are_here() -> None:
    """A new class in a new release is noticed here, not in production."""
    text = Path(genai_prices.__file__).with_name("data.py").read_text()
    code = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "''", text)
    used = set(re.findall(r"\b([A-Z]\w+)\(", code)) - {"Decimal"}
    assert used <= set(genai.__all__)


@pytest.mark.parametrize(
    ("clause", "text", "is_match"),
    [
        (genai.ClauseEquals("Gpt-5"), "gpt-5", True),
        (genai.ClauseEquals("gpt-5"), "gpt-5x", False),
        (genai.ClauseStartsWith("GPT"), "gpt-5", True),
        (genai.ClauseEndsWith("-5"), "gpt-5", True),
        (genai.ClauseEndsWith("gpt"), "gpt-5", False),
        (genai.ClauseContains("T-"), "gpt-5", True),
        (genai.ClauseRegex(r"^gpt-\d$"), "gpt-5", True),
        (genai.ClauseRegex(r"^gpt-\d$"), "gpt-55", False),
        (genai.ClauseOr([genai.ClauseEquals("a"), genai.ClauseEquals("b")]), "b", True),
        (genai.ClauseAnd([genai.ClauseContains("a"), genai.ClauseContains("b")]), "a", False),
    ],
)
def test_clause_matches_lower_case_names(clause: genai.Clause, text: str, is_match: bool) -> None:
    """Names arrive in lower case; what a clause holds may be in any."""
    assert clause.is_match(text) is is_match


@pytest.mark.parametrize(
    ("hour", "is_active"), [(21, False), (22, True), (23, True), (0, True), (5, True), (6, False)]
)
def test_time_of_day_over_midnight_is_active_on_both_sides(hour: int, is_active: bool) -> None:
    """From 22:00 until, and without, 06:00."""
    constraint = genai.TimeOfDateConstraint(time(22), time(6))
    assert constraint.is_active(datetime(2026, 1, 1, hour, tzinfo=UTC)) is is_active


def test_time_of_day_in_another_zone_is_read_as_utc() -> None:
    """10:00 at +08:00 is 02:00 UTC, and so are its bounds."""
    zone = timezone(timedelta(hours=8))
    constraint = genai.TimeOfDateConstraint(time(10, tzinfo=zone), time(12, tzinfo=zone))
    assert constraint.is_active(datetime(2026, 1, 1, 3, tzinfo=UTC))
    assert not constraint.is_active(datetime(2026, 1, 1, 10, tzinfo=UTC))
    assert [moment.hour for moment in constraint.bounds(date(2026, 1, 1))] == [2, 4]


def _model(name: str) -> genai.ModelInfo:
    return genai.ModelInfo(id=name, match=genai.ClauseEquals(name))


def test_find_model_reads_compact_days_and_looks_at_stand_ins() -> None:
    """`x-20251104` is `x-2025-11-04`; a provider may name others that price its models."""
    first = genai.Provider("a", "A", "", [_model("x-2025-11-04")], fallback_model_providers=["b"])
    second = genai.Provider("b", "B", "", [_model("y")])
    others = {"a": first, "b": second}
    for name, found in [("X-20251104", "x-2025-11-04"), ("y", "y"), ("x-20251304", None)]:
        model = first.find_model(name, others)
        assert (model.id if model else None) == found


def test_price_at_takes_the_last_active_one_or_else_the_first() -> None:
    """Later entries win; where none holds, the first stands."""
    start, late = (
        genai.StartDateConstraint(date(2026, 1, 1)),
        genai.StartDateConstraint(date(2027, 1, 1)),
    )
    listed = [
        genai.ConditionalPrice(prices=genai.ModelPrice(), constraint=c) for c in (start, late)
    ]
    model = genai.ModelInfo(id="m", match=genai.ClauseEquals("m"), prices=listed)
    assert model.price_at(datetime(2026, 6, 1, tzinfo=UTC)) is listed[0]
    assert model.price_at(datetime(2027, 6, 1, tzinfo=UTC)) is listed[1]
    assert model.price_at(datetime(2020, 6, 1, tzinfo=UTC)) is listed[0]
    assert (
        genai.ModelInfo(id="m", match=model.match).price_at(datetime(2026, 1, 1, tzinfo=UTC))
        is None
    )
