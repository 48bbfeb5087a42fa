"""Items that belong together, joined to turns."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from slipstream.wire.talk.asking import Part, Seal, ToolCall, Turn

_JOINED_ROLES: Final = ("assistant", "tool")


def join_turns(turns: Sequence[Turn]) -> list[Turn]:
    """Make one turn of what leads as the system's, and of neighbours that are one answer."""
    groups: list[tuple[Turn, list[Part]]] = []  # the first of each, and the parts of all
    for turn in turns:
        role = groups[-1][0].role if groups else None
        is_leading = len(groups) == 1 and turn.role == "system"
        if role == turn.role and (turn.role in _JOINED_ROLES or is_leading):
            groups[-1][1].extend(turn.parts)
        else:
            groups.append((turn, list(turn.parts)))
    return [Turn(first.role, tuple(parts), first.name) for first, parts in groups]


def with_seals(turn: Turn, call_seals: Mapping[str, Sequence[Seal]]) -> Turn:
    """Give each call the seals that are its own, by its id."""
    if not call_seals or turn.role != "assistant":
        return turn
    parts: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolCall) and part.call_id in call_seals:
            part = msgspec.structs.replace(part, seals=tuple(call_seals[part.call_id]))
        parts.append(part)
    return Turn(turn.role, tuple(parts))
