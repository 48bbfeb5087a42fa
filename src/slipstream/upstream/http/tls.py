"""TLS towards upstreams: certificates and host names are verified, sessions are resumed.

asyncio offers no way to hand a session to a new connection, but it makes every TLS object through
the context's `wrap_bio`, and so does uvloop; the context below adds the session there.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from slipstream.errors import ConfigError

TRUST_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class ResumingContext(ssl.SSLContext):
    """A verifying client context that offers the last session of a host again.

    One per client, shared by all its connections: a session belongs to the context that made it.
    Hosts come from the operator's configuration, so the table of sessions is bounded by it.
    """

    _sessions: dict[str, ssl.SSLSession]

    def __new__(cls) -> Self:
        # PROTOCOL_TLS_CLIENT demands a certificate and a matching host name from the start; it is
        # what ssl.create_default_context is made of.
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._sessions = {}
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Make the TLS object of one connection, with the host's last session."""
        if session is None and isinstance(server_hostname, str):
            session = self._sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, host: str, tls_object: Any) -> None:
        """Keep the session of a connection that has carried an answer.

        TLS 1.3 servers send their tickets after the handshake, hence not any earlier.
        """
        session = tls_object.session
        if session is not None:
            self._sessions[host] = session


def make_context(ca_file: str, environ: Mapping[str, str]) -> ResumingContext:
    """Make the context that all connections of a client share.

    Trusted are the system's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR if either is
    set, and those of `ca_file`.

    Raises:
        ConfigError: A file that cannot be read or holds no certificate.
    """
    context = ResumingContext()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    cert_file, cert_dir = environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", "")
    if cert_file:
        _trust(context, "SSL_CERT_FILE", cert_file)
    if cert_dir:
        context.load_verify_locations(capath=cert_dir)
    if not cert_file and not cert_dir:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if ca_file:
        _trust(context, "ca_file", ca_file)
    return context


def _trust(context: ssl.SSLContext, name: str, path: str) -> None:
    try:
        context.load_verify_locations(cafile=Path(path))
    except OSError as exc:  # ssl.SSLError is one
        reason = "it holds no PEM certificate" if isinstance(exc, ssl.SSLError) else exc.strerror
        raise ConfigError(f"{name} = {path!r} cannot be used: {reason}") from exc
