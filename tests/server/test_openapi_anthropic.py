"""What the OpenAPI document says of Anthropic's callers is what they get."""

import json
from typing import Any

import jsonschema

from slipstream.errors import BadRequest, Overloaded
from slipstream.server.openapi.document import openapi_document
from slipstream.server.openapi.operations import OPERATIONS
from slipstream.server.render import MESSAGES
from slipstream.wire.messages.listing import Page, model_body, page_body

DOCUMENT = openapi_document(
    [(row.method, row.path.replace("{}", "{id}")) for row in OPERATIONS], title="x", version="0"
)


def fits(schema: dict[str, Any], body: bytes) -> bool:
    """Say whether a body is as a schema of the document says."""
    checker = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return bool(checker.is_valid(json.loads(body)))


def answered(path: str) -> dict[str, Any]:
    """Return the schema of a GET request's answer."""
    content = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    schema: dict[str, Any] = content["application/json"]["schema"]
    return schema


def named(name: str) -> dict[str, Any]:
    """Return a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def test_lists_of_models_are_described() -> None:
    """A page, and one model; neither is taken for the other."""
    models = [{"id": "far/m", "object": "model", "created": 5, "owned_by": "far"}]
    listed, one = page_body(models, Page()), model_body(models[0])
    for schema in (named("AnthropicModelList"), answered("/v1/models")):
        assert fits(schema, listed)
    for schema in (named("AnthropicModel"), answered("/v1/models/{id}")):
        assert fits(schema, one)
    assert not fits(named("AnthropicModelList"), one)
    assert not fits(named("AnthropicModel"), listed)


def test_errors_are_described_under_the_statuses_of_messages() -> None:
    """Also the one that only Anthropic has."""
    told = DOCUMENT["paths"]["/v1/messages"]["post"]["responses"]
    for error in (BadRequest("x"), Overloaded("x", retry_after_s=1)):
        status = str(MESSAGES.status(error))
        assert status in told
        response = DOCUMENT["components"]["responses"][f"E{status}"]
        schema = response["content"]["application/json"]["schema"]
        assert fits(schema, MESSAGES.body(error, "req-1"))
        assert fits(named("AnthropicError"), MESSAGES.body(error, "req-1"))
