"""The lists of models: OpenAI's, and Anthropic's and Cerebras's for who expects or asks for one."""

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import parse_qs, parse_qsl

import msgspec

from slipstream.errors import UnknownModel
from slipstream.server.asgi import Header, Receive, Scope, Send, headers_of
from slipstream.server.auth import authenticate
from slipstream.server.exchange import Terms
from slipstream.server.paths import Endpoint
from slipstream.server.profiles import ANTHROPIC, CEREBRAS, Profile
from slipstream.server.reply import JSON, send_whole
from slipstream.wire.cerebras.listing import (
    Listed,
    ListFormat,
    model_body,
    models_body,
    read_format,
    unknown_model_body,
)
from slipstream.wire.messages.listing import model_body as anthropic_model
from slipstream.wire.messages.listing import page_body as anthropic_page
from slipstream.wire.messages.listing import read_page as read_anthropic_page

ModelList = list[dict[str, object]]
ListModels = Callable[[], Awaitable[ModelList]]
"""Every model that a client may name, in OpenAI's shape."""

ListOwn = Callable[[], Iterable[Listed]]
"""The public names of the configuration, with what Cerebras's lists tell of each."""


class ModelEndpoints:
    """Answers what asks which models there are.

    Args:
        is_public: Whether a public name is told to callers without a key.
    """

    def __init__(
        self,
        list_models: ListModels,
        list_own: ListOwn,
        terms: Terms,
        is_public: Callable[[str], bool],
    ) -> None:
        self._list_models, self._list_own = list_models, list_own
        self._terms, self._is_public = terms, is_public

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what answers at which path."""
        return {
            ("GET", "/v1/models"): self._all,
            ("GET", "/models"): self._all,
            ("GET", "/v1/models/{id*}"): self._one,
            ("GET", "/models/{id*}"): self._one,
            ("GET", "/public/v1/models"): self._all_public,
            ("GET", "/public/v1/models/{id*}"): self._one_public,
        }

    async def _all(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self._headers(call_id, scope)
        if self._caller(scope) is ANTHROPIC:
            page = read_anthropic_page(_query(scope))
            body = anthropic_page(await self._list_models(), page)
        elif (form := self._form(scope)) is not None:
            body = models_body(self._list_own(), form)
        else:
            body = msgspec.json.encode({"object": "list", "data": await self._list_models()})
        await _send(send, call_id, body, *headers)

    async def _one(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self._headers(call_id, scope)
        name = scope["path_params"]["id"]
        if self._caller(scope) is ANTHROPIC:
            body = anthropic_model(await self._entry(name))
        elif (form := self._form(scope)) is not None:
            body = model_body(self._list_own(), name, form)
        else:
            body = msgspec.json.encode(await self._entry(name))
        await _send(send, call_id, body, *headers)

    async def _entry(self, name: str) -> dict[str, object]:
        """Return what the list says of a model."""
        for entry in await self._list_models():
            if entry["id"] == name:
                return entry
        raise UnknownModel(f"The model '{name}' is not in the list at /v1/models.")

    async def _all_public(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        form = read_format(_asked_format(scope))
        await _send(send, call_id, models_body(self._public(), form, is_public=True))

    async def _one_public(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        name, form = scope["path_params"]["id"], read_format(_asked_format(scope))
        try:
            body, status = model_body(self._public(), name, form, is_public=True), 200
        except UnknownModel:
            body, status = unknown_model_body(name, is_public=True), 404
        await _send(send, call_id, body, status=status)

    def _public(self) -> list[Listed]:
        return [listed for listed in self._list_own() if self._is_public(listed.name)]

    def _headers(self, call_id: str, scope: Scope) -> list[Header]:
        """Check the caller's key; return what every answer to its SDK says.

        Where that is how far limits are used: a list is of no model, so it is told of one that was
        not asked for yet.
        """
        terms, caller = self._terms, self._caller(scope)
        key_id = authenticate(headers_of(scope), terms.find_key)
        headers = caller.answer_headers(call_id, None)
        if caller.tells_all_limits:
            headers += terms.limits.standing(key_id, "", caller.tell_limits)
        return headers

    def _caller(self, scope: Scope) -> Profile:
        return self._terms.profiles.of_caller(headers_of(scope))

    def _form(self, scope: Scope) -> ListFormat | None:
        """Return which of Cerebras's formats is wanted; None for OpenAI's list."""
        asked = _asked_format(scope)
        if asked is None:
            return "default" if self._caller(scope) is CEREBRAS else None
        return read_format(asked)


def _asked_format(scope: Scope) -> str | None:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query["format"][0] if "format" in query else None


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))


async def _send(send: Send, call_id: str, body: bytes, *more: Header, status: int = 200) -> None:
    headers: list[Header] = [JSON, (b"x-request-id", call_id.encode()), *more]
    await send_whole(send, status, body, headers)
