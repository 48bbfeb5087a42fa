"""The models that we run, as the gateway sees them: there, missing or damaged."""

import asyncio
import logging
from pathlib import Path

import pytest

from slipstream.call import Attempt, Call, Deadlines, Dialect, Meaning, Target
from slipstream.engine.settings import EngineSettings
from slipstream.errors import LoadFailed
from slipstream.served import ServedModels, serving_models
from tests.prepared_model import MODEL, prepared_home

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


async def test_model_that_is_not_installed_is_no_reason_not_to_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever asks for it is told what to run; others are not concerned."""
    with caplog.at_level(logging.WARNING):
        async with serving_models(["absent"], tmp_path, EngineSettings()) as served:
            assert not served.is_installed("absent")
            assert served.health() == {"models": {"absent": "not installed"}}
            with pytest.raises(LoadFailed, match="run `slipstream pull absent`"):
                await ask(served, "absent")
    assert "slipstream pull absent" in caplog.text


async def test_damaged_model_is_no_reason_not_to_start(tmp_path: Path) -> None:
    """A folder that is no model is told of, and stops nothing. (It once stopped the gateway.)"""
    (tmp_path / "models" / "broken").mkdir(parents=True)
    async with serving_models(["broken"], tmp_path, EngineSettings()) as served:
        assert not served.is_installed("broken")
        assert served.health() == {"models": {"broken": "damaged"}}
        with pytest.raises(LoadFailed, match="'broken' cannot be used"):
            await ask(served, "broken")


async def test_no_models_need_nothing(tmp_path: Path) -> None:
    """A gateway of relays only has no model to report."""
    async with serving_models([], tmp_path, EngineSettings()) as served:
        assert served.health() == {"models": {}}


async def test_installed_model_answers_and_ends_with_the_context(tmp_path: Path) -> None:
    """It starts with the gateway, answers beside a missing one, and leaves no process."""
    settings = EngineSettings(kv_cache_bytes=64 * 1024 * 1024)
    async with serving_models([MODEL, "absent"], prepared_home(), settings) as served:
        assert served.is_installed(MODEL)
        assert served.health() == {"models": {MODEL: "starting", "absent": "not installed"}}
        assert (await ask(served, MODEL))[-1] is Meaning.END
        assert served.health() == {"models": {MODEL: "ready", "absent": "not installed"}}
        children = _engines()
        assert children
    assert not set(children) & set(_engines())


def _engines() -> list[str]:
    pid = Path("/proc/self").resolve().name
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [c for c in children if b"engine" in Path(f"/proc/{c}/cmdline").read_bytes()]
