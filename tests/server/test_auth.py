"""The key of a request: where it is looked for, and that it is never repeated."""

import pytest

from slipstream.errors import Unauthorized
from slipstream.server.asgi import headers_of
from slipstream.server.auth import NO_KEY, authenticate

KEYS = {"sk-good": "key-1", "sk-öld": "key-2"}


def test_no_key_is_asked_for_where_none_is_needed() -> None:
    """A server without keys looks at none, not even at a wrong one."""
    assert authenticate({b"authorization": b"Bearer sk-wrong"}, None) == NO_KEY


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer sk-good")],
        [(b"authorization", b"bearer sk-good")],
        [(b"authorization", b"BEARER   sk-good  ")],
        [(b"x-api-key", b"sk-good")],
        [(b"host", b"x"), (b"authorization", b"Basic abc"), (b"x-api-key", b"sk-good")],
        [(b"authorization", b"Bearer"), (b"x-api-key", b"sk-good")],
        [(b"x-api-key", b""), (b"authorization", b"Bearer sk-good")],
    ],
)
def test_key_is_found_in_either_header(headers: list[tuple[bytes, bytes]]) -> None:
    """Both ways of the SDKs are accepted, whatever else is there."""
    assert authenticate(headers_of({"headers": headers}), KEYS.get) == "key-1"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer    ")],
        [(b"authorization", b"sk-good")],
        [(b"authorization", b"Token sk-good")],
        [(b"x-api-key", b"")],
    ],
)
def test_request_without_a_key_says_how_to_get_one(headers: list[tuple[bytes, bytes]]) -> None:
    """What holds no key is told so, and the command that makes one."""
    with pytest.raises(Unauthorized, match=r"No API key was sent.*slipstream keys create"):
        authenticate(headers_of({"headers": headers}), KEYS.get)


@pytest.mark.parametrize(
    "key", [b"sk-wrong-1234", b"\xff\x00\xfe", b"sk-good,sk-good", "sk-öld".encode()]
)
def test_wrong_key_is_refused_and_not_repeated(key: bytes) -> None:
    """Whatever bytes a client sends as a key, they are nowhere in the error."""
    with pytest.raises(Unauthorized, match="not known here") as caught:
        authenticate({b"authorization": b"Bearer " + key}, KEYS.get)
    assert key.decode("latin-1") not in repr(caught.value)


def test_first_key_that_was_sent_counts() -> None:
    """Of two keys the first decides: a wrong one is not made good by another."""
    headers = [(b"authorization", b"Bearer sk-wrong"), (b"authorization", b"Bearer sk-good")]
    with pytest.raises(Unauthorized):
        authenticate(headers_of({"headers": headers}), KEYS.get)
