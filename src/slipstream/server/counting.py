"""`/v1/messages/count_tokens`: about how many tokens a request has, without asking a model."""

import msgspec

from slipstream.errors import GatewayError
from slipstream.server.asgi import Receive, Scope, Send, headers_of
from slipstream.server.auth import authenticate
from slipstream.server.body import ClientGone, as_json, read_body
from slipstream.server.exchange import Terms
from slipstream.server.paths import Endpoint
from slipstream.server.profiles import ANTHROPIC
from slipstream.server.render import send_error
from slipstream.server.reply import JSON, send_whole
from slipstream.wire.messages.counting import estimate_tokens
from slipstream.wire.messages.reading import read_asked

_PATH = "/messages/count_tokens"


class CountEndpoints:
    """Answers what asks how long a request is."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what answers at which path."""
        return {("POST", f"/v1{_PATH}"): self._count, ("POST", _PATH): self._count}

    async def _count(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            tokens = await self._estimate(scope, receive)
        except GatewayError as error:
            await send_error(send, call_id, error, ANTHROPIC.errors)
            return
        except ClientGone:
            return
        headers = [JSON, (b"x-request-id", call_id.encode())]
        headers += ANTHROPIC.answer_headers(call_id, None)
        await send_whole(send, 200, msgspec.json.encode({"input_tokens": tokens}), headers)

    async def _estimate(self, scope: Scope, receive: Receive) -> int:
        terms, headers = self._terms, headers_of(scope)
        authenticate(headers, terms.find_key)
        body = await read_body(headers, receive, terms.max_body_bytes)
        body = as_json(headers, body, terms.max_body_bytes)
        return estimate_tokens(read_asked(body, is_count=True))
