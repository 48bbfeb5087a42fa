"""The contestant Slipstream: its engine in process, in a thread, as the child process runs it."""

import os
import queue
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Final

from bench.engine.worker import NUM_THREADS, Arrivals, Task, serve, timing_tasks
from slipstream.engine.drafts import Drafter, Guess
from slipstream.engine.engine import Engine
from slipstream.engine.grammar_spec import JsonSchema
from slipstream.engine.loading import load_model
from slipstream.engine.model import LoadedModel
from slipstream.engine.protocol import (
    ChatMessage,
    Delta,
    Failed,
    Finished,
    FromChild,
    Generate,
    Stats,
)
from slipstream.engine.request import Request
from slipstream.engine.settings import MIB, EngineSettings

_LIMIT_S: Final = 300.0
_NUMBERS: Final = count(1)
# A small model's greedy answers soon repeat themselves, and then look-ups guess every token.
_VARIED: Final[dict[str, Any]] = {"is_exact": True, "repetition_penalty": 1.3}


@dataclass(slots=True)
class _Call:
    """One request and what came of it."""

    request: Request
    began_s: float
    arrivals: Arrivals = field(default_factory=list)
    text: str = ""
    logprobs: list[Any] = field(default_factory=list)
    num_told: int = 0
    end: Finished | None = None
    over: threading.Event = field(default_factory=threading.Event)
    failure: str = ""

    def take(self, message: FromChild, now_s: float) -> None:
        if isinstance(message, Delta):
            self.text += message.text
            self.logprobs += message.logprobs
            self._count(message.num_tokens, now_s)
        elif isinstance(message, Finished):
            self._count(message.completion_tokens - self.num_told, now_s)
            self.end = message
            self.over.set()
        elif isinstance(message, Failed):
            self.failure = message.message
            self.over.set()

    def _count(self, num_tokens: int, now_s: float) -> None:
        if num_tokens > 0:
            self.arrivals.append((now_s - self.began_s, num_tokens))
            self.num_told += num_tokens

    def wait(self) -> "_Call":
        if not self.over.wait(_LIMIT_S):
            raise TimeoutError(f"no answer in {_LIMIT_S} s")
        if self.failure:
            raise RuntimeError(self.failure)
        return self

    def tokens_per_s(self) -> float:
        later = sum(num for _, num in self.arrivals[1:])
        return later / (self.arrivals[-1][0] - self.arrivals[0][0])


class _Silent(Drafter):
    """Guesses nothing: its one token fills the second row, which costs nothing."""

    def outlook(self, most: int) -> list[float]:
        """Promise nothing."""
        return []

    def propose(self, most: int, sure: Sequence[int] = ()) -> Guess:
        """Return a token that is none of the answer's."""
        return Guess((0,), "padding")


class _House:
    """The engine in its thread; every call is a tenant of its own unless it names one."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._calls: dict[object, _Call] = {}
        self._stats: queue.SimpleQueue[Stats] = queue.SimpleQueue()
        self._engine = Engine(
            model.runner,
            model.scheduler,
            model.pool,
            model.costs,
            emit=self._take,
            clock=time.perf_counter,
            paces_prompts=model.paces_prompts,
        )
        threading.Thread(target=self._engine.run, daemon=True).start()

    def _take(self, pairs: list[tuple[object, FromChild]]) -> None:
        now_s = time.perf_counter()
        for reply, message in pairs:
            if isinstance(message, Stats):
                self._stats.put(message)
            else:
                self._calls[reply].take(message, now_s)

    def ask(
        self, prompt: list[int], max_tokens: int, *, is_silent: bool = False, **options: Any
    ) -> _Call:
        number = next(_NUMBERS)
        options = {"temperature": 0.0, "tenant": f"call {number}", **options}
        message = Generate(
            request_id=number, prompt=tuple(prompt), max_tokens=max_tokens, **options
        )
        began_s = time.perf_counter()
        request = self._model.make_request(message, key=number, reply=number, now_s=began_s)
        if is_silent:
            request.first.new_drafter = partial(_Silent, prompt, ())
        self._calls[request.reply] = call = _Call(request, began_s)
        self._engine.submit(request)
        return call

    def encode(self, text: str) -> list[int]:
        message = Generate(request_id=0, messages=(ChatMessage("user", text),), max_tokens=1)
        request = self._model.make_request(message, key=0, reply=0, now_s=0.0)
        return request.first.sequence.token_ids

    def stats(self) -> Stats:
        self._engine.probe(None, 0)
        return self._stats.get(timeout=_LIMIT_S)


def load() -> dict[str, Task]:
    """Load the prepared folder that BENCH_FOLDER names."""
    is_whole = os.environ.get("BENCH_ARITHMETIC") == "whole"
    settings = EngineSettings(
        threads=NUM_THREADS,
        kv_cache_bytes=1024 * MIB,
        precision="exact" if is_whole else "auto",
    )
    model = load_model(Path(os.environ["BENCH_FOLDER"]), settings)
    assert isinstance(model, LoadedModel), "it answers prompts"
    house = _House(model)

    def answer(prompts: list[list[int]], max_tokens: int) -> list[Arrivals]:
        calls = [house.ask(p, max_tokens, min_tokens=max_tokens) for p in prompts]
        return [call.wait().arrivals for call in calls]

    own: dict[str, Task] = {
        "encode": _encode,
        "greedy": _greedy,
        "margin": _margin,
        "write": _write,
        "drafted": _drafted,
        "plain": _plain,
        "cached": _cached,
        "json": _json,
        "share": _share,
        "gaps": _gaps,
    }
    return timing_tasks(answer) | {name: partial(task, house) for name, task in own.items()}


def _encode(house: _House, text: str) -> list[int]:
    """Give the tokens of a conversation of one message."""
    return house.encode(text)


def _greedy(house: _House, prompt: list[int], max_tokens: int) -> list[int]:
    """Give the tokens of an answer; it may end by itself."""
    choice = house.ask(prompt, max_tokens).wait().request.first
    tokens = choice.sequence.token_ids[choice.sequence.num_prompt :]
    return tokens[:-1] if tokens[-1] in choice.ends else tokens


def _margin(house: _House, prompt: list[int]) -> float:
    """Give how much likelier the first choice is than the second, in natural logarithms."""
    call = house.ask(prompt, 1, num_logprobs=2).wait()
    likeliest: list[float] = sorted((value for _, value in call.logprobs[0].top), reverse=True)
    return likeliest[0] - likeliest[1]


def _write(house: _House, prompt: list[int], max_tokens: int) -> str:
    """Give the text of an exact answer: what a right prediction says."""
    return house.ask(prompt, max_tokens, min_tokens=max_tokens, **_VARIED).wait().text


def _plain(house: _House, prompt: list[int], max_tokens: int, *, is_varied: bool) -> float:
    """Give tokens per second of an answer for which nothing is guessed."""
    options = _VARIED if is_varied else {}
    call = house.ask(prompt, max_tokens, min_tokens=max_tokens, is_silent=True, **options)
    return call.wait().tokens_per_s()


def _drafted(
    house: _House, prompt: list[int], max_tokens: int, prediction: str | None
) -> dict[str, float]:
    """Give tokens per second of an exact answer with a prediction, and what was accepted."""
    call = house.ask(
        prompt, max_tokens, min_tokens=max_tokens, prediction=prediction, **_VARIED
    ).wait()
    assert call.end is not None, "it is over"
    return {
        "tokens_per_s": call.tokens_per_s(),
        "accepted": call.end.accepted_tokens,
        "rejected": call.end.rejected_tokens,
        "lookup": call.end.lookup_tokens,
    }


def _cached(house: _House, prefix: list[int], tails: list[list[int]]) -> dict[str, float]:
    """Give the seconds to the first token, with the prefix new and with it cached."""
    tenant = f"tenant {next(_NUMBERS)}"
    calls = [house.ask(prefix + tail, 1, tenant=tenant).wait() for tail in tails]
    ends = [call.end for call in calls]
    assert ends[-1] is not None, "it is over"
    return {
        "uncached_s": calls[0].arrivals[0][0],
        "cached_s": min(call.arrivals[0][0] for call in calls[1:]),
        "cached_tokens": ends[-1].cached_tokens,
    }


def _json(house: _House, prompt: list[int], max_tokens: int, schema: str) -> dict[str, Any]:
    """Give tokens per second of an answer under a schema, with its masks and forced tokens."""
    before = house.stats()
    call = house.ask(prompt, max_tokens, form=JsonSchema(schema)).wait()
    return {
        "tokens_per_s": call.tokens_per_s(),
        "num_tokens": call.num_told,
        "forced": house.stats().forced_tokens - before.forced_tokens,
        "text": call.text,
    }


def _share(
    house: _House, prompts: list[list[int]], max_tokens: int, temperature: float
) -> dict[str, float]:
    """Give which share of a step is spent outside of the runner, and how long that is."""
    before = house.stats()
    calls = [
        house.ask(p, max_tokens, min_tokens=max_tokens, temperature=temperature, top_p=0.95)
        for p in prompts
    ]
    for call in calls:
        call.wait()
    after = house.stats()
    busy_s, runner_s = after.busy_s - before.busy_s, after.runner_s - before.runner_s
    return {
        "share": (busy_s - runner_s) / busy_s,
        "python_us": (busy_s - runner_s) / (after.num_steps - before.num_steps) * 1e6,
    }


def _gaps(
    house: _House, streams: list[list[int]], max_tokens: int, prompt: list[int]
) -> dict[str, float]:
    """Give the gaps between tokens of running streams while a long prompt is read."""
    calls = [house.ask(p, max_tokens, min_tokens=max_tokens) for p in streams]
    while any(call.num_told < max_tokens // 4 for call in calls) and not _is_any_over(calls):
        time.sleep(0.002)
    reader = house.ask(prompt, 1)
    reader.wait()
    read_from, read_to = reader.began_s, reader.began_s + reader.arrivals[0][0]
    gaps, during = [], []
    for call in calls:
        times = [call.began_s + at for at, _ in call.wait().arrivals]
        all_gaps = [(late, late - early) for early, late in pairwise(times)]
        gaps += [gap for late, gap in all_gaps if not read_from <= late <= read_to + 0.05]
        during += [gap for late, gap in all_gaps if read_from <= late <= read_to + 0.05]
    median_s = statistics.median(gaps)
    return {
        "median_ms": median_s * 1e3,
        "max_ms": max(during) * 1e3,
        "stretch": max(during) / median_s,
        "reading_s": read_to - read_from,
        "num_gaps": len(during),
    }


def _is_any_over(calls: list[_Call]) -> bool:
    return any(call.over.is_set() for call in calls)


if __name__ == "__main__":
    serve(load)
