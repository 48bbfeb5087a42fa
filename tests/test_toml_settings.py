"""TOML, environment and flags into declared settings, and problems that name their place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import ConfigError
from slipstream.settings import setting
from slipstream.toml_settings import (
    Problems,
    build,
    build_named,
    build_over,
    nearest,
    parse_text,
    read_toml,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A setting of every type that we declare."""

    name: str = setting("A name.", default="n")
    count: int = setting("A count.", default=1, least=1, most=8)
    size: int = setting("A size.", default=1, unit="bytes", least=1024)
    wait_s: float = setting("A wait.", default=1.0, unit="s", least=0.05, most=2.5)
    share: float = setting("A share.", default=0.0)
    is_on: bool = setting("A switch.", default=False)
    names: tuple[str, ...] = setting("Names.", default=())
    shares: tuple[float, ...] = setting("Shares.", default=())
    threads: int | None = setting("Threads.", default=None, least=1)
    mode: Literal["slow", "quick"] = setting("A mode.", default="slow", choices=("slow", "quick"))
    kind: str | None = setting("A kind.", default=None, choices=("a", "b"))
    key: str | None = setting("A key.", default=None, is_secret=True)


@dataclass(frozen=True, slots=True)
class Needy:
    """A record with a setting that must be given."""

    target: str = setting("Where to.")


def _build(table: Any, cls: type[Any] = Sample, **where: Any) -> tuple[Any, list[str]]:
    problems = Problems(Path("f.toml"), {"t": 3, "t.count": 5})
    return build(cls, table, "t", problems, **where), problems.texts


GOOD: list[tuple[str, Any, Any]] = [
    ("name", "x", "x"),
    ("name", "", ""),
    ("count", 1, 1),
    ("count", 8, 8),
    ("size", 1024, 1024),
    ("wait_s", 0.05, 0.05),
    ("wait_s", 2, 2.0),
    ("share", -1.5, -1.5),
    ("is_on", True, True),
    ("names", [], ()),
    ("names", ["a", "b"], ("a", "b")),
    ("shares", [], ()),
    ("shares", [1, 0.5], (1.0, 0.5)),
    ("threads", 4, 4),
    ("mode", "quick", "quick"),
    ("kind", "b", "b"),
    ("key", "k", "k"),
]


@pytest.mark.parametrize(("name", "given_", "value"), GOOD)
def test_build_good_value_is_taken_with_its_type(name: str, given_: Any, value: Any) -> None:
    """A whole number does for a number, an array for a tuple; nothing else is converted.

    Regression: no value at all was accepted for a setting declared as a Literal.
    """
    record, problems = _build({name: given_})
    assert problems == []
    assert getattr(record, name) == value
    assert type(getattr(record, name)) is type(value)


WRONG: list[tuple[str, Any, str]] = [
    ("name", 5, "a string, got 5"),
    ("name", None, "a string, got None"),
    ("count", "5", "a whole number from 1 to 8, got '5'"),
    ("count", 5.0, "a whole number from 1 to 8, got 5.0"),
    ("count", True, "a whole number from 1 to 8, got True"),
    ("count", 0, "a whole number from 1 to 8, got 0"),
    ("count", 9, "a whole number from 1 to 8, got 9"),
    ("size", 1023, "a whole number of at least 1024 (bytes), got 1023"),
    ("wait_s", 0.04, "a number from 0.05 to 2.5 (s), got 0.04"),
    ("wait_s", 3, "a number from 0.05 to 2.5 (s), got 3"),
    ("wait_s", True, "a number from 0.05 to 2.5 (s), got True"),
    ("wait_s", float("nan"), "a number from 0.05 to 2.5 (s), got nan"),
    ("share", float("nan"), "a number, got nan"),
    ("share", float("inf"), "a number, got inf"),
    ("share", 10**400, "a number, got 1000"),
    ("is_on", 1, "true or false, got 1"),
    ("is_on", "true", "true or false, got 'true'"),
    ("names", "a", "an array of strings, got 'a'"),
    ("names", ["a", 1], "an array of strings, got ['a', 1]"),
    ("shares", 1.0, "an array of numbers, got 1.0"),
    ("shares", ["1"], "an array of numbers, got ['1']"),
    ("shares", [True], "an array of numbers, got [True]"),
    ("shares", [float("inf")], "an array of numbers, got [inf]"),
    ("shares", [10**400], "an array of numbers, got [1000"),
    ("threads", "4", "a whole number of at least 1, got '4'"),
    ("mode", "fast", "one of 'slow', 'quick', got 'fast'"),
    ("mode", 1, "one of 'slow', 'quick', got 1"),
    ("kind", "c", "one of 'a', 'b', got 'c'"),
]


@pytest.mark.parametrize(("name", "given_", "text"), WRONG)
def test_build_wrong_value_names_place_key_value_and_what_is_accepted(
    name: str, given_: Any, text: str
) -> None:
    """Regression: NaN passed every range, since no comparison with it is true."""
    record, [problem] = _build({name: given_})
    assert record is None
    line = 5 if name == "count" else 3
    assert problem.startswith(f"f.toml:{line}: t.{name}: expected ")
    assert text in problem


@pytest.mark.parametrize("wrong", [5, ["sk-1234"], {"env": "sk-1234"}, True])
def test_build_wrong_secret_is_not_shown(wrong: Any) -> None:
    """A key of the wrong type is a key all the same."""
    _, [problem] = _build({"key": wrong})
    assert "t.key: expected a string, got a" in problem or "got true or false" in problem
    assert "1234" not in problem


def test_build_something_else_than_a_table_is_not_shown() -> None:
    """`provider = "sk-…"` instead of a table says what was expected, and not the key."""
    record, [problem] = _build("sk-1234")
    assert record is None
    assert problem == "f.toml:3: t: expected a table, got a string"


def test_build_unknown_keys_are_reported_in_order_with_the_nearest() -> None:
    """Nothing is dropped silently, and a slip is answered with what was meant."""
    _, problems = _build({"cuont": 1, "zzz": 2, "nmae": "x"})
    assert [problem.split(": ")[1] for problem in problems] == ["t.cuont", "t.zzz", "t.nmae"]
    assert "unknown key; did you mean 'count'?" in problems[0]
    assert "did you mean" not in problems[1]
    assert "(known: count, is_on, key, kind, mode, name, names, share" in problems[1]


def test_build_keys_of_another_record_are_left_to_it() -> None:
    """A key that another record takes is neither unknown nor read, and a slip may mean it."""
    record, problems = _build({"count": 2, "target": 5}, others={"target"})
    assert (record.count, problems) == (2, [])
    _, [problem] = _build({"traget": 5}, others={"target"})
    assert "did you mean 'target'?" in problem


def test_build_named_wrong_records_are_left_out_and_reported() -> None:
    """One wrong table takes none of its neighbours with it."""
    problems = Problems(None, {})
    records = build_named(Sample, {"a": {"count": 2}, "b": {"count": 0}, "c": 5}, "s", problems)
    assert records == {"a": Sample(count=2)}
    assert [text.split(": ")[1] for text in problems.texts] == ["s.b.count", "s.c"]
    assert build_named(Sample, "sk-1234", "s", problems) == {}
    assert problems.texts[-1].endswith("s: expected tables [s.NAME], got a string")


def test_build_over_changes_the_keys_that_the_table_has() -> None:
    """Also back to what a default would be; keys of other records are not looked at."""
    problems = Problems(None, {})
    default = Sample(count=5, threads=2)
    table = {"count": 1, "target": 5}
    assert build_over(default, table, "t", problems) == Sample(count=1, threads=2)
    assert build_over(default, {}, "t", problems) is not None
    assert problems.texts == []
    assert build_over(default, {"count": 0}, "t", problems) == default
    assert len(problems.texts) == 1
    assert build_over(default, 5, "t", problems) == default, "another says that it is no table"
    assert len(problems.texts) == 1


def test_build_all_problems_are_reported_at_once() -> None:
    """A person mends a file once."""
    _, problems = _build({"count": 99, "is_on": "no", "x": 1})
    assert len(problems) == 3


def test_build_missing_setting_is_named_with_its_help() -> None:
    """What must be given says what it is for."""
    record, [problem] = _build({}, Needy)
    assert record is None
    assert problem == "f.toml:3: t: 'target' is missing: Where to."


@pytest.mark.parametrize("table", [{"count": 99}, {"cuont": 1}, "text"])
def test_build_with_a_source_names_it_instead_of_the_file(table: Any) -> None:
    """Regression: a slip in a variable was blamed on a line of the file."""
    _, [problem] = _build(table, source="SLIPSTREAM_T_COUNT")
    assert problem.startswith("SLIPSTREAM_T_COUNT: t")


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("x", str, "x"),
        ("5", str, "5"),
        ("5", int, 5),
        ("5.5", int, "5.5"),
        ("five", int, "five"),
        ("5", float, 5.0),
        ("1e3", float, 1000.0),
        ("soon", float, "soon"),
        ("yes", bool, True),
        ("ON", bool, True),
        ("0", bool, False),
        ("False", bool, False),
        ("maybe", bool, "maybe"),
        ("", tuple[str, ...], []),
        ("a, b,,c", tuple[str, ...], ["a", "b", "c"]),
        ("5", int | None, 5),
        ("5", float | None, 5.0),
        ("x", str | None, "x"),
        ("quick", Literal["slow", "quick"], "quick"),
        ("x", None, "x"),  # of an unknown key
    ],
)
def test_parse_text_of_a_variable_is_what_its_setting_wants(
    text: str, hint: Any, value: Any
) -> None:
    """What is no such value stays text, for the check to refuse.

    Regression: the text of an optional number was not read as a number.
    """
    found = parse_text(text, hint)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prot", "; did you mean 'port'? (known: host, port)"),
        ("zzz", " (known: host, port)"),
    ],
)
def test_nearest_hints_at_one_and_lists_a_few(name: str, hint: str) -> None:
    """Few names are all listed."""
    assert nearest(name, {"port", "host"}) == hint


def test_nearest_of_many_lists_none() -> None:
    """A list that nobody reads is left out."""
    assert nearest("x1", [f"name{n}" for n in range(17)]) == ""


FILE = """\
# a comment
top = 1

[server]
host = "h"
  port = 80

[providers.lab]
dialect = "openai_chat"

[providers."dotted.name"]
api_key = "k"

[ models . small ]
aliases = [
    "a",
    "b",
]
profile = "openai"

[routes]
fast = { targets = ["x"] }
slow.targets = ["y"]
"quoted key".targets = []
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("top", 2),
        ("server", 4),
        ("server.host", 5),
        ("server.port", 6),
        ("server.unknown", 4),
        ("providers.lab.dialect", 9),
        ("providers.lab.base_url", 8),
        ("providers.dotted.name.api_key", 12),
        ("models.small.aliases", 15),
        ("models.small.profile", 19),
        ("routes.fast.targets", 22),
        ("routes.slow.targets", 23),
        ("routes.quoted key.targets", 24),
        ("routes.none", 21),
    ],
)
def test_problem_stands_at_the_line_of_its_key_or_of_its_table(
    key: str, line: int, tmp_path: Path
) -> None:
    """The place that a person has to look at, as near as it is known."""
    path = tmp_path / "s.toml"
    path.write_text(FILE, encoding="utf-8")
    _, lines = read_toml(path)
    problems = Problems(path, lines)
    problems.add(key, "wrong")
    assert problems.texts == [f"{path}:{line}: {key}: wrong"]


def test_problem_without_a_line_names_the_file_and_without_a_file_the_configuration() -> None:
    """There is always a place."""
    with_file, without = Problems(Path("f.toml"), {}), Problems(None, {})
    with_file.add("a.b", "wrong")
    without.add("a.b", "wrong")
    assert with_file.texts == ["f.toml: a.b: wrong"]
    assert without.texts == ["configuration: a.b: wrong"]


def test_problems_are_raised_together_or_not_at_all() -> None:
    """One error with a line for each."""
    problems = Problems(None, {})
    problems.raise_any()
    problems.add("a", "one")
    problems.add("b", "two", source="--b")
    with pytest.raises(ConfigError) as caught:
        problems.raise_any()
    assert caught.value.message == "configuration: a: one\n--b: b: two"


def test_read_toml_file_of_another_editor_is_read(tmp_path: Path) -> None:
    """A byte order mark and CRLF are no fault of the person."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\n")
    tables, lines = read_toml(path)
    assert tables == {"server": {"port": 1}}
    assert lines == {"server": 1, "server.port": 2}


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"[server\nport = 1", "line 1"),
        (b"a = 1\na = 2", "no valid TOML"),
        (b"port = \xff", "cannot be read"),
        (b"a = " + b"9" * 5000, "no valid TOML"),
        (b"a = " + b"[" * 5000, "no valid TOML"),
    ],
)
def test_read_toml_no_toml_is_a_config_error_with_the_file(
    content: bytes, word: str, tmp_path: Path
) -> None:
    """Whatever is in the file, the error names it."""
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=word) as caught:
        read_toml(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("name", ["missing.toml", ".", "nul\0.toml"])
def test_read_toml_unreadable_path_is_a_config_error(name: str, tmp_path: Path) -> None:
    """No file, a folder, no name at all."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path / name)


_values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(list(Sample.__dataclass_fields__)) | st.text(), _values))
def test_build_any_table_gives_a_record_or_problems(table: dict[str, Any]) -> None:
    """No value of a file raises anything here; either it is taken or it is a problem."""
    record, problems = _build(table)
    assert (record is None) == bool(problems)
