"""A request from inside, such as a batch's line: it takes the way that one over HTTP takes.

So it is read, limited, dispatched, metered, logged and told in the same words. Its key was checked
when what it is part of was asked for, and others go before it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from slipstream.server.asgi import Message, Receive, Scope, Send
from slipstream.server.exchange import KEY_ID
from slipstream.server.protocol import ON_GONE

Application = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]


class Told(NamedTuple):
    """The answer to a request from inside."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def ask_inside(gateway: Application, path: str, body: bytes, key_id: str) -> Told:
    """Post a JSON body, for a key; return the whole answer.

    Whoever gives up the wait gives up the request, like a client that leaves.
    """
    sent: list[Message] = []
    unread = [body]

    async def receive() -> Message:
        if not unread:
            await asyncio.Event().wait()  # it stays until it is answered, or cancelled
        return {"type": "http.request", "body": unread.pop(), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        KEY_ID: key_id,
    }
    task = asyncio.ensure_future(gateway(scope, receive, send))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        scope.get(ON_GONE, task.cancel)()
        await asyncio.gather(task, return_exceptions=True)
        raise
    start, *rest = sent
    whole = b"".join(message.get("body", b"") for message in rest)
    return Told(start["status"], dict(start["headers"]), whole)
