"""The two records of an attempt and the row that they make."""

import msgspec
import pytest
from msgspec.structs import astuple

from slipstream.call import BUCKETS
from slipstream.ledger.records import COLUMNS, Opened, Settled, attempt_row, lost_row
from tests.ledger.samples import buckets, opened, settled


def _named(row: tuple[object, ...]) -> dict[str, object]:
    return dict(zip(COLUMNS, row, strict=True))


def test_attempt_row_puts_every_field_under_its_name() -> None:
    """Nothing moves to a neighbouring column."""
    first, last = opened(), settled(buckets=buckets(input_tokens=3, output_audio_tokens=4))
    row = _named(attempt_row(first, last))
    for name in Opened.__struct_fields__:
        assert row[name] == getattr(first, name)
    for name in set(Settled.__struct_fields__) - {"buckets"}:
        assert row[name] == getattr(last, name)
    assert {name: row[name] for name in BUCKETS if row[name]} == {
        "input_tokens": 3,
        "output_audio_tokens": 4,
    }


def test_lost_row_knows_neither_usage_nor_cost() -> None:
    """An attempt whose process died is there, with an unknown cost."""
    row = _named(lost_row(opened(number=2)))
    assert row["state"] == "lost"
    assert row["number"] == 2
    assert row["cost_usd_pico"] is None
    assert row["is_estimate"] is True
    assert all(row[name] == 0 for name in BUCKETS)


def test_attempt_row_of_an_earlier_version_fills_missing_buckets() -> None:
    """A journal written before a bucket existed can be drained after an upgrade."""
    row = _named(attempt_row(opened(), settled(buckets=(1, 2))))
    assert [row[name] for name in BUCKETS[:3]] == [1, 2, 0]
    assert row["is_estimate"] is False


@pytest.mark.parametrize(("number", "cause"), [(1, "first"), (2, "fallback")])
def test_attempt_row_of_an_earlier_version_has_the_cause_that_its_number_says(
    number: int, cause: str
) -> None:
    """A journal written before causes existed knew only first attempts and fallbacks."""
    written = msgspec.msgpack.encode([1, *astuple(opened(number=number))[:-1]])
    old = msgspec.msgpack.decode(written, type=Opened)
    assert old.cause is None
    assert _named(attempt_row(old, settled()))["cause"] == cause
    assert _named(lost_row(old))["cause"] == cause


def test_records_decode_to_what_was_encoded() -> None:
    """Each record is told apart by its tag."""
    decoder = msgspec.msgpack.Decoder(Opened | Settled)
    for record in (opened(), settled()):
        assert decoder.decode(msgspec.msgpack.encode(record)) == record
