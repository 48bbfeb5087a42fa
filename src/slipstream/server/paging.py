"""Lists that are given page by page: what a query asks for, and the page itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qsl

from slipstream.errors import BadRequest
from slipstream.server.asgi import Scope

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
ORDERS: Final = ("asc", "desc")
PAGE_PARAMS: Final = ("limit", "after", "order")

_MAX_FIELDS = 20
_SHOWN_CHARS = 100


class Listed(Protocol):
    """What can stand in a list."""

    @property
    def id(self) -> str:
        """Its name, by which the next page is asked for."""


L = TypeVar("L", bound=Listed)


class Wanted(NamedTuple):
    """Which page.

    Args:
        after: The last id of the page before it.
    """

    limit: int
    after: str | None
    is_newest_first: bool


def read_query(scope: Scope, known: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a request's query.

    Raises:
        BadRequest: One is not known, or stands there twice.
    """
    text: str = scope.get("query_string", b"").decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as exc:
        raise BadRequest(f"The query has more than {_MAX_FIELDS} parameters.") from exc
    query: dict[str, str] = {}
    for name, value in pairs:
        shown = name[:_SHOWN_CHARS]
        if name not in known:
            accepted = f"accepted: {', '.join(known)}" if known else "none is accepted"
            raise BadRequest(
                f"Unknown query parameter '{shown}'; {accepted}.",
                param=shown,
                code="unknown_parameter",
            )
        if name in query:
            raise BadRequest(f"The query parameter '{name}' stands there twice.", param=name)
        query[name] = value
    return query


def read_page(query: Mapping[str, str]) -> Wanted:
    """Return the page that a query asks for.

    Raises:
        BadRequest: A parameter has a value that it cannot have.
    """
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 9):
        raise _not_a_limit(limit)
    if not 1 <= int(limit) <= MAX_LIMIT:
        raise _not_a_limit(limit)
    order = query.get("order", "desc")
    if order not in ORDERS:
        raise BadRequest(
            f"Invalid value for 'order': expected {' or '.join(ORDERS)}, "
            f"got '{order[:_SHOWN_CHARS]}'.",
            param="order",
            code="invalid_value",
        )
    return Wanted(int(limit), query.get("after"), order == "desc")


def page_of(
    oldest_first: Sequence[L], wanted: Wanted, show: Callable[[L], dict[str, object]]
) -> dict[str, object]:
    """Return a page as a list object.

    Args:
        show: Makes a client's view of one entry.

    Raises:
        BadRequest: The entry that it should follow is not in the list.
    """
    entries = list(reversed(oldest_first)) if wanted.is_newest_first else list(oldest_first)
    start = 0
    if wanted.after is not None:
        ids = [entry.id for entry in entries]
        if wanted.after not in ids:
            raise BadRequest(
                f"Nothing in this list has the id '{wanted.after[:_SHOWN_CHARS]}'.",
                param="after",
                code="invalid_value",
            )
        start = ids.index(wanted.after) + 1
    page = entries[start : start + wanted.limit]
    return {
        "object": "list",
        "data": [show(entry) for entry in page],
        "has_more": start + wanted.limit < len(entries),
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }


def _not_a_limit(value: str) -> BadRequest:
    return BadRequest(
        f"Invalid value for 'limit': expected a whole number from 1 to {MAX_LIMIT}, "
        f"got '{value[:_SHOWN_CHARS]}'.",
        param="limit",
        code="invalid_value",
    )
