"""Small objects that Cerebras's answers have in common: usage, times, calls, tokens, ids; pure.

Source: ../shared/reference/cerebras-api.md sections 2.7, 2.8 and 3.1, 2026-11-21.
"""

from hashlib import blake2b
from typing import Any, Final
from uuid import UUID
from zlib import crc32

import msgspec

from slipstream.call import Usage
from slipstream.wire.chat_answer import UNLIKELY, SaidCall, SaidToken

CACHE_BLOCK_TOKENS: Final = 128
_ID_BITS: Final = 36  # nine hexadecimal digits


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long the phases of a request took, as the engine measured them."""

    queue_s: float
    prompt_s: float
    completion_s: float
    total_s: float
    created_s: float


def usage_object(usage: Usage, image_tokens: int | None = None) -> dict[str, Any]:
    """Return what an answer says that it cost; cached tokens are told in whole blocks."""
    cached = usage.cache_read_tokens // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS
    said: dict[str, Any] = {
        "total_tokens": usage.total_input_tokens + usage.total_output_tokens,
        "completion_tokens": usage.total_output_tokens,
        "completion_tokens_details": {
            "accepted_prediction_tokens": usage.prediction_accepted_tokens,
            "rejected_prediction_tokens": usage.prediction_rejected_tokens,
            "reasoning_tokens": usage.output_reasoning_tokens,
        },
        "prompt_tokens": usage.total_input_tokens,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    if image_tokens is not None:
        said["image_tokens"] = image_tokens
    return said


def answer_id_of(call_id: str) -> str:
    """Return the id of a call's answer: `chatcmpl-` and a UUID of version 4, always the same."""
    digest = blake2b(call_id.encode(), digest_size=16).digest()
    return f"chatcmpl-{UUID(bytes=digest, version=4)}"


def short_call_id(call_id: str) -> str:
    """Return the id of a call as Cerebras writes it: nine hexadecimal digits."""
    data = call_id.encode()
    digits = crc32(data) << 32 | crc32(data[::-1])
    return f"{digits % (1 << _ID_BITS):09x}"


def call_object(call: SaidCall) -> dict[str, Any]:
    """Return a call, whole."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"function": function, "type": "function", "id": short_call_id(call.call_id)}


def token_object(said: SaidToken) -> dict[str, Any]:
    """Return a token with its log probability and the likeliest in its place."""
    top = [_probability(token, logprob) for token, logprob in said.top]
    return {**_probability(said.token, said.logprob), "top_logprobs": top}


def _probability(token: bytes, logprob: float) -> dict[str, Any]:
    text = token.decode(errors="replace")
    return {"token": text, "logprob": max(logprob, UNLIKELY), "bytes": list(token)}


def times_object(times: Times) -> dict[str, float]:
    """Return what an answer says of how long it took, in seconds."""
    return {
        "created": times.created_s,
        "queue_time": times.queue_s,
        "prompt_time": times.prompt_s,
        "completion_time": times.completion_s,
        "total_time": times.total_s,
    }
