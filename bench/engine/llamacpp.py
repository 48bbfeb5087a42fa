"""The contestant xllamacpp: llama.cpp's server in process, over its prebuilt binding."""

import json
import os
import threading
import time

import xllamacpp  # type: ignore[import-not-found]  # in an environment of its own

from bench.engine.worker import NUM_THREADS, Arrivals, Task, serve, timing_tasks

_PLACES = 16
_CONTEXT_TOKENS = 2560  # of each place


def load() -> dict[str, Task]:
    """Load the GGUF that BENCH_GGUF names."""
    params = xllamacpp.CommonParams()
    params.model.path = os.environ["BENCH_GGUF"]
    params.n_ctx, params.n_parallel = _PLACES * _CONTEXT_TOKENS, _PLACES
    params.n_predict = -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = NUM_THREADS
    params.cache_ram_mib, params.verbosity = 0, -1
    server = xllamacpp.Server(params)

    def one(prompt: list[int], max_tokens: int, began_s: float, arrivals: Arrivals) -> None:
        num_seen = 0

        def take(text: str) -> bool:
            nonlocal num_seen
            said = json.loads(text)
            if "choices" not in said:
                raise RuntimeError(text[:300])
            # One chunk a token, but for halves of a character, which the last chunk makes up for.
            whole = said.get("usage", {}).get("completion_tokens")
            num = 1 if whole is None else whole - num_seen
            num_seen += num
            if num:
                arrivals.append((time.perf_counter() - began_s, num))
            return False

        body = {
            "prompt": prompt,
            "n_predict": max_tokens,
            "temperature": 0.0,
            "ignore_eos": True,
            "cache_prompt": False,
            "stream": True,
            "samplers": ["top_k"],
            "top_k": 1,
        }
        server.handle_completions(json.dumps(body), take)

    def answer(prompts: list[list[int]], max_tokens: int) -> list[Arrivals]:
        began_s = time.perf_counter()
        all_arrivals: list[Arrivals] = [[] for _ in prompts]
        threads = [
            threading.Thread(target=one, args=(prompt, max_tokens, began_s, arrivals))
            for prompt, arrivals in zip(prompts, all_arrivals, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return all_arrivals

    return timing_tasks(answer)


if __name__ == "__main__":
    serve(load)
