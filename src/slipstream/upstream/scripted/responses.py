"""The dialect Responses, seen from OpenAI's side: answers, events, errors, tokens counted.

Answers are written by the gateway's own writer, whose parcels are then replaced by seals that
only this mock can read, as OpenAI's are for OpenAI.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

import msgspec

from slipstream.errors import GatewayError
from slipstream.upstream.scripted.messages import no_stream
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Stamp
from slipstream.upstream.scripted.openai_chat import encode_error
from slipstream.upstream.scripted.rate_headers import openai_headers
from slipstream.upstream.scripted.reply import ScriptedError
from slipstream.upstream.scripted.responses_request import ID_PREFIX, VENDOR, decode
from slipstream.upstream.scripted.seals import close_seal, make_id
from slipstream.upstream.scripted.told import events_of, tell
from slipstream.wire.responses.answers_out import AnswerWriter
from slipstream.wire.responses.errors_out import error_event, failure_object
from slipstream.wire.responses.reading import ResponsesAsked
from slipstream.wire.talk import events as talk
from slipstream.wire.talk.asking import Seal

_FAILED: Final = "failed"
_encode_json: Final = msgspec.json.Encoder().encode
_decode_json: Final = msgspec.json.decode


def _writer(ask: Ask, stamp: Stamp) -> AnswerWriter:
    kept = ask.kept
    assert isinstance(kept, ResponsesAsked)
    asked = msgspec.structs.replace(kept.asked, model=ask.model)
    return AnswerWriter(
        msgspec.structs.replace(kept, asked=asked),
        response_id=make_id(ID_PREFIX, stamp.serial),
        created_s=stamp.created_s,
        clock=lambda: stamp.created_s,
    )


def _tell(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[talk.Event]:
    seal = Seal(vendor=VENDOR, kind="encrypted_content", data=close_seal(VENDOR, answer.reasoning))
    return tell(ask, answer, stamp, call_prefix="call_", seal=seal, is_summary=True)


def _encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    body = _decode_json(_writer(ask, stamp).whole(_tell(ask, answer, stamp)).data)
    if answer.finish == _FAILED:
        error = failure_object(ScriptedError(500, None))
        body |= {"status": _FAILED, "completed_at": None, "error": error}
    return _encode_json(_as_scripted(body, answer))


def _stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    writer = _writer(ask, stamp)
    for said in _tell(ask, answer, stamp):
        if answer.finish == _FAILED and isinstance(said, talk.Ended):
            yield from _events(writer, talk.Failed(ScriptedError(500, None)), answer)
            return
        yield from _events(writer, said, answer)


def _events(writer: AnswerWriter, said: talk.Event, answer: Answer) -> Iterator[Event]:
    for event in chain.from_iterable(map(events_of, writer.write(said))):
        if b'"encrypted_content"' not in event.data and b'"usage"' not in event.data:
            yield event
            continue
        data: dict[str, Any] = _decode_json(event.data)
        for holder in ("item", "response"):
            if holder in data:
                data[holder] = _as_scripted(data[holder], answer)
        yield event._replace(data=_encode_json(data))


def _as_scripted(said: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """Return an item or an answer with seals of ours; without usage if the behaviour wants that."""
    for item in (said, *said.get("output", ())):
        if "encrypted_content" in item:
            item["encrypted_content"] = close_seal(VENDOR, answer.reasoning)
    if answer.tokens is None and "usage" in said:
        said["usage"] = None
    return said


def _error_event(error: GatewayError, num_events: int) -> Event:
    """Return the flat event that ends a stream after so many others."""
    data = error_event(error, num_events)
    return Event(data.partition(b"data: ")[2].rstrip(), b"error")


def _encode_count(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    return _encode_json({"object": "response.input_tokens", "input_tokens": ask.prompt_tokens})


def _encode_compaction(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    """Encode a conversation made shorter: what would have been said, sealed."""
    whole = _decode_json(_encode(ask, answer, stamp))
    sealed = close_seal(VENDOR, answer.text)
    item = {"type": "compaction", "id": make_id("cmp_", stamp.serial), "encrypted_content": sealed}
    return _encode_json(
        {
            "id": whole["id"],
            "object": "response.compaction",
            "created_at": whole["created_at"],
            "output": [item],
            "usage": whole["usage"],
        }
    )


def _encode_xai_error(error: GatewayError) -> bytes:
    """Encode an error as xAI does here: the error is a text."""
    return _encode_json({"code": error.code or error.kind, "error": error.message})


RESPONSES: Final = Dialect(
    name="responses",
    path_suffixes=("/responses",),
    decode=decode,
    encode=_encode,
    stream=_stream,
    encode_error=encode_error,
    error_event=_error_event,
    rate_headers=openai_headers,
)
XAI_RESPONSES: Final = Dialect(
    name="xai_responses",
    path_suffixes=("/xai/v1/responses",),
    decode=decode,
    encode=_encode,
    stream=_stream,
    encode_error=_encode_xai_error,
    error_event=_error_event,
    rate_headers=openai_headers,
)
COMPACTION: Final = Dialect(
    name="compaction",
    path_suffixes=("/responses/compact",),
    decode=decode,
    encode=_encode_compaction,
    stream=no_stream,
    encode_error=encode_error,
    rate_headers=openai_headers,
)
INPUT_TOKENS: Final = Dialect(
    name="input_tokens",
    path_suffixes=("/responses/input_tokens",),
    decode=decode,
    encode=_encode_count,
    stream=no_stream,
    encode_error=encode_error,
)
