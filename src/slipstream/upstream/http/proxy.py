"""Which proxy a connection goes through, from the variables that every tool reads.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, lower case before upper case, read once. Only
plain `http://` proxies are spoken to; another scheme is refused when it would be used.
"""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit

from slipstream.call import Secret
from slipstream.errors import ConnectFailed
from slipstream.upstream.http.messages import Origin

_DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    Args:
        origin: Where it listens.
        authorization: The value of Proxy-Authorization, if its URL holds a user name.
    """

    origin: Origin
    authorization: Secret | None = None

    def header(self) -> bytes:
        """Return the Proxy-Authorization line with its end, or nothing; it goes onto a wire."""
        if self.authorization is None:
            return b""
        return b"Proxy-Authorization: " + self.authorization.reveal().encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    value: str = field(repr=False)  # may hold a password


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """The proxy variables as they were when the client was made; URLs may hold passwords."""

    _by_scheme: dict[str, _Variable]
    _exempt: tuple[str, ...]

    def __repr__(self) -> str:
        return f"ProxyRules({', '.join(sorted(v.name for v in self._by_scheme.values()))})"

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for an origin, None for a direct connection.

        Raises:
            ConnectFailed: The variable that applies names a proxy that cannot be used.
        """
        variable = self._by_scheme.get(origin.scheme)
        if variable is None or any(_matches(entry, origin) for entry in self._exempt):
            return None
        return _parse_proxy(variable)


def read_proxy_rules(environ: Mapping[str, str]) -> ProxyRules:
    """Read the proxy variables."""
    by_scheme: dict[str, _Variable] = {}
    for scheme in ("http", "https"):
        for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"):
            value = environ.get(name, "").strip()
            if value:
                by_scheme[scheme] = _Variable(name, value)
                break
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    exempt = tuple(entry.strip().lower() for entry in listed.split(",") if entry.strip())
    return ProxyRules(by_scheme, exempt)


def _parse_proxy(variable: _Variable) -> Proxy:
    url = variable.value if "://" in variable.value else f"http://{variable.value}"
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORT
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    except ValueError as exc:
        raise ConnectFailed(f"{variable.name} names a proxy whose host or port is wrong") from exc
    if parts.scheme != "http" or not host:
        # The value is not shown: it may hold a password.
        raise ConnectFailed(
            f"{variable.name} names a proxy with the scheme {parts.scheme!r};"
            " accepted: http://[user:password@]host:port"
        )
    authorization = None
    if parts.username is not None:
        pair = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
        authorization = Secret("Basic " + base64.b64encode(pair).decode("ascii"))
    return Proxy(Origin("http", host, port), authorization)


def _matches(entry: str, origin: Origin) -> bool:
    """Return whether a NO_PROXY entry means this origin.

    Entries: `*`, a name (also its subdomains, with or without a leading dot), an IP address, a
    network in CIDR notation; each but the last may end with `:port`.
    """
    if entry == "*":
        return True
    name, port = _split_port(entry)
    if port is not None and port != origin.port:
        return False
    try:
        address = ipaddress.ip_address(origin.host)
    except ValueError:
        suffix = name.lstrip("*").lstrip(".")
        return bool(suffix) and (origin.host == suffix or origin.host.endswith("." + suffix))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        port = rest.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        return entry, None
    return name, int(port) if port.isdecimal() else None
