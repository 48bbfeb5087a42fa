"""One block of an answer in Messages while it is open: what its start, deltas and stop mean."""

from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.messages.names import DIALECT
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.custom_tools import as_input
from slipstream.wire.talk.events import CallBegan, CallSaid, Cited, Event, Said, Sealed, Thought

_NOTHING: Final = msgspec.Raw()


class Block(Struct):
    """A block as its start tells it, or whole in a plain answer."""

    type: str
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    input: msgspec.Raw = _NOTHING
    citations: list[msgspec.Raw] | None = None


class Delta(Struct):
    """What is added to a block; in `message_delta`, why the message ended."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: msgspec.Raw = _NOTHING
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: msgspec.Raw = _NOTHING


class OpenBlock:
    """Reads one block.

    Args:
        said: Its start.
        vendor: Whose the upstream is.
        call: Its number among the calls, should it be one.
        custom_names: Names of tools that take text.
    """

    __slots__ = ("_call", "_has_input", "_has_thought", "_said", "_signature", "_text", "_vendor")

    def __init__(self, said: Block, vendor: str, call: int, custom_names: frozenset[str]) -> None:
        self._said = said
        self._vendor = vendor
        self._call = call
        self._signature = said.signature or ""
        self._has_thought = self._has_input = False
        # The arguments of a tool that takes text, until the text can be taken out of them.
        self._text: list[str] | None = [] if said.name in custom_names else None

    @property
    def is_call(self) -> bool:
        """Whether the block is a call of one of the client's tools."""
        return self._said.type == "tool_use"

    def start(self) -> list[Event]:
        """Return what the start means."""
        said = self._said
        match said.type:
            case "text":
                citations = [Cited(bytes(raw).decode(), DIALECT) for raw in said.citations or ()]
                return [*([Said(said.text)] if said.text else []), *citations]
            case "thinking":
                return self._think(said.thinking or "")
            case "redacted_thinking":
                return [self._seal("redacted", said.data or "")]
            case "tool_use":
                is_custom = self._text is not None
                name, call_id = said.name or "", said.id or ""
                return [
                    CallBegan(index=self._call, call_id=call_id, name=name, is_custom=is_custom)
                ]
            case _:
                return []

    def add(self, delta: Delta) -> list[Event]:
        """Return what a delta means."""
        match delta.type:
            case "text_delta" if delta.text and self._said.type == "text":
                return [Said(delta.text)]
            case "input_json_delta" if delta.partial_json and self.is_call:
                return self._argue(delta.partial_json)
            case "thinking_delta" if delta.thinking and self._said.type == "thinking":
                return self._think(delta.thinking)
            case "signature_delta" if delta.signature is not None:
                self._signature = delta.signature
            case "citations_delta" if bytes(delta.citation) and self._said.type == "text":
                return [Cited(bytes(delta.citation).decode(), DIALECT)]
        return []

    def stop(self) -> list[Event]:
        """Return what the stop means."""
        if self._said.type == "thinking" and self._signature:
            return [self._seal("signature", self._signature)]
        if not self.is_call:
            return []
        events = [] if self._has_input else self._argue(self._whole_input())
        if self._text is not None:
            return [CallSaid(self._call, as_input("".join(self._text)))]
        return events

    def _whole_input(self) -> str:
        """Return all arguments as the start told them, which is where a plain answer has them."""
        told = bytes(self._said.input)
        return told.decode() if told.startswith(b"{") else "{}"

    def _think(self, text: str) -> list[Event]:
        begins, self._has_thought = not self._has_thought, self._has_thought or bool(text)
        return [Thought(text, begins=begins)] if text else []

    def _argue(self, text: str) -> list[Event]:
        self._has_input = True
        if self._text is None:
            return [CallSaid(self._call, text)]
        self._text.append(text)
        return []

    def _seal(self, kind: str, data: str) -> Sealed:
        return Sealed(Seal(vendor=self._vendor, kind=kind, data=data))
