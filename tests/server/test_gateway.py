"""Paths, methods and defects: what answers what, and that nothing goes past the gateway."""

import asyncio
import json
from pathlib import Path

import pytest

from slipstream.call import Call, Dialect, Frame, Frames, Meaning
from slipstream.errors import Exhausted, StreamCut
from slipstream.server.log import open_log
from slipstream.server.models import ModelList
from tests.server.asking import CHAT, Asked, ask, chat, gateway_of, whole

SECRET = "sk-provider-1234"


async def list_two() -> ModelList:
    """List two models."""
    return [{"id": "a/b/c", "object": "model"}, {"id": "m", "object": "model"}]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", CHAT, 200),
        ("POST", "/chat/completions", 200),
        ("POST", "/v1/embeddings", 400),  # a chat is none
        ("POST", "/embeddings", 400),
        ("GET", "/v1/embeddings", 405),
        ("GET", "/v1/models", 200),
        ("GET", "/models", 200),
        ("GET", "/v1/models/a/b/c", 200),
        ("GET", "/models/m", 200),
        ("GET", "/metrics", 200),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", CHAT, 405),
        ("DELETE", "/v1/models", 405),
        ("PATCH", "/health", 405),
        ("GET", "/v1/models/", 404),
        ("GET", "/v1/models/a/b", 404),
        ("POST", "/v1/models/m", 405),
        ("GET", "/v1/tcp_warming", 200),
        ("GET", "/", 200),
        ("GET", "", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("POST", "/V1/chat/completions", 404),
        ("POST", "//v1/chat/completions", 404),
        ("GET", "/v1/../health", 404),
    ],
)
async def test_path_and_method_decide_what_answers(method: str, path: str, status: int) -> None:
    """Each endpoint is at its path under its method, and nowhere else."""
    gateway = gateway_of(whole(), list_models=list_two)
    asked = await ask(gateway, Asked(chat(), method=method, path=path))
    assert asked.status == status
    if status >= 400:
        assert asked.headers["x-request-id"] == "req-1"
        assert set(asked.error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (CHAT, 401),
        ("/v1/embeddings", 401),
        ("/v1/models", 401),
        ("/v1/models/m", 401),
        ("/metrics", 401),
        ("/health", 200),
        ("/openapi.json", 200),
        ("/v1/tcp_warming", 200),
        ("/public/v1/models", 200),
    ],
)
async def test_every_endpoint_but_health_asks_for_a_key(path: str, status: int) -> None:
    """What a model costs, or which there are, is nobody's business without a key."""
    gateway = gateway_of(whole(), find_key=lambda key: None, list_models=list_two)
    method = "POST" if path in (CHAT, "/v1/embeddings") else "GET"
    asked = await ask(gateway, Asked(chat(), method=method, path=path))
    assert asked.status == status


@pytest.mark.parametrize(
    ("path", "body", "dialect"),
    [
        (CHAT, chat(), Dialect.OPENAI_CHAT),
        ("/chat/completions", chat(), Dialect.OPENAI_CHAT),
        ("/v1/embeddings", b'{"model":"m","input":"a"}', Dialect.OPENAI_EMBEDDINGS),
        ("/embeddings", b'{"model":"m","input":"a"}', Dialect.OPENAI_EMBEDDINGS),
    ],
)
async def test_path_decides_the_dialect_of_a_call(path: str, body: bytes, dialect: Dialect) -> None:
    """What a call is comes from where it was sent, and its body is read by that."""
    calls: list[Call] = []

    async def serve(call: Call) -> Frames:
        calls.append(call)
        yield Frame(b"{}", Meaning.END)

    asked = await ask(gateway_of(serve), Asked(body, path=path))
    assert asked.status == 200
    assert [(call.dialect, call.model, call.is_stream) for call in calls] == [(dialect, "m", False)]


async def test_request_ids_are_unique() -> None:
    """No two requests share an id."""
    gateway = gateway_of(whole())
    answers = [await ask(gateway, Asked(chat())) for _ in range(20)]
    assert len({asked.headers["x-request-id"] for asked in answers}) == 20


@pytest.mark.parametrize("is_stream", [False, True])
async def test_defect_before_the_answer_is_a_500_with_the_id(
    is_stream: bool, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """What nobody foresaw is told by its id; the traceback is in the log alone, and counted."""

    async def serve(call: Call) -> Frames:
        raise KeyError(SECRET)
        yield Frame(b"", Meaning.END)

    loop = asyncio.get_running_loop()
    with open_log(str(tmp_path / "log"), loop.call_later) as log:
        gateway = gateway_of(serve, log=log)
        asked = await ask(gateway, Asked(chat(stream=is_stream)))
        good = await ask(gateway, Asked(method="GET", path="/health"))

    assert asked.status == 500
    assert asked.error["code"] == "internal_error"
    assert asked.headers["x-request-id"] in asked.error["message"]
    assert asked.headers["x-should-retry"] == "false"
    assert SECRET.encode() not in asked.body
    assert b"Traceback" not in asked.body
    assert "Traceback" in caplog.text
    assert "req-1" in caplog.text
    assert good.status == 200
    assert gateway.metrics.num_active == 0
    assert b'seconds_count{status="500",target="-"} 1.0' in gateway.metrics.render()
    line = (tmp_path / "log").read_text()
    assert "status=500 outcome=internal_error" in line
    assert SECRET not in line


async def test_defect_in_a_stream_is_its_last_event(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that has begun says that it failed; the line in the log does not say ok."""

    async def serve(call: Call) -> Frames:
        yield Frame(b"data: 1\n\n", Meaning.CONTENT)
        raise ZeroDivisionError

    asked = await ask(gateway_of(serve), Asked(chat(stream=True)))

    assert asked.status == 200
    assert asked.has_ended
    assert asked.error["code"] == "internal_error"
    assert "ZeroDivisionError" in caplog.text


async def test_defect_after_the_end_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A client that has everything hears nothing of it."""

    async def serve(call: Call) -> Frames:
        yield Frame(b"{}", Meaning.END)
        raise ZeroDivisionError

    asked = await ask(gateway_of(serve), Asked(chat()))

    assert asked.body == b"{}"
    assert asked.status == 200
    assert "ZeroDivisionError" in caplog.text


async def test_defect_of_another_endpoint_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """The outermost layer covers every endpoint."""

    async def list_badly() -> ModelList:
        raise OSError("disk")

    gateway = gateway_of(whole(), list_models=list_badly)
    asked = await ask(gateway, Asked(method="GET", path="/v1/models"))
    assert asked.status == 500
    assert asked.error["code"] == "internal_error"
    assert "disk" not in asked.error["message"]
    assert "disk" in caplog.text


async def test_stop_while_models_are_listed_is_a_503() -> None:
    """A cancelled endpoint answers; nothing is raised past the gateway."""

    async def list_slowly() -> ModelList:
        await asyncio.sleep(60)
        return []

    gateway = gateway_of(whole(), list_models=list_slowly)
    asked = Asked(method="GET", path="/v1/models")
    task = asyncio.ensure_future(ask(gateway, asked))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait_for(task, 5)
    assert asked.status == 503
    assert asked.error["code"] == "shutting_down"


async def test_full_gateway_says_so_and_counts_it(tmp_path: Path) -> None:
    """One over the bound is refused at once, with a line and a count; then there is room again."""
    may_end = asyncio.Event()

    async def serve(call: Call) -> Frames:
        await may_end.wait()
        yield Frame(b"{}", Meaning.END)

    loop = asyncio.get_running_loop()
    with open_log(str(tmp_path / "log"), loop.call_later) as log:
        gateway = gateway_of(serve, max_concurrent=2, log=log)
        waiting = [asyncio.ensure_future(ask(gateway, Asked(chat()))) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await ask(gateway, Asked(chat()))
        health = await ask(gateway, Asked(method="GET", path="/health"))
        may_end.set()
        served = await asyncio.gather(*waiting)
        after = await ask(gateway, Asked(chat()))

    assert refused.status == 503
    assert refused.error["code"] == "overloaded"
    assert refused.headers["retry-after"] == "1"
    assert [asked.status for asked in (*served, after, health)] == [200] * 4
    assert (tmp_path / "log").read_text().count("status=503 outcome=overloaded") == 1
    assert b'seconds_count{status="503",target="-"} 1.0' in gateway.metrics.render()


async def test_one_line_for_each_request_whatever_its_end(tmp_path: Path) -> None:
    """Every chat request has its line, with the id that its client was told."""

    async def serve(call: Call) -> Frames:
        if call.model == "bad":
            raise Exhausted((("lab/bad", StreamCut("x")),))
        yield Frame(b"{}", Meaning.END)

    loop = asyncio.get_running_loop()
    with open_log(str(tmp_path / "log"), loop.call_later) as log:
        gateway = gateway_of(serve, log=log)
        bodies = [chat(), b"{", chat(model="bad"), chat(model='x"\n\x1b[2J é' * 30)]
        answers = [await ask(gateway, Asked(body)) for body in bodies]
    lines = (tmp_path / "log").read_text().splitlines()

    assert len(lines) == len(answers)
    for line, asked in zip(lines, answers, strict=True):
        assert f"call={asked.headers['x-request-id']} " in line
        assert f"status={asked.status} " in line
    assert "outcome=upstream_stream_cut" in lines[2]
    assert "target=lab/bad" in lines[2]


async def test_websocket_is_closed() -> None:
    """What is not offered is refused in its own protocol."""
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    gateway = gateway_of(whole())
    await gateway({"type": "websocket", "path": CHAT}, Asked().receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_health_says_what_it_was_given() -> None:
    """The endpoint reports the status and what app adds."""
    asked = await ask(gateway_of(whole()), Asked(method="GET", path="/health"))
    assert json.loads(asked.body) == {"status": "ok", "models": {}}


@pytest.mark.parametrize(
    ("method", "path", "version", "status", "kind"),
    [
        ("GET", "/v1/messages", None, 405, "invalid_request_error"),
        ("POST", "/v1/messages/nope", None, 404, "not_found_error"),
        ("POST", "/v1/messages/batches", None, 501, "not_supported"),
        ("GET", "/v1/skills", b"2023-06-01", 501, "not_supported"),
        ("GET", "/v1/nope", b"2023-06-01", 404, "not_found_error"),
        ("GET", "/v1/skills", None, 404, None),
    ],
)
async def test_place_that_is_none_is_told_as_anthropic_does(
    method: str, path: str, version: bytes | None, status: int, kind: str | None
) -> None:
    """With the request's id; what of Anthropic's API is not offered has a status of its own."""
    headers = [] if version is None else [(b"anthropic-version", version)]
    asked = await ask(gateway_of(whole()), Asked(method=method, path=path, headers=headers))
    told = json.loads(asked.body)
    assert (asked.status, told["error"]["type"] if kind else None) == (status, kind)
    assert asked.headers["x-should-retry"] == "false"
    assert (told.get("request_id") == asked.headers.get("request-id") == "req-1") == bool(kind)


async def test_root_says_that_somebody_is_here() -> None:
    """Claude Code may ask so, without a key."""
    gateway = gateway_of(whole(), find_key=lambda text: None)
    for method in ("HEAD", "GET"):
        assert (await ask(gateway, Asked(method=method, path="/"))).status == 200
