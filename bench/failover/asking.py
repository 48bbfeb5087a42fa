"""A client that asks in several dialects, plain and streaming, and checks what it is told.

It keeps its connection, never retries, and counts as failed whatever is not the whole right answer.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

_LIMIT_S = 60.0
_HEAD_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one request; times are of the monotonic clock.

    Args:
        failure: Empty if the whole right answer came.
        text: What was said; of an answer that failed, what came before it broke off.
        first_s: When the first byte of the body came; None if none did.
    """

    failure: str
    began_s: float
    first_s: float | None
    ended_s: float
    headers: Mapping[str, str]
    text: str = ""

    @property
    def took_s(self) -> float:
        """From the request to the end of its answer."""
        return self.ended_s - self.began_s


@dataclass(frozen=True, slots=True)
class Way:
    """One dialect of clients.

    Args:
        body: The request that says a text.
        said: The text of a plain answer.
        piece: The text that one event of a stream adds; None: the event adds none.
        is_last: Whether an event is the terminal one.
    """

    path: str
    body: Callable[[str], dict[str, object]]
    said: Callable[[Any], str]
    piece: Callable[[Any], str | None]
    is_last: Callable[[Any], bool]


def _turns(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _chat_piece(event: Any) -> str | None:
    choices = event.get("choices") if isinstance(event, dict) else None
    return choices[0]["delta"].get("content") if choices else None


def _messages_piece(event: Any) -> str | None:
    return event["delta"].get("text") if event.get("type") == "content_block_delta" else None


def _responses_piece(event: Any) -> str | None:
    is_text = event.get("type") == "response.output_text.delta"
    return str(event["delta"]) if is_text else None


def _responses_said(answer: Any) -> str:
    parts = [part for item in answer["output"] for part in item.get("content") or []]
    return "".join(part.get("text", "") for part in parts)


DONE: Final = "[DONE]"
WAYS: Mapping[str, Way] = {
    "chat": Way(
        "/v1/chat/completions",
        lambda text: {"messages": _turns(text)},
        lambda answer: str(answer["choices"][0]["message"]["content"]),
        _chat_piece,
        lambda event: event == DONE,
    ),
    "messages": Way(
        "/v1/messages",
        lambda text: {"messages": _turns(text), "max_tokens": 256},
        lambda answer: "".join(block.get("text", "") for block in answer["content"]),
        _messages_piece,
        lambda event: event.get("type") == "message_stop",
    ),
    "responses": Way(
        "/v1/responses",
        lambda text: {"input": text, "store": False},
        _responses_said,
        _responses_piece,
        lambda event: event.get("type") == "response.completed",
    ),
    "completions": Way(
        "/v1/completions",
        lambda text: {"prompt": text, "max_tokens": 256},
        lambda answer: str(answer["choices"][0]["text"]),
        lambda event: event["choices"][0]["text"] if event != DONE and event["choices"] else None,
        lambda event: event == DONE,
    ),
}


class Client:
    """One connection to a gateway, opened again when it was closed."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, way: Way, model: str, text: str, *, is_stream: bool, more: Mapping[str, object] = {}
    ) -> Told:
        """Ask for a text to be said again; tell whether it was."""
        asked = {"model": model, **way.body(text), **more}
        if is_stream:
            asked["stream"] = True
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(_LIMIT_S):
                status, headers, body, first_s = await self._exchange(way.path, asked)
        except (OSError, EOFError, TimeoutError, ValueError) as exc:
            await self.close()
            return Told(f"{type(exc).__name__}: {exc}", began_s, None, time.monotonic(), {})
        ended_s = time.monotonic()
        failure, said = f"{status}: {body[:200].decode(errors='replace')}", ""
        if status == 200:
            try:
                failure, said = _judge(way, body, is_stream)
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as exc:
                failure = f"{type(exc).__name__}: {exc} in {body[:200]!r}"
            if not failure and said.strip() != text:
                failure, said = f"another answer: {said[:100]!r}", ""
        return Told(failure, began_s, first_s, ended_s, headers, said)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):  # it may have been reset
                await streams[1].wait_closed()

    async def _exchange(
        self, path: str, asked: object
    ) -> tuple[int, Mapping[str, str], bytes, float | None]:
        if self._streams is None:
            host, port = self._address
            self._streams = await asyncio.open_connection(host, port, limit=_HEAD_BYTES)
        reader, writer = self._streams
        data = json.dumps(asked).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {self._key}\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        writer.write(head.encode() + data)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
        }
        body, first_s = await _read_body(reader, headers)
        if headers.get("connection") == "close":
            await self.close()
        return int(lines[0].split()[1]), headers, body, first_s


async def _read_body(
    reader: asyncio.StreamReader, headers: Mapping[str, str]
) -> tuple[bytes, float | None]:
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
        return body, time.monotonic() if body else None
    parts: list[bytes] = []
    first_s = None
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        data = await reader.readexactly(size + 2)
        if size == 0:
            return b"".join(parts), first_s
        if first_s is None:
            first_s = time.monotonic()
        parts.append(data[:-2])


def _judge(way: Way, body: bytes, is_stream: bool) -> tuple[str, str]:
    """Return what is wrong with an answer, or nothing, and its text."""
    if not is_stream:
        return "", way.said(json.loads(body))
    text, is_whole = "", False
    for event in read_events(body):
        if is_whole:
            return f"an event after the last one: {event}", text
        if isinstance(event, dict) and (event.get("error") or event.get("type") == "error"):
            return f"an error event: {event}", text
        is_whole = way.is_last(event)
        if not is_whole:
            text += way.piece(event) or ""
    return "" if is_whole else "no terminal event", text


def read_events(body: bytes) -> list[Any]:
    """Return the data of the events of a stream."""
    told = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
    return [DONE if data == DONE.encode() else json.loads(data) for data in told]
