"""What we count of the scripted providers' answers, and what genai-prices reads in the same bytes.

Every client's dialect at every provider, plain and streamed: the request that the provider got is
sent to it once more, without us, and that answer is what genai-prices reads.
"""

import json
from typing import Any, Final

import pytest

from slipstream.call import Dialect, Usage
from slipstream.catalog.providers import PROVIDERS as ROWS
from slipstream.wire.sse import EventSplitter, event_data
from tests.upstream.dialect_scene import (
    CEREBRAS,
    CHAT,
    MESSAGES,
    PROVIDERS,
    RESPONSES,
    DialectScene,
    asking,
    dialect_scene,
)
from tests.upstream.scripted_raw import close, connect, read_all, request_bytes
from tests.wire.genai_usage import differences, extracted

CLIENTS: Final = (CHAT, CEREBRAS, MESSAGES, RESPONSES)
COSTLY: Final = "cached=2,cache_write=1,reasoning=3"
# genai-prices' flavor for each of a provider's dialects, and where it has none, whose rules hold:
# DeepInfra is not in it, and neither are the Messages of xAI and OpenRouter.
FLAVORS: Final = {
    ("cerebras", "chat"): ("cerebras", "chat"),
    ("openai", "chat"): ("openai", "chat"),
    ("openai", "responses"): ("openai", "responses"),
    ("anthropic", "messages"): ("anthropic", "default"),
    ("groq", "chat"): ("groq", "default"),
    ("groq", "responses"): ("openai", "responses"),
    ("gemini", "gemini"): ("gemini", "default"),
    ("deepinfra", "chat"): ("openai", "chat"),
    ("deepinfra", "responses"): ("openai", "responses"),
    ("deepinfra", "messages"): ("anthropic", "default"),
    ("mistral", "chat"): ("mistral", "default"),
    ("mistral", "responses"): ("openai", "responses"),
    ("xai", "chat"): ("xai", "chat"),
    ("xai", "responses"): ("xai", "responses"),
    ("xai", "messages"): ("anthropic", "default"),
    ("openrouter", "chat"): ("openrouter", "chat"),
    ("openrouter", "responses"): ("openrouter", "default"),
    ("openrouter", "messages"): ("anthropic", "default"),
}
# Who says itself what an answer cost, in which dialects the scripted one does.
REPORTS: Final = {("deepinfra", "chat"), ("xai", "chat"), ("openrouter", "chat")}


def dialect_of(path: str) -> str:
    """Name the dialect of a provider's path."""
    for name in ("responses", "messages"):
        if path.endswith(name):
            return name
    return "gemini" if "models/" in path else "chat"


async def said_again(scene: DialectScene) -> tuple[str, dict[str, Any]]:
    """Send the provider what it got last; return the path and what is told of the cost."""
    row = scene.upstream.log[-1]
    headers = [("connection", "close"), ("anthropic-version", "2023-06-01")]
    said = request_bytes(json.loads(row.body), mock=COSTLY, path=row.path, headers=headers)
    reader, writer = await connect(scene.upstream.origin)
    writer.write(said)
    wire = await read_all(reader)
    await close(writer)
    assert wire.status == 200
    path = row.path.partition("?")[0]
    if not wire.headers["content-type"].startswith("text/event-stream"):
        return path, wire.document
    return path, _whole(wire.body)


def _whole(stream: bytes) -> dict[str, Any]:
    """Put together what a stream tells of usage, as a plain answer would."""
    usage: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for event in EventSplitter().feed(stream):
        data = event_data(event)
        if data is None or data.startswith(b"[DONE]"):
            continue
        said = json.loads(data)
        for holder in (said, said.get("message"), said.get("response")):
            holder = holder or {}
            usage |= holder.get("usage") or {}
            if "usageMetadata" in holder:
                whole["usageMetadata"] = holder["usageMetadata"]
            if "model" in holder:
                whole["model"] = holder["model"]
    return whole | ({"usage": usage} if usage else {})


async def counted(
    client: Dialect, provider: str, *, stream: bool, **more: Any
) -> tuple[str, Usage, dict[str, Any]]:
    """Ask; return the provider's dialect, what we counted, and its own answer."""
    async with dialect_scene(provider) as s:
        s.upstream.script(COSTLY)
        frames = await s.frames(client, asking(client, stream=stream) | more)
        path, answer = await said_again(s)
    usages = [frame.usage for frame in frames if frame.usage is not None]
    return dialect_of(path), usages[-1], answer


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_counts_agree_with_genai_prices(
    client: Dialect, provider: str, *, stream: bool
) -> None:
    """Each count that it reads from the provider's bytes is in our account, plain or streamed."""
    dialect, usage, answer = await counted(client, provider, stream=stream)
    theirs = extracted(answer, *FLAVORS[provider, dialect])
    assert {"input_tokens", "output_tokens"} <= theirs.keys()
    assert differences(usage, theirs) == {}
    # Three words are asked and three answered, after three of reasoning.
    assert (usage.total_input_tokens, usage.total_output_tokens) == (3, 6)
    assert usage.output_reasoning_tokens == 3
    assert usage.cache_read_tokens == (0 if provider == "cerebras" else 2)  # it tells whole blocks
    assert not usage.is_estimate


@pytest.mark.parametrize("provider", ["deepinfra", "xai", "openrouter"])
@pytest.mark.parametrize("stream", [False, True])
async def test_cost_that_the_provider_reports_is_taken_exactly(
    provider: str, *, stream: bool
) -> None:
    """In the unit that it reports it in."""
    dialect, usage, answer = await counted(CHAT, provider, stream=stream)
    assert (provider, dialect) in REPORTS
    said = answer["usage"]
    usd_pico = {
        "deepinfra": lambda: said["estimated_cost"] * 10**12,
        "xai": lambda: said["cost_in_usd_ticks"] * 100,
        "openrouter": lambda: said["cost"] * 10**12,
    }[provider]()
    assert usd_pico > 0
    assert usage.reported_cost_usd_pico == pytest.approx(usd_pico, rel=1e-12)


def test_every_dialect_of_every_provider_has_a_flavor() -> None:
    """A new row, or a new dialect of one, must say how it is checked."""
    names = {
        Dialect.OPENAI_CHAT: "chat",
        Dialect.CEREBRAS_CHAT: "chat",
        Dialect.OPENAI_RESPONSES: "responses",
        Dialect.ANTHROPIC_MESSAGES: "messages",
        Dialect.GEMINI: "gemini",
    }
    spoken = {(row.name, names[one.dialect]) for row in ROWS for one in row.speaks}
    assert spoken == FLAVORS.keys()
