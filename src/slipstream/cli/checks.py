"""What `slipstream doctor` looks at: one function per subject, each returns findings.

A check reads, and changes nothing: it opens no database that is not there and starts nothing.
"""

import importlib.util
import os
import platform
import shutil
import socket
import sqlite3
import ssl
import sys
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from slipstream.catalog.providers import PROVIDERS
from slipstream.cli.health import read_health
from slipstream.config import Config
from slipstream.engine.weights.manifest import FACTS_FILE, read_facts
from slipstream.errors import GatewayError

GIB = 1024**3
MIN_PYTHON = (3, 11)
NEEDED_MEMORY_BYTES = 1 * GIB  # the embedded model holds about half of it, and grows
NEEDED_DISK_BYTES = 1 * GIB  # the model, its prepared form, and a ledger that grows
CONNECT_LIMIT_S = 3.0
_LOCAL_PACKAGES = ("openvino", "openvino_genai", "openvino_tokenizers", "numpy", "gguf")

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `advice` says what to do, and is empty when all is well."""

    subject: str
    status: Status
    text: str
    advice: str = ""


def check_python() -> Finding:
    """Look at the interpreter."""
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < MIN_PYTHON:
        return Finding("python", "fail", text, "install Python 3.11 or newer")
    return Finding("python", "ok", text)


def check_memory(available_bytes: int | None) -> Finding:
    """Look at the memory that a model could have; None where the system does not say."""
    if available_bytes is None:
        return Finding("memory", "ok", "this system does not say what is free")
    text = f"{available_bytes / GIB:.1f} GiB available"
    if available_bytes < NEEDED_MEMORY_BYTES:
        return Finding("memory", "warn", text, "close programs, or relay to providers only")
    return Finding("memory", "ok", text)


def available_memory_bytes() -> int | None:
    """Return what new programs can have without swapping, where Linux says it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(found.split()[1]) * 1024 if found else None


def check_home(home: Path) -> Finding:
    """Look at the folder for models, keys and ledger, and at the disk that it is on."""
    existing = next(path for path in (home, *home.parents) if path.exists())
    free_bytes = shutil.disk_usage(existing).free
    text = f"{home}, {free_bytes / GIB:.1f} GiB free"
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        advice = "make it writable, or set SLIPSTREAM_HOME to a folder that is"
        return Finding("home", "fail", f"{existing} cannot be written to", advice)
    if free_bytes < NEEDED_DISK_BYTES:
        advice = "free some space, or set SLIPSTREAM_HOME to a folder on another disk"
        return Finding("home", "warn", text, advice)
    return Finding("home", "ok", text)


def check_models(config: Config) -> list[Finding]:
    """Look at the models to run: the packages that run them, and their files."""
    if not config.models:
        return [Finding("model", "ok", "none is configured to run here")]
    missing = [name for name in _LOCAL_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        advice = "pip install 'slipstream[local]'"
        return [Finding("model", "warn", f"not installed: {', '.join(missing)}", advice)]
    return [_check_model(name, config.home / "models" / name) for name in config.models]


def _check_model(name: str, folder: Path) -> Finding:
    if not (folder / FACTS_FILE).is_file():
        return Finding("model", "warn", f"{name} is not here", f"slipstream pull {name}")
    try:
        facts = read_facts(folder)
    except GatewayError as exc:
        return Finding("model", "fail", exc.message, f"slipstream pull --force {name}")
    return Finding(
        "model", "ok", f"{name}, {facts.weights_format}, {facts.total_bytes / 1e6:.0f} MB"
    )


def check_keys(database: Path, is_required: bool) -> Finding:
    """Look at the callers' keys; read-only, so that a first start still makes its own."""
    if not is_required:
        return Finding("keys", "ok", "none is asked for: only this machine can call")
    try:
        num_valid = _num_valid_keys(database) if database.is_file() else 0
    except sqlite3.Error as exc:
        advice = "move the file away, or restore it from a copy"
        return Finding("keys", "fail", f"{database}: {exc}", advice)
    if num_valid == 0:
        text = "no valid key yet; the first start of the gateway makes one"
        return Finding("keys", "warn", text, "slipstream keys create NAME")
    return Finding("keys", "ok", f"{num_valid} valid")


def _num_valid_keys(database: Path) -> int:
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        tables = "SELECT count(*) FROM sqlite_master WHERE name = 'keys'"
        if not connection.execute(tables).fetchone()[0]:
            return 0
        query = "SELECT count(*) FROM keys WHERE revoked_at_ns IS NULL"
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def check_providers(config: Config) -> list[Finding]:
    """Connect to every provider that has a key, all at once; name those that have none."""
    reachable: Iterable[Finding] = ()
    if config.endpoints:
        urls = {name: endpoint.base_url for name, endpoint in config.endpoints.items()}
        with ThreadPoolExecutor(max_workers=len(urls)) as pool:
            reachable = list(pool.map(check_reachable, urls, urls.values()))
    keyless = [row for row in PROVIDERS if row.name not in config.endpoints]
    rest = ", ".join(f"{row.name} ({row.key_variables[0]})" for row in keyless)
    unused = [Finding("provider", "ok", f"not used, no key: {rest}")] if keyless else []
    return [*reachable, *unused]


def check_reachable(name: str, base_url: str, limit_s: float = CONNECT_LIMIT_S) -> Finding:
    """Connect to a provider as a request would, with TLS and through a proxy's door."""
    url = urlsplit(base_url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    proxy = _proxy_of(url.scheme, host)
    try:
        if proxy:
            door = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            _connect(door.hostname or "", door.port or 80, is_tls=False, limit_s=limit_s)
        else:
            _connect(host, port, is_tls=url.scheme == "https", limit_s=limit_s)
    except (OSError, UnicodeError) as exc:
        text = f"{name}: no connection to {host}:{port}: {exc}"
        return Finding("provider", "fail", text, "look at network, firewall and HTTPS_PROXY")
    return Finding("provider", "ok", f"{name}: {host}{' through a proxy' if proxy else ''} answers")


def _proxy_of(scheme: str, host: str) -> str | None:
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)


def _connect(host: str, port: int, *, is_tls: bool, limit_s: float) -> None:
    with socket.create_connection((host, port), timeout=limit_s) as plain:
        if is_tls:
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host):
                pass


def check_port(host: str, port: int) -> Finding:
    """Look at whether the gateway can listen where it should, or does already."""
    if port == 0:
        return Finding("port", "ok", "any free one will be taken")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            return _taken(host, port, exc)
    return Finding("port", "ok", f"{host}:{port} is free")


def _taken(host: str, port: int, exc: OSError) -> Finding:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if read_health(url) is not None:
        return Finding("port", "ok", f"a gateway is running at {host}:{port}")
    advice = "stop what listens there, or choose another port: slipstream serve --port 0"
    return Finding("port", "fail", f"{host}:{port}: {exc.strerror}", advice)
