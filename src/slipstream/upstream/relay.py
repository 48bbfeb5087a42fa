"""The leaf for models that others run: one HTTP request, its answer's bytes handed on.

Where client and provider speak the same dialect the answer is relayed unchanged and only looked
at from the side; what is sent is relay_bodies.py's. Which provider it is, where it lives and what
its key is come from the operator's configuration; nothing that a client sends can change them.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

import msgspec

from slipstream import __version__
from slipstream.call import (
    Call,
    Deadlines,
    Dialect,
    Frame,
    Frames,
    Secret,
    Serve,
)
from slipstream.catalog.providers import dialect_of, embeddings_of
from slipstream.errors import Broken, Unsupported, UpstreamError
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, encode_head, parse_base_url
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.relay_bodies import Habits, Prepare, bodies_for
from slipstream.upstream.relay_embeddings import relay_embeddings
from slipstream.upstream.relay_reading import Reading, shaping
from slipstream.wire.cerebras.from_openai import CerebrasView, whole_answer
from slipstream.wire.errors_in import read_error, read_retry_after
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one provider is reached and how it differs from the others.

    Args:
        name: The provider's name in routes and reports.
        base_url: Everything before `/chat/completions` and `/embeddings`.
        key: None for an upstream that wants none.
        asks_usage: Its streams report usage only when asked to.
        refused_fields: Request fields to leave out.
        is_reasoning_outside: It counts reasoning beside `completion_tokens`.
        dialect: What its chat endpoint speaks; None for what the row of its name says.
        relaxes_schemas: Keywords that a strict schema cannot have there are left out, and named,
            instead of being refused.
    """

    name: str
    base_url: str
    key: Secret | None = None
    asks_usage: bool = True
    refused_fields: tuple[str, ...] = ()
    is_reasoning_outside: bool = False
    dialect: Dialect | None = None
    relaxes_schemas: bool = False


_PATHS: Final = {
    Dialect.OPENAI_CHAT: b"/chat/completions",
    Dialect.CEREBRAS_CHAT: b"/chat/completions",
    Dialect.CEREBRAS_COMPLETIONS: b"/completions",
}


class ModelEntry(msgspec.Struct):
    """What a provider's list of models says of one, as far as we repeat it."""

    id: str
    created: int | None = None
    owned_by: str | None = None


class _ModelList(msgspec.Struct):
    data: list[ModelEntry]


class _Way(NamedTuple):
    """How the calls of one dialect go to an endpoint of the provider and come back.

    Args:
        is_foreign: A Cerebras client reads the answer of a provider that is none.
    """

    target: bytes
    head: bytes
    prepare: Prepare
    is_foreign: bool


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
        self._models_target = path.encode() + b"/models"
        self._models_head = encode_head(self.origin, b"GET", self._models_target, headers)
        self._leaves: dict[Dialect, Serve] = {
            Dialect.OPENAI_EMBEDDINGS: relay_embeddings(
                embeddings_of(endpoint.name),
                provider=endpoint.name,
                address=address,
                headers=headers,
                client=client,
                failure=self._failure,
            ),
            Dialect.OPENAI_COMPLETIONS: self._refuse_completions,
            Dialect.CEREBRAS_COMPLETIONS: self._refuse_completions,
            **self._ways(path.encode(), headers),
        }

    def __call__(self, call: Call) -> Frames:
        """Send the call to the target of its attempt; yield the answer's frames.

        The first frame tells what of the request the provider got otherwise than the client sent.

        Raises:
            UpstreamError: From the iteration: no answer, an error, a broken or a cut one. The
                connection is closed then, as in every ending before the answer's last byte.
            Unsupported: Likewise: the provider has nothing of this kind; nothing was sent.
            BadRequest: Likewise: no provider would take it.
        """
        return self._leaves[call.dialect](call)

    def _ways(self, path: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> dict[Dialect, Serve]:
        """Return the leaves for what is asked of chat and text completions."""
        endpoint = self._endpoint
        spoken = endpoint.dialect or dialect_of(endpoint.name)
        habits = Habits(endpoint.asks_usage, endpoint.refused_fields, endpoint.relaxes_schemas)
        leaves: dict[Dialect, Serve] = {}
        for dialect, prepare in bodies_for(spoken, habits).items():
            target = path + _PATHS[dialect]
            head = encode_head(self.origin, b"POST", target, headers)
            is_foreign = dialect is Dialect.CEREBRAS_CHAT and spoken is not dialect
            leaves[dialect] = partial(self._relay, _Way(target, head, prepare, is_foreign))
        return leaves

    async def _relay(self, way: _Way, call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        body, changes = way.prepare(call, attempt.target.model)
        request = HttpRequest(
            origin=self.origin, method=b"POST", target=way.target, head=way.head, body=body
        )
        response = await self._client.open(request, attempt.deadlines, attempt.total_deadline_s)
        try:
            if response.status != 200:
                raise await self._failure(response)
            if not call.is_stream:
                yield self._whole(await response.read(), way, changes)
                return
            await _require_event_stream(response)
            reading = self._reading(response, call, way, changes)
            async for data in response.chunks():
                for frame in reading.feed(data):
                    yield frame
                if reading.has_ended:
                    return
            for frame in reading.finish():
                yield frame
        finally:
            response.close()

    def _whole(self, body: bytes, way: _Way, changes: tuple[str, ...]) -> Frame:
        frame = read_answer(body, is_reasoning_outside=self._endpoint.is_reasoning_outside)
        if way.is_foreign:
            frame = whole_answer(frame)
        return msgspec.structs.replace(frame, changes=changes) if changes else frame

    def _reading(
        self, response: HttpResponse, call: Call, way: _Way, changes: tuple[str, ...]
    ) -> Reading:
        stream = AnswerStream(
            wants_usage=call.wants_usage and not way.is_foreign,
            is_reasoning_outside=self._endpoint.is_reasoning_outside,
        )
        return Reading(response, stream, shaping(CerebrasView if way.is_foreign else None, changes))

    async def _refuse_completions(self, call: Call) -> Frames:
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

    async def _failure(self, response: HttpResponse) -> UpstreamError:
        if response.status < 400:
            return Broken(f"the provider answered with status {response.status}")
        wait_s = read_retry_after(dict(response.headers), self._now())
        try:
            body = await response.read()
        except UpstreamError:
            body = b""  # the status has said what matters
        return read_error(response.status, body, retry_after_s=wait_s)


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
