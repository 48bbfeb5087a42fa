"""An HTTP server for tests: serves bytes with ranges, and cuts, refuses or redirects when told."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(slots=True)
class Served:
    """One file and how it is served.

    Args:
        cuts: The first requests end after so many bytes, one for each entry.
        status: Answered instead of the file, where it is not 200.
        location: Where to redirect to.
        claimed_bytes: Sent as Content-Length in place of the true one.
    """

    data: bytes = b""
    etag: str | None = '"one"'
    has_ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    status: int = 200
    location: str | None = None
    claimed_bytes: int | None = None
    content_type: str = "application/octet-stream"


class FileServer:
    """Serves `paths` on 127.0.0.1; `requests` lists (method, path, Range header) as they came."""

    def __init__(self) -> None:
        self.paths: dict[str, Served] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, path: str, served: Served) -> str:
        """Serve a file; give its URL."""
        self.paths[path] = served
        return self.url + path

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                _answer(server, self)

            def do_GET(self) -> None:
                _answer(server, self)

        return Handler


def _answer(server: FileServer, handler: BaseHTTPRequestHandler) -> None:
    path = handler.path.partition("?")[0]
    wanted_range = handler.headers.get("Range")
    server.requests.append((handler.command, path, wanted_range))
    served = server.paths.get(path, Served(status=404))
    if served.location is not None or served.status != 200:
        _refuse(handler, served)
        return
    start = _start(handler, served)
    body = served.data[start:]
    handler.send_response(206 if start else 200)
    if start:
        end = len(served.data)
        handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
    length = len(body) if served.claimed_bytes is None else served.claimed_bytes
    handler.send_header("Content-Length", str(length))
    handler.send_header("Content-Type", served.content_type)
    handler.send_header("X-Repo-Commit", "0" * 40)
    if served.etag is not None:
        handler.send_header("ETag", served.etag)
    handler.end_headers()
    if handler.command == "GET":
        if served.cuts:
            body = body[: served.cuts.pop(0)]
            handler.close_connection = True
        handler.wfile.write(body)


def _refuse(handler: BaseHTTPRequestHandler, served: Served) -> None:
    handler.send_response(served.status if served.location is None else 302)
    if served.location is not None:
        handler.send_header("Location", served.location)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _start(handler: BaseHTTPRequestHandler, served: Served) -> int:
    wanted = handler.headers.get("Range")
    if wanted is None or not served.has_ranges:
        return 0
    if handler.headers.get("If-Range") not in (None, served.etag):
        return 0
    return int(wanted.removeprefix("bytes=").partition("-")[0])
