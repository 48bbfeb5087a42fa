"""A raw HTTP client for tests of the scripted upstream: it sees every byte and how it ended."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from slipstream.upstream.scripted.server import ScriptedUpstream

DEADLINE_S = 10.0
QUIET_S = 0.1
CHAT = "/v1/chat/completions"


@dataclass
class Wire:
    """What came over one connection: the bytes, as they were read, and the end of it."""

    reads: list[bytes] = field(default_factory=list)
    end: Literal["eof", "reset", "quiet", "late"] = "eof"

    @property
    def data(self) -> bytes:
        return b"".join(self.reads)

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0]

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)

    @property
    def raw_body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def body(self) -> bytes:
        is_chunked = self.headers.get("transfer-encoding") == "chunked"
        return b"".join(chunks(self.raw_body)) if is_chunked else self.raw_body

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        """The data of the events; comments are left out."""
        text = self.body.decode().replace("\r\n", "\n")
        blocks = [block for block in text.split("\n\n") if not block.startswith(":")]
        return [block.removeprefix("data: ") for block in blocks if block]

    @property
    def words(self) -> str:
        """The text of a stream, put together."""
        documents = [json.loads(event) for event in self.events if event != "[DONE]"]
        deltas = [d["choices"][0]["delta"] for d in documents if d.get("choices")]
        return "".join(delta.get("content") or "" for delta in deltas)


def chunks(raw: bytes) -> list[bytes]:
    """Take HTTP chunks apart; what follows a cut is left out."""
    found = []
    start = 0
    while (end := raw.find(b"\r\n", start)) >= 0:
        size = int(raw[start:end], 16)
        if size == 0:
            break
        found.append(raw[end + 2 : end + 2 + size])
        start = end + 2 + size + 2
    return found


def chat(content: str = "one two three", **fields: Any) -> dict[str, Any]:
    """Make the smallest chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": content}], **fields}


def request_bytes(
    document: object,
    *,
    mock: str = "",
    method: str = "POST",
    path: str = CHAT,
    headers: Sequence[tuple[str, str]] = (("connection", "close"),),
    version: str = "1.1",
) -> bytes:
    """Write one HTTP request; without a document it has no body."""
    body = b"" if document is None else json.dumps(document).encode()
    lines = [f"{method} {path} HTTP/{version}", "host: test", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"x-mock: {mock}"] if mock else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def connect(
    origin: str, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to an origin such as http://127.0.0.1:8090."""
    host, port = origin.rpartition("/")[2].rsplit(":", 1)
    opening = asyncio.open_connection(host, int(port), ssl=tls)
    return await asyncio.wait_for(opening, DEADLINE_S)


async def read_all(reader: asyncio.StreamReader, until: bytes | None = None) -> Wire:
    """Read until the connection ends; or, after `until` was read, for a moment more.

    That moment can only miss what comes too late: it never makes a slow machine fail.
    """
    wire = Wire()
    while True:
        has_come = until is not None and until in wire.data
        try:
            data = await asyncio.wait_for(reader.read(65536), QUIET_S if has_come else DEADLINE_S)
        except TimeoutError:
            wire.end = "quiet" if has_come else "late"
            return wire
        except ConnectionResetError:
            wire.end = "reset"
            return wire
        if not data:
            return wire
        wire.reads.append(data)


async def close(writer: asyncio.StreamWriter) -> None:
    """Close, whatever became of the connection."""
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), DEADLINE_S)
    except (ConnectionError, ssl.SSLError):
        return


async def talk(
    upstream: ScriptedUpstream | str,
    document: object,
    *,
    until: bytes | None = None,
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> Wire:
    """Send one request on a connection of its own and read until it ends."""
    origin = upstream if isinstance(upstream, str) else upstream.origin
    reader, writer = await connect(origin, tls)
    try:
        writer.write(request_bytes(document, **options))
        return await read_all(reader, until)
    finally:
        await close(writer)


async def control(
    origin: str, method: str, path: str, document: Mapping[str, object] | None = None
) -> Any:
    """Speak to the control API."""
    wire = await talk(origin, document, method=method, path=path)
    return wire.document
