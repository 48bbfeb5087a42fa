"""Answers as bytes, with what must become of them: the one table behind the splitting tests."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """One answer.

    Args:
        data: All its bytes.
        body: What `read` returns.
        body_start: Where the body's framing begins: after the final head.
        is_reusable: Whether the connection may carry another answer.
        ends_at_eof: Whether only the end of the connection ends it.
    """

    name: str
    data: bytes
    status: int
    body: bytes
    is_reusable: bool = True
    ends_at_eof: bool = False
    trailers: tuple[tuple[bytes, bytes], ...] = ()
    method: bytes = b"POST"

    @property
    def body_start(self) -> int:
        """The offset after the final head."""
        start = 0
        while self.data[start:].startswith(b"HTTP/1.1 1"):
            start = self.data.index(b"\r\n\r\n", start) + 4
        return self.data.index(b"\r\n\r\n", start) + 4


CASES: Final = (
    Case(
        "content-length",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nEmpty:\r\nContent-Length: 11\r\n\r\n"
        b"hello world",
        200,
        b"hello world",
    ),
    Case(
        "empty body",
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n",
        429,
        b"",
    ),
    Case(
        "chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"5\r\nhello\r\n006;x=y\r\n world\r\n0\r\n\r\n",
        200,
        b"hello world",
    ),
    Case(
        "chunked with trailers",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"b\r\nhello world\r\n0\r\nX-Sum: 7\r\nX-End:\r\n\r\n",
        200,
        b"hello world",
        trailers=((b"x-sum", b"7"), (b"x-end", b"")),
    ),
    Case(
        "1xx first",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
        201,
        b"ok",
    ),
    Case(
        "until the end of the connection",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello world",
        200,
        b"hello world",
        is_reusable=False,
        ends_at_eof=True,
    ),
    Case(
        "connection: close",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        200,
        b"hello",
        is_reusable=False,
    ),
    Case(
        "HTTP/1.0",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        200,
        b"hello",
        is_reusable=False,
    ),
    Case("204", b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", 204, b""),
    Case("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    Case(
        "HEAD with a length",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n",
        200,
        b"",
        is_reusable=False,
        method=b"HEAD",
    ),
    Case(
        "redirect",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno",
        302,
        b"no",
    ),
)

# Answers that are refused, with a word of the reason.
MALFORMED: Final = {
    "no http": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not HTTP/1.1"),
    "status of letters": (b"HTTP/1.1 abc OK\r\n\r\n", "not HTTP/1.1"),
    "status below 100": (b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok", "status 099"),
    "space in a header name": (b"HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", "not HTTP/1.1"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
        "Content-Length",
    ),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", "Content-Length"),
    "length and chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding",
    ),
    "chunk size of letters": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "not HTTP/1.1",
    ),
    "chunk longer than it says": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
        "not HTTP/1.1",
    ),
    "gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        "Content-Encoding 'gzip'",
    ),
    "gzip hidden behind identity": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: identity\r\n"
        b"Content-Length: 2\r\n\r\nok",
        "Content-Encoding 'gzip'",
    ),
    "transfer coding gzip": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding 'gzip, chunked'",
    ),
    "101": (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "101",
    ),
    "too many 1xx": (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "1xx"),
}
