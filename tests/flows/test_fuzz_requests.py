"""Mutated requests against the whole app with the real model: no defect, no hang, no odd error.

An ordinary run sends 600, always the same ones. More, which begin with these, are sent by
`SLIPSTREAM_FUZZ=10000 .venv/bin/pytest tests/flows/test_fuzz_requests.py`.
"""

import asyncio
import json
import os
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import jsonschema
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings

from tests.flows.dialect_seeds import dialect_seeds
from tests.flows.local_house import local_house
from tests.flows.mutated_requests import DOCUMENT, STRICT, UNKNOWN_METHOD, Sent, requests
from tests.flows.raw import Answer, ask, decode
from tests.prepared_model import MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

NUM_REQUESTS: Final = int(os.environ.get("SLIPSTREAM_FUZZ", "600"))
NUM_AT_ONCE: Final = 16
DEADLINE_S: Final = 120.0  # of one answer, on a machine that does much else
CONFIG: Final = f"""
[routes."{STRICT}"]
targets = ["{MODEL}"]
profile = "cerebras"
"""
REFUSALS: Final = (503, 529)  # a prompt over the engine's cache, a queue that is full
NOT_OFFERED: Final = 501  # of Anthropic's API
_SDK: Final = ("Cerebras/", "AsyncCerebras/")
_SHAPES: Final = {
    "openai": ("Error",),
    "cerebras": ("CerebrasError", "CerebrasDetail", "CerebrasWrappedError"),
    "anthropic": ("AnthropicError",),
}
_STREAM_ERRORS: Final = ("Error", "CerebrasWrappedError", "AnthropicError")
_DONE: Final = "data: [DONE]"
_LAST_TYPES: Final = (
    *("message_stop", "response.completed", "response.incomplete", "response.failed", "error"),
)


class House:
    """A running gateway that is asked over sockets, one connection for each request."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    async def ask(self, sent: Sent) -> Answer:
        """Send a request; return the whole answer, without a `100 Continue` before it."""
        answer = await ask(self._url, sent.encode(self._key), timeout_s=DEADLINE_S)
        return decode(answer.body) if answer.status == 100 else answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Run the gateway for all requests."""
    async with local_house(tmp_path_factory.mktemp("fuzz"), CONFIG) as (sdk, _):
        yield House(str(sdk.base_url).removesuffix("/v1/"), sdk.api_key)


# ---- what is right ------------------------------------------------------------------------------


def problems_of(sent: Sent, answer: Answer) -> list[str]:
    """Return what is wrong with an answer: its status, or its shape for its status and caller."""
    if answer.status >= 500 and answer.status not in (*REFUSALS, NOT_OFFERED):
        return [f"status {answer.status}: {answer.body[:300]!r}"]
    if sent.method == "HEAD":
        return [f"HEAD has a body: {answer.body[:80]!r}"] if answer.body else []
    if answer.status >= 400:
        return list(_problems_of_error(sent, answer))
    told = _operation_of(sent)
    if answer.status != 200 or told is None:
        return [f"status {answer.status} for what is not documented"]
    return list(_problems_of_success(told["responses"]["200"]["content"], answer))


def _problems_of_error(sent: Sent, answer: Answer) -> Iterator[str]:
    shapes = [name for profile in _profiles_of(sent) for name in _SHAPES[profile]]
    if not answer.body:
        is_told = answer.status == 404 and "CerebrasError" in shapes
        if not is_told or not answer.headers["content-type"].startswith("text/plain"):
            yield f"an error of status {answer.status} without a body"
    elif _is_json(answer):
        if not any(_fits(name, answer.json()) for name in shapes):
            yield f"none of {shapes}: {answer.body[:300]!r}"
    else:
        yield f"an error that is no JSON: {answer.headers.get('content-type')} {answer.body[:80]!r}"
    if "x-request-id" not in answer.headers and sent.method != UNKNOWN_METHOD:
        yield "no x-request-id"
    if ("request-id" in answer.headers) != ("AnthropicError" in shapes):
        yield "request-id where it does not belong, or none where it does"
    if answer.status == 429 and "retry-after" not in answer.headers:
        yield "no retry-after with status 429"


def _problems_of_success(content: dict[str, Any], answer: Answer) -> Iterator[str]:
    kind = answer.headers["content-type"]
    if kind.startswith("text/event-stream"):
        yield from _problems_of_stream(content["text/event-stream"]["schema"], answer)
    elif kind not in content:
        yield f"content-type {kind}"
    elif kind == "application/json":
        schema = content[kind]["schema"]
        if not _validator(schema).is_valid(answer.json()):
            yield f"not as documented: {answer.body[:500]!r}"


def _problems_of_stream(schema: dict[str, Any], answer: Answer) -> Iterator[str]:
    *events, last = answer.body.decode().removesuffix("\n\n").split("\n\n")
    checker = _validator(schema)
    values = [json.loads(event.partition("data: ")[2]) for event in events]
    yield from (
        f"no event of this stream: {value}" for value in values if not checker.is_valid(value)
    )
    if last == _DONE:
        return
    end = json.loads(last.partition("data: ")[2])
    is_terminal = last.startswith("event: ") and end.get("type") in _LAST_TYPES
    if not is_terminal and not any(_fits(name, end) for name in _STREAM_ERRORS):
        yield f"a stream that ends with {last[:300]}"


def _profiles_of(sent: Sent) -> list[str]:
    """Return whose API may answer: the caller's, or that of the model if the body names it."""
    if sent.method == UNKNOWN_METHOD:  # refused before it is a request
        return ["openai"]
    place = sent.path.partition("?")[0].removeprefix("/v1")
    if place == "/messages" or place.startswith("/messages/"):
        return ["anthropic"]
    if place == "/responses" or place.startswith("/responses/"):
        return ["openai"]
    if "anthropic-version" in sent.headers and not _is_asked_for_an_answer(sent, place):
        return ["anthropic"]
    if sent.headers.get("user-agent", "").startswith(_SDK):
        return ["cerebras"]
    names_strict = sent.method == "POST" and STRICT.encode() in _unpacked(sent)
    is_public = sent.path.startswith("/public/")  # which only Cerebras has
    return ["openai", "cerebras"] if names_strict or is_public else ["openai"]


def _is_asked_for_an_answer(sent: Sent, place: str) -> bool:
    """Say whether it is a path of several APIs: its own errors are told as the SDK expects."""
    return sent.method == "POST" and place in ("/chat/completions", "/completions", "/embeddings")


def _unpacked(sent: Sent) -> bytes:
    """Return a body without gzip, as far as it can be read."""
    try:
        return zlib.decompressobj(31).decompress(sent.body)
    except zlib.error:
        return sent.body


def _operation_of(sent: Sent) -> dict[str, Any] | None:
    """Return what the document says of a path, which may lack its /v1."""
    path = sent.path.partition("?")[0]
    for known, methods in DOCUMENT["paths"].items():
        start, hole, end = known.partition("{id}")
        for prefix in ("", "/v1"):
            whole = prefix + path
            is_it = whole.startswith(start) and whole.endswith(end) if hole else whole == known
            if is_it and sent.method.lower() in methods:
                found: dict[str, Any] = methods[sent.method.lower()]
                return found
    return None


def _is_json(answer: Answer) -> bool:
    return answer.headers.get("content-type") == "application/json"


def _fits(name: str, value: Any) -> bool:
    return bool(_validator({"$ref": f"#/components/schemas/{name}"}).is_valid(value))


def _validator(schema: dict[str, Any]) -> Any:
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(whole)


# ---- tests --------------------------------------------------------------------------------------


def drawn(num_requests: int) -> list[Sent]:
    """Return requests, always the same ones; fewer are the first of more."""
    found: list[Sent] = []

    @settings(
        max_examples=num_requests,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
    )
    @given(requests())
    def keep(sent: Sent) -> None:
        found.append(sent)

    keep()
    return found


async def test_mutated_requests_are_answered_as_documented(house: House) -> None:
    """No 500, no hang; each answer has the shape that the document has for it."""
    places = asyncio.Semaphore(NUM_AT_ONCE)
    wrong: list[tuple[Sent, list[str]]] = []
    statuses: Counter[int] = Counter()

    async def check(sent: Sent) -> None:
        async with places:
            answer = await house.ask(sent)
        statuses[answer.status] += 1
        if problems := problems_of(sent, answer):
            wrong.append((sent, problems))

    async with asyncio.TaskGroup() as group:
        for sent in drawn(NUM_REQUESTS):
            group.create_task(check(sent))
    assert wrong == [], f"{len(wrong)} of {statuses}"
    assert sum(statuses[status] for status in REFUSALS) <= NUM_REQUESTS / 100, statuses
    # Neither all right nor all wrong: else they would show nothing.
    assert min(statuses[200], statuses[400], statuses[404]) > NUM_REQUESTS / 50, statuses


async def test_gateway_is_well_after_all_of_them(house: House) -> None:
    """Right requests get right answers still."""
    sent = _chat()
    answers = await asyncio.gather(*(house.ask(sent) for _ in range(8)))
    assert [answer.status for answer in answers] == [200] * 8
    assert [problem for answer in answers for problem in problems_of(sent, answer)] == []


async def test_seeds_of_clients_are_answered(house: House) -> None:
    """Claude Code's and Codex's among them, each by the model itself; it reads no pictures."""
    for path, _, body in dialect_seeds(MODEL):
        sent = Sent("POST", path, json.dumps(body).encode(), {"content-type": "application/json"})
        answer = await house.ask(sent)
        wanted = 400 if '"image"' in json.dumps(body) else 200
        assert (path, answer.status) == (path, wanted), answer.body[:300]
        assert problems_of(sent, answer) == []


async def test_document_that_is_served_is_the_one_that_was_fuzzed(house: House) -> None:
    """Every path is served by the whole app, and told by it in the same words."""
    answer = await house.ask(Sent("GET", "/openapi.json", has_key=False))
    told = answer.json()
    assert told["components"] == DOCUMENT["components"]
    without_v1 = {path.removeprefix("/v1") for path in DOCUMENT["paths"]}
    assert DOCUMENT["paths"].keys() <= told["paths"].keys()
    assert told["paths"].keys() <= DOCUMENT["paths"].keys() | without_v1


# ---- the rules can fail -------------------------------------------------------------------------

_JSON: Final = {"content-type": "application/json", "x-request-id": "r"}
_STREAM: Final = {"content-type": "text/event-stream; charset=utf-8"}
_OPENAI_ERROR: Final = b'{"error":{"message":"m","type":"t","param":null,"code":null}}'
_FLAT_ERROR: Final = b'{"message":"m","type":"t","param":"p","code":"c"}'
_CHUNK: Final = (
    b'data: {"id":"i","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}'
)


def _chat(model: str = STRICT, **headers: str) -> Sent:
    said = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    return Sent("POST", "/v1/chat/completions", json.dumps(said).encode(), headers)


def _message(path: str = "/v1/messages", **headers: str) -> Sent:
    return Sent("POST", path, b"{}", headers)


_CEREBRAS: Final = {"user-agent": "Cerebras/Python 1.91.0"}
_OF_ANTHROPIC: Final = _JSON | {"request-id": "r"}
_ANTHROPIC_ERROR: Final = b'{"type":"error","error":{"type":"t","message":"m"},"request_id":"r"}'
_PLACED: Final = {"anthropic-version": "2023-06-01"}
_PLAIN: Final = {"content-type": "text/plain", "x-request-id": "r"}


@pytest.mark.parametrize(
    ("sent", "answer", "is_right"),
    [
        (_chat(MODEL), Answer(400, _JSON, _OPENAI_ERROR), True),
        (_chat(MODEL), Answer(400, _JSON, _FLAT_ERROR), False),
        (_chat(), Answer(400, _JSON, _FLAT_ERROR), True),
        (_chat(**_CEREBRAS), Answer(400, _JSON, _OPENAI_ERROR), False),
        (_chat(**_CEREBRAS), Answer(404, _PLAIN, b""), True),
        (_chat(MODEL), Answer(404, _PLAIN, b""), False),
        (_chat(MODEL), Answer(400, _PLAIN, b"oops"), False),
        (_chat(MODEL), Answer(400, {"content-type": "application/json"}, _OPENAI_ERROR), False),
        (_chat(MODEL), Answer(429, _JSON, _OPENAI_ERROR), False),
        (_chat(MODEL), Answer(429, _JSON | {"retry-after": "1"}, _OPENAI_ERROR), True),
        (_chat(MODEL), Answer(500, _JSON, _OPENAI_ERROR), False),
        (_chat(MODEL), Answer(502, _JSON, _OPENAI_ERROR), False),
        (_chat(MODEL), Answer(503, _JSON, _OPENAI_ERROR), True),
        (_chat(**_CEREBRAS), Answer(503, _JSON, _FLAT_ERROR), True),
        (_chat(MODEL), Answer(200, _JSON, b'{"id":"i"}'), False),
        (_chat(MODEL), Answer(200, _STREAM, _CHUNK + b"\n\ndata: [DONE]\n\n"), True),
        (_chat(MODEL), Answer(200, _STREAM, _CHUNK + b"\n\n"), False),
        (_chat(MODEL), Answer(200, _STREAM, b"data: {}\n\ndata: [DONE]\n\n"), False),
        (_chat(MODEL), Answer(200, _STREAM, b"data: " + _OPENAI_ERROR + b"\n\n"), True),
        (_message(), Answer(400, _OF_ANTHROPIC, _ANTHROPIC_ERROR), True),
        (_message(**_CEREBRAS), Answer(400, _OF_ANTHROPIC, _ANTHROPIC_ERROR), True),
        (_message(), Answer(400, _JSON, _ANTHROPIC_ERROR), False),
        (_message(), Answer(400, _OF_ANTHROPIC, _OPENAI_ERROR), False),
        (_message(), Answer(529, _OF_ANTHROPIC, _ANTHROPIC_ERROR), True),
        (_message(), Answer(500, _OF_ANTHROPIC, _ANTHROPIC_ERROR), False),
        (_message("/messages/x?y"), Answer(404, _OF_ANTHROPIC, _ANTHROPIC_ERROR), True),
        (_message("/nope", **_PLACED), Answer(404, _OF_ANTHROPIC, _ANTHROPIC_ERROR), True),
        (_message("/nope", **_PLACED), Answer(404, _JSON, _OPENAI_ERROR), False),
        (_message("/v1/responses"), Answer(400, _JSON, _OPENAI_ERROR), True),
        (_message("/v1/responses"), Answer(400, _OF_ANTHROPIC, _ANTHROPIC_ERROR), False),
        (_message(), Answer(200, _STREAM, b'event: x\ndata: {"type":"x"}\n\n'), False),
        (
            _message(),
            Answer(200, _STREAM, b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
            True,
        ),
        (_message(), Answer(200, _STREAM, b"event: error\ndata: " + _ANTHROPIC_ERROR), True),
        (Sent("PUT", "/v1/models"), Answer(200, _JSON, b"{}"), False),
        (Sent("HEAD", "/health"), Answer(200, _JSON, b"{}"), False),
    ],
)
async def test_answer_of_a_wrong_shape_is_seen(sent: Sent, answer: Answer, is_right: bool) -> None:
    """Each rule lets the right answer pass, and not the wrong one."""
    assert (problems_of(sent, answer) == []) == is_right
