"""What each path that asks a model for something offers, in each profile: how its body is read."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from slipstream.call import Dialect
from slipstream.errors import BadRequest
from slipstream.server.profiles import (
    ANTHROPIC,
    CEREBRAS,
    OPENAI,
    RESPONSES,
    Door,
    Headers,
    Ingress,
)
from slipstream.wire.cerebras.completions_request import read_cerebras_completions
from slipstream.wire.cerebras.request import RowOf, read_cerebras_request
from slipstream.wire.completions_request import scan_completions
from slipstream.wire.embeddings import scan_embeddings
from slipstream.wire.glances import scan_compaction, scan_messages, scan_responses
from slipstream.wire.openai_chat import Scan, scan_request

# The version decides the shape of a request, and a beta what it may hold.
ANTHROPIC_HEADERS: Final = (b"anthropic-version", b"anthropic-beta")
_ANTHROPIC_VERSION: Final = b"anthropic-version"
_DATE: Final = re.compile(rb"\d{4}-\d{2}-\d{2}")
_VERSION: Final = b"x-cerebras-version-patch"


def doors_of(row_of: RowOf) -> dict[str, Door]:
    """Return the doors by path, without `/v1`.

    Args:
        row_of: What the model of a public name can do under the Cerebras profile.
    """
    return {
        "/chat/completions": {
            OPENAI.name: Ingress(Dialect.OPENAI_CHAT, _by_body(scan_request)),
            CEREBRAS.name: Ingress(Dialect.CEREBRAS_CHAT, partial(_read_cerebras_chat, row_of)),
        },
        "/completions": {
            OPENAI.name: Ingress(Dialect.OPENAI_COMPLETIONS, _by_body(scan_completions)),
            CEREBRAS.name: Ingress(
                Dialect.CEREBRAS_COMPLETIONS, partial(_read_cerebras_completions, row_of)
            ),
        },
        "/embeddings": {
            OPENAI.name: Ingress(Dialect.OPENAI_EMBEDDINGS, _by_body(scan_embeddings)),
        },
        "/messages": {
            ANTHROPIC.name: Ingress(Dialect.ANTHROPIC_MESSAGES, _read_messages, ANTHROPIC_HEADERS),
        },
        "/responses": {
            RESPONSES.name: Ingress(Dialect.OPENAI_RESPONSES, _by_body(scan_responses)),
        },
        "/responses/compact": {
            RESPONSES.name: Ingress(Dialect.OPENAI_COMPACTION, _by_body(scan_compaction)),
        },
    }


def _by_body(scan: Callable[[bytes], Scan]) -> Callable[[bytes, Headers], Scan]:
    """Return a reader that does without headers."""

    def read(body: bytes, headers: Headers) -> Scan:
        return scan(body)

    return read


def _read_messages(body: bytes, headers: Headers) -> Scan:
    check_anthropic_version(headers)
    return scan_messages(body)


def check_anthropic_version(headers: Headers) -> None:
    """Refuse a version that is no date; any date will do, since a newer SDK is not to be shut out.

    Raises:
        BadRequest: It names the header.
    """
    asked = headers.get(_ANTHROPIC_VERSION)
    if asked and not _DATE.fullmatch(asked):
        shown = asked.decode("latin-1")[:40]
        raise BadRequest(
            f"anthropic-version: '{shown}' is no version: expected a date such as 2023-06-01.",
            param="anthropic-version",
            code="invalid_value",
        )


def _read_cerebras_chat(row_of: RowOf, body: bytes, headers: Headers) -> Scan:
    _check_version(headers)
    threshold = headers.get(b"queue_threshold")
    asked = read_cerebras_request(
        body, row_of, queue_threshold=None if threshold is None else threshold.decode("latin-1")
    )
    return Scan(
        asked.model,
        asked.is_stream,
        True,
        asked.max_asked_tokens,
        asked,
        asked.chat.num_choices,
    )


def _read_cerebras_completions(row_of: RowOf, body: bytes, headers: Headers) -> Scan:
    _check_version(headers)
    asked = read_cerebras_completions(body, row_of)
    prompts = asked.completions.prompts
    return Scan(
        asked.model,
        asked.is_stream,
        True,
        asked.max_asked_tokens,
        asked,
        len(prompts) * asked.completions.best_of,
    )


def _check_version(headers: Headers) -> None:
    """Refuse a version that is none; all that can be asked for still are one and the same."""
    asked = headers.get(_VERSION)
    if asked is not None and not asked.strip().isdigit():
        shown = asked.decode("latin-1")[:40]
        raise BadRequest(f"X-Cerebras-Version-Patch: '{shown}' is no version: expected an integer")
