"""`slipstream cost`: table, exact JSON, an empty ledger, spans of days, a live gateway."""

import json
from pathlib import Path

import pytest

from slipstream.cli.cost import cost
from slipstream.errors import ConfigError
from slipstream.ledger.journal import Journal
from slipstream.ledger.notices import journal_directory
from slipstream.limits.keys import create_key
from tests.ledger.samples import NOON_NS, new_home, opened, settled, store_in


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for an installation, away from any configuration of this machine."""
    monkeypatch.chdir(tmp_path)
    return new_home(tmp_path / "home")


@pytest.fixture
def used_home(home: Path) -> Path:
    """Return an installation with a journal of four attempts, none of them drained."""
    with store_in(home) as store:
        key, _ = create_key(store, "bob", NOON_NS)
    journal = Journal(journal_directory(home))
    for number, usd_pico in enumerate((1_234_567_890_123, 1, None)):
        journal.open(opened(f"a-{number}", key_id=key.key_id))
        journal.settle(settled(f"a-{number}", cost_usd_pico=usd_pico))
    journal.open(opened("b", provider="groq"))
    journal.settle(settled("b", "failed", 5_000_000))
    journal.close()
    return home


def test_cost_of_an_empty_ledger_is_a_friendly_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No table of nothing; what to do is said."""
    cost(home=home)
    assert capsys.readouterr().out.startswith("No attempt is on record yet.")


def test_cost_as_json_is_exact(used_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every pico-dollar, as text; what is absorbed and what is unknown apart."""
    cost(by="provider", as_json=True, home=used_home)
    shown = json.loads(capsys.readouterr().out)
    assert shown["by"] == ["provider"]
    cerebras, groq = shown["rows"]
    assert cerebras["provider"] == "cerebras"
    assert cerebras["attempts"] == 3
    assert cerebras["cost_usd"] == "1.234567890124"
    assert cerebras["unknown_cost_attempts"] == 1
    assert (groq["cost_usd"], groq["absorbed_usd"]) == ("0", "0.000005")
    assert groq["states"]["failed"] == 1
    assert shown["total"]["tokens"]["input_tokens"] == 40
    assert shown["total"]["cost_usd"] == "1.234567890124"


def test_cost_as_json_of_an_empty_ledger_has_no_rows(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program gets JSON in any case."""
    cost(as_json=True, home=home)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["rows"], shown["total"]) == ([], None)


def test_cost_as_a_table_shows_names_and_what_is_left_out(
    used_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys by their name, a line of totals, and notes on failures and unknown prices."""
    monkeypatch.setenv("COLUMNS", "160")
    cost(by="provider,key", home=used_home)
    shown = capsys.readouterr().out
    assert "bob" in shown
    assert "1.234568" in shown
    assert "0.000005" in shown
    assert "1 failed" in shown
    assert "Cost unknown, in no sum: 1 attempts." in shown


def test_cost_of_lost_races_is_a_column_of_its_own(
    used_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there were any: neither what answers cost nor what was absorbed."""
    monkeypatch.setenv("COLUMNS", "160")
    cost(by="cause", home=used_home)
    assert "raced out" not in capsys.readouterr().out
    journal = Journal(journal_directory(used_home))
    journal.open(opened("c", number=2, cause="hedge"))
    journal.settle(settled("c", "outraced", 7_000_000, is_estimate=True))
    journal.close()
    cost(by="cause", home=used_home)
    shown = capsys.readouterr().out
    assert "raced out USD" in shown
    assert "0.000007" in shown
    assert "Lost a race: 1;" in shown
    assert "Without a whole answer: 1 failed;" in shown
    cost(by="state", as_json=True, home=used_home)
    rows = {row["state"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows["outraced"]["outraced_usd"] == "0.000007"
    assert rows["outraced"]["cost_usd"] == rows["outraced"]["absorbed_usd"] == "0"


def test_cost_on_a_narrow_terminal_shortens_no_figure(
    used_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns and fewer the money was once shown as `0.000…`; no figure may be cut."""
    for columns in ("80", "30"):
        monkeypatch.setenv("COLUMNS", columns)
        cost(by="provider,model,key,day", home=used_home)
        shown = capsys.readouterr().out
        assert "1.234568" in shown
        assert "…" not in shown


def test_cost_known_of_no_attempt_is_unknown_and_not_zero(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model without a price does not look free."""
    monkeypatch.setenv("COLUMNS", "160")
    journal = Journal(journal_directory(home))
    journal.open(opened())
    journal.settle(settled(cost_usd_pico=None))
    journal.close()
    cost(home=home)
    assert "unknown" in capsys.readouterr().out


def test_cost_of_a_span_takes_whole_days(
    used_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Since and until are days, both included; outside of them a line says so."""
    for since, until, number in [("2026-11-21", "2026-11-21", 4), ("", "2026-11-20", 0)]:
        cost(as_json=True, since=since, until=until, home=used_home)
        total = json.loads(capsys.readouterr().out)["total"]
        assert (total["attempts"] if total else 0) == number
    cost(since="2027-01-01", home=used_home)
    assert capsys.readouterr().out.startswith("No attempt is on record in that span")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"by": "provder"}, "did you mean 'provider'"),
        ({"since": "yesterday"}, "--since: 'yesterday' is no day"),
        ({"until": "2026-13-01"}, "--until: '2026-13-01' is no day"),
    ],
)
def test_cost_refuses_what_it_cannot_read(
    home: Path, options: dict[str, str], complaint: str
) -> None:
    """The text names the option, the value and what is accepted."""
    with pytest.raises(ConfigError, match=complaint):
        cost(home=home, **options)  # type: ignore[arg-type]


def test_cost_beside_a_live_writer_shows_what_is_settled(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A running gateway's attempts count as soon as they end, and none is called lost."""
    journal = Journal(journal_directory(home))
    for number in range(3):
        journal.open(opened(f"a-{number}"))
    journal.settle(settled("a-0"))
    for number_settled in (1, 2):
        cost(by="", as_json=True, home=home)
        total = json.loads(capsys.readouterr().out)["total"]
        assert (total["attempts"], total["states"]["lost"]) == (number_settled, 0)
        journal.settle(settled("a-1"))
    journal.close()


def test_cost_by_nothing_shows_one_line_of_totals(
    used_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty `--by` is the grand total."""
    monkeypatch.setenv("COLUMNS", "160")
    cost(by="", home=used_home)
    assert "attempts" in capsys.readouterr().out
