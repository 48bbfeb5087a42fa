"""Streams by hand, of what the mock has no behaviour for: citations, log probabilities, choices."""

import json
from typing import Any, Final

from slipstream.call import Dialect
from tests.wire.messages.streams import RECORDED

_ID: Final = {"id": "x-1", "created": 1_700_000_000, "model": "m"}
_HEAD: Final = {**_ID, "object": "chat.completion.chunk"}
_RESPONSE: Final = {**_ID, "id": "resp_1", "object": "response", "created_at": 1_700_000_000}


def _data(*said: dict[str, Any], done: bool = False) -> bytes:
    told = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in said)
    return told + (b"data: [DONE]\n\n" if done else b"")


def _named(*said: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode())
        for one in said
    )


def _delta(index: int, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {**_HEAD, "choices": [choice]}


def _scored(text: str) -> dict[str, Any]:
    token = {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []}
    return {"content": [token], "refusal": None}


def _chat_with_choices() -> bytes:
    """Two choices by turns, with log probabilities; calls by index, a name without an id."""
    first = _delta(0, content="one")
    first["choices"][0]["logprobs"] = _scored("one")
    called = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": '{"a":1}'}}
    second = {"index": 1, "function": {"name": "g", "arguments": "{}"}}
    return _data(
        _delta(0, role="assistant", content=""),
        _delta(1, role="assistant", content=""),
        first,
        _delta(1, tool_calls=[called]),
        _delta(0, content=" two"),
        _delta(1, tool_calls=[second, more]),
        _delta(0, "stop"),
        _delta(1, "tool_calls"),
        {**_HEAD, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}},
        done=True,
    )


def _chat_with_annotations() -> bytes:
    cited = {"start_index": 0, "end_index": 3, "url": "https://a.example", "title": "A"}
    return _data(
        _delta(0, role="assistant", content="one"),
        _delta(0, annotations=[{"type": "url_citation", "url_citation": cited}]),
        _delta(0, "stop", content=" two"),
        done=True,
    )


def _messages_with_citations() -> bytes:
    citation = {
        "type": "char_location",
        "cited_text": "one",
        "document_index": 0,
        "document_title": "A",
        "start_char_index": 0,
        "end_char_index": 3,
    }
    message = {"id": "msg_1", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}
    return _named(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "citations_delta", "citation": citation},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "one"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "stop_sequence", "stop_sequence": "two"},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    )


def _responses_with_annotations() -> bytes:
    note = {
        "type": "url_citation",
        "start_index": 0,
        "end_index": 3,
        "url": "https://a.example",
        "title": "A",
    }
    part = {"type": "output_text", "text": "one", "annotations": [note], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    token = {"token": "one", "logprob": -0.5, "bytes": [111, 110, 101], "top_logprobs": []}
    usage = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
    done = {**_RESPONSE, "status": "completed", "output": [item], "usage": usage}
    return _named(
        {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress"}},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "content": []},
        },
        {"type": "response.output_text.delta", **place, "delta": "one", "logprobs": [token]},
        {
            "type": "response.output_text.annotation.added",
            **place,
            "annotation_index": 0,
            "annotation": note,
        },
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": done},
    )


def _gemini_with_grounding() -> bytes:
    def frame(*parts: Any, **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": list(parts)}
        return {"candidates": [{"content": content, **more}], "responseId": "r"}

    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 3}, "groundingChunkIndices": [0]}
        ],
    }
    return _data(
        frame({"text": "one"}, {"text": " two"}),
        frame({"text": ""}, finishReason="STOP", groundingMetadata=grounding),
    )


def _completions() -> bytes:
    head = {**_ID, "object": "text_completion"}
    return _data(
        {**head, "choices": [{"index": 0, "text": "one", "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "text": " two", "finish_reason": "stop"}]},
        {**head, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        done=True,
    )


RECORDINGS: Final = (
    (Dialect.OPENAI_CHAT, "lab", "choices", _chat_with_choices()),
    (Dialect.OPENAI_CHAT, "lab", "annotations", _chat_with_annotations()),
    (Dialect.OPENAI_COMPLETIONS, "lab", "text", _completions()),
    (Dialect.ANTHROPIC_MESSAGES, "anthropic", "recorded", RECORDED),
    (Dialect.ANTHROPIC_MESSAGES, "anthropic", "citations", _messages_with_citations()),
    (Dialect.OPENAI_RESPONSES, "openai", "annotations", _responses_with_annotations()),
    (Dialect.GEMINI, "gemini", "grounding", _gemini_with_grounding()),
)
"""Each of a dialect at a provider, by a name."""
