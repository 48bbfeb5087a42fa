"""One candidate of a Gemini answer, streamed or plain, read into events.

Source: ../shared/reference/protocols.md, sections E and F; google-genai 3.4.0's types; 2026-11-21.
"""

from hashlib import sha256
from typing import Any, Final

import msgspec

from slipstream.errors import Rejected
from slipstream.wire.gemini.citations import Grounding, Sources, annotations
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.custom_tools import as_input
from slipstream.wire.talk.events import (
    CallBegan,
    CallSaid,
    Cited,
    Ended,
    Event,
    Failed,
    Said,
    Scored,
    Sealed,
    Thought,
)

SIGNATURE: Final = "thought_signature"
_NOTHING: Final = msgspec.Raw()
_NO_ARGUMENTS: Final = ("", "{}", "null")
_UNSAID: Final = ("", "FINISH_REASON_UNSPECIFIED")

# What is in neither table is an ordinary stop; an image's reasons are those of a filter.
_ENDINGS: Final = {
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "OTHER": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
_IMAGE: Final = "IMAGE_"
# The model wrote what is no answer, or was given what it cannot go on with.
_FAILURES: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)


class _Call(msgspec.Struct):
    name: str
    id: str | None = None
    args: msgspec.Raw = _NOTHING


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Top(msgspec.Struct):
    candidates: list[_Token] = []


class _Logprobs(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] = []
    top_candidates: list[_Top] = []


class Candidate(msgspec.Struct, rename="camel"):
    """One candidate, or more of it."""

    index: int | None = None
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    grounding_metadata: Grounding | None = None
    citation_metadata: Sources | None = None
    logprobs_result: _Logprobs | None = None


_encode: Final = msgspec.json.Encoder().encode


class CandidateReader:
    """Reads one of the answers that a request asked for.

    Args:
        at: Its index.
        vendor: Whose the signatures are.
        own_id: What the ids of calls are made of that have none.
        custom_names: Functions that stand for tools that take text.
    """

    __slots__ = (
        "_at",
        "_custom_names",
        "_is_thinking",
        "_message",
        "_num_calls",
        "_own_id",
        "_reason",
        "_vendor",
    )

    def __init__(self, at: int, vendor: str, own_id: str, custom_names: frozenset[str]) -> None:
        self._at, self._vendor, self._own_id = at, vendor, own_id
        self._custom_names = custom_names
        self._num_calls = 0
        self._is_thinking = False
        self._reason = self._message = ""

    @property
    def has_finished(self) -> bool:
        """Whether it has said why it ended."""
        return self._reason not in _UNSAID

    def read(self, said: Candidate, events: list[Event]) -> None:
        """Add what a frame says of the candidate."""
        if said.content is not None:
            for part in said.content.parts or ():
                self._read_part(part, events)
        if said.grounding_metadata is not None or said.citation_metadata is not None:
            for annotation in annotations(said.grounding_metadata, said.citation_metadata):
                events.append(Cited(_encode(annotation).decode(), "openai_chat", self._at))
        if said.logprobs_result is not None:
            self._score(said.logprobs_result, events)
        self._reason = said.finish_reason or self._reason
        self._message = said.finish_message or self._message

    def end(self) -> Ended | Failed:
        """Return why it ended; a plain answer that does not say it has just stopped."""
        if self._reason in _FAILURES:
            told = f": {self._message}" if self._message else ""
            problem = f"the provider ended the answer with {self._reason}{told}"
            return Failed(Rejected(problem, upstream_status=502))
        reason = "tool_calls" if self._num_calls else "stop"
        if self._reason.startswith(_IMAGE):
            reason = "content_filter"
        return Ended(reason=_ENDINGS.get(self._reason, reason), choice=self._at)

    def _read_part(self, part: _Part, events: list[Event]) -> None:
        call: int | None = None
        if part.function_call is not None:
            call = self._num_calls
            self._read_call(part.function_call, call, events)
        elif part.text and part.thought:
            begins, self._is_thinking = not self._is_thinking, True
            events.append(Thought(part.text, self._at, True, begins))
        elif part.text:
            events.append(Said(part.text, self._at))
        if part.text is None or not part.thought:
            self._is_thinking = False
        if part.thought_signature:
            seal = Seal(vendor=self._vendor, kind=SIGNATURE, data=part.thought_signature)
            events.append(Sealed(seal, self._at, call))

    def _read_call(self, said: _Call, index: int, events: list[Event]) -> None:
        self._num_calls += 1
        made = sha256(f"{self._own_id}:{self._at}:{index}".encode()).hexdigest()
        is_custom = said.name in self._custom_names
        began = CallBegan(
            index=index,
            call_id=said.id or f"call_{made[:24]}",
            name=said.name,
            choice=self._at,
            is_custom=is_custom,
        )
        events.append(began)
        arguments = bytes(said.args).decode()
        if arguments in _NO_ARGUMENTS:
            return
        text = as_input(arguments) if is_custom else arguments
        events.append(CallSaid(index, text, self._at))

    def _score(self, said: _Logprobs, events: list[Event]) -> None:
        tops = [top.candidates for top in said.top_candidates]
        tops += [[]] * (len(said.chosen_candidates) - len(tops))
        tokens = [
            _token(chosen) | {"top_logprobs": [_token(one) for one in top]}
            for chosen, top in zip(said.chosen_candidates, tops, strict=False)
        ]
        if tokens:
            events.append(Scored(_encode(tokens).decode(), self._at))


def _token(said: _Token) -> dict[str, Any]:
    return {
        "token": said.token,
        "logprob": said.log_probability,
        "bytes": list(said.token.encode()),
    }
