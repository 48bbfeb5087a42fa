"""The migration process: what it reads, and that its scripts are those the ledger knows."""

import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from slipstream import migrations
from slipstream.ledger.store import REVISIONS

_LIMIT_S = 60


def test_revisions_are_those_of_the_scripts() -> None:
    """The list that the ledger knows, without loading Alembic, is the true one, in order."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    in_order = [script.revision for script in scripts.walk_revisions()][::-1]
    assert tuple(in_order) == REVISIONS


def test_url_that_is_none_is_named_in_the_last_line() -> None:
    """The last line of what it says names the trouble; the ledger shows that line."""
    done = subprocess.run(
        [sys.executable, "-m", "slipstream.migrations"],
        input="no-url\n",
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode != 0
    assert "URL" in done.stderr.strip().splitlines()[-1]
