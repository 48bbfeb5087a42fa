"""Headers and parameters, for the OpenAPI document.

Source: ../shared/reference/cerebras-api.md sections 1 and 4.2, 2026-11-21.
"""

from itertools import product
from typing import Any, Final

from slipstream.server.files import PURPOSES
from slipstream.server.paging import DEFAULT_LIMIT, MAX_LIMIT, ORDERS
from slipstream.wire.cerebras.listing import FORMATS

Json = dict[str, Any]


def _text(description: str) -> Json:
    return {"description": description, "schema": {"type": "string"}}


def _number(description: str, kind: str = "integer") -> Json:
    return {"description": description, "schema": {"type": kind, "minimum": 0}}


_LIMITS: Final = {
    f"x-ratelimit-{what}-{counted}-{unit}": _number(said.format(counted=counted, unit=unit), kind)
    for (what, kind, said), counted, unit in product(
        (
            ("limit", "integer", "How many {counted} one {unit} allows."),
            ("remaining", "integer", "How many {counted} are left of one {unit}'s."),
            ("reset", "number", "Seconds until all {counted} of one {unit} are there again."),
        ),
        ("requests", "tokens"),
        ("minute", "hour", "day"),
    )
}
HEADERS: Final[dict[str, Json]] = {
    "x-request-id": _text("Of this request, as the log has it."),
    "request-id": _text("The same, for callers of Anthropic's API."),
    "inference-id": _text("The body's `id`, in the Cerebras profile."),
    "x-slipstream-target": _text("Provider and model that answered, or failed last."),
    "x-slipstream-attempts": _number("How many targets were tried."),
    "x-slipstream-cost-usd": _text("Of this answer, exactly, if it is known and the answer plain."),
    "x-slipstream-route": _text("Route and strategy, where there was a choice."),
    "x-slipstream-tried": _text(
        "Where there was a choice: each attempt as `target=outcome`, in order; `+3` at the end: so "
        "many more."
    ),
    "x-slipstream-considered": _text(
        "Where the request wishes `explain`: each candidate, whether it was taken or left and why, "
        "its expected cost and times; `+3` at the end: so many more."
    ),
    "x-slipstream-changed": _text("What of the request the target got otherwise than it was sent."),
    "x-should-retry": _text("`true` or `false`: whether an SDK is to try again by itself."),
    "retry-after": _number("Seconds after which to try again."),
    **_LIMITS,
}
ON_ANSWERS: Final = (
    "x-request-id",
    "inference-id",
    "x-slipstream-target",
    "x-slipstream-attempts",
    "x-slipstream-cost-usd",
    "x-slipstream-route",
    "x-slipstream-tried",
    "x-slipstream-considered",
    "x-slipstream-changed",
    *_LIMITS,
)


def _parameter(name: str, place: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": place, "description": description, "schema": schema}


PARAMETERS: Final[dict[str, Json]] = {
    "format": _parameter(
        "format",
        "query",
        "Whose catalogue the list is for.",
        {"type": "string", "enum": list(FORMATS), "default": "default"},
    ),
    "limit": _parameter(
        "limit",
        "query",
        "Most entries of a page.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    "after": _parameter("after", "query", "Last id of the page before.", {"type": "string"}),
    "order": _parameter(
        "order",
        "query",
        "`desc` begins with the newest.",
        {"type": "string", "enum": list(ORDERS), "default": "desc"},
    ),
    "purpose": _parameter(
        "purpose",
        "query",
        "Of the files that are listed; left out, of any.",
        {"type": "string", "enum": list(PURPOSES)},
    ),
    "after_id": _parameter(
        "after_id", "query", "Last id of the page before, for Anthropic's.", {"type": "string"}
    ),
    "before_id": _parameter(
        "before_id", "query", "First id of the page behind, for Anthropic's.", {"type": "string"}
    ),
    "anthropic-version": _parameter(
        "anthropic-version",
        "header",
        "A date; who sends it is answered as Anthropic does where a path has several ways.",
        {"type": "string"},
    ),
    "anthropic-beta": _parameter(
        "anthropic-beta",
        "header",
        "Names, of which any is taken; a model of Anthropic's gets them.",
        {"type": "string"},
    ),
    "content-encoding": _parameter(
        "Content-Encoding",
        "header",
        "How the body is packed.",
        {"type": "string", "enum": ["gzip", "x-gzip", "identity"]},
    ),
    "x-cerebras-version-patch": _parameter(
        "X-Cerebras-Version-Patch", "header", "Of the Cerebras profile.", {"type": "integer"}
    ),
    "queue_threshold": _parameter(
        "queue_threshold",
        "header",
        "Milliseconds: with the service tiers flex and auto of the Cerebras profile, a request is "
        "refused where the queue is longer.",
        {"type": "integer", "minimum": 50, "maximum": 20_000},
    ),
}
