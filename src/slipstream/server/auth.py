"""Who is calling: the key in a request's headers, looked up by its hash."""

from collections.abc import Callable, Mapping

from slipstream.errors import NoKey, Unauthorized

FindKey = Callable[[str], str | None]
"""From the key's text to the id of its owner; None for a key that is unknown or revoked."""

NO_KEY = "none"
"""The key id of callers where the server asks for no key."""

_HINT = "Send one made by `slipstream keys create NAME` as 'Authorization: Bearer KEY'."


def authenticate(headers: Mapping[bytes, bytes], find_key: FindKey | None) -> str:
    """Return the key id of the caller.

    Args:
        headers: By name in lower case.
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


def _sent_key(headers: Mapping[bytes, bytes]) -> str | None:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and (token := token.strip()):
        return token.decode("latin-1")
    key = headers.get(b"x-api-key")
    return key.decode("latin-1").strip() if key else None
