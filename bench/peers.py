"""Install the gateways that the benchmarks compare with, each in its own folder under .bench/.

    .bench/litellm/    a virtual environment with the LiteLLM proxy, from PyPI
    .bench/portkey/    a node_modules with the Portkey gateway, from npm

Nothing here touches .venv. Run it again to repair, or after a change of version.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.contestants import PEERS, ROOT

LITELLM_VERSION = "1.109.1"
PORTKEY_VERSION = "1.15.2"
# Later ones share the upstream's immutable headers, and every stream of Portkey 1.15.2 then fails
# with "TypeError: immutable"; its package asks for ^1.3.3 and has no lock of its own.
HONO_NODE_SERVER_VERSION = "1.13.8"
_STEP_LIMIT_S = 900

# Printed by the environment's own Python: what litellm asks for, without lower bounds and exact
# pins. A registry's copy may lag by days; its newest version below the upper bound will do.
_RELAXED = """
import importlib.metadata, json
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.specifiers import SpecifierSet

wanted = []
for line in importlib.metadata.requires("litellm"):
    need = Requirement(line)
    if need.marker and not need.marker.evaluate({"extra": "proxy"}):
        continue
    kept = [str(s) for s in need.specifier if s.operator not in (">=", "==")]
    need.specifier, need.marker = SpecifierSet(",".join(kept)), None
    wanted.append(str(need))
print(json.dumps(sorted(set(wanted))))
"""


def install_litellm() -> str:
    """Make .bench/litellm, relaxing litellm's own pins where the registry cannot meet them."""
    home = PEERS / "litellm"
    python = home / "bin" / "python"
    if not python.exists():
        _must([sys.executable, "-m", "venv", home])
    pip: list[object] = [python, "-m", "pip", "install", "-q", "--only-binary", ":all:"]
    wanted = f"litellm=={LITELLM_VERSION}"
    if _run([*pip, wanted.replace("litellm", "litellm[proxy]")]).returncode == 0:
        return wanted
    _must([*pip, "--no-deps", wanted])
    _must([*pip, *json.loads(_must([python, "-c", _RELAXED]))])
    return f"{wanted}, with the pins of its dependencies relaxed"


def install_portkey() -> str:
    """Make .bench/portkey; the package is built already, so no script of it needs to run."""
    home = PEERS / "portkey"
    home.mkdir(parents=True, exist_ok=True)
    wanted = {
        "private": True,
        "dependencies": {"@portkey-ai/gateway": PORTKEY_VERSION},
        "overrides": {"@hono/node-server": HONO_NODE_SERVER_VERSION},
    }
    (home / "package.json").write_text(json.dumps(wanted, indent=2))
    flags = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _must(["npm", "install", *flags], home)
    return f"@portkey-ai/gateway@{PORTKEY_VERSION} on {HONO_NODE_SERVER_VERSION} of its HTTP server"


INSTALLERS: dict[str, Callable[[], str]] = {"litellm": install_litellm, "portkey": install_portkey}


def _run(command: Sequence[object], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_STEP_LIMIT_S,
    )


def _must(command: Sequence[object], cwd: Path = ROOT) -> str:
    done = _run(command, cwd)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def main() -> None:
    """Install the peers that were named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peers", nargs="*", metavar="PEER", help="litellm, portkey; default: both")
    names = parser.parse_args().peers or list(INSTALLERS)
    unknown = [name for name in names if name not in INSTALLERS]
    if unknown:
        parser.error(f"no peer named {unknown[0]!r}; there are: {', '.join(INSTALLERS)}")
    for name in names:
        print(f"installing {name} …", flush=True)
        print(f"installed {INSTALLERS[name]()}", flush=True)


if __name__ == "__main__":
    main()
