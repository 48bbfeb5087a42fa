"""What a client reads when something is wrong, and that nothing else is disturbed."""

import asyncio
import json

import pytest

from tests.flows.conftest import House, OpenHouse
from tests.flows.raw import Answer, ask, encode

GOOD = json.dumps({"model": "lab/any", "messages": [{"role": "user", "content": "hi"}]}).encode()


async def post(house: House, body: bytes, key: str | None = "", path: str = "") -> Answer:
    """Send a chat request with the house's key, unless another is given."""
    key = house.key if key == "" else key
    return await ask(house.url, encode("POST", path or "/v1/chat/completions", key, body))


def error_of(answer: Answer) -> dict[str, str | None]:
    """Return the error, after checking that it is in OpenAI's shape."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "Traceback" not in answer.body.decode()
    assert answer.headers["x-request-id"]
    found: dict[str, str | None] = error
    return found


async def test_no_key_is_refused_and_says_how_to_get_one(house: House) -> None:
    """A request without a key is a 401 that names the command to make one."""
    answer = await post(house, GOOD, key=None)

    assert answer.status == 401
    assert "slipstream keys create" in str(error_of(answer)["message"])
    assert answer.headers["x-should-retry"] == "false"


async def test_wrong_key_is_refused_without_being_repeated(house: House) -> None:
    """A wrong key is a 401 and is not echoed."""
    answer = await post(house, GOOD, key="sk-slip-wrong-key-123")

    assert answer.status == 401
    assert error_of(answer)["code"] == "invalid_api_key"
    assert b"sk-slip-wrong-key-123" not in answer.body


async def test_unknown_model_names_the_nearest(house: House) -> None:
    """An unknown model is a 404 that names it and the nearest one that exists."""
    answer = await post(house, GOOD.replace(b"lab/any", b"chian"))

    error = error_of(answer)
    assert answer.status == 404
    assert error["code"] == "model_not_found"
    assert "'chian'" in str(error["message"])
    assert "'chain'" in str(error["message"])


@pytest.mark.parametrize(
    ("body", "param", "shown"),
    [
        (b"{", None, "JSON"),
        (b"", None, "JSON"),
        (b"[]", None, "object"),
        (b'{"model": "lab/any"}', "messages", "messages"),
        (b'{"messages": []}', "model", "model"),
        (b'{"model": 5, "messages": []}', "model", "5"),
        (b'{"model": "lab/any", "messages": "hi"}', "messages", "array"),
        (b'{"model": "lab/any", "messages": [], "stream": "yes"}', "stream", '"yes"'),
        (b'{"model": "lab/any", "messages": [], "max_tokens": "x"}', "max_tokens", "integer"),
        (b'{"model": "lab/\xff", "messages": []}', None, "UTF-8"),
    ],
)
async def test_bad_body_names_field_and_value(
    house: House, body: bytes, param: str | None, shown: str
) -> None:
    """A body that cannot be understood is a 400 that says where and what would be accepted."""
    answer = await post(house, body)

    error = error_of(answer)
    assert answer.status == 400
    assert error["param"] == param
    assert shown in str(error["message"])
    assert len(house.lab.log) == 0


async def test_body_over_the_bound_is_refused(open_house: OpenHouse) -> None:
    """A body over the bound is a 413 that names the bound; the next request is served."""
    async with open_house(server="max_body_bytes = 2048") as house:
        large = GOOD.replace(b"hi", b"x" * 3000)
        answer = await post(house, large)
        after = await post(house, GOOD)

    assert answer.status == 413
    assert "2048" in str(error_of(answer)["message"])
    assert after.status == 200


async def test_body_of_exactly_the_bound_is_accepted(open_house: OpenHouse) -> None:
    """The bound is inclusive, also for a body that comes in pieces."""
    async with open_house(server="max_body_bytes = 200000") as house:
        answer = await post(house, GOOD.replace(b"hi", b"x" * (200000 - len(GOOD) + 2)))
        over = await post(house, GOOD.replace(b"hi", b"x" * (200001 - len(GOOD) + 2)))

    assert answer.status == 200
    assert over.status == 413


async def test_unknown_path_and_method_say_what_is_offered(house: House) -> None:
    """A wrong path is a 404 and a wrong method a 405, each with what would be right."""
    wrong_path = await post(house, GOOD, path="/v1/chat/completion")
    wrong_method = await ask(house.url, encode("GET", "/v1/chat/completions", house.key, b""))

    assert wrong_path.status == 404
    assert "/v1/chat/completions" in str(error_of(wrong_path)["message"])
    assert wrong_method.status == 405
    assert "POST" in str(error_of(wrong_method)["message"])


async def test_models_are_listed_and_found_by_ids_with_slashes(house: House) -> None:
    """Routes and the providers' own lists are there, each id retrievable."""
    async with house.client() as client:
        ids = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("lab/lab/scripted-mini")

    assert "chain" in ids
    assert "lab/scripted" in ids
    assert one.id == "lab/lab/scripted-mini"


async def test_unknown_model_id_is_a_404(house: House) -> None:
    """An id that is not in the list is a 404 in OpenAI's shape."""
    answer = await ask(house.url, encode("GET", "/v1/models/no/such", house.key, b""))

    assert answer.status == 404
    assert error_of(answer)["code"] == "model_not_found"


async def test_health_needs_no_key_and_metrics_do(house: House) -> None:
    """Only the health endpoint is open."""
    assert (await ask(house.url, encode("GET", "/health", None, b""))).status == 200
    assert (await ask(house.url, encode("GET", "/metrics", None, b""))).status == 401
    assert (await ask(house.url, encode("GET", "/v1/models", None, b""))).status == 401


async def test_metrics_count_requests_by_target(house: House) -> None:
    """What was served is counted, in Prometheus' format."""
    await post(house, GOOD)
    answer = await ask(house.url, encode("GET", "/metrics", house.key, b""))

    text = answer.body.decode()
    assert 'slipstream_request_seconds_count{status="200",target="lab/any"} 1.0' in text


async def test_concurrency_over_the_bound_is_a_503_with_retry_after(open_house: OpenHouse) -> None:
    """A full gateway says so at once and when to come back."""
    async with open_house(server="max_concurrent = 1") as house:
        house.lab.script("delay=30")
        client = house.client(timeout=2.0)
        waiting = asyncio.ensure_future(
            client.chat.completions.create(
                model="lab/any", messages=[{"role": "user", "content": "hi"}]
            )
        )
        await house.lab.wait_for(lambda lab: lab.stats.active_requests == 1)
        answer = await post(house, GOOD)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await client.close()

    assert answer.status == 503
    assert error_of(answer)["code"] == "overloaded"
    assert int(answer.headers["retry-after"]) >= 1
