"""Doors: what the headers of a Cerebras chat decide, beside its body."""

import json
from typing import Any

import pytest

from slipstream.errors import BadRequest
from slipstream.server.doors import doors_of
from slipstream.wire.cerebras.models import row_for
from slipstream.wire.cerebras.request import CerebrasRequest
from slipstream.wire.openai_chat import Scan

DOORS = doors_of(lambda name: row_for(name))


def _scan(headers: dict[bytes, bytes], **fields: Any) -> Scan:
    said = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return DOORS["/chat/completions"]["cerebras"].read(json.dumps(said).encode(), headers)


@pytest.mark.parametrize(
    ("tier", "header", "waits_s"),
    [
        ("flex", b"50", 0.05),
        ("auto", b"20000", 20.0),
        ("default", b"50", None),
        (None, b"50", None),
        ("flex", None, None),
    ],
)
def test_queue_threshold_bounds_the_wait_of_its_tiers(
    tier: str | None, header: bytes | None, waits_s: float | None
) -> None:
    """Section 3.9: it is for flex and auto; others wait as long as it takes."""
    headers = {} if header is None else {b"queue_threshold": header}
    asked = _scan(headers, service_tier=tier).asked
    assert isinstance(asked, CerebrasRequest)
    assert asked.max_queue_s == waits_s


@pytest.mark.parametrize(
    "headers",
    [
        {b"queue_threshold": b"49"},
        {b"queue_threshold": b"20001"},
        {b"queue_threshold": b"-60"},
        {b"queue_threshold": b"1e3"},
        {b"queue_threshold": "²".encode()},
        {b"queue_threshold": b""},
        {b"x-cerebras-version-patch": b"two"},
        {b"x-cerebras-version-patch": b""},
    ],
)
def test_wrong_header_is_refused(headers: dict[bytes, bytes]) -> None:
    """The error names the header and what would be accepted."""
    with pytest.raises(BadRequest, match=r"(?i)(queue_threshold|version-patch): '.*' is"):
        _scan(headers, service_tier="flex")


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_completion_tokens": -1}, None),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 1}, 1),
    ],
)
def test_scan_tells_how_much_is_asked_for(fields: dict[str, Any], limit: int | None) -> None:
    """Limits and the ledger reckon with what the client said, not with the model's own bound."""
    assert _scan({b"x-cerebras-version-patch": b"2"}, **fields).max_output_tokens == limit


@pytest.mark.parametrize("version", [None, b"", b"2023-06-01", b"2026-10-21", b"2031-12-31"])
def test_any_date_is_a_version_of_anthropics(version: bytes | None) -> None:
    """A newer SDK is not shut out, nor one that sends none."""
    headers = {} if version is None else {b"anthropic-version": version}
    ingress = DOORS["/messages"]["anthropic"]
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    assert ingress.read(json.dumps(body).encode(), headers).max_output_tokens == 5


@pytest.mark.parametrize("version", [b"latest", b"2023-6-1", b"2023-06-01x", "²".encode()])
def test_version_of_anthropics_that_is_no_date_is_refused(version: bytes) -> None:
    """By the header's name."""
    ingress = DOORS["/messages"]["anthropic"]
    with pytest.raises(BadRequest, match=r"anthropic-version: '.*' is no version") as caught:
        ingress.read(b"{}", {b"anthropic-version": version})
    assert caught.value.param == "anthropic-version"
