"""One request for an answer: from its bytes to its frames, and one line about it at the end.

    authenticate → read → scan → serve → first frame → headers → frames → END
                                          ╰─ an error before here is a status with a body,
                                             after here the last event of the stream

An Exchange lives as long as one request. It never touches a provider: it pulls frames.
"""

import asyncio
from time import perf_counter

from slipstream.call import Call, Dialect, Frame, Frames, Meaning, Receipt, Serve
from slipstream.errors import GatewayError
from slipstream.server.asgi import Header, Receive, Scope, Send
from slipstream.server.auth import FindKey, authenticate
from slipstream.server.body import ClientGone, read_body
from slipstream.server.protocol import ON_GONE
from slipstream.server.render import error_headers, render_error, render_error_event
from slipstream.server.reply import JSON, receipt_headers, send_whole
from slipstream.server.summary import Summary
from slipstream.wire.openai_chat import scan_request

_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
# Buffering proxies would hold back tokens; caches must not keep answers.
_STREAM_HEADERS = (_EVENTS, (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


class Exchange:
    """Answers one `POST /v1/chat/completions`."""

    __slots__ = (
        "_first_frame_at_s",
        "_has_started",
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

    def __init__(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.call_id = call_id
        self.call: Call | None = None
        self.receipt: Receipt | None = None
        self.error: GatewayError | None = None
        self.status = 0  # 0 until headers were sent; stays 0 when the client left before
        self._scope = scope
        self._receive = receive
        self._send = send
        self.started_at_s = perf_counter()
        self._first_frame_at_s = 0.0
        self._has_started = False
        self._is_gone = False
        self._task = asyncio.current_task()

    async def run(self, serve: Serve, find_key: FindKey | None, max_body_bytes: int) -> None:
        """Answer the request, whatever happens; returns when nothing is left to do."""
        self._scope[ON_GONE] = self._on_gone
        try:
            self.call = await self._read_call(find_key, max_body_bytes)
            await self._relay(serve(self.call))
        except GatewayError as error:
            self.error = error
            await self._send_error(error)
        except ClientGone:
            self._is_gone = True
        except asyncio.CancelledError:
            if not self._is_gone:
                raise
            if self._task is not None:
                self._task.uncancel()
        finally:
            del self._scope[ON_GONE]  # a cycle: the collector would have to find every request

    async def _read_call(self, find_key: FindKey | None, max_body_bytes: int) -> Call:
        headers = self._scope["headers"]
        key_id = authenticate(headers, find_key)
        body = await read_body(headers, self._receive, max_body_bytes)
        scan = scan_request(body)
        return Call(
            call_id=self.call_id,
            dialect=Dialect.OPENAI_CHAT,
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
                is_last = frame.meaning is Meaning.END
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
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _send_error(self, error: GatewayError) -> None:
        if self._has_started:
            event = render_error_event(error)
            await self._send({"type": "http.response.body", "body": event, "more_body": False})
            return
        self.status = error.status
        headers = [(b"x-request-id", self.call_id.encode()), JSON, *error_headers(error)]
        await send_whole(self._send, error.status, render_error(error), headers)

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

    def end_overdue(self) -> None:
        """End the exchange: its client neither reads nor leaves."""
        self._on_gone()

    def _on_gone(self) -> None:
        self._is_gone = True
        if self._task is not None:
            self._task.cancel()
