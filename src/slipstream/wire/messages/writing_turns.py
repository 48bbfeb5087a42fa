"""The conversation of a request in Messages.

1. Neighbours of one role are one message; in a user's message results of tools come first.
2. The assistant's message begins with what it thought, if this vendor sealed it; the thoughts of
   other vendors are withheld.
3. Empty texts are left out; of the last message, white space at its end, too.
"""

from collections.abc import Sequence
from typing import Any, Final

from slipstream.wire.messages.marks import mark_fields
from slipstream.wire.messages.names import Changes, name_in
from slipstream.wire.messages.writing_blocks import BlockWriter
from slipstream.wire.messages.writing_options import refused
from slipstream.wire.talk.asking import Asked, Part, Target, Text, Turn

THINKING: Final = ("thinking", "redacted_thinking")
_OPENING: Final = "(The assistant begins.)"  # the first message must be the user's

Message = dict[str, Any]


def split_system(turns: tuple[Turn, ...]) -> tuple[tuple[Part, ...], tuple[Turn, ...]]:
    """Return the parts of the leading system turns, and the other turns."""
    num_leading = next(
        (at for at, turn in enumerate(turns) if turn.role != "system"),
        len(turns),
    )
    parts = tuple(part for turn in turns[:num_leading] for part in turn.parts)
    return parts, turns[num_leading:]


def write_system(parts: Sequence[Part]) -> str | list[dict[str, Any]] | None:
    """Return the system's words: a string if that says it all."""
    blocks = [
        {"type": "text", "text": part.text, **mark_fields(part.cache)}
        for part in parts
        if isinstance(part, Text) and part.text.strip()
    ]
    return _compact(blocks) if blocks else None


def write_messages(
    turns: tuple[Turn, ...], asked: Asked, target: Target, changes: Changes
) -> list[Message]:
    """Return the messages.

    Raises:
        Unsupported: A part cannot be said to this target.
    """
    blocks_of = BlockWriter(asked, target, changes)
    messages: list[Message] = []
    for turn in turns:
        role, blocks = _write_turn(turn, blocks_of, target, changes)
        if turn.name is not None:
            changes.add("messages.name")
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    if not messages:
        return []
    _end(messages, asked, target)
    for message in messages:
        message["content"] = _arrange(message["role"], message["content"])
    if messages[0]["role"] == "assistant":
        changes.add("messages")
        messages.insert(0, {"role": "user", "content": _OPENING})
    return messages


def _write_turn(
    turn: Turn, blocks_of: BlockWriter, target: Target, changes: Changes
) -> tuple[str, list[dict[str, Any]]]:
    if turn.role != "system":
        role = "assistant" if turn.role == "assistant" else "user"
        return role, [block for part in turn.parts for block in blocks_of.write(part)]
    if "messages.system" not in target.refuses:
        return "system", [block for part in turn.parts for block in blocks_of.write(part)]
    changes.add("messages.role", "user")
    texts = (part.text for part in turn.parts if isinstance(part, Text) and part.text.strip())
    return "user", [{"type": "text", "text": f"<system>{text}</system>"} for text in texts]


def _end(messages: list[Message], asked: Asked, target: Target) -> None:
    """See to a last message that the assistant is to go on with."""
    last = messages[-1]
    if last["role"] != "assistant":
        return
    if "prefill" in target.refuses:
        name = name_in(asked.dialect, "messages")
        raise refused(name, "the last message must not be the assistant's")
    block = last["content"][-1]
    if block["type"] == "text":
        block["text"] = block["text"].rstrip()


def _arrange(role: str, blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if role == "user":
        blocks.sort(key=lambda block: block["type"] != "tool_result")
    elif blocks[0]["type"] not in THINKING:
        blocks.sort(key=lambda block: block["type"] not in THINKING)
    return _compact(blocks)


def _compact(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return the text itself where the blocks are no more than one text."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks
