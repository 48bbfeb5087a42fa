"""What all contestants' processes share: orders come as lines of JSON, results go back as such.

Standard library only: it runs in the contestants' own environments.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

NUM_THREADS = 2

Arrivals = list[tuple[float, int]]
"""When tokens of one answer came, in seconds since it was asked for, and how many."""
Answer = Callable[[list[list[int]], int], list[Arrivals]]
"""Answers prompts together, greedily, with exactly so many tokens each."""
Task = Callable[..., Any]


def serve(load: Callable[[], Mapping[str, Task]]) -> None:
    """Load a contestant and carry out orders until standard input ends."""
    # Native libraries print on standard output: it is ours alone from here on.
    line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    began_s = time.perf_counter()
    tasks = load()
    _say(line, {"load_s": time.perf_counter() - began_s, "tasks": list(tasks)})
    for text in sys.stdin:
        order = json.loads(text)
        try:
            _say(line, {"result": tasks[order["task"]](**order["args"])})
        except Exception as exc:  # whatever it is: a contestant's failure is a result, too
            _say(line, {"error": f"{type(exc).__name__}: {exc}"[:500]})
    os._exit(0)  # tearing native state down takes long, and crashes in some of them


def _say(line: Any, message: dict[str, Any]) -> None:
    line.write(json.dumps(message) + "\n")
    line.flush()


def timing_tasks(answer: Answer) -> dict[str, Task]:
    """Return the tasks that need nothing but answers."""

    def decode(prompt: list[int], max_tokens: int) -> float:
        """Give tokens per second of one answer, from its first token on."""
        (arrivals,) = answer([prompt], max_tokens)
        later = sum(num for _, num in arrivals[1:])
        return later / (arrivals[-1][0] - arrivals[0][0])

    def together(prompts: list[list[int]], max_tokens: int) -> float:
        """Give tokens per second of all answers, reading the prompts included."""
        all_arrivals = answer(prompts, max_tokens)
        total = sum(num for arrivals in all_arrivals for _, num in arrivals)
        return total / max(arrivals[-1][0] for arrivals in all_arrivals)

    def first(prompt: list[int]) -> float:
        """Give the seconds until the first token."""
        return answer([prompt], 1)[0][0][0]

    return {"decode": decode, "together": together, "first": first}
