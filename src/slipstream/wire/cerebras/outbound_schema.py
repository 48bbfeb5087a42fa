"""Strict schemas of any OpenAI client, as Cerebras's strict mode takes them.

A keyword may go only if each answer that Cerebras then gives is valid for the client all the same.
One by which the client means to be kept from a wrong answer is refused, with its path, unless the
operator has said that such keywords may be relaxed.

Source: ../shared/reference/cerebras-api.md section 2.5; JSON Schema 2020-12, 2026-11-21.
"""

from collections.abc import Iterator
from typing import Any, Final

from slipstream.wire.cerebras.draft import Draft, Path, not_taken
from slipstream.wire.cerebras.schema import find_schema_fault

_MAX_DEPTH: Final = 12  # deeper ones are refused anyway

# These tell people something and allow or forbid no answer, so nothing is lost without them.
# `nullable` is OpenAPI's: it would allow null besides, which an answer need not be.
_TELLING: Final = frozenset(
    [
        "$comment",
        "$id",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "deprecated",
        "discriminator",
        "example",
        "examples",
        "externalDocs",
        "id",
        "nullable",
        "readOnly",
        "writeOnly",
        "xml",
    ]
)
_EXTENSION: Final = "x-"

# These forbid answers. Cerebras decodes without regard to them, so their promise would be broken:
# keyword -> the values of it that forbid nothing.
_FORBIDDING: Final[dict[str, tuple[Any, ...]]] = {
    "pattern": (),
    "format": (),
    "minItems": (0,),
    "maxItems": (),
    "uniqueItems": (False,),
    "contains": (True, {}),
    "minContains": (),
    "maxContains": (),
    "minProperties": (0,),
    "maxProperties": (),
    "propertyNames": (True, {}),
    "patternProperties": ({},),
    "unevaluatedProperties": (True, {}),
    "unevaluatedItems": (True, {}),
    "additionalItems": (True, {}),
    "dependencies": ({},),
    "dependentRequired": ({},),
    "dependentSchemas": ({},),
    "not": (False,),
    "if": (),
    "then": (),
    "else": (),
}
# These hold what an answer must be, so that without them nothing of it is left to hold to.
_SHAPING: Final[dict[str, str]] = {
    "oneOf": "write 'anyOf' where no answer can be two of them",
    "allOf": "write what all of them demand into one schema",
    "$anchor": "refer to '#/$defs/…'",
    "$dynamicRef": "refer to '#/$defs/…'",
    "$recursiveRef": "refer to '#/$defs/…'",
}
_OLD_REF: Final = "#/definitions/"
_REF: Final = "#/$defs/"


def adapt_schema(draft: Draft, path: Path, *, relaxes: bool) -> None:
    """Change a strict schema of a draft so that Cerebras takes it and its answers stay valid.

    Args:
        path: Where the schema lies.
        relaxes: Leave out, and name, also what forbids answers.

    Raises:
        Unsupported: What it demands cannot be kept; names the keyword and where it stands.
    """
    schema = _at(draft, path)
    if isinstance(schema, dict):
        _adapt_root(draft, path, schema)
        _adapt_node(draft, path, 0, relaxes=relaxes)
    fault = find_schema_fault(schema)
    if fault is not None:
        raise not_taken(_dotted(path), f"of a strict schema it demands more: {fault}")


def _adapt_root(draft: Draft, path: Path, schema: dict[str, Any]) -> None:
    if "definitions" in schema and "$defs" not in schema:
        draft.put(*path, "$defs", value=draft.take(*path, "definitions"))
        draft.note(*path, "definitions", to="$defs")
    if "type" not in schema and isinstance(schema.get("properties"), dict):
        draft.put(*path, "type", value="object")
        draft.note(*path, "type", to="object")
    if "properties" not in schema and schema.get("additionalProperties") is False:
        draft.put(*path, "properties", value={})
        draft.note(*path, "properties", to="{}")


def _adapt_node(draft: Draft, path: Path, depth: int, *, relaxes: bool) -> None:
    node = _at(draft, path)
    if not isinstance(node, dict) or depth > _MAX_DEPTH:
        return
    _inline_only(draft, path, node)
    for keyword in tuple(node):
        _adapt_keyword(draft, path, keyword, node[keyword], relaxes=relaxes)
    _close_object(draft, path, node)
    _close_tuple(draft, path, node)
    ref = node.get("$ref")
    if isinstance(ref, str) and ref.startswith(_OLD_REF):
        draft.put(*path, "$ref", value=_REF + ref.removeprefix(_OLD_REF))
        draft.note(*path, "$ref")
    for step in tuple(_steps(node)):
        _adapt_node(draft, path + step, depth + 1, relaxes=relaxes)


def _inline_only(draft: Draft, path: Path, node: dict[str, Any]) -> None:
    """Write the only schema of an `allOf` in its place, as far as the two say nothing twice."""
    only = node.get("allOf")
    if isinstance(only, list) and len(only) == 1 and isinstance(only[0], dict):
        [inner] = only
        if inner.keys() & node.keys() <= {"allOf"}:
            draft.take(*path, "allOf")
            for key, value in inner.items():
                draft.put(*path, key, value=value)
            draft.note(*path, "allOf")


def _adapt_keyword(draft: Draft, path: Path, keyword: str, value: Any, *, relaxes: bool) -> None:
    if keyword in _TELLING or keyword.startswith(_EXTENSION):
        draft.drop(*path, keyword)
    elif keyword == "oneOf" and relaxes and "anyOf" not in _at(draft, path):
        draft.put(*path, "anyOf", value=draft.take(*path, "oneOf"))
        draft.note(*path, "oneOf", to="anyOf")
    elif keyword in _SHAPING:
        raise not_taken(_dotted((*path, keyword)), f"strict schemas have none: {_SHAPING[keyword]}")
    elif keyword in _FORBIDDING:
        if not (relaxes or any(_is_same(value, void) for void in _FORBIDDING[keyword])):
            raise not_taken(
                _dotted((*path, keyword)),
                f"it would not keep an answer from breaking '{keyword}'; leave the keyword out, or "
                "ask without 'strict'",
            )
        draft.take(*path, keyword)
        draft.note(*path, keyword)


def _is_same(value: Any, other: Any) -> bool:
    """Compare as JSON does, where 0 and false are two."""
    return isinstance(value, bool) is isinstance(other, bool) and value == other


def _close_object(draft: Draft, path: Path, node: dict[str, Any]) -> None:
    """Forbid the properties that are not named: an answer without any is valid, too."""
    is_object = "properties" in node or "object" in _types(node)
    more = node.get("additionalProperties", True)
    if not is_object or more is False:
        return
    if "properties" not in node or not (more is True or more == {}):
        raise not_taken(
            _dotted((*path, "additionalProperties")),
            "every object must name its properties and say that there are no others",
        )
    draft.put(*path, "additionalProperties", value=False)
    draft.note(*path, "additionalProperties", to="false")


def _close_tuple(draft: Draft, path: Path, node: dict[str, Any]) -> None:
    """Forbid what may follow a tuple."""
    if "prefixItems" in node and node.get("items", True) in (True, {}):
        draft.put(*path, "items", value=False)
        draft.note(*path, "items", to="false")


def _types(node: dict[str, Any]) -> list[Any]:
    said = node.get("type")
    return said if isinstance(said, list) else [said]


def _steps(node: dict[str, Any]) -> Iterator[Path]:
    """Yield where the schemas inside a schema lie."""
    for key in ("properties", "$defs"):
        held = node.get(key)
        if isinstance(held, dict):
            yield from ((key, name) for name in held)
    for key in ("prefixItems", "anyOf"):
        held = node.get(key)
        if isinstance(held, list):
            yield from ((key, number) for number in range(len(held)))
    if isinstance(node.get("items"), dict):
        yield ("items",)


def _at(draft: Draft, path: Path) -> Any:
    value: Any = draft.said
    for step in path:
        value = value[step]
    return value


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
