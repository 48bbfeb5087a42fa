"""`slipstream explain` as a process, beside a running gateway and without one."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipstream.cli.child import child_environ, gateway
from slipstream.ledger.store import open_store, sqlite_url
from slipstream.limits.keys import list_keys

_LIMIT_S = 60
_EXPLAIN = [sys.executable, "-m", "slipstream", "explain"]
_CONFIG = """
[server]
port = 1
log = "off"

[providers.lab]
dialect = "openai_chat"
base_url = "{mock}/v1"
api_key = "lab-secret-key"

[targets."lab/blind"]
abilities = ["chat"]

[routes.chain]
targets = ["lab/echo-1?status=500", "lab/blind", "lab/echo-1"]

[models]
"""

Done = subprocess.CompletedProcess[str]
Explain = Callable[..., Done]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, mock_url: str) -> Path:
    """Return an installation whose one provider is the scripted one."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "slipstream.toml").write_text(_CONFIG.format(mock=mock_url))
    return folder


@pytest.fixture(scope="module")
def environ(home: Path) -> dict[str, str]:
    """Return the environment of a command there."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("SLIPSTREAM_")}
    return child_environ({**ours, "SLIPSTREAM_HOME": str(home)})


@pytest.fixture(scope="module")
def url(home: Path, environ: dict[str, str]) -> Iterator[str]:
    """Run a gateway; give its address."""
    with gateway(["--port", "0"], environ, home / "log") as child:
        yield child.url


@pytest.fixture
def explain(home: Path, environ: dict[str, str]) -> Explain:
    """Return a function that runs one `slipstream explain` to its end, with no gateway to find."""

    def run(*words: str, piped: str | None = None, **more: str) -> Done:
        return subprocess.run(
            [*_EXPLAIN, *words],
            env={**environ, **more},
            cwd=home,
            input=piped,
            stdin=subprocess.DEVNULL if piped is None else None,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )

    return run


@pytest.fixture
def beside(explain: Explain, url: str) -> Explain:
    """Return the same, where the configuration says where the gateway is that runs."""

    def run(*words: str, piped: str | None = None, **more: str) -> Done:
        return explain(*words, piped=piped, SLIPSTREAM_SERVER_PORT=url.rpartition(":")[2], **more)

    return run


def test_explain_beside_a_gateway_asks_it_with_a_key_that_is_lent(
    beside: Explain, home: Path
) -> None:
    """Nothing need be set up, and nothing is left behind."""
    done = beside("-m", "chain", "--image")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "chain: ordered, 2 of 3 targets to try" in done.stdout
    assert "left, it does not offer images: lab/blind" in done.stdout
    assert "Nothing was measured" not in done.stdout
    assert "lab-secret-key" not in done.stdout
    store = open_store(sqlite_url(home))
    lent = [key for key in list_keys(store) if key.name.startswith("explain-")]
    store.close()
    assert all(key.revoked_at_ns is not None for key in lent)


def test_explain_takes_a_request_of_any_dialect(beside: Explain) -> None:
    """As it would be sent; --json gives all that the gateway told."""
    request = {
        "model": "lab/echo-1",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "é"}],
    }
    done = beside("--path", "/v1/messages", "--json", piped=json.dumps(request))
    told = json.loads(done.stdout)
    assert (told["object"], told["route"], told["strategy"]) == (
        "slipstream.plan",
        "lab/echo-1",
        "pinned",
    )
    assert [each["target"] for each in told["tries"]] == ["lab/echo-1"]


def test_explain_without_a_gateway_says_that_nothing_was_measured(explain: Explain) -> None:
    """The plan is made of the configuration; in JSON the remark stays out of the way."""
    done = explain("-m", "chain", "--strategy", "fastest", "--json")
    assert json.loads(done.stdout)["strategy"] == "fastest"
    assert "no gateway answers at http://127.0.0.1:1" in done.stderr
    offline = explain("-m", "chain", "--offline")
    assert offline.stdout.endswith("this is made of the configuration alone.\n")


def test_request_that_nobody_can_serve_fails(explain: Explain) -> None:
    """A script sees it by the status, a person reads why of each."""
    done = explain("-m", "chain", "--data", "local", "--offline")
    assert done.returncode == 1
    assert "No target of 'chain' can serve this request as it is." in done.stdout
    assert "'local' is asked for: lab/echo-1?status=500, lab/blind, lab/echo-1" in done.stdout


def test_past_call_is_explained_from_the_ledger(beside: Explain, home: Path, url: str) -> None:
    """The id is in the answer's header; a slip of it names the nearest."""
    found = re.search(r"first key, shown only now: (\S+)", (home / "log").read_text())
    assert found is not None
    call_id = _ask(url, found[1])["x-request-id"]
    done = beside(call_id)

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{call_id}  route chain" in done.stdout
    rows = [line.split() for line in done.stdout.split("\n") if line[:1] in "123"]
    assert [(row[1], row[2]) for row in rows if row] == [
        ("lab/echo-1?status=500", "first"),
        ("lab/blind", "fallback"),
    ]
    told = json.loads(beside(call_id, "--json").stdout)
    assert [each["state"] for each in told["attempts"]] == ["failed", "complete"]

    slip = beside(call_id[:-1] + "zz")
    assert slip.returncode == 1
    assert f"Did you mean {call_id}" in slip.stderr


def test_targets_are_shown_by_the_gateway_that_runs(
    beside: Explain, explain: Explain, url: str
) -> None:
    """By nobody else: what is not measured cannot be shown."""
    done = beside("--targets")
    assert (done.returncode, done.stderr) == (0, "")
    beside("-m", "chain")
    told = json.loads(beside("--targets", "--json").stdout)
    assert "lab/blind" in [each["target"] for each in told["data"]]

    alone = explain("--targets")
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "no gateway answers at http://127.0.0.1:1" in alone.stderr
    assert explain("--targets", "--offline").returncode == 2


@pytest.mark.parametrize(
    ("words", "piped", "said"),
    [
        (["-m", "chian"], None, "Did you mean 'chain'?"),
        ([], '{"model": "chain",}', "standard input, line 1, column 19: no valid JSON"),
        ([], '{"model": "chain"}', "messages"),
        (["--path", "/v1/chat"], '{"model": "chain"}', "Accepted: /v1/chat/completions"),
        (["--quality", "9"], None, "--quality"),
        (["--strategy", "fast"], None, "--strategy"),
        (["--among", "lab/echo-1", "--among", "nobody"], None, "nobody"),
    ],
    ids=["model", "json", "body", "path", "tier", "strategy", "target"],
)
@pytest.mark.parametrize("is_running", [True, False], ids=["running", "offline"])
def test_what_is_wrong_is_said_in_one_line(
    beside: Explain,
    explain: Explain,
    words: list[str],
    piped: str | None,
    said: str,
    is_running: bool,
) -> None:
    """Alike by the gateway and without it: nothing on standard output, and no traceback."""
    done = (beside if is_running else explain)(*words, piped=piped)
    assert done.returncode != 0
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_gateway_that_is_named_is_asked(explain: Explain, url: str) -> None:
    """With the key of the environment; a wrong one is refused in its words."""
    done = explain("--base-url", f"{url}/v1", "-m", "chain", SLIPSTREAM_API_KEY="wrong")
    assert done.returncode == 1
    assert "(status 401)" in done.stderr
    nobody = explain("--base-url", "http://127.0.0.1:9", "-m", "chain")
    assert nobody.returncode == 1
    assert "http://127.0.0.1:9" in nobody.stderr


def _ask(url: str, key: str) -> dict[str, str]:
    """Ask the route for an answer; return its headers."""
    body = json.dumps({"model": "chain", "messages": [{"role": "user", "content": "hi"}]})
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        data=body.encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_LIMIT_S) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}
