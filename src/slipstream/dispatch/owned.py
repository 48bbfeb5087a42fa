"""Tasks that belong to one call: whoever starts one sees it end, even when cancelled itself."""

import asyncio
from collections.abc import Iterable
from typing import Any


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and wait until each has ended, whatever happens meanwhile.

    Raises:
        CancelledError: The caller was cancelled while it waited; every task has ended all the same.
        BaseException: What a task ended with, of several the first; being cancelled is no error.
    """
    waiting = set(tasks)
    for task in waiting:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    ended = list(waiting)
    while waiting:
        try:
            _, waiting = await asyncio.wait(waiting)
        except asyncio.CancelledError as exc:
            cancelled = exc
            waiting = {task for task in waiting if not task.done()}
    errors = [task.exception() for task in ended if not task.cancelled()]
    if cancelled is not None:
        raise cancelled
    for error in errors:
        if error is not None:
            raise error
