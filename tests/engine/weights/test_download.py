"""Downloading over HTTP: whole, cut and resumed, changed in between, refused."""

import hashlib
import random
from pathlib import Path

import pytest

from slipstream.engine.weights.download import fetch_url
from slipstream.engine.weights.sources import Url
from slipstream.errors import LoadFailed
from tests.engine.weights.file_server import FileServer, Served

DATA = random.Random(4).randbytes(1_000_000)
DIGEST = hashlib.sha256(DATA).hexdigest()


def fetch(url: str, folder: Path, sha256: str | None = None) -> tuple[bytes, str]:
    """Fetch once; give what came and its hash."""
    path, digest = fetch_url(Url(url, sha256), folder, 1, lambda _, __: None)
    return path.read_bytes(), digest


def ranges(files: FileServer) -> list[str | None]:
    """Give the ranges that were asked for, in order."""
    return [wanted for _, _, wanted in files.requests]


def test_fetch_url_gives_the_file_its_hash_and_progress(files: FileServer, tmp_path: Path) -> None:
    """The bytes, their SHA-256, and progress that ends at the size."""
    url = files.add("/m.gguf", Served(DATA))
    seen: list[tuple[int, int | None]] = []
    path, digest = fetch_url(Url(url, DIGEST), tmp_path, 1, lambda *each: seen.append(each))
    assert path.read_bytes() == DATA
    assert digest == DIGEST
    assert seen[0] == (0, len(DATA))
    assert seen[-1] == (len(DATA), len(DATA))


def test_fetch_url_of_a_file_that_is_there_asks_nobody(files: FileServer, tmp_path: Path) -> None:
    """A whole download of an earlier try is used again."""
    url = files.add("/m", Served(DATA))
    fetch(url, tmp_path)
    assert fetch(url, tmp_path) == (DATA, DIGEST)
    assert len(files.requests) == 1


def test_fetch_url_goes_on_where_the_connection_was_cut(files: FileServer, tmp_path: Path) -> None:
    """Each try asks for the rest only."""
    url = files.add("/m", Served(DATA, cuts=[300_000, 200_000]))
    assert fetch(url, tmp_path) == (DATA, DIGEST)
    assert ranges(files) == [None, "bytes=300000-", "bytes=500000-"]


def test_fetch_url_cut_too_often_keeps_what_came_for_the_next_time(
    files: FileServer, tmp_path: Path
) -> None:
    """The error says where it stopped; the next call begins there."""
    url = files.add("/m", Served(DATA, cuts=[100_000] * 4))
    with pytest.raises(LoadFailed, match=r"cut 4 times .* goes on from byte 400000"):
        fetch(url, tmp_path)
    assert fetch(url, tmp_path) == (DATA, DIGEST)
    assert ranges(files)[-1] == "bytes=400000-"


def test_fetch_url_begins_again_when_the_file_changed(files: FileServer, tmp_path: Path) -> None:
    """Two versions of a file are never glued together."""
    served = Served(b"\0" * len(DATA), cuts=[100_000] * 4)
    url = files.add("/m", served)
    with pytest.raises(LoadFailed):
        fetch(url, tmp_path)
    served.data, served.etag = DATA, '"two"'
    assert fetch(url, tmp_path) == (DATA, DIGEST)


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_fetch_url_without_a_strong_validator_begins_again(
    files: FileServer, tmp_path: Path, etag: str | None
) -> None:
    """Where the server cannot say that the file is the same, the rest is not asked for."""
    url = files.add("/m", Served(DATA, etag=etag, cuts=[100_000]))
    assert fetch(url, tmp_path) == (DATA, DIGEST)
    assert ranges(files) == [None, None]


def test_fetch_url_from_a_server_without_ranges_begins_again(
    files: FileServer, tmp_path: Path
) -> None:
    """A server that ignores Range sends all of it, and all of it is taken from the start."""
    url = files.add("/m", Served(DATA, has_ranges=False, cuts=[100_000]))
    assert fetch(url, tmp_path) == (DATA, DIGEST)


def test_fetch_url_of_a_file_that_became_shorter_begins_again(
    files: FileServer, tmp_path: Path
) -> None:
    """416 means that what we have is of another file."""
    (tmp_path / "download.part").write_bytes(DATA)
    (tmp_path / "download.json").write_text('{"validator": "\\"one\\""}')
    short = Served(DATA[:10])
    refusing = Served(status=416)
    url = files.add("/m", refusing)

    def swap(_: int, __: int | None) -> None:
        raise AssertionError("nothing can come from a refusal")

    with pytest.raises(LoadFailed, match="416"):
        # The first 416 drops the part; the second has no part to blame.
        fetch_url(Url(url, None), tmp_path, 1, swap)
    files.add("/m", short)
    assert fetch(url, tmp_path)[0] == DATA[:10]


def test_fetch_url_with_another_hash_keeps_nothing(files: FileServer, tmp_path: Path) -> None:
    """A wrong file is refused by name of both hashes, and not used the next time."""
    url = files.add("/m", Served(DATA[:-1]))
    with pytest.raises(LoadFailed, match=f"expected {DIGEST}; nothing was kept"):
        fetch(url, tmp_path, DIGEST)
    files.add("/m", Served(DATA))
    assert fetch(url, tmp_path, DIGEST) == (DATA, DIGEST)


def test_fetch_url_follows_redirects_to_http_only(files: FileServer, tmp_path: Path) -> None:
    """Hubs redirect to their stores; a redirect to a local file is refused."""
    files.add("/there", Served(DATA))
    url = files.add("/here", Served(location=files.url + "/there"))
    assert fetch(url, tmp_path)[0] == DATA
    secret = tmp_path / "secret"
    secret.write_text("secret")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(LoadFailed, match="redirect"):
        fetch(files.add("/bad", Served(location=f"file://{secret}")), other)


def test_fetch_url_larger_than_the_disk_is_refused_before_it_starts(
    files: FileServer, tmp_path: Path
) -> None:
    """The size that the server states is checked first."""
    url = files.add("/m", Served(DATA, claimed_bytes=10**17))
    with pytest.raises(LoadFailed, match="of disk space"):
        fetch(url, tmp_path)


def test_fetch_url_refused_names_the_status_and_no_secret(
    files: FileServer, tmp_path: Path
) -> None:
    """The message names address and status, without the query that may hold a key."""
    with pytest.raises(LoadFailed, match="answered 404") as caught:
        fetch(files.url + "/gone?token=s3cret", tmp_path)
    assert "s3cret" not in caught.value.message


def test_fetch_url_of_a_closed_port_says_so(tmp_path: Path) -> None:
    """No server at all is an error too."""
    with FileServer() as gone:
        url = gone.url
    with pytest.raises(LoadFailed, match="is the network there"):
        fetch(url + "/m", tmp_path)
