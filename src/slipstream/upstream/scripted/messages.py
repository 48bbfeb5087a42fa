"""The dialect Messages, seen from Anthropic's side: answers, events, errors, tokens counted.

Answers are written by the gateway's own writer; here is what that one does not say: pings, the
empty beginning of a call's input, who called a tool.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

import msgspec

from slipstream.errors import BadRequest, GatewayError
from slipstream.upstream.scripted.messages_request import check_version, decode, decode_count
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Stamp
from slipstream.upstream.scripted.rate_headers import anthropic_headers
from slipstream.upstream.scripted.reply import ScriptedError
from slipstream.upstream.scripted.seals import close_seal, make_id
from slipstream.upstream.scripted.told import events_of, tell
from slipstream.wire.messages.answers_out import AnswerWriter
from slipstream.wire.messages.errors_out import error_body
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import ENDINGS

VENDOR: Final = "anthropic"
_PING: Final = Event(b'{"type":"ping"}', b"ping")
_STATUSES: Final = {500: "api_error", 502: "api_error", 503: "api_error"}
_CONTEXT: Final = "prompt is too long: 210000 tokens > 200000 maximum"
_encode_json: Final = msgspec.json.Encoder().encode
_decode_json: Final = msgspec.json.decode


def _seal(answer: Answer) -> Seal:
    data = close_seal(VENDOR, answer.reasoning)
    kind = "redacted" if answer.redacts else "signature"
    return Seal(vendor=VENDOR, kind=kind, data=data)


def _writer(ask: Ask, stamp: Stamp) -> AnswerWriter:
    return AnswerWriter(answer_id=make_id("msg_", stamp.serial), model=ask.model)


def _encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    told = tell(ask, answer, stamp, call_prefix="toolu_", seal=_seal(answer))
    body: dict[str, Any] = _decode_json(_writer(ask, stamp).whole(told).data)
    for block in body["content"]:
        if block["type"] == "tool_use":
            block["caller"] = {"type": "direct"}
    return _encode_json(_as_scripted(body, body, answer))


def _stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    writer, has_pinged = _writer(ask, stamp), False
    told = tell(ask, answer, stamp, call_prefix="toolu_", seal=_seal(answer))
    frames = chain.from_iterable(map(writer.write, told))
    for event in chain.from_iterable(map(events_of, frames)):
        if event.name == b"content_block_start":
            yield from _start(event)
            if not has_pinged:
                yield _PING
            has_pinged = True
        elif event.name in (b"message_start", b"message_delta"):
            yield event._replace(data=_framed(event.data, answer))
        else:
            yield event


def _start(event: Event) -> Iterator[Event]:
    """Yield the start of a block; a call's has a caller, and is followed by an empty piece."""
    if b'"tool_use"' not in event.data:
        yield event
        return
    said: dict[str, Any] = _decode_json(event.data)
    said["content_block"]["caller"] = {"type": "direct"}
    yield event._replace(data=_encode_json(said))
    delta = {"type": "input_json_delta", "partial_json": ""}
    piece = {"type": "content_block_delta", "index": said["index"], "delta": delta}
    yield Event(_encode_json(piece), b"content_block_delta")


def _framed(data: bytes, answer: Answer) -> bytes:
    said: dict[str, Any] = _decode_json(data)
    if "message" in said:
        if answer.tokens is None:
            said["message"].pop("usage")
        return _encode_json(said)
    return _encode_json(_as_scripted(said, said["delta"], answer))


def _as_scripted(said: dict[str, Any], ending: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """Return it without usage, or with another reason, as the behaviour wants."""
    if answer.tokens is None:
        said.pop("usage")
    if answer.finish not in ENDINGS:
        ending["stop_reason"] = answer.finish
    if answer.refuses:
        details = {"type": "refusal", "category": "general_harms", "explanation": answer.text}
        ending["stop_details"] = details
    return said


def encode_error(error: GatewayError) -> bytes:
    """Encode an error in Anthropic's shape; a scripted code is the cause that it names."""
    body: dict[str, Any] = _decode_json(error_body(error, "req_scripted"))
    if not isinstance(error, ScriptedError):
        return _encode_json(body)
    told = body["error"]
    told["type"] = _STATUSES.get(error.status, told["type"])
    if error.scripted_code == "context_length_exceeded":
        told["message"] = _CONTEXT
    elif error.scripted_code is not None and error.scripted_code.endswith("_error"):
        told["type"] = error.scripted_code
    elif error.scripted_code is not None:
        told["details"] = {"error_code": error.scripted_code}
    return _encode_json(body)


def _encode_count(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    return _encode_json({"input_tokens": ask.prompt_tokens})


def no_stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    """Refuse to stream what is no answer."""
    raise BadRequest("stream: Extra inputs are not permitted", param="stream")


MESSAGES: Final = Dialect(
    name="messages",
    path_suffixes=("/messages",),
    decode=decode,
    encode=_encode,
    stream=_stream,
    encode_error=encode_error,
    check_headers=check_version,
    rate_headers=anthropic_headers,
    request_id_header=b"request-id",
)
COUNT_TOKENS: Final = Dialect(
    name="count_tokens",
    path_suffixes=("/messages/count_tokens",),
    decode=decode_count,
    encode=_encode_count,
    stream=no_stream,
    encode_error=encode_error,
    check_headers=check_version,
    request_id_header=b"request-id",
)
