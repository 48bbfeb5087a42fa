"""Where a request goes and what it says: origins and requests as frozen records, and their bytes.

Nothing here does I/O. Secrets travel in `headers` and `head`, so a request's repr shows neither.
"""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from slipstream.errors import ConfigError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_BAD_IN_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BAD_IN_TARGET: Final = re.compile(rb"[^\x21-\x7e]")
# The client writes these itself; a second one would let two readers see two different requests.
_RESERVED: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade")
)
_NO_BODY_EXPECTED: Final = frozenset((b"GET", b"HEAD"))


class Origin(msgspec.Struct, frozen=True):
    """Who is spoken to: scheme, host and port.

    Args:
        scheme: `http` or `https`.
        host: Lower-case ASCII name or IP address, IPv6 without brackets.
        port: 1 to 65535.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """Take the origin out of a base URL; its path is ignored.

        Raises:
            ConfigError: No http(s) URL with a host, or one with userinfo, query or fragment.
        """
        return parse_base_url(url)[0]

    @property
    def address(self) -> str:
        """`host:port` with an IPv6 host in brackets, as messages and CONNECT write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of `Host`: the address, without the port where it is the scheme's own."""
        if self.port == _DEFAULT_PORTS.get(self.scheme):
            return self.address.rpartition(":")[0]
        return self.address


def parse_base_url(url: str) -> tuple[Origin, str]:
    """Split a base URL into its origin and its path without a trailing slash.

    Raises:
        ConfigError: No http(s) URL with a host, or one with userinfo, query or fragment.
    """
    try:
        parts = urlsplit(url)
        port = _DEFAULT_PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    except ValueError as exc:  # of the port, the brackets, or a name that IDNA refuses
        raise ConfigError("a base URL has a host or port that cannot be used") from exc
    problem = _url_problem(parts, host, port)
    if problem is not None:
        # The URL itself is not shown: userinfo and query are where keys hide.
        raise ConfigError(f"a base URL {problem}; accepted: http(s)://host[:port][/path]")
    return Origin(parts.scheme, host, port), parts.path.rstrip("/")


def _url_problem(parts: SplitResult, host: str, port: int) -> str | None:
    if parts.scheme not in _DEFAULT_PORTS:
        return f"has the scheme {parts.scheme!r}"
    if not host or port == 0:
        return "names no host, or port 0"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or password"
    if parts.query or parts.fragment:
        return "holds a query or a fragment"
    if _BAD_IN_TARGET.search(parts.path.encode()):
        return "has a path with a space, control or non-ASCII character"
    return None


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, ready to be written.

    Args:
        target: Path and query, origin-form.
        headers: Used when `head` is empty. `Host` and `Content-Length` are the client's.
        head: The result of `encode_head` for the same origin, method and target, so that a leaf
            encodes its constant headers once.
        body: Whole body; shared, not copied, until it is written.
    """

    origin: Origin
    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    head: bytes = b""
    body: bytes = b""

    def __repr__(self) -> str:
        method = self.method.decode("ascii", "replace")
        return f"HttpRequest({method} {self.origin.address}, body of {len(self.body)} bytes)"


def encode_head(
    origin: Origin, method: bytes, target: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> bytes:
    """Encode request line and headers: everything but Content-Length and the empty line.

    Raises:
        ConfigError: A method, target, header name or value that would not arrive as meant.
    """
    if _TOKEN.fullmatch(method) is None:
        raise ConfigError("an upstream request's method is not an HTTP token")
    if not target.startswith(b"/") or _BAD_IN_TARGET.search(target):
        raise ConfigError("an upstream request's path must start with '/' and be plain ASCII")
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: " + origin.authority.encode("ascii")]
    for name, value in headers:
        _check_header(name, value)
        lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n"


def _check_header(name: bytes, value: bytes) -> None:
    shown = name.decode("ascii", "backslashreplace")
    if _TOKEN.fullmatch(name) is None:
        raise ConfigError(f"the upstream header name {shown!r} is not an HTTP token")
    if name.lower() in _RESERVED:
        raise ConfigError(f"the upstream header {shown!r} is written by the client itself")
    if _BAD_IN_VALUE.search(value):
        # The value is often a key that was read from a file together with its line end.
        raise ConfigError(f"the upstream header {shown!r} has a control character in its value")


def finish_head(head: bytes, method: bytes, body_bytes: int) -> bytes:
    """Add Content-Length, where the method calls for one, and the empty line."""
    if body_bytes == 0 and method in _NO_BODY_EXPECTED:
        return head + b"\r\n"
    return b"%bContent-Length: %d\r\n\r\n" % (head, body_bytes)
