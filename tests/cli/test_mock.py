"""Tests of the command in its own process."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.upstream.scripted_raw import chat, close, connect, request_bytes, talk


@asynccontextmanager
async def mock_process(*options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "slipstream.cli.mock",
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_command_serves_and_ends_with_a_signal(tmp_path: Path) -> None:
    """It says where it listens, and leaves with status 0 on SIGTERM, streams or not."""
    log = tmp_path / "log"
    options = ("--port", "0", "--model", "mine", "--behaviour", "text=mocked", "--log", str(log))
    async with mock_process(*options) as process:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert line.startswith("listening on http://127.0.0.1:")
        origin = line.removeprefix("listening on ").strip()
        assert (await talk(origin, chat(stream=True))).words == "mocked"
        models = await talk(origin, None, method="GET", path="/v1/models")
        assert [model["id"] for model in models.document["data"]] == ["mine"]
        reset = await talk(origin, chat(stream=True), mock="cut=300,reset")  # on uvloop
        assert (len(reset.data), reset.end) == (300, "reset")
        _, writer = await connect(origin)
        writer.write(request_bytes(chat(), mock="delay=600"))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
        await close(writer)
    assert log.read_text().count('"ending":') == log.read_text().count('"started_ms":') == 4


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        (("--behaviour", "delai=1"), 2, "unknown behaviour 'delai'"),
        (("--host", "192.0.2.1", "--port", "0"), 1, "cannot listen on 192.0.2.1:0"),
        (("--port", "0", "--log", "/no/such/place"), 1, "cannot write /no/such/place"),
    ],
)
async def test_command_that_cannot_start_says_why(
    options: tuple[str, ...], status: int, text: str
) -> None:
    """One line on standard error, no traceback."""
    async with mock_process(*options) as process:
        _, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == status
        assert text in err.decode()
        assert "Traceback" not in err.decode()
