"""A folder for one `slipstream.toml`, and what loading it gives: a Config, or its problems."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from slipstream.config import Config, load
from slipstream.errors import ConfigError

KEY = "sk-live-1234"


class Place:
    """A home folder of its own, with a file to load."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "slipstream.toml"

    def load(
        self,
        text: str = "",
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, Any] | None = None,
    ) -> Config:
        """Load a file of this text."""
        self.path.write_text(text, encoding="utf-8")
        environ = {"SLIPSTREAM_HOME": str(self.home), **(environ or {})}
        return load(self.path, environ, flags)

    def problems(
        self,
        text: str = "",
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Return what is wrong with it, the file's own path cut to its name; never a key."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, environ, flags)
        assert KEY not in repr(caught.value)
        return caught.value.message.replace(str(self.path), "F").split("\n")

    def problem(self, text: str = "", environ: Mapping[str, str] | None = None) -> str:
        """Return the one thing that is wrong with it."""
        [found] = self.problems(text, environ)
        return found
