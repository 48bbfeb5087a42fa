"""The fields of an upload's form, and its body."""

from pathlib import Path

import pytest

from slipstream.batches.records import DEFAULT_FILE_LIFE_S, new_file_id
from slipstream.batches.uploads import Upload
from slipstream.errors import BadRequest
from slipstream.server.body import ClientGone
from slipstream.server.multipart import PartHead
from slipstream.server.upload_form import LONGEST_LIFE_S, UploadBody, UploadForm, life_of
from tests.server.asking import Asked

Fields = dict[str, bytes]
FILE: Fields = {"file": b"content"}
PURPOSE: Fields = {"purpose": b"batch"}
ANCHOR, SECONDS = "expires_after[anchor]", "expires_after[seconds]"


async def read(folder: Path, fields: Fields, filename: str | None = "a.jsonl") -> tuple[str, int]:
    """Read a form of these fields."""
    form = UploadForm(Upload(new_file_id(), folder / "content", 1000))
    for name, value in fields.items():
        await form.take(PartHead(name, filename if name == "file" else None))
        for start in range(0, len(value), 3):
            await form.take(value[start : start + 3])
    return form.read()


@pytest.mark.parametrize(
    ("fields", "life_s"),
    [
        ({**FILE, **PURPOSE}, DEFAULT_FILE_LIFE_S),
        ({**PURPOSE, **FILE}, DEFAULT_FILE_LIFE_S),
        ({ANCHOR: b"created_at", SECONDS: b"3600", **FILE, **PURPOSE}, 3600),
        ({**FILE, **PURPOSE, SECONDS: b"2592000", ANCHOR: b"created_at"}, LONGEST_LIFE_S),
    ],
)
async def test_form_may_have_its_fields_in_any_order(
    tmp_path: Path, fields: Fields, life_s: int
) -> None:
    """SDKs differ in that."""
    assert await read(tmp_path, fields) == ("a.jsonl", life_s)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (PURPOSE, "file"),
        ({**PURPOSE, "file": b""}, "file"),
        (FILE, "purpose"),
        ({**FILE, "purpose": b"assistants"}, "purpose"),
        ({**FILE, "purpose": b"\xff"}, "purpose"),
        ({**FILE, "purpose": b"x" * 2000}, "purpose"),
        ({**FILE, **PURPOSE, "stream": b"true"}, "stream"),
        ({**FILE, **PURPOSE, SECONDS: b"3600"}, ANCHOR),
        ({**FILE, **PURPOSE, ANCHOR: b"created_at"}, SECONDS),
        ({**FILE, **PURPOSE, ANCHOR: b"now", SECONDS: b"3600"}, ANCHOR),
        ({**FILE, **PURPOSE, ANCHOR: b"created_at", SECONDS: b"3599"}, SECONDS),
        ({**FILE, **PURPOSE, ANCHOR: b"created_at", SECONDS: b"2592001"}, SECONDS),
        ({**FILE, **PURPOSE, ANCHOR: b"created_at", SECONDS: b"soon"}, SECONDS),
        ({**FILE, **PURPOSE, ANCHOR: b"created_at", SECONDS: "²".encode()}, SECONDS),
    ],
)
async def test_form_that_is_wrong_names_the_field(
    tmp_path: Path, fields: Fields, param: str
) -> None:
    """Missing, unknown, out of range: each has its parameter."""
    with pytest.raises(BadRequest) as caught:
        await read(tmp_path, fields)
    assert caught.value.param == param


async def test_form_with_a_field_twice_is_refused(tmp_path: Path) -> None:
    """Nobody can say which of both was meant."""
    for name in ("file", "purpose"):
        form = UploadForm(Upload(new_file_id(), tmp_path / "content", 1000))
        await form.take(PartHead(name, "a"))
        with pytest.raises(BadRequest, match=r"twice|more than one"):
            await form.take(PartHead(name, "a"))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a.jsonl", "a.jsonl"),
        (None, "file"),
        ("", "file"),
        ("../é\n\x1b[31m.jsonl", "../é[31m.jsonl"),
        ("x" * 999, "x" * 255),
    ],
)
async def test_filename_is_a_text_that_can_be_shown(
    tmp_path: Path, sent: str | None, kept: str
) -> None:
    """It names nothing on our disk; what a terminal would obey is left out."""
    assert (await read(tmp_path, {**FILE, **PURPOSE}, sent))[0] == kept


def test_life_names_the_parameter_that_it_was_given_by() -> None:
    """Files and outputs of batches have the same rule."""
    assert life_of("created_at", 3600, "3600") == 3600
    with pytest.raises(BadRequest) as caught:
        life_of("created_at", 1, "1", param="output_expires_after.{}")
    assert caught.value.param == "output_expires_after.seconds"


async def test_body_that_is_dropped_is_read_to_its_end_or_its_bound() -> None:
    """A client that is still sending gets to see the answer, unless it sends for ever."""
    asked = Asked([b"x" * 10] * 9)
    assert await UploadBody(asked.receive).drop(1000)
    assert await UploadBody(Asked([b"x"] * 9).receive).drop(4)
    whole = UploadBody(Asked([b"a", b"b"]).receive)
    assert [piece async for piece in whole.pieces()] == [b"a", b"b"]
    assert await whole.drop(1000)


async def test_body_whose_client_leaves_is_noticed() -> None:
    """Nobody is there to be answered."""
    asked = Asked([b"a", b"b"])
    asked.scope.clear()

    async def receive() -> dict[str, object]:
        message = dict(await asked.receive())
        return {**message, "more_body": True} if "body" in message else message

    body = UploadBody(receive)
    with pytest.raises(ClientGone):
        _ = [piece async for piece in body.pieces()]
    assert await body.drop(10)
    again = UploadBody(Asked([]).receive)
    await again._receive()
    assert not await again.drop(10)
