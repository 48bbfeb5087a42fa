"""The leaf for models that others run: one HTTP request, its answer's bytes handed on.

Where client and provider speak the same dialect the answer is relayed unchanged and only looked
at from the side; what is sent is relay_bodies.py's. Where they do not, translate.py serves. Which
provider it is, where it lives and what its key is come from the operator's configuration; nothing
that a client sends can change them.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, Protocol

import msgspec

from slipstream.call import Call, Dialect, Frame, Frames, Secret, Serve
from slipstream.catalog.providers import (
    Spoken,
    base_path_of,
    embeddings_of,
    listing_of,
    spoken_by,
)
from slipstream.errors import Broken, Unsupported, UpstreamError
from slipstream.upstream.hearing import CLIENTS
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import parse_base_url
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.lines import PATHS, Line, headers_of, line_of
from slipstream.upstream.relay_bodies import Prepare, Ways, bodies_for
from slipstream.upstream.relay_counting import counting_messages
from slipstream.upstream.relay_embeddings import relay_embeddings
from slipstream.upstream.relay_models import ListModels, listing_models
from slipstream.upstream.relay_reading import Reading, shaping
from slipstream.upstream.relay_scan import SCANS, ScannedStream
from slipstream.upstream.rooms import TellRoom, noting_room
from slipstream.upstream.translate import Peer, Translation
from slipstream.wire.cerebras.from_openai import CerebrasView, whole_answer
from slipstream.wire.errors_in import read_error
from slipstream.wire.gemini import errors_in as gemini_errors
from slipstream.wire.messages import errors_in as messages_errors
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer
from slipstream.wire.rate_hints import wait_in_body, wait_in_headers
from slipstream.wire.responses import errors_in as responses_errors


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one provider is reached and how it differs from the others.

    Args:
        name: The provider's name in routes and reports.
        base_url: Everything before `/chat/completions` and `/embeddings`.
        key: None for an upstream that wants none.
        more_keys: Further ones; a Relay has one, see upstream/keyed.py.
        like: The name of the row whose habits it has; None for a server that is like none.
        asks_usage: Its streams report usage only when asked to.
        is_reasoning_outside: It counts reasoning beside `completion_tokens`.
        dialect: What it speaks; None for what the row of its name says.
        relaxes_schemas: Keywords that a strict schema cannot have there are left out, and named,
            instead of being refused.
    """

    name: str
    base_url: str
    key: Secret | None = None
    like: str | None = None
    asks_usage: bool = True
    is_reasoning_outside: bool = False
    dialect: Dialect | None = None
    relaxes_schemas: bool = False
    more_keys: tuple[Secret, ...] = ()

    @property
    def row(self) -> str:
        """The name by which tables know what it is like."""
        return self.like or self.name


class _ReadFailure(Protocol):
    def __call__(
        self, status: int, body: bytes, *, retry_after_s: float | None
    ) -> UpstreamError: ...


_FAILURES: Final[dict[Dialect, _ReadFailure]] = {
    Dialect.ANTHROPIC_MESSAGES: messages_errors.read_failure,
    Dialect.OPENAI_RESPONSES: responses_errors.read_failure,
    Dialect.GEMINI: gemini_errors.read_failure,
}
# Dialects that a provider speaks beside another of its own, at a path beside that one's.
_BESIDE: Final = (Dialect.CEREBRAS_COMPLETIONS, Dialect.OPENAI_COMPACTION)


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
        self,
        endpoint: Endpoint,
        client: HttpClient,
        *,
        now: Callable[[], datetime],
        tell_room: TellRoom | None = None,
    ) -> None:
        def wall_s() -> float:
            return now().timestamp()

        self._endpoint = endpoint
        self._client = client
        self._now = now
        self._note_room = note_room = noting_room(tell_room, now)
        self.origin, path = address = parse_base_url(endpoint.base_url)
        spoken = spoken_by(endpoint.row, endpoint.dialect)
        plain = headers_of(Spoken(dialect=Dialect.OPENAI_CHAT), endpoint.key)
        listing = listing_of(endpoint.row, endpoint.dialect)
        self.list_models: ListModels = listing_models(
            listing,
            address=(self.origin, base_path_of(endpoint.row, listing, path)),
            key=endpoint.key,
            client=client,
            failure=self._failure,
        )
        lines = [
            line_of(one, self.origin, base_path_of(endpoint.row, one, path), endpoint.key)
            for one in spoken
        ]
        ways = Ways(endpoint.row, endpoint.asks_usage, endpoint.relaxes_schemas)
        prepare = bodies_for(Dialect.ANTHROPIC_MESSAGES, ways)[Dialect.ANTHROPIC_MESSAGES]
        self.count_messages = counting_messages(lines, prepare, client, self._failure)
        self._translation = Translation(
            lines,
            Peer(endpoint.row, endpoint.is_reasoning_outside, endpoint.relaxes_schemas),
            client,
            failure=self._failure,
            wall_s=wall_s,
            note_room=note_room,
        )
        self._leaves: dict[Dialect, Serve] = {
            Dialect.OPENAI_EMBEDDINGS: relay_embeddings(
                embeddings_of(endpoint.row),
                provider=endpoint.name,
                address=address,
                headers=plain,
                client=client,
                failure=self._failure,
                note_room=note_room,
            ),
            Dialect.CEREBRAS_COMPLETIONS: self._refuse_completions,
            **dict.fromkeys(CLIENTS, self._translation),
            **self._ways(lines, ways),
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

    def _ways(self, lines: Sequence[Line], ways: Ways) -> dict[Dialect, Serve]:
        """Return the leaves for calls whose bytes are relayed."""
        leaves: dict[Dialect, Serve] = {}
        for line in lines:
            for dialect, prepare in bodies_for(line.dialect, ways).items():
                leaves[dialect] = partial(self._relay, self._way(line, dialect, prepare))
        return leaves

    def _way(self, line: Line, dialect: Dialect, prepare: Prepare) -> _Way:
        if dialect in _BESIDE:
            base = line.target("", False).removesuffix(PATHS[line.dialect]).decode()
            line = line_of(Spoken(dialect=dialect), self.origin, base, self._endpoint.key)
        if dialect in SCANS:
            return _Way(line, prepare, scan=partial(SCANS[dialect], self._endpoint.row))
        is_foreign = dialect is Dialect.CEREBRAS_CHAT and line.dialect is not dialect
        return _Way(line, prepare, is_foreign)

    async def _relay(self, way: _Way, call: Call) -> Frames:
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        prepared = way.prepare(call, attempt.target.model)
        if prepared is None:
            async with aclosing(self._translation(call)) as frames:
                async for frame in frames:
                    yield frame
            return
        body, changes = prepared
        request = way.line.request(
            attempt.target.model, body, is_stream=call.is_stream, more=call.headers
        )
        response = await self._client.open(request, attempt.deadlines, attempt.total_deadline_s)
        try:
            self._note_room(attempt, response)
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
            f"Text completions in Cerebras's words are not relayed to '{self._endpoint.name}': "
            "send them to Cerebras or to a model that this gateway runs itself, or ask this one at "
            "/v1/chat/completions."
        )
        yield  # like every leaf, it refuses when it is iterated

    async def _failure(
        self, response: HttpResponse, dialect: Dialect = Dialect.OPENAI_CHAT
    ) -> UpstreamError:
        if response.status < 400:
            return Broken(f"the provider answered with status {response.status}")
        now = self._now()
        wait_s = wait_in_headers(dict(response.headers), now)
        try:
            body = await response.read()
        except UpstreamError:
            body = b""  # the status has said what matters
        if wait_s is None:
            wait_s = wait_in_body(body, now)
        read = _FAILURES.get(dialect, read_error)
        return read(response.status, body, retry_after_s=wait_s)
