"""Traffic of many clients: several dialects, plain and streaming, raw and through official SDKs."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from anthropic import AnthropicError, AsyncAnthropic
from openai import AsyncOpenAI, OpenAIError

from bench.failover.asking import WAYS, Client, Told

NUM_WORDS = 7  # of each question and its answer
_SDK_EVERY = 50
_LIMIT_S = 60.0
_WAYS = ("chat", "chat", "messages", "responses")


@dataclass(slots=True)
class Tally:
    """What clients were told, by the phase in which they asked."""

    took_s: dict[str, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    num_cut: int = 0  # streams that broke off behind words, which nothing may begin anew
    num_asked: int = 0
    num_done: int = 0

    def add(self, phase: str, told: Told) -> None:
        """Count one answer."""
        self.num_done += 1
        self.took_s.setdefault(phase, []).append(told.took_s)
        if told.failure and told.text:
            self.num_cut += 1
        elif told.failure:
            self.failures[f"{phase}: {told.failure[:300]}"] += 1


class Load:
    """So many clients at a time, so many requests a second at most, until told to stop.

    Args:
        phase: What `tally` files answers under; whoever drives the run changes it.
    """

    def __init__(self, url: str, key: str, model: str, *, num_clients: int, per_s: float) -> None:
        self._url, self._key, self._model = url, key, model
        self._num_clients = num_clients
        self._interval_s = 1.0 / per_s
        self._next_s = 0.0
        self._numbers = count(1)
        self._is_over = False
        self.tally = Tally()
        self.phase = "quiet"

    async def run(self) -> None:
        """Ask until `stop`; every request that was sent is waited for."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._num_clients):
                group.create_task(self._one_client())

    def stop(self) -> None:
        """Send no more requests."""
        self._is_over = True

    async def until(self, holds: Callable[[], bool], limit_s: float) -> bool:
        """Wait until something holds while requests go on; return whether it did in time."""
        end_s = time.monotonic() + limit_s
        while not holds():
            if time.monotonic() > end_s:
                return False
            await asyncio.sleep(0.02)  # what tells nobody: files, and what others count
        return True

    async def _one_client(self) -> None:
        client = Client(self._url, self._key)
        async with (
            AsyncOpenAI(
                base_url=f"{self._url}/v1", api_key=self._key, max_retries=0, timeout=_LIMIT_S
            ) as openai,
            AsyncAnthropic(
                base_url=self._url, api_key=self._key, max_retries=0, timeout=_LIMIT_S
            ) as anthropic,
        ):
            while not self._is_over:
                await self._turn()
                number, phase = next(self._numbers), self.phase
                self.tally.num_asked += 1
                if number % _SDK_EVERY:
                    told = await self._ask(client, number)
                else:
                    told = await _ask_sdk(openai, anthropic, self._model, number)
                self.tally.add(phase, told)
        await client.close()

    async def _turn(self) -> None:
        """Wait for this request's place on the schedule; who is late does not catch up."""
        now_s = time.monotonic()
        at_s = max(now_s, self._next_s)
        self._next_s = at_s + self._interval_s
        await asyncio.sleep(at_s - now_s)

    async def _ask(self, client: Client, number: int) -> Told:
        way = WAYS[_WAYS[number % len(_WAYS)]]
        is_stream = number // len(_WAYS) % 2 == 0
        return await client.ask(way, self._model, question(number), is_stream=is_stream)


def question(number: int) -> str:
    """Return a text of `NUM_WORDS` words that no other request has."""
    return f"request {number} wants these same words back"


async def _ask_sdk(openai: AsyncOpenAI, anthropic: AsyncAnthropic, model: str, number: int) -> Told:
    """Ask through one of the official SDKs."""
    began_s, text, parts = time.monotonic(), question(number), list[str]()
    try:
        async for part in _said(openai, anthropic, model, text, number // _SDK_EVERY % 4):
            parts.append(part)
    except (OpenAIError, AnthropicError, RuntimeError, ValueError, LookupError) as exc:
        failure, said = f"{type(exc).__name__}: {exc}", "".join(parts)
    else:
        said = "".join(parts)
        failure = "" if said == text else f"an SDK was told {said!r}"
        said = "" if failure else said
    return Told(failure, began_s, None, time.monotonic(), {}, said)


async def _said(
    openai: AsyncOpenAI, anthropic: AsyncAnthropic, model: str, text: str, kind: int
) -> AsyncIterator[str]:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": text}]}
    match kind:
        case 0:
            answer = await openai.chat.completions.create(**asked)
            yield answer.choices[0].message.content or ""
        case 1:
            async for chunk in await openai.chat.completions.create(**asked, stream=True):
                yield (chunk.choices[0].delta.content or "") if chunk.choices else ""
        case 2:
            async with anthropic.messages.stream(**asked, max_tokens=64) as messages:
                async for part in messages.text_stream:
                    yield part
        case _:
            yield (await openai.responses.create(model=model, input=text)).output_text
