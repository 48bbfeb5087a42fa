"""The whole configuration: every rule of `load`, and that no key is ever shown."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from slipstream.catalog.providers import PROVIDERS
from slipstream.config import (
    DEFAULT_MODEL,
    NAMED_SECTIONS,
    SECTIONS,
    declared_settings,
    home_from,
    is_loopback,
    load,
)
from slipstream.engine.settings import EngineSettings
from slipstream.errors import ConfigError
from slipstream.settings import about
from tests.config_place import KEY, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a home folder that is empty."""
    return Place(tmp_path)


# ---- where it is ------------------------------------------------------------------------------


def test_home_is_the_variable_or_a_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is not set; `~` is the user's."""
    monkeypatch.setenv("HOME", "/home/someone")
    assert home_from({}) == Path("/home/someone/.slipstream")
    assert home_from({"SLIPSTREAM_HOME": ""}) == Path("/home/someone/.slipstream")
    assert home_from({"SLIPSTREAM_HOME": "~/x"}) == Path("/home/someone/x")
    assert home_from({"SLIPSTREAM_HOME": "/srv/s"}) == Path("/srv/s")


def test_home_of_nobody_is_a_config_error() -> None:
    """Regression: an unknown user's folder raised `RuntimeError`."""
    with pytest.raises(ConfigError, match="SLIPSTREAM_HOME"):
        home_from({"SLIPSTREAM_HOME": "~no-such-user-here/x"})


def test_load_without_file_offers_the_model_and_the_providers_whose_keys_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default of a fresh installation."""
    monkeypatch.chdir(tmp_path)
    environ = {"SLIPSTREAM_HOME": str(tmp_path), "GROQ_API_KEY": KEY, "XAI_API_KEY": ""}
    config = load(None, environ)
    assert config.path is None
    assert list(config.endpoints) == ["groq"]
    assert config.served == {DEFAULT_MODEL: DEFAULT_MODEL}
    assert config.routes == {}
    assert config.warm_connections == {"groq": 1}
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8080)


def test_load_finds_the_file_here_before_the_one_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current folder stands over the home folder, a named file over both."""
    here, home = tmp_path / "here", tmp_path / "home"
    for number, folder in enumerate((here, home), 1):
        folder.mkdir()
        (folder / "slipstream.toml").write_text(f"[server]\nport = {number}\n", encoding="utf-8")
    named = tmp_path / "named.toml"
    named.write_text("[server]\nport = 3\n", encoding="utf-8")
    environ = {"SLIPSTREAM_HOME": str(home)}
    monkeypatch.chdir(here)
    assert load(None, environ).server.port == 1
    monkeypatch.chdir(tmp_path)
    assert load(None, environ).server.port == 2
    assert load(named, environ).server.port == 3


def test_load_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """A mistyped path is not replaced by the defaults."""
    with pytest.raises(ConfigError, match=r"nosuch\.toml: cannot be read"):
        load(tmp_path / "nosuch.toml", {})


# ---- what stands over what ---------------------------------------------------------------------


def test_load_flag_over_environment_over_file_over_default(place: Place) -> None:
    """Each level gives way to the one above it, setting by setting."""
    text = "[server]\nport = 1\n"
    environ = {"SLIPSTREAM_SERVER_PORT": "2"}
    flags = {"server.port": 3, "server.host": None}
    assert place.load().server.port == 8080
    assert place.load(text).server.port == 1
    assert place.load(text, environ).server.port == 2
    assert place.load(text, environ, flags).server.port == 3
    assert place.load(text, {}, {"server.port": 0}).server.port == 0
    assert place.load(text, environ, flags).server.host == "127.0.0.1"


def test_load_environment_reaches_settings_of_every_type(place: Place) -> None:
    """Text becomes what the setting is.

    Regression: `threads` and `precision` of the engine could not be set at all.
    """
    config = place.load(
        "",
        {
            "SLIPSTREAM_SERVER_REQUIRE_KEY": "off",
            "SLIPSTREAM_DEADLINES_IDLE_S": "7",
            "SLIPSTREAM_ENGINE_THREADS": "3",
            "SLIPSTREAM_ENGINE_PRECISION": "bf16",
            "SLIPSTREAM_UPSTREAM_MAX_WAITING": "0",
        },
    )
    assert config.server.require_key is False
    assert config.deadlines.idle_s == 7.0
    assert (config.engine.threads, config.engine.precision) == (3, "bf16")
    assert config.upstream.max_waiting == 0


def test_load_wrong_variable_is_named_once(place: Place) -> None:
    """The place is the variable, not a line of the file."""
    text = "[server]\nhost = 'localhost'\n"
    found = place.problem(text, {"SLIPSTREAM_SERVER_PORT": "http"})
    assert found.startswith("SLIPSTREAM_SERVER_PORT: server.port: expected a whole number from 0")
    assert found.endswith("got 'http'")


def test_load_unknown_variable_of_a_table_is_an_error(place: Place) -> None:
    """A slip in a variable is not dropped silently."""
    found = place.problem("", {"SLIPSTREAM_SERVER_PROT": "1"})
    assert found.startswith("SLIPSTREAM_SERVER_PROT: server.prot: unknown key; did you mean 'port'")


def test_load_variables_of_other_programs_are_left_alone(place: Place) -> None:
    """The client's variables and those of an orchestrator are no settings."""
    place.load("", {"SLIPSTREAM_API_KEY": KEY, "SLIPSTREAM_PORT_8080_TCP": "tcp://10.0.0.1"})


def test_load_wrong_flag_is_named(place: Place) -> None:
    """The place is the flag."""
    [found] = place.problems("", {}, {"server.port": 70000})
    assert found.startswith("--port: server.port: expected a whole number from 0 to 65535")


# ---- what is right -----------------------------------------------------------------------------


def test_load_built_in_provider_takes_its_rows_defaults(place: Place) -> None:
    """A known name needs its key only, and may live elsewhere."""
    text = "[providers.mistral]\napi_key = 'k'\n[providers.xai]\nbase_url = 'http://127.0.0.1:1/v1'"
    config = place.load(text, {"XAI_API_KEY": KEY})
    mistral, xai = config.endpoints.values()
    assert mistral.base_url == "https://api.mistral.ai/v1"
    assert (mistral.asks_usage, mistral.like) == (False, "mistral")
    assert (xai.base_url, xai.is_reasoning_outside) == ("http://127.0.0.1:1/v1", True)
    assert xai.key is not None
    assert xai.key.reveal() == KEY


@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: row.name)
def test_load_every_built_in_provider_by_its_variable(
    row: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the nine is found by any of its usual variables, with its key."""
    monkeypatch.chdir(tmp_path)
    for variable in row.key_variables:
        config = load(None, {"SLIPSTREAM_HOME": str(tmp_path), variable: KEY})
        [(name, endpoint)] = config.endpoints.items()
        assert (name, endpoint.base_url) == (row.name, row.base_url)
        assert endpoint.key is not None
        assert endpoint.key.reveal() == KEY


def test_load_custom_provider_needs_no_key(place: Place) -> None:
    """A server of one's own speaks a dialect at a URL."""
    text = "[providers.lab]\ndialect = 'openai_chat'\nbase_url = 'http://127.0.0.1:9001/v1'"
    [lab] = place.load(text).endpoints.values()
    assert (lab.name, lab.base_url, lab.key) == ("lab", "http://127.0.0.1:9001/v1", None)


def test_load_no_key_is_ever_shown(place: Place) -> None:
    """However a key is given, no text form of the configuration holds it."""
    (place.home / "key").write_text(KEY, encoding="utf-8")
    text = (
        f"[providers.groq]\napi_key = '{KEY}'\n[providers.xai]\napi_key = 'env:MINE'\n"
        f"[providers.openai]\napi_key = 'file:{place.home}/key'\n[providers.cerebras]\n"
    )
    config = place.load(text, {"MINE": KEY, "CEREBRAS_API_KEY": KEY})
    assert len(config.endpoints) == 4
    for endpoint in config.endpoints.values():
        assert endpoint.key is not None
        assert endpoint.key.reveal() == KEY
    assert KEY not in f"{config!r}{config}{config.endpoints}"


def test_load_tables_of_providers_and_models_replace_the_defaults(place: Place) -> None:
    """Who lists providers or models lists all of them; an empty table lists none."""
    environ = {"GROQ_API_KEY": KEY}
    assert list(place.load("[providers]", environ).endpoints) == []
    assert place.load("[models]").served == {}
    assert place.load("[models.m]\naliases = ['a', 'b/c']").served == {
        "m": "m",
        "a": "m",
        "b/c": "m",
    }


def test_load_model_table_overrides_the_engine_for_itself_alone(place: Place) -> None:
    """A key that a model's table has is its own; all others are those of `[engine]`."""
    text = (
        "[engine]\nthreads = 2\nmax_running = 8\n"
        "[models.small]\naliases = ['s']\nthreads = 1\nbatch_invariant = true\n"
        "unload_after_s = 600\nstart = 'first_use'\n[models.large]\n"
    )
    config = place.load(text)
    small, large = config.engines["small"], config.engines["large"]
    assert large == config.engine == EngineSettings(threads=2, max_running=8)
    assert (small.threads, small.max_running, small.start) == (1, 8, "first_use")
    assert small.batch_invariant
    assert small.unload_after_s == 600.0
    assert config.models["small"].aliases == ("s",)


def test_load_engine_variables_are_the_default_of_all_models(place: Place) -> None:
    """A variable stands over `[engine]`, and a model's own table over the variable."""
    environ = {"SLIPSTREAM_ENGINE_THREADS": "3"}
    text = "[engine]\nthreads = 2\n[models.a]\nthreads = 1\n[models.b]\n"
    engines = place.load(text, environ).engines
    assert {name: engine.threads for name, engine in engines.items()} == {"a": 1, "b": 3}
    (only,) = place.load("", environ).engines.values()
    assert only.threads == 3


def test_load_route_targets_may_be_of_any_kind(place: Place) -> None:
    """A served model by name, alias or `local/`, and any model of a configured provider."""
    targets = ["m", "a", "local/m", "groq/openai/gpt-oss-120b"]
    text = f"[models.m]\naliases = ['a']\n[providers.groq]\n[routes.r]\ntargets = {targets}"
    assert place.load(text, {"GROQ_API_KEY": KEY}).routes["r"].targets == tuple(targets)


def test_load_key_may_be_off_on_loopback(place: Place) -> None:
    """On this machine alone nobody else can call."""
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        config = place.load(f"[server]\nhost = '{host}'\nrequire_key = false")
        assert not config.server.require_key


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_is_loopback_of_the_table(host: str, is_it: bool) -> None:
    """What is not surely this machine alone is taken for reachable."""
    assert is_loopback(host) is is_it


# ---- the declarations --------------------------------------------------------------------------


def test_every_setting_is_declared_with_help() -> None:
    """What can be set can be documented."""
    settings = declared_settings()
    records = [*SECTIONS.values(), *NAMED_SECTIONS.values()]
    assert len(settings) == sum(len(fields(record)) for record in records)
    for table, key, field, hint in settings:
        said = about(field.metadata)
        assert said is not None, f"{table}.{key}"
        assert said.help
        assert hint is not None


def test_every_default_is_accepted_when_it_is_written_down(place: Place) -> None:
    """A person who copies the defaults into the file changes nothing."""
    lines = []
    for table, rows in _defaults().items():
        lines.append(f"[{table}]")
        lines += [f"{key} = {_toml(value)}" for key, value in rows if value is not None]
    written, plain = place.load("\n".join(lines)), place.load()
    for name in SECTIONS:
        assert getattr(written, name) == getattr(plain, name)


def _defaults() -> dict[str, list[tuple[str, Any]]]:
    plain = {name: record() for name, record in SECTIONS.items()}
    return {
        name: [(entry.name, getattr(record, entry.name)) for entry in fields(record)]
        for name, record in plain.items()
    }


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return repr(list(value))
    return repr(value)


def test_no_setting_name_holds_what_a_variable_cannot() -> None:
    """Every table and key can be written as SLIPSTREAM_TABLE_KEY, each in one way."""
    names = [f"SLIPSTREAM_{t}_{k}".upper() for t, k, *_ in declared_settings() if t in SECTIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z0-9_]+", name) for name in names)


# ---- what gateways share -----------------------------------------------------------------------


def test_valkey_is_a_reference_like_a_key(place: Place) -> None:
    """Its URL may hold a password: it is resolved into a secret, and shown by nobody."""
    assert place.load().valkey is None
    text = "[routing]\nvalkey = 'env:FLEET'\n"
    for url in ("redis://:s3cret@h:1/0", "rediss://h", "valkey://h", "unix:///run/valkey.sock"):
        config = place.load(text, {"FLEET": url})
        assert config.valkey is not None
        assert config.valkey.reveal() == url
        assert "s3cret" not in repr(config)
    config = place.load("[routing]\nvalkey = 'redis://:s3cret@h'\n")
    assert "s3cret" not in repr(config)
    over = place.load("", {"SLIPSTREAM_ROUTING_VALKEY": "redis://h"}).valkey
    assert over is not None
    assert over.reveal() == "redis://h"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("env:NOWHERE", "the environment variable 'NOWHERE' is not set"),
        ("http://:s3cret@h", "expected a URL of redis, rediss, valkey, valkeys, unix"),
        ("s3cret", "expected a URL of redis"),
    ],
)
def test_valkey_that_cannot_be_one_is_told_without_its_text(
    value: str, word: str, place: Place
) -> None:
    """The place is the key's line."""
    found = place.problem(f"[routing]\nvalkey = '{value}'\n")
    assert found.startswith("F:2: routing.valkey: ")
    assert word in found
    assert "s3cret" not in found


def test_load_thousand_routes_takes_no_time_to_notice(place: Place) -> None:
    """Declarations are read once, not for each table."""
    table = "[routes.r{}]\nstrategy = 'cheapest'\ntargets = ['m', 'groq/a', 'groq/b']\n"
    text = "[models.m]\n[providers.groq]\n" + "".join(map(table.format, range(1000)))
    assert len(place.load(text, {"GROQ_API_KEY": KEY}).routes) == 1000


def test_several_keys_are_shown_by_nobody(place: Place) -> None:
    """Not by the whole configuration, and not by what is wrong with one of them."""
    keys = f"api_keys = ['{KEY}', 'env:MORE']"
    config = place.load(f"[providers.groq]\n{keys}\n", {"MORE": f"{KEY}-more"})
    assert len(config.endpoints["groq"].more_keys) == 1
    assert KEY not in repr(config)
    assert "key 2 of the list" in place.problem(f"[providers.groq]\n{keys}\n")  # which looks, too
    assert "an array of strings, got a string" in place.problem(
        f"[providers.groq]\napi_keys = '{KEY}'"
    )
