"""Reads the checkout for the rule tests: which files there are, and their syntax trees."""

import ast
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "slipstream"


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file.

    Args:
        path: Relative to the root of the package or checkout that it was read from, with `/`.
    """

    path: str
    source: str
    tree: ast.Module


def parse(path: str, source: str) -> Module:
    """Parse one file; the rules' own tests use this on made-up sources."""
    return Module(path, source, ast.parse(source))


@cache
def tracked_paths() -> tuple[str, ...]:
    """Return every file that git tracks or would track, relative to the root, sorted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=30)
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    return tuple(name for name in names if (ROOT / name).is_file())


@cache
def tracked_texts() -> tuple[tuple[str, str], ...]:
    """Return (path, text) of every tracked file that is text."""
    texts = []
    for name in tracked_paths():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data:
            texts.append((name, data.decode()))
    return tuple(texts)


@cache
def modules(folder: str) -> tuple[Module, ...]:
    """Parse every tracked Python file under a folder of the checkout, paths relative to it."""
    start = folder.rstrip("/") + "/"
    return tuple(
        parse(name.removeprefix(start), (ROOT / name).read_text())
        for name in tracked_paths()
        if name.startswith(start) and name.endswith(".py")
    )


def package() -> tuple[Module, ...]:
    """Return the modules of `slipstream`, paths relative to src/slipstream."""
    return modules("src/slipstream")


def assert_none(problems: Iterable[str]) -> None:
    """Fail with every problem on a line of its own."""
    found = list(problems)
    assert not found, "\n" + "\n".join(found)
