"""The client against nginx: its keep-alive, its early refusals, its TLS sessions, its buffering."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from slipstream.errors import StreamCut
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import Origin
from tests.upstream.http.servers import Authority, fetch, open_answer, request, until

_CONF = """
daemon off; master_process off; worker_processes 1;
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; default_type text/plain; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s; keepalive_timeout 20s 7s; keepalive_requests 4; root {folder};
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  ssl_session_cache shared:s:1m;
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls_port} ssl;
    client_max_body_size 1k; gzip on; gzip_min_length 1;
    location /small {{ return 200 "$request_method $request_length $http_x_test"; }}
    location /moved {{ return 301 /small; }}
    location /session {{ return 200 "$ssl_session_reused"; }}
    location /none {{ return 204; }}
    location /drop {{ return 444; }}
  }}
}}
"""


def requires_nginx() -> str:
    """Return nginx's path; without it skip, but fail in CI, where it is installed."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        message = "nginx is not installed; these tests need it"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def _free_ports(count: int) -> list[int]:
    socks = [socket.socket() for _ in range(count)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    ports = [int(sock.getsockname()[1]) for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def _answers(port: int) -> bool:
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    # nginx cannot choose a port itself, so another process may take it first: try again then.
    for _ in range(5):
        ports = _free_ports(2)
        text = _CONF.format(folder=folder, port=ports[0], tls_port=ports[1])
        (folder / "nginx.conf").write_text(text)
        process = subprocess.Popen(
            [
                requires_nginx(),
                "-p",
                str(folder),
                "-e",
                f"{folder}/error.log",
                "-c",
                f"{folder}/nginx.conf",
            ]
        )
        give_up_s = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < give_up_s:
            if _answers(ports[1]):
                return process, ports
            time.sleep(0.01)
        process.kill()
        process.wait(10)
    raise AssertionError((folder / "error.log").read_text())


@pytest.fixture(scope="module")
def ports(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """A running nginx: its plain and its TLS port."""
    folder = tmp_path_factory.mktemp("nginx")
    chain, key = authority.issue("localhost")
    (folder / "cert.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(key)
    (folder / "file.txt").write_bytes(b"0123456789" * 300_000)
    process, found = _start(folder)
    yield found
    process.terminate()
    process.wait(20)


@pytest.fixture
def origin(ports: list[int]) -> Origin:
    """The plain server."""
    return Origin("http", "127.0.0.1", ports[0])


async def test_nginx_keeps_the_connection_as_long_as_it_says(
    client: HttpClient, origin: Origin
) -> None:
    """nginx closes after 4 requests, with `Connection: close` on the fourth: nothing is lost."""
    headers = ((b"X-Test", b"v"),)
    for _ in range(12):
        status, body = await fetch(client, request(origin, target=b"/small", headers=headers))
        assert (status, body.split()[0], body.split()[2]) == (200, b"POST", b"v")
    assert (client.stats.created, client.stats.reused, client.stats.resent) == (3, 9, 0)


async def test_nginx_hint_of_its_keep_alive_is_obeyed(client: HttpClient, origin: Origin) -> None:
    """nginx says `Keep-Alive: timeout=7`; the connection is kept for less than that."""
    response = await open_answer(client, request(origin, target=b"/small"))
    assert response.header(b"keep-alive") == b"timeout=7"
    await response.read()
    pool = client._ways[origin].pool
    left_s = pool._idle[0].idle_expires_s - pool._loop.time()
    assert 0 < left_s <= 6


async def test_nginx_refusal_of_a_large_body_is_read(client: HttpClient, origin: Origin) -> None:
    """nginx answers 413 after the headers and reads no body."""
    status, body = await fetch(client, request(origin, target=b"/small", body=b"x" * 8_000_000))
    assert status == 413
    assert b"413" in body
    await until(lambda: client.stats.open == client.stats.idle == 0)


async def test_nginx_does_not_compress_what_was_not_offered(
    client: HttpClient, origin: Origin
) -> None:
    """gzip is on there; a request without Accept-Encoding gets the bytes as they are."""
    response = await open_answer(
        client, request(origin, method=b"GET", target=b"/file.txt", body=b"")
    )
    assert response.header(b"content-encoding") is None
    total = sum([len(data) async for data in response.chunks()])
    assert total == int(response.header(b"content-length") or b"0") == 3_000_000


@pytest.mark.parametrize(
    ("method", "target", "status", "has_body"),
    [
        (b"GET", b"/moved", 301, True),
        (b"GET", b"/none", 204, False),
        (b"HEAD", b"/file.txt", 200, False),
        (b"GET", b"/absent", 404, True),
    ],
)
async def test_nginx_answers_of_every_shape_are_read(
    client: HttpClient, origin: Origin, method: bytes, target: bytes, status: int, has_body: bool
) -> None:
    """A redirect is an answer, 204 and HEAD have no body, an error page is a body."""
    got, body = await fetch(client, request(origin, method=method, target=target, body=b""))
    assert (got, bool(body)) == (status, has_body)


async def test_nginx_that_closes_without_an_answer_is_a_cut_stream(
    client: HttpClient, origin: Origin
) -> None:
    """`return 444` closes at once: a failure on a new connection, one more try on a used one."""
    for num_used in (0, 1):
        for _ in range(num_used):
            await fetch(client, request(origin, target=b"/small"))
        with pytest.raises(StreamCut, match="before its answer"):
            await fetch(client, request(origin, target=b"/drop"))
        assert client.stats.resent == num_used


async def test_nginx_session_is_resumed(
    make_client: Callable[..., HttpClient], ports: list[int], ca_file: str
) -> None:
    """nginx itself says whether a connection resumed a session: `r`, else `.`."""
    client = make_client(ca_file=ca_file, max_idle_connections=0)
    origin = Origin("https", "localhost", ports[1])
    seen = [(await fetch(client, request(origin, target=b"/session")))[1] for _ in range(3)]
    assert seen == [b".", b"r", b"r"]
