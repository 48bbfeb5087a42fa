"""What clients and providers may write: no word of theirs breaks a header, a line or a secret."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.flows.conftest import House
from tests.flows.gateway_process import GatewayProcess, launched, write_config
from tests.flows.raw import Answer, ask, encode

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "the-prompt-itself"}]
KEY = "lab-secret-key"  # of the provider, in tests/flows/conftest.py


def chat(model: str, **fields: object) -> bytes:
    """Encode a chat request's body."""
    return json.dumps({"model": model, "messages": HELLO, **fields}).encode()


ODD_NAMES = [
    "a b",
    'quote"',
    "back\\slash",
    "new\nline",
    "cr\r\nx-evil: 1",
    "nul\x00",
    "esc\x1b[31m",
    "é漢\U0001f600",
    "ls\u2028",
    "rtl\u202e",
    "../../etc/passwd",
    "http://evil.example/v1",
    "%0d%0ax-evil: 1",
    "x" * 500,
    "é" * 500,
]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_odd_model_names_go_where_they_belong_and_nowhere_else(
    house: House, is_stream: bool
) -> None:
    """The upstream gets the name as it is, in the body; headers stay legal and ours."""
    for name in ODD_NAMES:
        body = chat(f"lab/{name}", stream=is_stream)
        answer = await ask(house.url, encode("POST", CHAT, house.key, body))

        assert answer.status == 200, name
        assert "x-evil" not in answer.headers
        assert answer.headers["x-slipstream-target"].startswith("lab/")
        assert answer.headers["x-slipstream-target"].isascii()
        assert json.loads(house.lab.log[-1].body)["model"] == name
        assert house.lab.log[-1].path == CHAT
    assert house.spare.log == ()


async def test_impossible_model_names_are_clear_errors(house: House) -> None:
    """What cannot be a model is refused in OpenAI's shape, within reasonable length."""
    for name in ("x" * 10_000, "", "\ud800", "nobody/x\r\ny", "no\x1bsuch"):
        answer = await ask(house.url, encode("POST", CHAT, house.key, chat(name)))

        assert answer.status in (400, 404), name
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert len(answer.body) < 3_000
    assert house.lab.log == ()


ODD_KEYS = [
    b"authorization: Bearer \xff\xfe\xe9",
    b"authorization: Bearer",
    b"authorization: ",
    b"authorization: Basic Zm9v",
    b"x-api-key: ",
    b"x-api-key: \x80",
    b"authorization: Bearer " + b"k" * 20_000,
]


async def test_odd_keys_are_refused_and_any_spelling_of_a_good_one_is_not(house: House) -> None:
    """Bytes that are no key are a wrong key; schemes and header names have no case."""

    async def status(header: bytes) -> int:
        request = encode("POST", CHAT, None, chat("lab/any"))
        request = request.replace(b"host: test", b"host: test\r\n" + header)
        return (await ask(house.url, request)).status

    assert [await status(header) for header in ODD_KEYS] == [401] * len(ODD_KEYS)
    for spelling in ("authorization: bearer {}", "Authorization:  BEARER   {} ", "X-API-Key: {}"):
        assert await status(spelling.format(house.key).encode()) == 200


async def test_client_headers_do_not_reach_the_upstream(house: House) -> None:
    """Neither a key nor a choice of place travels on."""
    extra = (
        b"host: test\r\nx-forwarded-host: evil.example\r\nx-base-url: http://evil.example\r\n"
        b"openai-organization: org-mine\r\ncookie: session=1\r\nx-mock: status=500"
    )
    request = encode("POST", CHAT, house.key, chat("lab/any")).replace(b"host: test", extra)
    assert (await ask(house.url, request)).status == 200

    seen = house.lab.log[-1].headers
    assert set(seen) <= {
        "host",
        "content-type",
        "accept",
        "user-agent",
        "authorization",
        "content-length",
    }
    assert seen["host"].startswith("127.0.0.1:")


async def test_no_secret_is_in_anything_that_a_run_prints(tmp_path: Path) -> None:
    """Whatever happens, neither key nor prompt is in a log, an error or an answer, and each
    request is one line."""
    async with scripted_upstream() as lab:
        config = write_config(tmp_path, lab.base_url)
        config.write_text(config.read_text().replace('log = "off"', 'log = "stderr"'))
        async with launched(config, CLIENT_SECRET="client-secret-env") as gateway:
            await gateway.until_listening()
            answers = [answer async for answer in _provoke(gateway, lab)]
            gateway.process.terminate()
            assert await gateway.wait() == 0

    printed = gateway.errors + gateway.output.replace(f"only now: {gateway.key}", "")
    assert "the-prompt-itself" not in printed
    everything = printed + "".join(f"{answer.headers}{answer.body!r}" for answer in answers)
    for secret in (KEY, gateway.key, "sk-wrong-key", "client-secret-env"):
        assert secret not in everything
    assert "Traceback" not in gateway.errors
    lines = [line for line in gateway.errors.split("\n") if " call=req-" in line]
    assert len(lines) == len(answers)
    assert all(line.isascii() and line.isprintable() for line in lines)


async def _provoke(gateway: GatewayProcess, lab: ScriptedUpstream) -> AsyncIterator[Answer]:
    """Yield answers to everything that could make a gateway say too much."""
    quoting = json.dumps({"error": {"message": f"bad key {KEY}", "code": f"x\ny {KEY}"}})
    behaviours: tuple[Mapping[str, object], ...] = (
        {},
        {"status": 401, "body": quoting},
        {"status": 403, "body": quoting},
        {"http_garbage": True},
        {"reset": True, "cut": 10},
        {"malformed_chunk": 1},
        {"status": 500},
        {"header_bytes": 100_000},
    )
    for behaviour in behaviours:
        for is_stream in (False, True):
            lab.script(behaviour)
            body = chat("lab/any", stream=is_stream)
            yield await ask(gateway.url, encode("POST", CHAT, gateway.key, body))
    for name in ("no\nsuch\x1b[2J", "lab/\u2028\x9b31m", "chain"):
        yield await ask(gateway.url, encode("POST", CHAT, gateway.key, chat(name)))
    yield await ask(gateway.url, encode("POST", CHAT, "sk-wrong-key", chat("lab/any")))
    yield await ask(gateway.url, encode("POST", CHAT, gateway.key, b'{"the-prompt-itself'))
