"""Requests/s and latency of plain answers, by wrk on the load core."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.endpoints import Endpoint, plain_body
from bench.processes import LOAD_CORE

_SCRIPT = Path(__file__).with_name("wrk_report.lua")
_ANSWER_LIMIT_S = 20  # a slow peer with 256 requests waiting takes seconds for each


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw."""

    num_requests: int
    duration_s: float
    p50_us: float
    p99_us: float
    num_errors: int

    @property
    def requests_per_s(self) -> float:
        """Answers that came, for each second."""
        return self.num_requests / self.duration_s


def run_wrk(endpoint: Endpoint, *, connections: int, duration_s: int) -> Load:
    """Send requests as fast as answers come, each connection waiting for its own."""
    headers = "\n".join(f"{name}: {value}" for name, value in endpoint.all_headers().items())
    command = [
        *("taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{duration_s}s"),
        *("--timeout", f"{_ANSWER_LIMIT_S}s", "-s", str(_SCRIPT), endpoint.url),
    ]
    body = plain_body(endpoint.model).decode()
    done = subprocess.run(
        command,
        env={**os.environ, "BENCH_BODY": body, "BENCH_HEADERS": headers},
        capture_output=True,
        text=True,
        timeout=duration_s + 2 * _ANSWER_LIMIT_S,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"wrk failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    said = json.loads(lines[-1])
    errors = sum(said[kind] for kind in ("refused", "broken", "bad_status", "timeouts"))
    return Load(
        num_requests=said["requests"],
        duration_s=said["duration_us"] / 1e6,
        p50_us=said["p50_us"],
        p99_us=said["p99_us"],
        num_errors=errors,
    )
