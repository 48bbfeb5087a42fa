"""What the doctor looks at, each subject with something wrong and with nothing wrong."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from slipstream import config as configuration
from slipstream.cli import checks
from slipstream.cli.checks import GIB
from slipstream.config import Config
from slipstream.engine.weights.manifest import FACTS_FILE
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import create_key, revoke_key


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Hold a port that listens and says nothing."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def _config(home: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    path = home / "slipstream.toml"
    path.write_text(text)
    return configuration.load(path, {"SLIPSTREAM_HOME": str(home), **(environ or {})})


def test_python_that_runs_this_is_new_enough() -> None:
    """Whoever can run the doctor has a Python that will do."""
    assert checks.check_python().status == "ok"


@pytest.mark.parametrize(
    ("available_bytes", "status"),
    [(None, "ok"), (GIB, "ok"), (GIB - 1, "warn")],
)
def test_memory_below_what_a_model_needs_is_a_warning(
    available_bytes: int | None, status: str
) -> None:
    """Too little memory does not stop relaying, so it is a warning with advice."""
    finding = checks.check_memory(available_bytes)
    assert finding.status == status
    assert bool(finding.advice) == (status != "ok")


def test_home_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    """The folder is made at the first start; what counts is whether it can be."""
    assert checks.check_home(tmp_path / "a" / "b").status == "ok"
    assert not (tmp_path / "a").exists()


def test_home_below_a_file_is_a_failure(tmp_path: Path) -> None:
    """A file in the way is named."""
    (tmp_path / "file").write_text("")
    finding = checks.check_home(tmp_path / "file" / "home")
    assert finding.status == "fail"
    assert "SLIPSTREAM_HOME" in finding.advice


def test_model_that_was_not_pulled_is_a_warning_that_says_how(tmp_path: Path) -> None:
    """A model that is configured and not here leads to the command that gets it."""
    (finding,) = checks.check_models(_config(tmp_path, "[models.tiny]\n"))
    assert (finding.status, finding.advice) == ("warn", "slipstream pull tiny")


def test_model_that_is_damaged_is_a_failure(tmp_path: Path) -> None:
    """A model folder that cannot be read is not passed over."""
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / FACTS_FILE).write_text("{}")
    (finding,) = checks.check_models(_config(tmp_path, "[models.tiny]\n"))
    assert (finding.status, finding.advice) == ("fail", "slipstream pull --force tiny")


def test_no_model_is_fine(tmp_path: Path) -> None:
    """A gateway that only relays needs no model."""
    (finding,) = checks.check_models(_config(tmp_path, "[models]\n"))
    assert finding.status == "ok"


def test_keys_are_counted_while_valid(tmp_path: Path) -> None:
    """No database, no key and only revoked keys are warnings; one valid key is enough."""
    database = tmp_path / "slipstream.db"
    assert checks.check_keys(database, is_required=True).status == "warn"
    assert not database.exists(), "looking must not make it"
    store = open_store(sqlite_url(tmp_path))
    record, _ = create_key(store, "mine", time.time_ns())
    assert checks.check_keys(database, is_required=True).text == "1 valid"
    revoke_key(store, record.key_id, time.time_ns())
    store.close()
    assert checks.check_keys(database, is_required=True).status == "warn"
    assert checks.check_keys(database, is_required=False).status == "ok"


def test_keys_in_a_damaged_database_are_a_failure(tmp_path: Path) -> None:
    """A file that is no database is named."""
    database = tmp_path / "slipstream.db"
    database.write_bytes(b"this is no database" * 100)
    finding = checks.check_keys(database, is_required=True)
    assert finding.status == "fail"
    assert str(database) in finding.text


def test_providers_without_a_key_are_named_with_their_variable(tmp_path: Path) -> None:
    """What is not used is one line that says how it could be."""
    (finding,) = checks.check_providers(_config(tmp_path, "[models]\n"))
    assert finding.status == "ok"
    assert "groq (GROQ_API_KEY)" in finding.text


def test_providers_are_reached_or_reported(tmp_path: Path, taken_port: int) -> None:
    """A provider that accepts a connection is ok, one that refuses is a failure."""
    lab = '[providers.{}]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:{}/v1"\n'
    config = _config(tmp_path, lab.format("up", taken_port) + lab.format("down", 9))
    up, down, _ = checks.check_providers(config)
    assert (up.status, down.status) == ("ok", "fail")
    assert "127.0.0.1:9" in down.text


def test_reachable_needs_tls_where_the_address_says_so(taken_port: int) -> None:
    """A port that accepts and then says nothing is no TLS server: it fails within the limit."""
    finding = checks.check_reachable("lab", f"https://127.0.0.1:{taken_port}/v1", limit_s=0.2)
    assert finding.status == "fail"


def test_port_is_free_taken_or_any(taken_port: int) -> None:
    """A port that another program holds is a failure; 0 takes any."""
    assert checks.check_port("127.0.0.1", 0).status == "ok"
    finding = checks.check_port("127.0.0.1", taken_port)
    assert finding.status == "fail"
    assert "--port 0" in finding.advice


def test_available_memory_is_read_where_linux_says_it() -> None:
    """On Linux there is a figure, of a plausible size."""
    found = checks.available_memory_bytes()
    assert (found is None) != os.path.exists("/proc/meminfo")
    assert found is None or 2**20 < found < 2**50
