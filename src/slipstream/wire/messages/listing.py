"""The list of models as Anthropic's API tells it, page by page.

Source: anthropic-python 2.11.0's types, 2026-11-21. When a model was released, what it can do and
how long it lives is told as far as it is known here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.refusals import invalid

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 1_000
_MAX_DIGITS: Final = 9
_SHOWN_CHARS: Final = 100
_encode: Final = msgspec.json.Encoder().encode

Model = Mapping[str, object]
"""An entry of OpenAI's list."""


class Page(NamedTuple):
    """Which page.

    Args:
        after_id: The last id of the page before it; or
        before_id: the first one of the page behind it.
    """

    limit: int = DEFAULT_LIMIT
    after_id: str | None = None
    before_id: str | None = None


def read_page(query: Mapping[str, str]) -> Page:
    """Return the page that a query asks for; what else it says is none of ours.

    Raises:
        BadRequest: A parameter has a value that it cannot have.
    """
    limit = query.get("limit", str(DEFAULT_LIMIT))
    is_number = limit.isascii() and limit.isdecimal() and len(limit) <= _MAX_DIGITS
    if not is_number or not 1 <= int(limit) <= MAX_LIMIT:
        raise invalid(
            "limit",
            f"expected a whole number from 1 to {MAX_LIMIT}, got '{limit[:_SHOWN_CHARS]}'",
        )
    after_id, before_id = query.get("after_id") or None, query.get("before_id") or None
    if after_id is not None and before_id is not None:
        raise BadRequest(
            "'after_id' cannot be combined with 'before_id': leave one of them out.",
            param="after_id",
        )
    return Page(int(limit), after_id, before_id)


def page_body(models: Sequence[Model], page: Page) -> bytes:
    """Return a page of the list.

    Raises:
        BadRequest: The model that it should lie beside is not in the list.
    """
    ids = [str(model["id"]) for model in models]
    if page.before_id is not None:
        end = _place(ids, page.before_id, "before_id")
        start = max(end - page.limit, 0)
        has_more = start > 0
    else:
        start = 0 if page.after_id is None else _place(ids, page.after_id, "after_id") + 1
        end = start + page.limit
        has_more = end < len(ids)
    shown = ids[start:end]
    return _encode(
        {
            "data": [_info(model) for model in models[start:end]],
            "has_more": has_more,
            "first_id": shown[0] if shown else None,
            "last_id": shown[-1] if shown else None,
        }
    )


def model_body(model: Model) -> bytes:
    """Return what is told of one model."""
    return _encode(_info(model))


def _place(ids: list[str], wanted: str, param: str) -> int:
    if wanted not in ids:
        raise invalid(param, f"no model in this list has the id '{wanted[:_SHOWN_CHARS]}'")
    return ids.index(wanted)


def _info(model: Model) -> dict[str, Any]:
    created = model.get("created")
    released = datetime.fromtimestamp(created if isinstance(created, int) else 0, UTC)
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model["id"],
        "created_at": released.isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "capabilities": None,
        "max_input_tokens": None,
        "max_tokens": None,
    }
