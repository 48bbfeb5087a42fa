"""Totals against figures worked out by hand."""

from datetime import date
from pathlib import Path

import pytest

from slipstream.errors import ConfigError
from slipstream.ledger.cost import usd_text
from slipstream.ledger.drain import drain_all
from slipstream.ledger.journal import Journal
from slipstream.ledger.records import Opened, Settled
from slipstream.ledger.reports import parse_groups, totals
from tests.ledger.samples import NOON_NS, buckets, opened, settled, store_in

_DAY_NS = 86_400_000_000_000
_USD = 10**12


def _fill(home: Path, *pairs: tuple[Opened, Settled | None]) -> None:
    """Put attempts on record and into the ledger; those that are never settled become lost."""
    journal = Journal(home / "journal")
    for first, last in pairs:
        journal.open(first)
        if last is not None:
            journal.settle(last)
    journal.close()
    with store_in(home) as store:
        drain_all(store, home / "journal")


def _example(home: Path) -> None:
    cut = settled("d", "cut", 30, is_estimate=True, buckets=buckets(output_tokens=1))
    loser = settled("f", "outraced", 7, is_estimate=True, buckets=buckets(input_tokens=2))
    _fill(
        home,
        (opened("a"), settled("a", cost_usd_pico=100)),
        (opened("b", key_id="key-2"), settled("b", cost_usd_pico=20)),
        (opened("c", model="other"), settled("c", cost_usd_pico=None)),
        (opened("d", started_at_ns=NOON_NS + _DAY_NS), cut),
        (opened("e", provider="groq"), None),
        (opened("f", provider="groq", key_id="key-2", number=2, cause="hedge"), loser),
    )


def test_totals_of_everything_are_as_worked_out_by_hand(home: Path) -> None:
    """Three answered (one of unknown price), one cut, one lost, one outraced."""
    _example(home)
    with store_in(home) as store:
        (whole,) = totals(store)
    assert whole.group == ()
    assert whole.num_attempts == 6
    assert whole.by_state == {
        "complete": 3,
        "failed": 0,
        "cut": 1,
        "cancelled": 0,
        "outraced": 1,
        "lost": 1,
    }
    assert whole.tokens["input_tokens"] == 32
    assert whole.tokens["output_tokens"] == 16
    assert whole.cost_usd_pico == 120
    assert whole.outraced_usd_pico == 7
    assert whole.absorbed_usd_pico == 30
    assert whole.num_unknown_cost == 2
    assert whole.num_estimates == 3


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (("provider",), {("cerebras",): (4, 120), ("groq",): (2, 0)}),
        (("key",), {("key-1",): (4, 100), ("key-2",): (2, 20)}),
        (("day",), {("2026-11-21",): (5, 120), ("2026-11-22",): (1, 0)}),
        (
            ("model", "key"),
            {
                ("gpt-oss-120b", "key-1"): (3, 100),
                ("gpt-oss-120b", "key-2"): (2, 20),
                ("other", "key-1"): (1, 0),
            },
        ),
        (("route",), {("fast",): (6, 120)}),
        (("cause",), {("first",): (5, 120), ("hedge",): (1, 0)}),
        (
            ("state",),
            {("complete",): (3, 120), ("cut",): (1, 0), ("lost",): (1, 0), ("outraced",): (1, 0)},
        ),
    ],
)
def test_totals_by_group_split_the_whole(
    home: Path, by: tuple[str, ...], expected: dict[tuple[str, ...], tuple[int, int]]
) -> None:
    """Each combination of groups, in order, each attempt in one of them."""
    _example(home)
    with store_in(home) as store:
        found = totals(store, by)
    assert {each.group: (each.num_attempts, each.cost_usd_pico) for each in found} == expected
    assert [each.group for each in found] == sorted(expected)


def test_totals_of_a_span_include_first_and_last_day(home: Path) -> None:
    """Days are UTC; midnight belongs to the day that it begins."""
    midnight_ns = NOON_NS + _DAY_NS // 2
    _fill(
        home,
        (opened("a", started_at_ns=midnight_ns - 1), settled("a")),
        (opened("b", started_at_ns=midnight_ns), settled("b")),
        (opened("c", started_at_ns=midnight_ns + _DAY_NS), settled("c")),
    )
    first, second = date(2026, 11, 21), date(2026, 11, 22)
    spans = [(None, None, 3), (second, None, 2), (None, first, 1), (second, second, 1)]
    with store_in(home) as store:
        for since, until, number in spans:
            (found,) = totals(store, (), since, until)
            assert found.num_attempts == number
        assert totals(store, (), date(2027, 1, 1)) == []
        assert totals(store, ("day",), date(2027, 1, 1)) == []


def test_totals_over_what_one_integer_holds_are_exact(home: Path) -> None:
    """Thirty million dollars in pico-dollars are more than a database's sum can hold."""
    cost = 9_000_000 * _USD + 1
    _fill(home, *((opened(str(n)), settled(str(n), cost_usd_pico=cost)) for n in range(4)))
    with store_in(home) as store:
        (whole,) = totals(store)
    assert whole.cost_usd_pico == 4 * cost


def test_totals_of_an_empty_ledger_are_none(home: Path) -> None:
    """No attempts, no rows, whether grouped or not."""
    with store_in(home) as store:
        assert totals(store) == []
        assert totals(store, ("provider",)) == []


@pytest.mark.parametrize(
    ("usd_pico", "text"),
    [
        (0, "0"),
        (1, "0.000000000001"),
        (462_500_000, "0.0004625"),
        (12 * _USD, "12"),
        (100 * _USD + 5 * 10**11, "100.5"),
        (10**30 + 1, "1000000000000000000.000000000001"),
    ],
)
def test_usd_text_is_exact(usd_pico: int, text: str) -> None:
    """No rounding, no exponent, no trailing zeros."""
    assert usd_text(usd_pico) == text


def test_parse_groups_reads_a_list() -> None:
    """Order is kept, spaces do not matter, nothing means one grand total."""
    assert parse_groups(" day, provider") == ("day", "provider")
    assert parse_groups("") == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("modle", "did you mean 'model'"), ("zzz", "accepted: provider, model"), ("day,day", "twice")],
)
def test_parse_groups_refuses_what_it_does_not_know(text: str, complaint: str) -> None:
    """The text names what was wrong, the nearest and what is accepted."""
    with pytest.raises(ConfigError, match=complaint):
        parse_groups(text)
