"""What a vendor gives out to be handed back unread: made and checked without remembering any.

A seal holds whose it is and what it closes, and a digest: whoever changes it, or hands one vendor's
to another, is found out, in whichever process.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

_SALT: Final = "scripted"
_NUM_HASH_CHARS: Final = 12


def _digest(*parts: str) -> str:
    return sha256("\0".join((_SALT, *parts)).encode()).hexdigest()[:_NUM_HASH_CHARS]


def close_seal(vendor: str, text: str) -> str:
    """Return what the client gets."""
    sealed = f"{_digest(vendor, text)}{text}"
    return urlsafe_b64encode(sealed.encode()).decode()


def open_seal(vendor: str, sealed: str) -> str | None:
    """Return the text that was sealed; None if this vendor gave out no such seal."""
    try:
        opened = urlsafe_b64decode(sealed).decode()
    except ValueError:
        return None
    text = opened[_NUM_HASH_CHARS:]
    return text if opened[:_NUM_HASH_CHARS] == _digest(vendor, text) else None


def make_id(prefix: str, serial: int) -> str:
    """Return an id that `is_own_id` knows again."""
    return f"{prefix}{serial:08x}{_digest('id', f'{serial:08x}')}"


def is_own_id(prefix: str, found: str) -> bool:
    """Tell whether `make_id` made the first part of it."""
    serial, check = found[len(prefix) :][:8], found[len(prefix) :][8 : 8 + _NUM_HASH_CHARS]
    return found.startswith(prefix) and check == _digest("id", serial)
