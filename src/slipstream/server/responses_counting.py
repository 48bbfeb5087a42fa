"""`/responses/input_tokens`: how many tokens a request has, without an answer to it.

It has rate limits of its own: as many requests as the key may send for answers, and no tokens.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from msgspec import Struct

from slipstream.limits.rates import RateLimits
from slipstream.server.asgi import Receive, Scope, Send, headers_of
from slipstream.server.auth import authenticate
from slipstream.server.body import ClientGone, as_json, read_body
from slipstream.server.exchange import Terms
from slipstream.server.files import send_json
from slipstream.server.paths import Endpoint
from slipstream.server.responses_keeping import Keeping
from slipstream.wire.glances import scan_responses
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.responses.following import Wish
from slipstream.wire.responses.kept import with_fields
from slipstream.wire.responses.reading import read_asked
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.counting import estimate_tokens
from slipstream.wire.wishes import read_wishes

_PATH: Final = "/responses/input_tokens"
_ANY_MODEL: Final = "(any)"  # of a request that names none, which is counted nearly

CountTokens = Callable[[Asked], Awaitable[int]]
"""Returns how many tokens a conversation has."""


class _Named(Struct):
    model: str | None = None


_named_decoder: Final = msgspec.json.Decoder(_Named)


class ResponsesCountEndpoints:
    """Answers what asks how long a request is, with what it goes on with.

    Args:
        limits: Of counting alone.
    """

    def __init__(
        self, terms: Terms, keeping: Keeping, count: CountTokens, limits: RateLimits
    ) -> None:
        self._terms, self._keeping = terms, keeping
        self._count_tokens, self._limits = count, limits

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what answers at which path."""
        return {("POST", f"/v1{_PATH}"): self._count, ("POST", _PATH): self._count}

    async def _count(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            tokens = await self._tokens(scope, receive)
        except ClientGone:
            return
        told = {"object": "response.input_tokens", "input_tokens": tokens}
        await send_json(send, call_id, told)

    async def _tokens(self, scope: Scope, receive: Receive) -> int:
        terms, headers = self._terms, headers_of(scope)
        key_id = authenticate(headers, terms.find_key)
        body = await read_body(headers, receive, terms.max_body_bytes)
        body = as_json(headers, body, terms.max_body_bytes)
        _, body = read_wishes(body, None)  # of whom to ask, which no count knows
        body = _with_model(body)
        if self._limits.is_set:
            self._limits.admit(key_id, _ANY_MODEL, 0, 0).settle(0, 0, 0)
        wish = scan_responses(body).asked
        assert isinstance(wish, Wish), "the glance makes one"
        wish = msgspec.structs.replace(wish, store=False)
        following = (await self._keeping.before(key_id, body, wish)).following
        asked = read_asked(body, earlier=following.earlier, known=following.known).asked
        return (
            estimate_tokens(asked) if asked.model == _ANY_MODEL else await self._count_tokens(asked)
        )


def _with_model(body: bytes) -> bytes:
    """Return a body that names a model, as only a request for an answer must."""
    try:
        is_named = _named_decoder.decode(body).model is not None
        return body if is_named else with_fields(body, model=_ANY_MODEL)
    except UNREADABLE:
        return body  # the glance says what is wrong
