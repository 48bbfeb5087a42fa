"""OpenAI embeddings requests: what is scanned, read whole and patched, and what is refused."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.wire.embeddings import (
    MAX_INPUTS,
    EmbeddingsRequest,
    parse_embeddings,
    patch_embeddings,
    scan_embeddings,
)
from slipstream.wire.openai_chat import MAX_MODEL_CHARS, Scan
from slipstream.wire.texts import MAX_TOKEN_ID, Text


def body_of(given: Any = "a", **fields: Any) -> bytes:
    """Encode a request."""
    return json.dumps({"model": "m", "input": given, **fields}).encode()


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("a", ("a",)),
        (" ", (" ",)),
        (["a"], ("a",)),
        (["a", "b", "a"], ("a", "b", "a")),
        ([5], ((5,),)),
        ([0, MAX_TOKEN_ID], ((0, MAX_TOKEN_ID),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
        (["x"] * MAX_INPUTS, ("x",) * MAX_INPUTS),
        ([1] * (MAX_INPUTS + 1), ((1,) * (MAX_INPUTS + 1),)),  # one text, however long
        ("\u00e9\U0001f600", ("\u00e9\U0001f600",)),
    ],
)
def test_parse_every_form_of_input_gives_texts_or_ids(given: Any, inputs: tuple[Text, ...]) -> None:
    """The four forms of OpenAI's input are read, and the scan takes what the parser takes."""
    body = body_of(given)
    assert parse_embeddings(body) == EmbeddingsRequest(inputs, None, False)
    assert scan_embeddings(body) == Scan("m", False, False, 0)


def test_parse_spaces_between_tokens_change_nothing() -> None:
    """The form of an input is seen whatever stands between its brackets."""
    body = b'\n{ "input" : [\r\n [ 1 , 2 ] ] , "model" : "m" }'
    assert parse_embeddings(body).inputs == ((1, 2),)


@pytest.mark.parametrize(
    ("fields", "dimensions", "is_base64"),
    [
        ({}, None, False),
        ({"encoding_format": "float"}, None, False),
        ({"encoding_format": "base64", "dimensions": 256}, 256, True),
        ({"encoding_format": None, "dimensions": None, "user": None}, None, False),
        ({"user": "u", "stream": False}, None, False),
    ],
)
def test_parse_reads_format_and_dimensions(
    fields: dict[str, Any], dimensions: int | None, is_base64: bool
) -> None:
    """What is left out, or null, is OpenAI's default: numbers, all of them."""
    assert parse_embeddings(body_of(**fields)) == EmbeddingsRequest(("a",), dimensions, is_base64)


# For every target alike: refused before any is tried.
BAD_EVERYWHERE: list[tuple[bytes, str | None, str]] = [
    (b"", None, "not valid JSON"),
    (b"[]", None, "must be an object"),
    (b'{"input":"a"}', "model", "Missing required parameter: 'model'"),
    (b'{"model":"m"}', "input", "Missing required parameter: 'input'"),
    (body_of(None), "input", "Missing required parameter: 'input'"),
    (body_of(""), "input", "a text that is not empty"),
    (body_of([]), "input", "1 to 2048 items, got none"),
    (b'{"model":"m","input":[ \n]}', "input", "1 to 2048 items, got none"),
    (body_of(5), "input", "expected a text, an array of texts, .* got 5"),
    (body_of({"text": "a"}), "input", 'got {"text": "a"}'),
    (body_of(model=""), "model", "1 to 512 characters, got 0"),
    (body_of(model="x" * (MAX_MODEL_CHARS + 1)), "model", "1 to 512 characters, got 513"),
    (body_of(model=1), "model", "expected a string, got 1"),
    (body_of(dimensions=0), "dimensions", "expected an integer >= 1, got 0"),
    (body_of(dimensions="8"), "dimensions", 'expected an integer or null, got "8"'),
    (body_of(encoding_format="hex"), "encoding_format", "'float' or 'base64', got 'hex'"),
    (body_of(encoding_format=1), "encoding_format", "expected a string or null, got 1"),
    (body_of(user=1), "user", "expected a string or null, got 1"),
    (body_of(stream=True), "stream", "leave it out"),
    (b'{"model":"m","input":"\xff"}', None, "not valid UTF-8"),
]

BAD_FOR_OURS: list[tuple[bytes, str | None, str]] = [
    (body_of(["a", ""]), "input[1]", 'length >= 1, got ""'),
    (body_of(["a", 1]), "input[1]", "expected a string, got 1"),
    (body_of(["a", None]), "input[1]", "expected a string, got null"),
    (body_of([1, "a"]), "input[1]", 'expected an integer, got "a"'),
    (body_of([1.5]), "input[0]", "expected an integer, got 1.5"),
    (body_of([-1]), "input[0]", "expected an integer >= 0, got -1"),
    (body_of([MAX_TOKEN_ID + 1]), "input[0]", "<= 2147483647, got 2147483648"),
    (body_of([[1], []]), "input[1]", r"length >= 1, got \[\]"),
    (body_of([[1], ["a"]]), "input[1][0]", 'expected an integer, got "a"'),
    (body_of([None]), "input", r"expected a text, .* got \[null\]"),
    (body_of([{"type": "text"}]), "input", "expected a text, .* got .*type"),
    (body_of(["x"] * (MAX_INPUTS + 1)), "input", "1 to 2048 items, got 2049"),
    (body_of([[1]] * (MAX_INPUTS + 1)), "input", "1 to 2048 items, got 2049"),
    (body_of(input_type="query"), "input_type", "'input', 'model', 'dimensions'"),
]


@pytest.mark.parametrize(("body", "param", "said"), BAD_EVERYWHERE)
def test_scan_bad_body_is_refused_by_field(body: bytes, param: str | None, said: str) -> None:
    """The error names the field, the value and what is accepted."""
    with pytest.raises(BadRequest, match=said) as caught:
        scan_embeddings(body)
    assert caught.value.param == param


@pytest.mark.parametrize(("body", "param", "said"), [*BAD_EVERYWHERE, *BAD_FOR_OURS])
def test_parse_bad_body_is_refused_by_field(body: bytes, param: str | None, said: str) -> None:
    """The error names the field, the value and what is accepted."""
    with pytest.raises(BadRequest, match=said) as caught:
        parse_embeddings(body)
    assert caught.value.param == param
    assert caught.value.code


@pytest.mark.parametrize(("body", "param", "said"), BAD_FOR_OURS)
def test_scan_leaves_to_the_provider_what_only_it_knows(
    body: bytes, param: str | None, said: str
) -> None:
    """Inputs with pictures, longer lists and further fields may be right elsewhere."""
    assert scan_embeddings(body).model == "m"


def test_parse_shows_no_more_than_the_beginning_of_a_value() -> None:
    """A message is no place for a text of the caller's."""
    with pytest.raises(BadRequest) as caught:
        parse_embeddings(body_of([{"text": "secret " * 100}]))
    assert len(caught.value.message) < 250


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: body_of(text)))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body raises what is no error of ours."""
    for read in (scan_embeddings, parse_embeddings):
        with suppress(BadRequest):
            read(body)


def patched(body: bytes, **options: Any) -> dict[str, Any]:
    """Return the fields that a provider gets."""
    made = patch_embeddings(body, model="theirs", **{"rename": {}, **options})
    fields: dict[str, Any] = json.loads(made.body)
    return fields


def test_patch_changes_the_model_and_keeps_the_bytes_of_all_else() -> None:
    """What the client wrote goes on as it was written."""
    body = b'{"model":"m","input":[ "\\u0061",  1e0 ],"x":{"y" :1}}'
    made = patch_embeddings(body, model="theirs", rename={})
    assert made.body == b'{"model":"theirs","input":[ "\\u0061",  1e0 ],"x":{"y" :1}}'
    assert not made.needs_base64


def test_patch_renames_and_drops_what_the_row_says() -> None:
    """A field goes by the provider's own name; what it refuses is left out."""
    body = body_of(dimensions=3, user="u", encoding_format="base64")
    fields = patched(body, rename={"dimensions": "output_dimension"}, drop=("user",))
    assert fields == {
        "model": "theirs",
        "input": "a",
        "output_dimension": 3,
        "encoding_format": "base64",
    }
    assert "output_dimension" not in patched(body_of(), rename={"dimensions": "output_dimension"})


@pytest.mark.parametrize(
    ("fields", "needs_base64"),
    [
        ({}, False),
        ({"encoding_format": "float"}, False),
        ({"encoding_format": None}, False),
        ({"encoding_format": "base64"}, True),
    ],
)
def test_patch_for_numbers_only_notes_what_the_client_wants(
    fields: dict[str, Any], needs_base64: bool
) -> None:
    """A provider without base64 is not asked for it, and we know that we owe it."""
    made = patch_embeddings(body_of(**fields), model="t", rename={}, takes_base64=False)
    assert made.needs_base64 is needs_base64
    assert "encoding_format" not in json.loads(made.body)
