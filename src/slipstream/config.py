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
from slipstream.call import Secret
from slipstream.engine.settings import EngineSettings
from slipstream.errors import ConfigError
from slipstream.ledger.settings import LedgerSettings
from slipstream.limits.settings import LimitSettings
from slipstream.naming import Named, check_names
from slipstream.responses.settings import ResponseSettings
from slipstream.routing.names import LOCAL
from slipstream.routing.settings import RouteSettings, RoutingSettings, TargetSettings
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
from slipstream.upstream.keys import read_key
from slipstream.upstream.relay import Endpoint
from slipstream.upstream.settings import DeadlineSettings, ModelSettings, ProviderSettings

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
    "routing": RoutingSettings,
}
"""Tables of which there is one each."""

NAMED_SECTIONS: dict[str, type[Any]] = {
    "providers": ProviderSettings,
    "models": ModelSettings,
    "routes": RouteSettings,
    "targets": TargetSettings,
    "limits": LimitSettings,
}
"""Tables of which there is one for each name."""

VALKEY_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
"""What the URL of a Valkey may begin with."""

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
    routing: RoutingSettings
    targets: Mapping[str, TargetSettings] = field(default_factory=dict)
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    valkey: Secret | None = None  # the URL that `[routing] valkey` leads to
    limits: Mapping[str, LimitSettings] = field(default_factory=dict)

    @property
    def named(self) -> Named:
        """The tables that give names."""
        return Named(self.endpoints, self.models, self.routes, self.targets)

    @property
    def served(self) -> dict[str, str]:
        """Model id by every name that it answers to."""
        return self.named.served

    @property
    def warm_connections(self) -> dict[str, int]:
        """How many connections each provider is to have from the start."""
        return {name: provider.warm_connections for name, provider in self.providers.items()}

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
        targets=named["targets"],
        providers=named["providers"],
        valkey=_read_valkey(single["routing"].valkey, environ, problems),
        limits=named["limits"],
        **single,
    )
    check_names(config.named, problems)
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


def _read_valkey(
    reference: str | None, environ: Mapping[str, str], problems: Problems
) -> Secret | None:
    """Return the URL that a reference leads to; None, and a problem, if it leads to none."""
    if reference is None:
        return None
    try:
        url = read_key(reference, (), environ)
    except ConfigError as exc:
        problems.add("routing.valkey", exc.message)
        return None
    if url is not None and url.reveal().partition("://")[0] not in VALKEY_SCHEMES:
        problems.add("routing.valkey", f"expected a URL of {', '.join(VALKEY_SCHEMES)}")
        return None
    return url


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
