"""Answers of the Responses dialect that are kept: read, listed, cancelled, forgotten.

A key sees its own and no others.
"""

from typing import Final

from slipstream.errors import BadRequest
from slipstream.responses.archive import Archive
from slipstream.responses.background import Background
from slipstream.responses.records import UNFINISHED, Kept, Status
from slipstream.server.asgi import Receive, Scope, Send, headers_of
from slipstream.server.auth import FindKey, authenticate
from slipstream.server.files import send_json
from slipstream.server.paging import PAGE_PARAMS, page_of, read_page, read_query
from slipstream.server.paths import Endpoint
from slipstream.server.reply import JSON, send_whole
from slipstream.wire.responses.kept import Item, shown_item, with_fields

_STREAM: Final = "stream"


class ResponsesApi:
    """Answers below `/responses/{id}`.

    Args:
        find_key: None where no key is asked for.
    """

    def __init__(self, archive: Archive, background: Background, find_key: FindKey | None) -> None:
        self._archive, self._background = archive, background
        self._find_key = find_key

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what is answered, by method and pattern."""
        offered: dict[tuple[str, str], Endpoint] = {
            ("GET", "/responses/{id}"): self._retrieve,
            ("DELETE", "/responses/{id}"): self._delete,
            ("POST", "/responses/{id}/cancel"): self._cancel,
            ("GET", "/responses/{id}/input_items"): self._input_items,
        }
        return offered | {(method, f"/v1{path}"): at for (method, path), at in offered.items()}

    async def _retrieve(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        query = read_query(scope, (_STREAM,))
        if query.get(_STREAM, "false") != "false":
            raise BadRequest(
                "What is kept is told whole, not streamed again: leave 'stream' out, and ask until "
                "'status' is an end.",
                param=_STREAM,
                code="unsupported_parameter",
            )
        await _send_kept(send, call_id, await self._archive.get(key_id, _id_in(scope)))

    async def _delete(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        read_query(scope, ())
        response_id = _id_in(scope)
        await self._archive.delete(key_id, response_id)
        self._background.forget(key_id, response_id)
        await send_json(send, call_id, {"id": response_id, "object": "response", "deleted": True})

    async def _cancel(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Cancel what is being made in the background; what has ended is told as it ended."""
        key_id = authenticate(headers_of(scope), self._find_key)
        read_query(scope, ())
        kept = await self._archive.get(key_id, _id_in(scope))
        if kept.request is None:
            raise BadRequest(
                "Only an answer that was asked for with 'background' can be cancelled; one that "
                "somebody waits for ends when they leave.",
                param="response_id",
                code="invalid_value",
            )
        if kept.status in UNFINISHED:
            await self._background.cancel(key_id, kept.response_id)
            kept = await self._archive.get(key_id, kept.response_id)
        await _send_kept(send, call_id, kept)

    async def _input_items(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        key_id = authenticate(headers_of(scope), self._find_key)
        wanted = read_page(read_query(scope, PAGE_PARAMS))
        kept = await self._archive.get(key_id, _id_in(scope))
        items = await self._archive.input_of(kept)
        named = [_Listed(item.item_id, item.body) for item in items]
        page = page_of(named, wanted, lambda item: shown_item(Item(item.id, item.body)))
        await send_json(send, call_id, page)


class _Listed:
    """An item in a list."""

    __slots__ = ("body", "id")

    def __init__(self, item_id: str, body: bytes) -> None:
        self.id, self.body = item_id, body


def _id_in(scope: Scope) -> str:
    response_id: str = scope["path_params"]["id"]
    return response_id


async def _send_kept(send: Send, call_id: str, kept: Kept) -> None:
    body = kept.body
    if kept.status in UNFINISHED or kept.status == Status.CANCELLED:
        body = with_fields(body, status=kept.status)  # the object is of when it was asked for
    await send_whole(send, 200, body, [JSON, (b"x-request-id", call_id.encode())])
