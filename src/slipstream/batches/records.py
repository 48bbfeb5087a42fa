"""What is known of a file and of a batch, how a batch goes on, and who answers its lines.

    validating ─▶ in_progress ─▶ finalizing ─▶ completed
       │    │        │    │
       │    │        │    ╰───▶ expired            the completion window is over
       │    ╰────────┴────────▶ cancelling ─▶ cancelled
       ╰──────────────────────▶ failed             the input cannot be used

Records are written as they stand here, as JSON; a field that is added needs a default.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, Literal

import msgspec

CHAT_ENDPOINT: Final = "/v1/chat/completions"
WINDOWS_S: Final = {"24h": 24 * 3600}
"""Every completion window that may be asked for, and what it is in seconds."""

DEFAULT_FILE_LIFE_S: Final = 7 * 24 * 3600
_FILE_ID: Final = re.compile(r"file_[0-9a-f]{24}")
_BATCH_ID: Final = re.compile(r"batch_[0-9a-f]{24}")

Purpose = Literal["batch", "batch_output"]
Metadata = dict[str, str | list[str]]


class Ask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a batch, to be answered as if its owner had sent it over HTTP."""

    custom_id: str
    key_id: str  # of the batch's owner
    url: str
    body: bytes  # a JSON object, as it stands in the line; never one that asks for a stream


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of an Ask; `body` is JSON, as HTTP would have carried it."""

    status: int
    request_id: str
    body: bytes
    retry_after_s: float | None = None


Answer = Callable[[Ask], Awaitable[Answered]]
"""Answers one line. It may be cancelled at any time, and then raises just that."""


class Status(StrEnum):
    """Where a batch stands."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


NEXT: Final[dict[Status, frozenset[Status]]] = {
    Status.VALIDATING: frozenset(
        {Status.IN_PROGRESS, Status.FAILED, Status.CANCELLING, Status.EXPIRED}
    ),
    Status.IN_PROGRESS: frozenset(
        {Status.FINALIZING, Status.FAILED, Status.CANCELLING, Status.EXPIRED}
    ),
    Status.FINALIZING: frozenset({Status.COMPLETED, Status.FAILED}),
    Status.CANCELLING: frozenset({Status.CANCELLED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""What may follow on each status. A defect of ours may fail a batch at any point before its end."""

FINAL: Final = frozenset(status for status, following in NEXT.items() if not following)
CANCELLABLE: Final = frozenset(s for s, following in NEXT.items() if Status.CANCELLING in following)


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a client uploaded or that a batch made."""

    id: str
    key_id: str
    filename: str  # as the client called it; never a path of ours
    purpose: Purpose
    num_bytes: int
    created_at_ns: int  # also the order of lists: no two are the same
    expires_at_s: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a batch's requests there are, and how many have their answer on disk."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a batch cannot be run: one thing that is wrong with its input."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A batch.

    Args:
        output_file_id: Reserved when the batch is made; a file of that id exists once `has_output`.
        error_file_id: Likewise, with `has_errors`.
        counts: As of the last change of status; the store knows newer ones.
    """

    id: str
    key_id: str
    input_file_id: str
    output_file_id: str
    error_file_id: str
    endpoint: str
    completion_window: str
    metadata: Metadata | None
    created_at_ns: int
    expires_at_s: int
    output_life_s: int = DEFAULT_FILE_LIFE_S
    status: Status = Status.VALIDATING
    has_output: bool = False
    has_errors: bool = False
    counts: Counts = Counts()
    problems: tuple[Problem, ...] = ()
    in_progress_at_s: int | None = None
    finalizing_at_s: int | None = None
    completed_at_s: int | None = None
    failed_at_s: int | None = None
    expired_at_s: int | None = None
    cancelling_at_s: int | None = None
    cancelled_at_s: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in FINAL

    @property
    def ended_at_s(self) -> int | None:
        """When it reached its end."""
        stamps: dict[str, int | None] = {s: getattr(self, f"{s}_at_s") for s in FINAL}
        return stamps.get(self.status)


def moved(record: BatchRecord, status: Status, now_s: float, **changes: object) -> BatchRecord:
    """Return the record one step further, the time of the step noted."""
    assert status in NEXT[record.status], f"{record.status} is not followed by {status}"
    stamp = {f"{status}_at_s": int(now_s)}
    return msgspec.structs.replace(record, status=status, **stamp, **changes)


def new_batch(
    *,
    key_id: str,
    input_file_id: str,
    created_at_ns: int,
    endpoint: str = CHAT_ENDPOINT,
    completion_window: str = "24h",
    metadata: Metadata | None = None,
    output_life_s: int = DEFAULT_FILE_LIFE_S,
) -> BatchRecord:
    """Return a batch that nothing has been done for."""
    return BatchRecord(
        id=f"batch_{secrets.token_hex(12)}",
        key_id=key_id,
        input_file_id=input_file_id,
        output_file_id=new_file_id(),
        error_file_id=new_file_id(),
        endpoint=endpoint,
        completion_window=completion_window,
        metadata=metadata,
        created_at_ns=created_at_ns,
        expires_at_s=created_at_ns // 10**9 + WINDOWS_S[completion_window],
        output_life_s=output_life_s,
    )


def new_file_id() -> str:
    """Return an id that no file has."""
    return f"file_{secrets.token_hex(12)}"


def is_file_id(text: str) -> bool:
    """Say whether a text has the form of our files' ids."""
    return _FILE_ID.fullmatch(text) is not None


def is_batch_id(text: str) -> bool:
    """Say whether a text has the form of our batches' ids."""
    return _BATCH_ID.fullmatch(text) is not None
