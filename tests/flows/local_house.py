"""The whole gateway with the real embedded model behind it, asked through the official SDK."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from openai.types import CompletionUsage

from slipstream.app import running
from slipstream.config import load
from tests.prepared_model import MODEL, prepared_directory

LIMIT_S = 180.0
CONFIG = f"""
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 167772160

[models.{MODEL}]
"""


@asynccontextmanager
async def local_house(folder: Path, more: str = "") -> AsyncIterator[tuple[AsyncOpenAI, Path]]:
    """Run a gateway, configured with `more`; yield an SDK client that does not retry, its home."""
    home = folder / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / MODEL).symlink_to(prepared_directory())
    path = folder / "slipstream.toml"
    path.write_text(CONFIG + more)
    async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
        assert gateway.first_key is not None
        async with AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key=gateway.first_key, max_retries=0, timeout=LIMIT_S
        ) as client:
            yield client, home


@dataclass
class SaidChoice:
    """One choice of an answer, plain or put together from a stream."""

    text: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments
    call_ids: list[str] = field(default_factory=list)
    tokens: list[Any] = field(default_factory=list)  # logprobs.content
    finish: str | None = None


@dataclass
class SaidAnswer:
    """An answer, and what it cost."""

    choices: dict[int, SaidChoice]
    usage: CompletionUsage
    num_chunks: int = 1

    @property
    def only(self) -> SaidChoice:
        """The one choice that there is."""
        assert list(self.choices) == [0]
        return self.choices[0]

    @property
    def text(self) -> str:
        """Of the one choice."""
        return self.only.text


async def ask(
    client: AsyncOpenAI, text: str = "Tell me a story.", *, stream: bool = False, **fields: Any
) -> SaidAnswer:
    """Ask the model; greedy and of 16 tokens unless told otherwise."""
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": 16,
    } | fields
    if stream:
        return await _streamed(client, asked)
    answer = await client.chat.completions.create(**asked)
    choices = {}
    for choice in answer.choices:
        calls = choice.message.tool_calls or []
        choices[choice.index] = SaidChoice(
            choice.message.content or "",
            [(call.function.name, call.function.arguments) for call in calls],
            [call.id for call in calls],
            (choice.logprobs.content if choice.logprobs else None) or [],
            choice.finish_reason,
        )
    return SaidAnswer(choices, answer.usage)


async def _streamed(client: AsyncOpenAI, asked: dict[str, Any]) -> SaidAnswer:
    answer = SaidAnswer(
        {}, CompletionUsage(completion_tokens=0, prompt_tokens=0, total_tokens=0), 0
    )
    usages: list[CompletionUsage] = []
    create: Any = client.chat.completions.create
    async for chunk in await create(**asked, stream=True, stream_options={"include_usage": True}):
        answer.num_chunks += 1
        assert not usages, "the usage comes last"
        if chunk.usage is not None:
            assert chunk.choices == []
            usages.append(chunk.usage)
        for choice in chunk.choices:
            _add(answer.choices.setdefault(choice.index, SaidChoice()), choice)
    [answer.usage] = usages
    return answer


def _add(said: SaidChoice, choice: Any) -> None:
    assert said.finish is None, "nothing follows the finish"
    said.text += choice.delta.content or ""
    for call in choice.delta.tool_calls or []:
        assert call.index == len(said.calls)
        said.calls.append((call.function.name, call.function.arguments))
        said.call_ids.append(call.id)
    if choice.logprobs is not None:
        said.tokens += choice.logprobs.content
    said.finish = choice.finish_reason
