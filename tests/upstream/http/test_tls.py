"""TLS towards an upstream: who is believed, what is offered, sessions."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from slipstream.errors import ConfigError, ConnectFailed
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.settings import HttpSettings
from tests.upstream.http.servers import (
    CHUNKED_HEAD,
    OK,
    Authority,
    Peer,
    answering,
    fetch,
    open_answer,
    request,
    serve,
    until,
)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_certificate_of_a_known_authority_for_the_name_is_accepted(
    make_client: Callable[..., HttpClient], authority: Authority, ca_file: str, host: str
) -> None:
    """A name and an address are verified alike; ALPN offers HTTP/1.1 alone, SNI the name."""
    context = authority.server_context("localhost", "127.0.0.1")
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    protocols: list[str | None] = []

    async def script(peer: Peer) -> None:
        protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        while True:
            await peer.read_request()
            await peer.send(OK)

    client = make_client(ca_file=ca_file)
    async with serve(script, tls=context, host=host) as server:
        for _ in range(3):
            assert await fetch(client, request(server.origin)) == (200, b"ok")
        assert server.num_accepted == 1
    assert protocols == ["http/1.1"]
    assert names == (["localhost"] if host == "localhost" else [None])


async def test_certificate_for_another_name_is_refused(
    make_client: Callable[..., HttpClient], authority: Authority, ca_file: str
) -> None:
    """A good authority does not vouch for every host."""
    client = make_client(ca_file=ca_file)
    context = authority.server_context("other.example")
    async with serve(answering(OK), tls=context, host="localhost") as server:
        with pytest.raises(ConnectFailed, match=r"certificate was refused .*localhost") as caught:
            await fetch(client, request(server.origin))
        assert server.origin.address in caught.value.message
    assert client.stats.open == 0


async def test_certificate_of_an_unknown_authority_is_refused(
    client: HttpClient, authority: Authority
) -> None:
    """Without the authority among the trusted ones nothing is sent."""
    context = authority.server_context("localhost")
    async with serve(answering(OK), tls=context, host="localhost") as server:
        with pytest.raises(ConnectFailed, match="certificate was refused"):
            await fetch(client, request(server.origin))
    assert client.stats.open == 0


async def test_authority_named_by_ssl_cert_file_is_trusted(
    make_client: Callable[..., HttpClient], authority: Authority, ca_file: str
) -> None:
    """SSL_CERT_FILE means here what it means to other tools."""
    client = make_client(environ={"SSL_CERT_FILE": ca_file})
    context = authority.server_context("localhost")
    async with serve(answering(OK), tls=context, host="localhost") as server:
        assert await fetch(client, request(server.origin)) == (200, b"ok")


async def test_server_without_tls_is_refused(client: HttpClient) -> None:
    """https to a server that speaks plainly fails as TLS, and says so."""

    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serve(script, host="localhost") as server:
        origin = type(server.origin)("https", "localhost", server.origin.port)
        with pytest.raises(ConnectFailed, match="TLS failed"):
            await fetch(client, request(origin))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_session_is_resumed_on_the_next_connection(
    make_client: Callable[..., HttpClient],
    authority: Authority,
    ca_file: str,
    version: ssl.TLSVersion,
) -> None:
    """The second connection skips the certificates: a round trip less, and less CPU."""
    context = authority.server_context("localhost")
    context.minimum_version = context.maximum_version = version
    are_resumed: list[bool] = []

    async def script(peer: Peer) -> None:
        are_resumed.append(peer.writer.get_extra_info("ssl_object").session_reused)
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await peer.wait_closed()

    client = make_client(ca_file=ca_file)
    async with serve(script, tls=context, host="localhost") as server:
        for _ in range(3):
            assert await fetch(client, request(server.origin)) == (200, b"")
    assert are_resumed == [False, True, True]


async def test_answer_until_the_end_of_the_connection_is_read_over_tls(
    make_client: Callable[..., HttpClient], authority: Authority, ca_file: str
) -> None:
    """Both event loops report the end of a TLS connection in their own way; both are an end."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nto the end")
        await peer.finish()

    client = make_client(ca_file=ca_file)
    context = authority.server_context("localhost")
    async with serve(script, tls=context, host="localhost") as server:
        assert await fetch(client, request(server.origin)) == (200, b"to the end")
    await until(lambda: client.stats.open == 0)


async def test_slow_reader_over_tls_holds_the_upstream_back(
    make_client: Callable[..., HttpClient], authority: Authority, ca_file: str
) -> None:
    """Back-pressure works through TLS, and no byte is lost."""
    num_pieces, piece = 300, bytes(range(256)) * 256

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(CHUNKED_HEAD)
        for _ in range(num_pieces):
            peer.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await peer.writer.drain()
        await peer.send(b"0\r\n\r\n")
        await peer.wait_closed()

    client = make_client(ca_file=ca_file, stream_buffer_bytes=10_000)
    context = authority.server_context("localhost")
    async with serve(script, tls=context, host="localhost") as server:
        response = await open_answer(client, request(server.origin))
        body = b"".join([data async for data in response.chunks()])
        assert body == piece * num_pieces
        assert client.stats.idle == 1


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"no certificate", "no PEM certificate")]
)
def test_ca_file_that_cannot_be_used_is_refused_at_once(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """A wrong setting is found at start, not at the first request."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"ca_file = '{path}' cannot be used: .*{reason}"):
        HttpClient(HttpSettings(ca_file=str(path)), environ={})
