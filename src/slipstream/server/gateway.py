"""The ASGI application: one dict from (method, path) to what answers it.

Raw ASGI, without a framework: an inference request costs a dict look-up before its own work.
Every endpoint but `/health` asks for a key.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import count

import msgspec

from slipstream.call import Dialect, Serve
from slipstream.catalog.providers import PROVIDERS
from slipstream.errors import GatewayError, Overloaded, UnknownModel, UnknownPath, WrongMethod
from slipstream.server.asgi import Header, Receive, Scope, Send
from slipstream.server.auth import FindKey, authenticate
from slipstream.server.exchange import STOPPING, Exchange, Ingress, Stopping
from slipstream.server.log import CanonicalLog
from slipstream.server.metrics import Metrics
from slipstream.server.render import error_headers, render_error
from slipstream.server.reply import JSON, TEXT, send_whole
from slipstream.wire.completions_request import scan_completions
from slipstream.wire.embeddings import scan_embeddings
from slipstream.wire.openai_chat import scan_request

_logger = logging.getLogger(__name__)

RETRY_AFTER_S = 1.0  # when our own queue is full: requests end within seconds

ModelList = list[dict[str, object]]
ListModels = Callable[[], Awaitable[ModelList]]
"""Every model that a client may name, in OpenAI's shape."""

_Endpoint = Callable[[str, Scope, Receive, Send], Awaitable[None]]

_EMBEDDINGS = Ingress(
    Dialect.OPENAI_EMBEDDINGS,
    scan_embeddings,
    {
        row.name: row.embeddings.refused_fields
        for row in PROVIDERS
        if row.embeddings is not None and row.embeddings.refused_fields
    },
)

# No provider is sent any, so none leaves fields out.
_COMPLETIONS = Ingress(Dialect.OPENAI_COMPLETIONS, scan_completions, {})

_MODEL_PREFIXES = ("/v1/models/", "/models/")


class InternalError(GatewayError):
    """A defect of ours; the client learns only the id under which it is logged."""

    code = "internal_error"


class Gateway:
    """Answers HTTP requests.

    Args:
        serve: The stack of layers.
        find_key: None where no key is asked for.
        list_models: For `/v1/models`.
        health: For `/health`: what to report beside the status.
        call_prefix: Starts every request id; unique to this process.
        max_body_bytes: Bound on a request's body.
        max_concurrent: Bound on answers in progress.
        refused_fields: Of a chat, by provider; see Ingress.
    """

    def __init__(
        self,
        serve: Serve,
        *,
        find_key: FindKey | None,
        list_models: ListModels,
        health: Callable[[], dict[str, object]],
        call_prefix: str,
        max_body_bytes: int,
        max_concurrent: int,
        log: CanonicalLog,
        refused_fields: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._serve = serve
        self._find_key = find_key
        self._list_models = list_models
        self._health = health
        self._call_prefix = call_prefix
        self._max_body_bytes = max_body_bytes
        self._max_concurrent = max_concurrent
        self._log = log
        self._numbers = count(1)
        self.metrics = Metrics()
        chat = Ingress(Dialect.OPENAI_CHAT, scan_request, refused_fields)
        self._endpoints: dict[tuple[str, str], _Endpoint] = {
            **self._asked_at("/chat/completions", chat),
            **self._asked_at("/completions", _COMPLETIONS),
            **self._asked_at("/embeddings", _EMBEDDINGS),
            ("GET", "/v1/models"): self._models,
            ("GET", "/models"): self._models,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/health"): self._report_health,
            ("HEAD", "/health"): self._report_health,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the outermost layer, past which no exception goes."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        call_id = f"{self._call_prefix}{next(self._numbers):x}"
        endpoint = self._endpoints.get((scope["method"], scope["path"]), self._other)
        try:
            await endpoint(call_id, scope, receive, send)
        except GatewayError as error:
            await _send_error(send, call_id, error)
        except asyncio.CancelledError:
            await _send_error(send, call_id, Stopping(STOPPING))
        except Exception:
            defect = _note_defect(call_id)
            with suppress(RuntimeError):  # the answer has begun; uvicorn will cut it
                await _send_error(send, call_id, defect)

    def _asked_at(self, path: str, ingress: Ingress) -> dict[tuple[str, str], _Endpoint]:
        answer = partial(self._answer, ingress)
        return {("POST", f"/v1{path}"): answer, ("POST", path): answer}

    async def _answer(
        self, ingress: Ingress, call_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        metrics = self.metrics
        exchange = Exchange(ingress, call_id, scope, receive, send)
        metrics.num_active += 1
        try:
            if metrics.num_active > self._max_concurrent:
                await exchange.fail(_overloaded(self._max_concurrent))
            else:
                await exchange.run(self._serve, self._find_key, self._max_body_bytes)
        except Exception:
            await exchange.fail(_note_defect(call_id))
        finally:
            metrics.num_active -= 1
            summary = exchange.summary()
            metrics.count(summary.target_name, summary.status, summary.total_s, summary.receipt)
            if self._log.is_on:
                self._log.write(summary.line())

    async def _models(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        authenticate(scope["headers"], self._find_key)
        body = {"object": "list", "data": await self._list_models()}
        await _send_json(send, call_id, body)

    async def _one_model(self, call_id: str, scope: Scope, send: Send, model_id: str) -> None:
        authenticate(scope["headers"], self._find_key)
        for entry in await self._list_models():
            if entry["id"] == model_id:
                await _send_json(send, call_id, entry)
                return
        error = UnknownModel(f"The model '{model_id}' is not in the list at /v1/models.")
        raise error

    async def _metrics(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        authenticate(scope["headers"], self._find_key)
        await send_whole(send, 200, self.metrics.render(), [TEXT])

    async def _report_health(
        self, call_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        await _send_json(send, call_id, {"status": "ok", **self._health()})

    async def _other(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        for prefix in _MODEL_PREFIXES:
            if method == "GET" and path.startswith(prefix):
                await self._one_model(call_id, scope, send, path[len(prefix) :])
                return
        allowed = sorted({m for m, p in self._endpoints if p == path})
        if allowed:
            raise WrongMethod(f"{path} takes {' or '.join(allowed)}, not {method}.")
        offered = ", ".join(sorted({p for _, p in self._endpoints if p.startswith("/v1/")}))
        raise UnknownPath(f"No endpoint {method} {path}. Offered: {offered}, /health, /metrics.")


async def _send_json(send: Send, call_id: str, body: Mapping[str, object]) -> None:
    headers: list[Header] = [JSON, (b"x-request-id", call_id.encode())]
    await send_whole(send, 200, msgspec.json.encode(body), headers)


async def _send_error(send: Send, call_id: str, error: GatewayError) -> None:
    headers = [JSON, (b"x-request-id", call_id.encode()), *error_headers(error)]
    await send_whole(send, error.status, render_error(error), headers)


def _overloaded(max_concurrent: int) -> Overloaded:
    return Overloaded(
        f"This gateway is answering {max_concurrent} requests, as many as it may.",
        retry_after_s=RETRY_AFTER_S,
    )


def _note_defect(call_id: str) -> GatewayError:
    """Log the exception that is being handled; return what the client learns of it."""
    _logger.exception("defect while answering call=%s", call_id)
    return InternalError(
        f"Slipstream failed in a way that it should not; its log has the details of {call_id}."
    )
