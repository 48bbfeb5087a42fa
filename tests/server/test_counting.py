"""`/v1/messages/count_tokens`: an estimate, for who may ask, and errors in Anthropic's shape."""

import json
from typing import Any

import pytest

from slipstream.limits.rates import RateLimits
from slipstream.server.asgi import Message, Scope
from slipstream.server.counting import CountEndpoints
from slipstream.server.exchange import Terms
from slipstream.server.profiles import Profiles

BODY = {"model": "m", "messages": [{"role": "user", "content": "word " * 8}]}


async def count(body: bytes, *, key: str = "good") -> tuple[int, dict[bytes, bytes], Any]:
    """Ask; return status, headers and what the body says."""
    terms = Terms(
        find_key=lambda text: "k" if text == "good" else None,
        profiles=Profiles(),
        limits=RateLimits({}, lambda key_id: key_id, lambda: 0.0),
        max_body_bytes=1000,
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "headers": [(b"x-api-key", key.encode()), (b"content-length", b"%d" % len(body))]
    }
    answer = CountEndpoints(terms).endpoints()["POST", "/v1/messages/count_tokens"]
    await answer("req-1", scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


async def test_tokens_are_estimated() -> None:
    """No limit of an answer is needed, and no model is asked."""
    status, headers, told = await count(json.dumps(BODY).encode())
    assert (status, told) == (200, {"input_tokens": 14})
    assert headers[b"request-id"] == headers[b"x-request-id"] == b"req-1"


@pytest.mark.parametrize(
    ("body", "key", "status", "kind"),
    [
        (b"{", "good", 400, "invalid_request_error"),
        (b'{"model":"m"}', "good", 400, "invalid_request_error"),
        (json.dumps(BODY).encode(), "bad", 401, "authentication_error"),
        (b" " * 1001, "good", 413, "request_too_large"),
    ],
)
async def test_error_is_told_as_anthropic_does(
    body: bytes, key: str, status: int, kind: str
) -> None:
    """Whoever asks: the path is Anthropic's alone."""
    got, _, told = await count(body, key=key)
    assert (got, told["type"], told["error"]["type"]) == (status, "error", kind)
