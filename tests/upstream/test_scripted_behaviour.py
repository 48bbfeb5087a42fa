"""Tests of the table of behaviours and of its three ways in."""

import re
from pathlib import Path

import pytest

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.behaviour import (
    ORDINARY,
    ROWS,
    Behaviour,
    merge,
    parse_header,
    parse_values,
    split_model,
)

DOCS = Path(__file__).parents[2] / "docs" / "mock.md"

# row -> (as text, as value); every row must be here
SAMPLES: dict[str, tuple[str, object]] = {
    "text": ("a%2C b%26c", "a, b&c"),
    "tokens": ("50", 50),
    "empty": ("", True),
    "calls": ("2", 2),
    "tool": ("Bash", "Bash"),
    "arguments": ("%5B%22ls%22%2C%22pwd%22%5D", '["ls","pwd"]'),
    "finish": ("content_filter", "content_filter"),
    "reasoning": ("3", 3),
    "reasoning_field": ("both", "both"),
    "redact": ("", True),
    "refuse": ("", True),
    "call_pieces": ("whole", "whole"),
    "cached": ("7", 7),
    "cache_write": ("7", 7),
    "remaining": ("0", 0),
    "quota": ("3", 3),
    "quota_s": ("1.5", 1.5),
    "usage": ("none", "none"),
    "status": ("429", 429),
    "retry_after": ("2", 2.0),
    "code": ("insufficient_quota", "insufficient_quota"),
    "body": ("%7B%7D", "{}"),
    "error_in_200": ("true", True),
    "error_after": ("0", 0),
    "delay": ("0.2", 0.2),
    "delay_headers_only": ("1", True),
    "gap": ("0.01", 0.01),
    "rate": ("100", 100.0),
    "stall_after": ("2", 2),
    "malformed_chunk": ("1", 1),
    "no_done": ("yes", True),
    "cut": ("100", 100),
    "cut_body": ("0", 0),
    "reset": ("", True),
    "http_garbage": ("", True),
    "split": ("7", 7),
    "events_per_write": ("4", 4),
    "crlf": ("", True),
    "comments": ("", True),
    "close_delimited": ("", True),
    "chunked_tiny": ("", True),
    "early_hints": ("", True),
    "header_bytes": ("100", 100),
    "share": ("0.25", 0.25),
    "only_key": ("sk-1", "sk-1"),
    "seed": ("7", 7),
}


def test_samples_hold_every_row() -> None:
    """A row that is added must be added to these tests."""
    assert set(SAMPLES) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_behaviour_by_header_model_and_control_is_the_same(name: str) -> None:
    """The three ways share one table: each gives the same record."""
    text, value = SAMPLES[name]
    expected = Behaviour(**{name: value})  # type: ignore[arg-type]
    assert expected != ORDINARY
    pair = f"{name}={text}" if text else name
    assert merge(parse_header(pair)) == expected
    assert merge(split_model(f"a/b:c?{pair}")[1]) == expected
    assert merge(parse_values({name: value})) == expected


def test_behaviour_in_several_sources_the_later_wins() -> None:
    """Sources are merged name by name."""
    merged = merge({"status": 500, "delay": 1.0}, {}, {"status": 429}, {"code": "x"})
    assert merged == Behaviour(status=429, delay=1.0, code="x")


def test_behaviour_of_nothing_is_the_shared_ordinary_one() -> None:
    """An ordinary request costs no record: the fast path depends on identity."""
    assert merge({}, {}, {}) is ORDINARY
    assert merge(parse_header(" , ")) is ORDINARY


def test_model_name_without_suffix_is_left_alone() -> None:
    """Only a question mark begins a suffix."""
    assert split_model("openai/gpt-oss-120b") == ("openai/gpt-oss-120b", {})
    assert split_model("m?cut=1&reset") == ("m", {"cut": 1, "reset": True})


def test_unknown_behaviour_is_refused_with_the_nearest() -> None:
    """A misspelt name must not make a test pass for the wrong reason."""
    for parse in (parse_header, lambda text: parse_values({text.partition("=")[0]: 1})):
        with pytest.raises(BadRequest, match=r"unknown behaviour 'stal_after'.*'stall_after'"):
            parse("stal_after=1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("status=abc", "status takes a whole number from 200 to 599, not 'abc'"),
        ("status=700", "status takes a whole number from 200 to 599, not 700"),
        ("status=", "status takes a whole number from 200 to 599, not ''"),
        ("delay=nan", "delay takes a number from 0 to 86400"),
        ("delay=-1", "delay takes a number from 0 to 86400"),
        ("usage=some", "usage takes normal or none, not 'some'"),
        ("reset=perhaps", "reset takes no value, true or false, not 'perhaps'"),
        ("split=0", "split takes a whole number from 1"),
        ("delay=normal:1:2", "delay takes a number from 0 to 86400, or lognormal:MEDIAN:SIGMA"),
        ("delay=exp:1:2", "not 'exp:1:2'"),
        ("delay=exp:nan", "not 'exp:nan'"),
        ("rate=pareto:1:0", "not 'pareto:1:0'"),
        ("retry_after=exp:1", "retry_after takes a number from 0 to 86400, not 'exp:1'"),
    ],
)
def test_wrong_value_is_refused_with_what_is_accepted(text: str, said: str) -> None:
    """An error names the field, the value and what would be valid."""
    with pytest.raises(BadRequest, match=re.escape(said)):
        parse_header(text)


@pytest.mark.parametrize("values", [{"status": "429"}, {"cut": 1.0}, {"reset": 1}, {"cut": True}])
def test_value_of_another_type_by_control_is_refused(values: dict[str, object]) -> None:
    """JSON has types: a number in quotes is a mistake, true is no number."""
    with pytest.raises(BadRequest, match="takes"):
        parse_values(values)


def test_whole_number_by_control_is_accepted_where_a_number_is() -> None:
    """JSON writers drop the fraction of 1.0."""
    assert merge(parse_values({"delay": 1})) == Behaviour(delay=1.0)


def test_gap_and_rate_together_are_refused() -> None:
    """Two rows that say the same thing in two ways exclude each other."""
    with pytest.raises(BadRequest, match="gap and rate"):
        merge({"gap": 1.0}, {"rate": 5.0})


def test_docs_have_one_line_for_each_row_and_no_other() -> None:
    """The table and docs/mock.md say the same."""
    section = DOCS.read_text().split("## How to ask")[1].split("## What happened")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(ROWS)
