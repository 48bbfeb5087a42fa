"""The leaf for models that others run: one HTTP request, its answer's bytes handed on.

Where client and provider speak the same dialect the answer is relayed unchanged and only looked
at from the side; what is sent is relay_bodies.py's. Where they do not, translate.py serves. Which
provider it is, where it lives and what its key is come from the operator's configuration; nothing
that a client sends can change them.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, Protocol

import msgspec

from slipstream.call import Call, Deadlines, Dialect, Frame, Frames, Secret, Serve
from slipstream.catalog.providers import Spoken, base_path_of, embeddings_of, spoken_by
from slipstream.errors import Broken, Unsupported, UpstreamError
from slipstream.upstream.hearing import CLIENTS
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, encode_head, parse_base_url
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.lines import Line, headers_of, line_of
from slipstream.upstream.relay_bodies import Habits, Prepare, bodies_for
from slipstream.upstream.relay_embeddings import relay_embeddings
from slipstream.upstream.relay_reading import Reading, shaping
from slipstream.upstream.relay_scan import ScannedStream
from slipstream.upstream.translate import Peer, Reader, Translation
from slipstream.wire.cerebras.from_openai import CerebrasView, whole_answer
from slipstream.wire.errors_in import read_error, read_retry_after
from slipstream.wire.gemini import errors_in as gemini_errors
from slipstream.wire.messages import answers_in as messages_in
from slipstream.wire.messages import errors_in as messages_errors
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer
from slipstream.wire.responses import answers_in as responses_in
from slipstream.wire.responses import errors_in as responses_errors


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one provider is reached and how it differs from the others.

    Args:
        name: The provider's name in routes and reports.
        base_url: Everything before `/chat/completions` and `/embeddings`.
        key: None for an upstream that wants none.
        asks_usage: Its streams report usage only when asked to.
        refused_fields: Request fields to leave out.
        is_reasoning_outside: It counts reasoning beside `completion_tokens`.
        dialect: What it speaks; None for what the row of its name says.
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


class _ReadFailure(Protocol):
    def __call__(
        self, status: int, body: bytes, *, retry_after_s: float | None
    ) -> UpstreamError: ...


_FAILURES: Final[dict[Dialect, _ReadFailure]] = {
    Dialect.ANTHROPIC_MESSAGES: messages_errors.read_failure,
    Dialect.OPENAI_RESPONSES: responses_errors.read_failure,
    Dialect.GEMINI: gemini_errors.read_failure,
}
# Who looks at an answer from the side, and which events need no look.
_READERS: Final[dict[Dialect, tuple[Callable[..., Reader], tuple[bytes, ...]]]] = {
    Dialect.ANTHROPIC_MESSAGES: (
        messages_in.AnswerReader,
        (b"event: content_block_delta\ndata: {",),
    ),
    Dialect.OPENAI_RESPONSES: (
        responses_in.AnswerReader,
        (
            b"event: response.output_text.delta\ndata: {",
            b"event: response.function_call_arguments.delta\ndata: {",
            b"event: response.reasoning_summary_text.delta\ndata: {",
        ),
    ),
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
        scan: Begins to look at an answer of a dialect other than chat.
    """

    line: Line
    prepare: Prepare
    is_foreign: bool = False
    scan: Callable[[], ScannedStream] | None = None


class Relay:
    """Serves the calls of one provider over a shared HTTP client."""

    def __init__(
        self, endpoint: Endpoint, client: HttpClient, *, now: Callable[[], datetime]
    ) -> None:
        def wall_s() -> float:
            return now().timestamp()

        self._endpoint = endpoint
        self._client = client
        self._now = now
        self.origin, path = address = parse_base_url(endpoint.base_url)
        spoken = spoken_by(endpoint.name, endpoint.dialect)
        plain = headers_of(Spoken(dialect=Dialect.OPENAI_CHAT), endpoint.key)
        self._models_target = path.encode() + b"/models"
        is_at_base = base_path_of(endpoint.name, spoken[0], path) == path
        models_headers = headers_of(spoken[0], endpoint.key) if is_at_base else plain
        self._models_head = encode_head(self.origin, b"GET", self._models_target, models_headers)
        lines = [
            line_of(one, self.origin, base_path_of(endpoint.name, one, path), endpoint.key)
            for one in spoken
        ]
        translation = Translation(
            lines,
            Peer(endpoint.name, endpoint.is_reasoning_outside, endpoint.relaxes_schemas),
            client,
            failure=self._failure,
            wall_s=wall_s,
        )
        self._leaves: dict[Dialect, Serve] = {
            Dialect.OPENAI_EMBEDDINGS: relay_embeddings(
                embeddings_of(endpoint.name),
                provider=endpoint.name,
                address=address,
                headers=plain,
                client=client,
                failure=self._failure,
            ),
            Dialect.OPENAI_COMPLETIONS: self._refuse_completions,
            Dialect.CEREBRAS_COMPLETIONS: self._refuse_completions,
            **dict.fromkeys(CLIENTS, translation),
            **self._ways(lines),
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

    def _ways(self, lines: Sequence[Line]) -> dict[Dialect, Serve]:
        """Return the leaves for calls whose bytes are relayed."""
        endpoint = self._endpoint
        habits = Habits(endpoint.asks_usage, endpoint.refused_fields, endpoint.relaxes_schemas)
        leaves: dict[Dialect, Serve] = {}
        for line in lines:
            for dialect, prepare in bodies_for(line.dialect, habits).items():
                leaves[dialect] = partial(self._relay, self._way(line, dialect, prepare))
        return leaves

    def _way(self, line: Line, dialect: Dialect, prepare: Prepare) -> _Way:
        if dialect in _READERS:
            (reader, ordinary), vendor = _READERS[dialect], self._endpoint.name
            return _Way(line, prepare, scan=lambda: ScannedStream(reader(vendor=vendor), ordinary))
        if dialect is Dialect.CEREBRAS_COMPLETIONS:
            spoken = Spoken(dialect=dialect)
            base = line.target("", False).decode().removesuffix("/chat/completions")
            line = line_of(spoken, self.origin, base, self._endpoint.key)
        is_foreign = dialect is Dialect.CEREBRAS_CHAT and line.dialect is not dialect
        return _Way(line, prepare, is_foreign)

    async def _relay(self, way: _Way, call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        body, changes = way.prepare(call, attempt.target.model)
        request = way.line.request(
            attempt.target.model, body, is_stream=call.is_stream, more=call.headers
        )
        response = await self._client.open(request, attempt.deadlines, attempt.total_deadline_s)
        try:
            if response.status != 200:
                raise await self._failure(response, way.line.dialect)
            if not call.is_stream:
                yield self._whole(await response.read(), way, changes)
                return
            await self._require_event_stream(response, way)
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
        frame = self._read_whole(body, way)
        if way.is_foreign:
            frame = whole_answer(frame)
        return msgspec.structs.replace(frame, changes=changes) if changes else frame

    def _read_whole(self, body: bytes, way: _Way) -> Frame:
        if way.scan is not None:
            return way.scan().whole(body)
        return read_answer(body, is_reasoning_outside=self._endpoint.is_reasoning_outside)

    async def _require_event_stream(self, response: HttpResponse, way: _Way) -> None:
        """Refuse a 200 that is no stream; it is often an error in disguise."""
        content_type = response.header(b"content-type") or b""
        if content_type.lower().startswith(b"text/event-stream"):
            return
        self._read_whole(await response.read(), way)  # raises the error that it may be
        raise Broken("the provider answered a streaming request with a plain answer")

    def _reading(
        self, response: HttpResponse, call: Call, way: _Way, changes: tuple[str, ...]
    ) -> Reading:
        if way.scan is not None:
            return Reading(response, way.scan(), shaping(None, changes))
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

    async def _failure(
        self, response: HttpResponse, dialect: Dialect = Dialect.OPENAI_CHAT
    ) -> UpstreamError:
        if response.status < 400:
            return Broken(f"the provider answered with status {response.status}")
        wait_s = read_retry_after(dict(response.headers), self._now())
        try:
            body = await response.read()
        except UpstreamError:
            body = b""  # the status has said what matters
        read = _FAILURES.get(dialect, read_error)
        return read(response.status, body, retry_after_s=wait_s)
