"""Answers of OpenAI Embeddings: made for our own models, looked at and relayed for the others.

Vectors are little-endian float32, which is what base64 holds: no number is touched on that way.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

import struct
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from slipstream.call import Frame, Meaning, Usage
from slipstream.errors import Broken
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.usage import read_usage

_BYTES_PER_FLOAT: Final = 4
# About four bytes of a request make a token, as where the ledger estimates.
_BYTES_PER_TOKEN: Final = 4
_START_BYTES: Final = 256  # of an array, to see whether it has items
_NOTHING: Final = msgspec.Raw()
_EMPTY: Final = frozenset({b"", b"null", b'""', b"[]", b"{}"})


class _Answer(msgspec.Struct):
    data: msgspec.Raw = _NOTHING
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


_encoder: Final = msgspec.json.Encoder()
_answer_decoder: Final = msgspec.json.Decoder(_Answer)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items_decoder: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_floats_decoder: Final = msgspec.json.Decoder(list[float])


def encode_items(vectors: bytes, dimensions: int, *, first_index: int, is_base64: bool) -> bytes:
    """Return items of an answer's `data`, with commas between them.

    Args:
        vectors: One behind the other, little-endian float32.  # (inputs, dimensions)
        first_index: Of the first of these among all inputs.
        is_base64: Write each vector as base64 of its bytes instead of as numbers.
    """
    write = _as_base64 if is_base64 else _as_numbers
    return b",".join(
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, write(vector))
        for index, vector in enumerate(_split(vectors, dimensions), first_index)
    )


def encode_embeddings(items: Iterable[bytes], *, model: str, prompt_tokens: int) -> bytes:
    """Return the body of an answer of what `encode_items` returned, in order."""
    return b'{"object":"list","data":[%b],"model":%b,"usage":%b}' % (
        b",".join(items),
        _encoder.encode(model),
        b'{"prompt_tokens":%d,"total_tokens":%d}' % (prompt_tokens, prompt_tokens),
    )


def read_embeddings(body: bytes, *, request_bytes: int, needs_base64: bool = False) -> Frame:
    """Read a whole answer; the frame carries its bytes, unchanged unless base64 is wanted.

    Args:
        request_bytes: Of the request, to estimate its tokens if the answer does not state them.
        needs_base64: Its vectors are numbers, and the client asked for base64.

    Raises:
        Broken: The body is no list of embeddings.
        UpstreamError: It is an error inside a 200.
    """
    try:
        said = _answer_decoder.decode(body)
    except UNREADABLE as exc:
        if errors_in.is_error(body):
            raise errors_in.read_error(200, body, retry_after_s=None) from exc
        raise Broken(f"the answer is no list of embeddings: {exc}") from exc
    has_data = _has_items(bytes(memoryview(said.data)[:_START_BYTES]))
    if (not has_data or bytes(said.error) not in _EMPTY) and errors_in.is_error(body):
        raise errors_in.read_error(200, body, retry_after_s=None)
    if not has_data:
        raise Broken("the answer holds no embeddings")
    usage = read_usage(said.usage)
    if usage is None:
        # Not the ledger's own estimate, which would take the vectors for text that was written.
        usage = Usage(input_tokens=request_bytes // _BYTES_PER_TOKEN, is_estimate=True)
    return Frame(_with_base64(body) if needs_base64 else body, Meaning.END, usage)


def _has_items(start: bytes) -> bool:
    """Tell an array with something in it by its first bytes."""
    return start[:1] == b"[" and start[1:].lstrip()[:1] not in (b"", b"]")


def _split(vectors: bytes, dimensions: int) -> Iterator[memoryview]:
    view, size = memoryview(vectors), dimensions * _BYTES_PER_FLOAT
    return (view[start : start + size] for start in range(0, len(view), size))


def _as_base64(vector: bytes | memoryview) -> bytes:
    return b'"%b"' % b2a_base64(vector, newline=False)


def _as_numbers(vector: memoryview) -> bytes:
    return _encoder.encode(struct.unpack(f"<{len(vector) // _BYTES_PER_FLOAT}f", vector))


def _with_base64(body: bytes) -> bytes:
    """Return an answer with its vectors as base64, and all else as it was.

    Raises:
        Broken: A vector is no array of numbers that float32 can hold.
    """
    try:
        fields = _fields_decoder.decode(body)
        items = _items_decoder.decode(fields["data"])
        for item in items:
            item["embedding"] = _rewritten(item.get("embedding", _NOTHING))
    except (*UNREADABLE, OverflowError) as exc:
        raise Broken(f"a vector of the answer is no array of numbers: {exc}") from exc
    fields["data"] = msgspec.Raw(_encoder.encode(items))
    return _encoder.encode(fields)


def _rewritten(raw: msgspec.Raw) -> msgspec.Raw:
    if bytes(memoryview(raw)[:1]) == b'"':  # it sent base64 unasked
        return raw
    floats = _floats_decoder.decode(raw)
    return msgspec.Raw(_as_base64(struct.pack(f"<{len(floats)}f", *floats)))
