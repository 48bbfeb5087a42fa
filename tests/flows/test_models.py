"""Several models of our own at once: each with its settings, its state and its figures."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from prometheus_client.parser import text_string_to_metric_families

from slipstream.app import running
from slipstream.config import load
from tests.commands import command_of
from tests.flows.local_house import LIMIT_S
from tests.flows.raw import ask, encode
from tests.prepared_model import prepared_directory

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

UNLOAD_S = 1.5
NO_END = {"2": -100}  # <|im_end|> of this model: answers are as long as they may be
CONFIG = f"""
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 67108864
max_running = 4

[models.steady]
max_running = 2

[models.sleepy]
start = "first_use"
unload_after_s = {UNLOAD_S}
kv_cache_bytes = 134217728

[models.broken]

[models.absent]
"""


class House:
    """A running gateway with several models, and what it says of them."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=LIMIT_S)

    async def say(self, model: str, **fields: Any) -> str:
        """Ask a model for a few words; return them."""
        asked: dict[str, Any] = {"temperature": 0, "max_tokens": 8} | fields
        messages: Any = [{"role": "user", "content": "Name three planets."}]
        answer = await self.client.chat.completions.create(model=model, messages=messages, **asked)
        return answer.choices[0].message.content or ""

    async def health(self) -> dict[str, Any]:
        """Return what the health endpoint says."""
        answer = await ask(self.url, encode("GET", "/health", None, b""))
        said: dict[str, Any] = answer.json()
        return said

    async def state(self, model: str) -> str:
        """Return the state of one model."""
        return str((await self.health())["models"][model])

    async def figures(self) -> dict[str, dict[str, float]]:
        """Return the engines' figures by model, labels joined to the name."""
        answer = await ask(self.url, encode("GET", "/metrics", self.key, b""))
        figures: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(answer.body.decode()):
            for sample in family.samples:
                if sample.name.startswith("slipstream_engine_"):
                    name = sample.name.removeprefix("slipstream_engine_")
                    figures.setdefault(sample.labels["model"], {})[name] = sample.value
        return figures


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A gateway with two models from one prepared folder, a damaged one and a missing one."""
    folder = tmp_path_factory.mktemp("models")
    home = folder / "home"
    (home / "models" / "broken").mkdir(parents=True)
    for name in ("steady", "sleepy"):
        (home / "models" / name).symlink_to(prepared_directory())
    path = folder / "slipstream.toml"
    path.write_text(CONFIG)
    async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as gateway:
        assert gateway.first_key is not None
        opened = House(gateway.url, gateway.first_key)
        async with opened.client:
            yield opened


async def until(check: Callable[[], Any]) -> None:
    """Wait until a check, awaited, says yes."""
    async with asyncio.timeout(LIMIT_S):
        while not await check():
            await asyncio.sleep(0.05)


def settings_of_children() -> list[str]:
    """Return the command line of each engine's process."""
    pids = Path("/proc/thread-self/children").read_text().split()
    lines = [command_of(pid) for pid in pids]
    return [line for line in lines if "slipstream.engine.child" in line]


async def test_health_says_how_each_model_is(house: House) -> None:
    """Ready, idle, damaged, not installed; and of those that cannot answer, why."""

    async def is_ready() -> bool:
        state = await house.state("steady")
        assert state in ("starting", "ready")
        return state == "ready"

    await until(is_ready)
    health = await house.health()
    assert health["status"] == "ok"
    assert health["models"] == {
        "steady": "ready",
        "sleepy": "idle",
        "absent": "not installed",
        "broken": "damaged",
    }
    assert "slipstream pull absent" in health["problems"]["absent"]
    assert "'broken' cannot be used" in health["problems"]["broken"]
    assert set(health["problems"]) == {"absent", "broken"}
    assert len(settings_of_children()) == 1


async def test_two_models_answer_at_once_each_with_its_settings(house: House) -> None:
    """Two processes, one prepared folder: the same words, but each obeys its own table."""
    steady, sleepy = await asyncio.gather(
        *(house.say(name, seed=1) for name in ("steady", "sleepy"))
    )
    assert steady == sleepy != ""

    warm: dict[str, Any] = {"n": 4, "temperature": 1}
    assert await house.say("sleepy", **warm)
    with pytest.raises(openai.BadRequestError, match="expected 1 to 2"):
        await house.say("steady", **warm)
    assert sorted('"kv_cache_bytes":134217728' in line for line in settings_of_children()) == [
        False,
        True,
    ]


async def test_model_at_work_is_not_unloaded(house: House) -> None:
    """An answer that takes longer than the idle time is written to its end."""
    loop = asyncio.get_running_loop()
    took_s, num_tokens = 0.0, 256
    while took_s < 1.25 * UNLOAD_S:
        began_s = loop.time()
        await house.say("sleepy", max_tokens=num_tokens, logit_bias=NO_END)
        took_s, num_tokens = loop.time() - began_s, num_tokens * 2


async def test_idle_model_is_unloaded_and_comes_back(house: House) -> None:
    """After its time without a request its process is gone; the next request starts it again."""
    await house.say("sleepy")
    assert await house.state("sleepy") == "ready"
    assert len(settings_of_children()) == 2

    async def is_idle() -> bool:
        return await house.state("sleepy") == "idle"

    async def is_alone() -> bool:
        return len(settings_of_children()) == 1

    await until(is_idle)
    assert "sleepy" not in await house.figures()
    await until(is_alone)
    assert await house.state("steady") == "ready", "another model is not concerned"
    answers = await asyncio.gather(*(house.say("sleepy", seed=1) for _ in range(3)))
    assert len(set(answers)) == 1
    assert await house.state("sleepy") == "ready"


async def test_metrics_tell_what_each_engine_did(house: House) -> None:
    """Every engine that runs has its own counters, no second old."""
    before = (await house.figures()).get("steady", {}).get("completion_tokens_total", 0.0)
    await house.say("steady", max_tokens=16, logit_bias=NO_END)

    async def is_counted() -> bool:
        figures = (await house.figures()).get("steady", {})
        return figures.get("completion_tokens_total", 0.0) >= before + 16

    await until(is_counted)
    figures = await house.figures()
    steady = figures["steady"]
    assert set(figures) <= {"steady", "sleepy"}
    assert steady["blocks"] == steady["blocks_free"] > 0
    assert steady["cached_prompt_tokens_total"] > 0
    assert steady["tokens_per_second"] > 0
    assert 0 < steady["runner_seconds_total"] <= steady["busy_seconds_total"]
