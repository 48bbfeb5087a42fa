"""How each agent is started in an empty home, and what its output means."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

_LIMIT_S: Final = 600.0  # the embedded model reads some thousand words first
_CLAUDE: Final = "@anthropic-ai/claude-code-linux-x64/claude"
_CODEX: Final = "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"
_SHOWN_CHARS: Final = 76


class Told(NamedTuple):
    """What an agent did: a line for each step, and the last thing that it said."""

    steps: tuple[str, ...]
    final: str
    status: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent works and whom it asks."""

    home: Path
    work: Path
    url: str
    key: str
    model: str
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agent:
    """One program.

    Args:
        program: Its path in node_modules.
        prepare: Writes its configuration; returns its arguments and variables.
        read: Its events to the steps and what was said last.
    """

    name: str
    title: str
    program: str
    prepare: Callable[[Place, str, Sequence[str]], tuple[list[str], dict[str, str]]]
    read: Callable[[Iterable[Any]], tuple[list[str], str]]

    def version(self, packages: Path) -> str:
        """Return what it says of itself."""
        command = [str(packages / self.program), "--version"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=True)
        return ran.stdout.strip()

    def run(self, packages: Path, place: Place, prompt: str, more: Sequence[str] = ()) -> Told:
        """Let it do what the prompt says; `more` are further arguments."""
        arguments, variables = self.prepare(place, prompt, more)
        environ = {"PATH": os.defpath, "HOME": str(place.home), "LANG": "C.UTF-8"}
        environ |= variables | place.variables
        command = [str(packages / self.program), *arguments]
        with subprocess.Popen(
            command,
            cwd=place.work,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                said, _ = process.communicate()
        steps, final = self.read(_events(said))
        return Told(tuple(steps or said.splitlines()[-5:]), final, process.returncode)


def _events(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def shown(text: str) -> str:
    """Return a text as one line, its middle left out where it is long."""
    line = " ⏎ ".join(text.strip().splitlines())
    half = _SHOWN_CHARS // 2
    return line if len(line) <= _SHOWN_CHARS else f"{line[:half]} … {line[-half:]}"


# ---- Claude Code --------------------------------------------------------------------------------


def _prepare_claude(
    place: Place, prompt: str, more: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    variables = {
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_AUTH_TOKEN": place.key,
        "ANTHROPIC_MODEL": place.model,
        "CLAUDE_CONFIG_DIR": str(place.home / "claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",  # telemetry, updates, reports of errors
    }
    arguments = ["-p", prompt, "--output-format", "stream-json", "--verbose"]
    return [*arguments, "--allowedTools", "Bash", *more], variables


def _read_claude(events: Iterable[Any]) -> tuple[list[str], str]:
    steps: list[str] = []
    final = ""
    for event in events:
        if event["type"] == "result":
            final = str(event.get("result", ""))
        elif event["type"] in ("assistant", "user"):
            content = event["message"]["content"]
            blocks = [block for block in content if isinstance(block, dict)]
            own = "tool_result" if event["type"] == "user" else ""
            steps += [_claude_step(block) for block in blocks if not own or block["type"] == own]
    return [step for step in steps if step], final


def _claude_step(block: dict[str, Any]) -> str:
    match block["type"]:
        case "tool_use":
            return f"calls {block['name']} {shown(json.dumps(block['input']))}"
        case "tool_result":
            return f"gets  {shown(_text_of(block['content']))}"
        case "text":
            return f"says  {shown(block['text'])}"
    return ""


def _text_of(content: str | list[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


# ---- Codex --------------------------------------------------------------------------------------

CODEX_CONFIGURATION: Final = """\
model = "{model}"
model_provider = "slipstream"
check_for_update_on_startup = false

[model_providers.slipstream]
name = "Slipstream"
base_url = "{url}/v1"
env_key = "SLIPSTREAM_API_KEY"
wire_api = "responses"

[analytics]
enabled = false
"""


def _prepare_codex(
    place: Place, prompt: str, more: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    folder = place.home / "codex"
    folder.mkdir(exist_ok=True)
    said = CODEX_CONFIGURATION.format(model=place.model, url=place.url)
    (folder / "config.toml").write_text(said)
    # Its sandbox needs namespaces that a container seldom has, and the folder is an empty one.
    free = "--dangerously-bypass-approvals-and-sandbox"
    arguments = ["exec", "--json", "--skip-git-repo-check", free, *more, prompt]
    return arguments, {"CODEX_HOME": str(folder), "SLIPSTREAM_API_KEY": place.key}


def _read_codex(events: Iterable[Any]) -> tuple[list[str], str]:
    steps: list[str] = []
    final = ""
    for event in events:
        item = event.get("item", {})
        if event["type"] == "item.completed" and item["type"] == "command_execution":
            steps.append(f"calls its shell: {shown(item['command'])}")
            steps.append(f"gets  {shown(item['aggregated_output'])}")
        elif event["type"] == "item.completed" and item["type"] == "agent_message":
            final = item["text"]
            steps.append(f"says  {shown(final)}")
        elif event["type"] in ("error", "turn.failed"):
            steps.append(f"fails {event.get('message') or event.get('error')}")
    return steps, final


AGENTS: Final = (
    Agent("claude", "Claude Code", _CLAUDE, _prepare_claude, _read_claude),
    Agent("codex", "Codex", _CODEX, _prepare_codex, _read_codex),
)
