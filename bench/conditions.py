"""What a figure depends on: the machine, the versions, the date, and who else was busy."""

import os
import platform
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path


def machine() -> dict[str, str | int | float]:
    """Return the conditions that hold for a whole run."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": _version(["nginx", "-v"], r"nginx/(\S+)"),
        "wrk": _version(["wrk", "-v"], r"wrk (\S+)"),
        "node": _version(["node", "--version"], r"v(\S+)"),
        "load_average_1min": round(os.getloadavg()[0], 2),
    }


def cpu_model() -> str:
    """Return the processor's name, and its family and model, which a hypervisor hides less."""
    text = Path("/proc/cpuinfo").read_text()
    found = dict(re.findall(r"^(model name|cpu family|model)\s*:\s*(.+)$", text, re.MULTILINE))
    return "{model name} (family {cpu family}, model {model})".format(**found)


def busy_share(seconds: float) -> float:
    """Return which share of all cores' time was in use, or stolen, over the next `seconds`."""
    before = _jiffies()
    time.sleep(seconds)
    after = _jiffies()
    busy, total = (now - then for now, then in zip(after, before, strict=True))
    return busy / max(total, 1)


def _jiffies() -> tuple[int, int]:
    fields = [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def _version(command: list[str], pattern: str) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "unknown"
