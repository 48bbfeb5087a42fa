"""Who is calling: the key in a request's headers, looked up by its hash."""

from collections.abc import Callable, Iterable

from slipstream.errors import NoKey, Unauthorized

FindKey = Callable[[str], str | None]
"""From the key's text to the id of its owner; None for a key that is unknown or revoked."""

NO_KEY = "none"
"""The key id of callers where the server asks for no key."""

_HINT = "Send one made by `slipstream keys create NAME` as 'Authorization: Bearer KEY'."


def authenticate(headers: Iterable[tuple[bytes, bytes]], find_key: FindKey | None) -> str:
    """Return the key id of the caller.

    Args:
        headers: As ASGI gives them, names in lower case.
        find_key: None where the server asks for no key; a key that is sent is then not looked at.

    Raises:
        NoKey: None was sent.
        Unauthorized: It is not one of ours. Its text is not repeated.
    """
    if find_key is None:
        return NO_KEY
    key = _sent_key(headers)
    if key is None:
        raise NoKey(f"No API key was sent. {_HINT}")
    key_id = find_key(key)
    if key_id is None:
        raise Unauthorized(f"The API key that was sent is not known here. {_HINT}")
    return key_id


def _sent_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and token.strip():
                return token.strip()
        elif name == b"x-api-key" and value:
            return value.decode("latin-1").strip()
    return None
