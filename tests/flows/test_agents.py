"""First requests of Claude Code and Codex, as recorded, through the gateway to each upstream.

`scripts/try-agents --record` writes the recordings from the real programs. Here they are asked
again without them: the model calls the tool that they offer, gets a result and says it.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import pytest

from slipstream.app import running
from slipstream.config import load
from slipstream.upstream.scripted.server import ScriptedUpstream, scripted_upstream
from slipstream.wire.sse import EventSplitter
from tests.flows.raw import Answer, ask, encode

FOLDER = Path(__file__).with_name("agents")
SECRET = "secret-4711"
PROGRAM = 'text(await tools.exec_command({cmd: "ls"}));\n// "quotes" and \\ survive'
COMMANDS = ("cat one.txt", "cat two.txt")
PROVIDERS: Final = {
    "anthropic": "/anthropic/v1",
    "openai": "/openai/v1",
    "gemini": "/gemini/v1beta/openai",
    "cerebras": "/cerebras/v1",
    "mistral": "/mistral/v1",
}
CONFIG: Final = """
[server]
port = 0
log = "off"

[models]

[providers.lab]
dialect = "openai_chat"
base_url = "{origin}/v1"
"""
PROVIDER: Final = """
[providers.{name}]
base_url = "{origin}{path}"
api_key = "any"
"""
MODELS = (
    "anthropic/claude-opus-5-5",
    "lab/agent",
    "openai/gpt-5.4",
    "gemini/gemini-3.5-flash",
    "cerebras/zai-glm-4.7",
    "mistral/mistral-large-4",
)
# Its thinking has a budget, and must stand before every call that is answered.
OLDER = "anthropic/claude-sonnet-4-5"
# What Claude Code says and other dialects cannot, as the header names it.
LOST_OF_CLAUDE = {
    "context_management",
    "messages.output_config",
    "system.x-anthropic-billing-header",
    "thinking.display",
    "tools.defer_loading",
}


@dataclass(frozen=True)
class Scene:
    """A gateway with all providers, and the upstream that plays them."""

    url: str
    key: str
    upstream: ScriptedUpstream

    async def ask(self, recorded: Any, body: Any) -> Answer:
        """Ask as the agent did, with another body."""
        lines = [f"{name}: {value}" for name, value in recorded["headers"].items()]
        data = encode("POST", recorded["path"], self.key, json.dumps(body).encode())
        first, rest = data.split(b"\r\n", 1)
        answer = await ask(self.url, b"\r\n".join((first, *map(str.encode, lines), rest)))
        assert answer.status == 200, answer.body
        return answer


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Scene]:
    """Run it all."""
    async with scripted_upstream() as upstream:
        tables = [
            PROVIDER.format(name=name, origin=upstream.origin, path=path)
            for name, path in PROVIDERS.items()
        ]
        path = folder / "slipstream.toml"
        path.write_text(CONFIG.format(origin=upstream.origin) + "".join(tables))
        async with running(load(path, {"SLIPSTREAM_HOME": str(folder / "home")})) as gateway:
            assert gateway.first_key is not None
            yield Scene(gateway.url, gateway.first_key, upstream)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A gateway with default settings."""
    async with opened(tmp_path) as made:
        yield made


def recorded(name: str) -> Any:
    """Return a recording."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def events_of(answer: Answer) -> list[Any]:
    """Return what is in the events of a stream."""
    blocks = EventSplitter().feed(answer.body)
    datas = [block.split(b"data: ", 1)[1] for block in blocks if b"data: " in block]
    return [json.loads(data) for data in datas]


def play(scene: Scene, tool: str, *commands: str, reasoning: int = 3) -> None:
    """Let the model call a tool with these texts until it has results, and then say them."""
    behaviour = {
        "tool": tool,
        "arguments": json.dumps(list(commands)),
        "text": "It says: {results}",
        "reasoning": reasoning,
    }
    scene.upstream.script(behaviour, requests=1_000)


# ---- Claude Code --------------------------------------------------------------------------------


def blocks_of(answer: Answer) -> list[Any]:
    """Return the blocks of an answer as a client puts them together."""
    blocks: list[Any] = []
    for event in events_of(answer):
        match event["type"]:
            case "content_block_start":
                blocks.append(event["content_block"])
            case "content_block_delta":
                _grow(blocks[event["index"]], event["delta"])
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block.pop("said"))
    return blocks


def _grow(block: Any, delta: Any) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] += delta["signature"]
        case "input_json_delta":
            block["said"] = block.get("said", "") + delta["partial_json"]


async def converse_claude(
    scene: Scene, said: Any, first: str, later: str
) -> tuple[list[Any], list[Any]]:
    """Ask one model, answer its calls, ask the later one; return the blocks of both answers."""
    body = said["body"] | {"model": first}
    called = blocks_of(await scene.ask(said, body))
    results = [
        {"type": "tool_result", "tool_use_id": call["id"], "content": f"{SECRET}-{at}"}
        for at, call in enumerate(block for block in called if block["type"] == "tool_use")
    ]
    turns = [{"role": "assistant", "content": called}, {"role": "user", "content": results}]
    body |= {"messages": [*body["messages"], *turns], "model": later}
    return called, blocks_of(await scene.ask(said, body))


@pytest.mark.parametrize("name", ["claude_known", "claude_unknown"])
async def test_claude_codes_calls_and_results_cross_to_every_dialect(
    scene: Scene, name: str
) -> None:
    """Two calls at once, their results, and a last block that is the text that it prints."""
    play(scene, "Bash", *COMMANDS)
    for model in MODELS:
        called, answered = await converse_claude(scene, recorded(name), model, model)
        calls = [(b["name"], b["input"]) for b in called if b["type"] == "tool_use"]
        assert calls == [("Bash", {"command": command}) for command in COMMANDS], model
        said = {"type": "text", "text": f"It says: {SECRET}-0\n{SECRET}-1"}
        assert answered[-1] == said, model
    assert {row.status for row in scene.upstream.log} == {200}


async def test_claude_codes_task_goes_on_at_another_vendor(scene: Scene) -> None:
    """As when a route falls back in the middle: what the first one sealed is kept from the next."""
    play(scene, "Bash", COMMANDS[0])
    for first, later in permutations(MODELS, 2):
        _, answered = await converse_claude(scene, recorded("claude_known"), first, later)
        said = {"type": "text", "text": f"It says: {SECRET}-0"}
        assert answered[-1] == said, (first, later)
    assert {row.status for row in scene.upstream.log} == {200}


async def test_claude_code_is_relayed_to_its_own_vendor_with_its_betas(scene: Scene) -> None:
    """Nothing is changed: what a beta allows, such as effort by turn, is not refused there."""
    said = recorded("claude_known")
    assert "output_config" in said["body"]["messages"][1]
    answer = await scene.ask(said, said["body"] | {"model": "anthropic/claude-opus-5-5"})
    assert "x-slipstream-changed" not in answer.headers
    [row] = scene.upstream.log
    assert row.headers["anthropic-beta"] == said["headers"]["anthropic-beta"]
    assert json.loads(row.body) == said["body"] | {"model": "claude-opus-5-5"}


async def test_what_claude_code_asks_and_others_cannot_is_named(scene: Scene) -> None:
    """None of it is refused: the agent would go on with less, or ask each turn twice."""
    said = recorded("claude_known")
    for model in ("lab/agent", "openai/gpt-5.4", "gemini/gemini-3.5-flash"):
        answer = await scene.ask(said, said["body"] | {"model": model})
        named = answer.headers["x-slipstream-changed"].split(", ")
        assert {*named} >= LOST_OF_CLAUDE, model


# ---- Codex --------------------------------------------------------------------------------------


def items_of(answer: Answer) -> list[Any]:
    """Return the items of an answer, which the stream ended with."""
    events = events_of(answer)
    assert events[-1]["type"] == "response.completed"
    items = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert items == events[-1]["response"]["output"]
    return items


def returned(call: Any, text: str) -> Any:
    """Return the item that answers a call."""
    return {"type": f"{call['type']}_output", "call_id": call["call_id"], "output": text}


async def converse(
    scene: Scene, said: Any, model: str, later: str | None = None
) -> tuple[list[Any], list[Any]]:
    """Ask, answer all calls, ask again; return the calls, and the items of the last answer."""
    body = said["body"] | {"model": model}
    called = items_of(await scene.ask(said, body))
    calls = [item for item in called if item["type"].endswith("_call")]
    results = [returned(call, f"{SECRET}-{at}") for at, call in enumerate(calls)]
    body |= {"input": [*body["input"], *called, *results], "model": later or model}
    return calls, items_of(await scene.ask(said, body))


def text_of(items: list[Any]) -> str:
    """Return the text of an answer."""
    messages = [item for item in items if item["type"] == "message"]
    return "".join(part["text"] for message in messages for part in message["content"])


async def test_codexs_functions_cross_to_every_dialect(scene: Scene) -> None:
    """Two calls at once beside tools in a namespace and a search that the vendor runs."""
    said = recorded("codex_functions")
    kinds = {tool["type"] for tool in said["body"]["tools"]}
    assert kinds == {"function", "namespace", "web_search"}
    play(scene, "exec_command", *COMMANDS)
    for model in (*MODELS, OLDER):
        calls, answered = await converse(scene, said, model)
        assert [call["name"] for call in calls] == ["exec_command"] * 2, model
        arguments = [json.loads(call["arguments"]) for call in calls]
        assert arguments == [{"cmd": command} for command in COMMANDS], model
        assert text_of(answered) == f"It says: {SECRET}-0\n{SECRET}-1", model
    assert {row.status for row in scene.upstream.log} == {200}


async def test_codexs_tool_in_a_namespace_keeps_its_namespace(scene: Scene) -> None:
    """Codex looks the tool up by both; upstream it had one flat name."""
    play(scene, "spawn_agent", "Look around.")
    for model in (*MODELS, OLDER):
        [call], answered = await converse(scene, recorded("codex_functions"), model)
        assert (call["namespace"], call["name"]) == ("multi_agent_v1", "spawn_agent"), model
        assert text_of(answered) == f"It says: {SECRET}-0", model


@pytest.mark.parametrize("reasoning", [0, 3])
async def test_codexs_program_crosses_to_every_dialect(scene: Scene, reasoning: int) -> None:
    """A tool that takes text, in a namespace, offered by an item of the input and by no field."""
    said = recorded("codex_program")
    assert "tools" not in said["body"]
    play(scene, "exec", PROGRAM, reasoning=reasoning)
    for model in (*MODELS, OLDER):
        [call], answered = await converse(scene, said, model)
        found = (call["type"], call["namespace"], call["name"], call["input"])
        assert found == ("custom_tool_call", "functions", "exec", PROGRAM), model
        assert text_of(answered) == f"It says: {SECRET}-0", model
    assert {row.status for row in scene.upstream.log} == {200}


async def test_codexs_task_goes_on_at_another_vendor(scene: Scene) -> None:
    """As when a route falls back in the middle of a program's task."""
    play(scene, "exec", PROGRAM)
    for first, later in permutations((*MODELS, OLDER), 2):
        _, answered = await converse(scene, recorded("codex_program"), first, later)
        assert text_of(answered) == f"It says: {SECRET}-0", (first, later)
    assert {row.status for row in scene.upstream.log} == {200}


async def test_what_codex_asks_and_others_cannot_is_named(scene: Scene) -> None:
    """The search of a vendor is left out, not refused: the agent does its work without it."""
    said = recorded("codex_functions")
    play(scene, "exec_command", "ls")
    answer = await scene.ask(said, said["body"] | {"model": "lab/agent"})
    named = answer.headers["x-slipstream-changed"].split(", ")
    assert {"tools -> without web_search", "client_metadata"} <= {*named}
    answer = await scene.ask(said, said["body"] | {"model": "openai/gpt-5.4"})
    assert "x-slipstream-changed" not in answer.headers
