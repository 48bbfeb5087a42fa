"""How long a request in Messages is, asked of a provider that speaks the dialect and counts itself.

Not all do that are like Anthropic; and a count that fails is none, unless the request is to blame.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from slipstream.call import Call, Dialect
from slipstream.choice import Deadlines
from slipstream.errors import Fault, UpstreamError
from slipstream.upstream.http.client import HttpClient
from slipstream.upstream.http.messages import HttpRequest, encode_head
from slipstream.upstream.http.response import HttpResponse
from slipstream.upstream.lines import Line
from slipstream.upstream.relay_bodies import Prepare
from slipstream.wire.invalid import UNREADABLE

CountMessages = Callable[[Call, str, Deadlines], Awaitable[int | None]]
"""From a call and the upstream's own model to its tokens; None where nobody there counts them.

Raises UpstreamError where the request is to blame.
"""

_BLAMED: Final = (Fault.CLIENT, Fault.CONTEXT)


class _Counted(msgspec.Struct):
    input_tokens: int


_decoder: Final = msgspec.json.Decoder(_Counted)


def counting_messages(
    lines: Sequence[Line],
    prepare: Prepare,
    client: HttpClient,
    failure: Callable[[HttpResponse, Dialect], Awaitable[UpstreamError]],
) -> CountMessages | None:
    """Return what asks a provider; None where it does not speak Messages.

    Args:
        lines: Where each of its dialects is.
        prepare: Makes of a call of Messages what it is sent.
        failure: What an answer with an error status means.
    """
    line = next((one for one in lines if one.dialect is Dialect.ANTHROPIC_MESSAGES), None)
    if line is None:
        return None
    target = line.target("", False) + b"/count_tokens"

    async def ask(request: HttpRequest, deadlines: Deadlines) -> int | None:
        until_s = asyncio.get_running_loop().time() + deadlines.total_s
        response = await client.open(request, deadlines, until_s)
        try:
            if response.status != 200:
                raise await failure(response, Dialect.ANTHROPIC_MESSAGES)
            return _decoder.decode(await response.read()).input_tokens
        except UNREADABLE:
            return None
        finally:
            response.close()

    async def count(call: Call, model: str, deadlines: Deadlines) -> int | None:
        prepared = prepare(call, model)
        if prepared is None:
            return None
        replaced = {name for name, _ in call.headers}
        kept = tuple(pair for pair in line.headers if pair[0] not in replaced)
        head = encode_head(line.origin, b"POST", target, (*kept, *call.headers))
        request = HttpRequest(
            origin=line.origin, method=b"POST", target=target, head=head, body=prepared.body
        )
        try:
            return await ask(request, deadlines)
        except UpstreamError as error:
            if error.fault in _BLAMED:
                raise
            return None

    return count
