"""What a Responses request has to do with answers that are kept here.

    body ── a glance ──▶ Wish ── what is kept ──▶ Following ──▶ whoever reads the body whole

The body stays as the client wrote it, so that errors name what the client knows.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct


class Wish(Struct, frozen=True, kw_only=True):
    """What a request says of it.

    Args:
        store: Its answer is to be kept.
        is_background: The client will come back for the answer.
        has_references: It may name items of earlier answers.
    """

    store: bool = True
    is_background: bool = False
    previous_response_id: str | None = None
    has_references: bool = False

    @property
    def is_none(self) -> bool:
        """It neither goes on with anything nor leaves anything behind."""
        return not (
            self.store or self.is_background or self.previous_response_id or self.has_references
        )


class Following(Struct, frozen=True, kw_only=True):
    """What is known of the answers before it.

    Args:
        is_kept: The answer will be kept.
        earlier: Items of the answers that it follows, oldest first.
        known: Items that an `item_reference` may name, by id.
        goes_on: It needs any of these.
        provider: Who keeps all of that, too, and may get the ids in place of the items.
        upstream_id: Under which that one knows the answer before it.
        tell_items: Takes what returns the answer's items as the next turn needs them.
    """

    is_kept: bool
    earlier: tuple[msgspec.Raw, ...] = ()
    known: Mapping[str, msgspec.Raw] = {}
    goes_on: bool = False
    provider: str | None = None
    upstream_id: str | None = None
    tell_items: Callable[[Callable[[], list[bytes]]], None] | None = None

    def is_readable_at(self, provider: str) -> bool:
        """Tell whether a provider understands the request as the client wrote it."""
        return not self.goes_on or self.provider == provider


UNKEPT: Final = Following(is_kept=False)


def own_response_id(call_id: str) -> str:
    """Return the id of an answer that we write ourselves; a relayed one has its provider's."""
    return f"resp_{call_id}"
