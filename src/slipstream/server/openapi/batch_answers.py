"""What files and batches look like, for the OpenAPI document.

Source: ../shared/reference/cerebras-api.md section 3.11, 2026-11-21; beyond it, OpenAI's Files and
Batches.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from slipstream.batches.records import Counts, Metadata, Problem, Status
from slipstream.server.upload_form import LEAST_LIFE_S, LONGEST_LIFE_S


class Upload(Struct, forbid_unknown_fields=True):
    """A form of several parts: a file of requests, one JSON object a line, and what it is for."""

    file: Annotated[Any, Meta(extra_json_schema={"type": "string", "format": "binary"})]
    purpose: Literal["batch"]
    anchor: Literal["created_at"] | None = field(name="expires_after[anchor]", default=None)
    life_s: Annotated[int, Meta(ge=LEAST_LIFE_S, le=LONGEST_LIFE_S)] | None = field(
        name="expires_after[seconds]", default=None
    )


class File(Struct):
    """A file that was uploaded, or that a batch wrote."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: Literal["batch", "batch_output"]
    status: Literal["processed"]


class _Page(Struct, kw_only=True):
    object: Literal["list"]
    has_more: bool
    first_id: str | None
    last_id: str | None


class FileList(_Page, kw_only=True):
    """A page of files; `after` with its last id asks for the next."""

    data: list[File]


class FileDeleted(Struct):
    """What is left of a file."""

    id: str
    object: Literal["file"]
    deleted: bool


class BatchProblems(Struct):
    """What is wrong with the input of a batch."""

    object: Literal["list"]
    data: list[Problem]


class Batch(Struct):
    """Many requests, which are answered when there is time."""

    id: str
    object: Literal["batch"]
    endpoint: str
    errors: BatchProblems | None
    input_file_id: str
    completion_window: str
    status: Status
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: Counts
    metadata: Metadata | None


class BatchList(_Page, kw_only=True):
    """A page of batches; `after` with its last id asks for the next."""

    data: list[Batch]
