"""Run the agents and say what they did; ends with 1 if one of them did not do its task."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

from scripts.agents.clients import AGENTS, Agent
from scripts.agents.house import House, opened
from scripts.agents.recorded import record
from scripts.agents.trials import Outcome, Request, Trial, offered, run_trial, trials
from slipstream import __version__
from slipstream.cli.pull import pull_with_progress
from slipstream.config import DEFAULT_MODEL

_FOLDER: Final = Path(__file__).parents[2] / ".agents"
_MAX_OFFERED: Final = 20
# Agent and model to the name of the fixture: models that an agent knows, and that it does not.
_RECORDED: Final = {
    ("claude", "anthropic/claude-opus-5-5"): "claude_known",
    ("claude", "lab/agent"): "claude_unknown",
    ("codex", "lab/agent"): "codex_functions",
    ("codex", "lab/gpt-6.1-sol"): "codex_program",
}


def main() -> int:
    """Run what the arguments say; return the exit status."""
    said = _arguments()
    wanted = [agent for agent in AGENTS if not said.agent or agent.name in said.agent]
    num_failed = 0
    with ExitStack() as stack:
        folder = said.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        house = stack.enter_context(opened(folder, _models() if said.embedded else None))
        print(
            f"Slipstream {__version__}; every model but the embedded one is the scripted upstream"
        )
        for agent in wanted:
            num_failed += _try(agent, house, folder, said)
        print(f"\n$ slipstream cost\n{house.report()}")
    print("every agent did its task" if not num_failed else f"{num_failed} trials failed")
    return 1 if num_failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/try-agents", description=__doc__)
    names = [agent.name for agent in AGENTS]
    parser.add_argument("--agent", action="append", choices=names, help="only this one")
    parser.add_argument("--provider", action="append", help="only models of this provider")
    parser.add_argument(
        "--embedded", action="store_true", help="the embedded model, too: minutes on a busy machine"
    )
    parser.add_argument(
        "--record", action="store_true", help="write first requests to tests/flows/agents"
    )
    parser.add_argument("--keep", type=Path, help="an empty folder for all that is written")
    return parser.parse_args()


def _models() -> Path:
    """Return where the embedded model is; it is fetched at the first run."""
    home = _FOLDER / "home"
    pull_with_progress(DEFAULT_MODEL, home, Console(stderr=True))
    return home / "models"


def _try(agent: Agent, house: House, folder: Path, said: argparse.Namespace) -> int:
    """Run all trials of one agent; return how many failed."""
    packages = _FOLDER / "node_modules"
    print(f"\n{agent.title}: {agent.version(packages)}")
    num_failed = 0
    for number, trial in enumerate(trials(agent.name, has_model=said.embedded)):
        if said.provider and trial.model.split("/")[0] not in said.provider:
            continue
        outcome = run_trial(trial, house, packages, folder / f"{agent.name}-{number}")
        _show(trial, outcome)
        is_one = trial.num_files == 1 and outcome.asked
        if said.record and is_one and (name := _RECORDED.get((agent.name, trial.model))):
            print(f"    recorded as {record(name, outcome.asked[0])}")
        num_failed += bool(outcome.problems)
    return num_failed


def _show(trial: Trial, outcome: Outcome) -> None:
    way = f", asked in {outcome.spoken}" if outcome.spoken else ""
    print(f"\n  {trial.model}: {trial.about}{way}")
    for step in outcome.told.steps:
        print(f"    {step}")
    for request in outcome.requests:
        print(f"    {_account(request)}")
    for name in dict.fromkeys(name for r in outcome.requests for name in r.changed.split(", ")):
        if name:
            print(f"      changed: {name}")
    for problem in outcome.problems:
        print(f"    PROBLEM: {problem}")
    if outcome.problems:
        print(f"    it offered: {', '.join(offered(outcome.asked)[:_MAX_OFFERED])}")


def _account(request: Request) -> str:
    pairs = request.account
    cost = pairs.get("cost_usd", "-")
    price = "price not known" if cost == "-" else f"${cost}"
    tokens = f"{pairs.get('in')} tokens in, {pairs.get('out')} out"
    return f"{pairs.get('status')} {pairs.get('target')}: {tokens}, {price}"


if __name__ == "__main__":
    sys.exit(main())
