"""Runs the steps of a framework's program and prints what each gave, as lines of JSON.

It is imported in each framework's own environment, so it needs nothing but Python.
What was said is judged by whoever reads the lines (`outcomes.py`).
"""

import json
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

URL = os.environ.get("SLIPSTREAM_URL", "http://127.0.0.1:8080")
KEY = os.environ.get("SLIPSTREAM_KEY", "")

QUESTION = "What is the capital of France, and what is it known for?"
WEATHER_QUESTION = "What is the weather in Paris?"
PERSON_TEXT = "Anna is three years old."
ROUNDS = ("tools", "streamed tools")
"""Steps that are told whether the model must be made to call a tool."""


class Way(NamedTuple):
    """One class of a framework.

    Args:
        open: From a model's name and its settings to what the steps are given.
        steps: What is tried: `chat`, `stream`, `tools`, `streamed tools`, `structured`.
        named: `claude` for a class that knows only Claude's names.
    """

    open: Callable[..., Any]
    steps: Mapping[str, Callable[..., Any]]
    named: str = "model"


def try_out(packages: Sequence[str], ways: Mapping[str, Way]) -> None:
    """Try every way against every target of the environment variable `SLIPSTREAM_TARGETS`."""
    _tell(versions={name: version(name) for name in packages})
    for target in json.loads(os.environ["SLIPSTREAM_TARGETS"]):
        for name, way in ways.items():
            for step, run in way.steps.items():
                options = {"is_forced": target["is_forced"]} if step in ROUNDS else {}
                said = _outcome(way, run, target, options)
                _tell(way=name, target=target["name"], step=step, **said)


def _outcome(
    way: Way, run: Callable[..., Any], target: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        return {"value": run(way.open(target[way.named], **target["settings"]), **options)}
    except Exception as error:  # whatever a framework raises is what is to be shown
        return {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def _tell(**line: Any) -> None:
    print(json.dumps(line), flush=True)
