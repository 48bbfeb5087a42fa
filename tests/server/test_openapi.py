"""Tests of slipstream.server.openapi: the document is valid, whole, and says what is so."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import validate

from scripts import api_page
from slipstream.batches.records import FileRecord, Problem, Status, moved, new_batch
from slipstream.call import Usage
from slipstream.errors import (
    BadRequest,
    ContextTooLong,
    GatewayError,
    NoKey,
    OutOfBlocks,
    OverLimit,
    Unauthorized,
    UnknownModel,
    WrongMethod,
)
from slipstream.server.batches import BatchesApi, shown_batch
from slipstream.server.counting import CountEndpoints
from slipstream.server.files import FilesApi, shown_file
from slipstream.server.models import ModelEndpoints
from slipstream.server.openapi.document import Json, described, openapi_document
from slipstream.server.openapi.operations import OPERATIONS
from slipstream.server.paging import Wanted, page_of
from slipstream.server.render import CEREBRAS, MESSAGES, OPENAI
from slipstream.server.responses import ResponsesApi
from slipstream.server.responses_counting import ResponsesCountEndpoints
from slipstream.server.routing_admin import RoutingEndpoints
from slipstream.wire.cerebras.answer import CerebrasAnswer
from slipstream.wire.cerebras.completions_answer import CerebrasCompletionAnswer
from slipstream.wire.cerebras.listing import FORMATS, Listed, model_body, models_body
from slipstream.wire.cerebras.models import MODELS
from slipstream.wire.cerebras.objects import Times
from slipstream.wire.cerebras.request import read_cerebras_request
from slipstream.wire.chat_answer import ChatAnswer
from slipstream.wire.chat_messages import TurnCall
from slipstream.wire.chat_request import parse_chat_request
from slipstream.wire.completions_answer import CompletionAnswer
from slipstream.wire.completions_request import parse_completions
from slipstream.wire.embeddings import parse_embeddings
from slipstream.wire.embeddings_answer import encode_embeddings, encode_items
from slipstream.wire.openai_chat import scan_request
from tests.server.asking import gateway_of, whole

USAGE = Usage(input_tokens=3, output_tokens=2)


class Token(NamedTuple):
    """A token as the engine tells it."""

    token: bytes
    logprob: float
    top: Sequence[tuple[bytes, float]] = ()


class Piece(NamedTuple):
    """More of an answer as the engine tells it."""

    text: str = ""
    choice: int = 0
    reasoning: str = ""
    tool_call: TurnCall | None = None
    logprobs: Sequence[Token] = ()
    finish: str | None = None
    tokens: Sequence[int] = ()

    @property
    def has_reasoned(self) -> bool:
        """Whether its tokens were reasoning."""
        return bool(self.reasoning)


PIECES = [
    Piece(reasoning="hm", logprobs=[Token(b"hm", -1.0, [(b"hm", -1.0)])]),
    Piece(text="ok", logprobs=[Token(b"ok", -2.0)]),
    Piece(tool_call=TurnCall("call_1", "f", "{}")),
    Piece(finish="tool_calls"),
]


async def _served() -> list[tuple[str, str]]:
    """Return the paths of a gateway that offers all there is; nobody asks it."""
    store: Any = None
    more = {
        **ModelEndpoints(store, store, store, store).endpoints(),
        **FilesApi(store, None).endpoints(),
        **BatchesApi(store, store, None).endpoints(),
        **CountEndpoints(store, store, store).endpoints(),
        **ResponsesCountEndpoints(store, store, store, store).endpoints(),
        **ResponsesApi(store, store, None).endpoints(),
        **RoutingEndpoints(store, store, store, store).endpoints(),
    }
    return list(gateway_of(whole(), more=more).paths.patterns)


@pytest.fixture(name="document")
async def _document() -> Json:
    return openapi_document(await _served(), title="Slipstream", version="1.2.3")


def _problems(document: Json, schema: Json, value: Any) -> list[str]:
    """Return what is wrong with a value by a schema whose references the document resolves."""
    checker = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in checker.iter_errors(value)]


def _named(document: Json, name: str, value: Any) -> list[str]:
    return _problems(document, {"$ref": f"#/components/schemas/{name}"}, value)


# ---- the document -------------------------------------------------------------------------------


async def test_document_is_valid_openapi(document: Json) -> None:
    """The official schema and every reference."""
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "1.2.3"
    assert json.loads(json.dumps(document)) == document


async def test_document_tells_every_path_that_is_served_and_no_other(document: Json) -> None:
    """By method and path, ids without the mark of those that may hold slashes."""
    told = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    assert told == {(method, pattern.replace("*}", "}")) for method, pattern in await _served()}


async def test_every_row_is_served() -> None:
    """No operation is described that there is not."""
    served = {(method, described(pattern)) for method, pattern in await _served()}
    assert {(row.method, row.path) for row in OPERATIONS} == served


def test_path_without_a_row_is_an_error() -> None:
    """Nothing is served in silence."""
    with pytest.raises(LookupError, match="PUT /v1/models has no row"):
        openapi_document([("PUT", "/v1/models")], title="x", version="1")


async def test_operations_have_ids_of_their_own(document: Json) -> None:
    """A path without /v1 is the same operation under another id."""
    ids = [
        each["operationId"] for methods in document["paths"].values() for each in methods.values()
    ]
    assert len(ids) == len(set(ids))
    assert document["paths"]["/models"]["get"]["operationId"] == "listModelsWithoutV1"


async def test_schemas_have_names_that_people_read(document: Json) -> None:
    """No module, no underscore: each is one record's own name."""
    assert [
        n for n in document["components"]["schemas"] if not re.fullmatch("[A-Z][A-Za-z]+", n)
    ] == []


async def test_only_what_is_open_asks_for_no_key(document: Json) -> None:
    """Security stands at the top and is taken off where no key is asked for."""
    assert document["security"] == [{"bearer": []}, {"key": []}]
    paths = document["paths"].items()
    free = {
        path for path, methods in paths if any(m.get("security") == [] for m in methods.values())
    }
    assert free == {
        "/",
        "/health",
        "/openapi.json",
        "/public/v1/models",
        "/public/v1/models/{id}",
        "/v1/tcp_warming",
    }


async def test_chat_takes_json_and_msgpack_and_tells_headers_and_errors(document: Json) -> None:
    """What the contract's sections 1.2, 1.3, 4.2 and 5 name."""
    chat = document["paths"]["/v1/chat/completions"]["post"]
    assert set(chat["requestBody"]["content"]) == {
        "application/json",
        "application/msgpack",
        "application/vnd.msgpack",
        "application/x-msgpack",
    }
    headers = chat["responses"]["200"]["headers"]
    assert {"inference-id", "x-slipstream-cost-usd", "x-ratelimit-reset-tokens-minute"} <= set(
        headers
    )
    assert sum(name.startswith("x-ratelimit-") for name in headers) == 18
    assert set(chat["responses"]) >= {"200", "400", "401", "403", "404", "413", "429", "500", "503"}
    assert "retry-after" in document["components"]["responses"]["E429"]["headers"]
    assert {each["$ref"].rpartition("/")[2] for each in chat["parameters"]} == {
        "content-encoding",
        "x-cerebras-version-patch",
        "queue_threshold",
    }


def test_api_page_is_fresh() -> None:
    """docs/api.md is what the document makes it: run `make docs`."""
    assert api_page.PAGE.read_text() == api_page.render()


# ---- requests -----------------------------------------------------------------------------------

HI = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
TURNS = [
    {"role": "system", "content": "s"},
    *HI,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}]},
]
CHATS: list[dict[str, Any]] = [
    {},
    {"messages": TURNS, "tools": [TOOL], "tool_choice": "required"},
    {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
    {"response_format": FORMAT},
    {"stream": True, "stream_options": {"include_usage": True}},
    {"stop": ["a", "b"], "logit_bias": {"7": -1}, "seed": 1, "n": 2, "temperature": 0, "top_p": 1},
    {"prediction": {"type": "content", "content": "x"}},
    {"max_completion_tokens": 4, "reasoning_effort": "low", "service_tier": "auto"},
]
WRONG_EVERYWHERE: list[dict[str, Any]] = [
    {"messages": []},
    {"messages": "hi"},
    {"messages": [{"role": "king", "content": "x"}]},
    {"temperature": 3},
    {"top_p": "1"},
    {"n": 0},
    {"stream": 1},
    {"tools": [{"type": "function"}]},
    {"logprobs": True, "top_logprobs": 21},
    {"response_format": {"type": "xml"}},
    {"tools": [TOOL], "tool_choice": "always"},
]
WRONG_AT_CEREBRAS: list[dict[str, Any]] = [
    {"top_k": 1},
    {"messages": [{"role": "user", "content": "x", "x": 1}]},
    {"messages": [{"role": "assistant", "content": "x", "reasoning_content": "y"}]},
    {"stream_options": {"x": 1}},
    {"tools": [{**TOOL, "x": 1}]},
    {"response_format": {**FORMAT, "x": 1}},
    {"stop": list("abcde")},
    {"max_tokens": -2},
]


def _chat(fields: dict[str, Any]) -> dict[str, Any]:
    return {"model": "gpt-oss-120b", "messages": HI} | fields


@pytest.mark.parametrize("fields", CHATS)
async def test_chat_that_is_read_is_described(document: Json, fields: dict[str, Any]) -> None:
    """Both readers take it, and so do both schemas."""
    body = json.dumps(_chat(fields)).encode()
    scan_request(body)
    parse_chat_request(body)
    read_cerebras_request(body)
    assert _named(document, "ChatRequest", _chat(fields)) == []
    assert _named(document, "CerebrasChatRequest", _chat(fields)) == []


@pytest.mark.parametrize("fields", [*WRONG_EVERYWHERE, *WRONG_AT_CEREBRAS])
async def test_strict_chat_that_is_refused_is_not_described(
    document: Json, fields: dict[str, Any]
) -> None:
    """Unknown keys at any level, types and ranges."""
    with pytest.raises(BadRequest):
        read_cerebras_request(json.dumps(_chat(fields)).encode())
    assert _named(document, "CerebrasChatRequest", _chat(fields)) != []


@pytest.mark.parametrize("fields", WRONG_EVERYWHERE)
async def test_chat_that_is_refused_is_not_described(
    document: Json, fields: dict[str, Any]
) -> None:
    """Types and ranges."""
    body = json.dumps(_chat(fields)).encode()
    with pytest.raises(BadRequest):
        parse_chat_request(scan_request(body) and body)
    assert _named(document, "ChatRequest", _chat(fields)) != []


@pytest.mark.parametrize(
    ("fields", "is_right"),
    [
        ({"prompt": "x"}, True),
        ({"prompt": ["x", "y"], "max_tokens": 3, "logprobs": 1, "echo": False}, True),
        ({"prompt": [1, 2]}, True),
        ({"prompt": [[1], [2]]}, True),
        ({"prompt": ""}, False),
        ({"prompt": ["x", 1]}, False),
        ({"prompt": "x", "logprobs": 6}, False),
        ({"prompt": "x", "unknown": 1}, False),
        ({}, False),
    ],
)
async def test_completion_is_described_as_it_is_read(
    document: Json, fields: dict[str, Any], is_right: bool
) -> None:
    """The reader and the schema agree, also on unknown fields."""
    asked = {"model": "m"} | fields
    try:
        parse_completions(json.dumps(asked).encode())
    except BadRequest:
        assert not is_right
    assert (_named(document, "CompletionRequest", asked) == []) == is_right


@pytest.mark.parametrize(
    ("fields", "is_right"),
    [
        ({"input": "x", "dimensions": 3, "encoding_format": "base64"}, True),
        ({"input": [[1, 2]]}, True),
        ({"input": [{}]}, False),
        ({"input": "x", "encoding_format": "hex"}, False),
        ({"input": "x", "dimensions": 0}, False),
    ],
)
async def test_embeddings_are_described_as_they_are_read(
    document: Json, fields: dict[str, Any], is_right: bool
) -> None:
    """The reader and the schema agree."""
    asked = {"model": "m"} | fields
    try:
        parse_embeddings(json.dumps(asked).encode())
    except BadRequest:
        assert not is_right
    assert (_named(document, "EmbeddingsRequest", asked) == []) == is_right


# ---- answers ------------------------------------------------------------------------------------


def _common(answer_id: str) -> dict[str, Any]:
    return {"answer_id": answer_id, "model": "m", "created_s": 5, "fingerprint": "fp_0"}


def _cerebras() -> CerebrasAnswer:
    answer = CerebrasAnswer(
        **_common("chatcmpl-1"), wants_logprobs=True, reasoning_format="parsed", service_tier="auto"
    )
    answer.measure(Times(queue_s=0.1, prompt_s=0.2, completion_s=0.3, total_s=0.6, created_s=5.5))
    return answer


def _openai() -> ChatAnswer:
    return ChatAnswer(**_common("chatcmpl-1"), wants_usage=True, wants_logprobs=True)


def _text() -> CompletionAnswer:
    return CompletionAnswer(**_common("cmpl-1"), wants_usage=True, wants_logprobs=True)


def _streamed(answer: CerebrasAnswer | ChatAnswer) -> Iterator[Any]:
    frames = [answer.open(), *(answer.tell(piece, USAGE) for piece in PIECES)]
    frames += answer.close(None, USAGE)
    yield from _events(b"".join(frame.data for frame in frames if frame is not None))


def _events(data: bytes) -> Iterator[Any]:
    for event in data.decode().removesuffix("\n\n").split("\n\n"):
        if event != "data: [DONE]":
            yield json.loads(event.removeprefix("data: "))


async def test_chat_answers_are_described(document: Json) -> None:
    """Plain and streamed, in both APIs: with reasoning, a tool call and log probabilities."""
    for name, answer in (("Cerebras", _cerebras()), ("", _openai())):
        body = json.loads(answer.whole(PIECES, USAGE).data)
        assert _named(document, f"{name}ChatCompletion", body) == []
    for name, answer in (("Cerebras", _cerebras()), ("", _openai())):
        events = list(_streamed(answer))
        assert len(events) > 4
        for event in events:
            assert _named(document, f"{name}ChatCompletionChunk", event) == []


async def test_text_answers_and_vectors_are_described(document: Json) -> None:
    """Plain and streamed completions, embeddings in both encodings."""
    body = json.loads(_text().whole([("", PIECES[1:2])], USAGE).data)
    assert _named(document, "Completion", body) == []
    answer = _text()
    frames = [answer.tell(PIECES[1], USAGE, 0), *answer.close("stop", USAGE)]
    for event in _events(b"".join(frame.data for frame in frames if frame is not None)):
        assert _named(document, "Completion", event) == []
    for is_base64 in (False, True):
        items = encode_items(bytes(8), 2, first_index=0, is_base64=is_base64)
        vectors = json.loads(encode_embeddings([items], model="m", prompt_tokens=1))
        assert _named(document, "Embeddings", vectors) == []


async def test_text_answers_of_the_cerebras_profile_are_described(document: Json) -> None:
    """Plain and streamed, with log probabilities, and as token ids."""
    options: tuple[dict[str, Any], ...] = ({"wants_logprobs": True}, {"returns_tokens": True})
    for more in options:
        pieces = [PIECES[1]._replace(tokens=[5]), PIECES[3]]
        plain, streamed = (
            CerebrasCompletionAnswer(**_common("chatcmpl-1"), **more) for _ in range(2)
        )
        body = json.loads(plain.whole([("", pieces)], USAGE).data)
        assert _named(document, "CerebrasCompletion", body) == []
        frames = [streamed.tell(piece, USAGE, 0, "") for piece in pieces]
        frames += streamed.close(USAGE)
        for event in _events(b"".join(frame.data for frame in frames if frame is not None)):
            assert _named(document, "CerebrasCompletion", event) == []


async def test_files_and_batches_are_described(document: Json) -> None:
    """As their owner sees them, alone and in a page; a batch that failed says why."""
    file = FileRecord(
        id="file_1",
        key_id="k",
        filename="a",
        purpose="batch",
        num_bytes=1,
        created_at_ns=1,
        expires_at_s=9,
    )
    batch = new_batch(
        key_id="k",
        input_file_id="file_1",
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"a": "b", "c": ["d"]},
        output_life_s=3600,
        created_at_ns=1,
    )
    problems = (Problem(code="c", message="m", line=1),)
    failed = moved(batch, Status.FAILED, 5.0, problems=problems)
    for name, records, show in (
        ("File", [file], shown_file),
        ("Batch", [batch, failed], shown_batch),
    ):
        page = page_of(records, Wanted(20, None, True), show)  # type: ignore[arg-type]
        assert _named(document, f"{name}List", _plain(page)) == []
        assert len(page["data"]) == len(records)  # type: ignore[arg-type]
        assert set(_plain(page)["data"][0]) == set(
            document["components"]["schemas"][name]["properties"]
        )


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


async def test_lists_of_models_are_described(document: Json) -> None:
    """Each format of both lists, whole and one by one."""
    row = MODELS["gpt-oss-120b"]
    models = [Listed(name=row.name, row=row, context_tokens=8, max_output_tokens=8)]
    for path, is_public in (("/v1/models", False), ("/public/v1/models", True)):
        for form in FORMATS:
            listed = json.loads(models_body(models, form, is_public=is_public))
            assert _problems(document, _answered(document, path), listed) == []
            one = json.loads(model_body(models, row.name, form, is_public=is_public))
            assert _problems(document, _answered(document, f"{path}/{{id}}"), one) == []
            assert _problems(document, _answered(document, path), one) != []


def _answered(document: Json, path: str) -> Json:
    told: Json = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    schema: Json = told["schema"]
    return schema


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("x", param="p", code="c"),
        Unauthorized("x"),
        NoKey("x"),
        UnknownModel("x"),
        ContextTooLong("x"),
        OverLimit("x", what="tokens", unit="hour", retry_after_s=1),
        OutOfBlocks("x"),
        GatewayError("x"),
    ],
)
async def test_errors_are_described_under_their_status(document: Json, error: GatewayError) -> None:
    """In each API, whatever status each gives them."""
    for shape in (OPENAI, CEREBRAS, MESSAGES):
        told = document["components"]["responses"][f"E{shape.status(error)}"]
        schema = told["content"]["application/json"]["schema"]
        assert _problems(document, schema, json.loads(shape.body(error, "req-1"))) == []
        assert _problems(document, schema, {"oops": "x"}) != []


async def test_detail_is_the_shape_of_a_wrong_method(document: Json) -> None:
    """A method that a path does not take is no operation: its shape is one of the four."""
    body = CEREBRAS.body(WrongMethod("x"), "req-1")
    assert _named(document, "CerebrasDetail", json.loads(body)) == []
