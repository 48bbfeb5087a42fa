"""What the OpenAPI document says of the admin API of routing is what it answers."""

import json

import jsonschema
import msgspec
import pytest

from slipstream.server.openapi.document import openapi_document
from slipstream.server.openapi.operations import OPERATIONS
from slipstream.server.routing_answers import planned_call, target_list
from tests.server.plan_samples import RACE, STANDINGS

DOCUMENT = openapi_document(
    [(row.method, row.path.replace("{}", "{id}")) for row in OPERATIONS], title="x", version="0"
)


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("post", "/v1/slipstream/explain", planned_call("auto", RACE)),
        ("get", "/v1/slipstream/targets", target_list(STANDINGS)),
    ],
    ids=["explain", "targets"],
)
def test_answers_fit_their_schema(method: str, path: str, told: msgspec.Struct) -> None:
    """Also where a price, a time or a reason is not known."""
    operation = DOCUMENT["paths"][path][method]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    checker = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert list(checker.iter_errors(json.loads(msgspec.json.encode(told)))) == []
    assert {"401", "403"} <= set(operation["responses"]), "a key is asked for"


def test_descriptions_stand_in_one_line() -> None:
    """They are docstrings, whose indentation a page would show as code."""
    told = DOCUMENT["components"]["schemas"].values()
    assert not [each for each in told if "\n" in each.get("description", "")]


def test_headers_of_a_choice_are_described() -> None:
    """On whatever asks a model for something."""
    headers = DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["headers"]
    names = {"x-slipstream-route", "x-slipstream-tried", "x-slipstream-considered"}
    assert names <= set(headers)
    assert names <= set(DOCUMENT["components"]["headers"])
