"""The folder of prepared models: who may build, where, and how a finished model appears at once.

models/smollm2-135m/            whole, or not there
models/.smollm2-135m.lock       held by whoever builds it, and by the processes it started
models/.smollm2-135m.staging/   fetched/ (reused by the next try) and built/
models/.smollm2-135m.old/       the former one, for the moment between two renames
"""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from slipstream.engine.weights.manifest import FACTS_FILE, ModelFacts, read_facts
from slipstream.errors import LoadFailed

_POLL_S: Final = 0.1
_LOCK_DEADLINE_S: Final = 3600.0  # a large model over a slow line takes its time
_HASH_CHUNK_BYTES: Final = 1 << 20
_LABEL_FILE: Final = "source.txt"


class Store:
    """The models under one SLIPSTREAM_HOME."""

    def __init__(self, home: Path) -> None:
        self.models = home / "models"

    def folder(self, name: str) -> Path:
        """Return where a model of this name is, or would be."""
        return self.models / name

    def find(self, name: str) -> ModelFacts | None:
        """Return a model's facts, or None where there is no such model.

        Raises:
            LoadFailed: It is there, and damaged or of another format.
        """
        folder = self.folder(name)
        return read_facts(folder) if folder.is_dir() else None

    def installed(self) -> list[ModelFacts]:
        """Return the facts of all models that are whole, by name."""
        found: list[ModelFacts] = []
        for folder in sorted(self.models.glob("[!.]*")):
            with suppress(LoadFailed):  # the damaged ones are `slipstream doctor`'s to report
                found.append(read_facts(folder))
        return found

    @contextmanager
    def lock(self, name: str, on_wait: Callable[[], None]) -> Iterator[int]:
        """Hold the right to build a model; gives the descriptor for child processes to inherit.

        A child that outlives a killed parent keeps the lock as long as it may still write.

        Raises:
            LoadFailed: The folder cannot be written, or the holder took longer than an hour.
        """
        path = self.models / f".{name}.lock"
        try:
            self.models.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise LoadFailed(f"{path}: {exc.strerror}; is SLIPSTREAM_HOME writable?") from exc
        try:
            _wait_for(descriptor, path, on_wait)
            self._mend(name)
            yield descriptor
        finally:
            os.close(descriptor)

    def staging(self, name: str, label: str) -> "Staging":
        """Return the place to build a model, with what an earlier try at the same source left.

        Only the holder of the lock may ask.
        """
        return Staging(self.models / f".{name}.staging", label)

    def publish(self, name: str, built: Path) -> None:
        """Let a finished folder appear under its name, in place of a former one.

        Raises:
            LoadFailed: The file system refuses; the former model is still there.
        """
        target, old = self.folder(name), self._old(name)
        try:
            _sync(built)
            if target.exists():
                target.rename(old)
            built.rename(target)
            _sync_one(self.models)
        except OSError as exc:
            raise LoadFailed(f"{target}: {exc.strerror}") from exc
        shutil.rmtree(old, ignore_errors=True)

    def _old(self, name: str) -> Path:
        return self.models / f".{name}.old"

    def _mend(self, name: str) -> None:
        """Undo or finish a publication that was cut between its two renames."""
        old = self._old(name)
        if old.exists() and not self.folder(name).exists():
            old.rename(self.folder(name))
        shutil.rmtree(old, ignore_errors=True)


class Staging:
    """Where one model is fetched and built; in the same file system as its final place."""

    def __init__(self, root: Path, label: str) -> None:
        self._root = root
        self.fetched = root / "fetched"
        self.built = root / "built"
        self.log = root / "log.txt"
        note = root / _LABEL_FILE
        if not note.is_file() or note.read_text(encoding="utf-8") != label:
            shutil.rmtree(root, ignore_errors=True)
        self.fetched.mkdir(parents=True, exist_ok=True)
        note.write_text(label, encoding="utf-8")
        self.drop_built()

    def start_built(self) -> Path:
        """Return an empty folder to build in."""
        self.drop_built()
        self.built.mkdir()
        return self.built

    def drop_built(self) -> None:
        """Remove what was built so far."""
        shutil.rmtree(self.built, ignore_errors=True)

    def drop_fetched(self) -> None:
        """Remove what was fetched so far."""
        shutil.rmtree(self.fetched, ignore_errors=True)
        self.fetched.mkdir()

    def drop(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._root, ignore_errors=True)


def require_space(folder: Path, num_bytes: int, purpose: str) -> None:
    """Refuse to start what the disk cannot hold.

    Raises:
        LoadFailed: Fewer bytes are free where `folder` is.
    """
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise LoadFailed(
            f"{folder}: {purpose} needs {_megabytes(num_bytes)} of disk space, "
            f"{_megabytes(free)} are free; free some, or set SLIPSTREAM_HOME to another disk"
        )


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"


def sha256_of(file: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Return a file's SHA-256 in hexadecimal; `on_bytes` is told how many are done."""
    digest = hashlib.sha256()
    done = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if on_bytes is not None:
                on_bytes(done)
    return digest.hexdigest()


def describe_files(folder: Path) -> dict[str, tuple[int, str]]:
    """Return name -> (bytes, SHA-256) of every file in a folder, the manifest left out."""
    return {
        file.name: (file.stat().st_size, sha256_of(file))
        for file in sorted(folder.iterdir())
        if file.name != FACTS_FILE
    }


def write_facts(folder: Path, facts: ModelFacts) -> None:
    """Write the manifest; the last file of a folder."""
    text = msgspec.json.format(msgspec.json.encode(facts))
    (folder / FACTS_FILE).write_bytes(text + b"\n")


def check_files(folder: Path, facts: ModelFacts, on_bytes: Callable[[int, int], None]) -> None:
    """Compare every file with the hash that the manifest has for it.

    Raises:
        LoadFailed: One differs; names it.
    """
    before = 0
    for name, (num_bytes, sha256) in facts.files.items():
        start = before
        found = sha256_of(folder / name, lambda done: on_bytes(start + done, facts.total_bytes))  # noqa: B023 -- called before the next turn
        before += num_bytes
        if found != sha256:
            raise LoadFailed(
                f"{folder / name}: SHA-256 {found}, expected {sha256}; "
                f"`slipstream pull --force {facts.name}` prepares it again"
            )


def _wait_for(descriptor: int, path: Path, on_wait: Callable[[], None]) -> None:
    deadline = time.monotonic() + _LOCK_DEADLINE_S
    has_waited = False
    while not _try_lock(descriptor, path):
        if not has_waited:
            on_wait()
            has_waited = True
        if time.monotonic() > deadline:
            raise LoadFailed(f"{path}: another pull has held it for {_LOCK_DEADLINE_S:g} s")
        time.sleep(_POLL_S)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno in (errno.EWOULDBLOCK, errno.EINTR):
            return False
        raise LoadFailed(f"{path}: {exc.strerror}: the file system cannot lock files") from exc
    return True


def _sync(folder: Path) -> None:
    for file in folder.iterdir():
        _sync_one(file)
    _sync_one(folder)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
