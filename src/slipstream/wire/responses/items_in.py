"""The conversation of a Responses request: a list of items, joined to turns.

A model's answer is one turn here and several items there; its tools' results likewise. Calls of
the vendor's own tools that the client carried out (a shell, a patch) are read as calls of a tool
of that name; what the vendor carried out itself goes back to it unread.

Source: openai-python 3.52.0's types; Codex 0.169's requests; 2026-11-21.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.errors import BadRequest
from slipstream.wire.refusals import decode_at, invalid, missing, not_among, not_offered
from slipstream.wire.responses.names import flat_name
from slipstream.wire.responses.parts_in import read_parts
from slipstream.wire.responses.tools_in import Placed
from slipstream.wire.responses.turns_in import join_turns, with_seals
from slipstream.wire.talk.asking import (
    Document,
    Image,
    Reasoning,
    Role,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.parcels import open_parcel

VENDOR: Final = "openai"
"""Whose a sealed item is that we did not make: it does not say."""

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")
_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}


class Conversation(Struct, frozen=True):
    """What the items say.

    Args:
        tools: That items among them offer.
        unheard: Items that only the vendor understands that made them, by their place.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Placed, ...]
    unheard: tuple[str, ...]


class _Stretch(Struct):
    text: str


class _Item(Struct):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: msgspec.Raw = _NOTHING
    summary: list[_Stretch] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Any = None
    input: Any = None
    action: msgspec.Raw = _NOTHING
    operation: msgspec.Raw = _NOTHING
    output: msgspec.Raw = _NOTHING
    tools: list[msgspec.Raw] | None = None


class _Reading(Struct):
    """What is gathered beside the turns."""

    tools: list[Placed] = []
    call_seals: dict[str, list[Seal]] = {}
    unheard: list[str] = []


_item_decoder: Final = msgspec.json.Decoder(_Item)
_stretches_decoder: Final = msgspec.json.Decoder(list[_Stretch])


def read_items(
    instructions: str | None, placed: Iterable[Placed], known: Mapping[str, msgspec.Raw]
) -> Conversation:
    """Read all items.

    Args:
        instructions: A system's text before them.
        placed: The items in their order.
        known: Items of earlier answers by id, which `item_reference` may name.

    Raises:
        BadRequest: It names the item.
        DecodeError: As `refusals.decode_at`.
    """
    turns = [] if instructions is None else [Turn("system", (Text(instructions),))]
    reading = _Reading()
    for where, raw in placed:
        turn = _read_item(raw, where, known, reading)
        if turn is not None:
            turns.append(turn)
    joined = tuple(with_seals(turn, reading.call_seals) for turn in join_turns(turns))
    return Conversation(joined, tuple(reading.tools), tuple(reading.unheard))


def _read_item(
    raw: msgspec.Raw, where: str, known: Mapping[str, msgspec.Raw], reading: _Reading
) -> Turn | None:
    said = decode_at(_item_decoder, raw, where)
    if _kind(said) == "item_reference":
        raw = _referred(said, where, known)
        said = decode_at(_item_decoder, raw, where)
    kind = _kind(said)
    read = _READERS.get(kind)
    if read is not None:
        return read(said, where, reading)
    reading.unheard.append(f"{where} ({kind or 'no type'})")
    seal = Seal(vendor=VENDOR, kind="item", data=bytes(raw).decode(), item_id=said.id)
    return Turn("assistant", (Reasoning(seals=(seal,)),))


def _kind(said: _Item) -> str:
    if said.type is not None:
        return said.type
    if said.role is not None:
        return "message"
    return "" if said.id is None else "item_reference"


def _referred(said: _Item, where: str, known: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    found = known.get(said.id or "")
    if found is None:
        raise BadRequest(
            f"Item with id '{said.id}' not found. Items are kept with answers that are stored: "
            "send the item itself.",
            param=f"{where}.id",
            code="item_not_found",
        )
    return found


def _read_message(said: _Item, where: str, _: _Reading) -> Turn:
    role = _ROLES.get(said.role or "")
    if role is None:
        raise not_among(f"{where}.role", said.role or "", tuple(_ROLES))
    return Turn(role, read_parts(said.content, f"{where}.content"))


def _read_reasoning(said: _Item, where: str, reading: _Reading) -> Turn | None:
    sealed = said.encrypted_content
    parcel = open_parcel(sealed, f"{where}.encrypted_content") if sealed else None
    if parcel is not None:
        for call in parcel.call_seals:
            reading.call_seals.setdefault(call.call_id, []).append(call.seal)
        part = Reasoning(text=parcel.text, is_summary=parcel.is_summary, seals=parcel.seals)
    else:
        part = _foreign_reasoning(said, where)
    return Turn("assistant", (part,)) if part.text or part.seals else None


def _foreign_reasoning(said: _Item, where: str) -> Reasoning:
    stretches: list[_Stretch] = []
    if bytes(said.content) not in _ABSENT:
        stretches = decode_at(_stretches_decoder, said.content, f"{where}.content")
    summary = said.summary or []
    seal = said.encrypted_content
    return Reasoning(
        text="\n\n".join(one.text for one in stretches or summary),
        is_summary=bool(summary) and not stretches,
        seals=(
            (Seal(vendor=VENDOR, kind="encrypted_content", data=seal, item_id=said.id),)
            if seal
            else ()
        ),
    )


def _read_compaction(said: _Item, where: str, _: _Reading) -> Turn:
    """Open a conversation that we made shorter; another vendor's would be lost whole."""
    where = f"{where}.encrypted_content"
    if said.encrypted_content is None:
        raise missing(where)
    parcel = open_parcel(said.encrypted_content, where)
    if parcel is None:
        raise not_offered(where, "only the vendor that compacted it can read it")
    return Turn("user", (Text(parcel.text),))


def _read_call(said: _Item, where: str, _: _Reading) -> Turn:
    is_custom = said.type == "custom_tool_call"
    field = "input" if is_custom else "arguments"
    text = said.input if is_custom else said.arguments
    if not isinstance(text, str):
        raise invalid(f"{where}.{field}", "expected a string")
    if not said.name:
        raise missing(f"{where}.name")
    call = ToolCall(
        call_id=_call_id(said, where),
        name=flat_name(said.namespace, said.name),
        arguments=text,
        is_custom=is_custom,
    )
    return Turn("assistant", (call,))


def _read_own_call(said: _Item, where: str, _: _Reading) -> Turn:
    """Read a call of a vendor's tool that the client carried out."""
    done = said.operation if said.type == "apply_patch_call" else said.action
    call = ToolCall(
        call_id=_call_id(said, where),
        name=(said.type or "").removesuffix("_call"),
        arguments=bytes(done).decode() or "{}",
    )
    return Turn("assistant", (call,))


def _read_result(said: _Item, where: str, _: _Reading) -> Turn:
    name = flat_name(said.namespace, said.name) if said.name else None
    output = said.output
    if said.type == "computer_call_output":
        output = msgspec.Raw(b"[" + bytes(output) + b"]")
    elif said.type == "shell_call_output" and bytes(output)[:1] == b"[":
        output = msgspec.Raw(msgspec.json.encode(bytes(output).decode()))
    elif said.type == "apply_patch_call_output" and bytes(output) in _ABSENT:
        output = msgspec.Raw(b'""')
    parts = []
    for part in read_parts(output, f"{where}.output"):
        if not isinstance(part, Text | Image | Document):
            raise invalid(f"{where}.output", "expected a text, pictures or files")
        parts.append(part)
    result = ToolResult(
        call_id=said.id or "" if said.type == "local_shell_call_output" else _call_id(said, where),
        parts=tuple(parts),
        name=name,
        is_custom=said.type == "custom_tool_call_output",
    )
    return Turn("tool", (result,))


def _read_tools(said: _Item, where: str, reading: _Reading) -> None:
    reading.tools += [(f"{where}.tools[{at}]", raw) for at, raw in enumerate(said.tools or ())]


def _call_id(said: _Item, where: str) -> str:
    if not said.call_id:
        raise missing(f"{where}.call_id")
    return said.call_id


_READERS: Final[dict[str, Callable[[_Item, str, _Reading], Turn | None]]] = {
    "message": _read_message,
    "reasoning": _read_reasoning,
    "compaction": _read_compaction,
    "function_call": _read_call,
    "custom_tool_call": _read_call,
    "local_shell_call": _read_own_call,
    "shell_call": _read_own_call,
    "apply_patch_call": _read_own_call,
    "computer_call": _read_own_call,
    "function_call_output": _read_result,
    "custom_tool_call_output": _read_result,
    "local_shell_call_output": _read_result,
    "shell_call_output": _read_result,
    "apply_patch_call_output": _read_result,
    "computer_call_output": _read_result,
    "additional_tools": _read_tools,
    "tool_search_output": _read_tools,
}
