"""Reads a TOML file, the environment and flags into declared settings, and collects every problem.

Knows how settings are declared (`slipstream.settings`) and nothing of what they mean. A problem
names file, line, key and what would be accepted, since a person has to mend it.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, fields, replace
from difflib import get_close_matches
from functools import cache
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from slipstream.errors import ConfigError
from slipstream.settings import About, about

S = TypeVar("S")

_TABLE = re.compile(r"^\s*\[\[?\s*(?P<name>[^\]]+?)\s*\]\]?")
_KEY = re.compile(
    r"^\s*(?P<name>(?:\"[^\"]*\"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:\"[^\"]*\"|[\w-]+))*)\s*="
)
_TYPE_NAMES: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "an array",
    dict: "a table",
}
_PARTS: dict[Any, str] = {str: "strings", float: "numbers"}


class Problems:
    """What is wrong with a configuration, in the order in which it was found."""

    def __init__(self, path: Path | None, lines: Mapping[str, int]) -> None:
        self._path = path
        self._lines = lines
        self.texts: list[str] = []

    def add(self, key: str, text: str, *, source: str | None = None) -> None:
        """Add one; `key` is its dotted name, `source` where it stands if not in the file."""
        self.texts.append(f"{source or self._place(key)}: {key}: {text}")

    def raise_any(self) -> None:
        """Raise all problems as one `ConfigError`, if there are any."""
        if self.texts:
            raise ConfigError("\n".join(self.texts))

    def _place(self, key: str) -> str:
        if self._path is None:
            return "configuration"
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            line = self._lines.get(".".join(parts[:length]))
            if line is not None:
                return f"{self._path}:{line}"
        return str(self._path)


def read_toml(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the file's tables, and the line of every key that starts one.

    Raises:
        ConfigError: It cannot be read, or is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as exc:  # no such file, no UTF-8, no name of a file
        raise ConfigError(f"{path}: cannot be read: {exc}") from exc
    try:
        return tomllib.loads(text), _lines_of_keys(text)
    except (ValueError, RecursionError) as exc:  # also integers and nesting without end
        raise ConfigError(f"{path}: no valid TOML: {exc}") from exc


# It takes as long as all else of a table.
_hints_of: Callable[[Any], dict[str, Any]] = cache(get_type_hints)


def build(
    cls: type[S],
    table: Any,
    prefix: str,
    problems: Problems,
    source: str | None = None,
    others: Collection[str] = (),
) -> S | None:
    """Make a settings record from one table; None, with the problems added, if it cannot be.

    `others` are keys that another record takes from the same table.
    """
    if not isinstance(table, dict):
        problems.add(prefix, f"expected a table, got {type_name(table)}", source=source)
        return None
    declared = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    hints = _hints_of(cls)
    num_before = len(problems.texts)
    for name in table:
        if name not in declared and name not in others:
            unknown = f"unknown key{nearest(name, {*declared, *others})}"
            problems.add(f"{prefix}.{name}", unknown, source=source)
    values: dict[str, Any] = {}
    for name, field in declared.items():
        if name in table:
            problem, values[name] = _check(table[name], hints[name], _about(field))
            if problem:
                problems.add(f"{prefix}.{name}", problem, source=source)
        elif field.default is MISSING and field.default_factory is MISSING:
            missing = f"'{name}' is missing: {_about(field).help}"
            problems.add(prefix, missing, source=source)
    return cls(**values) if len(problems.texts) == num_before else None


def build_named(
    cls: type[S], tables: Any, section: str, problems: Problems, others: Collection[str] = ()
) -> dict[str, S]:
    """Make a settings record for each name of a table of tables; wrong ones are left out."""
    if not isinstance(tables, dict):
        problems.add(section, f"expected tables [{section}.NAME], got {type_name(tables)}")
        return {}
    records = {
        name: build(cls, table, f"{section}.{name}", problems, others=others)
        for name, table in tables.items()
    }
    return {name: record for name, record in records.items() if record is not None}


def build_over(default: S, table: Any, prefix: str, problems: Problems) -> S:
    """Return a settings record with those of its keys changed that a table has."""
    known = {field.name for field in fields(default)}  # type: ignore[arg-type]
    own = {k: v for k, v in table.items() if k in known} if isinstance(table, dict) else {}
    said = build(type(default), own, prefix, problems)
    if said is None:
        return default
    return replace(default, **{key: getattr(said, key) for key in own})  # type: ignore[type-var]


def parse_text(text: str, hint: Any) -> Any:
    """Return what an environment variable or a flag means for a setting of this type."""
    kind = _bare(hint)
    if kind is bool and text.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return text.lower() in ("1", "true", "yes", "on")
    if kind is int or kind is float:
        try:
            return kind(text)
        except ValueError:
            return text
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def type_name(value: Any) -> str:
    """Say what type a value has, without the value: it may be a key in the wrong place."""
    return _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known name, and all of them if they are few."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"{hint} (known: {', '.join(names)})" if len(names) <= 16 else hint


def _about(field: Field[Any]) -> About:
    found = about(field.metadata)
    assert found is not None, f"the field {field.name} of a settings record is not declared"
    return found


def _check(value: Any, hint: Any, said: About) -> tuple[str, Any]:
    """Return a problem, or an empty text and the value to use."""
    got = type_name(value) if said.is_secret else repr(value)
    problem = f"expected {_wanted(hint, said)}, got {got}"
    kind = _bare(hint)
    if get_origin(kind) is tuple:
        return _check_parts(value, get_args(kind)[0], problem)
    value = _as_float(value) if kind is float else value
    if type(value) is not kind or (kind is float and not isfinite(value)):
        return problem, None
    is_outside = (said.least is not None and value < said.least) or (
        said.most is not None and value > said.most
    )
    if is_outside or (said.choices and value not in said.choices):
        return problem, None
    return "", value


def _as_float(value: Any) -> Any:
    return float(value) if type(value) is int and abs(value) < 2**1023 else value


def _check_parts(value: Any, kind: Any, problem: str) -> tuple[str, Any]:
    """Return the same of an array whose parts are all of one kind."""
    parts = value if isinstance(value, list) else [None]
    if kind is float:
        parts = [_as_float(part) for part in parts]
    is_right = all(type(part) is kind for part in parts)
    if not is_right or (kind is float and not all(map(isfinite, parts))):
        return problem, None
    return "", tuple(parts)


def _wanted(hint: Any, said: About) -> str:
    if said.choices:
        return "one of " + ", ".join(repr(choice) for choice in said.choices)
    kind = _bare(hint)
    if get_origin(kind) is tuple:
        return f"an array of {_PARTS[get_args(kind)[0]]}"
    text = _TYPE_NAMES.get(kind, str(kind))
    if said.least is not None and said.most is not None:
        text += f" from {_number(said.least)} to {_number(said.most)}"
    elif said.least is not None:
        text += f" of at least {_number(said.least)}"
    return text + (f" ({said.unit})" if said.unit else "")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _bare(hint: Any) -> Any:
    """Return the one type that a setting's hint allows, beside None; literals are strings."""
    if get_origin(hint) in (Union, UnionType):
        [hint] = [option for option in get_args(hint) if option is not NoneType]
    return str if get_origin(hint) is Literal else hint


def _lines_of_keys(text: str) -> dict[str, int]:
    """Return the first line of each table and key, by dotted name.

    A scan of lines, not a parser: keys inside multi-line values are listed too, which only matters
    if one of them has the name of a real key that stands further down.
    """
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if found := _TABLE.match(line):
            table = _plain(found["name"])
            lines.setdefault(table, number)
        elif found := _KEY.match(line):
            name = _plain(found["name"])
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _plain(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in re.split(r"\s*\.\s*", name))
