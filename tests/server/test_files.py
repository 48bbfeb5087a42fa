"""The Files API over a socket: through the official SDK, and with what no SDK would send."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from tests.batches.world import (
    START_S,
    Clock,
    add_batch,
    add_file,
    input_of,
    largest_file,
    names_in,
)
from tests.flows.raw import connect, decode, encode
from tests.server.asking import Asked
from tests.server.batch_house import House, gateway_with, house_in, type_header

TYPE = "multipart/form-data; boundary=cut"
END = b"--cut--\r\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Open a house."""
    async with house_in(tmp_path) as opened:
        yield opened


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    """Return a part of a form."""
    more = "" if filename is None else f'; filename="{filename}"'
    head = f'--cut\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


PURPOSE = part("purpose", b"batch")
FILE = part("file", b"{}\n", "a.jsonl")


async def test_sdk_uploads_lists_reads_and_deletes(house: House) -> None:
    """Each answer has exactly the SDK's types; what comes back is what was sent."""
    content = input_of(3) + "é\r\n--x".encode()
    async with house.client() as client:
        file = await client.files.create(file=("my input.jsonl", content), purpose="batch")
        listed = [entry async for entry in client.files.list()]
        one = await client.files.retrieve(file.id)
        read = await client.files.content(file.id)
        deleted = await client.files.delete(file.id)
        with pytest.raises(openai.NotFoundError) as caught:
            await client.files.retrieve(file.id)
    assert file == one
    assert [file] == listed
    assert (file.object, file.bytes, file.purpose) == ("file", len(content), "batch")
    assert (file.filename, file.status) == ("my input.jsonl", "processed")
    assert file.created_at == START_S
    assert file.expires_at == START_S + 7 * 24 * 3600
    assert read.content == content
    assert read.response.headers["content-type"] == "application/x-ndjson"
    assert (deleted.id, deleted.deleted) == (file.id, True)
    assert caught.value.code == "not_found"
    assert names_in(house.folder / "files") == []


async def test_sdk_of_the_synchronous_kind_works_too(house: House) -> None:
    """The other half of the SDK sends its forms with other code."""

    def use() -> bytes:
        with openai.OpenAI(api_key="sk-a", base_url=f"{house.url}/v1", max_retries=0) as client:
            file = client.files.create(file=("a", input_of(2)), purpose="batch")
            return client.files.content(file.id).read()

    assert await asyncio.wait_for(asyncio.to_thread(use), 20) == input_of(2)


async def test_sdk_says_how_long_a_file_is_kept(house: House) -> None:
    """An hour to thirty days; the SDK's form of saying so is understood."""
    async with house.client() as client:
        file = await client.files.create(
            file=("a", b"{}"),
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
        with pytest.raises(openai.BadRequestError) as caught:
            await client.files.create(
                file=("a", b"{}"),
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": 60},
            )
    assert file.expires_at == START_S + 3600
    assert caught.value.param == "expires_after[seconds]"
    assert "3600 to 2592000" in caught.value.message


async def test_file_of_another_key_is_not_there(house: House) -> None:
    """Neither to be seen, read or deleted."""
    async with house.client() as owner, house.client("sk-b") as other:
        file = await owner.files.create(file=("a", b"{}"), purpose="batch")
        assert [entry async for entry in other.files.list()] == []
        for use in (other.files.retrieve, other.files.content, other.files.delete):
            with pytest.raises(openai.NotFoundError):
                await use(file.id)
        assert (await owner.files.content(file.id)).content == b"{}"


async def test_list_is_paged_filtered_and_ordered(house: House) -> None:
    """The SDK goes through all pages by itself."""
    made = [await add_file(house.store, b"x") for _ in range(45)]
    newest_first = [file.id for file in reversed(made)]
    async with house.client() as client:
        first = await client.files.list()
        assert [f.id for f in first.data] == newest_first[:20]
        assert first.has_more
        assert [f.id async for f in client.files.list()] == newest_first
        assert [f.id async for f in client.files.list(limit=7)] == newest_first
        oldest = await client.files.list(order="asc", limit=2)
        assert [f.id for f in oldest.data] == newest_first[:-3:-1]
        assert [f.id async for f in client.files.list(purpose="batch_output")] == []
        for wrong in ({"limit": 101}, {"after": "file_x"}, {"purpose": "vision"}):
            with pytest.raises(openai.BadRequestError) as caught:
                await client.files.list(**wrong)
            assert caught.value.param == next(iter(wrong))


async def test_large_file_goes_through_little_memory(tmp_path: Path) -> None:
    """20 MiB up and down again; nothing of that size is ever held."""
    line = b"x" * 1023 + b"\n"
    async with house_in(tmp_path, max_file_bytes=20 * 1024 * 1024) as house:
        gateway = gateway_with(house.store, house.runner)
        pieces = [PURPOSE + part("file", b"", "a")[:-2]] + [line * 64] * 320 + [b"\r\n" + END]
        asked = Asked(pieces, path="/v1/files", headers=headers_of())
        tracemalloc.start()
        try:
            await gateway(asked.scope, asked.receive, asked.send)
            most_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert asked.status == 200
        assert json.loads(asked.body)["bytes"] == 20 * 1024 * 1024
        assert most_bytes < 6 * 1024 * 1024
        async with house.client() as client:
            whole = await client.files.content(json.loads(asked.body)["id"])
        assert whole.content == line * 64 * 320


def headers_of(**more: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of an upload."""
    headers = {"authorization": "Bearer sk-a", "content-type": TYPE, **more}
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        (b"", None),
        (END, "file"),
        (FILE + END, "purpose"),
        (PURPOSE + END, "file"),
        (PURPOSE + part("file", b"", "a") + END, "file"),
        (part("purpose", b"vision") + FILE + END, "purpose"),
        (PURPOSE + FILE + FILE + END, "file"),
        (PURPOSE + PURPOSE + FILE + END, "purpose"),
        (PURPOSE + FILE + part("model", b"m") + END, "model"),
        (PURPOSE + FILE, None),
        (PURPOSE + FILE[:-9], None),
        (b"nonsense", None),
    ],
)
async def test_form_that_is_wrong_is_refused_and_leaves_nothing(
    house: House, form: bytes, param: str | None
) -> None:
    """400 with the parameter, where there is one; and no file."""
    answer = await house.post_form(form, TYPE)
    assert answer.status == 400
    assert answer.json()["error"]["param"] == param
    assert answer.headers["x-should-retry"] == "false"
    assert names_in(house.folder / "files") == []


async def test_body_that_is_no_form_is_refused(house: House) -> None:
    """JSON is what many would send first."""
    answer = await house.ask("POST", "/v1/files", b"{}")
    assert answer.status == 400
    assert "multipart/form-data" in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == "content-type"


async def test_caller_without_a_key_gets_nowhere(house: House) -> None:
    """Every endpoint asks first who is there."""
    file = await add_file(house.store, b"x")
    paths = [("GET", ""), ("POST", ""), ("GET", f"/{file.id}"), ("DELETE", f"/{file.id}")]
    for method, path in (*paths, ("GET", f"/{file.id}/content")):
        for key in (None, "sk-wrong"):
            answer = await house.ask(method, f"/v1/files{path}", key=key)
            assert answer.status == 401
    assert house.store.files.get("key-a", file.id) == file


@pytest.mark.parametrize("file_id", ["..", "%2e%2e", "file_x", "..%2f..%2fetc", "x" * 4000])
async def test_id_that_is_none_names_no_path(house: House, file_id: str) -> None:
    """What a client writes is looked up, never opened."""
    for path in (f"/v1/files/{file_id}", f"/v1/files/{file_id}/content"):
        answer = await house.ask("GET", path)
        assert answer.status == 404
        assert len(answer.body) < 1000


async def test_file_over_the_bound_is_refused_whether_it_says_so_or_not(tmp_path: Path) -> None:
    """By its declared length at once, else at the byte that is too many; the client sees why."""
    async with house_in(tmp_path, max_file_bytes=300_000) as house:
        async with house.client() as client:
            fits = await client.files.create(file=("a", b"x" * 300_000), purpose="batch")
            for size in (300_001, 2_000_000):
                with pytest.raises(openai.APIStatusError) as caught:
                    await client.files.create(file=("a", b"x" * size), purpose="batch")
                assert caught.value.status_code == 413
        gateway = gateway_with(house.store, house.runner)
        pieces = [PURPOSE + part("file", b"", "a")[:-2]] + [b"x" * 1000] * 301
        asked = Asked([*pieces, b"\r\n" + END], path="/v1/files", headers=headers_of())
        await gateway(asked.scope, asked.receive, asked.send)
        assert asked.status == 413
        assert asked._parts == []
        assert names_in(house.folder / "files") == [f"{fits.id}.json", f"{fits.id}.jsonl"]


async def test_client_that_leaves_in_the_middle_leaves_nothing(house: House) -> None:
    """The half of a file that came is deleted at once."""
    form = PURPOSE + part("file", b"x" * 4_000_000, "a") + END
    request = encode("POST", "/v1/files", "sk-a", form).replace(b"\r\n", type_header(TYPE), 1)
    folder = house.folder / "files"
    _, writer = await connect(house.url)
    writer.write(request[:-1_000_000])
    async with asyncio.timeout(10):
        while not names_in(folder):
            await asyncio.sleep(0.002)
        writer.transport.abort()
        while names_in(folder):
            await asyncio.sleep(0.002)
    assert house.store.files.of_key("key-a") == []


async def test_client_that_leaves_a_download_stops_it(house: House) -> None:
    """Nobody reads on for a client that has left; the next one is served."""
    file = await add_file(house.store, b"x" * 8_000_000)
    _, writer = await connect(house.url)
    writer.write(encode("GET", f"/v1/files/{file.id}/content", "sk-a", b""))
    await asyncio.sleep(0.05)
    writer.transport.abort()
    async with house.client() as client:
        assert len((await client.files.content(file.id)).content) == 8_000_000


async def test_full_disk_is_a_503_and_leaves_nothing(house: House) -> None:
    """The kernel refuses in the middle of the upload: the client may come back later."""
    form = PURPOSE + part("file", b"x" * 3_000_000, "a") + END
    with largest_file(1_500_000):
        answer = await house.post_form(form, TYPE)
    assert answer.status == 503
    assert answer.json()["error"]["code"] == "storage_unavailable"
    assert answer.headers["retry-after"] == "30"
    assert names_in(house.folder / "files") == []
    assert (await house.post_form(form, TYPE)).status == 200


async def test_folder_that_is_gone_is_a_503_for_every_request(house: House) -> None:
    """Nothing is answered with a stack or a path."""
    file = await add_file(house.store, b"x")
    (house.folder / "files").rename(house.folder / "away")
    answers = [
        await house.post_form(PURPOSE + FILE + END, TYPE),
        await house.ask("GET", f"/v1/files/{file.id}/content"),
        await house.ask("DELETE", f"/v1/files/{file.id}"),
    ]
    assert [answer.status for answer in answers] == [503] * 3
    assert not any(str(house.folder) in answer.body.decode() for answer in answers)


async def test_file_that_is_shorter_than_its_record_is_cut_not_completed(house: House) -> None:
    """The client sees that something is missing."""
    file = await add_file(house.store, b"x" * 1000)
    house.store.files.content(file.id).write_bytes(b"x" * 10)
    reader, writer = await connect(house.url)
    writer.write(encode("GET", f"/v1/files/{file.id}/content", "sk-a", b""))
    answer = decode(await asyncio.wait_for(reader.read(-1), 10))
    writer.close()
    assert answer.headers["content-length"] == "1000"
    assert len(answer.body) < 1000


async def test_file_that_a_batch_reads_cannot_be_deleted(house: House) -> None:
    """409, and the batch is named."""
    house.answers.may_answer.clear()
    file = await add_file(house.store, input_of(1))
    batch = await add_batch(house.store, file)
    async with house.client() as client:
        with pytest.raises(openai.ConflictError) as caught:
            await client.files.delete(file.id)
    assert batch.id in caught.value.message


async def test_file_that_has_expired_is_not_there(tmp_path: Path) -> None:
    """From that second on, whatever is on disk."""
    clock = Clock()
    async with house_in(tmp_path, clock=clock) as house, house.client() as client:
        file = await client.files.create(file=("a", b"{}"), purpose="batch")
        clock.now_s += 7 * 24 * 3600
        with pytest.raises(openai.NotFoundError):
            await client.files.content(file.id)
        assert [entry async for entry in client.files.list()] == []
