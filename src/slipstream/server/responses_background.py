"""An answer in the background, made as a request from inside: read, limited, metered and logged.

A key's rate limit or a busy target is waited for, within bounds; any other failure is the answer's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final

from slipstream.responses.records import Ending, KeptItem, Status, Waiting
from slipstream.server.inside import Told
from slipstream.server.responses_keeping import output_rows
from slipstream.wire.responses.errors_out import failure_told
from slipstream.wire.responses.kept import created_at, read_answer, with_fields

MAX_WAIT_S: Final = 600.0
_LEAST_WAIT_S: Final = 0.1
_PASSING: Final = (429, 503)

Ask = Callable[[bytes, str], Awaitable[Told]]
"""Asks for an answer: a body, and whose key."""


async def make_answer(
    ask: Ask, waiting: Waiting, *, max_wait_s: float = MAX_WAIT_S
) -> tuple[Ending, Sequence[KeptItem]]:
    """Return how an answer in the background ends, and its items.

    Args:
        max_wait_s: For rate limits and busy targets, all tries together.
    """
    told = await _asked(ask, waiting, monotonic() + max_wait_s)
    said = read_answer(told.body) if told.status == 200 else None
    if said is None:
        return _failed(waiting, failure_told(told.status, told.body)), ()
    body = with_fields(
        told.body,
        id=waiting.response_id,
        background=True,
        store=True,
        created_at=created_at(waiting.body),
    )
    return Ending(said.status, body, said.id), output_rows(said.output, waiting.response_id)


async def _asked(ask: Ask, waiting: Waiting, deadline_s: float) -> Told:
    """Return the first answer that does not only say when to come back."""
    while True:
        told = await ask(waiting.request, waiting.key_id)
        wait = told.headers.get(b"retry-after")
        if told.status not in _PASSING or wait is None or monotonic() + float(wait) > deadline_s:
            return told
        await asyncio.sleep(max(float(wait), _LEAST_WAIT_S))


def give_up(waiting: Waiting) -> Ending:
    """Return the ending of an answer that was begun too often."""
    message = "The gateway ended each time while it made this answer; it is not tried again."
    return _failed(
        waiting, {"code": "server_error", "message": message, "type": "gateway_restarted"}
    )


def _failed(waiting: Waiting, error: dict[str, object]) -> Ending:
    return Ending(Status.FAILED, with_fields(waiting.body, status=Status.FAILED.value, error=error))
