"""Which part of the package may import which, and where an import may stand."""

import ast
import sys
import tomllib

import pytest

from tests.structure import imports
from tests.structure.tree import PACKAGE, ROOT, Module, assert_none, package, parse


def test_imports_of_the_package_go_one_way() -> None:
    """A part imports lower levels only: call, errors ← wire, routing, … ← server ← app ← cli."""
    assert_none(problem for m in package() for problem in imports.wrong_directions(m))


def test_imports_of_the_package_have_no_cycle() -> None:
    """Every module can be read after those that it imports."""
    assert_none(imports.cycles(package()))


def test_imports_stand_at_the_top_of_their_module() -> None:
    """Only heavy optional libraries are imported inside functions, at one marked place a module."""
    assert_none(problem for m in package() for problem in imports.hidden_imports(m))


def test_levels_name_every_part_once() -> None:
    """The table of levels has no part twice, so that each has one place."""
    parts = [part for level in imports.LEVELS for part in level]
    assert len(parts) == len(set(parts))


# What pyproject.toml calls a package, where the name that is imported is another.
_DISTRIBUTIONS = {"genai_prices": "genai-prices", "prometheus_client": "prometheus-client"}


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return {
        requirement.split(">")[0].split(";")[0].split("[")[0].strip()
        for group in (project["dependencies"], *extras)
        for requirement in group
    }


def test_imports_of_others_are_declared_dependencies() -> None:
    """What the package imports is named in pyproject.toml, so that an installation has it."""
    known = _declared() | set(sys.stdlib_module_names)
    foreign = {(m.path, name) for m in package() for name in imports.foreign_imports(m)}
    missing = [
        f"{path}: {name}"
        for path, name in sorted(foreign)
        if _DISTRIBUTIONS.get(name, name.replace("_", "-")) not in known and name not in known
    ]
    assert_none(missing)


def test_folders_of_the_package_say_what_they_are_for() -> None:
    """Each folder has an `__init__.py` that holds its docstring and nothing else."""
    # Alembic reads the files of migrations/versions one by one: they are no package.
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - {
        PACKAGE,
        PACKAGE / "migrations" / "versions",
    }
    said = {m.path: m for m in package() if m.path.endswith("/__init__.py")}
    for folder in sorted(folders):
        module = said[f"{folder.relative_to(PACKAGE).as_posix()}/__init__.py"]
        assert ast.get_docstring(module.tree), module.path
        assert len(module.tree.body) == 1, module.path


# ---- the rules can fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "source", "problem"),
    [
        ("wire/sse.py", "from slipstream.server.app import x", "'wire' may not import 'server'"),
        ("wire/sse.py", "from slipstream.ledger import cost", "'wire' may not import 'ledger'"),
        ("choice.py", "import slipstream.errors", "'choice' may not import 'errors'"),
        ("engine/host.py", "from slipstream import config", "'engine' may not import 'config'"),
        ("wire/sse.py", "def f():\n    import slipstream.app", "'wire' may not import 'app'"),
        ("wire/sse.py", "from . import usage", "'<relative>' has no level"),
        ("new_part/x.py", "", "'new_part' has no level"),
        ("app.py", "from slipstream.bookkeeper import run", "'app' may not import 'bookkeeper'"),
    ],
)
def test_wrong_directions_reports_a_wrong_import(path: str, source: str, problem: str) -> None:
    """Imports up, sideways, relative, hidden in a function or of unknown parts are all seen."""
    (found,) = imports.wrong_directions(parse(path, source))
    assert problem in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("wire/sse.py", "from slipstream.call import Frame\nfrom slipstream.wire.usage import x"),
        ("cli/demo.py", "from slipstream import __version__, app\nimport json"),
        ("__init__.py", ""),
    ],
)
def test_wrong_directions_accepts_imports_downwards(path: str, source: str) -> None:
    """Lower levels, the own folder, the version and other packages may be imported."""
    assert imports.wrong_directions(parse(path, source)) == []


def _two(first: str, second: str) -> list[Module]:
    return [parse("wire/a.py", first), parse("wire/b.py", second)]


def test_cycles_reports_two_modules_that_import_each_other() -> None:
    """A cycle is named from its first module round to it again."""
    ring = _two("from slipstream.wire import b", "from slipstream.wire.a import x")
    assert imports.cycles(ring) == ["wire.a -> wire.b -> wire.a"]
    assert imports.cycles(_two("from slipstream.wire import b", "import json")) == []


def test_hidden_imports_reports_unmarked_and_scattered_ones() -> None:
    """Without the mark an import in a function is an error; with it, one place is accepted."""
    heavy = "    import numpy  # heavy: 150 ms, only for those who run models\n"
    assert imports.hidden_imports(parse("x.py", f"def f():\n{heavy}")) == []
    assert len(imports.hidden_imports(parse("x.py", "def f():\n    import numpy"))) == 1
    assert len(imports.hidden_imports(parse("x.py", "class A:\n  def f(s):\n    import os"))) == 1
    assert len(imports.hidden_imports(parse("x.py", f"def f():\n{heavy}def g():\n{heavy}"))) == 1


def test_foreign_imports_names_packages_of_others() -> None:
    """The first part of each name is what pyproject.toml has to declare."""
    module = parse("x.py", "import a.b\nfrom c.d import e\nimport slipstream.call")
    assert imports.foreign_imports(module) == {"a", "c"}
