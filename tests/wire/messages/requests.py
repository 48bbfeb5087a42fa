"""Requests that the tests of Messages share."""

from typing import Any

import msgspec

from slipstream.wire.messages.reading import read_asked
from slipstream.wire.messages.writing import write_asked
from slipstream.wire.talk.asking import Asked, Part, Target, Text, Turn

CLAUDE = Target(vendor="anthropic", model="claude-opus-5-5", max_output_tokens=128_000)


def read(**fields: Any) -> Asked:
    """Return what a client asks with these fields."""
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    return read_asked(msgspec.json.encode(body | fields))


def read_block(block: dict[str, Any], role: str = "user") -> Part:
    """Return the part that a block is."""
    asked = read(messages=[{"role": role, "content": [block]}])
    (turn,) = asked.turns
    (part,) = turn.parts
    return part


def asking(**fields: Any) -> Asked:
    """Return what a client of Chat asks."""
    turns = (Turn("user", (Text("hi"),)),)
    return Asked(**{"dialect": "openai_chat", "model": "m", "turns": turns} | fields)


def write(asked: Asked, target: Target = CLAUDE) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the body that is sent, and what was changed."""
    written = write_asked(asked, target)
    body: dict[str, Any] = msgspec.json.decode(written.body)
    return body, written.changes


def targeting(*refuses: str, **fields: Any) -> Target:
    """Return a model of Anthropic's that refuses these fields."""
    return msgspec.structs.replace(CLAUDE, refuses=frozenset(refuses), **fields)
