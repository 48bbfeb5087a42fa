"""Requests from inside: answered as over HTTP, for the key that they name, behind all others."""

import asyncio
import json

import pytest

from slipstream.call import Call, Frame, Frames, Meaning
from slipstream.server.inside import ask_inside
from tests.server.asking import CHAT, chat, gateway_of, whole


async def test_request_from_inside_is_its_keys_and_waits_for_others() -> None:
    """No key is asked for again, and nobody who waits for an answer waits for it."""
    calls: list[Call] = []

    async def serve(call: Call) -> Frames:
        calls.append(call)
        yield Frame(b'{"a":1}', Meaning.END)

    gateway = gateway_of(serve, find_key=lambda key: None)
    told = await ask_inside(gateway, CHAT, chat(), "key-1")
    assert (told.status, json.loads(told.body)) == (200, {"a": 1})
    assert told.headers[b"x-request-id"] == calls[0].call_id.encode()
    assert [(call.key_id, call.priority) for call in calls] == [("key-1", -1)]


@pytest.mark.parametrize("path", [CHAT, "/nowhere"])
async def test_error_from_inside_is_told_as_over_http(path: str) -> None:
    """Whatever is wrong with a line is its answer."""
    told = await ask_inside(gateway_of(whole()), path, b"{", "key-1")
    assert told.status == (400 if path == CHAT else 404)
    assert "error" in json.loads(told.body)


async def test_giving_up_gives_up_the_request() -> None:
    """Nothing goes on for a batch that was cancelled, and the cancellation is not swallowed."""
    is_closed, begun = asyncio.Event(), asyncio.Event()

    async def serve(call: Call) -> Frames:
        try:
            begun.set()
            await asyncio.sleep(30)
            yield Frame(b"", Meaning.END)
        finally:
            is_closed.set()

    task = asyncio.create_task(ask_inside(gateway_of(serve), CHAT, chat(), "key-1"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_closed.is_set()
