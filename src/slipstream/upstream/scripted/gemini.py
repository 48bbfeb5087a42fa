"""The dialect of Gemini's own API, seen from its side: answers, events, errors, tokens counted.

The gateway has no writer of it. A stream is whole answers with new parts, without names or a
terminal event; calls come whole, and the last answer says why it is the last.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from slipstream.errors import GatewayError
from slipstream.upstream.scripted.answer import split_words
from slipstream.upstream.scripted.gemini_request import STREAM, VENDOR, decode, decode_count
from slipstream.upstream.scripted.messages import no_stream
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Stamp, Tokens
from slipstream.upstream.scripted.reply import ScriptedError
from slipstream.upstream.scripted.seals import close_seal, make_id

Part = dict[str, Any]

_FINISHES: Final = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_BLOCKED: Final = "blocked"
_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_GOOGLE: Final = "type.googleapis.com/google.rpc"
_encode_json: Final = msgspec.json.Encoder().encode


def _parts(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Part]:
    """Yield the parts of a streamed answer; the first call is signed, or the end of the text."""
    if ask.has_thoughts:
        for word in split_words(answer.reasoning):
            yield {"text": word, "thought": True}
    if not answer.refuses:
        for word in split_words(answer.text):
            yield {"text": word}
    signature = {"thoughtSignature": close_seal(VENDOR, answer.reasoning)}
    for number, call in enumerate(answer.calls):
        call_id = f"{stamp.serial:06d}{number}"
        said = {"id": call_id, "name": call.name, "args": _args(call.arguments)}
        yield {"functionCall": said, **({} if number else signature)}
    if answer.reasoning and not answer.calls:
        yield {"text": "", **signature}


def _args(arguments: str) -> Any:
    """Return arguments as an object; none of those that the token limit cut."""
    try:
        return msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return {}


def _joined(parts: Iterator[Part]) -> list[Part]:
    """Return parts as a plain answer has them: neighbours of a kind are one."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else {}
        is_more = "text" in part and "text" in last and part.get("thought") == last.get("thought")
        if is_more:
            found[-1] = last | part | {"text": last["text"] + part["text"]}
        else:
            found.append(part)
    return found


def _usage(tokens: Tokens) -> dict[str, object]:
    counts: dict[str, object] = {
        "promptTokenCount": tokens.prompt,
        "candidatesTokenCount": tokens.completion - tokens.reasoning,
        "totalTokenCount": tokens.prompt + tokens.completion,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.prompt}],
    }
    if tokens.reasoning:
        counts["thoughtsTokenCount"] = tokens.reasoning
    if tokens.cached:
        counts["cachedContentTokenCount"] = tokens.cached
        counts["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens.cached}]
    return counts


def _said(
    ask: Ask, answer: Answer, stamp: Stamp, parts: list[Part], *, choice: int = 0, ends: bool = True
) -> dict[str, Any]:
    """Return one answer, or one frame of a stream."""
    body: dict[str, Any] = {}
    if answer.finish == _BLOCKED:
        body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    else:
        body["candidates"] = [_candidate(answer, parts, choice, ends=ends)]
    if answer.tokens is not None:
        body["usageMetadata"] = _usage(answer.tokens)
    return body | {"modelVersion": ask.model, "responseId": make_id("", stamp.serial)}


def _candidate(answer: Answer, parts: list[Part], choice: int, *, ends: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": choice}
    if answer.refuses and ends:
        candidate.pop("content")
    if ends:
        finish = "SAFETY" if answer.refuses else answer.finish
        candidate["finishReason"] = _FINISHES.get(finish, finish)
    return candidate


def _encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    parts = _joined(_parts(ask, answer, stamp))
    body = _said(ask, answer, stamp, parts)
    if "candidates" in body:
        choices = range(ask.num_choices)
        body["candidates"] = [_candidate(answer, parts, at, ends=True) for at in choices]
    return _encode_json(body)


def _stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    """Yield a frame for each part of each candidate; the last of each ends it."""
    parts = [[part] for part in _parts(ask, answer, stamp)] or [[{"text": ""}]]
    if answer.finish == _BLOCKED:
        parts = parts[:1]
    for part in parts[:-1]:
        for choice in range(ask.num_choices):
            frame = _said(ask, answer, stamp, part, choice=choice, ends=False)
            yield Event(_encode_json(frame))
    for choice in range(ask.num_choices):
        frame = _said(ask, answer, stamp, parts[-1], choice=choice)
        yield Event(_encode_json(frame), is_terminal=True)


def error_object(error: GatewayError) -> dict[str, Any]:
    """Return an error in Google's shape; when to come back stands in its details."""
    details: list[dict[str, Any]] = []
    if isinstance(error, ScriptedError) and error.scripted_code is not None:
        reason = {"reason": error.scripted_code, "domain": "googleapis.com"}
        details.append({"@type": f"{_GOOGLE}.ErrorInfo", **reason})
    if error.retry_after_s is not None:
        delay = f"{error.retry_after_s:.15g}s"
        details.append({"@type": f"{_GOOGLE}.RetryInfo", "retryDelay": delay})
    said = {
        "code": error.status,
        "message": error.message,
        "status": _STATUSES.get(error.status, "UNKNOWN"),
    }
    return {"error": said | ({"details": details} if details else {})}


def _encode_error(error: GatewayError) -> bytes:
    return _encode_json(error_object(error))


def _error_event(error: GatewayError, num_events: int) -> Event:
    return Event(_encode_error(error))


def _encode_count(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    return _encode_json({"totalTokens": ask.prompt_tokens})


GEMINI: Final = Dialect(
    name="gemini",
    path_suffixes=(":generateContent", STREAM),
    decode=decode,
    encode=_encode,
    stream=_stream,
    encode_error=_encode_error,
    error_event=_error_event,
    retries_in_body=True,
)
GEMINI_COUNT: Final = Dialect(
    name="gemini_count",
    path_suffixes=(":countTokens",),
    decode=decode_count,
    encode=_encode_count,
    stream=no_stream,
    encode_error=_encode_error,
    retries_in_body=True,
)
