"""The whole configuration: flags over environment over file over defaults, checked at start.

`load` reads and checks, and returns one frozen record; every problem is reported, with its place.
Keys are references until `app` resolves them, so that nothing here can print one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from slipstream.batches.settings import BatchSettings
from slipstream.engine.settings import EngineSettings
from slipstream.errors import ConfigError
from slipstream.ledger.settings import LedgerSettings
from slipstream.limits.settings import LimitSettings
from slipstream.responses.settings import ResponseSettings
from slipstream.routing.plan import LOCAL, find_target
from slipstream.routing.settings import RouteSettings
from slipstream.server.settings import ServerSettings
from slipstream.toml_settings import (
    Problems,
    build,
    build_named,
    build_over,
    nearest,
    parse_text,
    read_toml,
)
from slipstream.upstream.endpoints import endpoint_of, providers_of
from slipstream.upstream.http.settings import HttpSettings
from slipstream.upstream.relay import Endpoint
from slipstream.upstream.settings import DeadlineSettings, ModelSettings, ProviderSettings
from slipstream.wire.cerebras.models import MODELS as CEREBRAS_MODELS

FILE_NAME = "slipstream.toml"
DEFAULT_MODEL = "smollm2-135m"

SECTIONS: dict[str, type[Any]] = {
    "server": ServerSettings,
    "deadlines": DeadlineSettings,
    "engine": EngineSettings,
    "upstream": HttpSettings,
    "ledger": LedgerSettings,
    "batches": BatchSettings,
    "responses": ResponseSettings,
}
"""Tables of which there is one each."""

NAMED_SECTIONS: dict[str, type[Any]] = {
    "providers": ProviderSettings,
    "models": ModelSettings,
    "routes": RouteSettings,
    "limits": LimitSettings,
}
"""Tables of which there is one for each name."""

_PREFIX = "SLIPSTREAM_"
_OTHERS = {"models": frozenset(entry.name for entry in fields(EngineSettings))}


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a person has decided; assembled once, never changed."""

    home: Path
    path: Path | None
    server: ServerSettings
    deadlines: DeadlineSettings
    engine: EngineSettings
    upstream: HttpSettings
    ledger: LedgerSettings
    batches: BatchSettings
    responses: ResponseSettings
    endpoints: Mapping[str, Endpoint]
    models: Mapping[str, ModelSettings]
    engines: Mapping[str, EngineSettings]  # of each model: [engine] and what its table overrides
    routes: Mapping[str, RouteSettings]
    limits: Mapping[str, LimitSettings] = field(default_factory=dict)
    warm_connections: Mapping[str, int] = field(default_factory=dict)

    @property
    def served(self) -> dict[str, str]:
        """Model id by every name that it answers to."""
        names = {name: name for name in self.models}
        for name, model in self.models.items():
            names.update(dict.fromkeys(model.aliases, name))
        return names

    @property
    def profiles(self) -> dict[str, str]:
        """Profile by every public name that has one of its own."""
        own = {name: self.models[model].profile for name, model in self.served.items()}
        own |= {f"{LOCAL}/{name}": profile for name, profile in own.items()}
        own |= {name: route.profile for name, route in self.routes.items()}
        return {name: profile for name, profile in own.items() if profile is not None}

    @property
    def likenesses(self) -> dict[str, str]:
        """Cerebras model by every route's name that is to be like one."""
        return {name: route.like for name, route in self.routes.items() if route.like is not None}


def home_from(environ: Mapping[str, str]) -> Path:
    """Return the folder for models, keys and the ledger.

    Raises:
        ConfigError: It starts with `~`, and nobody's home folder is known.
    """
    try:
        return Path(environ.get("SLIPSTREAM_HOME") or "~/.slipstream").expanduser()
    except RuntimeError as exc:
        raise ConfigError(f"SLIPSTREAM_HOME: {exc}") from exc


def load(
    path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Config:
    """Read and check the configuration.

    Args:
        path: The file; None looks for `slipstream.toml` here, then in the home folder.
        environ: `SLIPSTREAM_<SECTION>_<KEY>` overrides the file.
        flags: By dotted name (`server.port`), over everything; values of None are ignored.

    Raises:
        ConfigError: With every problem, each on a line that names file, line and key.
    """
    home = home_from(environ)
    path = path or _find_file(home)
    tables, lines = read_toml(path) if path else ({}, {})
    problems = Problems(path, lines)
    for name in tables:
        if name not in SECTIONS and name not in NAMED_SECTIONS:
            problems.add(name, f"unknown table{nearest(name, [*SECTIONS, *NAMED_SECTIONS])}")
    single = {
        name: _read_section(name, cls, tables, environ, flags or {}, problems)
        for name, cls in SECTIONS.items()
    }
    named = {
        name: build_named(cls, tables.get(name, {}), name, problems, _OTHERS.get(name, ()))
        for name, cls in NAMED_SECTIONS.items()
    }
    engines = _read_engines(tables, single["engine"] or EngineSettings(), problems)
    problems.raise_any()
    if "providers" not in tables:
        named["providers"] = providers_of(environ)
    if "models" not in tables:
        named["models"] = {DEFAULT_MODEL: ModelSettings()}
    endpoints = {
        name: endpoint
        for name, provider in named["providers"].items()
        if (endpoint := endpoint_of(name, provider, environ, problems)) is not None
    }
    config = Config(
        home=home,
        path=path,
        endpoints=endpoints,
        models=named["models"],
        engines=engines,
        routes=named["routes"],
        limits=named["limits"],
        warm_connections={n: p.warm_connections for n, p in named["providers"].items()},
        **single,
    )
    _check_names(config, problems)
    _check_server(config, problems)
    problems.raise_any()
    return config


def _find_file(home: Path) -> Path | None:
    return next((p for p in (Path(FILE_NAME), home / FILE_NAME) if p.is_file()), None)


def _read_section(
    name: str,
    cls: type[Any],
    tables: Mapping[str, Any],
    environ: Mapping[str, str],
    flags: Mapping[str, Any],
    problems: Problems,
) -> Any:
    table = tables.get(name, {})
    num_before = len(problems.texts)
    build(cls, table, name, problems)
    hints = get_type_hints(cls)
    over = dict(_from_environ(f"{_PREFIX}{name.upper()}_", hints, environ))
    over |= {
        f"--{key.replace('_', '-')}": (key, value)
        for key in hints
        if (value := flags.get(f"{name}.{key}")) is not None
    }
    for source, (key, value) in over.items():
        build(cls, {key: value}, name, problems, source=source)
    if len(problems.texts) > num_before:
        return None  # each was reported once, where it stands
    return build(cls, {**table, **dict(over.values())}, name, problems)


def _from_environ(
    prefix: str, hints: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[tuple[str, tuple[str, Any]]]:
    """Yield (variable, (key, value)) of every variable with this prefix."""
    for variable, text in environ.items():
        if variable.startswith(prefix):
            key = variable[len(prefix) :].lower()
            yield variable, (key, parse_text(text, hints.get(key)))


def _read_engines(tables: Any, default: Any, problems: Problems) -> dict[str, EngineSettings]:
    """Return the engine settings of each model: `default` but for the keys in its own table."""
    models = tables.get("models", {DEFAULT_MODEL: {}})
    named = models.items() if isinstance(models, dict) else ()
    return {name: build_over(default, t, f"models.{name}", problems) for name, t in named}


def _check_names(config: Config, problems: Problems) -> None:
    """Check that every name means one thing and every target exists."""
    taken: dict[str, str] = {}
    for name, model in config.models.items():
        for alias in (name, *model.aliases):
            if alias in taken:
                problems.add(f"models.{name}", f"'{alias}' is also a name of '{taken[alias]}'")
            taken[alias] = name
    for name in config.endpoints:
        if name == LOCAL:
            problems.add(f"providers.{name}", "the name 'local' is kept for models that we run")
        if not name or "/" in name:
            problems.add(
                f"providers.{name}",
                "expected a name without '/', which ends it in 'provider/model'",
            )
    served = config.served
    for name, route in config.routes.items():
        key = f"routes.{name}"
        if name in taken:
            problems.add(key, f"'{name}' is also a name of the model '{taken[name]}'")
        if not route.targets or (route.strategy == "pinned" and len(route.targets) != 1):
            wanted = "exactly one target" if route.strategy == "pinned" else "a target"
            problems.add(f"{key}.targets", f"the strategy '{route.strategy}' needs {wanted}")
        if route.like is not None and route.like not in CEREBRAS_MODELS:
            hint = nearest(route.like, CEREBRAS_MODELS)
            problems.add(f"{key}.like", f"'{route.like}' is no model of Cerebras's{hint}")
        for target in route.targets:
            if find_target(target, served, config.endpoints) is None:
                known = [*served, *(f"{provider}/MODEL" for provider in config.endpoints)]
                problems.add(f"{key}.targets", f"no such target '{target}'{nearest(target, known)}")


def _check_server(config: Config, problems: Problems) -> None:
    if not config.server.require_key and not is_loopback(config.server.host):
        problems.add("server.require_key", "may be off only where host is a loopback address")
    if config.server.workers > 1:
        problems.add(
            "server.workers", "expected 1: several workers on one port are not offered yet"
        )
    for name, endpoint in config.endpoints.items():
        address = urlsplit(endpoint.base_url)
        if address.port == config.server.port and is_loopback(address.hostname or ""):
            problems.add(
                f"providers.{name}.base_url",
                f"{endpoint.base_url} is where this gateway listens: give one of them another port",
            )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def declared_settings() -> list[tuple[str, str, Any, Any]]:
    """Return (table, key, field, type) of every setting, for the documentation and its test."""
    tables = dict(SECTIONS)
    tables |= {f"{name}.NAME": cls for name, cls in NAMED_SECTIONS.items()}
    return [
        (table, entry.name, entry, get_type_hints(cls)[entry.name])
        for table, cls in tables.items()
        for entry in fields(cls)
    ]


__all__ = ["Config", "ConfigError", "declared_settings", "home_from", "is_loopback", "load"]
