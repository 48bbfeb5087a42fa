"""The leaf for models that others run: one HTTP request, its answer's bytes handed on.

Where client and provider speak the same dialect the answer is relayed unchanged and only looked
at from the side. Which provider it is, where it lives and what its key is come from the operator's
configuration; nothing that a client sends can change them.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from slipstream import __version__
from slipstream.call import (
    Attempt,
    Call,
    Deadlines,
    Dialect,
    Frame,
    Frames,
    Meaning,
    Secret,
    Serve,
)
from slipstream.catalog.providers import embeddings_of
from slipstream.errors import Broken, StreamCut, Unsupported, UpstreamError
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, encode_head, parse_base_url
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.relay_embeddings import relay_embeddings
from slipstream.wire.errors_in import read_error, read_retry_after
from slipstream.wire.openai_chat import patch_request
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer
from slipstream.wire.sse import EventSplitter, EventTooLarge


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one provider is reached and how it differs from the others.

    Args:
        name: The provider's name in routes and reports.
        base_url: Everything before `/chat/completions` and `/embeddings`.
        key: None for an upstream that wants none.
        asks_usage: Its streams report usage only when asked to.
        refused_fields: Request fields to leave out.
        is_reasoning_outside: It counts reasoning beside `completion_tokens`.
    """

    name: str
    base_url: str
    key: Secret | None = None
    asks_usage: bool = True
    refused_fields: tuple[str, ...] = ()
    is_reasoning_outside: bool = False


class ModelEntry(msgspec.Struct):
    """What a provider's list of models says of one, as far as we repeat it."""

    id: str
    created: int | None = None
    owned_by: str | None = None


class _ModelList(msgspec.Struct):
    data: list[ModelEntry]


class Relay:
    """Serves the calls of one provider over a shared HTTP client."""

    def __init__(
        self, endpoint: Endpoint, client: HttpClient, *, now: Callable[[], datetime]
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._now = now
        self.origin, path = address = parse_base_url(endpoint.base_url)
        headers = _constant_headers(endpoint.key)
        self._chat_target = path.encode() + b"/chat/completions"
        self._models_target = path.encode() + b"/models"
        self._chat_head = encode_head(self.origin, b"POST", self._chat_target, headers)
        self._models_head = encode_head(self.origin, b"GET", self._models_target, headers)
        self._leaves: dict[Dialect, Serve] = {
            Dialect.OPENAI_CHAT: self._chat,
            Dialect.OPENAI_EMBEDDINGS: relay_embeddings(
                embeddings_of(endpoint.name),
                provider=endpoint.name,
                address=address,
                headers=headers,
                client=client,
                failure=self._failure,
            ),
            Dialect.OPENAI_COMPLETIONS: self._completions,
        }

    def __call__(self, call: Call) -> Frames:
        """Send the call to the target of its attempt; yield the answer's frames.

        Raises:
            UpstreamError: From the iteration: no answer, an error, a broken or a cut one. The
                connection is closed then, as in every ending before the answer's last byte.
            Unsupported: Likewise: the provider has nothing of this kind.
        """
        return self._leaves[call.dialect](call)

    async def _chat(self, call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        response = await self._client.open(
            self._request(call, attempt), attempt.deadlines, attempt.total_deadline_s
        )
        is_reasoning_outside = self._endpoint.is_reasoning_outside
        try:
            if response.status != 200:
                raise await self._failure(response)
            if not call.is_stream:
                body = await response.read()
                yield read_answer(body, is_reasoning_outside=is_reasoning_outside)
                return
            await _require_event_stream(response)
            reading = _Reading(
                response,
                AnswerStream(
                    wants_usage=call.wants_usage, is_reasoning_outside=is_reasoning_outside
                ),
            )
            async for data in response.chunks():
                for frame in reading.feed(data):
                    yield frame
                if reading.has_ended:
                    return
            for frame in reading.finish():
                yield frame
        finally:
            response.close()

    async def _completions(self, call: Call) -> Frames:
        raise Unsupported(
            f"Text completions are not relayed to '{self._endpoint.name}': send them to a model "
            "that this gateway runs itself, or ask this one at /v1/chat/completions."
        )
        yield  # like every leaf, it refuses when it is iterated

    async def list_models(self, deadlines: Deadlines, total_deadline_s: float) -> list[ModelEntry]:
        """Return the models that the provider lists now.

        Raises:
            UpstreamError: It cannot be reached, refuses, or answers with something else.
        """
        request = HttpRequest(
            origin=self.origin,
            method=b"GET",
            target=self._models_target,
            head=self._models_head,
        )
        response = await self._client.open(request, deadlines, total_deadline_s)
        try:
            if response.status != 200:
                raise await self._failure(response)
            return msgspec.json.decode(await response.read(), type=_ModelList).data
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise Broken(f"the list of models is not in OpenAI's shape: {exc}") from exc
        finally:
            response.close()

    def _request(self, call: Call, attempt: Attempt) -> HttpRequest:
        body = patch_request(
            call.body,
            model=attempt.target.model,
            ask_usage=call.is_stream and self._endpoint.asks_usage and not call.wants_usage,
            drop=self._endpoint.refused_fields,
        )
        return HttpRequest(
            origin=self.origin,
            method=b"POST",
            target=self._chat_target,
            head=self._chat_head,
            body=body,
        )

    async def _failure(self, response: HttpResponse) -> UpstreamError:
        if response.status < 400:
            return Broken(f"the provider answered with status {response.status}")
        wait_s = read_retry_after(dict(response.headers), self._now())
        try:
            body = await response.read()
        except UpstreamError:
            body = b""  # the status has said what matters
        return read_error(response.status, body, retry_after_s=wait_s)


class _Reading:
    """One stream's bytes on their way to frames.

    Tells the response when the answer has begun to say something, since bytes that mean nothing are
    no first token, and when it has been read as far as it matters.
    """

    __slots__ = ("_is_silent", "_response", "_splitter", "_stream", "has_ended")

    def __init__(self, response: HttpResponse, stream: AnswerStream) -> None:
        self._response = response
        self._stream = stream
        self._splitter = EventSplitter()
        self._is_silent = True
        self.has_ended = False
        response.expect_meaning()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that became whole, none after the terminal one."""
        for event in _split(self._splitter, data):
            frame = self._stream.read(event)
            if frame.meaning is Meaning.END:
                self.has_ended = True
                self._response.leave()
                yield frame
                return
            if self._is_silent and frame.meaning is Meaning.CONTENT:
                self._is_silent = False
                self._response.note_meaning()
            yield frame

    def finish(self) -> Iterator[Frame]:
        """Yield what the end of the bytes means.

        Raises:
            StreamCut: It came before the terminal event, or in the middle of one.
        """
        if rest := self._splitter.finish():
            try:
                # With a blank line, or what follows would become a part of this event.
                frame = self._stream.read(rest + b"\n\n")
            except Broken as exc:
                raise StreamCut("the stream ended in the middle of an event") from exc
            yield frame
            if frame.meaning is Meaning.END:
                return
        end = self._stream.end()
        if end is None:
            raise StreamCut("the stream ended before its terminal event")
        yield end


def _constant_headers(key: Secret | None) -> tuple[tuple[bytes, bytes], ...]:
    headers = [
        (b"content-type", b"application/json"),
        (b"accept", b"application/json, text/event-stream"),
        (b"user-agent", f"slipstream/{__version__}".encode()),
    ]
    if key is not None:
        headers.append((b"authorization", b"Bearer " + key.reveal().encode()))
    return tuple(headers)


async def _require_event_stream(response: HttpResponse) -> None:
    """Refuse a 200 that is no stream; it is often an error in disguise."""
    content_type = response.header(b"content-type") or b""
    if content_type.lower().startswith(b"text/event-stream"):
        return
    read_answer(await response.read())  # raises the error that it may be
    raise Broken("the provider answered a streaming request with a plain answer")


def _split(splitter: EventSplitter, data: bytes) -> list[bytes]:
    try:
        return splitter.feed(data)
    except EventTooLarge as exc:
        raise Broken(str(exc)) from exc
