"""The list of models through every SDK, in all its formats."""

from typing import Any

import pytest
from cerebras.cloud import sdk as cerebras

from tests.sdks.asking import Sdks
from tests.sdks.gateway import PLAIN, THINKING
from tests.sdks.node_host import NodeHost

FORMATS = ("default", "openrouter", "huggingface")


def test_models_are_listed_by_every_sdk(sdks: Sdks) -> None:
    """Every id of the configuration is there, once, in the shape of Cerebras's own list."""
    listed = [sdks.cerebras.models.list().to_dict(), sdks.openai.models.list().to_dict()]

    for each in listed:
        rows: Any = each["data"]
        ids = [row["id"] for row in rows]
        assert {*THINKING, *PLAIN} <= set(ids)
        assert len(ids) == len(set(ids))
        assert all(row["object"] == "model" for row in rows)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_models_are_retrieved_one_by_one(sdks: Sdks, sdk: str) -> None:
    """An element of the list, by its id."""
    client: Any = getattr(sdks, sdk)
    rows = {row.id: row for row in client.models.list().data}

    for name in (*THINKING, *PLAIN):
        assert client.models.retrieve(name).to_dict() == rows[name].to_dict()


@pytest.mark.parametrize("form", FORMATS)
def test_models_come_in_each_format(sdks: Sdks, form: Any) -> None:
    """The SDK's strict types accept the list and each of its elements."""
    listed: Any = sdks.cerebras.models.list(format=form)
    rows = {row.id.removeprefix("cerebras/"): row for row in listed.data}
    one: Any = sdks.cerebras.models.retrieve("gpt-oss-120b", format=form)

    assert {*THINKING, *PLAIN} <= set(rows)
    assert one.to_dict() == rows["gpt-oss-120b"].to_dict()
    if form != "default":
        assert one.context_length > 0


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_models_are_listed_in_javascript(node: NodeHost, sdk: str) -> None:
    """The same by the JavaScript clients."""
    said = node.run("models", sdk=sdk, one="gpt-oss-120b")
    rows = said["list"]["data"] if sdk == "cerebras" else said["list"]

    assert {*THINKING, *PLAIN} <= {row["id"] for row in rows}
    assert said["one"] in rows


@pytest.mark.parametrize("form", FORMATS)
def test_models_come_in_each_format_in_javascript(node: NodeHost, form: str) -> None:
    """The format is asked for in the query."""
    said = node.run("models", sdk="cerebras", one="gpt-oss-120b", query={"format": form})

    assert said["one"] in said["list"]["data"]
    assert ("context_length" in said["one"]) == (form != "default")


def test_unknown_model_is_not_found(sdks: Sdks) -> None:
    """A name that is none of ours, also one that must be encoded in a path."""
    for name in ("gpt-oss-121b", "a/b c"):
        with pytest.raises(cerebras.NotFoundError) as caught:
            sdks.cerebras.models.retrieve(name)
        body: Any = caught.value.body
        assert body["code"] == "model_not_found"
