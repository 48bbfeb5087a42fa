"""Requests and events of dialects whose events have names, for tests of the scripted upstream."""

import json
from typing import Any, Final

from slipstream.upstream.scripted.server import ScriptedUpstream
from tests.upstream.scripted_raw import Wire, talk

VERSION: Final = ("anthropic-version", "2023-06-01")
WEATHER_SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
CITY: Final = '{"city": "string"}'


async def post(
    upstream: ScriptedUpstream,
    path: str,
    document: object,
    mock: str = "",
    *headers: tuple[str, str],
) -> Wire:
    """Send one request, with a version of Anthropic's API unless it has one."""
    told = (("connection", "close"), *(headers or (VERSION,)))
    return await talk(upstream, document, path=path, mock=mock, headers=told)


def named(wire: Wire) -> list[tuple[str, Any]]:
    """Return the events of a stream: the name, and what is in it."""
    found = []
    for block in wire.body.decode().replace("\r\n", "\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line[:1] not in ("", ":"))
        if "data" in lines:
            found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def names(wire: Wire) -> list[str]:
    """Return the names of the events, repeated ones once."""
    found: list[str] = []
    for name, _ in named(wire):
        if not found or found[-1] != name:
            found.append(name)
    return found


def bytes_of_events(wire: Wire) -> list[bytes]:
    """Return the events as they came, each whole."""
    return [block + b"\n\n" for block in wire.body.split(b"\n\n") if block]
