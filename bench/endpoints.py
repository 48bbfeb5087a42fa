"""What is sent to a contestant and what comes back: addresses, requests, the fixed answer."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

REQUEST_BYTES = 250
ANSWER_BYTES = 800
_USAGE = {"prompt_tokens": 25, "completion_tokens": 110, "total_tokens": 135}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go: for plain answers or for streams."""

    url: str
    model: str
    headers: dict[str, str]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the URL."""
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    def all_headers(self) -> dict[str, str]:
        """Return every header of a request but its length."""
        host, port = self.address
        return {"Host": f"{host}:{port}", "Content-Type": "application/json", **self.headers}

    def raw_request(self, body: bytes) -> bytes:
        """Return a whole HTTP/1.1 POST."""
        lines = [f"POST {urlsplit(self.url).path} HTTP/1.1"]
        headers = self.all_headers() | {"Content-Length": str(len(body))}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


def plain_body(model: str) -> bytes:
    """Return a request of exactly `REQUEST_BYTES`, whatever the model is called there."""
    return _padded({"model": model, "messages": [{"role": "user", "content": ""}]}, REQUEST_BYTES)


def stream_body(model: str, *, num_events: int, events_per_s: float) -> bytes:
    """Return a request for a stream; the stream server reads length and pace from it."""
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": "Count."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": num_events,
        "seed": round(events_per_s),
    }
    return json.dumps(asked).encode()


def answer_body() -> bytes:
    """Return the upstream's plain answer, exactly `ANSWER_BYTES` long."""
    message = {"role": "assistant", "content": ""}
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "any-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
    size = len(json.dumps(answer))
    message["content"] = ("word " * ANSWER_BYTES)[: ANSWER_BYTES - size]
    return json.dumps(answer).encode()


def post(endpoint: Endpoint, body: bytes, *, limit_s: float) -> tuple[int, bytes]:
    """Send one request on a connection of its own; return status and whole body."""
    host, port = endpoint.address
    connection = http.client.HTTPConnection(host, port, timeout=limit_s)
    try:
        connection.request("POST", urlsplit(endpoint.url).path, body, endpoint.all_headers())
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_for_port(port: int, *, limit_s: float) -> None:
    """Return once something accepts connections; raise TimeoutError after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError(f"nothing listens on 127.0.0.1:{port} after {limit_s:g} s")


def _padded(asked: dict[str, object], size_bytes: int) -> bytes:
    messages = asked["messages"]
    assert isinstance(messages, list)
    missing = size_bytes - len(json.dumps(asked))
    messages[0]["content"] = ("word " * size_bytes)[:missing]
    return json.dumps(asked).encode()
