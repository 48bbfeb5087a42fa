"""Reading a request's body, within its bound, and unpacking what came packed."""

import zlib
from collections.abc import Mapping
from typing import Final

import msgspec

from slipstream.errors import BadRequest, BodyTooLarge
from slipstream.server.asgi import Receive

_GZIP: Final = 31  # zlib's window bits for it
_JSON_TYPE: Final = b"application/json"
_MSGPACK_TYPES: Final = frozenset(
    {b"application/msgpack", b"application/vnd.msgpack", b"application/x-msgpack"}
)


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, max_bytes: int) -> bytes:
    """Return the whole body.

    Args:
        headers: Of the request, by name in lower case.

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
    headers: Mapping[bytes, bytes],
    receive: Receive,
    max_bytes: int,
    first: bytes,
    has_more: bool,
) -> bytes:
    whole = bytearray(first)  # a list of pieces may cost a multiple of what they hold
    size = len(first)
    declared = int(headers.get(b"content-length", 0))
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


def as_json(headers: Mapping[bytes, bytes], body: bytes, max_bytes: int) -> bytes:
    """Return a body as JSON, whichever of the accepted encodings it came in.

    Args:
        headers: Of the request, by name in lower case.

    Raises:
        BadRequest: It is not what its headers say, or they say what is not accepted.
        BodyTooLarge: Unpacked, it is over the bound.
    """
    if encoding := headers.get(b"content-encoding"):
        body = _unpacked(encoding.strip().lower(), body, max_bytes)
    content_type = headers.get(b"content-type")
    if content_type is None or content_type == _JSON_TYPE:
        return body
    if content_type.partition(b";")[0].strip().lower() not in _MSGPACK_TYPES:
        return body
    try:
        return msgspec.json.encode(msgspec.msgpack.decode(body))
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as exc:
        raise BadRequest("The body is not valid msgpack, which its content-type says.") from exc


def _unpacked(encoding: bytes, body: bytes, max_bytes: int) -> bytes:
    if encoding == b"identity":
        return body
    if encoding not in (b"gzip", b"x-gzip"):
        raise BadRequest(
            f"The content-encoding '{encoding.decode('latin-1')[:40]}' is not accepted: send gzip, "
            "or a body that is not packed."
        )
    whole = bytearray()
    try:
        while body:  # a file of gzip may have several members
            member = zlib.decompressobj(wbits=_GZIP)
            whole += member.decompress(body, max_bytes + 1 - len(whole))
            if len(whole) > max_bytes:
                raise BodyTooLarge(
                    f"The request body has more than {max_bytes} bytes when it is unpacked; "
                    f"at most {max_bytes} are accepted."
                )
            if not member.eof:
                raise BadRequest("The body ends in the middle of its gzip.")
            body = member.unused_data
    except zlib.error as exc:
        raise BadRequest("The body is not valid gzip, which its content-encoding says.") from exc
    return bytes(whole)
