"""Runs the program of a framework in the environment that scripts/setup-frameworks made for it."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from scripts.frameworks.scene import Target

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ROOT / ".frameworks"
NODE = "ai_sdk"
NAMES = ("langchain", "llama_index", "instructor", "pydantic_ai", NODE)
LIMIT_S = 600.0


def run_program(name: str, url: str, key: str, targets: Sequence[Target]) -> list[str]:
    """Run a program against whoever listens at `url`; return the lines that it printed.

    One that does not end in time is ended; it has told less then.
    """
    environ = {
        **os.environ,
        "SLIPSTREAM_URL": url,
        "SLIPSTREAM_KEY": key,
        "SLIPSTREAM_TARGETS": json.dumps([_told(target) for target in targets]),
    }
    said, errors = ROOMS / name / "said.txt", ROOMS / name / "errors.txt"
    with (
        said.open("w") as output,
        errors.open("w") as complaints,
        suppress(subprocess.TimeoutExpired),
    ):
        subprocess.run(
            _command(name),
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=complaints,
            timeout=LIMIT_S,
        )
    return said.read_text().splitlines()


def _command(name: str) -> list[str]:
    if name != NODE:
        return [str(ROOMS / name / "bin" / "python"), "-m", f"scripts.frameworks.{name}"]
    # A module of Node's finds packages beside itself.
    program = shutil.copy(ROOT / "scripts" / "frameworks" / f"{name}.mjs", ROOMS / name)
    own = ROOMS / name / "node_modules" / ".bin" / "node"
    return [str(own) if own.exists() else "node", str(program)]


def _told(target: Target) -> dict[str, object]:
    return {
        "name": target.name,
        "model": target.model,
        "claude": target.claude,
        "is_forced": target.is_forced,
        "settings": target.settings or {},
    }
