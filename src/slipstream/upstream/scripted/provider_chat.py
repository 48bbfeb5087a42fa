"""Chat as providers other than OpenAI have it: rows of what they add to its answers and errors.

Answers are OpenAI's, made by openai_chat.py, and then changed.

Source: ../shared/reference/providers.md, sections 0 and 3 to 8, 2026-11-21.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from slipstream.errors import GatewayError
from slipstream.upstream.scripted.gemini import error_object
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Headers, Left, Stamp
from slipstream.upstream.scripted.openai_chat import OPENAI_CHAT, encode_error
from slipstream.upstream.scripted.provider_chat_request import RULES, decode_by
from slipstream.upstream.scripted.rate_headers import (
    mistral_headers,
    openai_headers,
    openrouter_headers,
)
from slipstream.upstream.scripted.reply import ScriptedError
from slipstream.upstream.scripted.seals import close_seal

Document = dict[str, Any]

_CALL_ID: Final = re.compile(r"call_(\d{6})\d*_(\d)_(\d+)")
_TICKS_PER_TOKEN: Final = 20_000  # of 1e-10 USD
_USD_PER_TOKEN: Final = 0.000_002
_TIMES: Final = {
    "queue_time": 0.001,
    "prompt_time": 0.002,
    "completion_time": 0.004,
    "total_time": 0.007,
}
_encode_json: Final = msgspec.json.Encoder().encode
_decode_json: Final = msgspec.json.decode


class _Moment(NamedTuple):
    """What an answer or a chunk is part of."""

    answer: Answer
    stamp: Stamp
    is_first: bool
    is_last: bool  # the last one that is no end mark


# ---- what providers change ----------------------------------------------------------------------


def _said(document: Document) -> Iterator[tuple[Document, Document]]:
    """Yield each choice, and its message or delta."""
    for choice in document["choices"]:
        yield choice, choice.get("message") or choice.get("delta") or {}


def _leave(document: Document, moment: _Moment) -> None:
    pass


def _as_groq(document: Document, moment: _Moment) -> None:
    if document.get("usage"):
        document["usage"] |= _TIMES
    if moment.is_first or moment.is_last:
        document["x_groq"] = {"id": f"req_{moment.stamp.serial:06d}"}
    if document["object"].endswith("chunk") and document.get("usage"):
        document["x_groq"]["usage"] = document["usage"]


def _as_mistral(document: Document, moment: _Moment) -> None:
    for _, said in _said(document):
        said.pop("refusal", None)
        thought = said.pop("chunks", None)
        if thought is not None:
            chunk = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
            text = said.get("content")
            said["content"] = [chunk, *([{"type": "text", "text": text}] if text else [])]
        for call in said.get("tool_calls", ()):
            call["id"] = _CALL_ID.sub(r"\1\2\3", call["id"]).ljust(9, "0")[:9]
    if document.get("usage") is None:
        document.pop("usage", None)


def _as_xai(document: Document, moment: _Moment) -> None:
    for choice, _ in _said(document):
        if choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = ""
    usage = document.get("usage")
    if usage:  # reasoning stands beside the completion, not in it
        usage["completion_tokens"] -= usage["completion_tokens_details"]["reasoning_tokens"]
        usage["cost_in_usd_ticks"] = usage["total_tokens"] * _TICKS_PER_TOKEN


def _as_deepinfra(document: Document, moment: _Moment) -> None:
    if document.get("usage"):
        cost = document["usage"]["total_tokens"] * _USD_PER_TOKEN
        document["usage"]["estimated_cost"] = round(cost, 9)


def _as_openrouter(document: Document, moment: _Moment) -> None:
    document["provider"] = "Scripted"
    for choice, said in _said(document):
        choice["native_finish_reason"] = choice["finish_reason"]
        text = said.pop("details", None)
        if text is None:
            continue
        detail = {"type": "reasoning.text", "text": text, "index": 0, "format": "scripted-v1"}
        if text[:1] != " ":  # the first piece, which alone has no space before it
            detail["signature"] = close_seal("openrouter", moment.answer.reasoning)
        said["reasoning_details"] = [detail]
    if document.get("usage"):
        cost = document["usage"]["total_tokens"] * _USD_PER_TOKEN
        document["usage"] |= {"cost": round(cost, 9), "is_byok": False, "cost_details": {}}


def _as_gemini(document: Document, moment: _Moment) -> None:
    signature = close_seal("gemini", moment.answer.reasoning)
    for _, said in _said(document):
        for call in said.get("tool_calls", ()):
            if call["index"] == 0 if "index" in call else call is said["tool_calls"][0]:
                call["extra_content"] = {"google": {"thought_signature": signature}}


# ---- errors --------------------------------------------------------------------------------------


def _code_of(error: GatewayError) -> str | None:
    return error.scripted_code if isinstance(error, ScriptedError) else error.code


def _mistral_error(error: GatewayError) -> bytes:
    if error.status == 422:
        at = ["body", *(error.param or "").split(".")]
        detail = [{"type": "extra_forbidden", "loc": at, "msg": error.message}]
        return _encode_json({"object": "error", "message": {"detail": detail}, "type": error.kind})
    told = {"type": error.kind, "param": error.param, "code": _code_of(error)}
    return _encode_json({"object": "error", "message": error.message, **told})


def _deepinfra_error(error: GatewayError) -> bytes:
    if error.status != 422:
        return encode_error(error)
    at = ["body", *(error.param or "").split(".")]
    return _encode_json({"detail": [{"type": "extra", "loc": at, "msg": error.message}]})


def _openrouter_object(error: GatewayError) -> Document:
    kind = _code_of(error)
    metadata = {"error_type": kind} if kind else {}
    return {"code": error.status, "message": error.message, "metadata": metadata}


def _openrouter_error(error: GatewayError) -> bytes:
    return _encode_json({"error": _openrouter_object(error), "user_id": "user_scripted"})


def _openrouter_event(error: GatewayError, num_events: int) -> Event:
    """Return a chunk with an error in it."""
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    chunk = {
        "id": "gen-scripted",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "scripted",
        "error": _openrouter_object(error),
        "choices": [choice | {"native_finish_reason": None}],
    }
    return Event(_encode_json(chunk))


def _gemini_error(error: GatewayError) -> bytes:
    return _encode_json([error_object(error)])  # this endpoint wraps it


def _plain_event(encode: Callable[[GatewayError], bytes]) -> Callable[[GatewayError, int], Event]:
    return lambda error, num_events: Event(encode(error))


# ---- the rows ------------------------------------------------------------------------------------


class _Row(NamedTuple):
    """One provider: how its paths end, what it changes and how it says errors."""

    suffix: str
    change: Callable[[Document, _Moment], None] = _leave
    encode_error: Callable[[GatewayError], bytes] = encode_error
    error_event: Callable[[GatewayError, int], Event] | None = None
    rate_headers: Callable[[Left], Headers] = openai_headers
    has_whole_calls: bool = False
    joins_usage: bool = False  # to the chunk that ends the choice
    retries_in_body: bool = False


_ROWS: Final[dict[str, _Row]] = {
    "groq": _Row("/groq/openai/v1/chat/completions", _as_groq),
    "mistral": _Row(
        "/mistral/v1/chat/completions",
        _as_mistral,
        _mistral_error,
        _plain_event(_mistral_error),
        mistral_headers,
        has_whole_calls=True,
        joins_usage=True,
    ),
    "xai": _Row("/xai/v1/chat/completions", _as_xai),
    "openrouter": _Row(
        "/openrouter/api/v1/chat/completions",
        _as_openrouter,
        _openrouter_error,
        _openrouter_event,
        openrouter_headers,
    ),
    "deepinfra": _Row("/deepinfra/v1/openai/chat/completions", _as_deepinfra, _deepinfra_error),
    "gemini": _Row(
        "/gemini/v1beta/openai/chat/completions",
        _as_gemini,
        _gemini_error,
        _plain_event(_gemini_error),
        lambda remaining: (),
        has_whole_calls=True,
        retries_in_body=True,
    ),
    "openai": _Row("/openai/v1/chat/completions"),
}


def _dialect(name: str, row: _Row) -> Dialect:
    def encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
        document = _decode_json(OPENAI_CHAT.encode(ask, answer, stamp))
        row.change(document, _Moment(answer, stamp, is_first=True, is_last=True))
        return _encode_json(document)

    def stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
        said = answer._replace(call_pieces="whole") if row.has_whole_calls else answer
        chunks = _chunks(OPENAI_CHAT.stream(ask, said, stamp), joins_usage=row.joins_usage)
        for at, (event, is_last) in enumerate(_with_last(chunks)):
            if event.is_terminal:
                yield event
                continue
            document = _decode_json(event.data)
            row.change(document, _Moment(said, stamp, at == 0, is_last))
            yield event._replace(data=_encode_json(document))

    return Dialect(
        name=f"{name}_chat",
        path_suffixes=(row.suffix,),
        decode=decode_by(RULES[name]),
        encode=encode,
        stream=stream,
        encode_error=row.encode_error,
        error_event=row.error_event,
        rate_headers=row.rate_headers,
        retries_in_body=row.retries_in_body,
    )


def _chunks(events: Iterator[Event], *, joins_usage: bool) -> Iterator[Event]:
    """Yield chunks; if usage is to be joined, that of the last one is told on the one before."""
    held: Event | None = None
    for event in events:
        if not joins_usage:
            yield event
            continue
        if held is not None and b'"choices":[]' in event.data:
            usage = _decode_json(event.data)["usage"]
            held = held._replace(data=_encode_json(_decode_json(held.data) | {"usage": usage}))
            continue
        if held is not None:
            yield held
        held = event
    if held is not None:
        yield held


def _with_last(events: Iterator[Event]) -> Iterator[tuple[Event, bool]]:
    """Yield events, and of each whether only the end mark follows."""
    held: Event | None = None
    for event in events:
        if held is not None:
            yield held, event.is_terminal
        held = event
    if held is not None:
        yield held, False


ERRORS: Final = {name: row.encode_error for name, row in _ROWS.items()}
"""How each provider says an error, also of its other endpoints."""

RATE_HEADERS: Final = {name: row.rate_headers for name, row in _ROWS.items()}
"""How each provider tells what is left, likewise."""

PROVIDER_CHATS: Final = tuple(_dialect(name, row) for name, row in _ROWS.items())
