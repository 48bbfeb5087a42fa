"""A gateway played by a test: it says what the test wants at `/health` and `/metrics`."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from slipstream.engine.protocol import Stats
from slipstream.server.metrics import Metrics

KEY = "sk-played"


@contextmanager
def played_gateway(health: Mapping[str, object], figures: Mapping[str, Stats]) -> Iterator[int]:
    """Answer on 127.0.0.1 while the block runs; give the port. `/metrics` asks for the key."""
    metrics = Metrics()
    metrics.show_engines(lambda: figures)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            has_key = self.headers["authorization"] == f"Bearer {KEY}"
            answers = {
                "/health": (200, json.dumps(health).encode()),
                "/metrics": (200, metrics.render()) if has_key else (401, b"{}"),
            }
            status, body = answers[self.path]
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
