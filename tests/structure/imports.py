"""Rules on imports: the table of levels, cycles, and imports inside functions.

The table below is the only place that says which part of the package may import which.
"""

import ast
from collections.abc import Iterable, Iterator

from tests.structure.tree import Module

# Lowest first. A part may import parts of lower levels and itself, never another of its own level.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("choice",),
    ("errors", "framing", "settings", "process", "tuning"),
    ("call",),
    (
        "wire",
        "catalog",
        "routing",
        "dispatch",
        "limits",
        "cache",
        "batches",
        "responses",
        "ledger",
        "experiments",
        "engine",
        "migrations",
        "toml_settings",
    ),
    ("upstream", "server", "client"),
    ("naming",),
    ("config",),
    ("books", "served", "kept", "cooling", "probing"),
    ("targets",),
    ("offer",),
    ("choosing",),
    ("assembly",),
    ("app", "bookkeeper"),
    ("cli",),
    ("__main__",),
)
_LEVEL_OF = {part: number for number, parts in enumerate(LEVELS) for part in parts}
HEAVY_MARK = "# heavy:"


def name_of(module: Module) -> str:
    """Return the dotted name below `slipstream`; empty for the package itself."""
    parts = module.path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def own_imports(module: Module) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name below `slipstream`) of each import of our own package."""
    for line, name in _imported_names(module.tree):
        if name == "slipstream" or name.startswith("slipstream."):
            yield line, name.removeprefix("slipstream").lstrip(".")


def _imported_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, name) for name in _names_in(node))


def _names_in(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level:
        return ["slipstream.<relative>"]  # has no level, so it is reported: we write full names
    # `from slipstream import call` names a module just as `import slipstream.call` does.
    return [f"{node.module}.{alias.name}" for alias in node.names]


def wrong_directions(module: Module) -> list[str]:
    """Report imports that go up, or sideways to another part of the same level."""
    part = name_of(module).split(".")[0]
    problems = []
    if part and part not in _LEVEL_OF:
        problems.append(f"{module.path}: '{part}' has no level; add it to LEVELS")
    for line, name in own_imports(module):
        imported = name.split(".")[0]
        if imported in ("", part, "__version__"):
            continue
        if imported not in _LEVEL_OF:
            problems.append(f"{module.path}:{line}: '{imported}' has no level")
        elif part in _LEVEL_OF and _LEVEL_OF[imported] >= _LEVEL_OF[part]:
            problems.append(f"{module.path}:{line}: '{part}' may not import '{imported}'")
    return problems


def cycles(all_modules: Iterable[Module]) -> list[str]:
    """Report each cycle of module imports as `a -> b -> a`."""
    all_modules = list(all_modules)
    names = {name_of(module) for module in all_modules}
    edges = {
        name_of(module): {
            target
            for _, imported in own_imports(module)
            if (target := _module_in(imported, names)) and target != name_of(module)
        }
        for module in all_modules
    }
    found: list[str] = []
    done: set[str] = set()
    for start in sorted(edges):
        _walk(start, [], edges, done, found)
    return found


def _module_in(imported: str, names: set[str]) -> str:
    """Return the module that an imported name is or lives in."""
    while imported and imported not in names:
        imported = imported.rpartition(".")[0]
    return imported


def _walk(
    name: str, trail: list[str], edges: dict[str, set[str]], done: set[str], found: list[str]
) -> None:
    if name in trail:
        found.append(" -> ".join([*trail[trail.index(name) :], name]))
        return
    if name in done:
        return
    for target in sorted(edges.get(name, ())):
        _walk(target, [*trail, name], edges, done, found)
    done.add(name)


def hidden_imports(module: Module) -> list[str]:
    """Report imports inside functions that lack the mark, and marks at more than one place."""
    lines = module.source.splitlines()
    problems, places = [], set()
    for function in _functions(module.tree):
        for node in ast.walk(function):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            if HEAVY_MARK in lines[node.lineno - 1]:
                places.add(function.name)
            else:
                problems.append(f"{module.path}:{node.lineno}: an import inside a function")
    if len(places) > 1:
        problems.append(f"{module.path}: heavy imports at {len(places)} places; one is accepted")
    return problems


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield outermost functions and methods."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        else:
            yield from _functions(node)


def foreign_imports(module: Module) -> set[str]:
    """Return the top-level names that a module imports from outside of `slipstream`."""
    return {name.split(".")[0] for _, name in _imported_names(module.tree)} - {"slipstream"}
