"""OpenAI chat answers, built for models that we run ourselves; pure, one call per piece.

A stream is: role chunk, content chunks, finish chunk, usage chunk if it was asked for, `[DONE]`.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.call import Frame, Meaning, Usage

_DONE: Final = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


class ChatAnswer:
    """What all pieces of one answer have in common.

    Args:
        answer_id: `chatcmpl-…`.
        model: The name that the client asked for.
        created_s: Wall clock, whole seconds.
        fingerprint: Of the weights and the software that answers.
        wants_usage: The client asked for the usage chunk of a stream.
    """

    __slots__ = ("_after", "_before", "_head", "_wants_usage")

    def __init__(
        self, *, answer_id: str, model: str, created_s: int, fingerprint: str, wants_usage: bool
    ) -> None:
        self._head = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": created_s,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._wants_usage = wants_usage
        # Content chunks differ in one string: the rest is encoded once.
        usage = b',"usage":null' if wants_usage else b""
        head = _encode(self._head)[:-1]
        self._before = b"data: " + head + usage + b',"choices":[{"index":0,"delta":{"content":'
        self._after = b'},"logprobs":null,"finish_reason":null}]}\n\n'

    def open(self) -> Frame:
        """Return the role chunk; it says nothing yet."""
        return Frame(self._chunk({"role": "assistant", "content": ""}, None), Meaning.SILENT)

    def say(self, text: str, usage: Usage) -> Frame:
        """Return a content chunk; `usage` is what the answer has cost so far."""
        return Frame(self._before + _encode(text) + self._after, Meaning.CONTENT, usage)

    def close(self, finish_reason: str, usage: Usage) -> list[Frame]:
        """Return the chunks that end a stream, the terminal event last."""
        frames = [Frame(self._chunk({}, finish_reason), Meaning.CONTENT)]
        if self._wants_usage:
            last = self._head | {"choices": [], "usage": _usage_object(usage)}
            frames.append(Frame(b"data: " + _encode(last) + b"\n\n", Meaning.SILENT, usage))
        frames.append(Frame(_DONE, Meaning.END, usage, finish_reason))
        return frames

    def whole(self, text: str, finish_reason: str, usage: Usage) -> Frame:
        """Return a plain answer, its body whole."""
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        body = self._head | {
            "object": "chat.completion",
            "choices": [choice],
            "usage": _usage_object(usage),
        }
        return Frame(_encode(body), Meaning.END, usage, finish_reason)

    def _chunk(self, delta: dict[str, str], finish_reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._wants_usage else {}
        return b"data: " + _encode(self._head | usage | {"choices": [choice]}) + b"\n\n"


def _usage_object(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.total_input_tokens,
        "completion_tokens": usage.total_output_tokens,
        "total_tokens": usage.total_input_tokens + usage.total_output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.output_reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": usage.prediction_accepted_tokens,
            "rejected_prediction_tokens": usage.prediction_rejected_tokens,
        },
    }
