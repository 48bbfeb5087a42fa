"""What frameworks send, recorded by scripts/frameworks/record.py and sent again without them.

Each request goes to a provider of each dialect, as the scripted upstream plays it: it refuses what
the real one would.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import scripted_upstream
from tests.flows.ledger_rows import rows_of
from tests.flows.raw import Answer, ask

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "framework_requests.json").read_text()
)
FRAMEWORKS = ("ai_sdk", "instructor", "langchain", "llama_index", "pydantic_ai")
TARGETS = (
    "openai/gpt-5.4",
    "lab/gpt-5.4",
    "anthropic/claude-opus-4-6",
    "gemini/gemini-3.5-flash",
    "cerebras/gpt-oss-120b",
)
ENDS = (b"data: [DONE]", b'"type":"message_stop"', b'"type":"response.completed"')
CONFIG = """
[server]
port = 0
log = "off"

[providers.openai]
dialect = "openai_chat"
base_url = "{mock}/openai/v1"
api_key = "any"

[providers.lab]
dialect = "openai_responses"
base_url = "{mock}/openai/v1"

[providers.anthropic]
base_url = "{mock}/anthropic/v1"
api_key = "any"

[providers.gemini]
base_url = "{mock}/gemini/v1beta/openai"
api_key = "any"

[providers.cerebras]
base_url = "{mock}/cerebras/v1"
api_key = "any"

[models]
"""


@dataclass
class Gateway:
    """A running gateway with a provider of each dialect."""

    url: str
    key: str
    home: Path

    async def send(self, recorded: dict[str, Any], model: str) -> Answer:
        """Send a recorded request for another model."""
        body = json.dumps({**recorded["body"], "model": model}).encode()
        lines = [f"POST {recorded['path']} HTTP/1.1", "host: test", "connection: close"]
        lines += [f"content-length: {len(body)}", f"authorization: Bearer {self.key}"]
        lines += [f"{name}: {value}" for name, value in recorded["headers"].items()]
        return await ask(self.url, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway of this test's own."""
    async with scripted_upstream() as upstream:
        path = tmp_path / "slipstream.toml"
        path.write_text(CONFIG.format(mock=upstream.origin))
        home = tmp_path / "home"
        async with running(load(path, {"SLIPSTREAM_HOME": str(home)})) as opened:
            assert opened.first_key is not None
            yield Gateway(opened.url, opened.first_key, home)


def is_streamed(recorded: dict[str, Any]) -> bool:
    """Whether a request asks for a stream."""
    return bool(recorded["body"].get("stream"))


@pytest.mark.parametrize("model", TARGETS)
async def test_requests_of_frameworks_are_answered_in_every_dialect(
    gateway: Gateway, model: str
) -> None:
    """With 200, and to the end; the last messages of tool rounds among them."""
    wrong = []
    for recorded in RECORDED:
        answer = await gateway.send(recorded, model)
        whole = any(end in answer.body for end in ENDS) if is_streamed(recorded) else True
        if answer.status != 200 or not whole:
            said = (recorded["framework"], recorded["path"], answer.status, answer.body[:300])
            wrong.append(str(said))
    assert not wrong, "\n".join(wrong)


async def test_streams_of_frameworks_are_accounted_for_also_unasked(gateway: Gateway) -> None:
    """LangChain and the AI SDK's Cerebras do not ask for usage; the ledger has it all the same."""
    unasked = [
        each
        for each in RECORDED
        if is_streamed(each) and each["path"].endswith("/chat/completions")
        if "stream_options" not in each["body"]
    ]
    assert {each["framework"] for each in unasked} >= {"langchain", "ai_sdk"}
    for recorded in unasked:
        answer = await gateway.send(recorded, "openai/gpt-5.4")
        assert b'"usage":{' not in answer.body
    rows = await rows_of(gateway.home, num=len(unasked))
    assert all(row["output_tokens"] and not row["is_estimate"] for row in rows)


def test_every_framework_was_recorded_with_rounds_of_tools() -> None:
    """The recording holds plain requests and streams of each, and results of tools."""
    for framework in FRAMEWORKS:
        mine = [each for each in RECORDED if each["framework"] == framework]
        assert {is_streamed(each) for each in mine} == {True, False}, framework
        text = json.dumps([each["body"] for each in mine])
        assert "It is sunny in Paris." in text, framework
