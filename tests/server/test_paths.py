"""Paths: what a pattern stands for, which method, and who answers where several could."""

import pytest

from slipstream.server.asgi import Receive, Scope, Send
from slipstream.server.paths import Endpoint, Paths


def _endpoint(name: str) -> Endpoint:
    async def answer(call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError(name)

    answer.__name__ = name
    return answer


PATHS = Paths(
    {
        ("GET", "/v1/files"): _endpoint("list"),
        ("POST", "/v1/files"): _endpoint("upload"),
        ("GET", "/v1/files/{id}/content"): _endpoint("content"),
        ("GET", "/v1/files/{id}"): _endpoint("one"),
        ("DELETE", "/v1/files/{id}"): _endpoint("delete"),
        ("GET", "/v1/models/{id*}"): _endpoint("model"),
        ("GET", "/a.b"): _endpoint("dot"),
        ("GET", "/a.b/{id}"): _endpoint("dotted"),
    }
)


@pytest.mark.parametrize(
    ("method", "path", "name", "ids"),
    [
        ("GET", "/v1/files", "list", {}),
        ("POST", "/v1/files", "upload", {}),
        ("GET", "/v1/files/file_1", "one", {"id": "file_1"}),
        ("DELETE", "/v1/files/file_1", "delete", {"id": "file_1"}),
        ("GET", "/v1/files/file_1/content", "content", {"id": "file_1"}),
        ("GET", "/v1/models/a/b c/ü", "model", {"id": "a/b c/ü"}),
        ("GET", "/v1/models/a\n", "model", {"id": "a\n"}),
        ("GET", "/a.b/1", "dotted", {"id": "1"}),
        ("GET", "/v1/files/", None, {}),
        ("GET", "/v1/files/a/b", None, {}),
        ("PUT", "/v1/files/a", None, {}),
        ("GET", "/v1/models/", None, {}),
        ("GET", "/axb", None, {}),
        ("GET", "/axb/1", None, {}),
    ],
)
def test_path_leads_to_its_endpoint(
    method: str, path: str, name: str | None, ids: dict[str, str]
) -> None:
    """A hole is one segment, or with a star all that follows; nothing else in a pattern is one."""
    scope = {"method": method, "path": path}
    found = PATHS.find(scope)
    assert getattr(found, "__name__", None) == name
    assert scope.get("path_params", {}) == ids


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/files", ["GET", "POST"]),
        ("/v1/files/a", ["DELETE", "GET"]),
        ("/v1/files/a/content", ["GET"]),
        ("/v1/nothing", []),
    ],
)
def test_methods_of_a_path_are_known(path: str, methods: list[str]) -> None:
    """A wrong method is told from a wrong path."""
    assert PATHS.methods(path) == methods
