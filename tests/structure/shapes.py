"""Rules on size, nesting, names, broad excepts and docstrings; each takes a module, gives problems.

Lines are physical lines, docstring included: what a reader has to scroll past.
"""

import ast
import re
from collections.abc import Iterator

from tests.structure.tree import Module

MAX_MODULE_LINES = 500
AIM_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60
AIM_FUNCTION_LINES = 30
MAX_NESTING = 3
MAX_NESTING_OF_TESTS = 4  # tests and benches stand on servers that a `with` opens
MAX_DOCSTRING_LINES = 6
THEORY_HEADING = "Theory of operation"

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (
    ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try | ast.TryStar
) | ast.Match
_BAD_CLASS = re.compile(r"^_?(Base|Abstract)(?=[A-Z]|$)|(Manager|Helper|Factory)s?$")
_PROSE = re.compile(r"(?!\d+\. )\S")
_BAD_MODULES = frozenset({"utils", "util", "common", "helpers", "misc"})


def num_lines(module: Module) -> int:
    """Return the number of lines of a module."""
    return len(module.source.splitlines())


def functions(module: Module) -> Iterator[Function]:
    """Yield every function and method, nested ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            yield node


def function_lines(function: Function) -> int:
    """Return a function's length from its `def` to its last line; decorators are not counted."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def long_functions(module: Module, limit: int = MAX_FUNCTION_LINES) -> list[str]:
    """Report functions of more lines than the limit."""
    return [
        f"{module.path}:{f.lineno}: {f.name} has {function_lines(f)} lines"
        for f in functions(module)
        if function_lines(f) > limit
    ]


def deep_functions(module: Module, limit: int = MAX_NESTING) -> list[str]:
    """Report functions in which blocks nest deeper than the limit."""
    return [
        f"{module.path}:{f.lineno}: {f.name} nests {depth} deep"
        for f in functions(module)
        if (depth := _depth(f.body)) > limit
    ]


def _depth(body: list[ast.stmt]) -> int:
    return max((_statement_depth(statement) for statement in body), default=0)


def _statement_depth(statement: ast.stmt) -> int:
    """Return how many blocks a statement opens inside each other; a nested `def` starts anew."""
    if not isinstance(statement, _BLOCKS):
        return 0
    inner = 0
    for branch in _branches(statement):
        if _is_elif(statement, branch):
            # `elif` reads at the depth of its `if`, though the tree holds it one deeper.
            inner = max(inner, _depth(branch) - 1)
        else:
            inner = max(inner, _depth(branch))
    return inner + 1


def _branches(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, [])
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _is_elif(statement: ast.stmt, branch: list[ast.stmt]) -> bool:
    return (
        isinstance(statement, ast.If)
        and branch is statement.orelse
        and len(branch) == 1
        and isinstance(branch[0], ast.If)
        and branch[0].col_offset == statement.col_offset
    )


def broad_excepts(module: Module) -> list[str]:
    """Report `except:`, `except Exception`, `except BaseException` and `suppress` of them.

    A handler whose last statement is a bare `raise` cleans up and swallows nothing.
    """
    return [
        f"{module.path}:{node.lineno}: a broad except"
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _reraises(node))
        or (isinstance(node, ast.Call) and _is_broad_suppress(node))
    ]


def _reraises(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _is_broad_suppress(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return name == "suppress" and any(_is_broad(each) for each in call.args)


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(each) for each in caught.elts)
    return isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException")


def bad_names(module: Module) -> list[str]:
    """Report class and module names that say nothing of the domain."""
    problems = []
    parts = module.path.removesuffix(".py").split("/")
    if _BAD_MODULES.intersection(parts):
        problems.append(f"{module.path}: name it after what it holds")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and _BAD_CLASS.search(node.name):
            problems.append(f"{module.path}:{node.lineno}: class {node.name}")
    return problems


def docstring_problem(module: Module) -> str | None:
    """Report a module without a docstring, or with more than six lines of prose and no theory.

    Drawings and maps, which are indented, and numbered rules are no prose.
    """
    text = ast.get_docstring(module.tree)
    if not text:
        return f"{module.path}: no docstring"
    lines = [line for line in text.splitlines() if _PROSE.match(line)]
    if len(lines) > MAX_DOCSTRING_LINES and THEORY_HEADING not in text:
        return f"{module.path}: a docstring of {len(lines)} lines of prose"
    return None


def undocumented(module: Module) -> list[str]:
    """Report public functions, classes and methods without a docstring.

    Methods of a class with a foreign base (a protocol of asyncio, a Click group) implement a
    contract that is written there, so they need none.
    """
    own = {node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)}
    problems = []
    for node in module.tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        wanted: list[Function | ast.ClassDef] = [node]
        if isinstance(node, ast.ClassDef) and _is_ours(node, own):
            wanted += _public_methods(node)
        problems += [
            f"{module.path}:{each.lineno}: {each.name} has no docstring"
            for each in wanted
            if not ast.get_docstring(each)
        ]
    return problems


def _public_methods(node: ast.ClassDef) -> list[Function]:
    methods = [each for each in node.body if isinstance(each, Function)]
    return [each for each in methods if not each.name.startswith("_")]


# Bases that bring no methods to override.
_PLAIN_BASES = frozenset(
    [
        "object",
        "Exception",
        "Struct",
        "StrEnum",
        "IntEnum",
        "Enum",
        "NamedTuple",
        "Generic",
        "Protocol",
    ]
)
_FOREIGN_MODULES = frozenset({"asyncio"})


def _is_ours(node: ast.ClassDef, own: set[str]) -> bool:
    return all(_base_name(base) in own | _PLAIN_BASES for base in node.bases)


def _base_name(base: ast.expr) -> str:
    while isinstance(base, ast.Subscript):
        base = base.value
    if isinstance(base, ast.Attribute):
        is_foreign = isinstance(base.value, ast.Name) and base.value.id in _FOREIGN_MODULES
        return "" if is_foreign else base.attr
    return getattr(base, "id", "")


def silent_tests(module: Module) -> list[str]:
    """Report test functions without the line that states their rule."""
    return [
        f"{module.path}:{f.lineno}: {f.name} has no docstring"
        for f in functions(module)
        if f.name.startswith("test_") and not ast.get_docstring(f)
    ]
