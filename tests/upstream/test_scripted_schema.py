"""Tests of the instances that are made of JSON schemas; pydantic judges them, not our own code."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, TypeAdapter

from slipstream.upstream.scripted.schema import NoInstance, minimal_instance


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")

    x: Annotated[int, Field(ge=3, lt=9, multiple_of=4)]
    y: Annotated[float, Field(gt=0, lt=1)]


class Node(BaseModel):
    value: str
    next: Node | None
    children: list[Node]


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")

    colour: Colour
    kind: Literal["only"]
    first: Point
    second: Point
    points: Annotated[list[Point], Field(min_length=2)]
    pair: tuple[int, str]
    either: int | str
    perhaps: str | None
    node: Node
    name: Annotated[str, Field(min_length=12)]
    short: Annotated[str, Field(max_length=3)]
    code: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    day: date
    at: datetime
    uuid: UUID
    url: AnyUrl
    below: Annotated[int, Field(le=-5)]
    numbers: dict[str, int]
    flags: set[int]
    nothing: None
    is_on: bool
    anything: Any
    left_out: int = 3


def test_instance_of_a_rich_schema_is_valid() -> None:
    """Types, enums, nesting, arrays, references, recursion, bounds and formats, all at once."""
    instance = minimal_instance(Everything.model_json_schema())
    assert Everything.model_validate(instance)
    assert "left_out" not in instance, "only what is required is there"
    assert instance["node"] == {"value": "string", "next": None, "children": []}


SET = {"type": "array", "minItems": 2, "uniqueItems": True}
ONE = {"properties": {"a": {"const": 1}}}
ITSELF = {"required": ["a"], "properties": {"a": {"$ref": "#/$defs/A"}}}
ENDLESS = {"$ref": "#/$defs/A", "$defs": {"A": ITSELF}}

SCHEMAS: list[tuple[Any, Any]] = [
    ({}, "string"),
    (True, "string"),
    ({"type": "object"}, {}),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
    ({"properties": {"a": {"type": "null"}}, "required": ["a"]}, {"a": None}),
    ({"type": "object", "required": ["undeclared"]}, {"undeclared": "string"}),
    ({"type": "object", "minProperties": 1, "properties": {"a": {"const": 1}}}, {"a": 1}),
    ({"type": "object", "minProperties": 1}, {"extra_1": "string"}),
    ({"enum": [3, "a"], "type": "string"}, "a"),
    ({"const": {"deep": [1]}}, {"deep": [1]}),
    ({"type": ["null", "string"]}, None),
    ({"type": "array", "items": {"type": "integer"}}, []),
    ({**SET, "minItems": 3, "items": {"type": "integer"}}, [0, 1, 2]),
    ({**SET, "items": {"enum": [7, 8, 9]}}, [7, 8]),
    (SET, ["string", "string1"]),
    ({"prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 2}, [1, 2]),
    ({"anyOf": [False, {"type": "integer", "minimum": 5}]}, 5),
    ({"oneOf": [{"type": "boolean"}, {"type": "null"}]}, False),
    ({"allOf": [{"required": ["a"]}, {"$ref": "#/$defs/A"}], "$defs": {"A": ONE}}, {"a": 1}),
    ({"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"const": 5}}}, 5),
    ({"type": "integer", "exclusiveMinimum": 5}, 6),
    ({"type": "integer", "maximum": -1.5}, -2),
    ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}, 0.25),
    ({"type": "string", "format": "email"}, "a@example.com"),
    ({"type": "string", "minLength": 8}, "stringxx"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "expected"), SCHEMAS)
def test_instance_of_each_keyword_is_the_smallest(schema: Any, expected: Any) -> None:
    """One line for each keyword."""
    assert minimal_instance(schema) == expected


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (False, "no value satisfies false"),
        ({"$ref": "#"}, "contains itself"),
        ({"$ref": "#/$defs/no"}, "points to nothing"),
        ({"$ref": "https://example.com/s.json"}, "does not point into the schema"),
        (ENDLESS, "$.a: #/$defs/A contains itself"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no number lies"),
        ({"type": "string", "pattern": "^x{40}$"}, "no text at hand matches"),
        ({"type": "string", "pattern": "("}, "cannot be read"),
        ({"type": "colour"}, "unknown type 'colour'"),
        ({"type": "array", "minItems": 10**9}, "minItems 1000000000 is over"),
        ({**SET, "items": {"type": "null"}}, "distinct"),
        ({"anyOf": []}, "no alternative"),
        ({"enum": [1], "type": "string"}, "no value of enum"),
        ({"type": "object", "required": 5}, "not well formed"),
        ({"anyOf": 7}, "not well formed"),
    ],
)  # fmt: skip
def test_schema_without_an_instance_is_refused_with_the_place(schema: Any, said: str) -> None:
    """What cannot be made says where and why; it never loops or crashes."""
    with pytest.raises(NoInstance) as caught:
        minimal_instance(schema)
    assert said in str(caught.value)


def test_deep_nesting_is_refused_and_does_not_crash() -> None:
    """A schema that nests thousands deep meets Python's own limit as an error of ours."""
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(2000):
        schema = {"anyOf": [schema]}
    with pytest.raises(NoInstance, match="well formed"):
        minimal_instance(schema)


@given(low=st.integers(-1000, 1000), width=st.integers(0, 50), step=st.integers(1, 60))
def test_integer_between_bounds_is_found_whenever_there_is_one(
    low: int, width: int, step: int
) -> None:
    """Bounds and multipleOf together: an instance exactly when one exists, and a valid one."""
    high = low + width
    schema = {"type": "integer", "minimum": low, "maximum": high, "multipleOf": step}
    valid = [value for value in range(low, high + 1) if value % step == 0]
    if valid:
        assert minimal_instance(schema) in valid
    else:
        with pytest.raises(NoInstance):
            minimal_instance(schema)


def test_instance_of_a_recursive_alias_is_finite() -> None:
    """A type that may contain itself ends at the first alternative that does not."""
    schema = TypeAdapter(Node | list[Node]).json_schema()
    assert TypeAdapter(Node | list[Node]).validate_python(minimal_instance(schema))
