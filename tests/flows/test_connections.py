"""Connections as odd clients and bad networks use them: one request's fate is its own."""

import asyncio
import json

import pytest

from slipstream.server.protocol import MAX_HEAD_BYTES
from tests.flows.conftest import House, OpenHouse
from tests.flows.raw import Answer, ask, connect, decode, encode, read_one

CHAT = "/v1/chat/completions"
LIMIT_MS = 50.0


def chat(content: str = "hi", **fields: object) -> bytes:
    """Encode a chat request's body."""
    messages = [{"role": "user", "content": content}]
    return json.dumps({"model": "lab/any", "messages": messages, **fields}).encode()


def post(house: House, body: bytes, *, close: bool = False) -> bytes:
    """Encode a chat request on a connection that stays open."""
    return encode("POST", CHAT, house.key, body, close=close)


async def talk(house: House, *requests: bytes) -> list[Answer]:
    """Send requests one after another over one connection; return their answers."""
    reader, writer = await connect(house.url)
    answers = []
    for request in requests:
        writer.write(request)
        answers.append(await read_one(reader))
    writer.close()
    await writer.wait_closed()
    return answers


async def test_connection_is_reused_after_every_kind_of_answer(open_house: OpenHouse) -> None:
    """An error, a stream or a body over the bound does not spoil what comes next."""
    async with open_house(server="max_body_bytes = 4096") as house:
        good = post(house, chat())
        statuses = [
            answer.status
            for answer in await talk(
                house,
                good,
                post(house, b"{"),
                good,
                post(house, chat(stream=True)),
                post(house, chat("x" * 5_000)),
                good,
                encode("POST", CHAT, "wrong", chat(), close=False),
                encode("GET", "/nowhere", None, b"", close=False),
                encode("GET", "/health", None, b"", close=False),
                good,
            )
        ]

    assert statuses == [200, 400, 200, 200, 413, 200, 401, 404, 200, 200]


async def test_head_is_answered_at_once_and_without_a_body(house: House) -> None:
    """The head of an answer without a body does not wait for a body. (It once waited for ever.)"""
    reader, writer = await connect(house.url)
    for path, status in (("/health", 200), ("/nowhere", 404), ("/health", 200)):
        writer.write(encode("HEAD", path, None, b"", close=False))
        answer = await read_one(reader, has_body=False)
        assert answer.status == status
        assert int(answer.headers["content-length"]) > 0
    writer.close()


async def test_expect_continue_gets_its_interim_answer_before_the_body(house: House) -> None:
    """A client that asks first is told to go on at once, not after it sent."""
    body = chat("x" * 2_000)
    head = post(house, body)[: -len(body)].replace(
        b"host: test", b"host: test\r\nexpect: 100-continue"
    )
    reader, writer = await connect(house.url)
    writer.write(head)
    interim = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await read_one(reader)).status == 200
    writer.close()


async def test_expect_continue_without_a_key_is_refused_before_the_body(house: House) -> None:
    """What would be refused anyway is not asked for first."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 99999\r\n"
    reader, writer = await connect(house.url)
    writer.write(head + b"expect: 100-continue\r\n\r\n")
    assert (await read_one(reader)).status == 401
    writer.close()


async def test_http_1_0_client_reads_a_stream_to_the_end_of_the_connection(house: House) -> None:
    """HTTP/1.0 knows no chunks: their framing must not end up in the text."""
    house.lab.script("text=alpha beta", requests=2)
    request = post(house, chat(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    stream = await ask(house.url, request)
    assert "transfer-encoding" not in stream.headers
    assert stream.headers["connection"] == "close"
    assert stream.body.startswith(b"data: {")
    assert stream.body.endswith(b"data: [DONE]\n\n")

    plain = await ask(house.url, post(house, chat()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert len(plain.body) == int(plain.headers["content-length"])
    assert plain.json()["choices"][0]["message"]["content"] == "alpha beta"


async def test_chunked_request_body_is_the_same_body(house: House) -> None:
    """A body of unknown length, in pieces of any size, reaches the upstream whole."""
    body = chat("é" * 500)
    head = encode("POST", CHAT, house.key, b"", close=True)
    head = head.replace(b"content-length: 0", b"transfer-encoding: chunked")
    pieces = [body[start : start + 97] for start in range(0, len(body), 97)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)

    answer = await ask(house.url, head + chunks + b"0\r\n\r\n")

    assert answer.status == 200
    assert json.loads(house.lab.log[-1].body)["messages"] == json.loads(body)["messages"]


async def test_chunked_request_body_over_the_bound_is_refused(open_house: OpenHouse) -> None:
    """The bound holds also for a body that does not say how long it is."""
    async with open_house(server="max_body_bytes = 2048") as house:
        head = encode("POST", CHAT, house.key, b"", close=False)
        head = head.replace(b"content-length: 0", b"transfer-encoding: chunked")
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        refused, served = await talk(house, head + 3 * chunk + b"0\r\n\r\n", post(house, chat()))

    assert refused.status == 413
    assert served.status == 200


NO_REQUESTS = [
    b"GARBAGE\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: -1\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\n"
    b"content-length: 2\r\n\r\nab",
    b"GET /health HTTP/1.1\r\nbad header: x\r\n\r\n",
    b"GET /h\xe9alth HTTP/1.1\r\nhost: t\r\n\r\n",
    b"CONNECT example.com:443 HTTP/1.1\r\nhost: t\r\n\r\n",
]


async def test_bytes_that_are_no_request_are_a_400_and_the_connection_ends(house: House) -> None:
    """What two readers could take for two different requests is read by nobody."""
    for request_bytes in NO_REQUESTS:
        answer = await ask(house.url, request_bytes)

        assert answer.status == 400, request_bytes
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["connection"] == "close"


async def test_bytes_after_the_declared_length_do_not_reach_into_the_answer(house: House) -> None:
    """A client that sends more than it said gets its answer or none, never two in one."""
    house.lab.script("delay=0.2")
    reader, writer = await connect(house.url)
    writer.write(post(house, chat()) + b"and some more\r\n\r\n")
    whole = await asyncio.wait_for(reader.read(-1), 10)
    writer.close()

    assert whole.count(b"HTTP/1.1 ") <= 1
    assert (await talk(house, post(house, chat())))[0].status == 200


async def test_pipelined_requests_are_answered_in_order(house: House) -> None:
    """Requests sent without waiting are answered one after another, none twice."""
    house.lab.script("delay=0.05,text=first")
    house.lab.script("text=second")
    reader, writer = await connect(house.url)
    health = encode("GET", "/health", None, b"", close=False)
    writer.write(post(house, chat()) + post(house, chat(stream=True)) + health)
    first, second, third = [await read_one(reader) for _ in range(3)]
    writer.close()

    assert first.json()["choices"][0]["message"]["content"] == "first"
    assert b"second" in second.body
    assert third.json()["status"] == "ok"


async def test_upgrade_that_is_not_offered_is_passed_over(house: House) -> None:
    """curl --http2 and Java's client ask for h2c with every first request; HTTP/1.1 goes on."""
    asking = post(house, chat()).replace(
        b"host: test", b"host: test\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c"
    )
    socket = encode("GET", "/v1/x", None, b"", close=False).replace(
        b"host: test", b"host: test\r\nConnection: Upgrade\r\nUpgrade: websocket"
    )
    answers = await talk(house, asking, post(house, chat("again")), socket, asking)

    assert [answer.status for answer in answers] == [200, 200, 404, 200]
    assert [json.loads(seen.body)["messages"][0]["content"] for seen in house.lab.log] == [
        "hi",
        "again",
        "hi",
    ]


@pytest.mark.parametrize("prompt_bytes", [10, 300_000])
@pytest.mark.parametrize("num_pipelined", [0, 1])
async def test_client_gone_is_noticed_after_a_large_body_and_while_pipelining(
    house: House, prompt_bytes: int, num_pipelined: int
) -> None:
    """Reading goes on while an answer is made, or nobody would hear the client leave."""
    house.lab.script("delay=60")
    _, writer = await connect(house.url)
    health = encode("GET", "/health", None, b"", close=False)
    writer.write(post(house, chat("x" * prompt_bytes)) + health * num_pipelined)
    await writer.drain()
    await house.lab.wait_for(lambda lab: lab.stats.active_requests == 1)
    await asyncio.sleep(0.05)  # what follows the request has been read
    writer.close()

    await house.lab.wait_for(lambda lab: lab.log[-1].ending is not None, 2.0)
    assert house.lab.log[-1].ending == "client_closed_before_first_byte"


async def test_client_that_half_closes_has_left(house: House) -> None:
    """The end of a client's bytes is how its leaving is noticed; it is not waited for more."""
    house.lab.script("delay=60")
    reader, writer = await connect(house.url)
    writer.write(post(house, chat()))
    await house.lab.wait_for(lambda lab: lab.stats.active_requests == 1)
    writer.write_eof()

    assert await asyncio.wait_for(reader.read(-1), 5) == b""
    await house.lab.wait_for(lambda lab: lab.log[-1].ending is not None, 2.0)
    writer.close()


async def test_head_without_end_is_refused_and_nothing_kept(house: House) -> None:
    """A flood of headers is cut at a bound, before any key was seen."""
    reader, writer = await connect(house.url)
    writer.write(b"GET /health HTTP/1.1\r\nhost: t\r\n")
    line = b"x-flood: " + b"y" * 8_000 + b"\r\n"
    sent_bytes = 0
    try:
        for _ in range(1_000):
            writer.write(line)
            await writer.drain()
            sent_bytes += len(line)
    except ConnectionError:
        pass
    assert sent_bytes < 7_500_000
    try:
        whole = await asyncio.wait_for(reader.read(-1), 5)
        assert not whole or decode(whole).status == 431
    except ConnectionError:
        pass  # it was reset while we still sent
    writer.close()
    assert (await talk(house, post(house, chat())))[0].status == 200


async def test_head_over_the_bound_is_a_431_in_openais_shape(house: House) -> None:
    """A client that stops to look sees why."""
    reader, writer = await connect(house.url)
    writer.write(b"GET /health HTTP/1.1\r\nx-flood: ")
    await asyncio.sleep(0.1)  # so that the first read ends here
    writer.write(b"y" * (MAX_HEAD_BYTES + 1))
    answer = decode(await asyncio.wait_for(reader.read(-1), 5))
    writer.close()

    assert answer.status == 431
    assert answer.json()["error"]["code"] == "headers_too_large"


async def test_thousand_idle_connections_disturb_nobody(house: House) -> None:
    """Connections that say nothing cost a request nothing."""
    idle = [await connect(house.url) for _ in range(1_000)]
    answers = await talk(house, *[post(house, chat())] * 5)
    assert [answer.status for answer in answers] == [200] * 5
    for _, writer in idle:
        writer.close()
