"""Calls of tools in an answer: whose fragment is whose.

1. A fragment with a new id begins a call, also where its index is one that was used before.
2. Without an id, the index says whose it is; without either, a name begins a call and anything
else belongs to the last one.
3. A name that is repeated without an id begins a call only once the arguments before are whole.
4. Calls count from 0 in the order in which they begin, whatever the provider's indices are.
5. A call begins when its name is known; one that comes without an id gets one made of the answer's.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from slipstream.errors import Broken
from slipstream.wire.chat.seals import read_extra
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.custom_tools import as_input
from slipstream.wire.talk.events import CallBegan, CallSaid, Event, Failed, Sealed

_NOTHING: Final = msgspec.Raw()
_NO_ID: Final = (None, "", "null")  # Mistral writes the word


class Function(msgspec.Struct):
    """A function that is called; Ollama's arguments are an object."""

    name: str | None = None
    arguments: str | dict[str, msgspec.Raw] | None = None


class Custom(msgspec.Struct):
    """A tool that takes text and is called."""

    name: str | None = None
    input: str | None = None


class Call(msgspec.Struct):
    """A call, or a fragment of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: msgspec.Raw = _NOTHING


_encode: Final = msgspec.json.Encoder().encode


class _Open:
    __slots__ = (
        "call_id",
        "has_begun",
        "index",
        "is_custom",
        "is_held",
        "name",
        "said",
        "seals",
        "told_id",
    )

    def __init__(self, index: int, call_id: str, told_id: str | None) -> None:
        self.index, self.call_id, self.told_id = index, call_id, told_id
        self.name = ""
        self.said: list[str] = []
        self.seals: list[Seal] = []  # not told yet
        self.has_begun = self.is_custom = False
        self.is_held = False  # its arguments are turned into text when they are whole

    def is_whole(self) -> bool:
        try:
            msgspec.json.decode("".join(self.said), type=dict[str, msgspec.Raw])
        except UNREADABLE:
            return False
        return True


class Calls:
    """The calls of one choice.

    Args:
        choice: Its index.
        vendor: Whose the signatures are.
        own_id: What ids are made of.
        custom_names: Functions that stand for tools that take text.
    """

    __slots__ = ("_by_id", "_by_slot", "_choice", "_custom_names", "_open", "_own_id", "_vendor")

    def __init__(self, choice: int, vendor: str, own_id: str, custom_names: frozenset[str]) -> None:
        self._choice, self._vendor, self._own_id = choice, vendor, own_id
        self._custom_names = custom_names
        self._open: list[_Open] = []
        self._by_id: dict[str, _Open] = {}
        self._by_slot: dict[int, _Open] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def read(self, call: Call, events: list[Event]) -> None:
        """Add what a fragment says."""
        name, text = _said(call)
        found = self._find(call, name) or self._add(call)
        found.is_custom = found.is_custom or call.custom is not None
        if not found.has_begun:
            found.name += name
        if text:
            found.said.append(text)
        found.seals += read_extra(call.extra_content, self._vendor)
        if found.has_begun:
            self._say(found, text, events)
        elif found.name:
            self._begin(found, events)
        if found.has_begun and found.seals:
            events += [Sealed(seal, self._choice, found.index) for seal in found.seals]
            found.seals = []

    def pause(self, events: list[Event]) -> None:
        """Say that the calls so far are whole: something else follows, or nothing."""
        for held in self._held():
            held.is_held = False
            text = as_input("".join(held.said))
            if text:
                events.append(CallSaid(held.index, text, self._choice))

    def finish(self, events: list[Event]) -> None:
        """Say that no more calls come."""
        self.pause(events)
        if any(not call.has_begun for call in self._open):
            events.append(Failed(Broken("the answer calls a tool without saying which")))

    def _held(self) -> Iterator[_Open]:
        return (call for call in self._open if call.is_held)

    def _find(self, call: Call, name: str) -> _Open | None:
        call_id = None if call.id in _NO_ID else call.id
        if call.index is not None:
            known = self._by_slot.get(call.index)
        elif call_id is not None:
            return self._by_id.get(call_id)
        else:
            return self._open[-1] if self._open and not name else None
        if known is None:
            return None
        if call_id is not None and known.told_id is not None:
            return known if call_id == known.told_id else self._by_id.get(call_id)
        is_repeated = not name or not known.name or (name == known.name and not known.is_whole())
        return known if is_repeated else None

    def _add(self, call: Call) -> _Open:
        index = len(self._open)
        told_id = None if call.id in _NO_ID else call.id
        call_id = told_id
        if call_id is None or call_id in self._by_id:
            made = sha256(f"{self._own_id}:{self._choice}:{index}".encode()).hexdigest()
            call_id = f"call_{made[:24]}"
        added = _Open(index, call_id, told_id)
        self._open.append(added)
        self._by_id[call_id] = added
        if call.index is not None:
            self._by_slot[call.index] = added
        return added

    def _begin(self, call: _Open, events: list[Event]) -> None:
        call.has_begun = True
        is_text = call.is_custom or call.name in self._custom_names
        call.is_held = is_text and not call.is_custom
        began = CallBegan(
            index=call.index,
            call_id=call.call_id,
            name=call.name,
            choice=self._choice,
            is_custom=is_text,
        )
        events.append(began)
        self._say(call, "".join(call.said), events)

    def _say(self, call: _Open, text: str, events: list[Event]) -> None:
        if text and not call.is_held:
            events.append(CallSaid(call.index, text, self._choice))


def _said(call: Call) -> tuple[str, str]:
    """Return the name and the arguments of a fragment, empty where it does not say them."""
    if call.custom is not None:
        return call.custom.name or "", call.custom.input or ""
    if call.function is None:
        return "", ""
    given = call.function.arguments
    text = _encode(given).decode() if isinstance(given, dict) else given or ""
    return call.function.name or "", text
