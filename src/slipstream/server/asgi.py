"""The names of the ASGI interface that this folder speaks.

Source: ASGI 3.0, HTTP and WebSocket specification, version 2.5.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Header = tuple[bytes, bytes]
"""Name in lower case, and value."""


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return a request's headers by name in lower case; of one that came twice, the first."""
    return dict(reversed(scope["headers"]))
