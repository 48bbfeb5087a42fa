"""Structured outputs through every SDK: strict, as a hint, and any JSON object."""

import json
from typing import Any, Literal

import jsonschema
import openai
import pydantic
import pytest
from cerebras.cloud import sdk as cerebras

from tests.sdks.asking import Ask, Sdks, each_plain_sdk, each_sdk, every_way
from tests.sdks.node_host import NodeHost

END = "2"  # the token that ends an answer of the embedded model
BOOK: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "enum": ["Ulysses", "Emma"]},
        "pages": {"type": "integer", "minimum": 1, "maximum": 2000},
        "is_read": {"type": "boolean"},
    },
    "required": ["title", "pages", "is_read"],
    "additionalProperties": False,
}
ASKED: dict[str, Any] = {
    "model": "llama-3.3-70b",
    "messages": [{"role": "user", "content": "Name a book, as JSON."}],
    "max_completion_tokens": 100,
    "temperature": 1.2,
    "seed": 3,
}


def json_schema(schema: dict[str, Any], *, strict: bool | None = True) -> dict[str, Any]:
    """Return a response format."""
    inside = {"name": "book", "schema": schema, "strict": strict}
    return {"type": "json_schema", "json_schema": inside}


@every_way
def test_strict_schema_shapes_the_answer(ask: Ask) -> None:
    """The answer is a document of the schema, its keys in the schema's order."""
    said = ask(**ASKED, response_format=json_schema(BOOK))

    document = json.loads(said.text)
    jsonschema.validate(document, BOOK)
    assert list(document) == ["title", "pages", "is_read"]
    assert said.only.finish == "stop"


@each_sdk
def test_reasoning_model_reasons_before_the_document(ask: Ask) -> None:
    """Reasoning stands apart; what is content is the document alone."""
    said = ask(
        **{**ASKED, "model": "gpt-oss-120b", "temperature": 0}, response_format=json_schema(BOOK)
    )

    jsonschema.validate(json.loads(said.text), BOOK)
    assert said.only.reasoning
    assert "<think>" not in said.text


class Author(pydantic.BaseModel):
    """Part of what an answer must be."""

    model_config = pydantic.ConfigDict(extra="forbid")

    name: Literal["Joyce", "Austen"]
    born: int = pydantic.Field(ge=1700, le=1950)


class Book(pydantic.BaseModel):
    """What an answer must be."""

    model_config = pydantic.ConfigDict(extra="forbid")

    title: Literal["Ulysses", "Emma"]
    author: Author


class LooseBook(pydantic.BaseModel):
    """The same, as Pydantic writes it where nothing is forbidden."""

    title: str
    pages: int


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_schema_of_pydantic_shapes_the_answer(sdks: Sdks, sdk: str) -> None:
    """A model's schema with definitions is taken, and the answer is read by the same model."""
    client: Any = getattr(sdks, sdk)
    form = json_schema(Book.model_json_schema())
    answer = client.chat.completions.create(
        **{**ASKED, "temperature": 0, "max_completion_tokens": 400}, response_format=form
    )

    Book.model_validate_json(answer.choices[0].message.content)


def test_openai_parses_an_answer_into_its_type(sdks: Sdks) -> None:
    """OpenAI's own way to typed answers works under the Cerebras profile."""
    answer = sdks.openai.chat.completions.parse(
        **{**ASKED, "temperature": 0, "max_completion_tokens": 400}, response_format=Book
    )

    assert isinstance(answer.choices[0].message.parsed, Book)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_schema_of_zod_shapes_the_answer(node: NodeHost, sdk: str) -> None:
    """A schema made from TypeScript's types is taken, and they accept the answer."""
    body = {**ASKED, "temperature": 0, "max_completion_tokens": 400}
    book = node.run("typedAnswer", sdk=sdk, body=body)

    assert set(book) == {"title", "author", "pages"}


@each_plain_sdk
@pytest.mark.parametrize(
    "form",
    [json_schema(BOOK, strict=False), json_schema(BOOK, strict=None), {"type": "json_object"}],
    ids=["not strict", "strict unsaid", "json_object"],
)
def test_loose_formats_are_json(ask: Ask, form: dict[str, Any]) -> None:
    """Without strictness an answer is JSON all the same, unless it is cut."""
    said = ask(**{**ASKED, "max_completion_tokens": 120}, response_format=form, logit_bias={END: 5})

    if said.only.finish == "stop":
        assert isinstance(json.loads(said.text), dict)
    else:
        assert said.text.startswith("{")


_WRONG_SCHEMAS: dict[str, tuple[dict[str, Any], str]] = {
    "loose object": (LooseBook.model_json_schema(), "additionalProperties"),
    "root array": ({"type": "array", "items": {"type": "string"}}, "root"),
    "pattern": (
        {**BOOK, "properties": {**BOOK["properties"], "title": {"type": "string", "pattern": "a"}}},
        "Unsupported JSON schema fields: {'pattern'}",
    ),
    "recursion": (
        {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/Node"}},
            "required": ["next"],
            "additionalProperties": False,
            "$defs": {
                "Node": {
                    "type": "object",
                    "properties": {"next": {"$ref": "#/$defs/Node"}},
                    "required": ["next"],
                    "additionalProperties": False,
                }
            },
        },
        "recurs",
    ),
}


@pytest.mark.parametrize("wrong", _WRONG_SCHEMAS)
@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_schema_outside_of_the_subset_is_refused(sdks: Sdks, sdk: str, wrong: str) -> None:
    """Strict mode takes the documented subset and says what is outside of it."""
    schema, words = _WRONG_SCHEMAS[wrong]
    client: Any = getattr(sdks, sdk)
    with pytest.raises((cerebras.BadRequestError, openai.BadRequestError)) as caught:
        client.chat.completions.create(**ASKED, response_format=json_schema(schema))

    error: Any = caught.value
    body = error.body
    assert words in body["message"]
    assert (body["param"], body["code"]) == ("response_format", "wrong_api_format")
    loose = json_schema(schema, strict=False)
    answer = client.chat.completions.create(
        **{**ASKED, "max_completion_tokens": 4}, response_format=loose
    )
    assert answer.choices


@pytest.mark.parametrize("form", [json_schema(BOOK), {"type": "text"}], ids=["schema", "text"])
def test_tools_and_format_together_are_refused(sdks: Sdks, form: Any) -> None:
    """The documents bar it, whatever the format."""
    tool: Any = {"type": "function", "function": {"name": "get_time"}}
    with pytest.raises(cerebras.BadRequestError) as caught:
        sdks.cerebras.chat.completions.create(**ASKED, tools=[tool], response_format=form)

    assert caught.value.body == {
        "message": '"tools" is incompatible with "response_format"',
        "type": "invalid_request_error",
        "param": "validation_error",
        "code": "wrong_api_format",
    }
