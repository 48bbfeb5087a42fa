"""How much of the engine's speed reaches a client of the whole API: one process, asked both ways.

A gateway is started; its model's process is asked in turns over HTTP, streaming, under the Cerebras
profile, and directly over its socket. Both ways meet the same engine and the same machine, so the
ratios say what the gateway costs. Ends with one JSON line. `--quick` takes one short round.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import uvloop

from bench.contestants import ROOT
from bench.engine.weights import PREPARED
from slipstream.engine.protocol import Delta, Failed, Finished, Generate
from slipstream.upstream.local_chat import to_generate
from slipstream.upstream.local_client import EngineClient
from slipstream.wire.cerebras.models import row_for
from slipstream.wire.cerebras.request import read_cerebras_request

MODEL: Final = "smollm2-135m"
_CONFIG: Final = f"""
[server]
port = 0
log = "off"
require_key = false
[models.{MODEL}]
profile = "cerebras"
"""
_LIMIT_S: Final = 300.0


class Said(NamedTuple):
    """One answer: when its first piece came and when it was over, and what it held."""

    first_s: float
    total_s: float
    num_tokens: int
    text: str
    accepted: int


Ask = Callable[[dict[str, Any]], Awaitable[Said]]


class Http:
    """Asks over HTTP; reads what it must and no more, so that the client costs little."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def __call__(self, said: dict[str, Any]) -> Said:
        body = msgspec.json.encode(said | {"stream": True})
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self._host}\r\nconnection: close\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        began_s = time.perf_counter()
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(head.encode() + body)
        data, first_s = bytearray(), 0.0
        while piece := await reader.read(65_536):
            data += piece
            if not first_s and data.count(b'"content"') > 0:
                first_s = time.perf_counter() - began_s
        total_s = time.perf_counter() - began_s
        writer.close()
        return _read_stream(bytes(data), first_s, total_s)


def _read_stream(data: bytes, first_s: float, total_s: float) -> Said:
    events = [
        msgspec.json.decode(line.removeprefix(b"data: "))
        for line in data.split(b"\n")
        if line.startswith(b"data: {")
    ]
    if b"data: [DONE]" not in data:
        raise RuntimeError(f"the answer was cut: {data[-300:]!r}")
    usage = events[-1]["usage"]
    text = "".join(e["choices"][0]["delta"].get("content", "") for e in events)
    accepted = usage["completion_tokens_details"]["accepted_prediction_tokens"]
    return Said(first_s, total_s, usage["completion_tokens"], text, accepted)


class Direct:
    """Asks the model's process over its socket, in the gateway's own words."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    async def __call__(self, said: dict[str, Any]) -> Said:
        began_s = time.perf_counter()
        asked = read_cerebras_request(msgspec.json.encode(said), row_for)
        answer = self._client.generate(self._generate(asked))
        text, first_s = [], 0.0
        while True:
            part = await answer.next()
            match part:
                case Delta():
                    first_s = first_s or time.perf_counter() - began_s
                    text.append(part.text)
                case Finished():
                    total_s = time.perf_counter() - began_s
                    tokens = part.completion_tokens + part.rejected_tokens
                    accepted = part.accepted_tokens
                    return Said(first_s, total_s, tokens, "".join(text), accepted)
                case Failed():
                    raise RuntimeError(part.message)

    def _generate(self, asked: Any) -> Generate:
        return to_generate(asked.chat, "none")


def _chat(text: str, most: int, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": MODEL, "messages": messages, "max_completion_tokens": most, **fields}


_numbers = iter(range(1_000_000))


def _unseen(words: int) -> str:
    """Return a text that no prompt before began with, so that no cache has it."""
    number = next(_numbers)
    return f"{number} " + " ".join(f"w{(number * 31 + at * 7) % 997}" for at in range(words))


async def _rate(ask: Ask, num: int, most: int) -> float:
    """Return tokens per second of several answers at once, from the first token to the last."""
    asked = [_chat(_unseen(8), most, min_tokens=most, temperature=1.0) for _ in range(num)]
    answers = await asyncio.gather(*map(ask, asked))
    first_s = min(said.first_s for said in answers)
    return sum(s.num_tokens for s in answers) / (max(s.total_s for s in answers) - first_s)


async def _prediction_gain(ask: Ask, most: int) -> float:
    """Return how much sooner an answer is over that was predicted rightly."""
    text = _unseen(6)
    fields = {"min_tokens": most, "temperature": 1.0, "seed": 7}
    plain = await ask(_chat(text, most, **fields))
    told = {"type": "content", "content": plain.text}
    guessed = await ask(_chat(text, most, prediction=told, **fields))
    if guessed.text != plain.text:
        raise RuntimeError("a prediction changed the answer")
    return (plain.total_s - plain.first_s) / (guessed.total_s - guessed.first_s)


async def _cache_gain(ask: Ask) -> float:
    """Return how much sooner the first token comes when 1,000 tokens or so are cached."""
    text = _unseen(380)
    new = await ask(_chat(text, 2))
    cached = [await ask(_chat(f"{text} {tail}", 2)) for tail in ("a", "b", "c")]
    return new.first_s / statistics.median(said.first_s for said in cached)


async def measure(asks: dict[str, Ask], rounds: int, most: int) -> dict[str, Any]:
    """Ask both ways in turns; return the median ratio of each figure, and the figures."""
    cases: dict[str, Callable[[Ask], Awaitable[float]]] = {
        "1 answer, tok/s": lambda ask: _rate(ask, 1, most),
        "8 answers, tok/s": lambda ask: _rate(ask, 8, most),
        "16 answers, tok/s": lambda ask: _rate(ask, 16, most),
        "right prediction, x": lambda ask: _prediction_gain(ask, most),
        "cached prompt, x": _cache_gain,
    }
    found: dict[str, Any] = {}
    for name, case in cases.items():
        pairs = []
        for number in range(rounds):
            order = list(asks) if number % 2 == 0 else list(asks)[::-1]
            values = {way: await case(asks[way]) for way in order}
            pairs.append((values["api"], values["engine"]))
        ratio = statistics.median(api / engine for api, engine in pairs)
        api, engine = (statistics.median(side) for side in zip(*pairs, strict=True))
        found[name] = {"api": round(api, 1), "engine": round(engine, 1), "ratio": round(ratio, 3)}
        print(f"{name:22} api {api:8.1f}  engine {engine:8.1f}  ratio {ratio:.3f}", flush=True)
    return found


def _socket_of(gateway: int) -> Path:
    """Return the socket of the model's process, a child of the gateway, from its command line."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
        if parent == gateway and b"--socket" in words:
            return Path(words[words.index(b"--socket") + 1].decode())
    raise RuntimeError("the gateway has no model's process")


async def _run(rounds: int, most: int, gateway: subprocess.Popen[str]) -> dict[str, Any]:
    assert gateway.stdout is not None
    line = next(line for line in gateway.stdout if "http://" in line)
    address = line.rpartition("http://")[2].strip()
    host, _, port = address.partition(":")
    http = Http(host, int(port))
    await http(_chat("Hello", 2))  # the model is loaded from here on
    client = EngineClient(_socket_of(gateway.pid))
    client.start()
    try:
        await asyncio.wait_for(client.wait_ready(), _LIMIT_S)
        return await measure({"api": http, "engine": Direct(client)}, rounds, most)
    finally:
        await client.stop()


def main() -> int:
    """Start a gateway, measure, and print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-api-") as folder:
        home = Path(folder) / "home"
        (home / "models").mkdir(parents=True)
        (home / "models" / MODEL).symlink_to(PREPARED)
        config = Path(folder) / "slipstream.toml"
        config.write_text(_CONFIG)
        gateway = subprocess.Popen(
            [str(ROOT / ".venv/bin/slipstream"), "serve", "--config", str(config)],
            stdout=subprocess.PIPE,
            text=True,
            env={"SLIPSTREAM_HOME": str(home), "PATH": "/usr/bin:/bin"},
        )
        try:
            rounds, most = (1, 32) if options.quick else (5, 128)
            found = uvloop.run(_run(rounds, most, gateway))
        finally:
            gateway.terminate()
            gateway.wait(30)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
