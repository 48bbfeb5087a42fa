"""One request for an answer: from its bytes to its frames, and one line about it at the end.

    authenticate → read → scan → serve → first frame → headers → frames → END
                                          ╰─ an error before here is a status with a body,
                                             after here the last event of the stream

An Exchange lives as long as one request. It never touches a provider: it pulls frames.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import NamedTuple

from slipstream.call import Call, Dialect, Frame, Frames, Meaning, Receipt, Serve
from slipstream.errors import GatewayError
from slipstream.server.asgi import Header, Receive, Scope, Send
from slipstream.server.auth import FindKey, authenticate
from slipstream.server.body import ClientGone, read_body
from slipstream.server.protocol import ON_GONE
from slipstream.server.render import error_headers, render_error, render_error_event
from slipstream.server.reply import JSON, receipt_headers, send_whole
from slipstream.server.summary import Summary
from slipstream.wire.openai_chat import Scan, fields_among

_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
# Buffering proxies would hold back tokens; caches must not keep answers.
_STREAM_HEADERS = (_EVENTS, (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
STOPPING = "This gateway is being stopped; send the request again."


class Stopping(GatewayError):
    """The server ends, and has waited for this answer as long as it may."""

    status = 503
    code = "shutting_down"
    retry_after_s = 1.0  # another replica, or this one when it is back


class Ingress(NamedTuple):
    """What requests at one path are.

    Args:
        scan: Reads what routing needs; raises BadRequest.
        refused_fields: Of each provider that refuses any, so that an answer can say which of the
            request's fields were left out.
    """

    dialect: Dialect
    scan: Callable[[bytes], Scan]
    refused_fields: Mapping[str, tuple[str, ...]]


class Exchange:
    """Answers one request for an answer of a model, in whatever dialect."""

    __slots__ = (
        "_first_frame_at_s",
        "_has_ended",
        "_has_started",
        "_ingress",
        "_is_gone",
        "_receive",
        "_scope",
        "_send",
        "_task",
        "call",
        "call_id",
        "error",
        "receipt",
        "started_at_s",
        "status",
    )

    def __init__(
        self,
        ingress: Ingress,
        call_id: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.call_id = call_id
        self.call: Call | None = None
        self.receipt: Receipt | None = None
        self.error: GatewayError | None = None
        self.status = 0  # 0 until headers were sent; stays 0 when the client left before
        self._scope = scope
        self._receive = receive
        self._send = send
        self._ingress = ingress
        self.started_at_s = perf_counter()
        self._first_frame_at_s = 0.0
        self._has_started = False
        self._has_ended = False
        self._is_gone = False
        self._task = asyncio.current_task()

    async def run(self, serve: Serve, find_key: FindKey | None, max_body_bytes: int) -> None:
        """Answer the request, whatever happens; returns when nothing is left to do."""
        self._scope[ON_GONE] = self._on_gone
        try:
            try:
                self.call = await self._read_call(find_key, max_body_bytes)
                await self._relay(serve(self.call))
            except GatewayError as error:
                await self.fail(error)
        except ClientGone:
            self._is_gone = True
        except asyncio.CancelledError:
            if self._task is not None:
                self._task.uncancel()
            if not self._is_gone:
                await self.fail(Stopping(STOPPING))
        finally:
            del self._scope[ON_GONE]  # a cycle: the collector would have to find every request

    async def fail(self, error: GatewayError) -> None:
        """End with an error: as a status with a body, or as the last event of a stream.

        A plain answer that has begun is cut instead, and one that has ended stays as it is.
        """
        self.error = error
        if not self._has_started:
            self.status = error.status
            headers = [(b"x-request-id", self.call_id.encode()), JSON, *error_headers(error)]
            await send_whole(self._send, error.status, render_error(error), headers)
        elif not self._has_ended and self.call is not None and self.call.is_stream:
            event = render_error_event(error)
            await self._send({"type": "http.response.body", "body": event, "more_body": False})

    async def _read_call(self, find_key: FindKey | None, max_body_bytes: int) -> Call:
        headers = self._scope["headers"]
        key_id = authenticate(headers, find_key)
        body = await read_body(headers, self._receive, max_body_bytes)
        ingress = self._ingress
        scan = ingress.scan(body)
        return Call(
            call_id=self.call_id,
            dialect=ingress.dialect,
            body=body,
            model=scan.model,
            key_id=key_id,
            is_stream=scan.is_stream,
            wants_usage=scan.wants_usage,
            max_output_tokens=scan.max_output_tokens,
        )

    async def _relay(self, answer: Frames) -> None:
        try:
            async for frame in answer:
                if frame.receipt is not None:
                    self.receipt = frame.receipt
                is_last = self._has_ended = frame.meaning is Meaning.END
                if not self._has_started:
                    await self._start(frame)
                if frame.meaning is not Meaning.WITHHELD:
                    await self._send(
                        {
                            "type": "http.response.body",
                            "body": frame.data,
                            "more_body": not is_last,
                        }
                    )
        finally:
            await answer.aclose()

    async def _start(self, frame: Frame) -> None:
        """Send status and headers; the first frame is at hand, so they may tell of it."""
        self._first_frame_at_s = perf_counter()
        self._has_started = True
        self.status = 200
        headers: list[Header] = [(b"x-request-id", self.call_id.encode())]
        if self.call is not None and self.call.is_stream:
            headers += _STREAM_HEADERS
        else:
            headers += (JSON, (b"content-length", b"%d" % len(frame.data)))
        if frame.receipt is not None:
            headers += receipt_headers(frame.receipt)
            headers += self._dropped_headers(frame.receipt)
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def summary(self) -> Summary:
        """Return what the log and the metrics say of this request, once it is over."""
        now_s = perf_counter()
        first_s = self._first_frame_at_s
        return Summary(
            call_id=self.call_id,
            call=self.call,
            receipt=self.receipt,
            error=self.error,
            status=self.status,
            is_gone=self._is_gone,
            first_s=first_s - self.started_at_s if first_s else None,
            total_s=now_s - self.started_at_s,
        )

    def _dropped_headers(self, receipt: Receipt) -> list[Header]:
        """Name the fields that the request had and its target did not get."""
        refused = self._ingress.refused_fields.get(receipt.target.provider)
        if not refused or self.call is None:
            return []
        dropped = fields_among(self.call.body, refused)
        return [(b"x-slipstream-dropped", ", ".join(dropped).encode())] if dropped else []

    def _on_gone(self) -> None:
        if not self._is_gone and self._task is not None:
            self._is_gone = True
            self._task.cancel()
