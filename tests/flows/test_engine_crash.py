"""SIGKILL of a model's process in mid-answer: who hears of it, what they hear, and who does not.

The process is stopped first (SIGSTOP), so that it is certain which answers have begun.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.commands import command_of
from tests.flows.ledger_rows import rows_of
from tests.flows.local_house import LIMIT_S
from tests.flows.raw import Answer, ask, connect, decode, encode
from tests.prepared_model import MODEL, prepared_directory

BACK_WITHIN_S = 180.0
RELAYED_TOKENS = 250
CONFIG = """
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 67108864

[providers.lab]
dialect = "openai_chat"
base_url = "{lab}"
api_key = "lab-secret-key"

[models.{model}]

[routes.other]
targets = ["{model}", "lab/spare"]

[routes.again]
targets = ["{model}", "{model}"]
"""


class House:
    """A running gateway with the real model, and a provider beside it."""

    def __init__(self, url: str, key: str, home: Path, lab: ScriptedUpstream) -> None:
        self.url, self.key, self.home, self.lab = url, key, home, lab

    def encode(self, model: str, **fields: Any) -> bytes:
        """Encode a request for a long answer."""
        said = [{"role": "user", "content": "Tell me a very long story."}]
        body = {"model": model, "messages": said, "logit_bias": {"2": -100}, "temperature": 0}
        if model.startswith("lab/"):
            del body["logit_bias"]
        data = json.dumps(body | fields).encode()
        return encode("POST", "/v1/chat/completions", self.key, data)

    def ask(self, model: str, **fields: Any) -> "asyncio.Task[Answer]":
        """Ask, beside what else is going on."""
        request = self.encode(model, **fields)
        return asyncio.create_task(ask(self.url, request, timeout_s=LIMIT_S))

    async def until_active(self, num: int) -> None:
        """Wait until so many requests are in progress."""
        wanted = f"slipstream_requests_active {num:.1f}\n".encode()
        async with asyncio.timeout(LIMIT_S):
            while (
                wanted not in (await ask(self.url, encode("GET", "/metrics", self.key, b""))).body
            ):
                await asyncio.sleep(0.01)

    async def until_ready(self) -> None:
        """Wait until the model is ready."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                health = await ask(self.url, encode("GET", "/health", None, b""))
                if health.json()["models"][MODEL] == "ready":
                    return
                await asyncio.sleep(0.01)


class Stream:
    """A streamed answer that is read piece by piece."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.data = b""

    async def until(self, word: bytes, num: int = 1) -> None:
        """Read until a word has come so often."""
        async with asyncio.timeout(LIMIT_S):
            while self.data.count(word) < num:
                piece = await self._reader.read(65_536)
                assert piece, f"the answer ended without {word!r}: {self.data[-500:]!r}"
                self.data += piece

    async def rest(self) -> Answer:
        """Read to the end; return the whole."""
        async with asyncio.timeout(LIMIT_S):
            self.data += await self._reader.read(-1)
        self._writer.close()
        await self._writer.wait_closed()
        return decode(self.data)


async def open_stream(house: House, model: str, **fields: Any) -> Stream:
    """Ask for a stream and read until its first words have come."""
    reader, writer = await connect(house.url)
    writer.write(house.encode(model, stream=True, **fields))
    stream = Stream(reader, writer)
    await stream.until(b'"content":', 3)
    return stream


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Run a gateway whose model is ready."""
    home = folder / "home"
    (home / "models").mkdir(parents=True)
    (home / "models" / MODEL).symlink_to(prepared_directory())
    path = folder / "slipstream.toml"
    async with scripted_upstream() as lab:
        path.write_text(CONFIG.format(lab=lab.base_url, model=MODEL))
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
            assert gateway.first_key is not None
            house = House(gateway.url, gateway.first_key, home, lab)
            await house.until_ready()
            yield house


def engine_pid() -> int:
    """Return the process of the model."""
    pids = Path("/proc/thread-self/children").read_text().split()
    [pid] = [p for p in pids if "engine.child" in command_of(p)]
    return int(pid)


async def test_sigkill_of_the_engine_in_mid_answer_is_told_to_whom_it_concerns(
    tmp_path: Path,
) -> None:
    """Begun answers end with an error, others go elsewhere, try again or fail; relays go on."""
    async with open_house(tmp_path) as house:
        begun = await open_stream(house, MODEL, max_tokens=2_000)
        house.lab.script(f"rate=50,tokens={RELAYED_TOKENS}")
        relayed = await open_stream(house, "lab/any")
        first_pid = engine_pid()
        os.kill(first_pid, signal.SIGSTOP)
        alone = house.ask(MODEL, max_tokens=8)
        alone_stream = house.ask(MODEL, max_tokens=8, stream=True)
        elsewhere, again = house.ask("other", max_tokens=8), house.ask("again", max_tokens=8)
        await house.until_active(6)
        os.kill(first_pid, signal.SIGKILL)
        killed_s = time.monotonic()
        num_relayed = relayed.data.count(b"data:")

        check_told(await begun.rest(), await alone, await alone_stream)
        check_served(await elsewhere, "lab/spare")
        await relayed.until(b"data:", num_relayed + 1)
        await house.until_ready()
        back_s = time.monotonic() - killed_s
        print(f"the model is back after {back_s:.2f} s")
        assert back_s < BACK_WITHIN_S
        check_served(await again, f"local/{MODEL}")
        check_served(await house.ask(MODEL, max_tokens=8), f"local/{MODEL}")
        assert engine_pid() != first_pid
        check_whole(await relayed.rest())

        rows = await rows_of(house.home, num=9)
    check_rows(rows)


def check_told(begun: Answer, alone: Answer, alone_stream: Answer) -> None:
    """Whoever had text gets an error event, and whoever had none an error instead of an answer."""
    events = begun.body.decode().strip().split("\n\n")
    error = json.loads(events[-1].removeprefix("data: "))["error"]
    assert begun.status == 200
    assert error["code"] == "upstream_stream_cut"
    assert "process ended" in error["message"]
    assert b"[DONE]" not in begun.body
    assert b'"finish_reason":"' not in begun.body, "no finish was made up"
    for answer in (alone, alone_stream):
        assert answer.status == 502
        assert "process ended" in answer.json()["error"]["message"]


def check_served(answer: Answer, target: str) -> None:
    """An answer that is whole, from where it should be."""
    assert answer.status == 200, answer.body
    assert answer.headers["x-slipstream-target"] == target
    assert answer.json()["choices"][0]["message"]["content"]


def check_whole(relayed: Answer) -> None:
    """A relayed stream has every event, to its regular end."""
    assert relayed.body.count(b'"content":') >= RELAYED_TOKENS
    assert b'"error"' not in relayed.body
    assert relayed.body.endswith(b"data: [DONE]\n\n")


def check_rows(rows: list[dict[str, Any]]) -> None:
    """One row for each attempt, which says how it ended."""
    local = [row for row in rows if row["provider"] == "local"]
    others = [row for row in rows if row["provider"] == "lab"]
    [cut] = [row for row in local if row["state"] == "cut"]
    assert cut["output_tokens"] >= 2
    assert not cut["is_estimate"], "our own engine counts what it sends"
    assert sorted(row["state"] for row in local) == ["complete"] * 2 + ["cut"] + ["failed"] * 4
    assert [row["state"] for row in others] == ["complete"] * 2
    by_call: dict[str, list[str]] = {}
    for row in rows:
        by_call.setdefault(row["call_id"], []).append(f"{row['route']}:{row['state']}")
    assert ["other:failed", "other:complete"] in by_call.values()
    assert ["again:failed", "again:complete"] in by_call.values()
