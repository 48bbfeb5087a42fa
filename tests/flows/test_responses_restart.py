"""Kept answers and answers in the background, over the death of the gateway."""

import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from tests.flows.gateway_process import GatewayProcess, launched, write_config
from tests.flows.responses_house import strict_client
from tests.flows.test_responses_state import until_ended

LAB = "lab/any"


async def kill(gateway: GatewayProcess) -> None:
    """End a gateway at once, as a loss of power would."""
    gateway.process.kill()
    await gateway.process.wait()


async def ask_for_three(gateway: GatewayProcess, upstream: ScriptedUpstream) -> list[Any]:
    """Return an answer, one that is being made in the background, and one that waits there."""
    async with strict_client(gateway.url, gateway.key) as client:
        made = await client.responses.create(model=LAB, input="one")
        upstream.script("delay=60")
        running: Any = await client.responses.create(
            model=LAB, input="two", previous_response_id=made.id, background=True
        )
        waiting = await client.responses.create(model=LAB, input="three", background=True)
        await upstream.wait_for(lambda u: u.stats.active_requests == 1, timeout_s=10)
        running = await client.responses.retrieve(running.id)
        assert (running.status, waiting.status) == ("in_progress", "queued")
    return [made, running, waiting]


async def test_answers_outlive_the_gateway(tmp_path: Path) -> None:
    """What was kept is there; what was being made is made again and what waited is made then."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(scripted_upstream())
        config = write_config(tmp_path, upstream.base_url)
        config.write_text(f"{config.read_text()}\n[responses]\nmax_background = 1\n")
        first = await stack.enter_async_context(launched(config))
        await first.until_listening()
        made, running, waiting = await ask_for_three(first, upstream)
        await kill(first)
        second = await stack.enter_async_context(launched(config))
        await second.until_listening()
        client = await stack.enter_async_context(strict_client(second.url, first.key))
        assert (await client.responses.retrieve(made.id)).to_dict() == made.to_dict()
        done = await until_ended(client, running)
        assert (done.status, done.output_text) == ("completed", "two")
        done = await until_ended(client, waiting)
        assert (done.status, done.output_text) == ("completed", "three")


async def test_answer_that_ends_each_gateway_is_given_up(tmp_path: Path) -> None:
    """It was begun three times, and none came to its end: it is failed, and says why."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(scripted_upstream())
        config = write_config(tmp_path, upstream.base_url)
        first = await stack.enter_async_context(launched(config))
        await first.until_listening()
        upstream.script("delay=60", requests=9)
        async with strict_client(first.url, first.key) as client:
            job = await client.responses.create(model=LAB, input="x", background=True)
            await upstream.wait_for(lambda u: u.stats.active_requests == 1, timeout_s=10)
        await kill(first)
        with closing(sqlite3.connect(tmp_path / "home" / "slipstream.db")) as connection:
            connection.execute("UPDATE responses SET num_starts = 3")
            connection.commit()
        second = await stack.enter_async_context(launched(config))
        await second.until_listening()
        async with strict_client(second.url, first.key) as client:
            failed = await until_ended(client, job)
        assert failed.status == "failed"
        assert failed.error is not None
        assert "not tried again" in failed.error.message
        assert len(upstream.log) == 1
