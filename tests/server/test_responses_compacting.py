"""The layer that makes conversations shorter: who is asked for what, with frames of a test's."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Frame, Frames, Meaning, Usage
from slipstream.errors import Broken
from slipstream.responses.archive import Archive
from slipstream.responses.records import KeptItem
from slipstream.server.responses_compacting import compacting
from slipstream.server.responses_keeping import Keeping
from slipstream.wire.glances import scan_compaction
from tests.responses.place import answer
from tests.server.kept_house import archive_in

SAID = {
    "id": "resp_1",
    "created_at": 5,
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "short"}]}],
    "usage": {"input_tokens": 1},
}
PARCEL = {"type": "compaction", "encrypted_content": "slipstream.1.eyJ0ZXh0IjoieCJ9"}


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    """Open an archive with an answer that OpenAI keeps, and one that only we keep."""
    async with archive_in(tmp_path) as opened:
        for name, provider in (("resp_there", "openai"), ("resp_here", None)):
            kept = answer(
                name, created_at_ns=opened.now_ns(), provider=provider, upstream_id="resp_up"
            )
            item = KeptItem(f"m-{name}", b'{"role":"user","content":"earlier"}', False)
            await opened.keep(kept, [item])
        yield opened


class World:
    """The layer, with what was asked of what lies below."""

    def __init__(self, archive: Archive, compactor: str | None, said: Any = SAID) -> None:
        self.asked: list[Call] = []
        self._said = json.dumps(said).encode()
        keeping = Keeping(archive, lambda name: True)
        self._layer = compacting(self._serve, keeping, lambda call: compactor)

    async def _serve(self, call: Call) -> Frames:
        self.asked.append(call)
        yield Frame(self._said, Meaning.END, Usage(input_tokens=1), "stop", changes=("x",))

    async def compact(self, **fields: Any) -> Frame:
        """Ask for a compaction."""
        body = json.dumps({"model": "m", **fields}).encode()
        call = Call(
            call_id="c-1",
            dialect=Dialect.OPENAI_COMPACTION,
            body=body,
            model="m",
            key_id="k",
            asked=scan_compaction(body).asked,
        )
        async with aclosing(self._layer(call)) as frames:
            [frame] = [frame async for frame in frames]
        return frame


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"input": "x"}, {"input": "x"}),
        (
            {"input": "x", "previous_response_id": "resp_there"},
            {"input": "x", "previous_response_id": "resp_up"},
        ),
    ],
)
async def test_provider_that_does_it_itself_is_asked(
    archive: Archive, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    """In the client's words; its answer goes through as it is."""
    world = World(archive, "openai")
    frame = await world.compact(**fields)
    [call] = world.asked
    assert call.dialect is Dialect.OPENAI_COMPACTION
    assert json.loads(call.body) == {"model": "m"} | sent
    assert json.loads(frame.data) == SAID


@pytest.mark.parametrize(
    ("compactor", "fields"),
    [
        (None, {"input": "x"}),
        ("openai", {"input": "x", "previous_response_id": "resp_here"}),
        ("openai", {"input": [PARCEL]}),
    ],
)
async def test_any_other_model_is_asked_for_a_summary(
    archive: Archive, compactor: str | None, fields: dict[str, Any]
) -> None:
    """An ordinary Responses call, whose account stays on the frame of the compaction."""
    world = World(archive, compactor)
    frame = await world.compact(**fields)
    [call] = world.asked
    assert (call.dialect, call.asked) == (Dialect.OPENAI_RESPONSES, None)
    task = json.loads(call.body)
    assert (task["model"], task["store"]) == ("m", False)
    assert ("earlier" in task["input"]) == ("previous_response_id" in fields)
    made = json.loads(frame.data)
    assert made["object"] == "response.compaction"
    assert (frame.usage, frame.changes, frame.finish_reason) == (
        Usage(input_tokens=1),
        ("x",),
        "stop",
    )


async def test_model_that_says_nothing_made_nothing_shorter(archive: Archive) -> None:
    """An empty compaction would lose the conversation."""
    with pytest.raises(Broken):
        await World(archive, None, SAID | {"output": []}).compact(input="x")
