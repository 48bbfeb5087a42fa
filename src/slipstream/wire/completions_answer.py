"""OpenAI text completions, built for models that we run ourselves; pure, one call per piece.

A stream is: chunks of text, of which the last of each choice says why it ended, the usage chunk if
it was asked for, `[DONE]`. Offsets count characters of the choice's own text, from 0.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.chat_answer import UNLIKELY, Piece, SaidToken, usage_object

_DONE: Final = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode
_Utf8 = getincrementaldecoder("utf-8")


class CompletionAnswer:
    """What all pieces of one answer have in common.

    Args:
        answer_id: `cmpl-…`.
        model: The name that the client asked for.
        created_s: Wall clock, whole seconds.
        fingerprint: Of the weights and the software that answers.
        wants_usage: The client asked for the usage chunk of a stream.
        wants_logprobs: It asked for log probabilities.
    """

    __slots__ = ("_chunk_head", "_head", "_offsets", "_wants_logprobs", "_wants_usage")

    def __init__(
        self,
        *,
        answer_id: str,
        model: str,
        created_s: int,
        fingerprint: str,
        wants_usage: bool = False,
        wants_logprobs: bool = False,
    ) -> None:
        self._head = {
            "id": answer_id,
            "object": "text_completion",
            "created": created_s,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._wants_usage, self._wants_logprobs = wants_usage, wants_logprobs
        self._offsets: dict[int, Offsets] = {}
        usage = b',"usage":null' if wants_usage else b""
        self._chunk_head = b"data: " + _encode(self._head)[:-1] + usage + b',"choices":['

    def tell(self, piece: Piece, usage: Usage, index: int, echo: str = "") -> Frame | None:
        """Return the chunk of a piece; None if it says nothing.

        Args:
            usage: What the answer has cost so far.
            index: Of its choice in the whole answer.
            echo: The prompt, before the first piece of a choice.
        """
        text = echo + piece.text
        if not (text or piece.logprobs or piece.finish):
            return None
        logprobs = None
        if self._wants_logprobs and piece.logprobs:
            offsets = self._offsets.setdefault(index, Offsets())
            logprobs = logprobs_object(piece.logprobs, offsets)
        choice = _choice_object(index, text, logprobs, piece.finish)
        return Frame(self._chunk_head + _encode(choice) + b"]}\n\n", Meaning.CONTENT, usage)

    def close(self, finish_reason: str | None, usage: Usage) -> list[Frame]:
        """Return what ends a stream, the terminal event last.

        Args:
            finish_reason: Of the first choice, for our own account.
        """
        frames = []
        if self._wants_usage:
            last = self._head | {"choices": [], "usage": usage_object(usage)}
            frames.append(Frame(b"data: " + _encode(last) + b"\n\n", Meaning.SILENT, usage))
        return [*frames, Frame(_DONE, Meaning.END, usage, finish_reason)]

    def whole(self, choices: Iterable[tuple[str, Sequence[Piece]]], usage: Usage) -> Frame:
        """Return a plain answer, its body whole.

        Args:
            choices: Of each what stands before it, and all its pieces, in their order.
        """
        said = [self._choice(at, echo, pieces) for at, (echo, pieces) in enumerate(choices)]
        body = self._head | {"choices": said, "usage": usage_object(usage)}
        return Frame(_encode(body), Meaning.END, usage, said[0]["finish_reason"])

    def _choice(self, index: int, echo: str, pieces: Sequence[Piece]) -> dict[str, Any]:
        text = echo + "".join(piece.text for piece in pieces)
        tokens = [token for piece in pieces for token in piece.logprobs]
        logprobs = logprobs_object(tokens, Offsets()) if self._wants_logprobs else None
        return _choice_object(index, text, logprobs, pieces[-1].finish if pieces else None)


class Offsets:
    """Where each token of one choice begins: a character belongs to the token that ends it.

    Args:
        start: Where the first one does.
    """

    __slots__ = ("_decoder", "_num_chars")

    def __init__(self, start: int = 0) -> None:
        self._decoder = _Utf8("replace")
        self._num_chars = start

    def add(self, token: bytes) -> int:
        """Return where a token begins, and count it."""
        start = self._num_chars
        self._num_chars += len(self._decoder.decode(token))
        return start


def _choice_object(
    index: int, text: str, logprobs: dict[str, Any] | None, finish: str | None
) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


def logprobs_object(tokens: Sequence[SaidToken], offsets: Offsets) -> dict[str, Any]:
    """Return the legacy form: one array for each thing that is said of the tokens."""
    return {
        "tokens": [_shown(said.token) for said in tokens],
        "token_logprobs": [max(said.logprob, UNLIKELY) for said in tokens],
        "top_logprobs": [_likeliest(said) for said in tokens],
        "text_offset": [offsets.add(said.token) for said in tokens],
    }


def _likeliest(said: SaidToken) -> dict[str, float]:
    """Return the likeliest tokens and, as OpenAI does, the one that was drawn."""
    every = {_shown(token): max(logprob, UNLIKELY) for token, logprob in said.top}
    every.setdefault(_shown(said.token), max(said.logprob, UNLIKELY))
    return every


def _shown(token: bytes) -> str:
    """Return a token's text, or its bytes as OpenAI writes them where they are none alone."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)
