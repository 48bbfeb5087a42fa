"""`slipstream explain CALL`: each attempt of a past call, the sum, and what to do about a slip."""

import json
import re
from pathlib import Path

import pytest

from slipstream.call import State
from slipstream.cli.past_calls import NoSuchCall, as_json, past_call, show
from slipstream.config import Config, load
from slipstream.ledger.journal import Journal
from slipstream.ledger.notices import journal_directory
from tests.ledger.samples import NOON_NS, buckets, new_home, opened, settled

CALL = "req-0a1b2c3d4e5f-1a"
_MS = 1_000_000


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return an installation with a call of three attempts: one failed, and two raced."""
    home = new_home(tmp_path / "home")
    journal = Journal(journal_directory(home))
    runners: tuple[tuple[str, str, State, int | None, dict[str, object]], ...] = (
        ("groq", "first", "failed", None, {"error_code": "upstream_timeout", "http_status": 504}),
        ("cerebras", "fallback", "outraced", 2_000_000_000, {"is_estimate": True}),
        ("openai", "hedge", "complete", 1_000_000_000_001, {}),
    )
    for number, (provider, cause, *_) in enumerate(runners, 1):
        journal.open(
            opened(
                f"{CALL}-{number}",
                call_id=CALL,
                number=number,
                provider=provider,
                credential="2" if provider == "openai" else "default",
                cause=cause,
                started_at_ns=NOON_NS + number * 100 * _MS,
            )
        )
    for number, (_, _, state, cost, more) in enumerate(runners, 1):
        told: dict[str, object] = {
            "total_us": 500_000,
            "first_token_us": None if number == 1 else 250_000,
            **more,
        }
        tokens = buckets() if number == 1 else buckets(input_tokens=1000, output_tokens=20)
        journal.settle(settled(f"{CALL}-{number}", state, cost, buckets=tokens, **told))
    journal.close()
    path = tmp_path / "slipstream.toml"
    path.write_text("[models]\n")
    return load(path, {"SLIPSTREAM_HOME": str(home)})


def shown(config: Config, capsys: pytest.CaptureFixture[str], said: str = CALL) -> str:
    """Return what is printed of a call, every run of white space as one space."""
    show(past_call(config, said))
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_every_attempt_is_shown_with_its_end(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """Target, cause, outcome, times, tokens and cost, and the sum of what can be summed."""
    text = shown(config, capsys)
    assert f"{CALL} route fast 2026-11-21 12:00:00 UTC" in text
    assert (
        "1 groq/gpt-oss-120b first failed: upstream_timeout 504 500 ms 0 0 unknown "
        "2 cerebras/gpt-oss-120b fallback outraced 250 ms 500 ms 1,000 20 0.002000 "
        "3 openai/gpt-oss-120b (key 2) hedge ok 250 ms 500 ms 1,000 20 1.000000 "
        "sum 3 attempts 700 ms 2,000 40 1.002000"
    ) in text


def test_sum_says_what_it_leaves_out(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """What was absorbed, what is estimated and what is not known."""
    text = shown(config, capsys)
    assert "Of the cost, 0.002000 went to attempts that gave no whole answer." in text
    assert "Cost unknown, not in the sum: 1 attempt." in text
    assert "Tokens estimated: 1 attempt." in text


def test_id_of_an_attempt_finds_its_call(config: Config) -> None:
    """The ledger's own ids are what people copy from it, with a line end or without."""
    assert past_call(config, f"{CALL}-2").call_id == CALL
    assert past_call(config, f"{CALL}\r\n").call_id == CALL


def test_json_has_exact_figures(config: Config) -> None:
    """Money as text; the sum is null where a part of it is not known."""
    told = json.loads(as_json(past_call(config, CALL)))
    assert (told["call_id"], told["open_attempts"], told["cost_usd"]) == (CALL, 0, None)
    assert [each["cause"] for each in told["attempts"]] == ["first", "fallback", "hedge"]
    assert told["attempts"][2]["cost_usd"] == "1.000000000001"
    assert told["attempts"][1]["tokens"]["input_tokens"] == 1000


def test_attempts_that_still_run_are_told(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call in progress is not unknown."""
    journal = Journal(journal_directory(config.home))
    journal.open(opened("req-1-1", call_id="req-1"))
    text = shown(config, capsys, "req-1")
    journal.close()
    assert "Still running: 1 attempt." in text


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (CALL.replace("0a1b", "0a1c"), f"Did you mean {CALL}?"),
        ("nothing-like-it", "is on record. The id is in an answer's header x-request-id"),
        ("", "is on record. The id is in"),
    ],
)
def test_call_that_is_not_known_names_the_nearest(
    config: Config, said: str, complaint: str
) -> None:
    """And where ids come from."""
    with pytest.raises(NoSuchCall, match=re.escape(complaint)):
        past_call(config, said)
