"""Sizes, nesting, names, broad excepts and docstrings of the code.

An exception stands in one of the tables below with its reason, and goes when it is not needed.
"""

from collections.abc import Callable

import pytest

from tests.structure import shapes
from tests.structure.tree import Module, assert_none, modules, package, parse

# Modules over the aim of 300 lines (never over 500): path -> why it is one module.
LONG_MODULES = {
    "errors.py": "the design asks for the whole tree of errors in one place",
}

# Modules whose public names need no docstring: path -> why.
UNDOCUMENTED = {
    "catalog/genai/types.py": "names and meanings are those of genai-prices' own data file",
}

# Modules whose docstring has more than six lines of prose: path -> why.
LONG_DOCSTRINGS = {
    "engine/child.py": "its ends and exit statuses are its interface, and stand nowhere else",
}

# Where a broad `except` may stand: path -> why nothing narrower does.
BROAD_EXCEPTS = {
    "server/gateway.py": "the outermost layer: a defect of ours becomes a logged 500",
}


def _code() -> list[Module]:
    return [*package(), *modules("tests"), *modules("bench"), *modules("scripts")]


def test_modules_are_at_most_500_lines_long() -> None:
    """No module of ours, test or script is longer than a person reads in one sitting."""
    long = [m.path for m in _code() if shapes.num_lines(m) > shapes.MAX_MODULE_LINES]
    assert_none(long)


def test_modules_over_300_lines_are_listed_with_a_reason() -> None:
    """The aim is 300 lines: what is longer says why, and the list holds nothing else."""
    long = {m.path for m in package() if shapes.num_lines(m) > shapes.AIM_MODULE_LINES}
    assert long == set(LONG_MODULES)


def test_functions_are_at_most_60_lines_long() -> None:
    """No function, docstring and nested ones included, is longer than 60 lines."""
    assert_none(problem for m in _code() for problem in shapes.long_functions(m))


def test_functions_are_in_nine_of_ten_cases_at_most_30_lines_long() -> None:
    """The tail is what makes code heavy: a tenth of the functions may be over 30 lines."""
    lengths = [shapes.function_lines(f) for m in package() for f in shapes.functions(m)]
    num_long = sum(length > shapes.AIM_FUNCTION_LINES for length in lengths)
    assert num_long <= len(lengths) / 10, f"{num_long} of {len(lengths)}"


def test_blocks_nest_at_most_three_deep() -> None:
    """if, for, while, with, try and match stand at most three inside each other, four in tests."""
    code, tests = [*package(), *modules("scripts")], [*modules("tests"), *modules("bench")]
    assert_none(problem for m in code for problem in shapes.deep_functions(m))
    limit = shapes.MAX_NESTING_OF_TESTS
    assert_none(problem for m in tests for problem in shapes.deep_functions(m, limit))


def test_broad_excepts_are_only_where_they_are_listed() -> None:
    """A failure that nobody thought of is caught in the outermost layers alone."""
    broad = {m.path: found for m in package() if (found := shapes.broad_excepts(m))}
    assert_none(p for path, found in broad.items() if path not in BROAD_EXCEPTS for p in found)
    assert set(BROAD_EXCEPTS) <= set(broad), "an exception that is not needed any more"


def test_names_say_what_things_are() -> None:
    """No Manager, Helper, Factory, Base or Abstract class, and no drawer module."""
    assert_none(problem for m in _code() for problem in shapes.bad_names(m))


def test_modules_open_with_a_short_docstring() -> None:
    """One to six lines say what a module is for; a theory of operation may be longer."""
    found = {m.path: problem for m in _code() if (problem := shapes.docstring_problem(m))}
    assert_none(problem for path, problem in found.items() if path not in LONG_DOCSTRINGS)
    assert set(LONG_DOCSTRINGS) <= set(found), "an exception that is not needed any more"


def test_public_names_have_docstrings() -> None:
    """Whoever calls a function or class from outside reads what it does where it stands."""
    code = [*package(), *modules("bench"), *modules("scripts")]
    bare = {m.path: found for m in code if (found := shapes.undocumented(m))}
    assert_none(p for path, found in bare.items() if path not in UNDOCUMENTED for p in found)
    assert set(UNDOCUMENTED) <= set(bare), "an exception that is not needed any more"


def test_tests_state_their_rule() -> None:
    """Every test says in one line which rule it protects."""
    assert_none(problem for m in modules("tests") for problem in shapes.silent_tests(m))


# ---- the rules can fail -------------------------------------------------------------------------

_DEEP = """
def f():
    for a in b:
        with a:
            try:
                if c:
                    pass
            except OSError:
                pass
"""
_FLAT = """
def f():
    for a in b:
        with a:
            if c:
                pass
            elif d:
                pass
            elif e:
                pass

            def g():
                if h:
                    pass
"""

Rule = Callable[[Module], list[str]]


def test_num_lines_counts_physical_lines() -> None:
    """Blank lines and comments count: they are scrolled past as well."""
    assert shapes.num_lines(parse("x.py", "a = 1\n\n# why\nb = 2\n")) == 4


def test_function_lines_counts_from_def_to_the_end() -> None:
    """Decorators are left out, nested functions are in."""
    module = parse("x.py", "@d\ndef f():\n    def g():\n        pass\n    return g\n")
    assert [shapes.function_lines(f) for f in shapes.functions(module)] == [4, 2]


def test_long_functions_reports_the_61st_line() -> None:
    """Sixty lines pass, one more does not."""
    body = "    a = 1\n"
    assert shapes.long_functions(parse("x.py", "def f():\n" + body * 59)) == []
    assert shapes.long_functions(parse("x.py", "async def f():\n" + body * 60)) == [
        "x.py:1: f has 61 lines"
    ]


def test_deep_functions_reports_the_fourth_level() -> None:
    """Four blocks inside each other are too many; elif and nested functions add none."""
    assert shapes.deep_functions(parse("x.py", _DEEP)) == ["x.py:2: f nests 4 deep"]
    assert shapes.deep_functions(parse("x.py", _DEEP), limit=4) == []
    assert shapes.deep_functions(parse("x.py", _FLAT)) == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (shapes.broad_excepts, "try:\n    f()\nexcept:\n    pass"),
        (shapes.broad_excepts, "try:\n    f()\nexcept Exception:\n    pass"),
        (shapes.broad_excepts, "try:\n    f()\nexcept (OSError, BaseException) as e:\n    pass"),
        (shapes.broad_excepts, "with contextlib.suppress(Exception):\n    f()"),
        (shapes.broad_excepts, "try:\n    f()\nexcept Exception as e:\n    raise X from e"),
        (shapes.bad_names, "class KeyManager: pass"),
        (shapes.bad_names, "class BaseLeaf: pass"),
        (shapes.bad_names, "class AbstractLeaf: pass"),
        (shapes.bad_names, "class _LeafFactory: pass"),
        (shapes.undocumented, "def f(): pass"),
        (shapes.undocumented, "class A: pass"),
        (shapes.undocumented, 'class A(Struct, frozen=True):\n    """A."""\n    def f(s): pass'),
        (shapes.silent_tests, "async def test_a(): pass"),
        (shapes.silent_tests, "class TestA:\n    def test_a(self): pass"),
    ],
)
def test_rules_report_what_they_forbid(rule: Rule, source: str) -> None:
    """Each of these sources breaks its rule once."""
    assert len(rule(parse("x.py", source))) == 1


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (shapes.broad_excepts, "try:\n    f()\nexcept (OSError, ValueError):\n    pass"),
        (shapes.broad_excepts, "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
        (shapes.bad_names, "class Baseline: pass\nclass Manage: pass"),
        (shapes.undocumented, "def _f(): pass\nclass _A:\n    def f(s): pass"),
        (shapes.undocumented, 'class A(asyncio.Protocol):\n    """A."""\n    def f(s): pass'),
        (shapes.silent_tests, 'def test_a():\n    """State it."""\ndef helper(): pass'),
    ],
)
def test_rules_accept_what_they_allow(rule: Rule, source: str) -> None:
    """Each of these sources comes close to breaking its rule and does not."""
    assert rule(parse("x.py", source)) == []


@pytest.mark.parametrize("path", ["utils.py", "wire/common.py", "helpers/x.py"])
def test_bad_names_reports_drawer_modules(path: str) -> None:
    """A module that is named after nothing holds anything."""
    assert len(shapes.bad_names(parse(path, ""))) == 1


def test_docstring_problem_reports_none_and_too_long() -> None:
    """No docstring and seven lines are refused, six and a marked theory are not."""
    six, seven = "\n".join("abcdef"), "\n".join("abcdefg")
    assert shapes.docstring_problem(parse("x.py", "a = 1")) == "x.py: no docstring"
    assert shapes.docstring_problem(parse("x.py", f'"""{six}"""')) is None
    assert shapes.docstring_problem(parse("x.py", f'"""{seven}"""')) is not None
    drawn = '"""a\n\n    b\n    c\n\n 1. d\n 2. e\n 3. f\n 4. g\n"""'
    assert shapes.docstring_problem(parse("x.py", drawn)) is None
    theory = f'"""{seven}\n\n{shapes.THEORY_HEADING}\n"""'
    assert shapes.docstring_problem(parse("x.py", theory)) is None
