"""OpenAI chat answers, built for models that we run ourselves; pure, one call per piece.

A stream is: a role chunk for each choice, chunks of content, a finish chunk for each choice, the
usage chunk if it was asked for, `[DONE]`.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21. Reasoning is told as
`reasoning_content`: DeepSeek's name, which xAI and DeepInfra share and most clients read.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec

from slipstream.call import Frame, Meaning, Usage

_DONE: Final = b"data: [DONE]\n\n"
UNLIKELY: Final = -9999.0  # what OpenAI says of a token that cannot come; JSON has no infinity
_encode = msgspec.json.Encoder().encode


class SaidToken(Protocol):
    """One token of an answer, its log probability and the likeliest in its place."""

    @property
    def token(self) -> bytes:
        """Its bytes, which may be part of a character."""

    @property
    def logprob(self) -> float:
        """Natural logarithm; minus infinity where it could not come."""

    @property
    def top(self) -> Sequence[tuple[bytes, float]]:
        """The likeliest first."""


class SaidCall(Protocol):
    """A call of a function, whole."""

    @property
    def call_id(self) -> str:
        """What the result of the call names."""

    @property
    def name(self) -> str:
        """Of the function."""

    @property
    def arguments(self) -> str:
        """As JSON."""


class Piece(Protocol):
    """More of one choice's answer; what it does not say is empty."""

    @property
    def choice(self) -> int:
        """Which of the answers, from 0."""

    @property
    def text(self) -> str:
        """More of what the user reads."""

    @property
    def reasoning(self) -> str:
        """More of what stands before the answer."""

    @property
    def tool_call(self) -> SaidCall | None:
        """One more call."""

    @property
    def logprobs(self) -> Sequence[SaidToken]:
        """Of the tokens of this piece, in order; empty unless asked for."""

    @property
    def finish(self) -> str | None:
        """Why the choice ended, in OpenAI's words; None while it goes on."""


class ChatAnswer:
    """What all pieces of one answer have in common.

    Args:
        answer_id: `chatcmpl-…`.
        model: The name that the client asked for.
        created_s: Wall clock, whole seconds.
        fingerprint: Of the weights and the software that answers.
        num_choices: How many answers there will be.
        wants_usage: The client asked for the usage chunk of a stream.
        wants_logprobs: It asked for log probabilities.
    """

    __slots__ = ("_after", "_content", "_head", "_heads", "_num_calls", "_reasoning", "_wants")

    def __init__(
        self,
        *,
        answer_id: str,
        model: str,
        created_s: int,
        fingerprint: str,
        num_choices: int = 1,
        wants_usage: bool = False,
        wants_logprobs: bool = False,
    ) -> None:
        self._head = {
            "id": answer_id,
            "object": "chat.completion.chunk",
            "created": created_s,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._wants = (wants_usage, wants_logprobs)
        self._num_calls = [0] * num_choices
        # Chunks of text differ in one string: the rest is encoded once.
        usage = b',"usage":null' if wants_usage else b""
        head = b"data: " + _encode(self._head)[:-1] + usage + b',"choices":[{"index":'
        self._heads = [head + b'%d,"delta":{' % at for at in range(num_choices)]
        self._content = [before + b'"content":' for before in self._heads]
        self._reasoning = [before + b'"reasoning_content":' for before in self._heads]
        self._after = b'},"logprobs":null,"finish_reason":null}]}\n\n'

    def open(self) -> Frame:
        """Return the role chunk of every choice; they say nothing yet."""
        role = {"role": "assistant", "content": ""}
        chunks = [self._chunk(at, role) for at in range(len(self._heads))]
        return Frame(b"".join(chunks), Meaning.SILENT)

    def say(self, text: str, usage: Usage, choice: int = 0) -> Frame:
        """Return a content chunk; `usage` is what the answer has cost so far."""
        return Frame(self._content[choice] + _encode(text) + self._after, Meaning.CONTENT, usage)

    def think(self, reasoning: str, usage: Usage, choice: int = 0) -> Frame:
        """Return a chunk of reasoning."""
        data = self._reasoning[choice] + _encode(reasoning) + self._after
        return Frame(data, Meaning.CONTENT, usage)

    def tell(self, piece: Piece, usage: Usage) -> Frame | None:
        """Return the chunks of any piece, a tool call whole in one; None if it says nothing."""
        deltas: list[dict[str, Any]] = []
        if piece.reasoning:
            deltas.append({"reasoning_content": piece.reasoning})
        if piece.text:
            deltas.append({"content": piece.text})
        if piece.tool_call is not None:
            at = self._num_calls[piece.choice]
            self._num_calls[piece.choice] += 1
            deltas.append({"tool_calls": [{"index": at} | _call_object(piece.tool_call)]})
        if piece.logprobs and not deltas:
            deltas.append({"content": ""})
        logprobs = _logprobs_object(piece.logprobs) if piece.logprobs else None
        chunks = []
        for delta in deltas:
            chunks.append(self._chunk(piece.choice, delta, logprobs))
            logprobs = None  # they are told once
        if piece.finish is not None:
            chunks.append(self._chunk(piece.choice, {}, finish=piece.finish))
        return Frame(b"".join(chunks), Meaning.CONTENT, usage) if chunks else None

    def close(self, finish_reason: str | None, usage: Usage) -> list[Frame]:
        """Return what ends a stream, the terminal event last.

        Args:
            finish_reason: Of the first choice, for our own account.
        """
        frames = []
        wants_usage, _ = self._wants
        if wants_usage:
            last = self._head | {"choices": [], "usage": usage_object(usage)}
            frames.append(Frame(b"data: " + _encode(last) + b"\n\n", Meaning.SILENT, usage))
        return [*frames, Frame(_DONE, Meaning.END, usage, finish_reason)]

    def whole(self, pieces: Iterable[Piece], usage: Usage) -> Frame:
        """Return a plain answer, its body whole, from all pieces in their order."""
        of_choice: list[list[Piece]] = [[] for _ in self._heads]
        for piece in pieces:
            of_choice[piece.choice].append(piece)
        choices = [self._choice(at, said) for at, said in enumerate(of_choice)]
        body = self._head | {
            "object": "chat.completion",
            "choices": choices,
            "usage": usage_object(usage),
        }
        return Frame(_encode(body), Meaning.END, usage, choices[0]["finish_reason"])

    def _chunk(
        self,
        choice: int,
        delta: dict[str, Any],
        logprobs: dict[str, Any] | None = None,
        finish: str | None = None,
    ) -> bytes:
        after = {"logprobs": logprobs, "finish_reason": finish}
        return self._heads[choice] + _encode(delta)[1:] + b"," + _encode(after)[1:] + b"]}\n\n"

    def _choice(self, index: int, pieces: list[Piece]) -> dict[str, Any]:
        text = "".join(piece.text for piece in pieces)
        reasoning = "".join(piece.reasoning for piece in pieces)
        calls = [_call_object(piece.tool_call) for piece in pieces if piece.tool_call is not None]
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
        if reasoning:
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = calls
        else:
            message["content"] = text
        _, wants_logprobs = self._wants
        tokens = (token for piece in pieces for token in piece.logprobs)
        return {
            "index": index,
            "message": message,
            "logprobs": _logprobs_object(tokens) if wants_logprobs else None,
            "finish_reason": pieces[-1].finish if pieces else None,
        }


def _call_object(call: SaidCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function}


def _logprobs_object(tokens: Iterable[SaidToken]) -> dict[str, Any]:
    content = [
        _token_object(said.token, said.logprob)
        | {"top_logprobs": [_token_object(token, logprob) for token, logprob in said.top]}
        for said in tokens
    ]
    return {"content": content, "refusal": None}


def _token_object(token: bytes, logprob: float) -> dict[str, Any]:
    return {
        "token": token.decode(errors="replace"),
        "logprob": max(logprob, UNLIKELY),
        "bytes": list(token),
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return what an answer says that it cost."""
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
