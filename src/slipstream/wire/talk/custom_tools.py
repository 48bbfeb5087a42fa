"""Tools that take text, for dialects whose tools take JSON only: functions of one string.

A writer offers the function; an answer reader that is told the names turns its calls back.
"""

from typing import Any, Final

import msgspec

from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.means import Tool

_FIELD: Final = "input"
SCHEMA: Final = (
    '{"type":"object","properties":{"input":{"type":"string"}},'
    '"required":["input"],"additionalProperties":false}'
)
_encode: Final = msgspec.json.Encoder().encode


def custom_names(asked: Asked) -> frozenset[str]:
    """Return the names of the tools that take text."""
    return frozenset(tool.name for tool in asked.tools if tool.custom_format is not None)


def as_function(tool: Tool) -> Tool:
    """Return a tool that takes text as a function; its grammar is told in the description."""
    if tool.custom_format is None:
        return tool
    told = tool.description or ""
    if tool.custom_format and '"grammar"' in tool.custom_format:
        told = f"{told}\n\nThe input must follow this grammar: {tool.custom_format}".strip()
    return Tool(name=tool.name, description=told or None, schema=SCHEMA, cache=tool.cache)


def as_arguments(text: str) -> str:
    """Return what a tool was given as text as the arguments of its function."""
    return _encode({_FIELD: text}).decode()


def as_input(arguments: str) -> str:
    """Return the text that a function's arguments hold; the arguments where they hold none."""
    try:
        said: Any = msgspec.json.decode(arguments)
    except UNREADABLE:
        return arguments
    held = said.get(_FIELD) if isinstance(said, dict) else None
    return held if isinstance(held, str) else arguments
