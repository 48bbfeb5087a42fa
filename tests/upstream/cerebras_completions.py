"""Text completions under the Cerebras profile: calls for tests, and how their answers are read."""

import asyncio
from typing import Any

import msgspec

from slipstream.call import Call, Dialect, Frame
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.wire.cerebras.completions_request import (
    CerebrasCompletions,
    read_cerebras_completions,
)
from tests.prepared_model import MODEL
from tests.upstream.played_engine import LIMIT_S


def asked_of(**fields: Any) -> CerebrasCompletions:
    """Read a request, greedy and of two prompts unless told otherwise."""
    body = {"model": "gpt-oss-120b", "prompt": ["a", "b"], "temperature": 0} | fields
    return read_cerebras_completions(body)


def call_of(asked: CerebrasCompletions) -> Call:
    """Return a call, aimed at the served model."""
    return Call(
        call_id="c",
        dialect=Dialect.CEREBRAS_COMPLETIONS,
        body=b"",
        model=asked.model,
        key_id="key-1",
        is_stream=asked.is_stream,
        asked=asked,
        attempt=Attempt(
            attempt_id="a",
            number=1,
            route="m",
            target=Target("local", MODEL),
            deadlines=Deadlines(),
            started_at_ns=0,
            total_deadline_s=asyncio.get_running_loop().time() + LIMIT_S,
        ),
    )


def read_frames(frames: list[Frame], *, stream: bool) -> list[Any]:
    """Return what an answer's bodies hold: of a stream its events, of a plain answer one."""
    data = b"".join(frame.data for frame in frames)
    if not stream:
        return [msgspec.json.decode(data)]
    *events, last, nothing = data.split(b"\n\n")
    assert (last, nothing) == (b"data: [DONE]", b"")
    return [msgspec.json.decode(event.removeprefix(b"data: ")) for event in events]


def choices_of(bodies: list[Any]) -> dict[int, tuple[Any, str | None]]:
    """Return what each choice said, in one, and why it ended."""
    said: dict[int, tuple[Any, str | None]] = {}
    for choice in (choice for body in bodies for choice in body["choices"]):
        more = choice["tokens"] if "tokens" in choice else choice["text"]
        before, finish = said.get(choice["index"], (more[:0], None))
        said[choice["index"]] = (before + more, choice.get("finish_reason", finish))
    return said
