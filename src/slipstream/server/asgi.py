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
