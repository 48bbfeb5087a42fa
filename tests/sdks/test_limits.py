"""Rate limits as every SDK meets them: a class of its own, when to come back, and coming back."""

from typing import Any

import pytest
from cerebras.cloud import sdk as cerebras

from tests.sdks.asking import Sdk
from tests.sdks.gateway import Gateway
from tests.sdks.node_host import NodeHost
from tests.sdks.test_errors import MODULES, counting, made

ASKED: dict[str, Any] = {
    "model": "llama3.1-8b",
    "messages": [{"role": "user", "content": "Hi"}],
    "max_completion_tokens": 1,
}
_MANY = 200  # far more than any limit here lets in


@pytest.fixture(scope="module")
def busy_key(gateway: Gateway) -> str:
    """A key that has used up its one request for a minute, of each model that is asked here."""
    key = gateway.make_key("busy")
    with made("cerebras", gateway, api_key=key) as client:
        client.chat.completions.create(**ASKED)
    return key


@pytest.fixture(scope="module")
def patient_key(gateway: Gateway) -> str:
    """A key of which a request is free every other second."""
    return gateway.make_key("patient")


@pytest.fixture(scope="module")
def wordy_key(gateway: Gateway) -> str:
    """A key of 500 tokens for an hour."""
    return gateway.make_key("wordy")


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_used_up_requests_are_a_rate_limit_error(gateway: Gateway, busy_key: str, sdk: Sdk) -> None:
    """429 in the documented words, with the seconds to wait and the limits' headers."""
    with (
        made(sdk, gateway, api_key=busy_key) as client,
        pytest.raises(MODULES[sdk].RateLimitError) as caught,
    ):
        client.chat.completions.create(**ASKED)

    headers = caught.value.response.headers
    assert caught.value.response.json() == {
        "message": "Requests per minute limit exceeded - too many requests sent.",
        "type": "too_many_requests_error",
        "param": "quota",
        "code": "request_quota_exceeded",
    }
    assert 0 < int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-limit-requests-minute"] == "1"
    assert headers["x-ratelimit-remaining-requests-minute"] == "0"
    assert 0 < float(headers["x-ratelimit-reset-requests-minute"]) <= 60


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_used_up_requests_are_a_rate_limit_error_in_javascript(
    node: NodeHost, busy_key: str, sdk: str
) -> None:
    """The same by the JavaScript clients."""
    said = node.run("failure", sdk=sdk, client={"apiKey": busy_key}, body=ASKED)

    assert (said["name"], said["status"]) == ("RateLimitError", 429)
    assert 0 < int(said["headers"]["retry-after"]) <= 60


def test_used_up_tokens_are_a_rate_limit_error(gateway: Gateway, wordy_key: str) -> None:
    """What an answer may take is counted before it is begun, by what is left of an hour's limit."""
    asked = {**ASKED, "max_completion_tokens": 465}
    with made("cerebras", gateway, api_key=wordy_key) as client:
        raw = client.chat.completions.with_raw_response.create(**ASKED)
        with pytest.raises(cerebras.RateLimitError) as caught:
            client.chat.completions.create(**asked)

    assert int(raw.headers["x-ratelimit-limit-tokens-hour"]) == 500
    assert int(raw.headers["x-ratelimit-remaining-tokens-hour"]) < 500
    assert caught.value.body == {
        "message": "Tokens per hour limit exceeded - too many tokens processed.",
        "type": "too_many_tokens_error",
        "param": "quota",
        "code": "token_quota_exceeded",
    }
    assert int(caught.value.response.headers["retry-after"]) > 0


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_request_above_a_whole_limit_is_not_tried_again(
    gateway: Gateway, node: NodeHost, wordy_key: str, sdk: Sdk
) -> None:
    """Waiting cannot help, so no SDK waits, however often it may retry."""
    asked = {**ASKED, "max_completion_tokens": 5_000}
    with counting(sdk, gateway, api_key=wordy_key, max_retries=2) as (client, seen):
        with pytest.raises(MODULES[sdk].RateLimitError) as caught:
            client.chat.completions.create(**asked)
        assert seen == ["0"]
    said = node.run("failure", sdk=sdk, client={"apiKey": wordy_key, "maxRetries": 2}, body=asked)

    assert "retry-after" not in caught.value.response.headers
    assert (said["name"], len(said["seen"])) == ("RateLimitError", 1)


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_sdk_comes_back_when_it_was_told_to(gateway: Gateway, patient_key: str, sdk: Sdk) -> None:
    """A client with the default number of retries waits as told, and every request is answered."""
    with made(sdk, gateway, api_key=patient_key, max_retries=2) as client:
        create = client.chat.completions.with_raw_response.create
        answers = (create(**ASKED) for _ in range(_MANY))
        raw = next(raw for raw in answers if raw.retries_taken)

    assert raw.retries_taken <= 2
    assert raw.parse().choices


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_javascript_comes_back_when_it_was_told_to(
    node: NodeHost, patient_key: str, sdk: str
) -> None:
    """The same by the JavaScript clients."""
    client = {"apiKey": patient_key, "maxRetries": 2}
    answers = (node.run("answered", sdk=sdk, client=client, body=ASKED) for _ in range(_MANY))
    said = next(said for said in answers if len(said["seen"]) > 1)

    statuses = [one["status"] for one in said["seen"]]
    assert (statuses[0], statuses[-1]) == (429, 200)
    assert said["data"]["choices"]
