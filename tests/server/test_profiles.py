"""Profiles: the model's own comes before the server's, and that before the caller's SDK."""

import pytest

from slipstream.server.doors import doors_of
from slipstream.server.profiles import CEREBRAS, OPENAI, Profiles
from slipstream.wire.cerebras.models import row_for

OWN = {"strict": "cerebras", "lenient": "openai"}


@pytest.mark.parametrize(
    ("default", "agent", "name"),
    [
        ("auto", b"Cerebras/Python 1.91.0", "cerebras"),
        ("auto", b"AsyncCerebras/Python 1.91.0", "cerebras"),
        ("auto", b"Cerebras/JS 1.91.0", "cerebras"),
        ("auto", b"OpenAI/Python 3.52.0", "openai"),
        ("auto", b"curl/8 Cerebras/Python", "openai"),
        ("auto", b"", "openai"),
        ("openai", b"Cerebras/Python 1.91.0", "openai"),
        ("cerebras", b"OpenAI/Python 3.52.0", "cerebras"),
    ],
)
def test_caller_is_answered_as_its_sdk_expects(default: str, agent: bytes, name: str) -> None:
    """Only `auto` looks at the SDK."""
    assert Profiles(default).of_caller({b"user-agent": agent}).name == name


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"model":"strict"}', ("cerebras", "cerebras")),
        (b'{"model":"lenient"}', ("openai", "openai")),
        (b'{"model":"other"}', ("openai", "cerebras")),
        (b'{"model":"strict","n":"x","messages":3}', ("cerebras", "cerebras")),
        (b'{"model":3}', ("openai", "cerebras")),
        (b"{}", ("openai", "cerebras")),
        (b"[1]", ("openai", "cerebras")),
        (b'{"model":"strict"', ("openai", "cerebras")),
        (b'{"model":"\xff"}', ("openai", "cerebras")),
        (b"", ("openai", "cerebras")),
    ],
)
def test_model_decides_before_its_caller(body: bytes, wanted: tuple[str, str]) -> None:
    """Whatever else is wrong with a body, its model's profile tells it; else the caller's does."""
    profiles = Profiles(of_models=OWN)
    found = (profiles.of_request(body, caller).name for caller in (OPENAI, CEREBRAS))
    assert tuple(found) == wanted


@pytest.mark.parametrize("default", ["auto", "openai", "cerebras"])
def test_caller_that_names_anthropics_version_gets_its_errors(default: str) -> None:
    """Also at paths that nobody offers; no other SDK sends that header."""
    headers = {b"anthropic-version": b"2023-06-01", b"user-agent": b"Cerebras/Python"}
    assert Profiles(default).of_caller(headers).name == "anthropic"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/messages", {}, "anthropic"),
        ("/messages", {b"user-agent": b"Cerebras/Python"}, "anthropic"),
        ("/responses", {b"anthropic-version": b"2023-06-01"}, "responses"),
        ("/chat/completions", {b"anthropic-version": b"2023-06-01"}, "openai"),
        ("/chat/completions", {b"user-agent": b"Cerebras/Python"}, "cerebras"),
        ("/embeddings", {}, "openai"),
    ],
)
def test_path_of_one_api_is_answered_in_it(
    path: str, headers: dict[bytes, bytes], name: str
) -> None:
    """Whoever calls, and whatever profile the model has."""
    profiles, door = Profiles(of_models=OWN), doors_of(lambda name: row_for(name))[path]
    profile = profiles.at_door(door, headers)
    assert profile.name == name
    if path in ("/messages", "/responses"):
        assert profiles.of_request(b'{"model":"strict"}', profile) is profile


@pytest.mark.parametrize(
    ("path", "version", "name"),
    [
        ("/v1/messages", None, "anthropic"),
        ("/messages/batches", None, "anthropic"),
        ("/v1/responses/resp_1", None, "responses"),
        ("/v1/responsesx", None, "openai"),
        ("/v1/nope", None, "openai"),
        ("/v1/nope", b"2023-06-01", "anthropic"),
        ("/v1/responses", b"2023-06-01", "responses"),
    ],
)
def test_path_decides_before_its_caller(path: str, version: bytes | None, name: str) -> None:
    """What is answered where no door is: a path of one API is told in it."""
    headers = {} if version is None else {b"anthropic-version": version}
    assert Profiles().at_path(path, headers).name == name
