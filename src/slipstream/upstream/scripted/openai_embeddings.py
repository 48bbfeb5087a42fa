"""The dialect OpenAI embeddings, seen from the provider's side: vectors made of a text's digest.

The same text gives the same vector of length 1, whatever stands beside it; one word is one token.
"""

import math
import struct
from base64 import b64encode
from collections.abc import Iterator
from hashlib import shake_128
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.answer import count_words
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Stamp
from slipstream.upstream.scripted.openai_chat import encode_error

DIMENSIONS: Final = 8
_encode_json: Final = msgspec.json.Encoder().encode

_Text = Annotated[str, Meta(min_length=1)]
_Inputs = Annotated[list[_Text | list[int] | int], Meta(min_length=1, max_length=2048)]


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1)]
    input: _Text | _Inputs
    dimensions: Annotated[int, Meta(ge=1, le=4096)] | None = None
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
        dimensions=said.dimensions or DIMENSIONS,
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


OPENAI_EMBEDDINGS: Final = Dialect(
    name="openai_embeddings",
    path_suffixes=("/embeddings",),
    decode=_decode,
    encode=_encode,
    stream=_stream,
    encode_error=encode_error,
)
