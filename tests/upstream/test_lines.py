"""Lines: address and headers of each dialect at a provider."""

import pytest

from slipstream.call import Dialect, Secret
from slipstream.catalog.providers import Spoken, spoken_by
from slipstream.upstream.http.messages import parse_base_url
from slipstream.upstream.lines import headers_of, line_of

ORIGIN, PATH = parse_base_url("http://127.0.0.1:1/v1")
KEY = Secret("sk-1")


@pytest.mark.parametrize(
    ("dialect", "target"),
    [
        (Dialect.OPENAI_CHAT, b"/v1/chat/completions"),
        (Dialect.OPENAI_COMPLETIONS, b"/v1/completions"),
        (Dialect.OPENAI_RESPONSES, b"/v1/responses"),
        (Dialect.ANTHROPIC_MESSAGES, b"/v1/messages"),
        (Dialect.GEMINI, b"/v1/models/a%2Fb:generateContent"),
    ],
)
def test_dialect_is_at_its_own_path(dialect: Dialect, target: bytes) -> None:
    """A model's name in a path is encoded, so that it can name no other path."""
    line = line_of(Spoken(dialect=dialect), ORIGIN, PATH, KEY)
    request = line.request("a/b", b"{}", is_stream=False)
    assert request.target == target
    assert request.head.startswith(b"POST " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("name", "dialect", "wanted"),
    [
        ("openai", None, {b"authorization": b"Bearer sk-1"}),
        ("anthropic", None, {b"x-api-key": b"sk-1", b"anthropic-version": b"2023-06-01"}),
        ("gemini", None, {b"x-goog-api-key": b"sk-1"}),
        (
            "lab",
            Dialect.ANTHROPIC_MESSAGES,
            {b"x-api-key": b"sk-1", b"authorization": b"Bearer sk-1"},
        ),
    ],
)
def test_key_is_where_the_provider_looks_for_it(
    name: str, dialect: Dialect | None, wanted: dict[bytes, bytes]
) -> None:
    """And nowhere else."""
    headers = dict(headers_of(spoken_by(name, dialect)[0], KEY))
    keys = {k: v for k, v in headers.items() if b"sk-1" in v}
    assert keys == {k: v for k, v in wanted.items() if b"sk-1" in v}
    assert wanted.items() <= headers.items()


def test_clients_headers_stand_in_place_of_ours() -> None:
    """Each name is sent once."""
    line = line_of(Spoken(dialect=Dialect.ANTHROPIC_MESSAGES), ORIGIN, PATH, None)
    request = line.request(
        "m", b"{}", is_stream=False, more=((b"anthropic-version", b"2026-10-21"),)
    )
    assert request.head.count(b"anthropic-version") == 1
    assert b"anthropic-version: 2026-10-21\r\n" in request.head
