"""The request to explain: made of options, or piped in and left as it was written."""

import json
from typing import Any

import pytest

from slipstream.cli.asked_calls import CHAT_PATH, Flags, NotReadable, asked_call


def body_of(piped: str | None, flags: Flags, path: str = CHAT_PATH) -> dict[str, Any]:
    """Return the body of the request that is asked about."""
    body: dict[str, Any] = json.loads(bytes(asked_call(piped, flags, path).body))
    return body


def test_options_alone_make_a_chat_request() -> None:
    """With none at all it is a short word to `auto`."""
    body = body_of(None, Flags())
    assert body["model"] == "auto"
    assert isinstance(body["messages"][0]["content"], str)
    assert set(body) == {"model", "messages"}


def test_targets_to_choose_from_stand_for_a_model_that_is_not_named() -> None:
    """Where nothing is called `auto`, it still has to be asked for something that exists."""
    assert body_of(None, Flags(wishes={"targets": ["a/b", "c"]}))["model"] == "a/b"


def test_every_option_is_in_the_body() -> None:
    """What needs a tool, an image, a schema or a long answer is asked for as a client would."""
    body = body_of(
        None,
        Flags(
            model="m",
            prompt="what?",
            has_tools=True,
            has_image=True,
            is_structured=True,
            is_stream=True,
            max_tokens=7,
        ),
    )
    text, image = body["messages"][0]["content"]
    assert (body["model"], text["text"], body["max_tokens"]) == ("m", "what?", 7)
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert body["tools"][0]["type"] == "function"
    assert body["stream"] is True
    assert body["response_format"]["type"] == "json_schema"


def test_piped_request_keeps_its_bytes() -> None:
    """What is explained is what would be sent, spaces and numbers included."""
    piped = '{"model": "m",  "messages": [],\n "seed": 1e3, "é": 12345678901234567890}'
    asked = asked_call(piped, Flags(), "/v1/responses")
    assert bytes(asked.body) == piped.encode()
    assert asked.path == "/v1/responses"
    assert asked.headers == {}


def test_model_is_put_into_a_piped_request() -> None:
    """To see where another model would take the same request."""
    assert body_of('{"model": "a", "x": 1}', Flags(model="b")) == {"model": "b", "x": 1}


def test_wishes_go_into_the_header() -> None:
    """So they win over what the body says, and the body stays as it is."""
    asked = asked_call(
        '{"model": "m"}', Flags(wishes={"strategy": "race", "quality": 3}), CHAT_PATH
    )
    assert json.loads(asked.headers["x-slipstream"]) == {"strategy": "race", "quality": 3}
    assert bytes(asked.body) == b'{"model": "m"}'


@pytest.mark.parametrize(
    ("piped", "complaint"),
    [
        ('{"model": "m",\n  "messages": [}', r"standard input, line 2, column 16: no valid JSON"),
        ("hello", "standard input, line 1, column 1: no valid JSON"),
        ("[1]", "expected a JSON object"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=["a slip", "no JSON", "an array", "deep"],
)
def test_what_is_no_request_is_refused_with_its_place(piped: str, complaint: str) -> None:
    """Line and column, as an editor counts them."""
    with pytest.raises(NotReadable, match=complaint):
        asked_call(piped, Flags(), CHAT_PATH)


def test_option_that_the_body_says_itself_is_refused() -> None:
    """Nothing that is asked for is dropped silently."""
    with pytest.raises(NotReadable, match="--tools, --max-tokens: a request on standard input"):
        asked_call('{"model": "m"}', Flags(has_tools=True, max_tokens=3), CHAT_PATH)


def test_options_make_no_request_of_another_dialect() -> None:
    """Where one is asked for, its body is to be piped in."""
    with pytest.raises(NotReadable, match=r"--path /v1/messages: .*pipe the body in"):
        asked_call(None, Flags(model="m"), "/v1/messages")
