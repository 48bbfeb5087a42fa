"""Tests of slipstream.wire.gemini.candidates."""

from typing import Any

import msgspec
import pytest

from slipstream.wire.gemini.answers_in import AnswerReader
from slipstream.wire.sse import encode_event
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Cited,
    Ended,
    Event,
    Over,
    Said,
    Scored,
    Sealed,
)


def frame(
    *parts: dict[str, Any], finish: str | None = None, index: int = 0, **fields: Any
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": index, "content": {"role": "model", "parts": list(parts)}}
    candidate |= {"finishReason": finish} if finish else {}
    candidate |= fields.pop("candidate", {})
    return {
        "candidates": [candidate],
        "responseId": "r",
        "modelVersion": "gemini-3",
        **fields,
    }


def sse(*frames: Any) -> list[bytes]:
    return [encode_event(msgspec.json.encode(each)) for each in frames]


def stream(*frames: Any, **options: Any) -> list[Event]:
    """Read a stream; what every one begins and ends with is left out."""
    reader = AnswerReader(**options)
    found = [event for data in sse(*frames) for event in reader.read(data)]
    found += reader.end()
    return [event for event in found if type(event) not in (Began, Over)]


def call(name: str, signature: str | None = None, **function: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"functionCall": {"name": name, **function}}
    return said | ({"thoughtSignature": signature} if signature else {})


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        ("CONTINUATION", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
    ],
)
def test_reader_reasons_are_ours(word: str, reason: str) -> None:
    """Every reason is one of ours."""
    assert stream(frame({"text": "a"}, finish=word))[-1] == Ended(reason=reason)


def test_reader_signature_of_a_text_is_sealed_after_it() -> None:
    """Also where the part has no text of its own."""
    found = stream(
        frame({"text": "a", "thoughtSignature": "sig"}),
        frame({"text": "", "thoughtSignature": "sig"}, finish="STOP"),
        vendor="lab",
    )
    seal = Seal(vendor="lab", kind="thought_signature", data="sig")
    assert found[:3] == [Said("a"), Sealed(seal), Sealed(seal)]


def test_reader_text_tools_offered_as_functions_are_turned_back() -> None:
    """What the function was given is the text."""
    said = frame(call("c", args={"input": "{}"}), finish="STOP")
    began, text, _ = stream(said, custom_names=frozenset({"c"}))
    assert isinstance(began, CallBegan)
    assert began.is_custom
    assert text == CallSaid(0, "{}")


def test_reader_sources_and_logprobs() -> None:
    """Sources are annotations in OpenAI's words, as are log probabilities."""
    candidate = {
        "citationMetadata": {"citations": [{"uri": "http://a", "endIndex": 1}]},
        "logprobsResult": {
            "chosenCandidates": [{"token": "a", "logProbability": -1.0}, {"token": "b"}],
            "topCandidates": [{"candidates": [{"token": "a", "logProbability": -1.0}]}],
        },
    }
    cited, scored, _ = stream(frame(finish="STOP", candidate=candidate))
    assert isinstance(cited, Cited)
    assert cited.dialect == "openai_chat"
    assert isinstance(scored, Scored)
    first, second = msgspec.json.decode(scored.raw)
    assert (first["logprob"], first["top_logprobs"][0]["bytes"]) == (-1.0, [97])
    assert second["top_logprobs"] == []
