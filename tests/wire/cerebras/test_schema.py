"""Tests of slipstream.wire.cerebras.schema, one row for each rule of the contract's section 2.5."""

from typing import Any

import pytest

from slipstream.wire.cerebras.schema import find_schema_fault


def _root(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth - 1):
        schema = _root(a=schema)
    return schema


ALLOWED: list[dict[str, Any]] = [
    _root(),
    _root(a={"type": "array", "items": {"type": "integer", "minimum": 0}}),
    _root(a={"type": "array", "prefixItems": [{"type": "string"}], "items": False}),
    _root(a={"anyOf": [{"type": "null"}, {"const": 1}]}),
    {**_root(a={"$ref": "#/$defs/b"}), "$defs": {"b": {"enum": ["x"]}}},
    _nested(10),
    _root(**{f"p{at}": {} for at in range(500)}),
]
REFUSED: list[tuple[Any, str]] = [
    (None, "root"),
    ({"anyOf": [_root()], **_root()}, "anyOf"),
    ({"type": "object", "properties": {}}, "additionalProperties"),
    ({**_root(), "required": [[]]}, "required"),
    (_root(a={"type": "array"}), "items"),
    (_root(a={"type": "array", "items": True}), "items"),
    (_root(a={"type": "array", "prefixItems": [{}]}), "prefixItems"),
    (_root(a={"type": "date"}), "type"),
    (_root(a={"type": "string", "pattern": "x"}), "'pattern'"),
    (_root(a={"type": "array", "items": {}, "minItems": 1}), "'minItems'"),
    (_root(a={"oneOf": [{}]}), "'oneOf'"),
    ({**_root(), "definitions": {}}, "'definitions'"),
    (_root(a={"$ref": "https://example.com"}), "$ref"),
    ({**_root(), "$defs": {"a": _root(b={"$ref": "#/$defs/a"})}}, "recursive"),
    ({**_root(), "$defs": 1}, "'$defs' must be an object"),
    ({**_root(), "$defs": {"a": 1}}, "must be an object"),
    ({**_root(), "$defs": {"a": {"$defs": 1}}}, "root only"),
    ({**_root(), "$defs": {"x" * 5_001: {}}}, "5000"),
    (_root(a={"$defs": {}}), "root only"),
    (_nested(11), "10 levels"),
    (_root(**{f"p{at}": {} for at in range(501)}), "500"),
    (_root(a={"enum": list(range(501))}), "enum values"),
    (_root(a={"const": "x" * 5_000}), "5000"),
    (_root(a={"enum": [f"{at:030}" for at in range(251)]}), "7500"),
]


@pytest.mark.parametrize("schema", ALLOWED)
def test_schema_of_the_subset_has_no_fault(schema: dict[str, Any]) -> None:
    """What the subset allows is taken."""
    assert find_schema_fault(schema) is None


@pytest.mark.parametrize(("schema", "words"), REFUSED)
def test_schema_outside_the_subset_has_a_fault_that_names_it(schema: Any, words: str) -> None:
    """What the subset lacks is told by its name."""
    fault = find_schema_fault(schema)
    assert fault is not None
    assert words in fault
