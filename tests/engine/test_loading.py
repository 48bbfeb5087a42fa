"""Tests of slipstream.engine.loading: prepared directories, whole and not."""

from pathlib import Path

import msgspec
import pytest

from slipstream.engine.loading import load_model
from slipstream.engine.model import LoadedModel
from slipstream.engine.protocol import ChatMessage, Generate
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.errors import BadRequest, LoadFailed

SETTINGS = EngineSettings(kv_cache_bytes=64 * MIB)


def test_load_without_template_refuses_conversations(
    prepared_smollm2: Path, tmp_path: Path
) -> None:
    """A base model loads, and says what it lacks when it is asked to chat."""
    for file in prepared_smollm2.iterdir():
        if file.is_file() and file.name not in ("chat_template.jinja", "model.json"):
            (tmp_path / file.name).symlink_to(file)
    facts = msgspec.json.decode((prepared_smollm2 / "model.json").read_bytes())
    del facts["files"]["chat_template.jinja"]
    (tmp_path / "model.json").write_bytes(msgspec.json.encode(facts))
    model = load_model(tmp_path, SETTINGS)
    assert isinstance(model, LoadedModel)

    with pytest.raises(BadRequest, match="no chat template"):
        model.make_request(
            Generate(request_id=1, messages=(ChatMessage("user", "Hi"),)),
            key=1,
            reply=None,
            now_s=0.0,
        )


@pytest.mark.parametrize(
    ("said", "wanted"),
    [(None, "cannot be read"), (b"\xff", "cannot be read"), (b"{% if", "template")],
)
def test_load_with_a_template_that_is_none_is_a_load_failure(
    prepared_smollm2: Path, tmp_path: Path, said: bytes | None, wanted: str
) -> None:
    """A file that is missing, no text or no template is named before anything is loaded."""
    file = tmp_path / "own.jinja"
    if said is not None:
        file.write_bytes(said)
    settings = EngineSettings(kv_cache_bytes=64 * MIB, template=str(file))

    with pytest.raises(LoadFailed, match=wanted):
        load_model(prepared_smollm2, settings)


def test_load_something_else_is_a_load_failure(tmp_path: Path) -> None:
    """A directory without a model is named."""
    with pytest.raises(LoadFailed, match=str(tmp_path)):
        load_model(tmp_path / "none", SETTINGS)
