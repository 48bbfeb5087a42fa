"""Names of tools that stand in a namespace, made flat for dialects that know no namespaces.

`{namespace}__{name}`, and the way back kept beside the request: a name may hold `__` itself.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from msgspec import Struct

DIALECT: Final = "openai_responses"
MAX_NAME_CHARS: Final = 64  # OpenAI's and Anthropic's bound
_NUM_HASH_CHARS: Final = 8


class ToolOrigin(Struct, frozen=True):
    """What a tool is called where it comes from."""

    namespace: str
    name: str


Origins = Mapping[str, ToolOrigin]
"""Of each flat name, where it comes from; names without a namespace are not in it."""


def flat_name(namespace: str | None, name: str) -> str:
    """Return the one name of a tool; the same for the same two, and of legal length."""
    if not namespace:
        return name
    flat = f"{namespace}__{name}"
    if len(flat) <= MAX_NAME_CHARS:
        return flat
    digest = sha256(flat.encode()).hexdigest()[:_NUM_HASH_CHARS]
    return f"{flat[: MAX_NAME_CHARS - _NUM_HASH_CHARS - 1]}_{digest}"


def short_id(call_id: str) -> str:
    """Return the id of a call, shortened where OpenAI would refuse it; the same for the same id."""
    if len(call_id) <= MAX_NAME_CHARS:
        return call_id
    return f"call_{sha256(call_id.encode()).hexdigest()[:32]}"
