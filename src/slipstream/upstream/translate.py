"""The leaf for a client and a provider that speak different dialects.

    the client's body ── its reader ──▶ Asked ── the provider's writer ──▶ HTTP
    frames ◀── the client's writer ── Event ◀── the provider's reader ── its bytes

Of the provider's dialects the first one is spoken that can say what is asked. The reasons why the
others cannot are the target's, so another target may be tried.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from slipstream.call import Call, Dialect, Frames
from slipstream.catalog.traits import traits_of
from slipstream.errors import Broken, GatewayError, Unsupported, UpstreamError
from slipstream.upstream.hearing import Clock, hear, tell_end
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.lines import Line
from slipstream.upstream.rooms import NoteRoom
from slipstream.upstream.translate_reading import Reader, TranslatedReading, raise_failed
from slipstream.wire.cerebras.models import MODELS
from slipstream.wire.cerebras.outbound import adapt_chat
from slipstream.wire.chat import answers_in as chat_in
from slipstream.wire.chat import writing as chat
from slipstream.wire.completions import answers_in as completions_in
from slipstream.wire.completions import writing as completions
from slipstream.wire.gemini import answers_in as gemini_in
from slipstream.wire.gemini import writing as gemini
from slipstream.wire.messages import answers_in as messages_in
from slipstream.wire.messages import writing as messages
from slipstream.wire.responses import answers_in as responses_in
from slipstream.wire.responses import writing as responses
from slipstream.wire.talk.asking import Asked, Target, Written
from slipstream.wire.talk.custom_tools import custom_names


class Peer(NamedTuple):
    """What the readers must know of a provider.

    Args:
        vendor: The name of its row.
        is_reasoning_outside: It counts reasoning beside `completion_tokens`.
        relaxes_schemas: See Endpoint.
    """

    vendor: str
    is_reasoning_outside: bool = False
    relaxes_schemas: bool = False


class _Tongue(NamedTuple):
    """How one dialect is written to a provider, and its answers are read."""

    write: Callable[[Asked, Target, Peer], Written]
    reader: Callable[[Asked, Peer, str], Reader]


def _write_cerebras(asked: Asked, target: Target, peer: Peer) -> Written:
    said = chat.write_asked(asked, target)
    row = MODELS.get(target.model)
    adapted = adapt_chat(said.body, model=target.model, row=row, relaxes=peer.relaxes_schemas)
    return Written(adapted.body, (*said.changes, *adapted.changes))


def _chat_reader(asked: Asked, peer: Peer, own_id: str) -> Reader:
    return chat_in.AnswerReader(
        vendor=peer.vendor,
        own_id=own_id,
        custom_names=custom_names(asked),
        is_reasoning_outside=peer.is_reasoning_outside,
    )


TONGUES: Final[dict[Dialect, _Tongue]] = {
    Dialect.OPENAI_CHAT: _Tongue(
        lambda asked, target, peer: chat.write_asked(asked, target), _chat_reader
    ),
    Dialect.CEREBRAS_CHAT: _Tongue(_write_cerebras, _chat_reader),
    Dialect.ANTHROPIC_MESSAGES: _Tongue(
        lambda asked, target, peer: messages.write_asked(asked, target),
        lambda asked, peer, own_id: messages_in.AnswerReader(
            vendor=peer.vendor, custom_names=custom_names(asked)
        ),
    ),
    Dialect.OPENAI_RESPONSES: _Tongue(
        lambda asked, target, peer: responses.write_asked(asked, target),
        lambda asked, peer, own_id: responses_in.AnswerReader(vendor=peer.vendor),
    ),
    Dialect.OPENAI_COMPLETIONS: _Tongue(
        lambda asked, target, peer: completions.write_asked(asked, target),
        lambda asked, peer, own_id: completions_in.AnswerReader(asked),
    ),
    Dialect.GEMINI: _Tongue(
        lambda asked, target, peer: gemini.write_asked(asked, target),
        lambda asked, peer, own_id: gemini_in.AnswerReader(
            own_id=own_id, custom_names=custom_names(asked), vendor=peer.vendor
        ),
    ),
}

Failure = Callable[[HttpResponse, Dialect], Awaitable[UpstreamError]]
"""What an answer with an error status means."""


class Translation:
    """Serves the calls of one provider that are in none of its dialects.

    Args:
        lines: Where each of its dialects is, what loses least first.
    """

    __slots__ = ("_client", "_failure", "_lines", "_note_room", "_peer", "_wall_s")

    def __init__(
        self,
        lines: Sequence[Line],
        peer: Peer,
        client: HttpClient,
        *,
        failure: Failure,
        wall_s: Clock,
        note_room: NoteRoom,
    ) -> None:
        self._lines, self._peer = lines, peer
        self._client, self._failure, self._wall_s = client, failure, wall_s
        self._note_room = note_room

    async def __call__(self, call: Call) -> Frames:
        """Send the call in the provider's words; yield its answer in the client's.

        Raises:
            UpstreamError: From the iteration, like all: no answer, an error, a broken or cut one.
            Unsupported: None of the provider's dialects can say what is asked; nothing was sent.
            BadRequest: The body cannot be read.
        """
        attempt = call.attempt
        assert attempt is not None, "dispatch aims every call"
        heard = hear(call, self._wall_s)
        line, written = self._write(heard.asked, attempt.target.model)
        reader = TONGUES[line.dialect].reader(heard.asked, self._peer, call.call_id)
        request = line.request(attempt.target.model, written.body, is_stream=call.is_stream)
        response = await self._client.open(request, attempt.deadlines, attempt.total_deadline_s)
        try:
            self._note_room(attempt, response)
            if response.status != 200:
                raise await self._failure(response, line.dialect)
            changes = (*heard.changes, *written.changes)
            reading = TranslatedReading(response, reader, heard.writer, changes)
            if not call.is_stream:
                yield reading.whole(await response.read())
                return
            await _require_event_stream(response, reader)
            response.expect_meaning()
            async for data in response.chunks():
                for frame in reading.feed(data):
                    yield frame
                if reading.has_ended:
                    return
            for frame in reading.finish():
                yield frame
        except GatewayError as error:
            tell_end(error, heard)
            raise
        finally:
            response.close()

    def _write(self, asked: Asked, model: str) -> tuple[Line, Written]:
        """Return the first dialect that can say it, and how it says it."""
        traits = traits_of(model, asked.thinking.effort if asked.thinking else None)
        target = Target(
            vendor=self._peer.vendor,
            model=model,
            max_output_tokens=traits.max_output_tokens,
            efforts=traits.efforts,
            is_adaptive_only=traits.is_adaptive_only,
            refuses=traits.refuses,
        )
        refusals: list[Unsupported] = []
        spoken = [line for line in self._lines if line.dialect not in traits.refuses]
        for line in spoken or self._lines:
            try:
                return line, TONGUES[line.dialect].write(asked, target, self._peer)
            except Unsupported as error:
                refusals.append(error)
        raise refusals[0]


async def _require_event_stream(response: HttpResponse, reader: Reader) -> None:
    """Refuse a 200 that is no stream; it is often an error in disguise."""
    content_type = response.header(b"content-type") or b""
    if content_type.lower().startswith(b"text/event-stream"):
        return
    raise_failed(reader.read_whole(await response.read()))
    raise Broken("the provider answered a streaming request with a plain answer")
