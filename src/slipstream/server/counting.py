"""`/v1/messages/count_tokens`: how many tokens a request has, without an answer to it.

It is read as a request for an answer is, unless the provider that would answer counts itself. It
has rate limits of its own: as many requests as the key may send for answers, and no tokens.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from slipstream.call import Call, Dialect
from slipstream.errors import GatewayError
from slipstream.limits.rates import RateLimits
from slipstream.limits.standing import Level
from slipstream.server.asgi import Header, Receive, Scope, Send, headers_of
from slipstream.server.auth import authenticate
from slipstream.server.body import ClientGone, as_json, read_body
from slipstream.server.doors import ANTHROPIC_HEADERS, check_anthropic_version
from slipstream.server.exchange import Terms
from slipstream.server.paths import Endpoint
from slipstream.server.profiles import ANTHROPIC
from slipstream.server.render import send_error
from slipstream.server.reply import JSON, send_whole
from slipstream.wire.glances import scan_count
from slipstream.wire.messages.reading import read_asked
from slipstream.wire.talk.asking import Asked
from slipstream.wire.wishes import read_wishes

_PATH = "/messages/count_tokens"
_ANY_MODEL = ""  # counting costs the same for each


class Counter(Protocol):
    """Counts tokens; both raise GatewayError as an answer would."""

    async def count_elsewhere(self, call: Call) -> int | None:
        """Return what the provider of a request counts; None where none does."""

    async def count_tokens(self, asked: Asked) -> int:
        """Return how many tokens a conversation has."""


class CountEndpoints:
    """Answers what asks how long a request is.

    Args:
        limits: Of counting alone.
    """

    def __init__(self, terms: Terms, counter: Counter, limits: RateLimits) -> None:
        self._terms, self._counter, self._limits = terms, counter, limits

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what answers at which path."""
        return {("POST", f"/v1{_PATH}"): self._count, ("POST", _PATH): self._count}

    async def _count(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[Header] = []
        try:
            call = await self._read(call_id, scope, receive)
            self._admit(call.key_id, headers)
            tokens = await self._tokens(call)
        except GatewayError as error:
            await send_error(send, call_id, error, ANTHROPIC.errors, *headers)
            return
        except ClientGone:
            return
        headers += [JSON, (b"x-request-id", call_id.encode())]
        headers += ANTHROPIC.answer_headers(call_id, None)
        await send_whole(send, 200, msgspec.json.encode({"input_tokens": tokens}), headers)

    async def _read(self, call_id: str, scope: Scope, receive: Receive) -> Call:
        terms, headers = self._terms, headers_of(scope)
        key_id = authenticate(headers, terms.find_key)
        body = await read_body(headers, receive, terms.max_body_bytes)
        body = as_json(headers, body, terms.max_body_bytes)
        _, body = read_wishes(body, None)  # of whom to ask, which no count knows
        check_anthropic_version(headers)
        return Call(
            call_id=call_id,
            dialect=Dialect.ANTHROPIC_MESSAGES,
            body=body,
            model=scan_count(body),
            key_id=key_id,
            headers=tuple((name, headers[name]) for name in ANTHROPIC_HEADERS if name in headers),
        )

    async def _tokens(self, call: Call) -> int:
        counted = await self._counter.count_elsewhere(call)
        if counted is not None:
            return counted
        return await self._counter.count_tokens(read_asked(call.body, is_count=True))

    def _admit(self, key_id: str, headers: list[Header]) -> None:
        """Let the caller in, and tell in the headers how far the limits are used then."""
        if not self._limits.is_set:
            return
        try:
            self._limits.admit(key_id, _ANY_MODEL, 0, 0).settle(0, 0, 0)
        finally:
            headers += self._limits.standing(key_id, _ANY_MODEL, _requests_alone)


def _requests_alone(levels: Iterable[Level]) -> list[Header]:
    return ANTHROPIC.tell_limits([level for level in levels if level.what == "requests"])
