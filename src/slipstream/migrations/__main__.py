"""Brings a database to the newest schema. The URL arrives on stdin: it may hold a password."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config


def main() -> None:
    """Migrate the database whose URL stands on standard input."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = sys.stdin.readline().strip()
    command.upgrade(config, "head")


if __name__ == "__main__":
    main()
