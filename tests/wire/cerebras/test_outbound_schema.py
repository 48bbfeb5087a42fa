"""Strict schemas of OpenAI clients on their way to Cerebras: kept, narrowed, or refused."""

from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.errors import Unsupported
from slipstream.upstream.scripted.schema import NoInstance, minimal_instance
from tests.wire.cerebras.adapting import adapted, asked, said
from tests.wire.cerebras.openai_bodies import schemas

AT = "tools.0.function.parameters"
STRING = {"type": "string"}


def strict(schema: Any) -> dict[str, Any]:
    """Return a request with a strict tool."""
    function = {"name": "f", "strict": True, "parameters": schema}
    return said(tools=[{"type": "function", "function": function}])


def closed(properties: Any = None, **more: Any) -> dict[str, Any]:
    """Return an object's schema as strict mode wants it."""
    return {
        "type": "object",
        "properties": properties or {},
        "additionalProperties": False,
        **more,
    }


def with_a(schema: Any, **more: Any) -> dict[str, Any]:
    """Return a schema with one property."""
    return closed({"a": schema}, **more)


# What the client holds its answers to, what Cerebras does, and what the header says.
CHANGED: list[tuple[Any, Any, tuple[str, ...]]] = [
    (with_a(STRING), with_a(STRING), ()),
    (with_a({**STRING, "minLength": 1, "maxLength": 2}), None, ()),
    (with_a({"type": "number", "minimum": 0, "multipleOf": 0.5, "default": 1}), None, ()),
    (
        with_a({**STRING, "examples": ["x"], "x-order": 1}),
        with_a(STRING),
        (f"{AT}.properties.a.examples", f"{AT}.properties.a.x-order"),
    ),
    (with_a({**STRING, "nullable": True}), with_a(STRING), (f"{AT}.properties.a.nullable",)),
    (
        with_a({"type": "array", "items": STRING, "minItems": 0, "uniqueItems": False}),
        with_a({"type": "array", "items": STRING}),
        (f"{AT}.properties.a.minItems", f"{AT}.properties.a.uniqueItems"),
    ),
    (
        {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}},
        with_a(closed()),
        (f"{AT}.additionalProperties -> false", f"{AT}.properties.a.additionalProperties -> false"),
    ),
    (
        {"properties": {}, "additionalProperties": True},
        closed(),
        (f"{AT}.type -> object", f"{AT}.additionalProperties -> false"),
    ),
    (
        {"type": "object", "additionalProperties": False},
        closed(),
        (AT + ".properties -> {}",),
    ),
    (
        with_a({"$ref": "#/definitions/d"}, definitions={"d": {**STRING, "readOnly": True}}),
        with_a({"$ref": "#/$defs/d"}, **{"$defs": {"d": STRING}}),
        (f"{AT}.definitions -> $defs", f"{AT}.properties.a.$ref", f"{AT}.$defs.d.readOnly"),
    ),
    (
        with_a({"allOf": [{"$ref": "#/$defs/d"}], "title": "A"}, **{"$defs": {"d": STRING}}),
        with_a({"$ref": "#/$defs/d", "title": "A"}, **{"$defs": {"d": STRING}}),
        (f"{AT}.properties.a.allOf",),
    ),
    (
        with_a({"type": "array", "prefixItems": [STRING]}),
        with_a({"type": "array", "prefixItems": [STRING], "items": False}),
        (f"{AT}.properties.a.items -> false",),
    ),
    (
        with_a({"anyOf": [{**STRING, "$comment": "c"}]}),
        with_a({"anyOf": [STRING]}),
        (f"{AT}.properties.a.anyOf.0.$comment",),
    ),
]


@pytest.mark.parametrize(("schema", "sent", "changes"), CHANGED, ids=str)
def test_strict_schema_keeps_what_it_promises(
    schema: Any, sent: Any, changes: tuple[str, ...]
) -> None:
    """What tells people something may go, and what narrows the answer may come."""
    got, named = adapted(strict(schema))
    assert got["tools"][0]["function"]["parameters"] == (schema if sent is None else sent)
    assert named == changes


REFUSED: list[tuple[Any, str]] = [
    (with_a({**STRING, "pattern": "^a"}), ".properties.a.pattern"),
    (with_a({**STRING, "format": "date"}), ".properties.a.format"),
    (with_a({"type": "array", "items": STRING, "minItems": 1}), ".properties.a.minItems"),
    (with_a({"type": "array", "items": STRING, "maxItems": 9}), ".properties.a.maxItems"),
    (with_a({"type": "array", "items": STRING, "uniqueItems": True}), ".properties.a.uniqueItems"),
    (with_a({"type": "array", "items": {**STRING, "format": "d"}}), ".properties.a.items.format"),
    (with_a({"anyOf": [{"not": {}}]}), ".properties.a.anyOf.0.not"),
    (with_a({"oneOf": [STRING]}), ".properties.a.oneOf"),
    (with_a({"allOf": [STRING, {"minLength": 1}]}), ".properties.a.allOf"),
    (with_a({"allOf": [{"title": "x"}], "title": "y"}), ".properties.a.allOf"),
    (with_a({"if": {}, "then": {}}), ".properties.a.if"),
    (with_a(STRING, patternProperties={"^x": {}}), ".patternProperties"),
    (with_a({"type": "object"}), ".properties.a.additionalProperties"),
    (
        with_a({"type": "object", "properties": {}, "additionalProperties": STRING}),
        ".properties.a.additionalProperties",
    ),
    (with_a({"$ref": "#"}), ""),
    (with_a({"$ref": "#/$defs/d"}, **{"$defs": {"d": with_a({"$ref": "#/$defs/d"})}}), ""),
    (with_a({"type": "array"}), ""),
    ({"type": "array", "items": STRING}, ""),
    ({"anyOf": [closed()]}, ""),
    (closed({f"p{n}": STRING for n in range(501)}), ""),
]


@pytest.mark.parametrize(("schema", "where"), REFUSED, ids=lambda each: str(each)[:60])
def test_strict_schema_that_cannot_be_kept_is_refused(schema: Any, where: str) -> None:
    """The client was promised answers that fit: the words name the keyword and where it stands."""
    with pytest.raises(Unsupported) as caught:
        asked(strict(schema))
    assert caught.value.param == f"{AT}{where}"
    assert where.rpartition(".")[2] in caught.value.message


def test_schema_without_strict_is_left_as_it_is() -> None:
    """It is a hint there, and Cerebras takes any."""
    schema = with_a({**STRING, "pattern": "^a", "oneOf": [{}]})
    for is_strict in (False, None):
        form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        form["json_schema"]["strict"] = is_strict  # type: ignore[index]
        got, changes = adapted(said(response_format=form))
        assert (got["response_format"], changes) == (form, ())


def test_response_format_names_its_own_path() -> None:
    """Its schema lies elsewhere than a tool's."""
    form = {"name": "s", "strict": True, "schema": with_a({**STRING, "pattern": "x"})}
    with pytest.raises(Unsupported) as caught:
        asked(said(response_format={"type": "json_schema", "json_schema": form}))
    assert caught.value.param == "response_format.json_schema.schema.properties.a.pattern"


@pytest.mark.parametrize(
    ("schema", "sent", "word"),
    [
        (with_a({**STRING, "pattern": "^a"}), with_a(STRING), "pattern"),
        (with_a({"oneOf": [STRING]}), with_a({"anyOf": [STRING]}), "oneOf -> anyOf"),
        (
            with_a({"type": "array", "items": STRING, "minItems": 1}),
            with_a({"type": "array", "items": STRING}),
            "minItems",
        ),
    ],
)
def test_schema_is_relaxed_where_the_operator_says_so(schema: Any, sent: Any, word: str) -> None:
    """The keyword goes, and the header says that its promise went with it."""
    got, changes = adapted(strict(schema), relaxes=True)
    assert got["tools"][0]["function"]["parameters"] == sent
    assert changes == (f"{AT}.properties.a.{word}",)


def test_schema_nested_without_end_is_refused() -> None:
    """Depth is bounded before it is a defect."""
    schema: dict[str, Any] = {}
    for _ in range(300):
        schema = with_a(schema)
    with pytest.raises(Unsupported, match="levels deep"):
        asked(strict(schema))


@settings(max_examples=300, deadline=None)
@given(schema=schemas, relaxes=st.booleans())
def test_any_strict_schema_is_accepted_or_refused_and_its_answers_fit(
    schema: Any, relaxes: bool
) -> None:
    """An answer made to the schema that Cerebras gets is valid for the one that the client gave."""
    with suppress(Unsupported):
        got, changes = adapted(strict(schema), relaxes=relaxes)
        _check_answer(schema, got["tools"][0]["function"]["parameters"], changes, relaxes=relaxes)


def _check_answer(schema: Any, sent: Any, changes: tuple[str, ...], *, relaxes: bool) -> None:
    assert bool(changes) is (sent != schema)
    if not relaxes:
        with suppress(NoInstance):
            jsonschema.Draft202012Validator(schema).validate(minimal_instance(sent))
