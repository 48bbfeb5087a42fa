"""OpenAI embeddings answers: ours, made of bytes, and a provider's, looked at and relayed."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse

from slipstream.call import Meaning, Usage
from slipstream.errors import Broken, Busy, Rejected, UpstreamError
from slipstream.wire.embeddings_answer import (
    encode_embeddings,
    encode_items,
    read_embeddings,
)

VECTORS = [[0.1, -0.25, 3.0], [0.0, 1e-30, -1.0]]


def packed(vector: list[float]) -> bytes:
    """Return a vector as the engine gives it."""
    return struct.pack(f"<{len(vector)}f", *vector)


def encoded(*, is_base64: bool, model: str = "m") -> dict[str, Any]:
    """Return the answer of VECTORS, decoded."""
    items = [
        encode_items(packed(vector), 3, first_index=index, is_base64=is_base64)
        for index, vector in enumerate(VECTORS)
    ]
    body = encode_embeddings(items, model=model, prompt_tokens=7)
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize("is_base64", [False, True])
def test_encode_has_the_shape_of_the_sdk(is_base64: bool) -> None:
    """Objects, places, model and usage are OpenAI's."""
    said = encoded(is_base64=is_base64, model='odd "näme"')
    assert said["object"] == "list"
    assert said["model"] == 'odd "näme"'
    assert said["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert [(item["object"], item["index"]) for item in said["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]


def test_encode_numbers_are_those_of_the_engine() -> None:
    """Each number is the float32 itself, and the SDK's own type takes the answer."""
    said = encoded(is_base64=False)
    vectors = [item["embedding"] for item in said["data"]]
    assert vectors == [list(struct.unpack("<3f", packed(vector))) for vector in VECTORS]
    assert CreateEmbeddingResponse.model_validate(said).data[0].embedding == vectors[0]


def test_encode_base64_holds_the_bytes_of_the_engine() -> None:
    """Little-endian float32, in the standard alphabet with padding, no line breaks."""
    said = encoded(is_base64=True)
    assert [item["embedding"] for item in said["data"]] == [
        base64.b64encode(packed(vector)).decode() for vector in VECTORS
    ]


@given(
    st.lists(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4
        ),
        min_size=1,
        max_size=5,
    )
)
def test_both_formats_say_the_same_bits(vectors: list[list[float]]) -> None:
    """Numbers read back as float32 are, bit for bit, what base64 holds."""
    raw = b"".join(map(packed, vectors))
    numbers, same = (
        encode_embeddings(
            [encode_items(raw, 4, first_index=0, is_base64=is_base64)], model="m", prompt_tokens=1
        )
        for is_base64 in (False, True)
    )
    assert b"".join(packed(item["embedding"]) for item in json.loads(numbers)["data"]) == raw
    turned = read_embeddings(numbers, request_bytes=0, needs_base64=True).data
    assert json.loads(turned) == json.loads(same)


def answer(**fields: Any) -> bytes:
    """Encode a provider's answer."""
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 1]}]
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    return json.dumps({"object": "list", "data": data, "usage": usage, **fields}).encode()


def test_read_keeps_the_bytes_and_takes_the_usage() -> None:
    """What is relayed is the provider's own answer; its tokens are on record."""
    body = answer(more=[1])
    frame = read_embeddings(body, request_bytes=400)
    assert frame.data is body
    assert frame.meaning is Meaning.END
    assert frame.usage == Usage(input_tokens=9)


def test_read_takes_the_cost_that_the_provider_states() -> None:
    """OpenRouter says what it charged."""
    frame = read_embeddings(
        answer(usage={"prompt_tokens": 9, "total_tokens": 9, "cost": 1.5e-6}), request_bytes=0
    )
    assert frame.usage == Usage(input_tokens=9, reported_cost_usd_pico=1_500_000)


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 4}, "none"])
def test_read_without_usage_estimates_the_input_alone(usage: Any) -> None:
    """Vectors are no text that was written: however long, they count as no token."""
    data = [{"index": 0, "embedding": [0.123456789] * 3000}]
    frame = read_embeddings(answer(usage=usage, data=data), request_bytes=400)
    assert frame.usage == Usage(input_tokens=100, is_estimate=True)


def test_read_as_base64_keeps_all_else() -> None:
    """Only the vectors change, and one that is base64 already stays."""
    data = [
        {"object": "embedding", "index": 1, "embedding": [0.5, 1]},
        {"embedding": "AAAA", "index": 0, "x": None},
    ]
    frame = read_embeddings(answer(data=data, more={"a": 1}), request_bytes=0, needs_base64=True)
    said = json.loads(frame.data)
    assert said["more"] == {"a": 1}
    assert said["usage"] == {"prompt_tokens": 9, "total_tokens": 9}
    assert said["data"] == [
        {**data[0], "embedding": base64.b64encode(packed([0.5, 1])).decode()},
        data[1],
    ]


@pytest.mark.parametrize("vector", [[1e39], ["a"], None, {"a": 1}, 5])
def test_read_as_base64_refuses_what_is_no_vector(vector: Any) -> None:
    """What float32 cannot hold is the provider's slip and not ours."""
    body = answer(data=[{"index": 0, "embedding": vector}])
    with pytest.raises(Broken, match="no array of numbers"):
        read_embeddings(body, request_bytes=0, needs_base64=True)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", Broken),
        (b"<html>", Broken),
        (b"[]", Broken),
        (b"{}", Broken),
        (b'{"data":null}', Broken),
        (b'{"data":[ ]}', Broken),
        (b'{"data":"x"}', Broken),
        (answer()[:-9], Broken),
        (b'{"error":{"message":"no","type":"invalid_request_error"}}', Rejected),
        (b'[{"error":{"message":"slow","status":"RESOURCE_EXHAUSTED"}}]', Busy),
        (answer(error={"message": "no", "code": 400}), Rejected),
        (b'{"data":[],"error":{"message":"no","code":503}}', Rejected),
    ],
)
def test_read_what_is_no_answer_raises(body: bytes, error: type[UpstreamError]) -> None:
    """An error inside a 200 is that error; what is no list of embeddings is broken."""
    with pytest.raises(error):
        read_embeddings(body, request_bytes=0)
