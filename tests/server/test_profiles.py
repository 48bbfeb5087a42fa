"""Profiles: the model's own comes before the server's, and that before the caller's SDK."""

import pytest

from slipstream.server.profiles import CEREBRAS, OPENAI, Profiles

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
