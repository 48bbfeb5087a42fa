"""The folder of models: locking, publication cut at every step, and what is found afterwards."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from slipstream.engine.weights.store import (
    Store,
    check_files,
    describe_files,
    require_space,
    sha256_of,
    write_facts,
)
from slipstream.errors import LoadFailed
from tests.engine.weights.test_manifest import FACTS

LIMIT_S = 30


def make_model(folder: Path, text: bytes = b"abc") -> Path:
    """Make a whole model directory."""
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(text)
    (folder / "b.bin").write_bytes(b"de")
    write_facts(folder, msgspec.structs.replace(FACTS, files=describe_files(folder)))
    return folder


def test_store_finds_what_was_published(tmp_path: Path) -> None:
    """A published model is found by name, and listed."""
    store = Store(tmp_path)
    assert store.find("m") is None
    assert store.installed() == []
    with store.lock("m", pytest.fail):
        built = make_model(store.staging("m", "s").built)
        store.publish("m", built)
    assert [facts.name for facts in store.installed()] == ["m"]
    assert store.find("m") is not None


def test_store_publish_replaces_a_former_model(tmp_path: Path) -> None:
    """The new one takes the name; nothing of the old one is left."""
    store = Store(tmp_path)
    make_model(store.folder("m"))
    with store.lock("m", pytest.fail):
        store.publish("m", make_model(store.staging("m", "s").built, b"xyz"))
    assert (store.folder("m") / "a.bin").read_bytes() == b"xyz"
    assert not list(store.models.glob(".m.old"))


def test_store_lock_undoes_a_publication_cut_between_its_renames(tmp_path: Path) -> None:
    """Killed after the former model moved away: it comes back."""
    store = Store(tmp_path)
    make_model(store.models / ".m.old")
    assert store.find("m") is None
    with store.lock("m", pytest.fail):
        assert store.find("m") is not None


def test_store_lock_finishes_a_publication_cut_before_its_end(tmp_path: Path) -> None:
    """Killed before the former model was removed: it is removed, the new one stays."""
    store = Store(tmp_path)
    make_model(store.models / ".m.old")
    make_model(store.folder("m"), b"xyz")
    with store.lock("m", pytest.fail):
        assert (store.folder("m") / "a.bin").read_bytes() == b"xyz"
    assert not (store.models / ".m.old").exists()


def test_store_lock_makes_the_second_wait_and_tells_it(tmp_path: Path) -> None:
    """Two builders of one model never overlap; builders of two do."""
    store = Store(tmp_path)
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with store.lock("m", waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with store.lock("m", pytest.fail), store.lock("other", pytest.fail):
        thread.start()
        assert waiting.wait(LIMIT_S)
        order.append("first")
    thread.join(LIMIT_S)
    assert order == ["first", "second"]


def test_store_lock_is_kept_by_a_child_that_inherited_it(tmp_path: Path) -> None:
    """A killed parent's child may still write: nobody else builds until it is gone."""
    store = Store(tmp_path)
    with store.lock("m", pytest.fail) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,)
        )
    waiting = threading.Event()
    got = threading.Event()

    def builder() -> None:
        with store.lock("m", waiting.set):
            got.set()

    thread = threading.Thread(target=builder)
    thread.start()
    assert waiting.wait(LIMIT_S)
    assert not got.is_set()
    child.communicate(b"\n", LIMIT_S)
    assert got.wait(LIMIT_S)
    thread.join(LIMIT_S)


def test_store_lock_in_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    """A home that is a file, or not writable, is named."""
    (tmp_path / "models").write_text("a file")
    lock = Store(tmp_path).lock("m", pytest.fail)
    with pytest.raises(LoadFailed, match="is SLIPSTREAM_HOME writable"):
        lock.__enter__()


def test_staging_keeps_what_was_fetched_of_the_same_source_only(tmp_path: Path) -> None:
    """Another source under the same name never gets the first one's bytes."""
    store = Store(tmp_path)
    first = store.staging("m", "one")
    (first.fetched / "part").write_bytes(b"x")
    first.start_built().joinpath("half").touch()
    again = store.staging("m", "one")
    assert (again.fetched / "part").exists()
    assert not again.built.exists()
    assert not (store.staging("m", "two").fetched / "part").exists()


def test_installed_leaves_out_damaged_and_hidden_folders(tmp_path: Path) -> None:
    """Staging folders and half models are not models."""
    store = Store(tmp_path)
    make_model(store.folder("good"))
    damaged = make_model(store.folder("damaged"))
    os.truncate(damaged / "a.bin", 1)
    make_model(store.models / ".hidden")
    store.folder("empty").mkdir()
    assert len(store.installed()) == 1
    with pytest.raises(LoadFailed):
        store.find("damaged")


def test_check_files_finds_a_changed_byte(tmp_path: Path) -> None:
    """A file of the right size with other bytes is found by its hash."""
    store = Store(tmp_path)
    folder = make_model(store.folder("m"))
    facts = store.find("m")
    assert facts is not None
    seen: list[tuple[int, int]] = []
    check_files(folder, facts, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (facts.total_bytes, facts.total_bytes)
    (folder / "a.bin").write_bytes(b"abd")
    with pytest.raises(LoadFailed, match=r"a\.bin: SHA-256 .*--force m"):
        check_files(folder, facts, lambda _, __: None)


def test_require_space_says_how_much_is_missing(tmp_path: Path) -> None:
    """What cannot fit is refused before it starts."""
    require_space(tmp_path, 1, "it")
    with pytest.raises(LoadFailed, match=r"it needs 1,000,000,000,000 MB .* are free; free some"):
        require_space(tmp_path, 10**18, "it")


def test_sha256_of_reports_how_far_it_is(tmp_path: Path) -> None:
    """The known digest of a known text, and progress up to its size."""
    file = tmp_path / "f"
    file.write_bytes(b"abc")
    seen: list[int] = []
    assert sha256_of(file, seen.append).startswith("ba7816bf8f01cfea414140de5dae2223")
    assert seen == [3]
