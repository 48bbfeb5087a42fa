"""Asking the admin API: which gateway is found, with which key, and what is said of a failure."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from slipstream.cli.admin import Admin, AdminFailed, running_admin, url_of
from slipstream.config import Config, load

KEY = "sk-played"


class _Played(ThreadingHTTPServer):
    """A gateway played by a test: it knows one key, and says back what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._say(*self._answer(b""))

    def do_POST(self) -> None:
        self._say(*self._answer(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: bytes) -> tuple[int, bytes]:
        if self.path == "/health":
            return 200, b'{"models": {}}'
        if self.headers["authorization"] != f"Bearer {KEY}":
            return 401, b'{"error": {"message": "That key is not known here."}}'
        if self.path == "/broken":
            return 200, b"<html>"
        if self.path == "/odd":
            return 500, b"oh no"
        return 200, json.dumps({"path": self.path, "body": body.decode()}).encode()

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def played() -> Iterator[_Played]:
    """Run the played gateway."""
    with _Played() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def config_of(home: Path, server: str) -> Config:
    """Return a configuration with this table of the server."""
    path = home / "slipstream.toml"
    path.write_text(f"[server]\n{server}\n[models]\n")
    return load(path, {"SLIPSTREAM_HOME": str(home)})


@contextmanager
def found(
    home: Path, played: _Played, base_url: str | None = None, **environ: str
) -> Iterator[Admin | None]:
    """Give what is found where the configuration says that the played gateway listens."""
    port = played.url.rpartition(":")[2]
    config = config_of(home, f"port = {port}\nrequire_key = false")
    with running_admin(base_url, config, environ) as admin:
        yield admin


def test_get_and_post_say_what_is_asked(played: _Played) -> None:
    """With the key; a base URL may end in `/v1`, as SDKs want it."""
    admin = Admin(f"{played.url}/v1/", KEY, is_near=True)
    assert admin.get("/v1/x", dict[str, str]) == {"path": "/v1/x", "body": ""}
    assert admin.post("/v1/x", b'{"a": 1}', dict[str, str])["body"] == '{"a": 1}'


@pytest.mark.parametrize(
    ("path", "key", "said", "status"),
    [
        ("/x", "sk-wrong", "That key is not known here. (status 401)", 401),
        ("/odd", KEY, "Internal Server Error (status 500)", 500),
        ("/broken", KEY, "malformed", None),
    ],
    ids=["its own words", "no words", "no JSON"],
)
def test_failure_is_told_in_one_line(
    played: _Played, path: str, key: str, said: str, status: int | None
) -> None:
    """In the gateway's own words, where it sent some."""
    with pytest.raises(AdminFailed) as caught:
        Admin(played.url, key, is_near=True).get(path, dict[str, Any])
    assert said in caught.value.message
    assert caught.value.answer_status == status
    assert "\n" not in caught.value.message


def test_nobody_there_names_the_address() -> None:
    """A wrong address is shown, so that it can be seen to be wrong."""
    with pytest.raises(AdminFailed, match=r"http://127\.0\.0\.1:9: .*refused"):
        Admin("http://127.0.0.1:9", KEY, is_near=True).get("/x", dict[str, Any])


def test_gateway_of_the_configuration_is_found(tmp_path: Path, played: _Played) -> None:
    """Without a key where none is asked for, and with that of the environment."""
    with found(tmp_path, played) as admin:
        assert admin is not None
        with pytest.raises(AdminFailed, match="not known"):
            admin.get("/x", dict[str, Any])
    with found(tmp_path, played, SLIPSTREAM_API_KEY=KEY) as admin:
        assert admin is not None
        assert admin.get("/x", dict[str, str])["path"] == "/x"


def test_gateway_that_is_named_goes_before_it(tmp_path: Path, played: _Played) -> None:
    """It is not looked for: who names it is told if it does not answer."""
    with found(tmp_path, played, "http://127.0.0.1:9/v1", SLIPSTREAM_API_KEY=KEY) as admin:
        assert admin is not None
        assert admin.url == "http://127.0.0.1:9"


@pytest.mark.parametrize("server", ["port = 9", "port = 0"])
def test_no_gateway_is_none(tmp_path: Path, server: str) -> None:
    """Nobody listens there, or nobody knows where."""
    with running_admin(None, config_of(tmp_path, server), {}) as admin:
        assert admin is None


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("port = 8080", "http://127.0.0.1:8080"),
        ('host = "::1"\nport = 1', "http://[::1]:1"),
        ("port = 0", None),
    ],
)
def test_address_is_that_of_the_configuration(tmp_path: Path, server: str, url: str | None) -> None:
    """IPv6 stands in brackets."""
    assert url_of(config_of(tmp_path, server)) == url
