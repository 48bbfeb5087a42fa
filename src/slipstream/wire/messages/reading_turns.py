"""The conversation of a request in Messages: system, messages, and the order of what they hold.

Results of tools stand in the user's message there and in turns of their own here; whoever hands
them back, they come before what the user says.
"""

from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.messages.reading_blocks import (
    KINDS_OF_ROLE,
    block_kind,
    outside,
    read_block,
)
from slipstream.wire.messages.reading_thinking import read_assistant
from slipstream.wire.refusals import decode_at, not_among
from slipstream.wire.talk.asking import Part, Role, Text, ToolResult, Turn

_ROLES: Final[tuple[Role, ...]] = ("user", "assistant", "system")

_ABSENT: Final = (b"", b"null")

# Claude Code's first block of `system`: it names its version, so it would part every prompt cache.
_BILLING_HEADER: Final = "x-anthropic-billing-header:"


class _Message(Struct):
    role: str
    content: str | list[msgspec.Raw]
    output_config: msgspec.Raw = msgspec.Raw()


_message_decoder: Final = msgspec.json.Decoder(_Message)
_encode: Final = msgspec.json.Encoder().encode


def read_system(
    said: str | list[msgspec.Raw] | None, extras: dict[str, msgspec.Raw]
) -> tuple[Part, ...]:
    """Return the parts of the leading system turn, without Claude Code's billing header."""
    if isinstance(said, str):
        return (Text(said),) if said else ()
    parts = _read_parts(said or [], "system", "system")
    first = parts[0] if parts else None
    if isinstance(first, Text) and first.text.startswith(_BILLING_HEADER):
        extras["system.x-anthropic-billing-header"] = msgspec.Raw(_encode(first.text))
        return parts[1:]
    return parts


def read_turns(raws: list[msgspec.Raw], extras: dict[str, msgspec.Raw]) -> tuple[Turn, ...]:
    """Read all messages; how much effort one of them asks for goes among the extras.

    Raises:
        BadRequest: It names the message and the block.
        Unsupported: A block is one that only Anthropic knows.
    """
    turns: list[Turn] = []
    for at, raw in enumerate(raws):
        where = f"messages[{at}]"
        said = decode_at(_message_decoder, raw, where)
        role = next((role for role in _ROLES if role == said.role), None)
        if role is None:
            raise not_among(f"{where}.role", said.role, _ROLES)
        if bytes(said.output_config) not in _ABSENT:
            extras["messages.output_config"] = said.output_config
        if isinstance(said.content, str):
            turns.append(Turn(role, (Text(said.content),)))
            continue
        if role == "assistant":
            parts = read_assistant(said.content, f"{where}.content")
        else:
            parts = _read_parts(said.content, role, f"{where}.content")
        _add(turns, role, parts)
    return tuple(turns)


def _read_parts(raws: list[msgspec.Raw], role: Role, where: str) -> tuple[Part, ...]:
    parts = []
    for at, raw in enumerate(raws):
        path = f"{where}[{at}]"
        kind = block_kind(raw, path)
        if kind not in KINDS_OF_ROLE[role]:
            raise outside(f"{path}.type", kind, KINDS_OF_ROLE[role])
        parts.append(read_block(kind, raw, path))
    return tuple(parts)


def _add(turns: list[Turn], role: Role, parts: tuple[Part, ...]) -> None:
    """Add a message as its turns: results first, with those of the neighbour before."""
    results = tuple(part for part in parts if isinstance(part, ToolResult))
    others = tuple(part for part in parts if not isinstance(part, ToolResult))
    if results and turns and turns[-1].role == "tool":
        turns[-1] = Turn("tool", (*turns[-1].parts, *results))
    elif results:
        turns.append(Turn("tool", results))
    if others:
        turns.append(Turn(role, others))
