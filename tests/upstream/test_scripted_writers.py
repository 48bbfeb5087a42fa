"""What the gateway's writers write is taken by each provider, and what that seals comes back."""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from slipstream.wire.chat.answers_in import AnswerReader as ChatReader
from slipstream.wire.chat.writing import write_asked as write_chat
from slipstream.wire.gemini.answers_in import AnswerReader as GeminiReader
from slipstream.wire.gemini.writing import write_asked as write_gemini
from slipstream.wire.messages.answers_in import AnswerReader as MessagesReader
from slipstream.wire.messages.writing import write_asked as write_messages
from slipstream.wire.responses.answers_in import AnswerReader as ResponsesReader
from slipstream.wire.responses.writing import write_asked as write_responses
from slipstream.wire.talk.asking import (
    Asked,
    Part,
    Reasoning,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Written,
)
from slipstream.wire.talk.events import CallBegan, CallSaid, Event, Said, Sealed, Thought
from slipstream.wire.talk.means import Thinking, Tool
from tests.upstream.scripted_named import VERSION
from tests.upstream.scripted_raw import connect, read_all, request_bytes

SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
TOOLS = (Tool(name="get_weather", schema=SCHEMA), Tool(name="get_time", schema=SCHEMA))


class Row(NamedTuple):
    """A dialect at a provider."""

    vendor: str
    path: str
    model: str
    write: Callable[[Asked, Target], Written] = write_chat
    read: Callable[[], Any] | None = None


ROWS = {
    "messages": Row(
        "anthropic", "/anthropic/v1/messages", "claude-opus-4-6", write_messages, MessagesReader
    ),
    "messages older": Row(
        "anthropic", "/anthropic/v1/messages", "claude-sonnet-4-5", write_messages, MessagesReader
    ),
    "responses": Row("openai", "/openai/v1/responses", "gpt-5.4", write_responses, ResponsesReader),
    "gemini": Row(
        "gemini",
        "/gemini/v1beta/models/gemini-4-argon:generateContent",
        "gemini-4-argon",
        write_gemini,
        GeminiReader,
    ),
    "gemini older": Row(
        "gemini",
        "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
        "gemini-2.5-flash",
        write_gemini,
        GeminiReader,
    ),
    "openai chat": Row("openai", "/openai/v1/chat/completions", "gpt-5.4"),
    "groq chat": Row("groq", "/groq/openai/v1/chat/completions", "openai/gpt-oss-120b"),
    "mistral chat": Row("mistral", "/mistral/v1/chat/completions", "mistral-large-4"),
    "xai chat": Row("xai", "/xai/v1/chat/completions", "grok-4.6"),
    "openrouter chat": Row("openrouter", "/openrouter/api/v1/chat/completions", "openai/gpt-5.4"),
    "deepinfra chat": Row("deepinfra", "/deepinfra/v1/openai/chat/completions", "a/b"),
    "gemini chat": Row("gemini", "/gemini/v1beta/openai/chat/completions", "gemini-3.5-flash"),
    "cerebras chat": Row("cerebras", "/cerebras/v1/chat/completions", "gpt-oss-120b"),
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted_upstream(behaviour="reasoning=3") as running:
        yield running


def parts_of(events: list[Event]) -> tuple[Part, ...]:
    """Return an answer as the turn that a client sends back."""
    thoughts = [event for event in events if isinstance(event, Thought)]
    text = "".join(event.text for event in events if isinstance(event, Said))
    sealed: dict[int | None, list[Seal]] = {}
    for event in events:
        if isinstance(event, Sealed):
            sealed.setdefault(event.call, []).append(event.seal)
    reasoning = Reasoning(
        text="".join(thought.text for thought in thoughts),
        is_summary=any(thought.is_summary for thought in thoughts),
        seals=tuple(sealed.get(None, ())),
    )
    said = [event for event in events if isinstance(event, CallSaid)]
    calls = tuple(
        ToolCall(
            call_id=began.call_id,
            name=began.name,
            arguments="".join(piece.text for piece in said if piece.index == began.index),
            seals=tuple(sealed.get(began.index, ())),
        )
        for began in events
        if isinstance(began, CallBegan)
    )
    before: tuple[Part, ...] = (reasoning,) if reasoning.text or reasoning.seals else ()
    return (*before, *((Text(text),) if text else ()), *calls)


async def post_bytes(upstream: ScriptedUpstream, path: str, body: bytes) -> tuple[int, bytes]:
    """Send a body as it is; return the status and the answer's body."""
    reader, writer = await connect(upstream.origin)
    head = request_bytes(None, path=path, headers=(("connection", "close"), VERSION))
    length = b"content-length: %d" % len(body)
    writer.write(head.replace(b"content-length: 0", length) + body)
    wire = await read_all(reader)
    writer.close()
    return wire.status, wire.body


@pytest.mark.parametrize("name", ROWS)
async def test_conversation_with_calls_and_reasoning_goes_on(
    upstream: ScriptedUpstream, name: str
) -> None:
    """Two turns: calls with reasoning are answered, and all of it is sent back with the results."""
    row = ROWS[name]
    turns = [
        Turn("system", (Text("be kind"),)),
        Turn("user", (Text("get_weather and get_time"),)),
    ]
    said: tuple[Part, ...] = ()
    for _ in range(2):
        asked = Asked(
            dialect="openai_chat",
            model="route",
            turns=tuple(turns),
            tools=TOOLS,
            max_tokens=4000,
            thinking=Thinking(effort="medium"),
        )
        target = Target(vendor=row.vendor, model=row.model, max_output_tokens=8000)
        status, answer = await post_bytes(upstream, row.path, row.write(asked, target).body)
        assert status == 200, answer.decode()
        reader = ChatReader(vendor=row.vendor) if row.read is None else row.read()
        said = parts_of(reader.read_whole(answer))
        calls = [part for part in said if isinstance(part, ToolCall)]
        results = tuple(ToolResult(call_id=c.call_id, parts=(Text("warm"),)) for c in calls)
        turns += [Turn("assistant", said), Turn("tool", results)]
    assert not [part for part in said if isinstance(part, ToolCall)]
    assert any(isinstance(part, Text) for part in said)
