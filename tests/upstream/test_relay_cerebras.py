"""The relay between Cerebras and the others, against scripted upstreams of both kinds."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Frame, Meaning, Secret, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.errors import BadRequest, Busy, Fault, Rejected, Unsupported
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.relay import Endpoint, Relay
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream

CHAT, CEREBRAS = Dialect.OPENAI_CHAT, Dialect.CEREBRAS_CHAT
TEXTS = Dialect.CEREBRAS_COMPLETIONS
MODEL = "gpt-oss-120b"
HI = [{"role": "user", "content": "one two three"}]


@dataclass
class Scene:
    """A relay and the upstream that it speaks to."""

    relay: Relay
    upstream: ScriptedUpstream

    async def frames(
        self, dialect: Dialect, *, model: str = MODEL, wants_usage: bool = True, **fields: Any
    ) -> list[Frame]:
        """Ask for an answer; return its frames."""
        limits = Deadlines(connect_s=5.0, first_token_s=10.0, idle_s=10.0, total_s=20.0)
        attempt = Attempt(
            attempt_id="a-1",
            number=1,
            route="r",
            target=Target("cerebras", model),
            deadlines=limits,
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + limits.total_s,
        )
        call = Call(
            call_id="a",
            dialect=dialect,
            body=json.dumps({"model": "public", "messages": HI, **fields}).encode(),
            model="public",
            key_id="k",
            is_stream=bool(fields.get("stream")),
            wants_usage=wants_usage,
            attempt=attempt,
        )
        async with asyncio.timeout(20):
            return [frame async for frame in self.relay(call)]

    @property
    def sent(self) -> dict[str, Any]:
        """What the upstream got last."""
        fields: dict[str, Any] = json.loads(self.upstream.log[-1].body)
        return fields


@asynccontextmanager
async def scene(prefix: str = "/cerebras", **options: Any) -> AsyncIterator[Scene]:
    """Open a relay to the scripted upstream under a prefix, by default as the built-in Cerebras."""
    client = HttpClient(HttpSettings(), environ={})
    async with scripted_upstream(clock=lambda: 1_700_000_000.0) as upstream:
        options = {"name": "cerebras", "key": Secret("csk-1"), **options}
        endpoint = Endpoint(base_url=f"{upstream.origin}{prefix}/v1", **options)
        try:
            yield Scene(Relay(endpoint, client, now=lambda: datetime.now(UTC)), upstream)
        finally:
            await client.close()


def events(frames: Sequence[Frame]) -> list[Any]:
    """Return the chunks that the client gets, without the terminal event."""
    data = b"".join(frame.data for frame in frames if frame.meaning is not Meaning.WITHHELD)
    texts = [text.removeprefix(b"data: ") for text in data.split(b"\n\n") if text]
    assert texts[-1] == b"[DONE]"
    return [json.loads(text) for text in texts[:-1]]


# ---- OpenAI's clients at Cerebras ---------------------------------------------------------------


@pytest.mark.parametrize("is_stream", [True, False])
async def test_openai_request_that_cerebras_would_refuse_is_answered(*, is_stream: bool) -> None:
    """What it does not know is left out, renamed or moved, and the first frame says so."""
    thought = {"role": "assistant", "content": "x", "reasoning_content": "y", "refusal": None}
    async with scene() as s:
        frames = await s.frames(
            CHAT,
            messages=[*HI, thought, *HI],
            stream=is_stream,
            store=True,
            metadata={"a": "b"},
            reasoning_effort="xhigh",
        )
        sent = s.sent
    assert sent["model"] == MODEL
    assert sent["messages"][1] == {"role": "assistant", "content": "x", "reasoning": "y"}
    assert frames[0].changes == (
        "store",
        "metadata",
        "messages.1.reasoning_content -> reasoning",
        "reasoning_effort -> high",
    )
    assert not any(frame.changes for frame in frames[1:])
    assert frames[-1].finish_reason == "stop"


async def test_plain_request_says_nothing_of_changes() -> None:
    """Nothing is added either: Cerebras tells usage unasked."""
    async with scene(asks_usage=False) as s:
        frames = await s.frames(CHAT, stream=True, wants_usage=False)
        assert s.sent == {"model": MODEL, "messages": HI, "stream": True}
    assert not any(frame.changes for frame in frames)


async def test_request_that_cannot_be_adapted_sends_nothing() -> None:
    """It is refused before a byte goes out; another target may take it."""
    async with scene() as s:
        with pytest.raises(Unsupported, match="web_search_options"):
            await s.frames(CHAT, web_search_options={})
        with pytest.raises(BadRequest, match="temperature"):
            await s.frames(CHAT, temperature=3)
        assert not s.upstream.log


async def test_model_of_the_target_decides_what_can_be_asked() -> None:
    """Not the name that the client knows it by."""
    developer = {"role": "developer", "content": "d"}
    async with scene() as s:
        for model, role in ((MODEL, "developer"), ("qwen-3.8-27b", "system")):
            await s.frames(CHAT, model=model, messages=[developer, *HI])
            assert s.sent["messages"][0]["role"] == role


async def test_usage_beside_the_last_choice_is_read_and_left_where_it_is() -> None:
    """The chunk is the answer's, so it stays, also for a client that did not ask for usage."""
    async with scene() as s:
        for wants_usage in (True, False):
            frames = await s.frames(
                CHAT, model=f"{MODEL}?reasoning=2&cached=256", stream=True, wants_usage=wants_usage
            )
            *chunks, last = events(frames)
            assert last["usage"]["completion_tokens"] == 5
            assert last["choices"][0]["finish_reason"] == "stop"
            assert last["time_info"]["total_time"] > 0
            assert not any("usage" in chunk for chunk in chunks)
            [usage] = [frame.usage for frame in frames if frame.usage]
            assert usage == Usage(cache_read_tokens=256, output_tokens=3, output_reasoning_tokens=2)


async def test_plain_answers_usage_is_read_into_buckets() -> None:
    """Each token is counted once."""
    async with scene() as s:
        [frame] = await s.frames(CHAT, model=f"{MODEL}?reasoning=1")
    assert frame.usage == Usage(input_tokens=3, output_tokens=3, output_reasoning_tokens=1)


@pytest.mark.parametrize(
    ("script", "kind", "fault", "code"),
    [
        ("status=429&code=token_quota_exceeded", Busy, Fault.QUOTA, "token_quota_exceeded"),
        ("status=429&code=request_quota_exceeded", Busy, Fault.QUOTA, "request_quota_exceeded"),
        ("status=429&code=queue_exceeded", Busy, Fault.TARGET, "queue_exceeded"),
        ("status=402", Rejected, Fault.KEY, "upstream_key_refused"),
        ("status=401", Rejected, Fault.KEY, "upstream_key_refused"),
        ("status=500", Rejected, Fault.TARGET, "upstream_error"),
        ("error_after=0", Rejected, Fault.TARGET, "upstream_error"),
        ("error_in_200", Rejected, Fault.TARGET, "upstream_error"),
    ],
)
async def test_error_of_cerebras_is_what_it_means(
    script: str, kind: type[Exception], fault: Fault, code: str
) -> None:
    """Flat, wrapped, or inside a stream; Retry-After is heeded."""
    async with scene() as s:
        with pytest.raises(kind) as caught:
            await s.frames(CHAT, model=f"{MODEL}?retry_after=56&{script}", stream=True)
    error: Any = caught.value
    assert (error.fault, error.code) == (fault, code)
    assert error.retry_after_s == (56.0 if kind is Busy else None)


async def test_request_that_cerebras_refuses_all_the_same_is_the_clients_fault() -> None:
    """A dialect that is said on purpose goes as it is, and its words come back."""
    async with scene() as s:
        with pytest.raises(Rejected, match=r"property 'body\.store' is unsupported") as caught:
            await s.frames(CEREBRAS, store=True)
    assert (caught.value.fault, caught.value.code) == (Fault.CLIENT, "wrong_api_format")


# ---- Cerebras's clients -------------------------------------------------------------------------


async def test_cerebras_request_goes_to_cerebras_as_it_is() -> None:
    """Only the model has another name, and the answer is not touched."""
    fields: dict[str, Any] = {
        "reasoning_format": "raw",
        "min_tokens": 1,
        "max_completion_tokens": -1,
    }
    async with scene() as s:
        frames = await s.frames(CEREBRAS, stream=True, **fields)
        assert s.sent == {"model": MODEL, "messages": HI, "stream": True, **fields}
    assert events(frames)[-1]["usage"]["completion_tokens"] == 3
    assert not any(frame.changes for frame in frames)


async def test_cerebras_request_at_another_provider_is_translated_both_ways() -> None:
    """It asks in OpenAI's words, and answers as Cerebras does."""
    async with scene("", name="lab") as s:
        frames = await s.frames(
            CEREBRAS,
            model="m?reasoning=2&reasoning_field=reasoning_content",
            stream=True,
            clear_thinking=True,
        )
        assert s.sent["stream_options"] == {"include_usage": True}
        assert "clear_thinking" not in s.sent
        *_, last = chunks = events(frames)
        [plain] = await s.frames(CEREBRAS, model="m?reasoning=2&reasoning_field=reasoning_content")
    assert frames[0].changes == ("clear_thinking",)
    assert all(chunk["choices"] for chunk in chunks)
    assert last["usage"]["completion_tokens"] == 5
    assert last["choices"][0]["finish_reason"] == "stop"
    thoughts = [c["choices"][0]["delta"].get("reasoning") for c in chunks]
    assert "".join(filter(None, thoughts)) == "hmm hmm"
    assert json.loads(plain.data)["choices"][0]["message"]["reasoning"] == "hmm hmm"
    assert plain.usage == Usage(input_tokens=3, output_tokens=3, output_reasoning_tokens=2)


async def test_provider_of_any_name_may_speak_cerebras() -> None:
    """What is said of it decides, not what it is called."""
    async with scene(name="mine", dialect=CEREBRAS) as s:
        frames = await s.frames(CHAT, store=True)
        assert frames[0].changes == ("store",)


# ---- text completions ---------------------------------------------------------------------------

TEXT_CHUNKS = (
    b'data: {"id":"c","choices":[{"index":0,"text":"hi"}],"object":"text_completion"}\n\n',
    b'data: {"id":"c","choices":[{"index":0,"text":"","finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}\n\n',
    b"data: [DONE]\n\n",
)


@asynccontextmanager
async def text_server(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve one answer, as Cerebras's /completions would; note the requests."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        requests.append(head + await reader.readexactly(size))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("is_stream", [True, False])
async def test_text_completion_of_a_cerebras_client_is_relayed_to_cerebras(
    *, is_stream: bool
) -> None:
    """It has the endpoint in the same shape, so the bytes pass; usage is read on the way."""
    plain = (
        b'{"id":"c","choices":[{"index":0,"text":"hi","finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}'
    )
    body = b"".join(TEXT_CHUNKS) if is_stream else plain
    kind = b"text/event-stream" if is_stream else b"application/json"
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
    async with text_server(answer % (kind, len(body), body)) as (origin, requests):
        client = HttpClient(HttpSettings(), environ={})
        endpoint = Endpoint(name="cerebras", base_url=f"{origin}/v1", key=Secret("csk"))
        relay = Relay(endpoint, client, now=lambda: datetime.now(UTC))
        s = Scene(relay, None)  # type: ignore[arg-type]
        frames = await s.frames(TEXTS, prompt="x", stream=is_stream)
        await client.close()
    assert b"POST /v1/completions " in requests[0]
    assert b"".join(frame.data for frame in frames) == body
    assert [f.usage for f in frames if f.usage] == [Usage(input_tokens=2, output_tokens=1)]
    assert frames[0].meaning is (Meaning.CONTENT if is_stream else Meaning.END)


@pytest.mark.parametrize("name", ["lab", "openai"])
async def test_text_completion_elsewhere_is_refused(name: str) -> None:
    """A provider without the endpoint, or with one of another shape, is asked for nothing."""
    async with scene("", name=name) as s:
        for dialect in (TEXTS, Dialect.OPENAI_COMPLETIONS):
            with pytest.raises(Unsupported, match="/v1/chat/completions"):
                await s.frames(dialect, prompt="x")
        assert not s.upstream.log
