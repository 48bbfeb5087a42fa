"""Cerebras text completions, plain and streamed; pure, one call per piece.

A stream is: chunks of text, a last chunk for each choice that says why it ended, of which the very
last holds `usage` and `time_info`, `[DONE]`. Offsets count characters from the prompt's beginning,
whether the prompt is echoed or not.

Source: ../shared/reference/cerebras-api.md sections 3.1 to 3.5; inference-docs.cerebras.ai,
Completions (an answer with log probabilities of January 2026); 2026-11-21.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.cerebras.objects import Times, times_object, usage_object
from slipstream.wire.chat_answer import Piece
from slipstream.wire.completions_answer import Offsets, logprobs_object

_DONE: Final = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


class TokenPiece(Piece, Protocol):
    """A piece that knows the ids of its tokens."""

    @property
    def tokens(self) -> Sequence[int]:
        """Of this piece, in order; empty unless asked for."""


class CerebrasCompletionAnswer:
    """What all pieces of one answer have in common.

    Args:
        answer_id: `chatcmpl-…`.
        created_s: Wall clock, whole seconds.
        fingerprint: `fp_` and 20 hexadecimal digits.
        num_choices: To all prompts together.
        echoes: Each answer begins with its prompt.
        wants_logprobs: The client asked for log probabilities.
        returns_tokens: Answers are token ids instead of text.
    """

    __slots__ = (
        "_chunk_head",
        "_chunk_tail",
        "_echoes",
        "_finishes",
        "_head",
        "_offsets",
        "_returns_tokens",
        "_tail",
        "_times",
        "_wants_logprobs",
    )

    def __init__(
        self,
        *,
        answer_id: str,
        model: str,
        created_s: int,
        fingerprint: str,
        num_choices: int = 1,
        echoes: bool = False,
        wants_logprobs: bool = False,
        returns_tokens: bool = False,
    ) -> None:
        self._head = {"id": answer_id}
        self._tail: dict[str, Any] = {
            "created": created_s,
            "model": model,
            "system_fingerprint": fingerprint,
            "object": "text_completion",
        }
        # Chunks differ in their choice: the rest is encoded once.
        self._chunk_head = b"data: " + _encode(self._head)[:-1] + b',"choices":['
        self._chunk_tail = b"]," + _encode(self._tail)[1:] + b"\n\n"
        self._echoes, self._wants_logprobs = echoes, wants_logprobs
        self._returns_tokens = returns_tokens
        self._times: Times | None = None
        self._offsets: dict[int, Offsets] = {}  # of the choices that have begun
        self._finishes: list[str | None] = [None] * num_choices

    def measure(self, times: Times) -> None:
        """Take what `time_info` tells; call it before `close` or `whole`."""
        self._times = times

    def tell(self, piece: TokenPiece, usage: Usage, index: int, prompt: str) -> Frame | None:
        """Return the chunk of a piece; None if it says nothing yet. Its finish `close` tells.

        Args:
            usage: What the answer has cost so far.
            index: Of its choice in the whole answer.
            prompt: The text before the choice.
        """
        self._finishes[index] = piece.finish or self._finishes[index]
        said = self._said([piece], index, prompt)
        if not any(said.values()):
            return None
        choice = _encode({"index": index, **said})
        return Frame(self._chunk_head + choice + self._chunk_tail, Meaning.CONTENT, usage)

    def close(self, usage: Usage) -> list[Frame]:
        """Return what ends a stream, the terminal event last."""
        nothing: dict[str, Any] = {"tokens": []} if self._returns_tokens else {"text": ""}
        chunks = [
            self._chunk_head + _encode(_choice(finish, index, nothing)) + self._chunk_tail
            for index, finish in enumerate(self._finishes)
        ]
        last = len(chunks) - 1
        final = self._body([_choice(self._finishes[last], last, nothing)], usage)
        chunks[last] = b"data: " + _encode(final) + b"\n\n"
        end = Frame(_DONE, Meaning.END, usage, self._finishes[0])
        # A stream whose choices said nothing commits with its finish.
        return [Frame(b"".join(chunks), Meaning.CONTENT, usage), end]

    def whole(self, choices: Iterable[tuple[str, Sequence[TokenPiece]]], usage: Usage) -> Frame:
        """Return a plain answer, its body whole.

        Args:
            choices: The prompt and all pieces of each, in the order of the answer.
        """
        said = [
            _choice(pieces[-1].finish if pieces else None, at, self._said(pieces, at, prompt))
            for at, (prompt, pieces) in enumerate(choices)
        ]
        body = _encode(self._body(said, usage))
        return Frame(body, Meaning.END, usage, said[0].get("finish_reason"))

    def _said(self, pieces: Sequence[TokenPiece], index: int, prompt: str) -> dict[str, Any]:
        """Return what pieces of a choice say, an echo before the first of them."""
        has_begun = index in self._offsets
        offsets = self._offsets.setdefault(index, Offsets(len(prompt)))
        said: dict[str, Any] = {}
        if self._returns_tokens:
            said["tokens"] = [token for piece in pieces for token in piece.tokens]
        else:
            echo = prompt if self._echoes and not has_begun else ""
            said["text"] = echo + "".join(piece.text for piece in pieces)
        tokens = [token for piece in pieces for token in piece.logprobs]
        if self._wants_logprobs and tokens:
            said["logprobs"] = logprobs_object(tokens, offsets)
        return said

    def _body(self, choices: list[dict[str, Any]], usage: Usage) -> dict[str, Any]:
        body = {**self._head, "choices": choices, **self._tail, "usage": usage_object(usage)}
        if self._times is not None:
            body["time_info"] = times_object(self._times)
        return body


def _choice(finish: str | None, index: int, said: dict[str, Any]) -> dict[str, Any]:
    """Return a choice; what is not known is left out."""
    ended = {} if finish is None else {"finish_reason": finish}
    return {**ended, "index": index, **said}
