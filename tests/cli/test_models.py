"""What can be asked, as a table and as JSON."""

import json
from pathlib import Path

import msgspec
import pytest

from slipstream.cli.main import main
from slipstream.engine.figures import no_stats
from slipstream.engine.weights.manifest import FACTS_FILE, ModelFacts
from tests.cli.played_gateway import KEY, played_gateway

_FILE = """
[providers.groq]
api_key = "hush-hush"
[providers.lab]
dialect = "openai_chat"
base_url = "http://127.0.0.1:9/v1"
[models.tiny]
aliases = ["small"]
[routes.fast]
targets = ["groq/one", "tiny"]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of an installation with providers, a model and a route."""
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    (tmp_path / "slipstream.toml").write_text(_FILE)
    return tmp_path


def _install(home: Path, name: str) -> None:
    facts = ModelFacts(
        name=name,
        architecture="llama",
        context_tokens=2048,
        vocab_size=100,
        bos_token_id=None,
        eos_token_ids=(2,),
        adds_bos=False,
        num_layers=1,
        num_kv_heads=1,
        head_size=64,
        weights_format="q8_0",
        source="test",
        source_sha256="00",
        files={"weights.bin": (4, "00")},
        prepared_with={},
    )
    folder = home / "models" / name
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"1234")
    (folder / FACTS_FILE).write_bytes(msgspec.json.encode(facts))


def _listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, dict[str, object]]]:
    assert main(["models", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    return {kind: {each["name"]: each for each in entries} for kind, entries in said.items()}


def test_models_lists_what_is_configured(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configured model that was not pulled, a route and providers are all there."""
    said = _listed(capsys)
    assert said["models"]["tiny"]["is_installed"] is False
    assert said["models"]["tiny"]["aliases"] == ["small"]
    assert said["routes"]["fast"]["targets"] == ["groq/one", "tiny"]
    assert said["providers"]["groq"]["has_key"] is True
    assert said["providers"]["lab"]["is_ready"] is True
    assert said["providers"]["openai"]["is_ready"] is False


def test_models_lists_what_is_installed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An installed model shows its facts; one that the configuration leaves out is listed too."""
    _install(home, "tiny")
    _install(home, "other")
    said = _listed(capsys)
    tiny, other = said["models"]["tiny"], said["models"]["other"]
    assert (tiny["is_served"], tiny["context_tokens"], tiny["size_bytes"]) == (True, 2048, 4)
    assert (other["is_served"], other["is_installed"]) == (False, True)


def test_models_says_what_is_wrong_with_a_damaged_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model whose files are not whole is not called ready."""
    _install(home, "tiny")
    (home / "models" / "tiny" / "weights.bin").write_bytes(b"1")
    tiny = _listed(capsys)["models"]["tiny"]
    assert tiny["is_served"] is False
    assert "weights.bin" in str(tiny["problem"])


def _run_on(home: Path, port: int) -> None:
    """Say in the configuration where the gateway is."""
    (home / "slipstream.toml").write_text(f"[server]\nport = {port}\n{_FILE}[models.other]\n")


def test_models_says_what_the_running_gateway_says(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """States come from the gateway, figures too where the key is known, and reasons of failures."""
    _install(home, "tiny")
    _install(home, "other")
    monkeypatch.setenv("SLIPSTREAM_API_KEY", KEY)
    states = {"tiny": "idle", "other": "failed"}
    health = {"models": states, "problems": {"other": "the model cannot be loaded: no memory"}}
    stats = msgspec.structs.replace(no_stats(0), num_running=3, prompt_tokens=3, cached_tokens=1)
    with played_gateway(health, {"tiny": stats}) as port:
        _run_on(home, port)
        said = _listed(capsys)["models"]
        assert main(["models"]) == 0
        shown = capsys.readouterr().out
        monkeypatch.delenv("SLIPSTREAM_API_KEY")
        without_key = _listed(capsys)["models"]

    assert (said["tiny"]["state"], said["other"]["state"]) == ("idle", "failed")
    assert said["tiny"]["figures"]["requests_running"] == 3  # type: ignore[index]
    assert said["other"]["figures"] == {}
    lines = shown.split("Running now")[1].splitlines()
    assert lines[2].split() == ["tiny", "3", "0", "0", "0%", "25%"]
    assert "the model cannot be loaded: no memory" in shown
    assert "idle" in shown
    assert without_key["tiny"]["figures"] == {}
    assert without_key["tiny"]["state"] == "idle"


def test_models_without_a_gateway_has_no_state(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is there to say how a model is: it is installed, and that is all."""
    _install(home, "tiny")
    _run_on(home, 1)
    tiny = _listed(capsys)["models"]["tiny"]
    assert (tiny["state"], tiny["figures"], tiny["is_served"]) == (None, {}, True)


def test_models_never_shows_a_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table and JSON say that a key is there, and not which."""
    assert main(["models"]) == 0
    assert main(["models", "--json"]) == 0
    shown = capsys.readouterr().out
    assert "groq/MODEL" in shown
    assert "slipstream pull tiny" in shown
    assert "hush-hush" not in shown
