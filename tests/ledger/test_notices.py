"""The bookkeeper's notices survive the way through a pipe; its command line is whole."""

import sys
from pathlib import Path

import pytest

from slipstream.framing import MessageReader, encode_message
from slipstream.ledger.notices import (
    KeysChanged,
    Notice,
    Ready,
    Refused,
    bookkeeper_command,
    journal_directory,
)


@pytest.mark.parametrize(
    "notice",
    [Ready({b"\x00\xff" * 16: ("key-1", "Zoë")}), KeysChanged({}), Refused("too new")],
)
def test_notice_is_read_as_it_was_sent(notice: Notice) -> None:
    """Digests are bytes and stay bytes, names stay text; each notice keeps its type."""
    reader = MessageReader[Notice](Notice)  # type: ignore[arg-type]
    assert reader.feed(encode_message(notice)) == [notice]


def test_bookkeeper_command_names_home_and_database(tmp_path: Path) -> None:
    """The child runs under the same Python and is told where everything lies."""
    command = bookkeeper_command(tmp_path, "sqlite:////x.db")
    assert command[0] == sys.executable
    assert command[command.index("--home") + 1] == str(tmp_path)
    assert command[command.index("--database") + 1] == "sqlite:////x.db"


def test_journal_directory_is_inside_the_home(tmp_path: Path) -> None:
    """Writer and readers of the journal agree on its place."""
    assert journal_directory(tmp_path) == tmp_path / "journal"
