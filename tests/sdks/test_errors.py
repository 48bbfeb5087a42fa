"""What goes wrong, as every SDK tells it: classes, bodies, retries and timeouts."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest
from cerebras.cloud import sdk as cerebras

from tests.prepared_model import MODEL
from tests.sdks.asking import Sdk
from tests.sdks.gateway import Gateway
from tests.sdks.node_host import NodeHost

MODULES: dict[Sdk, Any] = {"cerebras": cerebras, "openai": openai}
CLIENTS: dict[Sdk, str] = {"cerebras": "Cerebras", "openai": "OpenAI"}
ASYNC_CLIENTS: dict[Sdk, str] = {"cerebras": "AsyncCerebras", "openai": "AsyncOpenAI"}
ASKED: dict[str, Any] = {
    "model": "gpt-oss-120b",
    "messages": [{"role": "user", "content": "Where is Paris?"}],
    "max_completion_tokens": 8,
}
# An answer that takes minutes: it may not end by itself.
ENDLESS: dict[str, Any] = {
    **ASKED,
    "model": "llama-3.3-70b",
    "max_completion_tokens": 6000,
    "logit_bias": {"0": -100, "2": -100},  # the tokens that end an answer
}
BROKEN: dict[str, Any] = {**ASKED, "model": "qwen-3.8-27b"}
_WRONG = {"type": "invalid_request_error", "param": "validation_error", "code": "wrong_api_format"}


@dataclass(frozen=True)
class Failure:
    """A request that must fail, and what it is told; None: any body of its shape."""

    status: int
    name: str
    body: dict[str, Any] | None
    asked: dict[str, Any] = field(default_factory=lambda: ASKED)
    unknown: dict[str, Any] = field(default_factory=dict)
    key: str | None = None

    def is_strict(self, sdk: Sdk) -> bool:
        """Whether it is told in Cerebras's shape: without a known model, by who asks."""
        return sdk == "cerebras" or self.status not in (401, 404)


FAILURES = {
    "unknown field": Failure(
        400,
        "BadRequestError",
        {"message": "body.maxTokens: property 'body.maxTokens' is unsupported", **_WRONG},
        unknown={"maxTokens": 5},
    ),
    "two limits": Failure(
        400,
        "BadRequestError",
        {"message": '"max_tokens" is incompatible with "max_completion_tokens"', **_WRONG},
        asked={**ASKED, "max_tokens": 8},
    ),
    "image for a text model": Failure(
        400,
        "BadRequestError",
        None,
        asked={
            **ASKED,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
                    ],
                }
            ],
        },
    ),
    "out of range": Failure(400, "BadRequestError", None, asked={**ASKED, "temperature": 2.5}),
    "wrong key": Failure(
        401,
        "AuthenticationError",
        {
            "message": "Wrong API Key",
            "type": "invalid_request_error",
            "param": "api_key",
            "code": "wrong_api_key",
        },
        key="csk-wrong",
    ),
    "unknown model": Failure(
        404,
        "NotFoundError",
        {
            "message": "Model nobody does not exist or you do not have access to it.",
            "type": "not_found_error",
            "param": "model",
            "code": "model_not_found",
        },
        asked={**ASKED, "model": "nobody"},
    ),
    "server": Failure(500, "InternalServerError", None, asked=BROKEN),
}


def made(sdk: Sdk, gateway: Gateway, names: dict[Sdk, str] = CLIENTS, **options: Any) -> Any:
    """Return a client that neither warms nor retries unless it is told to."""
    url = gateway.url if sdk == "cerebras" else gateway.openai_url
    settings: dict[str, Any] = {"api_key": gateway.key, "base_url": url, "max_retries": 0}
    if sdk == "cerebras":
        settings["warm_tcp_connection"] = False
    return getattr(MODULES[sdk], names[sdk])(**settings | options)


@contextmanager
def counting(sdk: Sdk, gateway: Gateway, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """Yield a client, and the list to which each of its requests adds its retry count."""
    seen: list[str] = []

    def note(request: httpx.Request) -> None:
        seen.append(request.headers["x-stainless-retry-count"])

    with httpx.Client(event_hooks={"request": [note]}) as transport:
        # The timeout of a transport of one's own counts where the client has none.
        given = {"timeout": 60.0, **options}
        yield made(sdk, gateway, http_client=transport, **given), seen


def check_failure(failure: Failure, sdk: Sdk, status: int, body: Any) -> None:
    """Check what was told."""
    if not failure.is_strict(sdk):
        assert (status, set(body)) == (failure.status, {"error"})
        return
    if failure.status == 500:
        assert status >= 500
        assert body["status_code"] == status
        assert set(body["error"]) == {"message", "type", "param", "code", "id"}
    else:
        assert status == failure.status
        assert set(body) == {"message", "type", "param", "code"}
        assert all(isinstance(value, str) for value in body.values())
    if failure.body is not None:
        assert body == failure.body


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_error_has_the_documented_class_and_body(
    gateway: Gateway, sdk: Sdk, name: str, stream: bool
) -> None:
    """The SDK raises the class of the status; body and message are Cerebras's."""
    failure = FAILURES[name]
    with (
        made(sdk, gateway, api_key=failure.key or gateway.key) as client,
        pytest.raises(getattr(MODULES[sdk], failure.name)) as caught,
    ):
        client.chat.completions.create(**failure.asked, extra_body=failure.unknown, stream=stream)

    check_failure(failure, sdk, caught.value.status_code, caught.value.response.json())
    assert isinstance(caught.value, MODULES[sdk].APIStatusError)
    assert isinstance(caught.value, MODULES[sdk].APIError)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_error_has_the_same_class_in_async_clients(gateway: Gateway, sdk: Sdk) -> None:
    """The asynchronous clients raise the same."""

    async def fails(failure: Failure) -> None:
        key = failure.key or gateway.key
        async with made(sdk, gateway, ASYNC_CLIENTS, api_key=key) as client:
            with pytest.raises(getattr(MODULES[sdk], failure.name)) as caught:
                await client.chat.completions.create(**failure.asked, extra_body=failure.unknown)
            check_failure(failure, sdk, caught.value.status_code, caught.value.response.json())

    async def all_fail() -> None:
        for failure in FAILURES.values():
            await fails(failure)

    asyncio.run(all_fail())


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_error_has_its_class_in_javascript(node: NodeHost, sdk: Sdk, name: str) -> None:
    """The same by the JavaScript clients; Cerebras's keeps the whole body as `error`."""
    failure = FAILURES[name]
    client = {"apiKey": failure.key} if failure.key else {}
    said = node.run("failure", sdk=sdk, client=client, body={**failure.asked, **failure.unknown})

    assert said["name"] == failure.name
    if sdk == "cerebras":
        check_failure(failure, sdk, said["status"], said["error"])
    assert "content-type" in said["headers"]


def test_missing_key_is_not_authenticated(gateway: Gateway, node: NodeHost) -> None:
    """Without an Authorization header it is a 403 of another shape."""
    no_key: Any = {"Authorization": cerebras.Omit()}
    with (
        made("cerebras", gateway) as client,
        pytest.raises(cerebras.PermissionDeniedError) as caught,
    ):
        client.chat.completions.create(**ASKED, extra_headers=no_key)
    headers = {"defaultHeaders": {"Authorization": None}}
    said = node.run("failure", sdk="cerebras", client=headers, body=ASKED)

    assert caught.value.body == {"detail": "Not authenticated"}
    assert (said["name"], said["status"]) == ("PermissionDeniedError", 403)
    assert said["error"] == {"detail": "Not authenticated"}


def test_unknown_path_is_not_found_without_a_body(gateway: Gateway, node: NodeHost) -> None:
    """So is a base URL that ends in /v1, given to Cerebras's own client."""
    with made("cerebras", gateway) as client, pytest.raises(cerebras.NotFoundError) as caught:
        client.get("/v1/nowhere", cast_to=object)
    with (
        made("cerebras", gateway, base_url=gateway.openai_url) as client,
        pytest.raises(cerebras.NotFoundError) as doubled,
    ):
        client.chat.completions.create(**ASKED)
    said = node.run("failure", sdk="cerebras", path="/v1/nowhere")

    for error in (caught.value, doubled.value):
        assert error.response.content == b""
        assert error.response.headers["content-type"].startswith("text/plain")
    assert (said["name"], said["status"]) == ("NotFoundError", 404)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_server_that_is_not_there_is_a_connection_error(gateway: Gateway, sdk: Sdk) -> None:
    """Nobody listens: the SDK says so, with the cause."""
    with (
        made(sdk, gateway, base_url="http://127.0.0.1:9/v1") as client,
        pytest.raises(MODULES[sdk].APIConnectionError) as caught,
    ):
        client.chat.completions.create(**ASKED)

    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_server_errors_are_retried_as_often_as_asked(gateway: Gateway, sdk: Sdk) -> None:
    """By the client's setting, by one request's, and never where it is 0."""
    with counting(sdk, gateway, max_retries=1) as (client, seen):
        with pytest.raises(MODULES[sdk].InternalServerError):
            client.chat.completions.create(**BROKEN)
        assert seen == ["0", "1"]
        seen.clear()
        bare = {"max_retries": 0}
        if sdk == "cerebras":
            bare["warm_tcp_connection"] = False
        with pytest.raises(MODULES[sdk].InternalServerError):
            client.with_options(**bare).chat.completions.create(**BROKEN)
        assert seen == ["0"]
        seen.clear()
        with pytest.raises(MODULES[sdk].BadRequestError):
            client.chat.completions.create(**{**ASKED, "temperature": 5})
        assert seen == ["0"]


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_javascript_retries_as_often_as_asked(node: NodeHost, sdk: str) -> None:
    """By the client's setting, or by one request's."""
    fails = {"sdk": sdk, "body": BROKEN}
    once = node.run("failure", **fails, client={"maxRetries": 0})
    twice = node.run("failure", **fails, client={"maxRetries": 0}, options={"maxRetries": 1})

    assert (len(once["seen"]), len(twice["seen"])) == (1, 2)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_timeouts_are_the_clients_own(gateway: Gateway, sdk: Sdk) -> None:
    """A number, an httpx.Timeout, or for one request; each try has its own time."""
    fine = httpx.Timeout(60.0, read=0.3, write=10.0, connect=2.0)
    for timeout in (0.3, fine):
        with (
            counting(sdk, gateway, timeout=timeout, max_retries=1) as (client, seen),
            pytest.raises(MODULES[sdk].APITimeoutError),
        ):
            client.chat.completions.create(**ENDLESS)
        assert seen == ["0", "1"]
    with made(sdk, gateway) as client, pytest.raises(MODULES[sdk].APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(**ENDLESS)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_timeout_in_javascript(node: NodeHost, sdk: str) -> None:
    """By the client's setting, or by one request's."""
    ways: list[dict[str, Any]] = [{"client": {"timeout": 300}}, {"options": {"timeout": 300}}]
    for way in ways:
        said = node.run("failure", sdk=sdk, body=ENDLESS, **way)
        assert said["name"] == "APIConnectionTimeoutError"
        assert said["tookMs"] < 30_000


def test_error_in_a_stream_is_raised(gateway: Gateway) -> None:
    """An engine that crashes ends its answers with an error event, which is no silent end."""
    with made("cerebras", gateway) as client:
        with client.chat.completions.create(**ENDLESS, stream=True) as stream:
            next(iter(stream))
            os.kill(gateway.engine_pid(MODEL), signal.SIGKILL)
            with pytest.raises(cerebras.InternalServerError) as caught:
                list(stream)
        again = client.chat.completions.create(**{**ENDLESS, "max_completion_tokens": 4})

    body: Any = caught.value.body
    assert set(body) == {"message", "type", "param", "code", "id"}
    assert again.usage.completion_tokens == 4


def test_error_in_a_stream_is_thrown_in_javascript(gateway: Gateway, node: NodeHost) -> None:
    """The same; TypeScript's client calls every such error one of the connection."""
    said = node.run("crashed", sdk="cerebras", body=ENDLESS, pid=gateway.engine_pid(MODEL))

    assert said["numChunks"] > 0
    assert said["name"] == "APIConnectionError"
    again = node.run("ask", sdk="cerebras", body={**ENDLESS, "max_completion_tokens": 4})
    assert again["usage"]["completion_tokens"] == 4
