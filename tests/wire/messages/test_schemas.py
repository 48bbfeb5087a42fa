"""Tests of slipstream.wire.messages.schemas."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.messages.schemas import fit_schema, with_type


def fitted(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as Anthropic takes it."""
    return fit_schema(msgspec.json.encode(schema).decode())


def test_fit_schema_closes_every_object() -> None:
    """Anthropic refuses a schema with an object that takes anything else."""
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    made = fitted(
        {
            "type": "object",
            "properties": {"a": {"type": "array", "items": inner}},
            "$defs": {"D": inner},
            "additionalProperties": True,
        }
    )
    closed = {**inner, "additionalProperties": False}
    assert made["additionalProperties"] is False
    assert made["properties"]["a"]["items"] == made["$defs"]["D"] == closed


def test_fit_schema_tells_bounds_in_the_description() -> None:
    """What cannot be guaranteed is still read by the model."""
    made = fitted({"type": "integer", "minimum": 1, "maximum": 9, "description": "A count."})
    assert made == {"type": "integer", "description": "A count.\n\n{minimum: 1, maximum: 9}"}


def test_fit_schema_keeps_what_is_known() -> None:
    """Choices, references, constants and the formats that are guaranteed."""
    schema = {
        "anyOf": [{"$ref": "#/$defs/A"}, {"const": 1}, {"type": "string", "format": "date"}],
        "enum": ["a"],
    }
    assert fitted(schema) == schema
    assert fitted({"oneOf": [{"type": "null"}]}) == {"anyOf": [{"type": "null"}]}
    assert fitted({"type": "array", "minItems": 1}) == {"type": "array", "minItems": 1}


def test_fit_schema_of_a_property_called_like_a_keyword_keeps_it() -> None:
    """Names of properties are no keywords."""
    made = fitted({"type": "object", "properties": {"minimum": {"type": "integer"}}})
    assert made["properties"] == {"minimum": {"type": "integer"}}


def test_with_type_says_that_arguments_are_an_object() -> None:
    """Anthropic demands it; a schema that says it keeps its bytes."""
    assert bytes(with_type('{"type": "object", "x": 1.0}')) == b'{"type": "object", "x": 1.0}'
    assert with_type('{"properties": {}}') == {"properties": {}, "type": "object"}
    assert with_type(None) == {"type": "object", "properties": {}}


@pytest.mark.parametrize("schema", ["[]", "{", '{"not":' * 150 + "{}" + "}" * 150])
def test_schema_that_is_no_object_or_too_deep_is_refused_or_read(schema: str) -> None:
    """Nothing that a client sends ends in an error of ours."""
    if schema.startswith('{"not"'):
        assert "not: " in fit_schema(schema)["description"]
        return
    with pytest.raises(BadRequest):
        fit_schema(schema)
    with pytest.raises(BadRequest):
        with_type(schema)


def test_fit_schema_nested_too_deeply_is_refused() -> None:
    """A schema of a thousand arrays would end the stack."""
    with pytest.raises(BadRequest):
        fit_schema('{"items":' * 150 + "{}" + "}" * 150)
