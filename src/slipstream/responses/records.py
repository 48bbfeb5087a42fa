"""The nouns of this part: an answer, its items, a conversation."""

from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

from slipstream.errors import RequestError


class Status(StrEnum):
    """Where an answer stands, as the dialect says it."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED: Final = (Status.QUEUED, Status.IN_PROGRESS)
FOLLOWABLE: Final = (Status.COMPLETED, Status.INCOMPLETE)
"""Those that another answer may follow."""


class Kept(Struct, frozen=True, kw_only=True):
    """An answer, of whatever status.

    Args:
        body: Its object, as its owner sees it.
        previous_id: Of the answer that it follows.
        provider: Who keeps it, too; None if only we do.
        upstream_id: Under which the provider knows it.
        request: Of an answer in the background, what was asked; None of others.
    """

    key_id: str
    response_id: str
    status: str
    body: bytes
    created_at_ns: int
    previous_id: str | None = None
    provider: str | None = None
    upstream_id: str | None = None
    request: bytes | None = None


class KeptItem(Struct, frozen=True):
    """One item of an answer, or of what was asked for it."""

    item_id: str
    body: bytes
    is_output: bool


class Conversation(Struct, frozen=True):
    """An answer and all that it follows.

    Args:
        items: Of all, oldest first, those of the last answer included.
    """

    last: Kept
    items: tuple[KeptItem, ...]


class Waiting(NamedTuple):
    """An answer in the background that has been begun.

    Args:
        request: What was asked.
        body: Its object, as it was when it was asked for.
        num_starts: How often it was begun, this time included.
    """

    key_id: str
    response_id: str
    request: bytes
    body: bytes
    num_starts: int


class Ending(NamedTuple):
    """How an answer in the background ends.

    Args:
        body: Its object, under its own id; None where only its status is new.
        made_as: The id under which it was made, and its items were kept.
    """

    status: str
    body: bytes | None = None
    made_as: str | None = None


class ResponseNotFound(RequestError):
    """No answer of this caller has the id; another's is as good as none."""

    status = 404
    code = "response_not_found"
    param = "response_id"

    def __init__(self, response_id: str) -> None:
        super().__init__(f"Response with id '{response_id[:100]}' not found.")


class PreviousNotFound(RequestError):
    """The answer that is to be followed is not there, or one that it follows is not."""

    code = "previous_response_not_found"
    param = "previous_response_id"
