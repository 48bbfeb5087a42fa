"""`slipstream models`: what can be asked: models that run here, routes, and providers with a key.

Where a gateway runs, it is asked how its models are; with a key in SLIPSTREAM_API_KEY (or where
none is asked for) also how busy. Says only whether a provider's key is there, never the key.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from slipstream import config as configuration
from slipstream.catalog.providers import BY_NAME, PROVIDERS
from slipstream.cli.engine_figures import busyness_of, read_figures
from slipstream.cli.health import Report, read_report
from slipstream.config import Config
from slipstream.engine.weights.manifest import FACTS_FILE, ModelFacts, read_facts
from slipstream.errors import LoadFailed

KEY_VARIABLE = "SLIPSTREAM_API_KEY"
_LOOK_LIMIT_S = 0.5  # on this machine a gateway answers in milliseconds
_WIDE = 200  # columns where no terminal says how many there are: nothing is cut


class LocalModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that runs here: installed, named by the configuration, or both."""

    name: str
    aliases: tuple[str, ...]
    is_served: bool
    is_installed: bool
    architecture: str | None = None
    context_tokens: int | None = None
    weights_format: str | None = None
    size_bytes: int | None = None
    problem: str | None = None  # why an installed model cannot be used
    state: str | None = None  # what the running gateway says of it
    figures: dict[str, float] = {}  # of its engine, where the gateway tells; msgspec copies it


class RouteLine(msgspec.Struct, frozen=True):
    """A public name and where its requests go."""

    name: str
    strategy: str
    targets: tuple[str, ...]


class ProviderLine(msgspec.Struct, frozen=True, kw_only=True):
    """A provider; `variables` may hold its key."""

    name: str
    title: str
    base_url: str
    is_ready: bool
    has_key: bool
    variables: tuple[str, ...]


class Offer(msgspec.Struct, frozen=True):
    """Everything that can be asked."""

    models: tuple[LocalModel, ...]
    routes: tuple[RouteLine, ...]
    providers: tuple[ProviderLine, ...]


def models(
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Configuration file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models that can be asked."""
    settings = configuration.load(config, os.environ)
    offer = offered(settings, Running.find(settings, os.environ.get(KEY_VARIABLE)))
    if json:
        print(msgspec.json.format(msgspec.json.encode(offer), indent=2).decode())
    else:
        _show(offer)


class Running(msgspec.Struct, frozen=True):
    """What the gateway that runs here, if there is one, says of its models."""

    report: Report = Report({})
    figures: dict[str, dict[str, float]] = {}  # msgspec copies it

    @classmethod
    def find(cls, config: Config, key: str | None) -> "Running":
        """Ask it; a gateway on any free port is not found."""
        host, port = config.server.host, config.server.port
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        report = read_report(url, _LOOK_LIMIT_S) if port else None
        if report is None:
            return cls()
        may_ask = key is not None or not config.server.require_key
        return cls(report, read_figures(url, key, _LOOK_LIMIT_S) if may_ask else {})


def offered(config: Config, running: Running) -> Offer:
    """Collect what a configuration, its home folder and its running gateway offer."""
    names = dict.fromkeys((*config.models, *_installed_names(config.home)))
    routes = config.routes.items()
    return Offer(
        models=tuple(_local_model(name, config, running) for name in names),
        routes=tuple(RouteLine(name, route.strategy, route.targets) for name, route in routes),
        providers=(*_configured_providers(config), *_other_providers(config)),
    )


def _installed_names(home: Path) -> list[str]:
    folders = (home / "models").glob(f"*/{FACTS_FILE}")
    return sorted(path.parent.name for path in folders)


def _local_model(name: str, config: Config, running: Running) -> LocalModel:
    facts, problem = _facts(config.home / "models" / name)
    state = running.report.models.get(name)
    if state == "failed":
        problem = problem or running.report.problems.get(name)
    return LocalModel(
        name=name,
        aliases=config.models[name].aliases if name in config.models else (),
        is_served=name in config.models and facts is not None,
        is_installed=facts is not None,
        architecture=facts.architecture if facts else None,
        context_tokens=facts.context_tokens if facts else None,
        weights_format=facts.weights_format if facts else None,
        size_bytes=facts.total_bytes if facts else None,
        problem=problem,
        state=state,
        figures=running.figures.get(name, {}),
    )


def _facts(folder: Path) -> tuple[ModelFacts | None, str | None]:
    if not (folder / FACTS_FILE).is_file():
        return None, None
    try:
        return read_facts(folder), None
    except LoadFailed as exc:
        return None, exc.message


def _configured_providers(config: Config) -> list[ProviderLine]:
    return [
        ProviderLine(
            name=name,
            title=BY_NAME[endpoint.row].title if endpoint.row in BY_NAME else name,
            base_url=endpoint.base_url,
            is_ready=True,
            has_key=endpoint.key is not None,
            variables=BY_NAME[endpoint.row].key_variables if endpoint.row in BY_NAME else (),
        )
        for name, endpoint in config.endpoints.items()
    ]


def _other_providers(config: Config) -> list[ProviderLine]:
    return [
        ProviderLine(
            name=row.name,
            title=row.title,
            base_url=row.base_url,
            is_ready=False,
            has_key=False,
            variables=row.key_variables,
        )
        for row in PROVIDERS
        if row.name not in config.endpoints
    ]


def _show(offer: Offer) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    console.print(_table("Models that run here", _MODEL_COLUMNS, map(_model_row, offer.models)))
    busy = [model for model in offer.models if model.figures]
    if busy:
        console.print(_table("Running now", _BUSY_COLUMNS, map(_busy_row, busy)))
    if offer.routes:
        rows = ((r.name, r.strategy, " → ".join(r.targets)) for r in offer.routes)
        console.print(_table("Routes", ("name", "strategy", "targets"), rows))
    ready = [each for each in offer.providers if each.is_ready]
    if ready:
        rows = ((f"{p.name}/MODEL", p.title, p.base_url) for p in ready)
        console.print(_table("Providers", ("name", "title", "address"), rows))
    missing = {each.name: each.variables for each in offer.providers if not each.is_ready}
    if missing:
        console.print(_hint(missing), style="dim")


_MODEL_COLUMNS = ("name", "state", "context", "weights", "size", "also called")


def _model_row(model: LocalModel) -> tuple[str, ...]:
    if model.problem:
        state = model.problem
    elif not model.is_installed:
        state = f"not here: slipstream pull {model.name}"
    else:
        offline = "installed" if model.is_served else "here, not in the configuration"
        state = model.state or offline
    return (
        model.name,
        state,
        f"{model.context_tokens:,}" if model.context_tokens else "",
        model.weights_format or "",
        f"{model.size_bytes / 1e6:,.0f} MB" if model.size_bytes else "",
        ", ".join(model.aliases),
    )


_BUSY_COLUMNS = (
    "name",
    "running",
    "waiting",
    "tokens/s",
    "cache in use",
    "prompts cached",
    "guesses right",
)


def _busy_row(model: LocalModel) -> tuple[str, ...]:
    busy = busyness_of(model.figures)
    return (
        model.name,
        str(busy.num_running),
        str(busy.num_waiting),
        f"{busy.tokens_per_s:,.0f}",
        *map(_percent, (busy.blocks_used_ratio, busy.cached_prompt_ratio, busy.drafts_right_ratio)),
    )


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.0%}"


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, style=None, header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _hint(missing: Mapping[str, tuple[str, ...]]) -> str:
    said = ", ".join(f"{name} ({variables[0]})" for name, variables in missing.items())
    return f"Without a key: {said}. Set the variable to use one."
