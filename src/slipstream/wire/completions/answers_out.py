"""Events as the text completions that clients of the older endpoint expect: chunks, or one body.

A stream is: chunks of text, one that says why for each choice, the usage chunk if it was asked for,
`[DONE]`. Text is all that the dialect knows: reasoning is not told, a refusal is text.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.chat.plain_answer import finish_of, reported_usage
from slipstream.wire.sse import DONE
from slipstream.wire.talk.events import (
    Began,
    Counted,
    Ended,
    Event,
    Failed,
    Over,
    Pinged,
    Refused,
    Said,
)

_PING: Final = b": ping\n\n"
_FINISHES: Final = {"tool_calls": "stop"}  # no tools can be asked for
_encode: Final = msgspec.json.Encoder().encode


class AnswerWriter:
    """Writes one answer for a client of text completions.

    Args:
        answer_id: `cmpl-…`.
        model: The name that the client asked for.
        created_s: Wall clock, whole seconds.
        wants_usage: The client asked for the usage chunk of a stream.
        fingerprint: Told where the upstream tells none.
    """

    __slots__ = ("_head", "_news", "_reason", "_start", "_usage", "_wants_usage")

    def __init__(
        self,
        *,
        answer_id: str,
        model: str,
        created_s: int,
        wants_usage: bool = False,
        fingerprint: str | None = None,
    ) -> None:
        self._head: dict[str, Any] = {
            "id": answer_id,
            "object": "text_completion",
            "created": created_s,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._wants_usage = wants_usage
        self._usage: Usage | None = None
        self._news: Usage | None = None  # that no frame carries yet
        self._reason: str | None = None
        self._start = b""  # of every chunk; made with the first, when the head is known

    def write(self, event: Event) -> list[Frame]:
        """Return the frames of an event of a stream; for what is no text none.

        Raises:
            GatewayError: The event is a Failed: its error, for whoever renders errors.
        """
        match event:
            case Said() | Refused():
                return [self._frame(self._chunk(event.choice, event.text), Meaning.CONTENT)]
            case Ended():
                finish = _finish(event)
                if event.choice == 0:
                    self._reason = finish
                chunk = self._chunk(event.choice, "", finish)
                return [self._frame(chunk, Meaning.CONTENT, finish)]
            case Pinged():
                return [self._frame(_PING, Meaning.SILENT)]
            case Over():
                return self._close()
            case _:
                self._note(event)
                return []

    def whole(self, events: Iterable[Event]) -> Frame:
        """Return a plain answer, from all its events.

        Raises:
            GatewayError: One of them is a Failed.
        """
        texts: dict[int, list[str]] = {}
        finishes: dict[int, str] = {}
        for event in events:
            match event:
                case Said() | Refused():
                    texts.setdefault(event.choice, []).append(event.text)
                case Ended():
                    texts.setdefault(event.choice, [])
                    finishes[event.choice] = _finish(event)
                case _:
                    self._note(event)
        choices = [_choice(at, "".join(texts[at]), finishes.get(at)) for at in sorted(texts)]
        body = self._head | {"choices": choices}
        if self._usage is not None:
            body["usage"] = reported_usage(self._usage)
        return Frame(_encode(body), Meaning.END, self._usage, finishes.get(0))

    def _note(self, event: Event) -> None:
        match event:
            case Began():
                self._head["system_fingerprint"] = (
                    event.fingerprint or self._head["system_fingerprint"]
                )
            case Counted():
                self._usage = self._news = event.usage
            case Failed():
                raise event.error
            case _:
                pass

    def _frame(self, data: bytes, meaning: Meaning, finish: str | None = None) -> Frame:
        news, self._news = self._news, None
        return Frame(data, meaning, news, finish)

    def _chunk(self, at: int, text: str, finish: str | None = None) -> bytes:
        if not self._start:
            usage = b',"usage":null' if self._wants_usage else b""
            self._start = b"data: " + _encode(self._head)[:-1] + usage + b',"choices":['
        return self._start + _encode(_choice(at, text, finish)) + b"]}\n\n"

    def _close(self) -> list[Frame]:
        frames = []
        if self._wants_usage and self._usage is not None:
            last = self._head | {"choices": [], "usage": reported_usage(self._usage)}
            data = b"data: " + _encode(last) + b"\n\n"
            frames.append(Frame(data, Meaning.SILENT, self._usage))
        return [*frames, Frame(DONE, Meaning.END, self._usage, self._reason)]


def _finish(event: Ended) -> str:
    finish = finish_of(event)
    return _FINISHES.get(finish, finish)


def _choice(at: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"index": at, "text": text, "logprobs": None, "finish_reason": finish}
