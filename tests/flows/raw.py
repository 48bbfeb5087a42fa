"""Raw HTTP requests over a socket, for what no SDK would send or do."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    """A whole answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON."""
        return json.loads(self.body)


def encode(method: str, path: str, key: str | None, body: bytes, *, close: bool = True) -> bytes:
    """Encode a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: test", f"content-length: {len(body)}"]
    if key is not None:
        lines.append(f"authorization: Bearer {key}")
    if close:
        lines.append("connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to a gateway."""
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port, limit=2**24)


async def ask(url: str, data: bytes, *, timeout_s: float = 20.0) -> Answer:
    """Send bytes and read the answer until the connection closes."""
    reader, writer = await connect(url)
    try:
        writer.write(data)
        whole = await asyncio.wait_for(reader.read(-1), timeout_s)
    finally:
        writer.close()
        await writer.wait_closed()
    return decode(whole)


def decode(whole: bytes) -> Answer:
    """Parse one answer, with its chunks joined."""
    head, _, body = whole.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        body = join_chunks(body)
    return Answer(int(lines[0].split()[1]), headers, body)


def join_chunks(data: bytes) -> bytes:
    """Return the content of a chunked body, whole or cut."""
    parts: list[bytes] = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            break
        parts.append(rest[:length])
        data = rest[length + 2 :]
    return b"".join(parts)


async def read_one(
    reader: asyncio.StreamReader, *, has_body: bool = True, timeout_s: float = 10.0
) -> Answer:
    """Read one answer off a connection that stays open; a chunked one to its last chunk."""
    async with asyncio.timeout(timeout_s):
        head = await reader.readuntil(b"\r\n\r\n")
        answer = decode(head)
        if not has_body:
            return answer
        if "content-length" in answer.headers:
            answer.body = await reader.readexactly(int(answer.headers["content-length"]))
        elif "transfer-encoding" in answer.headers:
            answer.body = join_chunks(await reader.readuntil(b"\r\n0\r\n\r\n"))
        return answer
