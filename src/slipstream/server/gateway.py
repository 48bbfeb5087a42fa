"""The ASGI application: one dict from (method, path) to what answers it.

Raw ASGI, without a framework: an inference request costs a dict look-up before its own work.
Every endpoint asks for a key but `/health`, `/openapi.json`, and those that Cerebras offers to all.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import count

import msgspec

from slipstream import __version__
from slipstream.call import Serve
from slipstream.errors import GatewayError, Overloaded, UnknownPath, WrongMethod
from slipstream.server.asgi import Header, Receive, Scope, Send, headers_of
from slipstream.server.auth import authenticate
from slipstream.server.exchange import STOPPING, Exchange, Stopping, Terms
from slipstream.server.log import CanonicalLog
from slipstream.server.metrics import Metrics
from slipstream.server.openapi.document import openapi_document
from slipstream.server.paths import Endpoint, Endpoints, Paths
from slipstream.server.profiles import ANTHROPIC, NOT_OFFERED, Door
from slipstream.server.render import send_error
from slipstream.server.reply import JSON, TEXT, send_whole

_logger = logging.getLogger(__name__)

RETRY_AFTER_S = 1.0  # when our own queue is full: requests end within seconds


class NotOffered(GatewayError):
    """A part of Anthropic's API that this gateway does not have."""

    status = 501
    code = "not_supported"
    kind = "invalid_request_error"


class InternalError(GatewayError):
    """A defect of ours; the client learns only the id under which it is logged."""

    code = "internal_error"


class Gateway:
    """Answers HTTP requests.

    Args:
        serve: The stack of layers.
        terms: On which requests are taken.
        doors: What asks a model for something, by path without `/v1`.
        health: For `/health`: what to report beside the status.
        call_prefix: Starts every request id; unique to this process.
        max_concurrent: Bound on answers in progress.
        more: Further endpoints.
    """

    def __init__(
        self,
        serve: Serve,
        terms: Terms,
        doors: Mapping[str, Door],
        *,
        health: Callable[[], dict[str, object]],
        call_prefix: str,
        max_concurrent: int,
        log: CanonicalLog,
        more: Endpoints | None = None,
    ) -> None:
        self._serve = serve
        self._terms = terms
        self._health = health
        self._call_prefix = call_prefix
        self._max_concurrent = max_concurrent
        self._log = log
        self._numbers = count(1)
        self._document: bytes | None = None
        self.metrics = Metrics()
        endpoints: dict[tuple[str, str], Endpoint] = {}
        for path, door in doors.items():
            answer = partial(self._answer, door)
            endpoints |= {("POST", f"/v1{path}"): answer, ("POST", path): answer}
        self.paths = Paths(
            endpoints
            | {
                ("GET", "/v1/tcp_warming"): self._warm,
                ("GET", "/openapi.json"): self._describe,
                ("GET", "/metrics"): self._metrics,
                ("GET", "/health"): self._report_health,
                ("HEAD", "/health"): self._report_health,
                ("GET", "/"): self._greet,
                ("HEAD", "/"): self._greet,
            }
            | dict(more or {})
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the outermost layer, past which no exception goes."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        call_id = f"{self._call_prefix}{next(self._numbers):x}"
        try:
            endpoint = self.paths.find(scope)
            if endpoint is None:
                raise self._unknown(scope)
            await endpoint(call_id, scope, receive, send)
        except GatewayError as error:
            await self._fail(scope, send, call_id, error)
        except asyncio.CancelledError:
            await self._fail(scope, send, call_id, Stopping(STOPPING))
        except Exception:
            defect = _note_defect(call_id)
            with suppress(RuntimeError):  # the answer has begun; uvicorn will cut it
                await self._fail(scope, send, call_id, defect)

    async def _answer(
        self, door: Door, call_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        metrics = self.metrics
        exchange = Exchange(door, self._terms, call_id, scope, receive, send)
        metrics.num_active += 1
        try:
            if metrics.num_active > self._max_concurrent:
                await exchange.fail(_overloaded(self._max_concurrent))
            else:
                await exchange.run(self._serve)
        except Exception:
            await exchange.fail(_note_defect(call_id))
        finally:
            metrics.num_active -= 1
            summary = exchange.summary()
            metrics.count(summary.target_name, summary.status, summary.total_s, summary.receipt)
            if self._log.is_on:
                self._log.write(summary.line())

    async def _warm(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what Cerebras's SDKs ask first, so that a connection is open when it is needed."""
        await _send_json(send, call_id, {"status": "ok"})

    async def _greet(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer who looks whether somebody is here, as Claude Code does."""
        await _send_json(send, call_id, {"name": "slipstream", "version": __version__})

    async def _describe(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._document is None:  # it takes a while, and most never ask
            document = openapi_document(
                self.paths.patterns, title="Slipstream", version=__version__
            )
            self._document = msgspec.json.encode(document)
        await send_whole(send, 200, self._document, [JSON, (b"x-request-id", call_id.encode())])

    async def _metrics(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        authenticate(headers_of(scope), self._terms.find_key)
        await send_whole(send, 200, self.metrics.render(), [TEXT])

    async def _report_health(
        self, call_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        await _send_json(send, call_id, {"status": "ok", **self._health()})

    def _unknown(self, scope: Scope) -> GatewayError:
        """Return the error for what nothing answers."""
        method, path = scope["method"], scope["path"]
        if allowed := self.paths.methods(path):
            return WrongMethod(f"{path} takes {' or '.join(allowed)}, not {method}.")
        profile = self._terms.profiles.at_path(path, headers_of(scope))
        if profile is ANTHROPIC and path.startswith(NOT_OFFERED):
            return NotOffered(f"This gateway does not offer {method} {path}.")
        offered = sorted({p for _, p in self.paths.patterns if p.startswith("/v1/")})
        return UnknownPath(
            f"No endpoint {method} {path}. Offered: {', '.join(offered)}, /health, /metrics."
        )

    async def _fail(self, scope: Scope, send: Send, call_id: str, error: GatewayError) -> None:
        """Answer with an error outside of an Exchange."""
        profile = self._terms.profiles.at_path(scope["path"], headers_of(scope))
        await send_error(send, call_id, error, profile.errors)


async def _send_json(send: Send, call_id: str, body: Mapping[str, object]) -> None:
    headers: list[Header] = [JSON, (b"x-request-id", call_id.encode())]
    await send_whole(send, 200, msgspec.json.encode(body), headers)


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
