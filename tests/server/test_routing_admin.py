"""The admin API of routing: a key for all of it, and plans of requests that are never sent."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Frames
from slipstream.choice import Plan, Wishes
from slipstream.errors import NoTarget, UnknownModel
from slipstream.server.doors import doors_of
from slipstream.server.exchange import Terms
from slipstream.server.gateway import Gateway
from slipstream.server.profiles import Profiles
from slipstream.server.routing_admin import RoutingEndpoints
from slipstream.wire.cerebras.models import row_for
from tests.server.asking import HELLO, NO_LIMITS, Asked, ask, gateway_of
from tests.server.plan_samples import RACE, STANDINGS

EXPLAIN = "/v1/slipstream/explain"
TARGETS = "/v1/slipstream/targets"
KEY = (b"authorization", b"Bearer good")
_MAX_BODY_BYTES = 20_000


def find_key(token: str) -> str | None:
    """Know one key."""
    return "key-1" if token == "good" else None


async def serve_nothing(call: Call) -> Frames:
    """Fail the test: nothing is sent for an explanation."""
    raise AssertionError("a request was sent")
    yield


def house(explain: Callable[[Call], Plan] = lambda call: RACE) -> Gateway:
    """Return a gateway with the admin API."""
    terms = Terms(find_key, Profiles(), NO_LIMITS, _MAX_BODY_BYTES)
    routing = RoutingEndpoints(terms, doors_of(row_for), explain, lambda: STANDINGS)
    return gateway_of(serve_nothing, find_key=find_key, more=routing.endpoints())


async def told(gateway: Gateway, body: object, *headers: tuple[bytes, bytes]) -> Asked:
    """Ask for an explanation with the key."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await ask(gateway, Asked(raw, path=EXPLAIN, headers=(KEY, *headers)))


@pytest.mark.parametrize(("method", "path"), [("GET", TARGETS), ("POST", EXPLAIN)])
@pytest.mark.parametrize("key", [b"", b"Bearer wrong"], ids=["none", "wrong"])
async def test_everything_asks_for_a_key(method: str, path: str, key: bytes) -> None:
    """Prices, limits and the names of providers are the operator's."""
    asked = Asked(json.dumps({"body": HELLO}).encode(), method=method, path=path)
    asked.scope["headers"] = [(b"authorization", key)] if key else []
    assert (await ask(house(), asked)).status == 401


async def test_targets_are_told() -> None:
    """As the board has them at that moment."""
    asked = await ask(house(), Asked(method="GET", path=TARGETS, headers=[KEY]))
    body = json.loads(asked.body)
    assert asked.status == 200
    assert asked.headers["x-request-id"].startswith("req-")
    assert [each["state"] for each in body["data"]] == ["open", "half_open", "closed"]


@pytest.mark.parametrize(
    ("path", "body", "headers", "dialect"),
    [
        (None, HELLO, {}, Dialect.OPENAI_CHAT),
        ("/chat/completions", HELLO, {}, Dialect.OPENAI_CHAT),
        (
            "/v1/chat/completions",
            {**HELLO, "model": "gpt-oss-120b"},
            {"User-Agent": "Cerebras/Python 1.91.0"},
            Dialect.CEREBRAS_CHAT,
        ),
        ("/v1/messages", {**HELLO, "max_tokens": 9}, {}, Dialect.ANTHROPIC_MESSAGES),
        ("/v1/responses", {"model": "m", "input": "x"}, {}, Dialect.OPENAI_RESPONSES),
        ("/v1/completions", {"model": "m", "prompt": "x"}, {}, Dialect.OPENAI_COMPLETIONS),
        ("/v1/embeddings", {"model": "m", "input": "x"}, {}, Dialect.OPENAI_EMBEDDINGS),
    ],
    ids=["default", "no v1", "cerebras", "messages", "responses", "completions", "embeddings"],
)
async def test_request_of_any_dialect_is_read_as_its_door_reads_it(
    path: str | None, body: dict[str, Any], headers: dict[str, str], dialect: Dialect
) -> None:
    """The Call that is planned is the one that would be sent, byte for byte."""
    calls: list[Call] = []

    def explain(call: Call) -> Plan:
        calls.append(call)
        return RACE

    asked = {"body": body, "headers": headers} | ({} if path is None else {"path": path})
    answer = await told(house(explain), asked)

    assert answer.status == 200
    assert json.loads(answer.body)["model"] == body["model"]
    [call] = calls
    assert (call.dialect, json.loads(call.body), call.key_id) == (dialect, body, "key-1")


async def test_wishes_of_the_request_are_heard() -> None:
    """In its body or in its header, as where it is sent."""
    heard: list[Wishes | None] = []

    def explain(call: Call) -> Plan:
        heard.append(call.wishes)
        return RACE

    gateway = house(explain)
    await told(gateway, {"body": {**HELLO, "slipstream": {"strategy": "fastest"}}})
    await told(gateway, {"body": HELLO, "headers": {"X-Slipstream": "strategy=race"}})
    assert [wishes and wishes.strategy for wishes in heard] == ["fastest", "race"]


async def test_packed_request_is_unpacked() -> None:
    """A long conversation may come as it would be sent."""
    body = gzip.compress(json.dumps({"body": HELLO}).encode())
    answer = await told(house(), body, (b"content-encoding", b"gzip"))
    assert answer.status == 200


@pytest.mark.parametrize(
    ("body", "status", "param", "complaint"),
    [
        (b"{", 400, None, "not valid JSON"),
        ({}, 400, "body", "Missing required parameter: 'body'"),
        ({"body": HELLO, "pth": "x"}, 400, None, "unknown field `pth`"),
        ({"body": HELLO, "path": "/v1/models"}, 400, "path", "/v1/chat/completions, "),
        ({"body": {"model": "m"}}, 400, "messages", "messages"),
        ({"body": HELLO, "headers": {"x-slipstream": "strategy=fast"}}, 400, None, "'fastest'"),
        ({"body": HELLO, "headers": {"x": 1}}, 400, None, "a string"),
        ({"body": "x" * _MAX_BODY_BYTES}, 413, None, "at most"),
    ],
    ids=["json", "body", "field", "path", "request", "wish", "header", "large"],
)
async def test_request_that_cannot_be_read_is_refused_in_the_shape_of_the_house(
    body: object, status: int, param: str | None, complaint: str
) -> None:
    """The error names the field, and what would be accepted."""
    answer = await told(house(), body)
    assert answer.status == status
    assert complaint in answer.error["message"]
    assert param is None or answer.error["param"] == param


async def test_model_that_does_not_exist_is_told_as_when_it_is_asked() -> None:
    """The planner's own error, with the nearest names."""

    def explain(call: Call) -> Plan:
        raise UnknownModel("no such model. Did you mean 'auto'?")

    answer = await told(house(explain), {"body": HELLO})
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert "Did you mean" in answer.error["message"]


async def test_request_that_nobody_can_serve_is_explained() -> None:
    """Why each target was left is what one asks for: it is no error here."""
    left = Plan(
        route="auto",
        strategy="balanced",
        targets=(),
        deadlines=RACE.deadlines,
        max_attempts=4,
        weighed=RACE.weighed[:1],
    )

    def explain(call: Call) -> Plan:
        error = NoTarget("No target can serve this.", left=(), status=400)
        error.plan = left
        raise error

    body = json.loads((await told(house(explain), {"body": HELLO})).body)
    assert body["problem"] == "No target can serve this."
    assert body["tries"] == []
    assert [each["is_taken"] for each in body["candidates"]] == [False]
