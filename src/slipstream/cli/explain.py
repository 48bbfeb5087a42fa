"""`slipstream explain`: where a request would go and why, where one went, and how targets stand.

The running gateway is asked, which knows what it has measured; where none runs, or with --offline,
the plan is made of the configuration alone.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from slipstream import config as configuration
from slipstream.choice import DataPolicy, Strategy, Task
from slipstream.cli import past_calls, plans, standings
from slipstream.cli.admin import URL_VARIABLE, running_admin, url_of
from slipstream.cli.asked_calls import CHAT_PATH, Flags, asked_call
from slipstream.cli.chat import piped_in
from slipstream.cli.offline import offline_plan
from slipstream.config import Config
from slipstream.errors import ConfigError, GatewayError
from slipstream.server.routing_answers import ExplainRequest, PlannedCall, TargetList

_EXPLAIN: Final = "/v1/slipstream/explain"
_TARGETS: Final = "/v1/slipstream/targets"
_UNMEASURED: Final = "Nothing was measured: this is made of the configuration alone"

_Call = Annotated[
    str | None,
    typer.Argument(metavar="CALL", help="Id of a past call, req-…: what its attempts came to."),
]
_Model = Annotated[
    str | None, typer.Option("-m", "--model", help="Model, route or `auto`, which it is else.")
]
_Prompt = Annotated[str | None, typer.Option(help="What is asked.")]
_Tools = Annotated[bool, typer.Option("--tools", help="The request offers a tool.")]
_Image = Annotated[bool, typer.Option("--image", help="The request shows an image.")]
_Structured = Annotated[
    bool, typer.Option("--structured", help="The request wants an answer of a JSON schema.")
]
_Stream = Annotated[bool, typer.Option("--stream", help="The answer is to be streamed.")]
_MaxTokens = Annotated[int | None, typer.Option(min=1, help="Longest answer.")]
_Strategy = Annotated[Strategy | None, typer.Option(help="In place of the route's.")]
_Quality = Annotated[int | None, typer.Option(min=0, max=5, help="Least tier of quality.")]
_Task = Annotated[Task | None, typer.Option(help="What the quality is for.")]
_Data = Annotated[DataPolicy | None, typer.Option(help="Least that providers must promise.")]
_MaxCost = Annotated[
    float | None, typer.Option("--max-cost-usd", min=0, help="Most that it may cost.")
]
_Among = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Target, model or route to choose from; may be repeated."),
]
_Path = Annotated[str, typer.Option(help="Where the request on standard input would be sent.")]
_Targets = Annotated[
    bool, typer.Option("--targets", help="Show what the running gateway knows of its targets.")
]
_Offline = Annotated[bool, typer.Option("--offline", help="Ask no gateway.")]
_Json = Annotated[bool, typer.Option("--json", help="Exact figures, as JSON.")]
_Url = Annotated[str | None, typer.Option(envvar=URL_VARIABLE, help="Gateway to ask.")]
_File = Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file.")]


class NobodyAsked(GatewayError):
    """No gateway runs, and only one could tell."""


def explain(
    call: _Call = None,
    model: _Model = None,
    prompt: _Prompt = None,
    tools: _Tools = False,
    image: _Image = False,
    structured: _Structured = False,
    stream: _Stream = False,
    max_tokens: _MaxTokens = None,
    strategy: _Strategy = None,
    quality: _Quality = None,
    task: _Task = None,
    data: _Data = None,
    max_cost_usd: _MaxCost = None,
    among: _Among = None,
    path: _Path = CHAT_PATH,
    targets: _Targets = False,
    offline: _Offline = False,
    as_json: _Json = False,
    base_url: _Url = None,
    config: _File = None,
) -> int:
    """Show where a request would go and why, or where one went.

    The request is a JSON body on standard input, or made of these options.
    """
    settings = configuration.load(config, os.environ)
    if call is not None:
        return _explain_past(settings, call, as_json)
    if targets:
        return _show_standings(settings, base_url, offline, as_json)
    wishes = {
        "strategy": strategy,
        "quality": quality,
        "task": task,
        "data": data,
        "max_cost_usd": max_cost_usd,
        "targets": among,
    }
    flags = Flags(
        model=model,
        prompt=prompt,
        has_tools=tools,
        has_image=image,
        is_structured=structured,
        is_stream=stream,
        max_tokens=max_tokens,
        wishes={name: value for name, value in wishes.items() if value is not None},
    )
    piped = piped_in(sys.stdin) if prompt is None else None
    return _explain_next(settings, asked_call(piped, flags, path), base_url, offline, as_json)


def _explain_past(settings: Config, call_id: str, as_json: bool) -> int:
    found = past_calls.past_call(settings, call_id)
    if as_json:
        print(past_calls.as_json(found))
    else:
        past_calls.show(found)
    return 0


def _show_standings(settings: Config, base_url: str | None, offline: bool, as_json: bool) -> int:
    if offline:
        raise ConfigError("--targets: only a running gateway has measured its targets")
    with running_admin(base_url, settings, os.environ) as admin:
        if admin is None:
            raise NobodyAsked(f"no gateway answers at {url_of(settings) or 'a fixed port'}")
        found = admin.get(_TARGETS, TargetList)
    if as_json:
        print(_json(found))
    else:
        standings.show(found)
    return 0


def _explain_next(
    settings: Config, asked: ExplainRequest, base_url: str | None, offline: bool, as_json: bool
) -> int:
    """Show the plan; return 1 where no target can serve the request."""
    plan, remark = _plan(settings, asked, base_url, offline)
    if as_json:
        print(_json(plan))
    else:
        plans.show(plan)
    if remark:
        print(remark, file=sys.stderr if as_json else sys.stdout)
    return 0 if plan.problem is None else 1


def _plan(
    settings: Config, asked: ExplainRequest, base_url: str | None, offline: bool
) -> tuple[PlannedCall, str]:
    """Return the plan, and what is to be said of where it comes from."""
    if offline:
        return offline_plan(settings, asked), f"{_UNMEASURED}."
    with running_admin(base_url, settings, os.environ) as admin:
        if admin is not None:
            return admin.post(_EXPLAIN, msgspec.json.encode(asked), PlannedCall), ""
    where = url_of(settings) or "the port, which the system chooses"
    return offline_plan(settings, asked), f"{_UNMEASURED}; no gateway answers at {where}."


def _json(told: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()
