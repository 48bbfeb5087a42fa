"""The contestants from openvino-genai: its pipeline, its batching, and its prompt look-up."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino_genai as genai

from bench.engine.worker import NUM_THREADS, Arrivals, Task, serve, timing_tasks

_CACHE_GB = 1
_LOOKUP = {"num_assistant_tokens": 8, "max_ngram_size": 3}


class _Clock(genai.StreamerBase):  # type: ignore[misc]
    """Notes when tokens come."""

    def __init__(self) -> None:
        super().__init__()
        self.began_s = time.perf_counter()
        self.arrivals: Arrivals = []

    def write(self, token: int | list[int]) -> Any:
        """Note one token, or several at once."""
        num = len(token) if isinstance(token, list) else 1
        self.arrivals.append((time.perf_counter() - self.began_s, num))
        return genai.StreamingStatus.RUNNING

    def end(self) -> None:
        """Do nothing."""


def _config(max_tokens: int, **more: Any) -> Any:
    return genai.GenerationConfig(
        max_new_tokens=max_tokens, ignore_eos=True, do_sample=False, **more
    )


def _pipeline(folder: Path, **options: Any) -> Any:
    if os.environ.get("BENCH_ARITHMETIC") == "whole":
        options |= {
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
        }
    return genai.LLMPipeline(folder, "CPU", INFERENCE_NUM_THREADS=NUM_THREADS, **options)


def load() -> dict[str, Task]:
    """Load the prepared folder that BENCH_FOLDER names, in the way that BENCH_MODE says."""
    folder = Path(os.environ["BENCH_FOLDER"])
    return {"plain": _plain, "lookup": _lookup, "batch": _batch}[os.environ["BENCH_MODE"]](folder)


def _plain(folder: Path) -> dict[str, Task]:
    pipeline = _pipeline(folder)
    tasks = timing_tasks(
        lambda prompts, most: [_stream(pipeline, p, _config(most)) for p in prompts]
    )

    def greedy(prompt: list[int], max_tokens: int) -> list[int]:
        """Give the tokens of an answer; it may end by itself."""
        config = genai.GenerationConfig(max_new_tokens=max_tokens, do_sample=False)
        result = pipeline.generate(ov.Tensor(np.array([prompt], np.int64)), config)
        tokens: list[int] = list(result.tokens[0])
        return tokens

    return {name: tasks[name] for name in ("decode", "first")} | {"greedy": greedy}


def _lookup(folder: Path) -> dict[str, Task]:
    pipeline = _pipeline(folder, prompt_lookup=True)
    tasks = timing_tasks(
        lambda prompts, most: [_stream(pipeline, p, _config(most, **_LOOKUP)) for p in prompts]
    )
    return {name: tasks[name] for name in ("decode",)}


def _stream(pipeline: Any, prompt: list[int], config: Any) -> Arrivals:
    clock = _Clock()
    pipeline.generate(ov.Tensor(np.array([prompt], np.int64)), config, clock)
    return clock.arrivals


def _batch(folder: Path) -> dict[str, Task]:
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size, scheduler.max_num_seqs = _CACHE_GB, 32
    pipeline = genai.ContinuousBatchingPipeline(
        folder, scheduler, "CPU", {"INFERENCE_NUM_THREADS": NUM_THREADS}
    )

    def answer(prompts: list[list[int]], max_tokens: int) -> list[Arrivals]:
        began_s = time.perf_counter()
        handles = [
            pipeline.add_request(
                number, ov.Tensor(np.array([prompt], np.int64)), _config(max_tokens)
            )
            for number, prompt in enumerate(prompts)
        ]
        all_arrivals: list[Arrivals] = [[] for _ in prompts]
        while pipeline.has_non_finished_requests():
            pipeline.step()
            now_s = time.perf_counter() - began_s
            for handle, arrivals in zip(handles, all_arrivals, strict=True):
                if handle.can_read():
                    outputs = handle.read().values()
                    arrivals += [(now_s, len(each.generated_ids)) for each in outputs]
        return all_arrivals

    return timing_tasks(answer)


if __name__ == "__main__":
    serve(load)
