"""The dialect OpenAI chat completions, seen from the provider's side: answers, events, errors."""

from collections.abc import Iterator
from itertools import chain, zip_longest
from typing import Final

import msgspec

from slipstream.errors import GatewayError
from slipstream.upstream.scripted.answer import split_words
from slipstream.upstream.scripted.nouns import (
    Answer,
    Ask,
    Dialect,
    Event,
    Stamp,
    Tokens,
    ToolCall,
)
from slipstream.upstream.scripted.openai_chat_request import decode
from slipstream.upstream.scripted.rate_headers import openai_headers

_DONE: Final = Event(b"[DONE]", is_terminal=True)
_FINGERPRINT: Final = "fp_scripted"
_encode_json: Final = msgspec.json.Encoder().encode


def _call_id(stamp: Stamp, choice: int, number: int) -> str:
    return f"call_{stamp.serial:06d}_{choice}_{number}"


def _usage(tokens: Tokens) -> dict[str, object]:
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached,
            "audio_tokens": 0,
            **({"cache_write_tokens": tokens.written} if tokens.written else {}),
        },
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0},
    }


def _message(answer: Answer, stamp: Stamp, choice: int) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.refuses:
        message |= {"content": None, "refusal": answer.text}
    if answer.reasoning:
        message |= dict.fromkeys(answer.reasoning_fields, answer.reasoning)
    if answer.calls:
        message["content"] = None
        message["tool_calls"] = [
            {"id": _call_id(stamp, choice, number), **_call_object(call, call.arguments)}
            for number, call in enumerate(answer.calls)
        ]
    return message


def _call_object(call: ToolCall, arguments: str) -> dict[str, object]:
    if call.is_custom:
        return {"type": "custom", "custom": {"name": call.name, "input": arguments}}
    return {"type": "function", "function": {"name": call.name, "arguments": arguments}}


def _encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    document: dict[str, object] = {
        "id": f"chatcmpl-{stamp.serial:06d}",
        "object": "chat.completion",
        "created": stamp.created_s,
        "model": ask.model,
        "system_fingerprint": _FINGERPRINT,
        "choices": [
            {
                "index": choice,
                "message": _message(answer, stamp, choice),
                "logprobs": None,
                "finish_reason": answer.finish,
            }
            for choice in range(ask.num_choices)
        ],
    }
    if answer.tokens is not None:
        document["usage"] = _usage(answer.tokens)
    return _encode_json(document)


def _stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    """Yield the role of each choice, the words in turn, the finishes, usage and the end."""
    has_usage = ask.wants_usage and answer.tokens is not None
    head = _encode_json(
        {
            "id": f"chatcmpl-{stamp.serial:06d}",
            "object": "chat.completion.chunk",
            "created": stamp.created_s,
            "model": ask.model,
            "system_fingerprint": _FINGERPRINT,
        }
    )[:-1]
    tail = b',"usage":null}' if has_usage else b"}"
    for choice, delta, finish in _deltas(ask, answer, stamp):
        yield Event(
            b'%b,"choices":[{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b}]%b'
            % (head, choice, _encode_json(delta), _encode_json(finish), tail)
        )
    if has_usage:
        assert answer.tokens is not None
        yield Event(b'%b,"choices":[],"usage":%b}' % (head, _encode_json(_usage(answer.tokens))))
    yield _DONE


def _deltas(
    ask: Ask, answer: Answer, stamp: Stamp
) -> Iterator[tuple[int, dict[str, object], str | None]]:
    choices = range(ask.num_choices)
    for choice in choices:
        yield choice, {"role": "assistant", "content": None if answer.calls else ""}, None
    for word in split_words(answer.reasoning) if answer.reasoning_fields else ():
        for choice in choices:
            yield choice, dict.fromkeys(answer.reasoning_fields, word), None
    for word in split_words(answer.text):
        for choice in choices:
            yield choice, {"refusal" if answer.refuses else "content": word}, None
    for choice in choices:
        yield from ((choice, delta, None) for delta in _call_deltas(answer, stamp, choice))
    for choice in choices:
        yield choice, {}, answer.finish


def _call_deltas(answer: Answer, stamp: Stamp, choice: int) -> Iterator[dict[str, object]]:
    """Yield each call's name with an empty beginning, then its arguments word by word."""
    is_whole = answer.call_pieces == "whole"
    pieces: list[list[dict[str, object]]] = []
    for number, call in enumerate(answer.calls):
        call_id = _call_id(stamp, choice, number)
        first = {"id": call_id, **_call_object(call, call.arguments if is_whole else "")}
        rest = [] if is_whole else [_more_of(call, word) for word in split_words(call.arguments)]
        pieces.append([{"tool_calls": [{"index": number, **piece}]} for piece in (first, *rest)])
    if answer.call_pieces == "interleaved":
        rounds = zip_longest(*pieces)
        yield from (piece for around in rounds for piece in around if piece is not None)
    else:
        yield from chain.from_iterable(pieces)


def _more_of(call: ToolCall, word: str) -> dict[str, object]:
    return {"custom": {"input": word}} if call.is_custom else {"function": {"arguments": word}}


def encode_error(error: GatewayError) -> bytes:
    """Encode an error in OpenAI's shape."""
    shape = {
        "message": error.message,
        "type": error.kind,
        "param": error.param,
        "code": error.code,
    }
    return _encode_json({"error": shape})


OPENAI_CHAT: Final = Dialect(
    name="openai_chat",
    path_suffixes=("/chat/completions",),
    decode=decode,
    encode=_encode,
    stream=_stream,
    encode_error=encode_error,
    rate_headers=openai_headers,
)
