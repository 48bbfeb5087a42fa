"""Errors of an upstream that speaks Responses: as an answer, in a stream, or in a failed answer.

The words of a failed answer are a closed list of their own; `wire.errors_in` knows the rest.

Source: openai-python 3.52.0's `ResponseError`; xAI's SDK (its `error` is a string); 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.errors import UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.invalid import UNREADABLE

_encode: Final = msgspec.json.Encoder().encode

# The status that a failed answer would have had as an error. What is said of an image is the
# client's fault, but for one that the provider could not fetch in time.
_STATUS_OF_CODE: Final = {
    "bio_policy": 400,
    "data_residency_mismatch": 400,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "image_content_policy_violation": 400,
    "image_file_not_found": 400,
    "image_file_too_large": 400,
    "image_parse_error": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "invalid_base64_image": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_image_mode": 400,
    "invalid_image_url": 400,
    "invalid_prompt": 400,
    "misalignment_policy_violation": 400,
    "previous_response_not_found": 400,
    "server_error": 500,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "unsupported_image_media_type": 400,
    "vector_store_timeout": 504,
}


def read_failure(status: int, body: bytes, retry_after_s: float | None) -> UpstreamError:
    """Return the error that an upstream's answer means.

    Args:
        status: The HTTP status.
        body: The answer's body, of any shape.
        retry_after_s: From the headers.
    """
    return errors_in.read_error(status, body, retry_after_s=retry_after_s)


def read_failed(error: bytes | msgspec.Raw) -> UpstreamError:
    """Return the error that a failed answer or an `error` event tells.

    Args:
        error: JSON of the object that holds `code` and `message`, or of one whose `error` does.
    """
    said = _object(error)
    inner = said.get("error")
    if isinstance(inner, str):
        said = {**said, "message": inner}
    elif isinstance(inner, dict):
        said = inner
    code = said.get("code")
    status = _STATUS_OF_CODE.get(code, 200) if isinstance(code, str) else 200
    if said.get("type") == "error":  # of the event, not of the error
        said = {**said, "type": None}
    return errors_in.read_error(status, _encode({"error": said}), retry_after_s=None)


def _object(raw: bytes | msgspec.Raw) -> dict[str, Any]:
    try:
        said: Any = msgspec.json.decode(raw)
    except UNREADABLE:
        return {}
    return said if isinstance(said, dict) else {}
