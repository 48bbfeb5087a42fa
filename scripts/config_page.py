"""Writes docs/config.md from the settings that the code declares.

    python -m scripts.config_page [--check]

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

import sys
from collections.abc import Iterable
from dataclasses import MISSING, Field
from itertools import groupby
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from slipstream.config import NAMED_SECTIONS, SECTIONS, declared_settings
from slipstream.settings import About, about

PAGE = Path(__file__).resolve().parents[1] / "docs" / "config.md"

_HEAD = """\
# Configuration

<!-- Written by `make docs` from the settings that the code declares: edit those, not this. -->

One file says everything: `slipstream.toml`, looked for in the current folder, then in
`SLIPSTREAM_HOME` (`~/.slipstream` if that is not set), or named by `--config FILE`. Without a file
Slipstream offers the embedded model and every provider whose usual variable is set.

Flags stand over environment variables, those over the file, the file over the defaults. A setting
of a table that there is one of can be given as `SLIPSTREAM_TABLE_KEY`, for instance
`SLIPSTREAM_SERVER_PORT=9000`. Every value is checked at start and all problems are reported
together, each with file, line, key and what would be accepted.

A table `[models.NAME]` takes every key of `[engine]` too, for that model alone: `[engine]` and its
variables hold for all models that do not say otherwise.

A key of a provider is best written as a reference: `env:NAME` or `file:PATH`.
"""
_COLUMNS = "| key | accepted | default | what it is |\n|---|---|---|---|\n"
_TYPE_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def render() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for table, rows in groupby(declared_settings(), key=lambda row: row[0]):
        parts.append(f"\n## `[{table}]`\n\n{_summary(table)}\n\n{_COLUMNS}")
        parts += [_row(key, field, hint) for _, key, field, hint in rows]
    return "".join(parts)


def _summary(table: str) -> str:
    """Return the first line of the docstring of the record that a table becomes."""
    name = table.partition(".")[0]
    text = ((SECTIONS | NAMED_SECTIONS)[name].__doc__ or "").strip().splitlines()[0]
    text = text.removeprefix(f"`[{table}]`: ")
    return text[:1].upper() + text[1:]


def _row(key: str, field: Field[Any], hint: Any) -> str:
    said = about(field.metadata)
    assert said is not None, f"{key} is not declared as a setting"
    unit = f" ({said.unit})" if said.unit else ""
    cells = (f"`{key}`{unit}", _accepted(hint, said), _default(field), said.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _accepted(hint: Any, said: About) -> str:
    if said.choices:
        return _listed(said.choices)
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    if get_origin(hint) is Literal:
        return _listed(get_args(hint))
    if get_origin(hint) is tuple:
        return "list of numbers" if get_args(hint)[0] is float else "list of texts"
    return _TYPE_NAMES[hint] + _range(said)


def _listed(choices: Iterable[object]) -> str:
    return ", ".join(f"`{choice}`" for choice in choices)


def _range(said: About) -> str:
    if said.least is not None and said.most is not None:
        return f", {_number(said.least)} to {_number(said.most)}"
    if said.least is not None:
        return f", at least {_number(said.least)}"
    return f", at most {_number(said.most)}" if said.most is not None else ""


def _number(value: float) -> str:
    """Write a number with thousands apart."""
    return f"{value:,.10g}" if value != int(value) else f"{int(value):,}"


def _default(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        return _shown(field.default_factory())
    return "must be given" if field.default is MISSING else _shown(field.default)


def _shown(value: object) -> str:
    """Write a default as TOML would."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{_number(value).replace(',', '_')}`"
    return "`[]`" if value == () else f"`{value}`"


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; return the exit status."""
    page = render()
    if arguments == ["--check"]:
        is_fresh = PAGE.is_file() and PAGE.read_text() == page
        print(f"{PAGE.name} is {'fresh' if is_fresh else 'stale: run make docs'}")
        return 0 if is_fresh else 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
