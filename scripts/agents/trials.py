"""What each agent is asked to do against which upstream, and whether it did it.

An agent reads a secret with its own tool and says it. The secret is in a file that only the agent
sees, so an answer that has it shows that call, result and text crossed both translations.
"""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from scripts.agents.clients import AGENTS, Agent, Place, Told
from scripts.agents.house import House
from scripts.agents.tap import Asked
from slipstream.config import DEFAULT_MODEL

_PROMPT: Final = "Read {files} with your shell, and tell me what they say."
_CODE: Final = 'const ran = await tools.exec_command({cmd: "cat one.txt"}); text(ran.output);'
_PAIR: Final = re.compile(r"(\w+)=(\S+)")
_DIALECTS: Final = (
    ("/cerebras/v1/chat/completions", "Cerebras's Chat"),
    ("/chat/completions", "Chat"),
    ("/messages", "Messages"),
    ("/responses", "Responses"),
    ("GenerateContent", "Gemini"),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of one agent.

    Args:
        model: As the agent says it: provider and model.
        tool: Which of the agent's tools is called; empty where its own model answers.
        arguments: Of the calls, as the behaviour of that name takes them.
        num_files: How many secrets there are to read.
        reasoning: Tokens that are thought before each answer.
        more: Further arguments of the agent.
        variables: Further variables of its environment.
    """

    agent: str
    model: str
    tool: str
    arguments: str = "cat one.txt"
    num_files: int = 1
    reasoning: int = 0
    more: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def about(self) -> str:
        """What is special of it."""
        if not self.tool:
            return "the embedded model, one request"
        if self.num_files > 1:
            return "two calls at once"
        return "a program as a call" if self.arguments == _CODE else "one call"


_MAIN: Final = (
    "anthropic/claude-opus-5-5",
    "lab/agent",
    "openai/gpt-5.4",
    "gemini/gemini-3.5-flash",
)
_OTHERS: Final = (
    "cerebras/gpt-oss-120b",
    "groq/openai/gpt-oss-120b",
    "mistral/mistral-large-4",
    "xai/grok-4.6",
    "openrouter/openai/gpt-5.4",
    "deepinfra/openai/gpt-oss-120b",
)
# Codex knows this one, and offers it a tool that takes a program instead of functions.
_CODE_MODELS: Final = tuple(f"{model.split('/')[0]}/gpt-6.1-sol" for model in _MAIN)
_SHELLS: Final = {"claude": "Bash", "codex": "exec_command"}
_TWO: Final = json.dumps(["cat one.txt", "cat two.txt"])
_BESIDES: Final = ("goals", "multi_agent", "skill_search", "plugins", "apps")
# What an agent says before the question is more than the embedded model's context holds.
_SMALL: Final = {
    "claude": Trial(
        "claude",
        DEFAULT_MODEL,
        "",
        more=("--system-prompt", "You are brief.", "--tools", "Bash"),
        variables=(("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "40"),),
    ),
    "codex": Trial(
        "codex",
        DEFAULT_MODEL,
        "",
        more=(
            *("-c", 'model_instructions_file="{brief}"', "-c", 'web_search="disabled"'),
            *(word for name in _BESIDES for word in ("--disable", name)),
        ),
    ),
}


def trials(agent: str, *, has_model: bool) -> list[Trial]:
    """Return all that an agent is asked to do."""
    shell = _SHELLS[agent]
    found = [Trial(agent, model, shell, reasoning=5) for model in (*_MAIN, *_OTHERS)]
    found += [Trial(agent, model, shell, _TWO, num_files=2) for model in _MAIN]
    if agent == "codex":
        models = (*_CODE_MODELS, "gpt-6.1-sol")
        found += [Trial(agent, model, "exec", _CODE, reasoning=5) for model in models]
    else:
        found.append(Trial(agent, "claude-opus-5-5", shell, _TWO, num_files=2, reasoning=5))
    if has_model:
        found.append(_SMALL[agent])
    return found


class Request(NamedTuple):
    """One request of the agent's, as the gateway accounts for it."""

    account: dict[str, str]  # the pairs of its line in the log
    changed: str


class Outcome(NamedTuple):
    """What came of a trial; without problems it is a success."""

    told: Told
    spoken: str
    requests: list[Request]
    asked: list[Asked]
    problems: list[str]


def run_trial(trial: Trial, house: House, packages: Path, folder: Path) -> Outcome:
    """Run an agent in a new folder, and look at what it did and at what was asked for it."""
    agent = next(agent for agent in AGENTS if agent.name == trial.agent)
    names = ["one.txt", "two.txt"][: trial.num_files]
    hidden = [f"secret-{secrets.token_hex(8)}" for _ in names]
    place = _place(trial, house, folder)
    for name, secret in zip(names, hidden, strict=True):
        (place.work / name).write_text(f"{secret}\n")
    (place.home / "brief.md").write_text("You are brief.")
    house.mock.play(_behaviour(trial))
    house.tap.take()
    num_lines = len(house.lines())
    told = _run(agent, trial, place, packages, " and ".join(names))
    asked = house.tap.take()
    sent = house.mock.log()
    requests = _requests(house.lines()[num_lines:], asked)
    problems = _problems(trial, told, hidden, sent, requests)
    return Outcome(told, _spoken(sent), requests, asked, problems)


def _place(trial: Trial, house: House, folder: Path) -> Place:
    home, work, more = folder / "home", folder / "work", dict(trial.variables)
    place = Place(home, work, house.url, house.key, trial.model, more)
    place.home.mkdir(parents=True)
    place.work.mkdir()
    return place


def _run(agent: Agent, trial: Trial, place: Place, packages: Path, files: str) -> Told:
    more = [word.format(brief=place.home / "brief.md") for word in trial.more]
    return agent.run(packages, place, _PROMPT.format(files=files), more)


def _behaviour(trial: Trial) -> dict[str, object]:
    said: dict[str, object] = {"text": "It says: {results}"}
    if trial.tool:
        said |= {"tool": trial.tool, "arguments": trial.arguments}
    return said | ({"reasoning": trial.reasoning} if trial.reasoning else {})


def _requests(lines: Sequence[str], asked: Sequence[Asked]) -> list[Request]:
    changed = {
        one.headers.get("x-request-id", ""): one.headers.get("x-slipstream-changed", "")
        for one in asked
    }
    accounts = [dict(_PAIR.findall(line)) for line in lines]
    return [Request(pairs, changed.get(pairs.get("call", ""), "")) for pairs in accounts]


def _spoken(sent: Sequence[dict[str, Any]]) -> str:
    """Return in which dialect the upstream was asked."""
    words = [
        next((title for part, title in _DIALECTS if part in row["path"]), row["path"])
        for row in sent
    ]
    return " and ".join(dict.fromkeys(words))


def offered(asked: Sequence[Asked]) -> list[str]:
    """Return the names of the tools that an agent offered first."""
    for one in asked:
        if one.body:
            body = json.loads(one.body)
            tools = body.get("tools") or []
            for item in body.get("input") or []:
                tools = tools + item.get("tools", [])
            inner = [t for tool in tools for t in tool.get("tools", [tool])]
            return [str(tool.get("name", tool.get("type"))) for tool in inner]
    return []


def _problems(
    trial: Trial,
    told: Told,
    hidden: Sequence[str],
    sent: Sequence[dict[str, Any]],
    requests: Sequence[Request],
) -> list[str]:
    refused = [one.account for one in requests if one.account.get("outcome") != "ok"]
    found = [
        f"a request ended with {a.get('status')}, {a.get('outcome')} (call {a.get('call')})"
        for a in refused
    ]
    if not trial.tool:  # an answer that its limit cuts is good enough, but ends with a status
        return found if "says" in " ".join(told.steps) else [*found, "it said nothing"]
    found += [f"it ended with status {told.status}"] if told.status else []
    found += [f"it did not say {secret}" for secret in hidden if secret not in told.final]
    bodies = [row["body"] for row in sent]
    if not bodies or any(secret in bodies[0] for secret in hidden):
        found.append("the first request upstream was none, or knew the secret")
    elif not all(secret in bodies[-1] for secret in hidden):
        found.append("the results did not reach the upstream")
    return found
