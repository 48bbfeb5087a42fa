"""The layer that keeps answers, around frames that a test plays."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from slipstream.call import Call, Dialect, Frame, Frames, Meaning, Receipt
from slipstream.choice import Target
from slipstream.errors import BadRequest, StreamCut, UnknownModel
from slipstream.ledger.store import Store, open_store
from slipstream.responses.archive import Archive
from slipstream.responses.records import PreviousNotFound, ResponseNotFound
from slipstream.server.responses_keeping import Keeping
from slipstream.wire.glances import scan_responses
from slipstream.wire.responses.following import Following
from tests.responses.place import url_in
from tests.server.asking import serve_frames
from tests.server.kept_house import archive_in

OURS, THEIRS = "resp_c-1", "resp_theirs"
ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    """Open an archive."""
    async with archive_in(tmp_path) as opened:
        yield opened


def call_of(call_id: str = "c-1", **fields: Any) -> Call:
    """Return a call as the door makes it."""
    body = json.dumps({"model": "m", "input": "hi"} | fields).encode()
    scan = scan_responses(body)
    return Call(
        call_id=call_id,
        dialect=Dialect.OPENAI_RESPONSES,
        body=body,
        model=scan.model,
        key_id="k",
        is_stream=scan.is_stream,
        asked=scan.asked,
    )


def answer(response_id: str, **fields: Any) -> bytes:
    """Return an answer's object."""
    said = {"id": response_id, "status": "completed", "store": True, "output": [ITEM]}
    return json.dumps(said | fields).encode()


def end(data: bytes, provider: str = "openai") -> Frame:
    """Return the last frame of an answer."""
    receipt = Receipt(attempt_id="a", target=Target(provider, "m"), num_attempts=1)
    return Frame(data, Meaning.END, receipt=receipt)


def streamed(data: bytes) -> bytes:
    """Return an answer as the event that ends a stream."""
    return b'event: response.completed\ndata: {"response":' + data + b"}\n\n"


async def told(frames: Frames) -> list[Frame]:
    """Return all frames."""
    async with aclosing(frames):
        return [frame async for frame in frames]


def around(archive: Archive, serve: Callable[[Call], Frames], **options: Any) -> Any:
    """Return the layer; only openai keeps answers."""
    settings: dict[str, Any] = {
        "check_model": lambda call: None,
        "begin": lambda key_id, response_id: None,
    }
    keeping = Keeping(archive, lambda name: name == "openai")
    return keeping.around(serve, **(settings | options))


async def outputs(archive: Archive, response_id: str) -> list[bytes]:
    """Return what is kept of an answer's own output."""
    talk = await archive.conversation("k", response_id)
    return [item.body for item in talk.items if item.is_output]


@pytest.mark.parametrize("stream", [True, False])
async def test_answer_is_kept_before_it_is_handed_on(archive: Archive, stream: bool) -> None:
    """So whoever reads its end finds it."""
    data = streamed(answer(THEIRS)) if stream else answer(THEIRS)
    frames = around(archive, serve_frames(Frame(b": x\n\n", Meaning.SILENT), end(data)))(
        call_of(stream=stream)
    )
    seen = []
    async with aclosing(frames):
        async for frame in frames:
            seen.append(frame.data)
            if frame.meaning is Meaning.END:
                kept = await archive.get("k", THEIRS)
    assert seen == [b": x\n\n", data]
    assert kept.body == answer(THEIRS)
    assert (kept.provider, kept.upstream_id) == ("openai", THEIRS)
    [item] = await archive.input_of(kept)
    assert (item.item_id, item.is_output) == ("msg_theirsi00", False)


@pytest.mark.parametrize(
    ("data", "provider", "is_there"),
    [
        (answer(THEIRS), "openai", True),
        (answer(THEIRS, store=False), "openai", False),
        (answer(THEIRS), "groq", False),
        (answer(OURS), "openai", False),
    ],
)
async def test_provider_may_get_ids_only_of_what_it_keeps(
    archive: Archive, data: bytes, provider: str, is_there: bool
) -> None:
    """It must be one that keeps any, have said so, and have named the answer itself."""
    await told(around(archive, serve_frames(end(data, provider)))(call_of()))
    kept = await archive.get("k", json.loads(data)["id"])
    assert (kept.provider == provider) is is_there
    seen: list[Call] = []

    async def serve(call: Call) -> Frames:
        seen.append(call)
        yield end(answer("resp_next"))

    await told(around(archive, serve)(call_of("c-2", previous_response_id=kept.response_id)))
    following = seen[0].asked
    assert isinstance(following, Following)
    assert following.is_readable_at(provider) is is_there
    assert not following.is_readable_at("other")
    assert len(following.earlier) == 2


async def test_items_are_those_of_who_wrote_the_answer(archive: Archive) -> None:
    """The last one who tried; a relayed answer has its own, whoever tried before."""

    def serve(data: bytes) -> Callable[[Call], Frames]:
        async def served(call: Call) -> Frames:
            assert isinstance(call.asked, Following)
            assert call.asked.tell_items is not None
            call.asked.tell_items(lambda: [b'{"type":"reasoning","id":"failed"}'])
            call.asked.tell_items(lambda: [b'{"type":"reasoning","id":"sealed"}'])
            yield end(data)

        return served

    await told(around(archive, serve(answer(OURS)))(call_of()))
    assert await outputs(archive, OURS) == [b'{"type":"reasoning","id":"sealed"}']
    await told(around(archive, serve(answer(THEIRS)))(call_of()))
    assert [json.loads(item) for item in await outputs(archive, THEIRS)] == [ITEM]


@pytest.mark.parametrize("fields", [{"store": False}, {"store": False, "background": False}])
async def test_call_that_keeps_nothing_passes_by(archive: Archive, fields: dict[str, Any]) -> None:
    """Not even a frame is looked at."""
    calls: list[Call] = []

    def serve(call: Call) -> Any:
        calls.append(call)
        return "the same"

    call = call_of(**fields)
    assert around(archive, serve)(call) == "the same"
    assert calls == [call]


async def test_answer_that_is_none_is_handed_on(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    """What a provider says is its own matter; the log says that it is not kept."""
    frames = await told(around(archive, serve_frames(end(b"[]")))(call_of()))
    assert [frame.data for frame in frames] == [b"[]"]
    assert "not kept" in caplog.text


async def test_stream_that_broke_off_is_kept_as_its_last_event_tells(archive: Archive) -> None:
    """The error goes on its way; one without such an event leaves nothing."""
    failed = answer(OURS, status="failed")

    async def serve(call: Call) -> Frames:
        yield Frame(b"data: {}\n\n", Meaning.CONTENT)
        error = StreamCut("cut")
        error.last_event = streamed(failed) if call.call_id == "c-1" else None
        raise error

    for call_id in ("c-1", "c-2"):
        with pytest.raises(StreamCut):
            await told(around(archive, serve)(call_of(call_id, stream=True)))
    assert (await archive.get("k", OURS)).status == "failed"
    with pytest.raises(ResponseNotFound):
        await archive.get("k", "resp_c-2")


async def test_answer_in_the_background_is_there_before_it_is_begun(archive: Archive) -> None:
    """What is begun is the request without that word; it costs nothing yet."""
    begun: list[tuple[str, str]] = []
    layer = around(archive, serve_frames(), begin=lambda *job: begun.append(job))
    [frame] = await told(layer(call_of(background=True, instructions="Be brief.")))
    shown = json.loads(frame.data)
    assert (shown["id"], shown["status"], shown["store"]) == (OURS, "queued", True)
    assert (shown["background"], shown["instructions"]) == (True, "Be brief.")
    assert frame.usage is not None
    assert (frame.usage.total_input_tokens, frame.usage.total_output_tokens) == (0, 0)
    kept = await archive.get("k", OURS)
    assert (kept.status, kept.body) == ("queued", frame.data)
    assert begun == [("k", OURS)]
    assert json.loads(kept.request or b"") == {
        "model": "m",
        "input": "hi",
        "instructions": "Be brief.",
    }


async def test_wrong_call_for_the_background_is_refused_now(archive: Archive) -> None:
    """Not later, in an answer that nobody may read."""

    def unknown(call: Call) -> None:
        raise UnknownModel("none")

    begun: list[tuple[str, str]] = []
    layer = around(archive, serve_frames(), begin=lambda *job: begun.append(job))
    wrong: dict[str, Any] = {"input": [{"role": "king", "content": "x"}], "background": True}
    with pytest.raises(BadRequest):
        await told(layer(call_of(**wrong)))
    with pytest.raises(PreviousNotFound):
        await told(layer(call_of(background=True, previous_response_id="resp_none")))
    with pytest.raises(UnknownModel):
        around(archive, serve_frames(), check_model=unknown)(call_of(background=True))
    assert begun == []
    with pytest.raises(ResponseNotFound):
        await archive.get("k", OURS)


async def test_client_that_leaves_while_its_answer_is_queued_leaves_no_row_behind(
    tmp_path: Path,
) -> None:
    """A row that was made is begun: nobody else would come to begin it."""
    gate = threading.Event()

    def connect() -> Store:
        gate.wait(10)
        return open_store(url_in(tmp_path))

    archive = Archive(connect, keep_days=30, max_bytes=1000, now_ns=time.time_ns)
    begun: list[tuple[str, str]] = []
    layer = around(archive, serve_frames(), begin=lambda *job: begun.append(job))
    task = asyncio.create_task(told(layer(call_of(background=True))))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gate.set()
    await archive.close()
    assert begun == [("k", OURS)]
