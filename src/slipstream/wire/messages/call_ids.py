"""Ids of tool calls that are legal in Messages, and the way back to those that are not.

Anthropic takes `[a-zA-Z0-9_-]`, at most 64 of them; others give out ids such as `functions.f:0`.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

_LEGAL: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MAX_CHARS: Final = 64
_PACKED: Final = "toolu_x_"  # Anthropic's own ids hold no second underscore
_HASHED: Final = "toolu_h_"


def legal_id(call_id: str) -> str:
    """Return the id as Messages may hold it; the same for the same one.

    `original_id` undoes it, but for ids over 42 bytes, of which only a digest fits: in one request
    a call and its result still have the same one.
    """
    if _LEGAL.fullmatch(call_id) and not call_id.startswith(_PACKED):
        return call_id
    packed = _PACKED + urlsafe_b64encode(call_id.encode()).decode().rstrip("=")
    if len(packed) <= _MAX_CHARS:
        return packed
    return _HASHED + sha256(call_id.encode()).hexdigest()[:32]


def original_id(legal: str) -> str:
    """Return the id from which `legal_id` made this one; any other id unchanged."""
    if not legal.startswith(_PACKED):
        return legal
    packed = legal[len(_PACKED) :]
    try:
        call_id = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except ValueError:
        return legal
    return call_id if legal_id(call_id) == legal else legal
