"""One request for an answer: from its bytes to its frames, and one line about it at the end.

    authenticate → read → scan → serve → first frame → headers → frames → END
                                          ╰─ an error before here is a status with a body,
                                             after here the last event of the stream

An Exchange lives as long as one request. It never touches a provider: it pulls frames.
"""

import asyncio
from time import perf_counter
from typing import NamedTuple

from slipstream.call import Call, Frame, Frames, Meaning, Receipt, Serve, Usage
from slipstream.errors import GatewayError
from slipstream.limits.accounts import Admission
from slipstream.limits.rates import RateLimits, reserved_output_tokens
from slipstream.server.asgi import Header, Receive, Scope, Send, headers_of
from slipstream.server.auth import FindKey, authenticate
from slipstream.server.body import ClientGone, as_json, read_body
from slipstream.server.explain import routing_headers
from slipstream.server.profiles import Door, Profiles
from slipstream.server.protocol import ON_GONE, PING
from slipstream.server.reading import read_call
from slipstream.server.render import send_error
from slipstream.server.reply import JSON, changes_header, receipt_headers
from slipstream.server.summary import Summary

# About four bytes of English or JSON make a token; it is corrected once the answer tells.
_BYTES_PER_TOKEN = 4
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
# Buffering proxies would hold back tokens; caches must not keep answers.
_STREAM_HEADERS = (_EVENTS, (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
KEY_ID = "slipstream.key_id"
"""In the scope of a request from inside: whose it is. What HTTP sends cannot set it."""
_BEHIND = -1  # requests from inside wait for those that somebody waits for
STOPPING = "This gateway is being stopped; send the request again."


class Stopping(GatewayError):
    """The server ends, and has waited for this answer as long as it may."""

    status = 503
    code = "shutting_down"
    retry_after_s = 1.0  # another replica, or this one when it is back


class Terms(NamedTuple):
    """On what terms requests are taken.

    Args:
        find_key: None where no key is asked for.
        max_body_bytes: Bound on a request's body, packed and unpacked.
    """

    find_key: FindKey | None
    profiles: Profiles
    limits: RateLimits
    max_body_bytes: int


class Exchange:
    """Answers one request for an answer of a model, in whatever dialect."""

    __slots__ = (
        "_admission",
        "_door",
        "_first_frame_at_s",
        "_has_ended",
        "_has_started",
        "_headers",
        "_is_gone",
        "_limited",
        "_profile",
        "_receive",
        "_scope",
        "_send",
        "_task",
        "_terms",
        "_usage",
        "begun",
        "call",
        "call_id",
        "error",
        "receipt",
        "started_at_s",
        "status",
    )

    def __init__(
        self,
        door: Door,
        terms: Terms,
        call_id: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self.call_id = call_id
        self.call: Call | None = None
        self.begun: Receipt | None = None  # of the first frame, which tells of the choice
        self.receipt: Receipt | None = None
        self.error: GatewayError | None = None
        self.status = 0  # 0 until headers were sent; stays 0 when the client left before
        self._scope = scope
        self._receive = receive
        self._send = send
        self._door, self._terms = door, terms
        self._headers = headers_of(scope)
        self._profile = terms.profiles.at_door(door, self._headers)  # until the model is known
        self.started_at_s = perf_counter()
        self._first_frame_at_s = 0.0
        self._admission: Admission | None = None
        self._limited: tuple[str, str] | None = None  # key and model, for `standing`
        self._usage: Usage | None = None
        self._has_started = False
        self._has_ended = False
        self._is_gone = False
        self._task = asyncio.current_task()

    async def run(self, serve: Serve) -> None:
        """Answer the request, whatever happens; returns when nothing is left to do."""
        self._scope[ON_GONE] = self._on_gone
        try:
            try:
                call = self.call = await self._read_call()
                await self._relay(serve(call))
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
            self._settle()
            del self._scope[ON_GONE]  # a cycle: the collector would have to find every request

    async def fail(self, error: GatewayError) -> None:
        """End with an error: as a status with a body, or as the last event of a stream.

        A plain answer that has begun is cut instead, and one that has ended stays as it is.
        """
        self.error = error
        if not self._has_started:
            self.status = self._profile.errors.status(error)
            headers = self._limit_headers()
            await send_error(self._send, self.call_id, error, self._profile.errors, *headers)
        elif not self._has_ended and self.call is not None and self.call.is_stream:
            event = error.last_event or self._profile.errors.event(error, self.call_id)
            await self._send({"type": "http.response.body", "body": event, "more_body": False})

    async def _read_call(self) -> Call:
        terms = self._terms
        headers = self._headers
        inside_key = self._scope.get(KEY_ID)
        key_id = inside_key or authenticate(headers, terms.find_key)
        body = await read_body(headers, self._receive, terms.max_body_bytes)
        body = as_json(headers, body, terms.max_body_bytes)
        self._profile = profile = terms.profiles.of_request(body, self._profile)
        priority = 0 if inside_key is None else _BEHIND
        call, scan = read_call(self._door, profile, headers, body, self.call_id, key_id, priority)
        self._limited = (key_id, call.model)
        if terms.limits.is_set:
            self._admission = terms.limits.admit(
                key_id,
                call.model,
                len(call.body) // _BYTES_PER_TOKEN,
                reserved_output_tokens(call.max_output_tokens, scan.num_choices),
            )
        return call

    async def _relay(self, answer: Frames) -> None:
        try:
            async for frame in answer:
                if frame.receipt is not None:
                    self.receipt = frame.receipt
                if frame.usage is not None:
                    self._usage = frame.usage
                is_last = self._has_ended = frame.meaning is Meaning.END
                if is_last:
                    self._settle()  # before the client hears of it, and asks again
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
            self._scope[PING] = self._profile.ping
        else:
            headers += (JSON, (b"content-length", b"%d" % len(frame.data)))
        if (receipt := frame.receipt) is not None:
            self.begun = receipt
            headers += receipt_headers(receipt)
            if receipt.plan is not None:
                headers += routing_headers(receipt.plan, receipt.tried)
        if frame.changes:
            headers.append(changes_header(frame.changes))
        headers += self._profile.answer_headers(self.call_id, frame.receipt)
        headers += self._limit_headers()
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def summary(self) -> Summary:
        """Return what the log and the metrics say of this request, once it is over."""
        now_s = perf_counter()
        first_s = self._first_frame_at_s
        return Summary(
            call_id=self.call_id,
            call=self.call,
            receipt=self.receipt,
            begun=self.begun,
            error=self.error,
            status=self.status,
            is_gone=self._is_gone,
            first_s=first_s - self.started_at_s if first_s else None,
            total_s=now_s - self.started_at_s,
        )

    def _limit_headers(self) -> list[Header]:
        """Tell how far the caller's rate limits are used, once it is known which hold."""
        limits, profile = self._terms.limits, self._profile
        if self._limited is None or not (limits.is_set or profile.tells_all_limits):
            return []
        return limits.standing(*self._limited, profile.tell_limits)

    def _settle(self) -> None:
        """Correct what was taken from the rate limits; what nobody counted stays as estimated."""
        admission, self._admission = self._admission, None
        if admission is None:
            return
        usage = self.receipt.usage if self.receipt is not None else None
        usage = usage or self._usage
        if usage is not None:
            admission.settle(
                usage.total_input_tokens, usage.cache_read_tokens, usage.total_output_tokens
            )
        elif self._has_started:
            admission.keep()
        else:
            admission.cancel()

    def _on_gone(self) -> None:
        if not self._is_gone and self._task is not None:
            self._is_gone = True
            self._task.cancel()
