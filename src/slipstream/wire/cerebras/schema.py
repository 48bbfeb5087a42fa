"""The subset of JSON Schema that Cerebras's strict mode takes, and its limits.

Source: ../shared/reference/cerebras-api.md section 2.5, 2026-11-21.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

_MAX_CHARS: Final = 5_000  # of property and definition names, and of enum and const texts
_MAX_DEPTH: Final = 10
_MAX_PROPERTIES: Final = 500
_MAX_ENUM_VALUES: Final = 500
_LONG_ENUM_VALUES: Final = 250
_MAX_LONG_ENUM_CHARS: Final = 7_500
_REF: Final = "#/$defs/"
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_SCALARS: Final = (str, int, float, bool, type(None))
_KEYWORDS: Final = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "prefixItems",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "description",
        "title",
        "$schema",
        "default",
    ]
)
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


class _Count:
    """What the limits count, over a whole schema."""

    __slots__ = ("chars", "enum_values", "properties")

    def __init__(self) -> None:
        self.chars = 0
        self.enum_values = 0
        self.properties = 0


def find_schema_fault(schema: Any) -> str | None:
    """Return what keeps a schema out of strict mode; None if nothing does."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "the root of a strict schema must have type 'object'"
    if "anyOf" in schema:
        return "'anyOf' is not supported at the root"
    if not isinstance(schema.get("properties"), dict):
        return "the root of a strict schema must have 'properties'"
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, dict):
        return "'$defs' must be an object"
    count = _Count()
    count.chars = sum(map(len, definitions))
    without = {key: value for key, value in schema.items() if key != "$defs"}
    try:
        faults = (_faults(node, 1, count, definitions) for node in (without, *definitions.values()))
        fault = next(chain.from_iterable(faults), None)
    except RecursionError:
        return f"the schema is nested more than {_MAX_DEPTH} levels deep"
    return fault or _over_limit(count) or _recursion(definitions)


def _faults(node: Any, depth: int, count: _Count, definitions: dict[str, Any]) -> Iterator[str]:
    if not isinstance(node, dict):
        yield "a schema must be an object"
        return
    if depth > _MAX_DEPTH:
        yield f"the schema is nested more than {_MAX_DEPTH} levels deep"
        return
    if unknown := sorted(map(str, set(node) - _KEYWORDS)):
        yield f"Unsupported JSON schema fields: {{{', '.join(map(repr, unknown))}}}"
    yield from _own_faults(node, count, definitions)
    for inside in _children(node):
        yield from _faults(inside, depth + 1, count, definitions)


def _own_faults(node: dict[str, Any], count: _Count, definitions: dict[str, Any]) -> Iterator[str]:
    if "$defs" in node:
        yield "'$defs' is supported at the root only"
    types = node.get("type", [])
    named = types if isinstance(types, list) else [types]
    if not all(isinstance(name, str) and name in _TYPES for name in named):
        yield f"unsupported type {types!r}"
    ref = node.get("$ref")
    if "$ref" in node and not (
        isinstance(ref, str) and ref.startswith(_REF) and ref.removeprefix(_REF) in definitions
    ):
        yield f"'$ref' must name one of '$defs', got {ref!r}"
    if "object" in named or "properties" in node:
        yield from _object_faults(node, count)
    if "array" in named or "items" in node or "prefixItems" in node:
        yield from _array_faults(node)
    any_of = node.get("anyOf", [{}])
    if not isinstance(any_of, list) or not any_of:
        yield "'anyOf' must be an array of schemas"
    for keyword in _NUMBERS:
        if type(node.get(keyword, 0)) not in (int, float):
            yield f"'{keyword}' must be a number"
    yield from _value_faults(node, count)


def _object_faults(node: dict[str, Any], count: _Count) -> Iterator[str]:
    properties, required = node.get("properties", {}), node.get("required", [])
    if node.get("additionalProperties") is not False:
        yield "'additionalProperties' must be false on every object"
    if not isinstance(properties, dict):
        yield "'properties' must be an object"
        return
    if not isinstance(required, list) or not all(
        isinstance(name, str) and name in properties for name in required
    ):
        yield "'required' must name properties of its object"
    count.properties += len(properties)
    count.chars += sum(len(str(name)) for name in properties)


def _array_faults(node: dict[str, Any]) -> Iterator[str]:
    items = node.get("items")
    if "prefixItems" in node:
        if not isinstance(node["prefixItems"], list) or items is not False:
            yield "'prefixItems' must be an array of schemas with 'items' false beside it"
    elif not isinstance(items, dict):
        yield "an array needs 'items', a schema"


def _value_faults(node: dict[str, Any], count: _Count) -> Iterator[str]:
    if not isinstance(node.get("const"), _SCALARS):
        yield "'const' must be a string, a number, a boolean or null"
    count.chars += _num_chars([node.get("const")])
    values = node.get("enum", [None])
    if not isinstance(values, list) or not values:
        yield "'enum' must be an array of values"
        return
    chars = _num_chars(values)
    count.chars += chars
    count.enum_values += len(values) if "enum" in node else 0
    if len(values) > _LONG_ENUM_VALUES and chars > _MAX_LONG_ENUM_CHARS:
        yield (
            f"an enum of more than {_LONG_ENUM_VALUES} values may have at most "
            f"{_MAX_LONG_ENUM_CHARS} characters"
        )


def _num_chars(values: list[Any]) -> int:
    return sum(len(value) for value in values if isinstance(value, str))


def _children(node: dict[str, Any]) -> list[Any]:
    items = node.get("items")
    return [
        *node.get("properties", {}).values(),
        *([items] if isinstance(items, dict) else []),
        *node.get("prefixItems", []),
        *node.get("anyOf", []),
    ]


def _over_limit(count: _Count) -> str | None:
    limits = (
        (count.chars, _MAX_CHARS, "characters of names and values"),
        (count.properties, _MAX_PROPERTIES, "properties"),
        (count.enum_values, _MAX_ENUM_VALUES, "enum values"),
    )
    for got, most, what in limits:
        if got > most:
            return f"the schema has {got} {what}; at most {most} are supported"
    return None


def _recursion(definitions: dict[str, Any]) -> str | None:
    """Tell a definition that reaches itself."""
    reached = {name: set(_refs(node)) for name, node in definitions.items()}
    for name, first in reached.items():
        seen: set[str] = set()
        ahead = [*first]
        while ahead:
            at = ahead.pop()
            if at == name:
                return f"the definition '{name}' is recursive"
            if at not in seen:
                seen.add(at)
                ahead.extend(reached.get(at, ()))
    return None


def _refs(node: dict[str, Any]) -> Iterator[str]:
    if "$ref" in node:
        yield str(node["$ref"]).removeprefix(_REF)
    for inside in _children(node):
        yield from _refs(inside)
