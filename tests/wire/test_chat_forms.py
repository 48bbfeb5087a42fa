"""Tests of slipstream.wire.chat_forms."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.chat_forms import ChatForm
from slipstream.wire.chat_request import parse_chat_request

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}
TEXT = msgspec.json.encode(SCHEMA).decode()


def form_of(**fields: Any) -> ChatForm | None:
    """Read the form of a request."""
    body = {"messages": [{"role": "user", "content": "x"}]} | fields
    return parse_chat_request(msgspec.json.encode(body)).form


def refuse(**fields: Any) -> BadRequest:
    """Return the error that these fields cause."""
    with pytest.raises(BadRequest) as caught:
        form_of(**fields)
    return caught.value


def schema_format(**more: Any) -> dict[str, Any]:
    """Return a response_format with a schema."""
    return {"type": "json_schema", "json_schema": {"name": "n"} | more}


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, ChatForm("json_object")),
        (
            schema_format(schema=SCHEMA, strict=True),
            ChatForm("json_schema", TEXT, True, "response_format.json_schema.schema"),
        ),
        (
            schema_format(schema=SCHEMA),
            ChatForm("json_schema", TEXT, False, "response_format.json_schema.schema"),
        ),
    ],
)
def test_read_response_format_becomes_a_form(said: Any, form: ChatForm | None) -> None:
    """The schema stays the client's text: keys are answered in its order."""
    assert form_of(response_format=said) == form


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ({"regex": "a+"}, ChatForm("regex", "a+", param="structured_outputs.regex")),
        (
            {"grammar": "start: /a/"},
            ChatForm("lark", "start: /a/", param="structured_outputs.grammar"),
        ),
        ({"json": SCHEMA}, ChatForm("json_schema", TEXT, param="structured_outputs.json")),
        ({"json": f" {TEXT} "}, ChatForm("json_schema", TEXT, param="structured_outputs.json")),
        ({"json_object": True}, ChatForm("json_object", param="structured_outputs.json_object")),
        ({"choice": ["a.b", "c"]}, ChatForm("regex", r"a\.b|c", param="structured_outputs.choice")),
        (
            {"regex": "a", "json": None, "json_object": False},
            ChatForm("regex", "a", param="structured_outputs.regex"),
        ),
    ],
)
def test_read_structured_outputs_become_a_form(said: Any, form: ChatForm) -> None:
    """Each of vLLM's forms has its counterpart."""
    assert form_of(structured_outputs=said) == form


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_read_choice_matches_its_texts_and_nothing_more(texts: list[str]) -> None:
    """Whatever signs a text holds, it stands for itself."""
    form = form_of(structured_outputs={"choice": texts})

    assert form is not None
    pattern = re.compile(form.source)
    assert all(pattern.fullmatch(text) for text in texts)
    wrong = "".join(texts) + "x"
    assert (pattern.fullmatch(wrong) is None) or wrong in texts


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": schema_format()}, "response_format.json_schema.schema"),
        ({"response_format": schema_format(schema=[])}, "response_format.json_schema.schema"),
        ({"response_format": schema_format(name="a b")}, "response_format.json_schema.name"),
        ({"response_format": schema_format(strict=1)}, "response_format.json_schema.strict"),
        ({"structured_outputs": []}, "structured_outputs"),
        ({"structured_outputs": {}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "grammar": "b"}}, "structured_outputs"),
        ({"structured_outputs": {"regex": 5}}, "structured_outputs.regex"),
        ({"structured_outputs": {"json": 5}}, "structured_outputs.json"),
        ({"structured_outputs": {"json": "{"}}, "structured_outputs.json"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs.choice"),
        ({"structured_outputs": {"choice": ["a", ""]}}, "structured_outputs.choice"),
    ],
)
def test_read_wrong_form_names_its_place(fields: dict[str, Any], param: str) -> None:
    """The path leads to what is wrong."""
    error = refuse(**fields)

    assert error.param == param
    assert f"'{param}'" in error.message
