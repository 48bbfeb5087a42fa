"""Events as the blocks of an answer in Messages: one open at a time, none begun again.

1. A block of another kind closes the one that is open, and so does new thinking if that is sealed.
2. Of calls whose pieces interleave, the first is told as it comes and the others wait: until its
   arguments are a whole object, or anything else than a call follows.
3. A call is begun when its first piece comes: a seal of it, told before, must stand before it.
4. Thinking of other vendors is signed with a parcel of ours; what seals a call, or nothing that was
   shown, is a redacted block that holds one. reading_thinking.py opens them again.
5. What seals a text waits for the next block: an answer that ends in text ends in a block of text,
   since clients take the last block for the answer (`claude -p` printed nothing).
"""

from typing import Any, NamedTuple

from slipstream.wire.messages.call_ids import legal_id
from slipstream.wire.messages.citations import citation_object
from slipstream.wire.messages.open_call import OpenCall
from slipstream.wire.messages.reading_thinking import VENDOR
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.custom_tools import as_arguments
from slipstream.wire.talk.events import (
    CallBegan,
    CallSaid,
    Cited,
    Event,
    Refused,
    Said,
    Sealed,
    Thought,
)
from slipstream.wire.talk.parcels import CallSeal, Parcel, close_parcel


class Opened(NamedTuple):
    """A block begins."""

    block: dict[str, Any]


class Grown(NamedTuple):
    """The open block gets more."""

    delta: dict[str, Any]


class Closed(NamedTuple):
    """The open block is complete."""


Move = Opened | Grown | Closed


class BlockOrder:
    """Puts the events of one answer into the order of its blocks.

    Args:
        seed: For ids of calls to which the upstream gave none.
    """

    __slots__ = (
        "_call",
        "_early",
        "_held",
        "_ids",
        "_is_summary",
        "_seals",
        "_seed",
        "_waiting",
        "num_calls",
        "open",
    )

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.open = ""  # the type of the open block
        self.num_calls = 0
        self._call: int | None = None  # the call that is told
        self._waiting: dict[int, OpenCall] = {}  # that one and those behind it
        self._ids: dict[int, str] = {}  # of all calls so far
        self._early: dict[int, list[Seal]] = {}  # of calls that have not begun
        self._seals: list[Seal] = []  # of the open thinking
        self._held: list[Seal] = []  # of a text, until a block follows
        self._is_summary = False

    def take(self, event: Event) -> list[Move]:
        """Return what one event does to the blocks."""
        match event:
            case Said() | Refused():
                return self._say(event.text)
            case Thought():
                return self._think(event)
            case Sealed(call=None):
                return self._seal(event.seal)
            case Sealed():
                return self._seal_call(event.call, event.seal)
            case CallBegan():
                return self._begin_call(event)
            case CallSaid():
                return self._argue(event.index, event.text)
            case Cited():
                return self._cite(event)
            case _:
                return []

    def grows(self, event: Said | Thought | CallSaid) -> bool:
        """Take a piece that adds to the open block and does no more, and tell if it is one."""
        if not event.text:
            return False
        if isinstance(event, Said):
            return self.open == "text"
        if isinstance(event, Thought):
            return self.open == "thinking" and not event.begins and not self._seals
        call = self._waiting.get(event.index) if len(self._waiting) == 1 else None
        if call is None or not call.is_begun or call.is_custom:
            return False
        call.pieces.append(event.text)
        return True

    def close(self) -> list[Move]:
        """Return what closes every block, those that wait as well."""
        if self._call is not None:
            moves = []
            while self._waiting:
                moves += self._close_call()
            return moves
        if self.open == "thinking":
            return [*self._sign(), *self._shut()]
        return self._shut()

    def _shut(self) -> list[Move]:
        if not self.open:
            return []
        self.open = ""
        return [Closed()]

    def _begin(self, kind: str, block: dict[str, Any]) -> list[Move]:
        moves = [*self.close(), *self._release()]
        self.open = kind
        return [*moves, Opened({"type": kind, **block})]

    def _alone(self, kind: str, block: dict[str, Any]) -> list[Move]:
        """Return a block that has no deltas."""
        return [*self._begin(kind, block), *self._shut()]

    # ---- text ------------------------------------------------------------------------------------

    def _say(self, text: str) -> list[Move]:
        if not text:
            return []
        moves = [] if self.open == "text" else self._begin("text", {"text": ""})
        return [*moves, Grown({"type": "text_delta", "text": text})]

    def _cite(self, event: Cited) -> list[Move]:
        citation = citation_object(event.raw, event.dialect)
        if citation is None:
            return []
        moves = [] if self.open == "text" else self._begin("text", {"text": ""})
        return [*moves, Grown({"type": "citations_delta", "citation": citation})]

    # ---- thinking --------------------------------------------------------------------------------

    def _think(self, event: Thought) -> list[Move]:
        if not event.text:
            return []
        text, moves = event.text, list[Move]()
        if self.open != "thinking" or self._seals:
            moves = self._begin("thinking", {"thinking": "", "signature": ""})
            self._is_summary = event.is_summary
        elif event.begins:
            text = f"\n\n{text}"
        return [*moves, Grown({"type": "thinking_delta", "thinking": text})]

    def _sign(self) -> list[Move]:
        """Return the signature of the open thinking."""
        seals, self._seals = tuple(self._seals), []
        if len(seals) == 1 and seals[0].vendor == VENDOR and seals[0].kind == "signature":
            signature = seals[0].data
        else:
            signature = close_parcel(Parcel(is_summary=self._is_summary, seals=seals))
        return [Grown({"type": "signature_delta", "signature": signature})]

    def _seal(self, seal: Seal) -> list[Move]:
        if seal.vendor == VENDOR and seal.kind == "redacted":
            return self._alone("redacted_thinking", {"data": seal.data})
        if self.open == "thinking" and not (self._seals and seal.kind == "signature"):
            self._seals.append(seal)
            return []
        if seal.vendor != VENDOR or seal.kind != "signature":
            if self.open == "text" or self._held:
                self._held.append(seal)
                return self.close()
            return self._alone("redacted_thinking", {"data": close_parcel(Parcel(seals=(seal,)))})
        moves = self._begin("thinking", {"thinking": "", "signature": ""})  # not shown, but signed
        self._seals.append(seal)
        return moves

    def _release(self) -> list[Move]:
        """Return the seals of the text before, each as a block."""
        seals, self._held = self._held, []
        told = [close_parcel(Parcel(seals=(seal,))) for seal in seals]
        blocks = [{"type": "redacted_thinking", "data": data} for data in told]
        return [move for block in blocks for move in (Opened(block), Closed())]

    def _seal_call(self, index: int | None, seal: Seal) -> list[Move]:
        assert index is not None, "the other case was matched before"
        call = self._waiting.get(index)
        if call is not None:
            call.seals.append(seal)  # if it has begun, they are told when it closes
            return []
        if index not in self._ids:
            self._early.setdefault(index, []).append(seal)
            return []
        return [*self.close(), *self._tell_seals(self._ids[index], [seal])]

    def _tell_seals(self, call_id: str, seals: list[Seal]) -> list[Move]:
        if not seals:
            return []
        told = tuple(CallSeal(call_id, seal) for seal in seals)
        seals.clear()
        data = close_parcel(Parcel(call_seals=told))
        return [Opened({"type": "redacted_thinking", "data": data}), Closed()]

    # ---- calls -----------------------------------------------------------------------------------

    def _begin_call(self, event: CallBegan) -> list[Move]:
        call_id = legal_id(event.call_id or f"toolu_{self._seed}_{self.num_calls}")
        seals = self._early.pop(event.index, [])
        moves: list[Move] = []
        if event.index in self._waiting:  # told twice, or an upstream that numbers none
            if self._ids[event.index] == call_id or not event.call_id:
                return []
            moves = self.close()
        if self._call is None:
            moves = moves or self.close()
            self._call = event.index
        self._ids[event.index] = call_id
        self._waiting[event.index] = OpenCall(call_id, event.name, event.is_custom, seals)
        self.num_calls += 1
        return [*moves, *self._advance()]

    def _argue(self, index: int, text: str) -> list[Move]:
        call = self._waiting.get(index)
        if call is None or not text:
            return []
        call.pieces.append(text)
        if index != self._call:
            return []
        return [*self._tell(call, text), *self._advance()]

    def _tell(self, call: OpenCall, text: str) -> list[Move]:
        """Return more of the call that is told; it begins with its first piece."""
        moves: list[Move] = []
        if not call.is_begun:
            moves = [*self._release(), *self._tell_seals(call.call_id, call.seals)]
            block = {"type": "tool_use", "id": call.call_id, "name": call.name, "input": {}}
            moves.append(Opened(block))
            call.is_begun, self.open = True, "tool_use"
        if text and not call.is_custom:
            moves.append(Grown({"type": "input_json_delta", "partial_json": text}))
        return moves

    def _advance(self) -> list[Move]:
        """Return what the calls that wait may tell now."""
        moves: list[Move] = []
        while len(self._waiting) > 1 and self._call is not None:
            if not self._waiting[self._call].is_whole():
                break
            moves += self._close_call()
            if self._call is not None:
                call = self._waiting[self._call]
                moves += self._tell(call, "".join(call.pieces)) if call.pieces else []
        return moves

    def _close_call(self) -> list[Move]:
        """Return what ends the call that is told; the next one takes its place, untold."""
        assert self._call is not None, "one is told as long as any waits"
        call = self._waiting.pop(self._call)
        text = "".join(call.pieces)
        moves = [] if call.is_begun else self._tell(call, text)
        if call.is_custom:
            text = as_arguments(text)
            moves.append(Grown({"type": "input_json_delta", "partial_json": text}))
        elif not text:
            moves.append(Grown({"type": "input_json_delta", "partial_json": "{}"}))
        self._call = next(iter(self._waiting), None)
        return [*moves, *self._shut(), *self._tell_seals(call.call_id, call.seals)]
