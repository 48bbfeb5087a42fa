"""`slipstream serve` as a process of its own, for SDKs that block the thread that they run in."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.commands import command_of
from tests.prepared_model import MODEL, prepared_directory
from tests.sdks import thinking_model

START_S = 60.0
_STOP_S = 30.0
# The ids that the founding documents name, the retired ones included: those that reason there do
# so here.
THINKING = ("gpt-oss-120b", "zai-glm-4.7", "qwen-3-32b")
PLAIN = ("llama3.1-8b", "llama-3.3-70b", "qwen-3-235b-a22b-instruct-2507")
BROKEN = "not-installed"  # a model that is configured and is not there: a 5xx
_ROUTE = """
[routes."{name}"]
targets = ["{target}"]
profile = "cerebras"
"""
_CONFIG = f"""
[server]
port = 0
log = "off"

[engine]
kv_cache_bytes = 268435456

[models.{MODEL}]

[models.{thinking_model.NAME}]

[models.{BROKEN}]

[limits.busy]
requests_per_minute = 1

[limits.wordy]
tokens_per_hour = 500

[limits.patient]
requests_per_minute = 30
"""


@dataclass(frozen=True)
class Gateway:
    """A running gateway: `url` is what Cerebras's SDKs take, `openai_url` what OpenAI's do."""

    url: str
    key: str
    home: Path
    pid: int

    @property
    def openai_url(self) -> str:
        """With the version in it."""
        return f"{self.url}/v1"

    def make_key(self, name: str) -> str:
        """Make a key, to which the limits of its name hold; return it when the gateway knows it."""
        command = [sys.executable, "-m", "slipstream", "keys", "create", name]
        made = subprocess.run(
            [*command, "--home", str(self.home)], check=True, capture_output=True, timeout=START_S
        )
        key = made.stdout.decode().strip()
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s:
            headers = {"Authorization": f"Bearer {key}"}
            if httpx.get(f"{self.openai_url}/models", headers=headers).status_code == 200:
                return key
            time.sleep(0.02)
        raise TimeoutError(f"the gateway does not know the key of {name}")

    def engine_pid(self, model: str) -> int:
        """Return the process of a model that runs."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        commands = {int(pid): command_of(pid) for pid in children}
        [pid] = [pid for pid, command in commands.items() if f"/{model}" in command]
        return pid


def config_text(more: str = "") -> str:
    """Return a configuration that offers both models under the documents' ids."""
    rows = [(name, thinking_model.NAME) for name in THINKING]
    rows += [(name, MODEL) for name in PLAIN]
    rows += [("qwen-3.8-27b", BROKEN)]
    return _CONFIG + "".join(_ROUTE.format(name=n, target=t) for n, t in rows) + more


@contextmanager
def launched(folder: Path, more: str = "") -> Iterator[Gateway]:
    """Run a gateway with both models until the context closes."""
    home = folder / "home"
    thinking_model.install(home / "models")
    (home / "models" / MODEL).symlink_to(prepared_directory())
    config = folder / "slipstream.toml"
    config.write_text(config_text(more))
    output, errors = folder / "stdout", folder / "stderr"
    command = [sys.executable, "-m", "slipstream", "serve", "--config", str(config)]
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env={**os.environ, "SLIPSTREAM_HOME": str(home)}
        )
    try:
        said = _until_listening(process, output, errors)
        yield Gateway(said["listening on"], said["first key, shown only now:"], home, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_listening(
    process: subprocess.Popen[bytes], output: Path, errors: Path
) -> dict[str, str]:
    """Return what it printed, the last word of each line by those before it."""
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s and process.poll() is None:
        lines = output.read_text().splitlines()
        said = dict(line.rsplit(" ", 1) for line in lines)
        if "listening on" in said:
            return said
        time.sleep(0.02)
    raise TimeoutError(f"the gateway does not listen:\n{errors.read_text()}")
