"""Words, registry names, changelog, Makefile, scripts and constraints."""

import os
import re
import tomllib

import pytest

from slipstream import __version__
from tests.structure import texts
from tests.structure.tree import ROOT, assert_none, tracked_paths, tracked_texts

# A licence is quoted as it is.
_QUOTED = frozenset({"LICENSE"})

TARGETS = (
    "help",
    "demo",
    "setup",
    "test",
    "check",
    "bench",
    "bench-engine",
    "bench-peers",
    "bench-routing",
    "docs",
    "lock",
    "clean",
)
CONSTRAINTS = ("pip", "run", "local", "dev")


def _read(path: str) -> str:
    return (ROOT / path).read_text()


def test_texts_promise_no_work() -> None:
    """What is in the tree is finished: no word in it puts work off or excuses a short cut."""
    found = [p for path, text in tracked_texts() for p in texts.banned_words(path, text)]
    assert_none(problem for problem in found if problem.split(":")[0] not in _QUOTED)


def test_texts_name_no_registry() -> None:
    """No file says where packages come from, so every mirror and proxy works."""
    assert_none(p for path, text in tracked_texts() for p in texts.registry_hosts(path, text))


def test_changelog_has_this_version_on_top() -> None:
    """The topmost entry of CHANGELOG.md is the version of the package."""
    assert texts.changelog_version(_read("CHANGELOG.md")) == __version__


def test_changelog_keeps_its_order() -> None:
    """Readers find Security first and Fixed last in every entry."""
    assert_none(texts.changelog_disorder(_read("CHANGELOG.md")))


def test_makefile_has_its_targets_and_only_calls_scripts() -> None:
    """make and CI run the same scripts, so a recipe is one call of one."""
    targets = texts.make_targets(_read("Makefile"))
    assert set(targets) == set(TARGETS)
    assert_none(
        f"{target}: {line}"
        for target, recipe in targets.items()
        for line in recipe
        if not re.match(r"^@scripts/[a-z-]+( dev| \$\(ARGS\))?$", line)
    )


def test_scripts_that_make_calls_exist_and_run() -> None:
    """Every script is executable, strict about failures, and says what it does."""
    called = set(re.findall(r"scripts/([a-z-]+)", _read("Makefile")))
    have = {path for path in tracked_paths() if re.match(r"^scripts/[a-z-]+$", path)}
    assert {f"scripts/{name}" for name in called} <= have
    for path in sorted(have | {".ci/run"}):
        assert os.access(ROOT / path, os.X_OK), path
        lines = _read(path).splitlines()
        assert lines[0] == "#!/usr/bin/env bash", path
        assert lines[1].startswith("# "), path
        assert "set -euo pipefail" in lines, path


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_pin_everything_with_hashes(name: str) -> None:
    """What is installed is what was locked, byte for byte, from wherever it comes."""
    assert_none(texts.loose_pins(name, _read(f"constraints/{name}.txt")))


@pytest.mark.parametrize("name", ["run", "local"])
def test_constraints_are_subsets_of_the_largest(name: str) -> None:
    """A package has one version, whether it is installed for running or for tests."""
    every = set(texts.pinned(_read("constraints/dev.txt")).values())
    mine = set(texts.pinned(_read(f"constraints/{name}.txt")).values())
    assert {line.split(";")[0].strip() for line in mine} <= {
        line.split(";")[0].strip() for line in every
    }


def test_constraints_hold_every_declared_dependency() -> None:
    """A dependency that was added to pyproject.toml is locked as well: run `make lock`."""
    project = tomllib.loads(_read("pyproject.toml"))
    extras = project["project"]["optional-dependencies"]
    wanted = {
        "run": project["project"]["dependencies"],
        "local": [*extras["local"], *extras["client"]],
        "dev": [each for each in project["dependency-groups"]["dev"] if isinstance(each, str)],
    }
    for name, requirements in wanted.items():
        locked = texts.pinned(_read(f"constraints/{name}.txt"))
        names = {re.split(r"[\[<>=;\s]", each)[0].lower() for each in requirements}
        assert names <= set(locked), name


def test_licence_is_the_whole_apache_licence() -> None:
    """The package says Apache-2.0; its full text is there."""
    licence = _read("LICENSE")
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


# ---- the rules can fail -------------------------------------------------------------------------


@pytest.mark.parametrize("word", texts.BANNED_WORDS)
def test_banned_words_are_found_in_any_case(word: str) -> None:
    """Each banned word is seen, upper case or lower, with its line."""
    assert len(texts.banned_words("x.md", f"fine\nthis is {word.upper()}, yes")) == 1
    assert texts.banned_words("x.md", f"fine\n{word.lower()}")[0].startswith("x.md:2:")
    assert texts.banned_words("x.md", f"pre{word.replace(' ', '')}fix") == []
    assert texts.banned_words("x.py", f"{word}, then in times") == []


@pytest.mark.parametrize("host", texts.REGISTRY_HOSTS)
def test_registry_hosts_are_found_in_addresses(host: str) -> None:
    """Each registry is seen inside an address."""
    assert len(texts.registry_hosts("x.md", f"see https://files.{host}/simple/")) == 1
    assert texts.registry_hosts("x.md", "see http://127.0.0.1/simple/") == []


def test_changelog_rules_report_wrong_entries() -> None:
    """A wrong version, an unknown heading and a wrong order are all seen."""
    assert texts.changelog_version("# C\n\n## [2.0.0] 2026-01-01\n## 1.0.0") == "2.0.0"
    assert texts.changelog_version("# C") is None
    assert texts.changelog_disorder("## 1\n### Added\n### Fixed\n## 0\n### Security") == []
    assert texts.changelog_disorder("## 1\n### Fixed\n### Added") != []
    assert texts.changelog_disorder("## 1\n### News") == ["1: unknown heading 'News'"]


def test_make_targets_reads_targets_and_recipes() -> None:
    """Variables are no targets; recipes are the lines that begin with a tab."""
    text = "X := a\n.PHONY: a\na: b ## help\n\t@scripts/a\n\tcp x y\nc-d:\n"
    assert texts.make_targets(text) == {"a": ["@scripts/a", "cp x y"], "c-d": []}


def test_loose_pins_reports_what_is_not_fixed() -> None:
    """A range, an address and a missing hash are all seen."""
    good = "a-b==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n    # via c"
    assert texts.loose_pins("x", good) == []
    assert texts.loose_pins("x", f"{good}\nc>=1 \\\n    --hash=sha256:00") != []
    assert texts.loose_pins("x", f"{good}\nc==1") == ["x: 'c==1' has no hash"]
    assert texts.loose_pins("x", f"--index-url http://127.0.0.1\n{good}") != []
