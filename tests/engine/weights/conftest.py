"""A server of files, a tiny GGUF and the model made of it, for tests of pulling."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream.engine.weights.pull import pull
from tests.engine.weights.file_server import FileServer
from tests.engine.weights.tiny_gguf import write_tiny_gguf


@pytest.fixture
def files() -> Iterator[FileServer]:
    """Give a server on 127.0.0.1 without files yet."""
    with FileServer() as server:
        yield server


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small random llama as a GGUF; read-only."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "Tiny-Llama.Q8_0.gguf")


@pytest.fixture(scope="session")
def tiny_model(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the prepared directory of the tiny llama; read-only."""
    home = tmp_path_factory.mktemp("home")
    pull(str(tiny_gguf), home)
    return home / "models" / "tiny-llama"


@pytest.fixture(scope="session")
def openvino_folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the tiny llama as a folder of OpenVINO files, as hubs have them; read-only."""
    folder = tmp_path_factory.mktemp("openvino") / "tiny-ov"
    folder.mkdir()
    for file in tiny_model.glob("openvino_*"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "config.json").write_text(
        '{"model_type": "llama", "max_position_embeddings": 256, "bos_token_id": 1,'
        ' "eos_token_id": 2}'
    )
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    return folder
