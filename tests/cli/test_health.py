"""What a gateway says of itself."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream.cli.child import child_environ, gateway
from slipstream.cli.health import await_model, read_health, read_report
from slipstream.errors import LoadFailed
from tests.cli.played_gateway import played_gateway


@pytest.fixture(scope="module")
def gateway_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a gateway whose only model was never pulled."""
    home: Path = tmp_path_factory.mktemp("home")
    path = home / "slipstream.toml"
    path.write_text("[models.tiny]\n[providers]\n")
    environ = child_environ({**os.environ, "SLIPSTREAM_HOME": str(home)})
    with gateway(["--config", str(path), "--port", "0"], environ, home / "log") as child:
        yield child.url


def test_read_health_gives_the_state_of_each_model(gateway_url: str) -> None:
    """A gateway names its models and how they are."""
    assert read_health(gateway_url) == {"tiny": "not installed"}


def test_read_health_knows_ours_from_others(mock_url: str) -> None:
    """Another program, one that says nothing, and no program are not taken for a gateway."""
    assert read_health(mock_url) is None
    assert read_health("http://127.0.0.1:9") is None
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert read_health(f"http://127.0.0.1:{silent.getsockname()[1]}", limit_s=0.2) is None


def test_await_model_fails_at_once_where_it_is_not_installed(gateway_url: str) -> None:
    """What can never become ready is not waited for."""
    with pytest.raises(LoadFailed, match="not installed"):
        await_model(gateway_url, "tiny", limit_s=600)


@pytest.mark.parametrize("state", ["failed", "damaged"])
def test_await_model_fails_at_once_where_it_cannot_become_ready(state: str) -> None:
    """Regression: a model that could not be loaded was waited for to the end."""
    with (
        played_gateway({"models": {"tiny": state}}, {}) as port,
        pytest.raises(LoadFailed, match=state),
    ):
        await_model(f"http://127.0.0.1:{port}", "tiny", limit_s=600)


def test_read_report_gives_the_reasons_too() -> None:
    """A gateway says why a model cannot answer; one that has none such says nothing of it."""
    health = {"models": {"tiny": "failed"}, "problems": {"tiny": "no memory"}}
    for said, wanted in ((health, {"tiny": "no memory"}), ({"models": {}}, {})):
        with played_gateway(said, {}) as port:
            report = read_report(f"http://127.0.0.1:{port}")
        assert report is not None
        assert report.problems == wanted


def test_await_model_gives_up_after_its_limit(mock_url: str) -> None:
    """What does not become ready in time is an error that names the model."""
    with pytest.raises(LoadFailed, match="'tiny' did not become ready"):
        await_model(mock_url, "tiny", limit_s=0.1)
