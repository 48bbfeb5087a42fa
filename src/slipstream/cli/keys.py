"""`slipstream keys create|list|revoke`: the keys of those who may call the gateway.

A running gateway takes a change over within a second. A key is shown once, when it is made.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from slipstream import config as configuration
from slipstream.cli.accounts import database_url
from slipstream.ledger.store import Store, open_store
from slipstream.limits.keys import create_key, list_keys, revoke_key

_Home = Annotated[
    Path | None, typer.Option(help="Folder of the installation; else SLIPSTREAM_HOME.")
]
_Config = Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file.")]
_NS_PER_S = 10**9


def create(
    name: Annotated[str, typer.Argument(help="Whom or what the key is for.")],
    home: _Home = None,
    config: _Config = None,
) -> None:
    """Make a key and print it, and nothing else, on standard output."""
    with _opened(home, config) as store:
        record, token = create_key(store, name, time.time_ns())
    print(token)
    hint = f"Key '{record.name}' ({record.key_id}) is made. It cannot be shown again."
    print(hint, file=sys.stderr)


def list_(home: _Home = None, config: _Config = None) -> None:
    """Show all keys ever made, without the keys themselves."""
    with _opened(home, config) as store:
        records = list_keys(store)
    if not records:
        print("There is no key yet. Make one: slipstream keys create NAME")
        return
    table = Table("name", "id", "key", "made (UTC)", "revoked (UTC)")
    for each in records:
        revoked = "" if each.revoked_at_ns is None else _moment(each.revoked_at_ns)
        table.add_row(each.name, each.key_id, each.shown, _moment(each.created_at_ns), revoked)
    Console().print(table)


def revoke(
    name: Annotated[str, typer.Argument(help="Name or id of the key.")],
    home: _Home = None,
    config: _Config = None,
) -> None:
    """Make a key worthless, for good."""
    with _opened(home, config) as store:
        record = revoke_key(store, name, time.time_ns())
    print(f"Key '{record.name}' ({record.key_id}) is revoked.")


@contextmanager
def _opened(home: Path | None, config: Path | None) -> Iterator[Store]:
    environ = os.environ if home is None else {**os.environ, "SLIPSTREAM_HOME": str(home)}
    with closing(open_store(database_url(configuration.load(config, environ)))) as store:
        yield store


def _moment(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M")
