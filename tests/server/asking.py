"""A gateway around any `Serve`, and asking it through ASGI itself, without a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from slipstream.call import Call, Frame, Frames, Meaning, Serve
from slipstream.limits.rates import RateLimits
from slipstream.server.asgi import Message
from slipstream.server.auth import FindKey
from slipstream.server.doors import doors_of
from slipstream.server.exchange import Terms
from slipstream.server.gateway import Gateway
from slipstream.server.listen import listen, serving, url_of
from slipstream.server.log import CanonicalLog
from slipstream.server.models import ListModels, ModelEndpoints, ModelList
from slipstream.server.paths import Endpoints
from slipstream.server.profiles import Profiles
from slipstream.wire.cerebras.listing import Listed
from slipstream.wire.cerebras.models import row_for
from slipstream.wire.cerebras.request import RowOf

NO_LIMITS = RateLimits({}, lambda key_id: None, lambda: 0.0)
CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = b'{"choices":[]}'


async def list_nothing() -> ModelList:
    """List no models."""
    return []


def gateway_of(
    serve: Serve,
    *,
    find_key: FindKey | None = None,
    max_concurrent: int = 100,
    max_body_bytes: int = 1_000_000,
    log: CanonicalLog | None = None,
    profiles: Profiles | None = None,
    limits: RateLimits | None = None,
    row_of: RowOf = row_for,
    list_models: ListModels = list_nothing,
    own_models: Sequence[Listed] = (),
    is_public: Callable[[str], bool] = lambda name: True,
    more: Endpoints | None = None,
) -> Gateway:
    """Return a gateway with ordinary settings."""
    terms = Terms(find_key, profiles or Profiles(), limits or NO_LIMITS, max_body_bytes)
    models = ModelEndpoints(list_models, lambda: own_models, terms, is_public)
    return Gateway(
        serve,
        terms,
        doors_of(row_of),
        health=lambda: {"models": {}},
        call_prefix="req-",
        max_concurrent=max_concurrent,
        log=log or CanonicalLog(None, asyncio.get_running_loop().call_later),
        more=models.endpoints() | dict(more or {}),
    )


class Asked:
    """One request to an ASGI application, and what was sent in answer."""

    def __init__(
        self,
        body: bytes | Sequence[bytes] = b"",
        *,
        method: str = "POST",
        path: str = CHAT,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        parts = [body] if isinstance(body, bytes) else list(body)
        self._parts = parts or [b""]
        self.scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "headers": list(headers),
        }
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        """Give the next piece of the body; a disconnect after the last."""
        if not self._parts:
            return {"type": "http.disconnect"}
        part = self._parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts)}

    async def send(self, message: Message) -> None:
        """Take what is sent; as uvicorn does, refuse what is out of order."""
        if self.has_ended:
            raise RuntimeError(f"{message['type']} after the end")
        if (message["type"] == "http.response.start") == bool(self.sent):
            raise RuntimeError(f"{message['type']} out of order")
        self.sent.append(message)

    @property
    def has_ended(self) -> bool:
        """Whether the answer is whole."""
        return bool(self.sent) and self.sent[-1].get("more_body") is False

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The answer's body so far."""
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def error(self) -> dict[str, Any]:
        """The error in the body, or in its last event."""
        last = self.body.removesuffix(b"\n\n").rpartition(b"\n\n")[2]
        found: dict[str, Any] = json.loads(last.removeprefix(b"data: "))["error"]
        return found


async def ask(gateway: Gateway, asked: Asked) -> Asked:
    """Let a gateway answer; return the request with its answer."""
    async with asyncio.timeout(10):
        await gateway(asked.scope, asked.receive, asked.send)
    return asked


def chat(**fields: object) -> bytes:
    """Encode a chat request's body."""
    return json.dumps({**HELLO, **fields}).encode()


def serve_frames(*frames: Frame) -> Serve:
    """Return a `Serve` that answers every call with these frames."""

    async def serve(call: Call) -> Frames:
        for frame in frames:
            yield frame

    return serve


def whole(data: bytes = ANSWER) -> Serve:
    """Return a `Serve` that answers every call with this plain answer."""
    return serve_frames(Frame(data, Meaning.END))


@asynccontextmanager
async def listening(gateway: Gateway, **options: Any) -> AsyncIterator[str]:
    """Serve a gateway on a socket; yield its address."""
    sock = listen("127.0.0.1", 0)
    settings: dict[str, Any] = {"shutdown_s": 0.2, "max_answer_s": 30.0, **options}
    async with serving(gateway, sock, **settings):
        yield url_of(sock)
