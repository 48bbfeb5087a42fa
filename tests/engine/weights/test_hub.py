"""The hub: which files are chosen, and a real huggingface_hub against a server of our own."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipstream.engine.weights.hub import choose_files
from slipstream.engine.weights.manifest import read_facts
from slipstream.engine.weights.sources import HubRepository
from slipstream.errors import LoadFailed
from tests.engine.weights.file_server import FileServer, Served

LIMIT_S = 120
SHA = "1234567890" * 4
REPOSITORY = HubRepository("owner/repo", None, None)
OPENVINO = ("openvino_model.xml", "openvino_model.bin", "openvino_tokenizer.xml", "config.json")
ENCODER = (
    *OPENVINO,
    "chat_template.jinja",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("README.md", "M.Q4_K_M.gguf"), ("M.Q4_K_M.gguf",)),
        (("M.Q2_K.gguf", "M.Q4_K_M.gguf", "M.Q8_0.gguf"), ("M.Q8_0.gguf",)),
        (("M-q3_k.gguf", "M-q4_k_m.gguf", "M-f16.gguf"), ("M-q4_k_m.gguf",)),
        ((*OPENVINO, "README.md", "model.safetensors"), OPENVINO),
        ((*ENCODER, "x/config.json", "onnx/model.onnx", "2_Dense/config.json"), ENCODER),
        (tuple(f"ov/{name}" for name in ENCODER), tuple(f"ov/{name}" for name in ENCODER)),
    ],
)
def test_choose_files_takes_the_form_that_runs_best(
    names: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    """One GGUF, Q8_0 first; or the files of the one OpenVINO model, and nothing else."""
    assert choose_files(REPOSITORY, names) == chosen


@pytest.mark.parametrize("names", [(), ("model.safetensors",), ("a-x.gguf", "b-y.gguf")])
def test_choose_files_without_a_clear_choice_asks_for_one(names: tuple[str, ...]) -> None:
    """Nothing to read, or nothing to choose by, is said with the files that are there."""
    with pytest.raises(LoadFailed, match=r"name one, as in hf:owner/repo/FILE\.gguf"):
        choose_files(REPOSITORY, names)


def test_choose_files_with_a_missing_file_lists_the_others() -> None:
    """A wrong file name is answered with the right ones."""
    source = HubRepository("owner/repo", "n.gguf", None)
    with pytest.raises(LoadFailed, match=r"no such file; its GGUF files: m\.gguf"):
        choose_files(source, ("m.gguf", "README.md"))


def serve_repository(files: FileServer, revision: str, contents: dict[str, bytes]) -> None:
    """Serve what huggingface_hub asks of a repository."""
    siblings = [{"rfilename": name, "size": len(data)} for name, data in contents.items()]
    info = {"id": "owner/repo", "sha": SHA, "siblings": siblings}
    answer = Served(json.dumps(info).encode(), content_type="application/json")
    files.add(f"/api/models/owner/repo/revision/{revision}", answer)
    files.add("/api/models/owner/repo", answer)
    for name, data in contents.items():
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        files.add(f"/owner/repo/resolve/{SHA}/{name}", Served(data, etag=etag))


def pull_from(
    files: FileServer, home: Path, source: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Pull in a process of its own: huggingface_hub reads its endpoint when it is imported."""
    settings = {"HF_ENDPOINT": files.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home / "hf")}
    return subprocess.run(
        [sys.executable, "-m", "slipstream", "pull", source, "--home", str(home)],
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_pull_from_a_hub_prepares_the_gguf(
    files: FileServer, tmp_path: Path, tiny_gguf: Path
) -> None:
    """hf:owner/repo@revision: asked of the endpoint, downloaded, prepared, pinned by its hash."""
    data = tiny_gguf.read_bytes()
    serve_repository(files, "v1", {"README.md": b"#", "Tiny.Q8_0.gguf": data})
    done = pull_from(files, tmp_path, "hf:owner/repo@v1")
    assert done.returncode == 0, done.stderr
    facts = read_facts(tmp_path / "models" / "repo")
    assert facts.source == "hf:owner/repo@v1"
    assert facts.source_sha256 == hashlib.sha256(data).hexdigest()
    assert ("GET", f"/owner/repo/resolve/{SHA}/README.md", None) not in files.requests


def test_pull_from_a_hub_takes_openvino_files(
    files: FileServer, tmp_path: Path, openvino_folder: Path
) -> None:
    """A repository of OpenVINO files is one model."""
    contents = {file.name: file.read_bytes() for file in openvino_folder.iterdir()}
    serve_repository(files, "main", contents)
    done = pull_from(files, tmp_path, "hf:owner/repo")
    assert done.returncode == 0, done.stderr
    assert read_facts(tmp_path / "models" / "repo").num_layers == 2


def test_pull_from_a_hub_that_refuses_says_so_in_one_line(
    files: FileServer, tmp_path: Path
) -> None:
    """A missing or gated repository is one line that names it, and no traceback."""
    done = pull_from(files, tmp_path, "hf:owner/gone")
    assert done.returncode == 1
    assert done.stderr.startswith("slipstream: hf:owner/gone: ")
    assert done.stderr.count("\n") == 1
