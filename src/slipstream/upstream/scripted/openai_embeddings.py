"""Embeddings as OpenAI and others have them, from the provider's side: vectors of a text's digest.

The same text gives the same vector of length 1, whatever stands beside it; one word is one token.

Source of what providers refuse: ../shared/reference/providers.md and their SDKs, 2026-11-21.
"""

import math
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import shake_128
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from slipstream.errors import BadRequest, GatewayError
from slipstream.upstream.scripted.answer import count_words
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Headers, Left, Stamp
from slipstream.upstream.scripted.openai_chat import encode_error
from slipstream.upstream.scripted.provider_chat import ERRORS, RATE_HEADERS
from slipstream.upstream.scripted.provider_chat_checks import refusal
from slipstream.upstream.scripted.rate_headers import openai_headers

DIMENSIONS: Final = 8
_encode_json: Final = msgspec.json.Encoder().encode

_Text = Annotated[str, Meta(min_length=1)]
_Inputs = Annotated[list[_Text | list[int] | int], Meta(min_length=1, max_length=2048)]


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1)]
    input: _Text | _Inputs
    dimensions: Annotated[int, Meta(ge=1, le=4096)] | None = None
    output_dimension: Annotated[int, Meta(ge=1, le=4096)] | None = None  # Mistral's name for it
    encoding_format: Literal["float", "base64"] | None = None


def _decode(path: str, body: bytes) -> Ask:
    try:
        said = msgspec.json.decode(body, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadRequest(f"the request is not as it should be: {exc}") from exc
    items = [said.input] if isinstance(said.input, str) else said.input
    if len(set(map(type, items))) > 1:
        raise BadRequest("'input' holds texts and token ids together", param="input")
    given = [items] if isinstance(items[0], int) else items
    inputs = tuple(each if isinstance(each, str) else _encode_json(each).decode() for each in given)
    return Ask(
        model=said.model,
        text=inputs[0],
        prompt_tokens=sum(map(_count, items)),
        inputs=inputs,
        dimensions=said.dimensions or said.output_dimension or DIMENSIONS,
        wants_base64=said.encoding_format == "base64",
    )


def _count(given: str | list[int] | int) -> int:
    if isinstance(given, str):
        return count_words(given)
    return len(given) if isinstance(given, list) else 1


def _encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    document: dict[str, object] = {
        "object": "list",
        "model": ask.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _written(ask, text)}
            for index, text in enumerate(ask.inputs)
        ],
    }
    if answer.tokens is not None:
        prompt = answer.tokens.prompt
        document["usage"] = {"prompt_tokens": prompt, "total_tokens": prompt}
    return _encode_json(document)


def _written(ask: Ask, text: str) -> str | list[float]:
    vector = vector_of(text, ask.dimensions)
    if ask.wants_base64:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector


def vector_of(text: str, dimensions: int) -> list[float]:
    """Return the vector of a text, of length 1."""
    digest = shake_128(text.encode()).digest(dimensions)
    numbers = [byte - 127.5 for byte in digest]  # never all zero
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def _stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    """Yield the whole answer: this dialect has no other."""
    yield Event(_encode(ask, answer, stamp), is_terminal=True)


class _Rules(NamedTuple):
    """What one provider takes.

    Args:
        suffix: How its paths end.
        takes: Fields that it knows, where it refuses others.
        formats: That it knows.
        status: Of a refusal.
    """

    suffix: str
    takes: frozenset[str] | None = None
    formats: tuple[str, ...] = ("float", "base64")
    status: int = 400


_RULES: Final = {
    "openai": _Rules(
        "/openai/v1/embeddings",
        frozenset({"model", "input", "dimensions", "encoding_format", "user"}),
    ),
    "gemini": _Rules("/gemini/v1beta/openai/embeddings", formats=("float",)),
    "deepinfra": _Rules("/deepinfra/v1/openai/embeddings", formats=("float",), status=422),
    "mistral": _Rules(
        "/mistral/v1/embeddings",
        frozenset(
            {"model", "input", "output_dimension", "output_dtype", "encoding_format", "metadata"}
        ),
        status=422,
    ),
    "openrouter": _Rules("/openrouter/api/v1/embeddings"),
}
_fields_decoder: Final = msgspec.json.Decoder(dict[str, Any])


def _decode_by(rules: _Rules) -> Callable[[str, bytes], Ask]:
    """Return what reads a request of a provider, and refuses what that one refuses."""

    def decode(path: str, body: bytes) -> Ask:
        ask = _decode(path, body)
        said = _fields_decoder.decode(body)
        strange = said.keys() - rules.takes if rules.takes is not None else set()
        for name in sorted(strange):
            raise refusal("Extra inputs are not permitted", name, status=rules.status)
        if (given := said.get("encoding_format")) not in (None, *rules.formats):
            message = f"'{given}' is not supported: expected one of {', '.join(rules.formats)}"
            raise refusal(message, "encoding_format", status=rules.status)
        return ask

    return decode


def _dialect(
    name: str,
    suffix: str,
    decode: Callable[[str, bytes], Ask],
    tell: Callable[[GatewayError], bytes],
    rate_headers: Callable[[Left], Headers],
) -> Dialect:
    return Dialect(
        name=name,
        path_suffixes=(suffix,),
        decode=decode,
        encode=_encode,
        stream=_stream,
        encode_error=tell,
        rate_headers=rate_headers,
    )


EMBEDDINGS: Final = (
    *(
        _dialect(
            f"{name}_embeddings", rules.suffix, _decode_by(rules), ERRORS[name], RATE_HEADERS[name]
        )
        for name, rules in _RULES.items()
    ),
    _dialect("openai_embeddings", "/embeddings", _decode, encode_error, openai_headers),
)
"""The providers' own, and that of anybody else."""
