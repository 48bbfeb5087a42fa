"""OpenAI's own clients on the default profile: OpenAI's lenience, beside a strict profile."""

from typing import Any

import openai
import pytest
from cerebras.cloud import sdk as cerebras

from tests.prepared_model import MODEL
from tests.sdks.asking import Sdks
from tests.sdks.node_host import NodeHost

ASKED: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "How are you?"}],
    "max_completion_tokens": 8,
    "temperature": 0,
}
UNKNOWN: dict[str, Any] = {"wholly_unknown": 1, "metadata": {"a": "b"}, "store": False}


def test_unknown_fields_are_ignored(sdks: Sdks) -> None:
    """What Cerebras refuses, OpenAI overlooks; the same request to a strict route is refused."""
    plain = sdks.openai.chat.completions.create(**ASKED)
    answer = sdks.openai.chat.completions.create(**ASKED, extra_body=UNKNOWN)
    assert answer.choices[0].message.content == plain.choices[0].message.content
    assert answer.to_dict().get("time_info") is None

    with pytest.raises(openai.BadRequestError) as caught:
        sdks.openai.chat.completions.create(**{**ASKED, "model": "llama3.1-8b"}, extra_body=UNKNOWN)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.code == "wrong_api_format"


def test_unknown_fields_are_ignored_in_javascript(node: NodeHost) -> None:
    """The same by the JavaScript client."""
    said = node.run("ask", sdk="openai", body={**ASKED, **UNKNOWN})
    refused = node.run("failure", sdk="openai", body={**ASKED, **UNKNOWN, "model": "llama3.1-8b"})

    assert said["choices"][0]["message"]["content"]
    assert (refused["name"], refused["status"]) == ("BadRequestError", 400)


def test_stream_is_openais(sdks: Sdks) -> None:
    """Usage comes in a chunk of its own, and only where it was asked for."""
    asked: Any = {**ASKED, "stream": True}
    silent = [chunk.to_dict() for chunk in sdks.openai.chat.completions.create(**asked)]
    asked["stream_options"] = {"include_usage": True}
    said = [chunk.to_dict() for chunk in sdks.openai.chat.completions.create(**asked)]

    assert not any(chunk.get("usage") for chunk in silent)
    assert said[-1]["choices"] == []
    assert said[-1]["usage"]


def test_errors_are_wrapped_as_openai_does(sdks: Sdks) -> None:
    """On the default profile an error is an object in an object."""
    with pytest.raises(openai.BadRequestError) as caught:
        sdks.openai.chat.completions.create(**{**ASKED, "temperature": 9})

    assert set(caught.value.response.json()) == {"error"}


def test_cerebras_client_is_answered_strictly_everywhere(sdks: Sdks) -> None:
    """Who comes with Cerebras's own SDK gets its API for every model."""
    answer: Any = sdks.cerebras.chat.completions.create(**ASKED)
    assert answer.time_info.total_time > 0
    with pytest.raises(cerebras.BadRequestError) as caught:
        sdks.cerebras.chat.completions.create(**ASKED, extra_body={"wholly_unknown": 1})

    body: Any = caught.value.body
    assert body["param"] == "validation_error"
