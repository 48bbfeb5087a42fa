"""The admin API of routing: what is known of every target, and the plan for any request, unsent.

A request to explain is read as its own door reads it; so what is told of it is what would be done,
and what is wrong with it is told in this API's own shape.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from slipstream.call import Call
from slipstream.choice import Plan
from slipstream.errors import BadRequest, GatewayError
from slipstream.routing.standings import Standing
from slipstream.server.asgi import Receive, Scope, Send, headers_of
from slipstream.server.auth import authenticate
from slipstream.server.body import ClientGone, as_json, read_body
from slipstream.server.exchange import Terms
from slipstream.server.paths import Endpoint
from slipstream.server.profiles import Door, Profiles
from slipstream.server.reading import read_call
from slipstream.server.reply import JSON, send_whole
from slipstream.server.routing_answers import (
    ExplainRequest,
    PlannedCall,
    planned_call,
    target_list,
)
from slipstream.wire.invalid import UNREADABLE, explain

Explain = Callable[[Call], Plan]
"""The plan for a call with everything that was considered; it changes nothing and sends nothing."""

_TARGETS = "/v1/slipstream/targets"
_EXPLAIN = "/v1/slipstream/explain"
_decoder = msgspec.json.Decoder(ExplainRequest)


class RoutingEndpoints:
    """Answers what asks how targets are chosen.

    Args:
        doors: By path without `/v1`.
        standings: What is known of each target now.
    """

    def __init__(
        self,
        terms: Terms,
        doors: Mapping[str, Door],
        explain_call: Explain,
        standings: Callable[[], Iterable[Standing]],
    ) -> None:
        self._terms, self._doors = terms, doors
        self._explain_call, self._standings = explain_call, standings

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return what answers at which path."""
        return {("GET", _TARGETS): self._targets, ("POST", _EXPLAIN): self._explain}

    async def _targets(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        authenticate(headers_of(scope), self._terms.find_key)
        await _send(send, call_id, target_list(self._standings()))

    async def _explain(self, call_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        terms, headers = self._terms, headers_of(scope)
        key_id = authenticate(headers, terms.find_key)
        try:
            body = await read_body(headers, receive, terms.max_body_bytes)
        except ClientGone:
            return
        body = as_json(headers, body, terms.max_body_bytes)
        asked = read_explain_request(body)
        call = call_to_explain(asked, self._doors, terms.profiles, call_id, key_id)
        await _send(send, call_id, explained(call, self._explain_call))


def read_explain_request(body: bytes) -> ExplainRequest:
    """Read the body of a request that asks for an explanation.

    Raises:
        BadRequest: It is none; the error names the field.
    """
    try:
        return _decoder.decode(body)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc


def call_to_explain(
    asked: ExplainRequest,
    doors: Mapping[str, Door],
    profiles: Profiles,
    call_id: str,
    key_id: str,
) -> Call:
    """Return the Call that a request would be.

    Raises:
        BadRequest: Its path is none where a model is asked, or its body cannot be answered there.
    """
    door = doors.get(asked.path.removeprefix("/v1"))
    if door is None:
        offered = ", ".join(f"/v1{path}" for path in doors)
        raise BadRequest(
            f"Invalid value for 'path': no model is asked at '{asked.path[:200]}'. "
            f"Accepted: {offered}.",
            param="path",
            code="invalid_value",
        )
    headers = {name.lower().encode(): value.encode() for name, value in asked.headers.items()}
    body = bytes(asked.body)
    profile = profiles.of_request(body, profiles.at_door(door, headers))
    return read_call(door, profile, headers, body, call_id, key_id)[0]


def explained(call: Call, explain_call: Explain) -> PlannedCall:
    """Return what is told of the plan for a call, also where no target can serve it.

    Raises:
        GatewayError: It would be refused before any target is thought of.
    """
    try:
        return planned_call(call.model, explain_call(call))
    except GatewayError as error:
        if error.plan is None:
            raise
        return planned_call(call.model, error.plan, error.message)


async def _send(send: Send, call_id: str, told: object) -> None:
    body = msgspec.json.encode(told)
    await send_whole(send, 200, body, [JSON, (b"x-request-id", call_id.encode())])
