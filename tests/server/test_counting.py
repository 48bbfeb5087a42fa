"""`/v1/messages/count_tokens`: for who may ask, within limits, and errors in Anthropic's shape."""

import gzip
import json
from typing import Any

import pytest

from slipstream.call import Call
from slipstream.errors import UnknownModel
from slipstream.limits.rates import RateLimits
from slipstream.limits.settings import LimitSettings
from slipstream.server.asgi import Message, Scope
from slipstream.server.counting import CountEndpoints
from slipstream.server.exchange import Terms
from slipstream.server.profiles import Profiles
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.counting import estimate_tokens

BODY = {"model": "m", "messages": [{"role": "user", "content": "word " * 8}]}


class Estimating:
    """Counts as for models of others, of which one counts itself and one is not there."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def count_elsewhere(self, call: Call) -> int | None:
        """Count as a provider does."""
        self.calls.append(call)
        if call.model == "nowhere":
            raise UnknownModel("there is no 'nowhere'")
        return 77 if call.model == "theirs" else None

    async def count_tokens(self, asked: Asked) -> int:
        """Count here."""
        return estimate_tokens(asked)


def counting(counter: Estimating | None = None, **limits: Any) -> CountEndpoints:
    """Return the endpoint, with limits for every key."""
    tables = {"default": LimitSettings(**limits)} if limits else {}
    terms = Terms(
        find_key=lambda text: text if text.startswith("good") else None,
        profiles=Profiles(),
        limits=RateLimits({}, lambda key_id: key_id, lambda: 0.0),
        max_body_bytes=1000,
    )
    told = counter or Estimating()
    return CountEndpoints(terms, told, RateLimits(tables, lambda key_id: None, lambda: 0.0))


async def count(
    body: bytes,
    *more: tuple[bytes, bytes],
    key: str = "good",
    endpoints: CountEndpoints | None = None,
) -> tuple[int, dict[bytes, bytes], Any]:
    """Ask; return status, headers and what the body says."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    length = (b"content-length", b"%d" % len(body))
    scope: Scope = {"headers": [(b"x-api-key", key.encode()), length, *more]}
    answer = (endpoints or counting()).endpoints()["POST", "/v1/messages/count_tokens"]
    await answer("req-1", scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


async def test_tokens_are_counted() -> None:
    """No limit of an answer is needed; a body may be packed and a version any date."""
    body = json.dumps(BODY).encode()
    status, headers, told = await count(body)
    assert (status, told) == (200, {"input_tokens": 14})
    assert headers[b"request-id"] == headers[b"x-request-id"] == b"req-1"
    assert not [name for name in headers if b"ratelimit" in name]
    for version in (b"2023-06-01", b"2026-10-21", b"2031-01-01", b""):
        more = ((b"anthropic-version", version), (b"anthropic-beta", b"nobody-knows-2030-01-01"))
        packed = await count(gzip.compress(body), (b"content-encoding", b"gzip"), *more)
        assert packed[::2] == (200, {"input_tokens": 14})


async def test_provider_that_counts_gets_the_request_as_it_is() -> None:
    """With its version and betas; what only that provider can read is not read here."""
    counter = Estimating()
    strange = [{"role": "assistant", "content": [{"type": "server_tool_use"}]}]
    body = json.dumps(BODY | {"model": "theirs", "messages": strange}).encode()
    beta = (b"anthropic-beta", b"x")
    status, _, told = await count(body, beta, endpoints=counting(counter))
    assert (status, told) == (200, {"input_tokens": 77})
    [call] = counter.calls
    assert (call.body, call.headers, call.key_id) == (body, (beta,), "good")


async def test_counting_has_limits_of_its_own() -> None:
    """As many requests as a key may send, whatever their tokens; each key by itself."""
    endpoints = counting(requests_per_minute=2, tokens_per_minute=1)
    body = json.dumps(BODY).encode()
    answers = [await count(body, endpoints=endpoints) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    left = [headers[b"anthropic-ratelimit-requests-remaining"] for _, headers, _ in answers]
    assert left == [b"1", b"0", b"0"]
    _, headers, told = answers[2]
    assert told["error"]["type"] == "rate_limit_error"
    assert headers[b"retry-after"] == b"30"
    assert not [name for name in headers if b"tokens" in name]
    assert (await count(body, key="good too", endpoints=endpoints))[0] == 200


@pytest.mark.parametrize(
    ("body", "key", "status", "kind"),
    [
        (b"{", "good", 400, "invalid_request_error"),
        (b'{"model":"m"}', "good", 400, "invalid_request_error"),
        (json.dumps(BODY | {"model": "nowhere"}).encode(), "good", 404, "not_found_error"),
        (json.dumps(BODY | {"tools": [{}]}).encode(), "good", 400, "invalid_request_error"),
        (json.dumps(BODY).encode(), "bad", 401, "authentication_error"),
        (b" " * 1001, "good", 413, "request_too_large"),
    ],
)
async def test_error_is_told_as_anthropic_does(
    body: bytes, key: str, status: int, kind: str
) -> None:
    """Whoever asks: the path is Anthropic's alone."""
    got, headers, told = await count(body, key=key)
    assert (got, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["request_id"].encode() == headers[b"request-id"] == b"req-1"


async def test_version_that_is_no_date_is_refused() -> None:
    """The error names the header."""
    status, _, told = await count(json.dumps(BODY).encode(), (b"anthropic-version", b"newest"))
    assert (status, "anthropic-version" in told["error"]["message"]) == (400, True)
