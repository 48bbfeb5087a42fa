"""Soak of the engine: 32 mixed requests at once for ten minutes, and one in eight given up.

    python -m bench.engine.soak [--at-once 32] [--minutes 10]

The requests go to the model's own process, over its socket. Memory is looked at when everything
has been used, after a fifth of the time, and at the end. Ends with a verdict for each rule, one
JSON line, and status 1 if a rule is broken.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from bench.conditions import machine
from bench.engine.weights import PREPARED, make_weights
from slipstream.engine.grammar_spec import JsonObject, JsonSchema, Tool, ToolUse
from slipstream.engine.protocol import ChatMessage, Delta, Failed, Finished, Generate, Stats
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.upstream.local_client import EngineClient
from slipstream.upstream.local_process import EngineProcess

_GIVEN_UP: Final = 0.125  # of all requests
_ANSWER_LIMIT_S: Final = 120.0
# OpenVINO keeps compiled kernels for each number of rows: some 250 MB until all have been met.
_GROWTH_BYTES: Final = 64 * MIB
_MOST_PYTHON: Final = 0.05
_PLACE: Final = (
    '{"type":"object","properties":{"city":{"type":"string"},"tags":{"type":"array",'
    '"items":{"enum":["old","new","big"]}},"size":{"type":"integer"}},'
    '"required":["city","tags","size"],"additionalProperties":false}'
)
_TOOLS: Final = (Tool("look_up", "Finds a place.", _PLACE, is_strict=True), Tool("now"))
_WORDS: Final = [
    "river",
    "stone",
    "cloud",
    "paper",
    "seven",
    "light",
    "under",
    "garden",
    "because",
    "window",
]


def _exact(random: Random) -> dict[str, Any]:
    text = " ".join(random.choices(_WORDS, k=40))
    return {"temperature": 0.0, "prediction": text, "messages": _says(f"Repeat: {text}")}


def _long(random: Random) -> dict[str, Any]:
    return {"messages": _says(" ".join(random.choices(_WORDS, k=600))), "max_tokens": 8}


def _shared(random: Random) -> dict[str, Any]:
    system = ChatMessage("system", "You answer in one sentence. " + " ".join(_WORDS * 12))
    return {"messages": (system, *_says(random.choice(_WORDS)))}


_KINDS: Final[tuple[Callable[[Random], dict[str, Any]], ...]] = (
    lambda _: {"temperature": 0.0},
    lambda _: {"temperature": 1.0, "top_p": 0.9},
    lambda random: {"temperature": 0.8, "seed": random.randrange(1 << 30)},
    lambda _: {"temperature": 0.7, "top_k": 40, "frequency_penalty": 0.5},
    lambda _: {"form": JsonSchema(_PLACE)},
    lambda _: {"form": JsonObject()},
    lambda _: {"tool_use": ToolUse(tools=_TOOLS, choice="required")},
    lambda _: {"tool_use": ToolUse(tools=_TOOLS)},
    lambda random: {"num_choices": random.randrange(2, 5)},
    lambda _: {"num_logprobs": 5},
    lambda _: {"stop": (".", "\n")},
    _exact,
    _long,
    _shared,
)


def _says(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage("user", text),)


@dataclass(slots=True)
class Seen:
    """What was counted."""

    ends: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    early_rss_bytes: int = 0
    late_rss_bytes: int = 0
    python_share: float = 0.0
    python_us: float = 0.0
    step_ms: float = 0.0
    tokens_per_s: float = 0.0
    num_steps: int = 0
    num_preemptions: int = 0
    left_running: int = 0
    left_blocks: int = 0


async def soak(process: EngineProcess, *, at_once: int, duration_s: float) -> Seen:
    """Keep so many requests open for so long; then wait until all have ended."""
    seen = Seen()
    client = await process.launch()
    await client.wait_ready()
    before = await client.probe()
    ends_at = time.monotonic() + duration_s
    workers = [asyncio.create_task(_ask(client, Random(n), ends_at, seen)) for n in range(at_once)]
    await asyncio.sleep(duration_s / 5)
    seen.early_rss_bytes = _rss_bytes(process)
    await asyncio.sleep(max(ends_at - time.monotonic(), 0))
    seen.late_rss_bytes = _rss_bytes(process)
    _note(seen, before, await client.probe())
    await asyncio.gather(*workers)
    last = await client.probe()
    seen.left_running = last.num_running + last.num_waiting
    seen.left_blocks = last.num_blocks - last.num_free_blocks
    return seen


def _note(seen: Seen, before: Stats, after: Stats) -> None:
    busy_s, runner_s = after.busy_s - before.busy_s, after.runner_s - before.runner_s
    seen.num_steps = after.num_steps - before.num_steps
    seen.python_share = (busy_s - runner_s) / busy_s
    seen.python_us = (busy_s - runner_s) / seen.num_steps * 1e6
    seen.step_ms = busy_s / seen.num_steps * 1e3
    seen.tokens_per_s = (after.completion_tokens - before.completion_tokens) / busy_s
    seen.num_preemptions = after.num_preemptions


async def _ask(client: EngineClient, random: Random, ends_at: float, seen: Seen) -> None:
    """Ask one request after the other."""
    while time.monotonic() < ends_at:
        options: dict[str, Any] = {
            "messages": _says(f"Tell me about a {random.choice(_WORDS)} and a {random.random()}."),
            "max_tokens": random.randrange(8, 160),
            "tenant": random.choice("abc"),
        }
        options |= random.choice(_KINDS)(random)
        given_up_after = random.randrange(20) if random.random() < _GIVEN_UP else None
        answer = client.generate(Generate(request_id=0, **options))
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                end = await _read(answer.next, given_up_after)
                seen.ends[end] = seen.ends.get(end, 0) + 1
        except TimeoutError:
            seen.failures.append(f"no end within {_ANSWER_LIMIT_S} s: {options}")
        except RuntimeError as exc:
            seen.failures.append(f"{exc}: {options}")
        finally:
            answer.close()


async def _read(next_part: Callable[[], Any], given_up_after: int | None) -> str:
    """Read an answer to its end, or give it up after so many parts; return how it ended."""
    num_parts = 0
    finish = "none"
    while num_parts != given_up_after:
        num_parts += 1
        part = await next_part()
        if isinstance(part, Failed):
            raise RuntimeError(part.message)
        if isinstance(part, Finished):
            return finish
        if isinstance(part, Delta) and part.finish is not None:
            finish = part.finish
    return "given up"


def _rss_bytes(process: EngineProcess) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def verdicts(seen: Seen) -> dict[str, bool]:
    """Return each rule and whether it holds."""
    return {
        "every request ended or was given up": not seen.failures and bool(seen.ends),
        "nothing is left running": seen.left_running == 0,
        "no block is left in use": seen.left_blocks == 0,
        "memory is flat": seen.late_rss_bytes - seen.early_rss_bytes < _GROWTH_BYTES,
        "our Python is at most 5 % of a step": seen.python_share <= _MOST_PYTHON,
    }


async def _run(at_once: int, minutes: float) -> int:
    make_weights()
    process = EngineProcess("soak", PREPARED, EngineSettings(kv_cache_bytes=256 * MIB))
    try:
        seen = await soak(process, at_once=at_once, duration_s=minutes * 60)
    finally:
        await process.stop()
    rules = verdicts(seen)
    for rule, holds in rules.items():
        print(f"{'ok  ' if holds else 'FAIL'} {rule}")
    for failure in seen.failures[:5]:
        print(f"     {failure}")
    print(json.dumps({"conditions": machine(), "seen": asdict(seen)}))
    return 0 if all(rules.values()) else 1


def main() -> int:
    """Soak and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        return asyncio.run(_run(options.at_once, options.minutes))
    return 1


if __name__ == "__main__":
    sys.exit(main())
