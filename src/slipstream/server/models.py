"""The lists of models: OpenAI's, and Cerebras's formats for who asks for one or expects them."""

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import parse_qs

import msgspec

from slipstream.errors import UnknownModel
from slipstream.server.asgi import Header, Receive, Scope, Send, headers_of
from slipstream.server.auth import authenticate
from slipstream.server.exchange import Terms
from slipstream.server.paths import Endpoint
from slipstream.server.profiles import CEREBRAS
from slipstream.server.reply import JSON, send_whole
from slipstream.wire.cerebras.listing import (
    Listed,
    ListFormat,
    model_body,
    models_body,
    read_format,
    unknown_model_body,
)

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
        headers = self._limits(scope)
        form = self._form(scope)
        if form is None:
            body = msgspec.json.encode({"object": "list", "data": await self._list_models()})
        else:
            body = models_body(self._list_own(), form)
        await _send(send, call_id, body, *headers)

    async def _one(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self._limits(scope)
        name, form = scope["path_params"]["id"], self._form(scope)
        if form is not None:
            await _send(send, call_id, model_body(self._list_own(), name, form), *headers)
            return
        for entry in await self._list_models():
            if entry["id"] == name:
                await _send(send, call_id, msgspec.json.encode(entry), *headers)
                return
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

    def _limits(self, scope: Scope) -> list[Header]:
        """Check the caller's key; return how far its limits are used, where every answer says so.

        A list is of no model, so it is told of one that was not asked for yet.
        """
        terms = self._terms
        key_id = authenticate(headers_of(scope), terms.find_key)
        if not terms.profiles.of_caller(headers_of(scope)).tells_all_limits:
            return []
        return terms.limits.standing(key_id, "", tells_all=True)

    def _form(self, scope: Scope) -> ListFormat | None:
        """Return which of Cerebras's formats is wanted; None for OpenAI's list."""
        asked = _asked_format(scope)
        if asked is None:
            caller = self._terms.profiles.of_caller(headers_of(scope))
            return "default" if caller is CEREBRAS else None
        return read_format(asked)


def _asked_format(scope: Scope) -> str | None:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query["format"][0] if "format" in query else None


async def _send(send: Send, call_id: str, body: bytes, *more: Header, status: int = 200) -> None:
    headers: list[Header] = [JSON, (b"x-request-id", call_id.encode()), *more]
    await send_whole(send, status, body, headers)
