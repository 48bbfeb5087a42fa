"""`slipstream cost`: what was used and what it cost, from the ledger, as a table or as JSON.

It moves what the journals hold into the ledger first, beside a running gateway or without one.
"""

import os
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from slipstream import config as configuration
from slipstream.cli.accounts import database_url
from slipstream.errors import ConfigError
from slipstream.ledger.cost import usd_text
from slipstream.ledger.drain import drain_all
from slipstream.ledger.notices import journal_directory
from slipstream.ledger.reports import GROUPS, Totals, parse_groups, totals
from slipstream.ledger.store import Store, open_store
from slipstream.limits.keys import list_keys

_MAX_WIDTH = 1000  # characters of a table, whatever the terminal has
_EMPTY = "No attempt is on record yet. Send a request through `slipstream serve`, then look again."
_EMPTY_SPAN = "No attempt is on record in that span of days (UTC)."
_LEAST_SHOWN_USD = Decimal("0.000001")


def cost(
    by: Annotated[
        str, typer.Option(help=f"Any of {', '.join(GROUPS)}, separated by commas.")
    ] = "provider,model",
    since: Annotated[str, typer.Option(metavar="DAY", help="First day, YYYY-MM-DD, UTC.")] = "",
    until: Annotated[str, typer.Option(metavar="DAY", help="Last day, included.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Exact figures, as JSON.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the installation; else SLIPSTREAM_HOME.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file.")] = None,
) -> None:
    """Show totals of attempts, tokens and cost."""
    groups = parse_groups(by)
    first, last = _day(since, "--since"), _day(until, "--until")
    environ = os.environ if home is None else {**os.environ, "SLIPSTREAM_HOME": str(home)}
    settings = configuration.load(config, environ)
    with closing(open_store(database_url(settings))) as store:
        drain_all(store, journal_directory(settings.home))
        rows = totals(store, groups, first, last)
        names = {key.key_id: key.name for key in list_keys(store)}
        if as_json:
            print(_as_json(groups, rows, totals(store, (), first, last)))
        elif not rows:
            print(_EMPTY if not (first or last) else _EMPTY_SPAN)
        else:
            _print_table(groups, rows, _sum_of(store, first, last), names)


def _day(text: str, option: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option}: '{text}' is no day; accepted: YYYY-MM-DD, such as 2026-01-31"
        ) from None


def _sum_of(store: Store, first: date | None, last: date | None) -> Totals:
    (whole,) = totals(store, (), first, last)
    return whole


# ---- JSON ---------------------------------------------------------------------------------------


def _as_json(groups: tuple[str, ...], rows: list[Totals], whole: list[Totals]) -> str:
    body = {
        "by": groups,
        "rows": [dict(zip(groups, row.group, strict=True)) | _figures(row) for row in rows],
        "total": _figures(whole[0]) if whole else None,
    }
    return msgspec.json.format(msgspec.json.encode(body)).decode()


def _figures(row: Totals) -> dict[str, Any]:
    return {
        "attempts": row.num_attempts,
        "states": row.by_state,
        "tokens": row.tokens,
        "cost_usd": usd_text(row.cost_usd_pico),
        "outraced_usd": usd_text(row.outraced_usd_pico),
        "absorbed_usd": usd_text(row.absorbed_usd_pico),
        "unknown_cost_attempts": row.num_unknown_cost,
        "estimated_attempts": row.num_estimates,
    }


# ---- a table ------------------------------------------------------------------------------------


def _print_table(
    groups: tuple[str, ...], rows: list[Totals], whole: Totals, key_names: dict[str, str]
) -> None:
    table = Table(show_footer=True, box=SIMPLE_HEAD, padding=(0, 1))
    for number, name in enumerate(groups):
        table.add_column(name, footer="" if number else "total")
    has_races = bool(whole.by_state["outraced"])
    for name, footer in zip(_headings(has_races), _cells(whole, has_races), strict=True):
        table.add_column(name, footer=footer, justify="right")
    for row in rows:
        values = zip(groups, row.group, strict=True)
        shown = [key_names.get(value, value) if name == "key" else value for name, value in values]
        table.add_row(*shown, *_cells(row, has_races))
    console = Console()
    # A figure of money is never shortened: a narrow terminal breaks the line instead.
    natural = console.measure(table, options=console.options.update(max_width=_MAX_WIDTH)).maximum
    Console(width=max(console.width, natural)).print(table)
    for line in _notes(whole):
        print(line)


def _headings(has_races: bool) -> tuple[str, ...]:
    counts = ("attempts", "answered", "input", "cached", "output", "cost USD")
    return (*counts, *(("raced out USD",) if has_races else ()), "absorbed USD")


def _cells(row: Totals, has_races: bool) -> tuple[str, ...]:
    tokens = row.tokens
    cached = tokens["cache_read_tokens"]
    num_input = sum(
        count
        for bucket, count in tokens.items()
        if bucket.startswith(("input_", "cache_")) and bucket != "cache_read_tokens"
    )
    num_output = sum(
        count for bucket, count in tokens.items() if bucket.startswith(("output_", "prediction_"))
    )
    counts = (row.num_attempts, row.by_state["complete"], num_input, cached, num_output)
    lost = (row.outraced_usd_pico,) if has_races else ()
    others = (_rounded(usd_pico) for usd_pico in (*lost, row.absorbed_usd_pico))
    return (*(f"{count:,}" for count in counts), _money(row, row.cost_usd_pico), *others)


def _money(row: Totals, usd_pico: int) -> str:
    """Show a cost; where no attempt's cost is known, that is no zero."""
    return "unknown" if row.num_unknown_cost == row.num_attempts else _rounded(usd_pico)


def _rounded(usd_pico: int) -> str:
    usd = Decimal(usd_pico).scaleb(-12)
    return f"<{_LEAST_SHOWN_USD}" if 0 < usd < _LEAST_SHOWN_USD else f"{usd:,.6f}"


def _notes(whole: Totals) -> list[str]:
    """Say what the figures leave out."""
    notes = []
    failed = {s: n for s, n in whole.by_state.items() if n and s not in ("complete", "outraced")}
    if failed:
        listed = ", ".join(f"{number:,} {state}" for state, number in failed.items())
        notes.append(f"Without a whole answer: {listed}; what they cost is absorbed.")
    if num_outraced := whole.by_state["outraced"]:
        notes.append(
            f"Lost a race: {num_outraced:,}; what they cost is estimated and beside the answers."
        )
    if whole.num_unknown_cost:
        notes.append(f"Cost unknown, in no sum: {whole.num_unknown_cost:,} attempts.")
    if whole.num_estimates:
        notes.append(f"Tokens estimated: {whole.num_estimates:,} attempts.")
    return notes
