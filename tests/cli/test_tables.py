"""Tables: folded at a terminal's width, whole in a pipe; and how figures are written."""

import os
import pty
import subprocess
import sys

import pytest

from slipstream.cli.tables import Column, counted, named, print_table, shown_s, shown_usd

_PROGRAM = """
from slipstream.cli.tables import Column, print_table
print_table(
    (Column("target"), Column("cost", is_figure=True), Column("why")),
    [("provider/" + "m" * 60, "0.123456", "because " * 12), ("[bold]b", "1.000000", "x")],
    ("sum", "1.123456", ""),
)
"""


def on_a_terminal(columns: int) -> list[str]:
    """Return what the program prints on a terminal of this width, without its colours."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "COLUMNS": str(columns), "TERM": "dumb", "NO_COLOR": "1"}
    subprocess.run([sys.executable, "-c", _PROGRAM], stdout=theirs, env=environ, check=True)
    os.close(theirs)
    shown = b""
    while b"sum" not in shown or not shown.endswith(b"\n"):
        shown += os.read(ours, 4096)
    os.close(ours)
    return shown.decode().replace("\r", "").rstrip("\n").split("\n")


def test_table_on_a_terminal_fits_and_cuts_nothing() -> None:
    """Names and reasons are folded; a figure stays whole on one line."""
    lines = on_a_terminal(80)
    assert max(map(len, lines)) <= 80
    joined = "".join("".join(lines).split())
    assert joined.count("m" * 5) >= 5
    assert "…" not in joined
    for figure in ("0.123456", "1.000000", "1.123456"):
        assert sum(figure in line for line in lines) == 1
    assert any("[bold]b" in line for line in lines), "what looks like markup is text"


def test_table_in_a_pipe_is_a_line_for_each_row() -> None:
    """A program reads it line by line, whatever COLUMNS says."""
    environ = {**os.environ, "COLUMNS": "40"}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env=environ, check=True
    )
    heading, first, second, sums = done.stdout.rstrip("\n").split("\n")
    assert heading.split() == ["target", "cost", "why"]
    assert first.split()[:2] == ["provider/" + "m" * 60, "0.123456"]
    assert second.split()[0] == "[bold]b"
    assert sums.split() == ["sum", "1.123456"]
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (None, "unknown"),
        ("0", "0.000000"),
        ("0.0000000001", "<0.000001"),
        ("0.000001", "0.000001"),
        ("1234.5", "1,234.500000"),
    ],
)
def test_money_that_is_not_zero_does_not_look_like_it(usd: str | None, shown: str) -> None:
    """Nor does what nobody knows."""
    assert shown_usd(usd) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0.0, "0 ms"), (0.2104, "210 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s")],
)
def test_times_have_their_unit(seconds: float | None, shown: str) -> None:
    """And never four digits of milliseconds."""
    assert shown_s(seconds) == shown


def test_words_agree_with_their_number() -> None:
    """One attempt, two attempts; a key is named where it is not the usual one."""
    assert (counted(1, "attempt"), counted(1200, "attempt")) == ("1 attempt", "1,200 attempts")
    assert (named("a/b", "default"), named("a/b", "2")) == ("a/b", "a/b (key 2)")


def test_empty_table_has_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    """No rows are no error."""
    print_table((Column("a"), Column("b")), [])
    assert capsys.readouterr().out.split() == ["a", "b"]
