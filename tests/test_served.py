"""The models that we run, as the gateway sees them: there, missing or damaged."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Meaning
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.engine.settings import EngineSettings
from slipstream.engine.weights.manifest import TOKENIZER_FILE
from slipstream.errors import LoadFailed
from slipstream.served import ServedModels, serving_models
from tests.commands import command_of
from tests.prepared_model import MODEL, prepared_home

WINDOW = 8192  # that the weights were trained for

LIMIT_S = 60.0


def call_of(model: str) -> Call:
    """Return a call that was aimed at a model of ours."""
    attempt = Attempt(
        attempt_id="a-1",
        number=1,
        route=model,
        target=Target("local", model),
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=asyncio.get_running_loop().time() + LIMIT_S,
    )
    return Call(
        call_id="a",
        dialect=Dialect.OPENAI_CHAT,
        body=b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":2}',
        model=model,
        key_id="none",
        attempt=attempt,
    )


async def ask(served: ServedModels, model: str) -> list[Meaning]:
    """Ask a model; return what its frames mean."""
    async with asyncio.timeout(LIMIT_S):
        return [frame.meaning async for frame in served(call_of(model))]


def states_of(served: ServedModels) -> Any:
    """Return the state of each model, as the health endpoint shows it."""
    return served.health()["models"]


def problems_of(served: ServedModels) -> Any:
    """Return why models cannot answer, as the health endpoint shows it."""
    return served.health()["problems"]


async def test_model_that_is_not_installed_is_no_reason_not_to_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever asks for it is told what to run; others are not concerned."""
    with caplog.at_level(logging.WARNING):
        async with serving_models({"absent": EngineSettings()}, tmp_path) as served:
            assert not served.is_installed("absent")
            assert states_of(served) == {"absent": "not installed"}
            assert "slipstream pull absent" in problems_of(served)["absent"]
            with pytest.raises(LoadFailed, match="run `slipstream pull absent`"):
                await ask(served, "absent")
    assert "slipstream pull absent" in caplog.text


async def test_damaged_model_is_no_reason_not_to_start(tmp_path: Path) -> None:
    """A folder that is no model is told of, and stops nothing. (It once stopped the gateway.)"""
    (tmp_path / "models" / "broken").mkdir(parents=True)
    async with serving_models({"broken": EngineSettings()}, tmp_path) as served:
        assert not served.is_installed("broken")
        assert states_of(served) == {"broken": "damaged"}
        assert "'broken' cannot be used" in problems_of(served)["broken"]
        with pytest.raises(LoadFailed, match="'broken' cannot be used"):
            await ask(served, "broken")


async def test_no_models_need_nothing(tmp_path: Path) -> None:
    """A gateway of relays only has no model to report."""
    async with serving_models({}, tmp_path) as served:
        assert served.health() == {"models": {}}


async def test_installed_model_answers_and_ends_with_the_context(tmp_path: Path) -> None:
    """It starts with the gateway, answers beside a missing one, and leaves no process."""
    settings = EngineSettings(kv_cache_bytes=64 * 1024 * 1024)
    names = (MODEL, "absent")
    async with serving_models(dict.fromkeys(names, settings), prepared_home()) as served:
        assert served.is_installed(MODEL)
        assert states_of(served) == {MODEL: "starting", "absent": "not installed"}
        assert served.figures() == {}
        assert (served.kind(MODEL), served.reasons(MODEL)) == (None, False)
        assert (await ask(served, MODEL))[-1] is Meaning.END
        assert (served.kind(MODEL), served.reasons(MODEL)) == ("chat", False)
        assert 0 < (served.context_tokens(MODEL) or 0) <= WINDOW
        assert (served.kind("absent"), served.reasons("absent")) == (None, False)
        assert served.context_tokens("absent") is None
        assert states_of(served) == {MODEL: "ready", "absent": "not installed"}
        assert list(problems_of(served)) == ["absent"]
        children = _engines()
        assert children
    assert not set(children) & set(_engines())


async def test_model_of_a_first_use_is_idle_and_has_no_figures(tmp_path: Path) -> None:
    """What was not started is not called starting, and leaves no line in the metrics."""
    settings = EngineSettings(start="first_use")
    async with serving_models({MODEL: settings}, prepared_home()) as served:
        assert served.health() == {"models": {MODEL: "idle"}}
        assert served.context_tokens(MODEL) == WINDOW
        assert served.figures() == {}
    assert _engines() == []


async def test_model_that_cannot_be_loaded_is_failed_with_the_reason(tmp_path: Path) -> None:
    """A model that its own process refuses is no more called starting; the rest runs on."""
    folder = tmp_path / "models" / MODEL
    shutil.copytree(prepared_home() / "models" / MODEL, folder)
    file = folder / TOKENIZER_FILE
    file.write_bytes(b"x" * file.stat().st_size)  # of the right size: only loading finds out
    async with serving_models({MODEL: EngineSettings()}, tmp_path) as served:
        with pytest.raises(LoadFailed, match="cannot be loaded"):
            await ask(served, MODEL)
        assert states_of(served) == {MODEL: "failed"}
        assert "cannot be loaded" in problems_of(served)[MODEL]


def _engines() -> list[str]:
    pid = Path("/proc/self").resolve().name
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [c for c in children if "engine" in command_of(c)]
