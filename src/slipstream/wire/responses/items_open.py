"""The items of an answer that is being written: each says its events, and in the end itself.

    message      added › (part added › delta… › done › part done)… › done
    reasoning    added › (summary part added › delta… › done › part done)… › done
    call         added › delta… › done › done

Source: openai-python 3.52.0's types; cassettes of langchain-openai 1.7.4; 2026-11-21.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from slipstream.wire.responses.names import ToolOrigin
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.custom_tools import as_input
from slipstream.wire.talk.parcels import Parcel, close_parcel

Item = dict[str, Any]
Told = tuple[str, Item]
"""An event: its type after `response.`, and its fields."""

_encode: Final = msgspec.json.Encoder().encode
# Of each kind of content: the field that holds its text, and the type of its events.
_TEXT_FIELD: Final = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text"}


class _ItemPlace:
    """Where an item stands in its answer, and how far it is."""

    __slots__ = ("_at", "_id", "_status")

    def __init__(self, item_id: str, at: int) -> None:
        self._id = item_id
        self._at = at
        self._status = "in_progress"

    def _told(self, what: str, item: Item) -> Told:
        return f"output_item.{what}", {"output_index": self._at, "item": item}

    def _place(self, **which: int) -> Item:
        return {"item_id": self._id, "output_index": self._at, **which}


class OpenMessage(_ItemPlace):
    """What the user reads: text, and what the model says while it refuses."""

    __slots__ = ("_encoded_place", "_kind", "_notes", "_parts", "_pieces", "_tokens")

    def __init__(self, item_id: str, at: int) -> None:
        super().__init__(item_id, at)
        self._parts: list[Item] = []  # the closed ones
        self._kind = ""  # of the open one
        self._pieces: list[str] = []
        self._notes: list[Any] = []
        self._tokens: list[Any] = []

    def open(self) -> Told:
        """Begin."""
        return self._told("added", self.item())

    def say(self, text: str, kind: str = "output_text") -> Iterator[Told]:
        """Add text of one kind, `output_text` or `refusal`."""
        yield from self._turn_to(kind)
        self._pieces.append(text)
        yield self._delta(text, [])

    def add(self, text: str) -> bytes:
        """Add to the text that is open; return its place, encoded: b"" if none is open."""
        if self._kind != "output_text":
            return b""
        self._pieces.append(text)
        return self._encoded_place

    def score(self, tokens: list[Any]) -> Iterator[Told]:
        """Add log probabilities of what was said before."""
        yield from self._turn_to("output_text")
        self._tokens += tokens
        yield self._delta("", tokens)

    def cite(self, note: Item) -> Iterator[Told]:
        """Add an annotation."""
        yield from self._turn_to("output_text")
        at = {"annotation_index": len(self._notes), "annotation": note}
        self._notes.append(note)
        yield "output_text.annotation.added", self._place(content_index=len(self._parts)) | at

    def num_chars(self) -> int:
        """Return how long the text of the open part is."""
        return sum(map(len, self._pieces))

    def close(self, status: str) -> Iterator[Told]:
        """End."""
        yield from self._end_part()
        self._status = status
        yield self._told("done", self.item())

    def item(self, *, keeps: bool = False) -> Item:
        """Return the item itself."""
        return {
            "id": self._id,
            "type": "message",
            "status": self._status,
            "role": "assistant",
            "content": list(self._parts),
        }

    def _turn_to(self, kind: str) -> Iterator[Told]:
        if kind == self._kind:
            return
        yield from self._end_part()
        self._kind = kind
        self._encoded_place = _encode(self._here())
        yield "content_part.added", self._here() | {"part": self._part("")}

    def _end_part(self) -> Iterator[Told]:
        if self._kind == "":
            return
        text = "".join(self._pieces)
        part = self._part(text)
        done = {_TEXT_FIELD[self._kind]: text}
        if self._kind == "output_text":
            done["logprobs"] = part["logprobs"]
        yield f"{self._kind}.done", self._here() | done
        yield "content_part.done", self._here() | {"part": part}
        self._parts.append(part)
        self._kind = ""
        self._pieces, self._notes, self._tokens = [], [], []

    def _delta(self, text: str, tokens: list[Any]) -> Told:
        scores = {"logprobs": tokens} if self._kind == "output_text" else {}
        return f"{self._kind}.delta", self._here() | {"delta": text, **scores}

    def _here(self) -> Item:
        return self._place(content_index=len(self._parts))

    def _part(self, text: str) -> Item:
        part: Item = {"type": self._kind, _TEXT_FIELD[self._kind]: text}
        if self._kind == "output_text":
            part |= {"annotations": self._notes, "logprobs": self._tokens}
        return part


class OpenReasoning(_ItemPlace):
    """What the model thought, as summaries or as it is, and what its vendor sealed.

    Args:
        shows_seals: The client asked for what it must send back.
        parcel: What is sealed already, of an item without text.
    """

    __slots__ = ("_parcel", "_pieces", "_shows_seals", "_texts", "is_summary", "seals")

    def __init__(
        self,
        item_id: str,
        at: int,
        *,
        is_summary: bool = False,
        shows_seals: bool,
        parcel: Parcel | None = None,
    ) -> None:
        super().__init__(item_id, at)
        self.is_summary = is_summary
        self._shows_seals = shows_seals
        self._parcel = parcel
        self._texts: list[str] = []  # of the closed parts
        self._pieces: list[str] | None = None  # of the open one
        self.seals: list[Seal] = []

    def open(self) -> Told:
        """Begin."""
        return self._told("added", {"id": self._id, "type": "reasoning", "summary": []})

    def think(self, text: str, *, begins: bool) -> Iterator[Told]:
        """Add to the open part, or to a new one."""
        if begins or self._pieces is None:
            yield from self._end_part()
            self._pieces = []
            yield self._event("part.added", part=self._part(""))
        assert self._pieces is not None, "a part is open"
        self._pieces.append(text)
        yield self._event("text.delta", delta=text)

    def close(self, status: str) -> Iterator[Told]:
        """End."""
        yield from self._end_part()
        self._status = status
        yield self._told("done", self.item())

    def item(self, *, keeps: bool = False) -> Item:
        """Return the item itself; one that we keep has the seals, whoever may see them."""
        parts = [self._part(text) for text in self._texts]
        item: Item = {"id": self._id, "type": "reasoning"}
        item |= {"summary": parts} if self.is_summary else {"summary": [], "content": parts}
        if not item.get("content", True):
            del item["content"]
        if keeps or self._shows_seals:
            item["encrypted_content"] = close_parcel(self._parcel or self._packed())
        return item

    def _packed(self) -> Parcel:
        text = ("\n\n" if self.is_summary else "").join(self._texts)
        return Parcel(text=text, is_summary=self.is_summary, seals=tuple(self.seals))

    def _end_part(self) -> Iterator[Told]:
        if self._pieces is None:
            return
        text = "".join(self._pieces)
        yield self._event("text.done", text=text)
        yield self._event("part.done", part=self._part(text))
        self._texts.append(text)
        self._pieces = None

    def _event(self, what: str, **more: Any) -> Told:
        at = len(self._texts)
        if self.is_summary:
            return f"reasoning_summary_{what}", self._place(summary_index=at) | more
        kind = "content_" if what.startswith("part.") else "reasoning_"
        return kind + what, self._place(content_index=at) | more

    def _part(self, text: str) -> Item:
        return {"type": "summary_text" if self.is_summary else "reasoning_text", "text": text}


class OpenCall(_ItemPlace):
    """A call of a tool.

    Args:
        origin: Where its name comes from, if it is a flat one.
        is_custom: The tool takes text.
        is_wrapped: The text comes as the arguments of a function and is told whole at the end.
    """

    __slots__ = ("_head", "_is_custom", "_is_wrapped", "_pieces", "call_id")

    def __init__(
        self,
        item_id: str,
        at: int,
        *,
        call_id: str,
        name: str,
        origin: ToolOrigin | None,
        is_custom: bool,
        is_wrapped: bool,
    ) -> None:
        super().__init__(item_id, at)
        self.call_id = call_id
        self._is_custom = is_custom
        self._is_wrapped = is_wrapped
        self._pieces: list[str] = []
        self._head: Item = {"id": item_id, "call_id": call_id, "name": name}
        if origin is not None:
            self._head |= {"name": origin.name, "namespace": origin.namespace}

    def open(self) -> Told:
        """Begin."""
        return self._told("added", self._item(""))

    def say(self, text: str) -> Iterator[Told]:
        """Add to what the tool is given."""
        self._pieces.append(text)
        if text and not self._is_wrapped:
            yield self._delta(text)

    def close(self, status: str) -> Iterator[Told]:
        """End; arguments that were never said are an empty object."""
        text = self._text()
        if self._is_wrapped or (text and not any(self._pieces)):
            yield self._delta(text)
        field = "input" if self._is_custom else "arguments"
        yield f"{self._kind()}.done", self._place() | {field: text}
        self._status = status
        yield self._told("done", self._item(text))

    def item(self, *, keeps: bool = False) -> Item:
        """Return the item itself."""
        return self._item(self._text())

    def _text(self) -> str:
        text = "".join(self._pieces)
        if self._is_wrapped:
            return as_input(text)
        return text if text or self._is_custom else "{}"

    def _kind(self) -> str:
        return "custom_tool_call_input" if self._is_custom else "function_call_arguments"

    def _delta(self, text: str) -> Told:
        return f"{self._kind()}.delta", self._place() | {"delta": text}

    def _item(self, text: str) -> Item:
        if self._is_custom:
            return {"type": "custom_tool_call", **self._head, "input": text}
        return {"type": "function_call", **self._head, "arguments": text, "status": self._status}


OpenItem = OpenMessage | OpenReasoning | OpenCall
