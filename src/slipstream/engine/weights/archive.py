"""Takes a model out of a tar or zip file that may come from anywhere.

Only the files that a model consists of are written, under the names that a model's files have, in
one folder of ours: whatever paths, links or devices an archive lists, nothing else is touched.
"""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from slipstream.engine.weights.manifest import MODEL_FILE
from slipstream.engine.weights.openvino_folder import SIDE_FILES, needed_files
from slipstream.engine.weights.store import require_space
from slipstream.errors import LoadFailed

# An archive may hold the tokenizer of training, logs, a licence: these are what is read.
_WANTED: Final = frozenset((*needed_files("chat"), *SIDE_FILES))
_GGUF: Final = ".gguf"


@dataclass(frozen=True, slots=True)
class _Member:
    path: PurePosixPath
    num_bytes: int
    handle: Any  # zipfile.ZipInfo or tarfile.TarInfo


def is_archive(file: Path) -> bool:
    """Say whether a file is a zip or a tar, compressed or not."""
    return zipfile.is_zipfile(file) or tarfile.is_tarfile(file)


def extract_model(file: Path, folder: Path) -> Path:
    """Extract a model into an empty folder; gives the GGUF or the folder of OpenVINO files.

    Raises:
        LoadFailed: The archive is damaged, lists a path that leads out of it, or holds no model,
            or more than one.
    """
    try:
        with _opened(file) as (members, open_member):
            chosen = _choose(file, members)
            require_space(
                folder, sum(m.num_bytes for m in chosen.values()), f"extracting {file.name}"
            )
            for name, member in chosen.items():
                _write(open_member(member.handle), folder / name, member.num_bytes)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, RuntimeError) as exc:
        raise LoadFailed(f"{file.name}: a damaged archive: {exc}") from exc
    return folder if MODEL_FILE in chosen else folder / next(iter(chosen))


@contextmanager
def _opened(file: Path) -> Iterator[tuple[list[_Member], Any]]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            yield [_Member(_safe(file, i.filename), i.file_size, i) for i in infos], archive.open
        return
    with tarfile.open(file) as tar:
        entries = [entry for entry in tar if not entry.isdir()]
        for entry in entries:
            if not entry.isfile():
                raise LoadFailed(f"{file.name}: {entry.name!r} is a link or device; refused")
        yield [_Member(_safe(file, e.name), e.size, e) for e in entries], tar.extractfile


def _safe(file: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise LoadFailed(f"{file.name}: {name!r} leads out of the archive; nothing was extracted")
    return path


def _choose(file: Path, members: list[_Member]) -> dict[str, _Member]:
    """Return what to extract, by the name to give it."""
    ggufs = [member for member in members if member.path.suffix.lower() == _GGUF]
    models = [member for member in members if member.path.name == MODEL_FILE]
    if len(ggufs) + len(models) != 1:
        raise LoadFailed(
            f"{file.name}: {len(ggufs)} .gguf and {len(models)} {MODEL_FILE} in it, "
            "expected exactly one model"
        )
    if ggufs:
        return {ggufs[0].path.name: ggufs[0]}
    home = models[0].path.parent
    inside = [member for member in members if member.path.is_relative_to(home)]
    named = {str(member.path.relative_to(home)): member for member in inside}
    return {name: member for name, member in named.items() if name in _WANTED}


def _write(source: IO[bytes] | None, target: Path, num_bytes: int) -> None:
    assert source is not None, "only plain files were chosen"
    target.parent.mkdir(exist_ok=True)
    with source, target.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
        if out.tell() != num_bytes:
            raise LoadFailed(
                f"{target.name}: {out.tell()} bytes in the archive, {num_bytes} listed"
            )
