"""Answers through the whole gateway: what clients send and see, plain and streaming."""

import json

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.flows.conftest import House, OpenHouse
from tests.flows.raw import ask, connect, decode, encode

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "one two three"}]


def chat(model: str = "lab/any", **fields: object) -> bytes:
    """Encode a chat request's body."""
    return json.dumps({"model": model, "messages": HELLO, **fields}).encode()


async def test_chat_plain_through_sdk_is_answered_with_headers(house: House) -> None:
    """A plain answer says who served it, at which attempt, under which id, for how much."""
    async with house.client() as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="lab/any",
            messages=HELLO,
        )

    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert raw.headers["x-slipstream-target"] == "lab/any"
    assert raw.headers["x-slipstream-attempts"] == "1"
    assert raw.headers["x-request-id"]
    assert "x-slipstream-cost-usd" not in raw.headers  # nobody knows what lab costs


async def test_chat_plain_body_is_relayed_unchanged(house: House) -> None:
    """The client receives the upstream's bytes."""
    body = (
        b'{"id": "x",  "choices":[{"index":0,"message":{"role":"assistant","content":"h\\u00e9"},'
        b'"finish_reason":"stop"}], "extra": 1.0e5}'
    )
    house.lab.script({"body": body.decode()})

    answer = await ask(house.url, encode("POST", "/v1/chat/completions", house.key, chat()))

    assert answer.body == body


async def test_chat_upstream_receives_the_clients_json(house: House) -> None:
    """Only the model's name changes on the way; key order and number spellings stay."""
    sent = (
        b'{"temperature":1.0e0, "messages":[{"role":"user","content":"\\u00e9"}],'
        b'"model":"lab/any","x_y":{"b":1,"a":[ 2]}}'
    )

    answer = await ask(house.url, encode("POST", "/v1/chat/completions", house.key, sent))

    assert answer.status == 200
    seen = house.lab.log[-1]
    assert seen.body == sent.replace(b"1.0e0, ", b"1.0e0,").replace(b"lab/any", b"any")
    assert house.key not in str(seen.headers)


async def test_chat_stream_through_sdk_gives_each_word(house: House) -> None:
    """A stream arrives event by event and ends with its finish reason; no usage chunk unasked."""
    house.lab.script("text=alpha beta gamma")
    words = []
    finish = None
    async with house.client() as client:
        stream = await client.chat.completions.create(
            model="lab/any",
            messages=HELLO,
            stream=True,
        )
        async for chunk in stream:
            assert chunk.choices, "the usage chunk was not asked for"
            words.append(chunk.choices[0].delta.content or "")
            finish = chunk.choices[0].finish_reason or finish

    assert "".join(words) == "alpha beta gamma"
    assert finish == "stop"
    assert json.loads(house.lab.log[-1].body)["stream_options"] == {"include_usage": True}


async def test_chat_stream_with_usage_asked_gives_usage(house: House) -> None:
    """A client that asks for the usage chunk gets it."""
    usage = None
    async with house.client() as client:
        stream = await client.chat.completions.create(
            model="lab/any",
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            usage = chunk.usage or usage

    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize("behaviour", ["crlf", "comments", "close_delimited", "chunked_tiny"])
async def test_chat_stream_in_other_shapes_gives_the_same_text(
    house: House, behaviour: str
) -> None:
    """Line ends, comments and framing of an upstream do not change what is said."""
    house.lab.script(f"text=alpha beta,{behaviour}")

    answer = await ask(
        house.url, encode("POST", "/v1/chat/completions", house.key, chat(stream=True))
    )

    events = [e for e in answer.body.replace(b"\r\n", b"\n").split(b"\n\n") if e]
    said = "".join(
        json.loads(e.removeprefix(b"data: "))["choices"][0]["delta"].get("content") or ""
        for e in events
        if e.startswith(b"data: {")
    )
    assert said == "alpha beta"
    assert events[-1] == b"data: [DONE]"


async def test_chat_stream_split_at_every_byte_gives_the_same_frames(house: House) -> None:
    """How an upstream's bytes are cut into packets changes nothing that the client receives."""
    behaviour = "text=héllo wörld,comments"
    house.lab.script(behaviour)
    request = encode("POST", "/v1/chat/completions", house.key, chat(stream=True))
    whole = _steady((await ask(house.url, request)).body)

    for size in (1, 2, 3, 5, 7, 11, 64):
        house.lab.script(f"{behaviour},split={size}")
        assert _steady((await ask(house.url, request)).body) == whole, f"split={size}"


async def test_chat_request_split_at_every_byte_is_answered(house: House) -> None:
    """A request that arrives byte by byte is the same request."""
    request = encode("POST", "/v1/chat/completions", house.key, chat())
    for start in range(1, len(request), 7):
        reader, writer = await connect(house.url)
        writer.write(request[:start])
        await writer.drain()
        writer.write(request[start:])
        answer = decode(await reader.read(-1))
        writer.close()
        assert answer.status == 200


async def test_chat_route_falls_back_before_commit(house: House) -> None:
    """A target that fails before it says anything is replaced, and the client sees one answer."""
    for behaviour in (
        "status=503",
        "cut=20",
        "error_in_200",
        "cut_body=100",
        "status=429,retry_after=1",  # after which it is left alone
    ):
        house.lab.script(behaviour)
        answer = await ask(
            house.url,
            encode("POST", "/v1/chat/completions", house.key, chat("chain", stream=True)),
        )
        assert answer.status == 200, behaviour
        assert answer.headers["x-slipstream-target"] == "spare/second", (behaviour, answer.body)
        assert answer.headers["x-slipstream-attempts"] == "2"
        assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_chat_stream_cut_after_commit_ends_with_an_error(house: House) -> None:
    """Nothing is retried after the commit point, and the end is never a made-up stop."""
    house.lab.script("text=alpha beta gamma,error_after=3")

    answer = await ask(
        house.url, encode("POST", "/v1/chat/completions", house.key, chat("chain", stream=True))
    )

    last = answer.body.strip().split(b"\n\n")[-1]
    assert b'"error"' in last
    assert b"[DONE]" not in answer.body
    assert len(house.spare.log) == 0


async def test_chat_all_targets_failing_says_what_happened_at_each(house: House) -> None:
    """An exhausted route names every target and why it failed."""
    house.lab.script("status=500", requests=10)
    house.spare.script("status=503,retry_after=7", requests=10)

    answer = await ask(house.url, encode("POST", "/v1/chat/completions", house.key, chat("chain")))

    assert answer.status == 502
    assert "lab/first" in answer.json()["error"]["message"]
    assert "spare/second" in answer.json()["error"]["message"]
    assert answer.headers["x-slipstream-attempts"] == "4"  # the one that may be back, twice more


async def test_chat_provider_refusing_our_key_never_shows_its_words(house: House) -> None:
    """A provider that refuses the operator's key is a 502, and its text, which may quote the key,
    stays here."""
    house.lab.script(
        "status=401,body=" + json.dumps({"error": {"message": "bad key lab-secret-key"}})
    )

    answer = await ask(house.url, encode("POST", "/v1/chat/completions", house.key, chat()))

    assert answer.status == 502
    assert b"lab-secret-key" not in answer.body


async def test_chat_upstream_client_fault_keeps_status_and_words(house: House) -> None:
    """What the provider says of the client's own mistake reaches the client."""
    house.lab.script("status=400,code=bad_thing")

    async with house.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="lab/any", messages=HELLO)

    assert caught.value.code == "bad_thing"


async def test_chat_deadline_of_first_token_is_a_504(open_house: OpenHouse) -> None:
    """An upstream that never begins is given up at its deadline, which the error names."""
    async with open_house(deadlines="first_token_s = 0.1") as house:
        house.lab.script("delay=30")
        answer = await ask(house.url, encode("POST", "/v1/chat/completions", house.key, chat()))

    assert answer.status == 504
    assert "first_token" in answer.json()["error"]["message"]


def _steady(body: bytes) -> bytes:
    """Take out what is new in every answer."""
    lines = []
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            event = json.loads(line[6:])
            event["id"] = event["created"] = None
            line = json.dumps(event).encode()
        lines.append(line)
    return b"\n".join(lines)
