"""Requests of OpenAI Embeddings: scanned shallowly to pass through, read whole for our own models.

What passes through keeps the client's bytes, also fields and inputs that only one provider knows.
Answers are in embeddings_answer.py.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.openai_chat import MAX_MODEL_CHARS, Scan
from slipstream.wire.refusals import invalid, not_among, not_offered
from slipstream.wire.texts import MAX_TOKEN_ID, Text, check_texts, read_texts

MAX_INPUTS: Final = 2048  # OpenAI's bound
FORMATS: Final = ("float", "base64")
_FIELDS: Final = ("input", "model", "dimensions", "encoding_format", "user")


class EmbeddingsRequest(NamedTuple):
    """What one of our models is asked to turn into vectors."""

    inputs: tuple[Text, ...]
    dimensions: int | None
    is_base64: bool


class Patched(NamedTuple):
    """A request as a provider takes it, and what its answer then needs."""

    body: bytes
    needs_base64: bool  # the client wants base64, which the provider was not asked for


class _Body(msgspec.Struct):
    model: str
    input: msgspec.Raw
    dimensions: Annotated[int, Meta(ge=1, le=MAX_TOKEN_ID)] | None = None
    encoding_format: str | None = None
    user: str | None = None
    stream: bool | None = None


_encoder: Final = msgspec.json.Encoder()
_body_decoder: Final = msgspec.json.Decoder(_Body)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def scan_embeddings(body: bytes) -> Scan:
    """Read the few fields that routing needs, and check what has the same meaning everywhere.

    Raises:
        BadRequest: The body is no JSON object, or a field is missing, of a wrong type or empty; the
            error names it.
    """
    said = _read(body)
    return Scan(said.model, is_stream=False, wants_usage=False, max_output_tokens=0)


def parse_embeddings(body: bytes) -> EmbeddingsRequest:
    """Read and check a whole request.

    Raises:
        BadRequest: A field is unknown, missing, of a wrong type or out of range, or there are too
            many inputs; the error names it and what is accepted.
    """
    said = _read(body)
    for field in _fields_decoder.decode(body):
        if field not in _FIELDS and field != "stream":
            accepted = ", ".join(f"'{name}'" for name in _FIELDS)
            raise not_offered(field, f"the fields that it knows are {accepted}")
    try:
        inputs = read_texts(said.input, "input", MAX_INPUTS)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    return EmbeddingsRequest(inputs, said.dimensions, said.encoding_format == "base64")


def patch_embeddings(
    body: bytes,
    *,
    model: str,
    rename: Mapping[str, str],
    drop: tuple[str, ...] = (),
    takes_base64: bool = True,
) -> Patched:
    """Return the body with only these keys changed; every other value keeps its bytes.

    Args:
        body: A body that `scan_embeddings` accepted.
        model: The upstream's own id.
        rename: Top-level keys that this provider calls by another name.
        drop: Top-level keys that this provider refuses.
        takes_base64: False leaves `encoding_format` out: the provider knows numbers only.

    Raises:
        BadRequest: Nested so deeply that it cannot be read here, where the stack is deeper.
    """
    try:
        fields = _fields_decoder.decode(body)
        wanted = None if takes_base64 else fields.pop("encoding_format", None)
        needs_base64 = wanted is not None and msgspec.json.decode(wanted) == "base64"
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    fields["model"] = msgspec.Raw(_encoder.encode(model))
    for key in drop:
        fields.pop(key, None)
    for ours, theirs in rename.items():
        if ours in fields:
            fields[theirs] = fields.pop(ours)
    return Patched(_encoder.encode(fields), needs_base64)


def _read(body: bytes) -> _Body:
    """Read what every request has."""
    try:
        said = _body_decoder.decode(body)
        if not body.isascii():
            body.decode()  # what was passed over may hold anything
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    if not 0 < len(said.model) <= MAX_MODEL_CHARS:
        raise invalid(
            "model", f"expected a name of 1 to {MAX_MODEL_CHARS} characters, got {len(said.model)}"
        )
    if said.encoding_format is not None and said.encoding_format not in FORMATS:
        raise not_among("encoding_format", said.encoding_format, FORMATS)
    if said.stream:
        raise not_offered("stream", "embeddings come whole, so leave it out")
    check_texts(said.input, "input", MAX_INPUTS)
    return said
