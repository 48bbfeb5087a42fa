"""What is compared: one row for each, with how to install it, how to start it, where to ask it.

A row's `prepare` writes its configuration into a work folder and returns a command; it starts
nothing itself. Every contestant listens on 127.0.0.1 and has one worker.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.endpoints import Endpoint
from bench.upstreams import instant_answer, nginx_command, nginx_config, stream_server_command

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".bench"
_LITELLM = PEERS / "litellm" / "bin"
_PORTKEY = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
_SLIPSTREAM = ROOT / ".venv" / "bin" / "slipstream"
_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one contestant listens, and where its two upstreams do."""

    own: int
    second: int  # for a contestant that is two processes
    plain_upstream: int
    stream_upstream: int


@dataclass(frozen=True, slots=True)
class Started:
    """What `prepare` found: how to start a contestant and how to ask it."""

    commands: tuple[tuple[str, ...], ...]
    plain: Endpoint
    streams: Endpoint
    env: Mapping[str, str] = field(default_factory=dict)  # on top of the row's own


@dataclass(frozen=True, slots=True)
class Contestant:
    """One row.

    Args:
        is_gateway: False for the yardsticks that ratios are taken to or that are no gateway.
        is_peer: Installed by `make bench-peers`; left out with a stated line when it is not there.
        missing: Says what is not installed, or nothing.
        start_limit_s: How long it may take until it answers.
    """

    name: str
    how_to_install: str
    is_gateway: bool
    is_peer: bool
    missing: Callable[[], str]
    version: Callable[[], str]
    prepare: Callable[[Path, Ports], Started]
    start_limit_s: float
    import_command: tuple[str, ...] = ()  # loads the library and ends
    help_command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def _direct(work: Path, ports: Ports) -> Started:
    config = nginx_config(ports.own, instant_answer())
    return Started(
        commands=(nginx_command(work, config), stream_server_command(ports.second)),
        plain=Endpoint(f"http://127.0.0.1:{ports.own}{_PATH}", "any-model", {}),
        streams=Endpoint(f"http://127.0.0.1:{ports.second}{_PATH}", "any-model", {}),
    )


def _nginx(work: Path, ports: Ports) -> Started:
    upstreams = f"""
  upstream plain {{ server 127.0.0.1:{ports.plain_upstream}; keepalive 512;
    keepalive_requests 1000000000; keepalive_timeout 600s; }}
  upstream streams {{ server 127.0.0.1:{ports.stream_upstream}; keepalive 512;
    keepalive_requests 1000000000; keepalive_timeout 600s; }}
  proxy_http_version 1.1; proxy_set_header Connection "";"""
    locations = f"""
    location {_PATH} {{ proxy_pass http://plain; }}
    location /streams/ {{ proxy_pass http://streams/; proxy_buffering off; }}"""
    url = f"http://127.0.0.1:{ports.own}"
    return Started(
        commands=(nginx_command(work, nginx_config(ports.own, locations, upstreams)),),
        plain=Endpoint(f"{url}{_PATH}", "any-model", {}),
        streams=Endpoint(f"{url}/streams{_PATH}", "any-model", {}),
    )


def _litellm(work: Path, ports: Ports) -> Started:
    upstreams = {"plain": ports.plain_upstream, "streams": ports.stream_upstream}
    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": "openai/any-model",
                "api_base": f"http://127.0.0.1:{port}/v1",
                "api_key": "sk-upstream",
            },
        }
        for name, port in upstreams.items()
    ]
    config = {"model_list": models, "general_settings": {"master_key": "sk-bench"}}
    (work / "litellm.yaml").write_text(json.dumps(config))  # JSON is YAML
    url = f"http://127.0.0.1:{ports.own}{_PATH}"
    headers = {"Authorization": "Bearer sk-bench"}
    command = (
        *(str(_LITELLM / "litellm"), "--config", str(work / "litellm.yaml")),
        *("--host", "127.0.0.1", "--port", str(ports.own), "--num_workers", "1"),
    )
    return Started(
        commands=(command,),
        plain=Endpoint(url, "plain", headers),
        streams=Endpoint(url, "streams", headers),
    )


def _portkey(work: Path, ports: Ports) -> Started:
    url = f"http://127.0.0.1:{ports.own}{_PATH}"

    def headers(upstream: int) -> dict[str, str]:
        return {
            "Authorization": "Bearer sk-upstream",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
        }

    command = (
        *("node", "--require", str(Path(__file__).with_name("loopback.cjs"))),
        *(str(_PORTKEY / "build" / "start-server.js"), f"--port={ports.own}", "--headless"),
    )
    return Started(
        commands=(command,),
        plain=Endpoint(url, "any-model", headers(ports.plain_upstream)),
        streams=Endpoint(url, "any-model", headers(ports.stream_upstream)),
    )


def _slipstream(work: Path, ports: Ports) -> Started:
    config = f"""
[server]
host = "127.0.0.1"
port = {ports.own}
workers = 1

[providers.lab]
dialect = "openai_chat"
base_url = "http://127.0.0.1:{ports.plain_upstream}/v1"
api_key = "sk-upstream"

[providers.streams]
dialect = "openai_chat"
base_url = "http://127.0.0.1:{ports.stream_upstream}/v1"
api_key = "sk-upstream"
"""
    path = work / "slipstream.toml"
    path.write_text(config)
    env = {"SLIPSTREAM_HOME": str(work / "home")}
    url = f"http://127.0.0.1:{ports.own}{_PATH}"
    headers = {"Authorization": f"Bearer {create_key(work, env)}"}
    return Started(
        commands=((str(_SLIPSTREAM), "serve", "--config", str(path)),),
        plain=Endpoint(url, "lab/any-model", headers),
        streams=Endpoint(url, "streams/any-model", headers),
        env=env,
    )


def create_key(work: Path, env: Mapping[str, str]) -> str:
    """Return a new key of Slipstream's, kept under the home that `env` names."""
    done = subprocess.run(
        [str(_SLIPSTREAM), "keys", "create", "bench"],
        env={**os.environ, **env},
        cwd=work,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"slipstream keys create failed: {done.stderr[-800:]}")
    return done.stdout.strip()


def _needs(*paths: Path) -> Callable[[], str]:
    def missing() -> str:
        return ", ".join(str(path.relative_to(ROOT)) for path in paths if not path.exists())

    return missing


def _needs_tool(name: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else name


def _nginx_version() -> str:
    done = subprocess.run(["nginx", "-v"], capture_output=True, text=True, timeout=10)
    return done.stderr.strip().rpartition("/")[2]


def _litellm_version() -> str:
    found = sorted((_LITELLM.parent / "lib").glob("python*/site-packages/litellm-*.dist-info"))
    return found[0].name.removeprefix("litellm-").removesuffix(".dist-info")


def _portkey_version() -> str:
    return str(json.loads((_PORTKEY / "package.json").read_text())["version"])


def _slipstream_version() -> str:
    for line in (ROOT / "src" / "slipstream" / "__init__.py").read_text().splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    return "unknown"


ROWS = (
    Contestant(
        name="direct",
        how_to_install="apt-get install nginx-light wrk",
        is_gateway=False,
        is_peer=False,
        missing=_needs_tool("nginx"),
        version=_nginx_version,
        prepare=_direct,
        start_limit_s=10,
    ),
    Contestant(
        name="nginx",
        how_to_install="apt-get install nginx-light wrk",
        is_gateway=False,
        is_peer=False,
        missing=_needs_tool("nginx"),
        version=_nginx_version,
        prepare=_nginx,
        start_limit_s=10,
    ),
    Contestant(
        name="slipstream",
        how_to_install="make setup",
        is_gateway=True,
        is_peer=False,
        missing=_needs(_SLIPSTREAM),
        version=_slipstream_version,
        prepare=_slipstream,
        start_limit_s=30,
        import_command=(str(_SLIPSTREAM.with_name("python")), "-c", "import slipstream"),
        help_command=(str(_SLIPSTREAM), "--help"),
    ),
    Contestant(
        name="portkey",
        how_to_install="make bench-peers",
        is_gateway=True,
        is_peer=True,
        missing=_needs(_PORTKEY),
        version=_portkey_version,
        prepare=_portkey,
        start_limit_s=60,
        env={"NODE_ENV": "production"},
    ),
    Contestant(
        name="litellm",
        how_to_install="make bench-peers",
        is_gateway=True,
        is_peer=True,
        missing=_needs(_LITELLM / "litellm"),
        version=_litellm_version,
        prepare=_litellm,
        start_limit_s=180,
        import_command=(str(_LITELLM / "python"), "-c", "import litellm"),
        help_command=(str(_LITELLM / "litellm"), "--help"),
        # Its table of prices comes from the package, not from the network.
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"},
    ),
)
