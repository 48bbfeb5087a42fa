"""Where a prefix that is worth keeping ends."""

from msgspec import Struct


class CacheMark(Struct, frozen=True):
    """The prefix up to here is worth keeping: Anthropic's `cache_control` and what is like it.

    Args:
        ttl: As the client wrote it, such as `5m`, `1h`, `30m`; None for the vendor's own.
    """

    ttl: str | None = None
