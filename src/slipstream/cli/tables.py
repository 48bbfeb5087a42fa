"""Tables of `slipstream explain`: folded to a terminal's width, and a line for each row in a pipe.

Figures are never folded or cut: what stands beside them gives way, names after reasons.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE: Final = 1000  # columns where no terminal says how many there are: nothing is folded
_GAP: Final = 2
_LEAST_WORDS_WIDTH: Final = 20  # of a column of words, before names are folded
_LEAST_SHOWN_USD: Final = Decimal("0.000001")
_MS_LIMIT_S: Final = 0.9995  # below it, times are shown in milliseconds


class Column(NamedTuple):
    """One column of a table."""

    heading: str
    is_figure: bool = False


def print_table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], sums: Sequence[str] = ()
) -> None:
    """Print a table without the columns that nobody fills; `sums` stand under the others."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    cells = [*rows, sums] if sums else list(rows)
    filled = [at for at in range(len(columns)) if not cells or any(row[at] for row in cells)]
    kept = [columns[at] for at in filled]
    cells = [[row[at] for at in filled] for row in cells]
    names = _names_column(kept, cells, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for at, column in enumerate(kept):
        table.add_column(
            column.heading,
            header_style="dim",
            justify="right" if column.is_figure else "left",
            no_wrap=column.is_figure or at == names,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*map(Text, row), style="bold" if sums and row is cells[-1] else None)
    console.print(table)


def _names_column(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> int | None:
    """Return the first column of words if there is room for it whole; else None."""
    words = [at for at, column in enumerate(columns) if not column.is_figure]
    if not words:
        return None
    first, *others = words
    widths = [
        max(len(column.heading), *(len(row[at]) for row in rows), 0) + _GAP
        for at, column in enumerate(columns)
    ]
    figures = sum(width for at, width in enumerate(widths) if at not in words)
    rest = sum(min(widths[at], _LEAST_WORDS_WIDTH) for at in others)
    return first if figures + widths[first] + rest <= width else None


def shown_usd(usd: str | Decimal | None) -> str:
    """Return a cost to six places; what is not zero does not look like it."""
    if usd is None:
        return "unknown"
    amount = Decimal(usd)
    return f"<{_LEAST_SHOWN_USD}" if 0 < amount < _LEAST_SHOWN_USD else f"{amount:,.6f}"


def shown_s(seconds: float | None) -> str:
    """Return a time with its unit; nothing where it is not known."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < _MS_LIMIT_S else f"{seconds:,.1f} s"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun in the right number."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def named(target: str, credential: str) -> str:
    """Return a target's name, with its key's label where that is not the usual one."""
    return target if credential == "default" else f"{target} (key {credential})"


def print_words(text: str) -> None:
    """Print a sentence, broken between words at a terminal's width; a line of it in a pipe."""
    console = Console(highlight=False)
    console.print(Text(text), soft_wrap=not console.is_terminal)
