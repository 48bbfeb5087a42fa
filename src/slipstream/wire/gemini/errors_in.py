"""Errors of Gemini: Google's shape, alone or in an array, with the time to wait in its details.

Source: ../shared/reference/providers.md, section 0; google-genai 3.4.0; 2026-11-21.
"""

from slipstream.errors import UpstreamError
from slipstream.wire import errors_in
from slipstream.wire.rate_hints import wait_in_body


def read_failure(status: int, body: bytes, retry_after_s: float | None) -> UpstreamError:
    """Return the error that an upstream's answer means.

    Args:
        status: The HTTP status; 200 for an error inside a stream, whose own code then decides.
        body: The answer's body, of any shape.
        retry_after_s: From the headers; where they say nothing, `RetryInfo` in the body does.
    """
    if retry_after_s is None:
        retry_after_s = wait_in_body(body)
    return errors_in.read_error(status, body, retry_after_s=retry_after_s)
