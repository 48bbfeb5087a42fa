"""One and the same stream in each dialect: what comes before the text, the text, what follows it.

Events are as the providers' own, with all that they say beside the text.
"""

import json
from typing import Any, Final, NamedTuple

_CREATED: Final = 1_700_000_000
_NUM_TOKENS: Final = 100  # that differ from each other; they are used in turns
_PLACE: Final = {"item_id": "msg_bench", "output_index": 0, "content_index": 0}


class Parts(NamedTuple):
    """One stream, event by event."""

    head: list[bytes]
    tokens: list[bytes]
    tail: list[bytes]


def _data(said: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(said, separators=(",", ":")).encode()


def _named(said: dict[str, Any]) -> bytes:
    return b"event: %b\n" % said["type"].encode() + _data(said)


def _texts() -> list[str]:
    return [f" token{number}" for number in range(_NUM_TOKENS)]


def _chat() -> Parts:
    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice], "usage": None} | more)

    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": _CREATED}
    head |= {"model": "any-model", "system_fingerprint": "fp_1"}
    usage = {"prompt_tokens": 25, "completion_tokens": 100, "total_tokens": 125}
    return Parts(
        [chunk({"role": "assistant", "content": ""})],
        [chunk({"content": text}) for text in _texts()],
        [chunk({}, "stop"), chunk({}, choices=[], usage=usage), b"data: [DONE]\n\n"],
    )


def _completions() -> Parts:
    def chunk(text: str, finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice]} | more)

    head = {"id": "cmpl-bench", "object": "text_completion", "created": _CREATED}
    head |= {"model": "any-model"}
    usage = {"prompt_tokens": 25, "completion_tokens": 100, "total_tokens": 125}
    return Parts(
        [],
        [chunk(text) for text in _texts()],
        [chunk("", "stop"), chunk("", choices=[], usage=usage), b"data: [DONE]\n\n"],
    )


def _messages() -> Parts:
    message: dict[str, Any] = {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "any-model",
    }
    message |= {"content": [], "stop_reason": None, "stop_sequence": None}
    usage = {"input_tokens": 25, "cache_read_input_tokens": 0, "output_tokens": 1}
    block = {"type": "text", "text": ""}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return Parts(
        [
            _named({"type": "message_start", "message": {**message, "usage": usage}}),
            _named({"type": "content_block_start", "index": 0, "content_block": block}),
        ],
        [
            _named(
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": text},
                }
            )
            for text in _texts()
        ],
        [
            _named({"type": "content_block_stop", "index": 0}),
            _named({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 100}}),
            _named({"type": "message_stop"}),
        ],
    )


def _responses() -> Parts:
    response = {"id": "resp_bench", "object": "response", "created_at": _CREATED}
    response |= {"status": "in_progress", "model": "any-model", "output": []}
    usage = {"input_tokens": 25, "output_tokens": 100, "total_tokens": 125}
    item = {"id": "msg_bench", "type": "message", "role": "assistant", "content": []}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    over = {**response, "status": "completed", "usage": usage}
    return Parts(
        [
            _named({"type": "response.created", "sequence_number": 0, "response": response}),
            _named({"type": "response.output_item.added", "output_index": 0, "item": item}),
            _named({"type": "response.content_part.added", **_PLACE, "part": part}),
        ],
        [
            _named(
                {
                    "type": "response.output_text.delta",
                    "sequence_number": 3 + number,
                    **_PLACE,
                    "delta": text,
                    "logprobs": [],
                }
            )
            for number, text in enumerate(_texts())
        ],
        [_named({"type": "response.completed", "sequence_number": 9_999, "response": over})],
    )


def _gemini() -> Parts:
    def frame(text: str, count: int, **more: Any) -> bytes:
        content = {"role": "model", "parts": [{"text": text}]}
        usage: dict[str, Any] = {"promptTokenCount": 25, "candidatesTokenCount": count}
        usage |= {"totalTokenCount": 25 + count, "thoughtsTokenCount": 0}
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": 25}]
        return _data(
            {
                "candidates": [{"content": content, "index": 0, **more}],
                "usageMetadata": usage,
                "modelVersion": "any-model",
                "responseId": "bench",
            }
        )

    tokens = [frame(text, number) for number, text in enumerate(_texts())]
    return Parts([], tokens, [frame("", 100, finishReason="STOP")])


STREAMS: Final[dict[str, Parts]] = {
    "openai_chat": _chat(),
    "openai_completions": _completions(),
    "anthropic_messages": _messages(),
    "openai_responses": _responses(),
    "gemini": _gemini(),
}
"""By the name of the dialect, as providers speak it."""

PATHS: Final = {
    "openai_chat": "/v1/chat/completions",
    "openai_completions": "/v1/completions",
    "anthropic_messages": "/v1/messages",
    "openai_responses": "/v1/responses",
}
"""By the name of the dialect, where a client asks in it."""


def request_of(client: str, model: str) -> dict[str, Any]:
    """Return a client's request for a stream, by the name of its dialect."""
    said: dict[str, Any] = {"model": model, "stream": True}
    match client:
        case "openai_responses":
            return said | {"input": "Count."}
        case "openai_completions":
            return said | {"prompt": "Count.", "max_tokens": 1_000_000}
        case "anthropic_messages":
            said["max_tokens"] = 1_000_000
        case "openai_chat":
            said["stream_options"] = {"include_usage": True}
    return said | {"messages": [{"role": "user", "content": "Count."}]}
