"""Makes a minimal valid instance of a JSON schema, for tool arguments and structured outputs.

Pure and deterministic. It makes, it does not validate: `not`, `if`, `dependentSchemas` and
`patternProperties` are not read, and a `pattern` is met only by one of a few candidates.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

Schema = Mapping[str, Any]

_MAX_ITEMS = 10_000  # of one array or string that a schema may ask for
_TEXT: Final = "string"

_FORMATS: Final[Mapping[str, str]] = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "a@example.com",
    "hostname": "example.com",
    "idn-email": "a@example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.com/",
    "uri-reference": "/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# Tried in turn against `pattern`.
_CANDIDATES: Final = (
    _TEXT, "a", "A", "0", "1", "ab", "AB", "abc", "ABC", "12", "123", "1234", "12345", "a1", "A1",
    "a-b", "a_b", "String", "1.0", "1.0.0", "00:00", "12:00", "#000000", "AAA-000", "+1234567890",
    "ABCD-1234", *_FORMATS.values(), "",
)  # fmt: skip


class NoInstance(Exception):
    """The schema has no instance that this module can make; the text says where and why."""


def minimal_instance(schema: object) -> Any:
    """Return a small instance: required properties only, the first of several choices.

    Raises:
        NoInstance: Nothing satisfies the schema, it never ends, or it asks for what is not read.
    """
    try:
        return _make(schema, schema, "$", ())
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as exc:
        raise NoInstance(f"the schema is not well formed: {exc}") from exc


def _make(schema: object, root: object, at: str, trail: tuple[str, ...]) -> Any:
    """Make an instance of `schema`; `trail` holds the references being followed."""
    if schema is True:
        return _TEXT
    if not isinstance(schema, Mapping):
        raise NoInstance(f"{at}: no value satisfies {json.dumps(schema)}")
    if "$ref" in schema:
        return _follow(schema, root, at, trail)
    if "allOf" in schema:
        return _make(_join(schema, root, at), root, at, trail)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            rest = {name: value for name, value in schema.items() if name != key}
            branches = (_merged(rest, branch) for branch in schema[key])
            return _first(branches, root, at, trail)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _pick(schema, at)
    return _make_typed(schema, root, at, trail)


def _follow(schema: Schema, root: object, at: str, trail: tuple[str, ...]) -> Any:
    reference = schema["$ref"]
    if reference in trail:  # a smallest instance never needs the same schema twice on one path
        raise NoInstance(f"{at}: {reference} contains itself without an end")
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    found = _merged(rest, _resolve(reference, root, at))
    return _make(found, root, at, (*trail, reference))


def _resolve(reference: object, root: object, at: str) -> object:
    """Follow a JSON pointer inside the schema; nothing outside it is ever fetched."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise NoInstance(f"{at}: $ref {reference!r} does not point into the schema itself")
    found = root
    for part in unquote(reference[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or key not in found:
            raise NoInstance(f"{at}: $ref {reference!r} points to nothing")
        found = found[key]
    return found


def _merged(schema: Schema, other: object) -> object:
    """Join two schemas that both apply; of single constraints the second one's stays."""
    if other is True:
        return schema
    if not isinstance(other, Mapping):
        return other
    joined = {**schema, **other}
    if "properties" in schema and "properties" in other:
        joined["properties"] = {**schema["properties"], **other["properties"]}
    if "required" in schema and "required" in other:
        joined["required"] = [*schema["required"], *other["required"]]
    return joined


def _join(schema: Schema, root: object, at: str) -> object:
    joined: object = {name: value for name, value in schema.items() if name != "allOf"}
    for part in schema["allOf"]:
        while isinstance(part, Mapping) and set(part) == {"$ref"}:
            part = _resolve(part["$ref"], root, at)
        if not isinstance(joined, Mapping):
            break
        joined = _merged(joined, part)
    return joined


def _first(branches: Iterator[object], root: object, at: str, trail: tuple[str, ...]) -> Any:
    """Return the first branch's instance that can be made, so that recursion finds its end."""
    reasons = []
    for branch in branches:
        try:
            return _make(branch, root, at, trail)
        except NoInstance as exc:
            reasons.append(str(exc))
    raise NoInstance(reasons[0] if reasons else f"{at}: there is no alternative to choose from")


def _pick(schema: Schema, at: str) -> Any:
    kinds = _types(schema) if "type" in schema else ()
    for value in schema["enum"]:
        if not kinds or any(_TYPES[kind][0](value) for kind in kinds if kind in _TYPES):
            return value
    raise NoInstance(f"{at}: no value of enum has the type {schema.get('type')!r}")


def _types(schema: Schema) -> tuple[str, ...]:
    """Return the types that the schema allows, or the one that its keywords speak of."""
    said = schema.get("type")
    if isinstance(said, str):
        return (said,)
    if isinstance(said, list):
        return tuple(said)
    for keywords, kind in _HINTS:
        if any(keyword in schema for keyword in keywords):
            return (kind,)
    return ("string",)


_HINTS: Final = (
    (("properties", "required", "additionalProperties", "minProperties"), "object"),
    (("items", "prefixItems", "minItems"), "array"),
    (("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
)


def _make_typed(schema: Schema, root: object, at: str, trail: tuple[str, ...]) -> Any:
    kinds = _types(schema)
    if len(kinds) > 1:
        return _first(({**schema, "type": kind} for kind in kinds), root, at, trail)
    if not kinds or kinds[0] not in _TYPES:
        raise NoInstance(f"{at}: unknown type {schema.get('type')!r}")
    return _TYPES[kinds[0]][1](schema, root, at, trail)


def _object(schema: Schema, root: object, at: str, trail: tuple[str, ...]) -> dict[str, Any]:
    properties: Schema = schema.get("properties", {})
    names = dict.fromkeys(schema.get("required", ()))
    least = _bounded(schema, "minProperties", at)
    optional = (name for name in properties if name not in names)
    while len(names) < least:
        names[next(optional, f"extra_{len(names) + 1}")] = None
    others = schema.get("additionalProperties", True)
    return {
        name: _make(properties.get(name, others), root, f"{at}.{name}", trail) for name in names
    }


def _array(schema: Schema, root: object, at: str, trail: tuple[str, ...]) -> list[Any]:
    least = _bounded(schema, "minItems", at)
    first: list[Any] = schema.get("prefixItems", [])
    others = schema.get("items", True)
    items = [
        _make(first[i] if i < len(first) else others, root, f"{at}.{i}", trail)
        for i in range(least)
    ]
    return _distinct(items, others, at) if schema.get("uniqueItems") else items


def _distinct(items: list[Any], schema: object, at: str) -> list[Any]:
    """Make the items differ: by the enum they come from, or by a number that is added."""
    choices = schema.get("enum") if isinstance(schema, Mapping) else None
    if len(items) < 2:
        return items
    if choices is not None and len(choices) >= len(items):
        return list(choices[: len(items)])
    if choices is None and all(type(item) is int for item in items):
        return [item + i for i, item in enumerate(items)]
    if choices is None and all(type(item) is str for item in items):
        return [f"{item}{i}" if i else item for i, item in enumerate(items)]
    raise NoInstance(f"{at}: {len(items)} distinct items are more than can be made")


def _string(schema: Schema, root: object, at: str, trail: tuple[str, ...]) -> str:
    least, most = _bounded(schema, "minLength", at), schema.get("maxLength", _MAX_ITEMS)
    pattern = schema.get("pattern")
    if pattern is None:
        text = _FORMATS.get(schema.get("format", ""), _TEXT).ljust(least, "x")
        return text[:most]
    for text in _CANDIDATES:
        if least <= len(text) <= most and _matches(pattern, text, at):
            return text
    raise NoInstance(f"{at}: no text at hand matches the pattern {pattern!r}")


def _matches(pattern: str, text: str, at: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error as exc:
        raise NoInstance(f"{at}: the pattern {pattern!r} cannot be read: {exc}") from exc


def _number(schema: Schema, root: object, at: str, trail: tuple[str, ...]) -> int | float:
    """Try a few numbers near the bounds and return the first that satisfies all of them."""
    step = schema.get("multipleOf") or 1
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    tried: list[float] = [0]
    for bound in (low, high):
        if math.isfinite(bound):
            steps = bound // step
            tried += [bound, *((steps + more) * step for more in (0, 1, -1, 2))]
    if math.isfinite(low) and math.isfinite(high):
        tried.append((low + high) / 2)
    whole = schema.get("type") == "integer"
    for value in tried:
        if _is_within(schema, value) and (not whole or value == int(value)):
            return int(value) if value == int(value) else value
    raise NoInstance(f"{at}: no number lies within the bounds")


def _is_within(schema: Schema, value: float) -> bool:
    step = schema.get("multipleOf")
    return (
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and schema.get("exclusiveMinimum", -math.inf) < value
        and value < schema.get("exclusiveMaximum", math.inf)
        and (not step or math.isclose(value / step, round(value / step), abs_tol=1e-9))
    )


def _bounded(schema: Schema, keyword: str, at: str) -> int:
    number: int = schema.get(keyword, 0)
    if number > _MAX_ITEMS:
        raise NoInstance(f"{at}: {keyword} {number} is over {_MAX_ITEMS}")
    return number


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


Make = Callable[[Schema, object, str, tuple[str, ...]], Any]

# type -> (does a value have it, make one)
_TYPES: Final[Mapping[str, tuple[Callable[[object], bool], Make]]] = {
    "object": (lambda value: isinstance(value, Mapping), _object),
    "array": (lambda value: isinstance(value, list), _array),
    "string": (lambda value: isinstance(value, str), _string),
    "integer": (lambda value: type(value) is int, _number),
    "number": (_is_number, _number),
    "boolean": (lambda value: isinstance(value, bool), lambda *_: False),
    "null": (lambda value: value is None, lambda *_: None),
}
