"""A relay to the scripted upstream as any provider, asked in any client's dialect."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from slipstream.call import Call, Dialect, Frame, Meaning
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.toml_settings import Problems
from slipstream.upstream.endpoints import endpoint_of
from slipstream.upstream.hearing import CLIENTS
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.relay import Relay
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from slipstream.upstream.settings import ProviderSettings
from slipstream.wire.chat import answers_in as chat_in
from slipstream.wire.completions import answers_in as completions_in
from slipstream.wire.messages import answers_in as messages_in
from slipstream.wire.responses import answers_in as responses_in
from slipstream.wire.sse import EventSplitter
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.events import CallBegan, CallSaid, Counted, Ended, Event, Said

CHAT, CEREBRAS = Dialect.OPENAI_CHAT, Dialect.CEREBRAS_CHAT
MESSAGES, RESPONSES = Dialect.ANTHROPIC_MESSAGES, Dialect.OPENAI_RESPONSES
TEXTS = Dialect.OPENAI_COMPLETIONS
WORDS = "one two three"
TOOL_SCHEMA = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris"], "type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

# Under which path each provider's own API is, as the provider has it.
PROVIDERS: Final = {
    "cerebras": ("/cerebras/v1", "gpt-oss-120b"),
    "openai": ("/openai/v1", "gpt-5.4"),
    "anthropic": ("/anthropic/v1", "claude-opus-4-6"),
    "groq": ("/groq/openai/v1", "openai/gpt-oss-120b"),
    "gemini": ("/gemini/v1beta/openai", "gemini-3.5-flash"),
    "deepinfra": ("/deepinfra/v1/openai", "openai/gpt-oss-120b"),
    "mistral": ("/mistral/v1", "mistral-large-4"),
    "xai": ("/xai/v1", "grok-4.6"),
    "openrouter": ("/openrouter/api/v1", "openai/gpt-5.4"),
}


@dataclass
class DialectScene:
    """A relay and the upstream that it speaks to."""

    relay: Relay
    upstream: ScriptedUpstream
    model: str

    async def frames(
        self,
        dialect: Dialect,
        body: dict[str, Any],
        *,
        headers: dict[bytes, bytes] | None = None,
        wants_usage: bool = True,
    ) -> list[Frame]:
        """Ask for an answer; return its frames."""
        limits = Deadlines(connect_s=5.0, first_token_s=10.0, idle_s=10.0, total_s=20.0)
        attempt = Attempt(
            attempt_id="a-1",
            number=1,
            route="r",
            target=Target("lab", self.model),
            deadlines=limits,
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + limits.total_s,
        )
        call = Call(
            call_id="a",
            dialect=dialect,
            body=json.dumps(body).encode(),
            model="public",
            key_id="k",
            is_stream=bool(body.get("stream")),
            wants_usage=wants_usage,
            headers=tuple((headers or {}).items()),
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
async def dialect_scene(provider: str, **options: Any) -> AsyncIterator[DialectScene]:
    """Open a relay to the scripted upstream as a provider of this name has it."""
    client = HttpClient(HttpSettings(), environ={})
    path, model = PROVIDERS[provider]
    async with scripted_upstream(clock=lambda: 1_700_000_000.0) as upstream:
        settings = ProviderSettings(base_url=f"{upstream.origin}{path}", api_key="sk-1", **options)
        endpoint = endpoint_of(provider, settings, {}, Problems(None, {}))
        assert endpoint is not None
        relay = Relay(endpoint, client, now=lambda: datetime(2026, 11, 21, tzinfo=UTC))
        try:
            yield DialectScene(relay, upstream, model)
        finally:
            await client.close()


def asking(dialect: Dialect, text: str = WORDS, *, stream: bool, tool: bool = False) -> Any:
    """Return a request in a client's words."""
    said = [{"role": "user", "content": text}]
    schema = {"parameters": TOOL_SCHEMA, "description": "The weather.", "name": "weather"}
    body: dict[str, Any] = {"model": "public", "stream": stream}
    if stream and dialect in (CHAT, TEXTS):
        body["stream_options"] = {"include_usage": True}
    match dialect:
        case Dialect.OPENAI_COMPLETIONS:
            assert not tool, "a text has none"
            return body | {"prompt": text, "max_tokens": 500}
        case Dialect.ANTHROPIC_MESSAGES:
            body |= {"messages": said, "max_tokens": 500}
            tools: list[Any] = [{"name": "weather", "input_schema": TOOL_SCHEMA}]
            choice: Any = {"type": "tool", "name": "weather"}
        case Dialect.OPENAI_RESPONSES:
            body |= {"input": said}
            tools = [{"type": "function", **schema}]
            choice = {"type": "function", "name": "weather"}
        case _:
            body |= {"messages": said}
            tools = [{"type": "function", "function": schema}]
            choice = {"type": "function", "function": {"name": "weather"}}
    return body | ({"tools": tools, "tool_choice": choice} if tool else {})


def reader_of(dialect: Dialect) -> Any:
    """Return what reads an answer as a client of this dialect does."""
    if dialect is MESSAGES:
        return messages_in.AnswerReader()
    if dialect is TEXTS:
        return completions_in.AnswerReader(Asked(dialect=dialect, model="m", turns=()))
    return responses_in.AnswerReader() if dialect is RESPONSES else chat_in.AnswerReader(vendor="x")


def heard(dialect: Dialect, frames: list[Frame], *, stream: bool) -> list[Event]:
    """Return what the client understands."""
    reader = reader_of(dialect)
    data = b"".join(frame.data for frame in frames if frame.meaning is not Meaning.WITHHELD)
    if not stream:
        events: list[Event] = reader.read_whole(data)
        return events
    events = [event for raw in EventSplitter().feed(data) for event in reader.read(raw)]
    return [*events, *reader.end()]


def text_of(events: list[Event]) -> str:
    """Return the visible text."""
    return "".join(event.text for event in events if isinstance(event, Said))


def calls_of(events: list[Event]) -> list[tuple[str, Any]]:
    """Return the calls: name and arguments."""
    names = {event.index: event.name for event in events if isinstance(event, CallBegan)}
    said = dict.fromkeys(names, "")
    for event in events:
        if isinstance(event, CallSaid):
            said[event.index] += event.text
    return [(name, json.loads(said[index])) for index, name in names.items()]


def ending_of(events: list[Event]) -> str:
    """Return why the answer ended."""
    return next(event.reason for event in events if isinstance(event, Ended))


def tokens_of(events: list[Event]) -> tuple[int, int]:
    """Return what the client is told that it cost: input and output."""
    usage = [event.usage for event in events if isinstance(event, Counted)][-1]
    return usage.total_input_tokens, usage.total_output_tokens


__all__ = [
    "CEREBRAS",
    "CHAT",
    "CLIENTS",
    "MESSAGES",
    "PROVIDERS",
    "RESPONSES",
    "TEXTS",
    "WORDS",
    "DialectScene",
    "asking",
    "calls_of",
    "dialect_scene",
    "ending_of",
    "heard",
    "text_of",
    "tokens_of",
]
