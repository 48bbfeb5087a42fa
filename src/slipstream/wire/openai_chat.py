"""Requests of OpenAI Chat Completions as they pass through: scan one, patch one.

Scanned shallowly and patched key by key, so that messages stay the client's bytes. Requests that we
answer ourselves are read whole, in chat_request.py.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from typing import Annotated, NamedTuple

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE, explain

_encoder = msgspec.json.Encoder()
_ABSENT = (b"", b"null")

MAX_MODEL_CHARS = 512  # of a model's name, which is kept, logged and compared with others
# Exact in every reader of JSON; more is a slip and would overflow what counts with it.
_Count = Annotated[int, msgspec.Meta(le=2**53)]


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Request(msgspec.Struct):
    model: str
    messages: msgspec.Raw
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None


class Scan(NamedTuple):
    """What routing needs of a request.

    Args:
        asked: All of it, where it was read whole.
        num_choices: Answers to be made, where it was read.
    """

    model: str
    is_stream: bool
    wants_usage: bool
    max_output_tokens: int | None
    asked: object | None = None
    num_choices: int = 1


_request_decoder = msgspec.json.Decoder(_Request)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def scan_request(body: bytes) -> Scan:
    """Read the few fields that routing needs.

    Raises:
        BadRequest: The body is no JSON object, or one of these fields is missing or of a wrong
            type; the error names it.
    """
    try:
        said = _request_decoder.decode(body)
        if not body.isascii():
            body.decode()  # what was passed over may hold anything
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    if bytes(memoryview(said.messages)[:1]) != b"[":
        raise BadRequest(
            "Invalid value for 'messages': expected an array of messages.",
            param="messages",
            code="invalid_type",
        )
    if not 0 < len(said.model) <= MAX_MODEL_CHARS:
        raise BadRequest(
            f"Invalid value for 'model': expected a name of 1 to {MAX_MODEL_CHARS} characters, "
            f"got {len(said.model)}.",
            param="model",
            code="invalid_value",
        )
    limit = said.max_completion_tokens
    options = said.stream_options
    return Scan(
        said.model,
        bool(said.stream),
        bool(options and options.include_usage),
        said.max_tokens if limit is None else limit,
    )


def patch_request(body: bytes, *, model: str, ask_usage: bool) -> bytes:
    """Return the body with only these keys changed; every other value keeps its bytes.

    Args:
        body: A body that `scan_request` accepted.
        model: The upstream's own id.
        ask_usage: Set `stream_options.include_usage`, keeping the other options.

    Raises:
        BadRequest: Nested so deeply that it cannot be read here, where the stack is deeper.
    """
    return write_fields(read_fields(body), model=model, ask_usage=ask_usage)


def read_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Return the top level of a body, each value as its bytes.

    Raises:
        BadRequest: As `patch_request`.
    """
    try:
        return _fields_decoder.decode(body)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc


def write_fields(fields: dict[str, msgspec.Raw], *, model: str, ask_usage: bool) -> bytes:
    """Return the body of these fields, but for what `patch_request` changes."""
    fields["model"] = msgspec.Raw(_encoder.encode(model))
    if ask_usage:
        raw = bytes(fields.get("stream_options", b""))
        options = {} if raw in _ABSENT else _fields_decoder.decode(raw)
        options["include_usage"] = msgspec.Raw(b"true")
        fields["stream_options"] = msgspec.Raw(_encoder.encode(options))
    return _encoder.encode(fields)


def fields_among(body: bytes, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of these top-level keys a body has that `patch_request` accepted."""
    fields = _fields_decoder.decode(body)
    return tuple(name for name in names if name in fields)
