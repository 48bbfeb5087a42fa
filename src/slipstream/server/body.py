"""Reading a request's body, within its bound."""

from collections.abc import Iterable

from slipstream.errors import BodyTooLarge
from slipstream.server.asgi import Receive


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


async def read_body(
    headers: Iterable[tuple[bytes, bytes]], receive: Receive, max_bytes: int
) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLarge: It is over the bound. As much again was read and thrown away, so that a
            client that sends before it reads gets to see the answer.
        ClientGone: The connection was closed first.
    """
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= max_bytes:
        return body
    return await _read_on(headers, receive, max_bytes, body, message.get("more_body", False))


async def _read_on(
    headers: Iterable[tuple[bytes, bytes]],
    receive: Receive,
    max_bytes: int,
    first: bytes,
    has_more: bool,
) -> bytes:
    whole = bytearray(first)  # a list of pieces may cost a multiple of what they hold
    size = len(first)
    declared = next((int(v) for n, v in headers if n == b"content-length"), 0)
    is_too_large = max(size, declared) > max_bytes
    while has_more and size <= 2 * max_bytes:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        has_more = message.get("more_body", False)
        size += len(part)
        is_too_large = is_too_large or size > max_bytes
        if is_too_large:
            whole.clear()
        else:
            whole += part
    if is_too_large:
        raise BodyTooLarge(
            f"The request body has {max(size, declared)} bytes or more; "
            f"at most {max_bytes} are accepted."
        )
    return bytes(whole)
