"""Cerebras chat answers, plain and streamed; pure, one call per piece.

A stream is: a role chunk for each choice, chunks of reasoning, content and whole tool calls, a
last chunk that finishes a choice and holds `usage` and `time_info`, `[DONE]`.

Source: ../shared/reference/cerebras-api.md sections 2.6 and 3.1 to 3.4, 2026-11-21.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, Protocol

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.cerebras.objects import (
    Times,
    call_object,
    times_object,
    token_object,
    usage_object,
)
from slipstream.wire.chat_answer import Piece, SaidToken

Format = Literal["parsed", "text_parsed", "raw", "hidden"]
_CALLS: Final = "tool_calls"
_DONE: Final = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


class CerebrasPiece(Piece, Protocol):
    """A piece that says of its tokens what they were, also where they show nothing."""

    @property
    def has_reasoned(self) -> bool:
        """Whether they were reasoning."""


class CerebrasAnswer:
    """What all pieces of one answer have in common.

    Args:
        answer_id: `chatcmpl-…`.
        fingerprint: `fp_` and 20 hexadecimal digits.
        reasoning_format: Where reasoning goes; the model's own for `none`.
        think_tags: What stands around raw reasoning; empty for gpt-oss.
        service_tier: Echoed unless None.
        image_tokens: Of the prompt; left out where None.
    """

    __slots__ = (
        "_contents",
        "_finishes",
        "_format",
        "_head",
        "_image_tokens",
        "_is_thinking",
        "_num_calls",
        "_tags",
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
        wants_logprobs: bool = False,
        reasoning_format: Format = "text_parsed",
        think_tags: tuple[str, str] = ("<think>", "</think>"),
        service_tier: str | None = None,
        image_tokens: int | None = None,
    ) -> None:
        self._head = {"id": answer_id}
        self._tail: dict[str, Any] = {
            "created": created_s,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        if service_tier is not None:
            self._tail["service_tier"] = service_tier
        if service_tier == "auto":  # the highest that there is: we have no better one
            self._tail["service_tier_used"] = "default"
        self._wants_logprobs = wants_logprobs
        self._format = reasoning_format
        self._tags = think_tags
        self._image_tokens = image_tokens
        self._times: Times | None = None
        self._num_calls = [0] * num_choices
        self._is_thinking = [False] * num_choices
        self._finishes: list[str | None] = [None] * num_choices
        # Chunks of text differ in one string: the rest is encoded once.
        self._contents = [
            self._chunk(at, {"content": ""}).split(b'"content":""') for at in range(num_choices)
        ]

    def measure(self, times: Times) -> None:
        """Take what `time_info` tells; call it before `close` or `whole`."""
        self._times = times

    def open(self) -> Frame:
        """Return the role chunk of every choice; they say nothing yet."""
        chunks = [self._chunk(at, {"role": "assistant"}) for at in range(len(self._num_calls))]
        return Frame(b"".join(chunks), Meaning.SILENT)

    def say(self, text: str, usage: Usage, choice: int = 0) -> Frame:
        """Return a content chunk; `usage` is what the answer has cost so far."""
        before, after = self._contents[choice]
        said = b'"content":' + _encode(self._end_of_thought(choice) + text)
        return Frame(before + said + after, Meaning.CONTENT, usage)

    def think(self, reasoning: str, usage: Usage, choice: int = 0) -> Frame | None:
        """Return a chunk of reasoning; None where it is hidden."""
        delta = self._thought(reasoning, choice)
        if delta is None:
            return None
        return Frame(self._chunk(choice, delta), Meaning.CONTENT, usage)

    def tell(self, piece: CerebrasPiece, usage: Usage) -> Frame | None:
        """Return the chunks of any piece; its finish is told by `close`."""
        chunks: list[bytes] = []
        logprobs = self._logprobs(piece)
        for delta in self._deltas(piece):
            chunks.append(self._chunk(piece.choice, delta, logprobs))
            logprobs = {}  # they are told once
        if logprobs:
            chunks.append(self._chunk(piece.choice, {}, logprobs))
        if piece.finish is not None:
            self._finishes[piece.choice] = piece.finish
        return Frame(b"".join(chunks), Meaning.CONTENT, usage) if chunks else None

    def close(self, finish_reason: str | None, usage: Usage) -> list[Frame]:
        """Return what ends a stream, the terminal event last.

        Args:
            finish_reason: Of the first choice, where no piece told it.
        """
        self._finishes[0] = self._finishes[0] or finish_reason
        last = len(self._finishes) - 1
        chunks = []
        for at, finish in enumerate(self._finishes):
            after = self._account(usage) if at == last else {}
            text = self._end_of_thought(at)
            delta = {"content": text} if text else {}
            chunks.append(self._chunk(at, delta, {}, finish, after))
        end = Frame(_DONE, Meaning.END, usage, self._finishes[0])
        return [Frame(b"".join(chunks), Meaning.SILENT, usage), end]

    def whole(self, pieces: Iterable[CerebrasPiece], usage: Usage) -> Frame:
        """Return a plain answer, its body whole, from all pieces in their order."""
        of_choice: list[list[CerebrasPiece]] = [[] for _ in self._num_calls]
        for piece in pieces:
            of_choice[piece.choice].append(piece)
        choices = [self._choice(at, said) for at, said in enumerate(of_choice)]
        body = {
            **self._head,
            "choices": choices,
            **self._tail,
            "object": "chat.completion",
            **self._account(usage),
        }
        return Frame(_encode(body), Meaning.END, usage, choices[0]["finish_reason"])

    def _chunk(
        self,
        choice: int,
        delta: dict[str, Any],
        logprobs: dict[str, Any] | None = None,
        finish: str | None = None,
        after: dict[str, Any] | None = None,
    ) -> bytes:
        said: dict[str, Any] = {"delta": delta}
        if finish is not None:
            said["finish_reason"] = finish
        said |= {"index": choice, **(logprobs or {})}
        event = {
            **self._head,
            "choices": [said],
            **self._tail,
            "object": "chat.completion.chunk",
            **(after or {}),
        }
        return b"data: " + _encode(event) + b"\n\n"

    def _deltas(self, piece: CerebrasPiece) -> list[dict[str, Any]]:
        deltas: list[dict[str, Any]] = []
        if piece.reasoning and (thought := self._thought(piece.reasoning, piece.choice)):
            deltas.append(thought)
        says_more = bool(piece.text) or piece.tool_call is not None
        if says_more and (text := self._end_of_thought(piece.choice) + piece.text):
            deltas.append({"content": text})
        if piece.tool_call is not None:
            at = self._num_calls[piece.choice]
            self._num_calls[piece.choice] += 1
            deltas.append({_CALLS: [{**call_object(piece.tool_call), "index": at}]})
        return deltas

    def _thought(self, reasoning: str, choice: int) -> dict[str, Any] | None:
        if self._format == "hidden":
            return None
        if self._format != "raw":
            return {"reasoning": reasoning}
        start = "" if self._is_thinking[choice] else self._tags[0]
        self._is_thinking[choice] = True
        return {"content": start + reasoning}

    def _end_of_thought(self, choice: int) -> str:
        was_thinking, self._is_thinking[choice] = self._is_thinking[choice], False
        return self._tags[1] if was_thinking else ""

    def _logprobs(self, *pieces: CerebrasPiece) -> dict[str, Any]:
        """Return the fields of a choice that tell log probabilities, by the format's rule."""
        if not self._wants_logprobs:
            return {}
        thought: list[SaidToken] = []
        said: list[SaidToken] = []
        for piece in pieces:
            goes_apart = piece.has_reasoned and self._format in ("parsed", "hidden")
            (thought if goes_apart else said).extend(piece.logprobs)
        fields: dict[str, Any] = {}
        if said:
            fields["logprobs"] = {"content": [token_object(token) for token in said]}
        if thought and self._format == "parsed":
            fields["reasoning_logprobs"] = {"content": [token_object(token) for token in thought]}
        return fields

    def _choice(self, index: int, pieces: list[CerebrasPiece]) -> dict[str, Any]:
        said: dict[str, list[Any]] = {}
        for delta in (delta for piece in pieces for delta in self._deltas(piece)):
            for key, value in delta.items():
                said.setdefault(key, []).append(value)
        if end := self._end_of_thought(index):
            said.setdefault("content", []).append(end)
        message: dict[str, Any] = {
            key: [call for calls in values for call in calls] if key == _CALLS else "".join(values)
            for key, values in said.items()
        }
        for call in message.get(_CALLS, ()):
            del call["index"]
        finish = pieces[-1].finish if pieces else None
        return {
            "finish_reason": finish,
            "index": index,
            "message": {**message, "role": "assistant"},
            **self._logprobs(*pieces),
        }

    def _account(self, usage: Usage) -> dict[str, Any]:
        account = {"usage": usage_object(usage, self._image_tokens)}
        if self._times is not None:
            account["time_info"] = times_object(self._times)
        return account
