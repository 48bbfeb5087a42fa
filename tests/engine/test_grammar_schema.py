"""Tests of schemas as they are handed to llguidance, and of what is said of wrong ones."""

import json
from typing import Any

import pytest

from slipstream.engine.grammar_schema import explain, read_schema, with_options
from slipstream.errors import BadRequest

OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**OBJECT, "additionalProperties": False}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema as it is compiled, without the options."""
    made = with_options(schema, is_lenient=False)
    del made["x-guidance"]
    return made


@pytest.mark.parametrize(
    ("text", "said"), [("[]", "is an object"), ("{", "not JSON"), ("false", "is an object")]
)
def test_read_schema_that_is_none_names_its_field(text: str, said: str) -> None:
    """What is no schema is the caller's error."""
    with pytest.raises(BadRequest, match=f"^place: .*{said}") as caught:
        read_schema(text, "place")
    assert caught.value.param == "place"


def test_read_schema_true_allows_anything() -> None:
    """`true` is the schema that all values obey."""
    assert read_schema("true", "place") == {}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (OBJECT, CLOSED),
        ({"type": "array", "items": OBJECT}, {"type": "array", "items": CLOSED}),
        ({"$defs": {"o": OBJECT}, "items": False}, {"$defs": {"o": CLOSED}, "items": False}),
        ({"anyOf": [OBJECT, {"type": "null"}]}, {"anyOf": [CLOSED, {"type": "null"}]}),
        ({"enum": [OBJECT]}, {"enum": [OBJECT]}),
        ({"items": {"$ref": "#/$defs/a b%/é~1"}}, {"items": {"$ref": "#/$defs/a%20b%25/%C3%A9~1"}}),
        ({"$ref": "#/$defs/%C3%A9"}, {"$ref": "#/$defs/%C3%A9"}),
        ({"const": {"$ref": "é"}}, {"const": {"$ref": "é"}}),
    ],
)
def test_with_options_closes_objects_wherever_they_stand(
    schema: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Objects get the properties that they list; values that only look like schemas stay."""
    before = json.dumps(schema)
    assert closed(schema) == expected
    assert json.dumps(schema) == before


@pytest.mark.parametrize(
    "schema",
    [
        {**OBJECT, "additionalProperties": {"type": "integer"}},
        {**OBJECT, "required": ["b"]},
        {**OBJECT, "patternProperties": {"^x": {}}},
        {"allOf": [OBJECT, {"properties": {"b": {}}}]},
        {**OBJECT, "anyOf": [{"required": ["b"]}]},
        {"type": "object"},
    ],
)
def test_with_options_leaves_other_objects_open(schema: dict[str, Any]) -> None:
    """Where the schema speaks of more properties than an object lists, it stays as it is."""
    assert closed(schema) == schema


def test_with_options_of_the_caller_are_replaced() -> None:
    """White space is ours to choose, whatever a schema says to llguidance itself."""
    made = with_options({"x-guidance": {"whitespace_flexible": True}}, is_lenient=True)
    assert made["x-guidance"]["whitespace_flexible"] is False
    assert made["x-guidance"]["lenient"] is True


def test_explain_names_the_innermost_place_that_is_wrong() -> None:
    """The path leads to the keyword, and shared definitions are known there."""
    schema = {
        "properties": {"a": {"anyOf": [{"$ref": "#/$defs/x"}, {"items": {"bad": 1}}]}},
        "$defs": {"x": {"type": "string"}},
    }

    def check(place: dict[str, Any]) -> str:
        assert place.get("$defs") == schema["$defs"]
        return 'Unimplemented keys: ["bad"]' if "bad" in json.dumps(place) else ""

    said = explain(schema, "whole", check)
    assert said == "unsupported JSON Schema keyword: bad, at properties.a.anyOf.1.items"


def test_explain_of_a_large_schema_searches_for_no_longer_than_it_is_worth() -> None:
    """A place that only a minute of compiling would find is not looked for."""
    large = {"$defs": {"x": {"enum": ["y" * 400_000]}}, "prefixItems": [{}] * 1000}
    checked: list[dict[str, Any]] = []

    def check(place: dict[str, Any]) -> str:
        checked.append(place)
        return ""

    assert explain(large, "whole", check) == "whole"
    assert 0 < len(checked) < 10


def test_explain_without_a_smaller_place_says_the_error() -> None:
    """Where only the whole is wrong, there is no path."""
    assert explain({"type": "x"}, "Invalid type: x", lambda _: "") == "Invalid type: x"
