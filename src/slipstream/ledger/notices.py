"""What the bookkeeper tells the gateway on its standard output, as `slipstream.framing` messages.

The gateway holds the bookkeeper's standard input open; its end tells the bookkeeper to finish.
"""

import sys
from pathlib import Path

import msgspec

Keys = dict[bytes, tuple[str, str]]
"""SHA-256 digest of each valid key to the key's id and name."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """First notice: the schema is current, and these keys are valid."""

    keys: Keys


class KeysChanged(msgspec.Struct, frozen=True, tag="keys_changed"):
    """The keys that are valid from now on; replaces what was sent before."""

    keys: Keys


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """First and only notice: the bookkeeper cannot work, and why; it exits with status 1."""

    message: str


Notice = Ready | KeysChanged | Refused


def bookkeeper_command(home: Path, database_url: str) -> list[str]:
    """Return the command line that starts a bookkeeper for an installation."""
    arguments = ["--home", str(home), "--database", database_url]
    return [sys.executable, "-m", "slipstream.bookkeeper", *arguments]


def journal_directory(home: Path) -> Path:
    """Return where the workers of an installation keep their journals."""
    return home / "journal"
