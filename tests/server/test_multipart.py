"""Forms, read piece by piece: every part, whatever the pieces; and what is no form."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest
from slipstream.server.multipart import MAX_PARTS, FormReader, PartHead

TYPE = b"multipart/form-data; boundary=cut"
FIELD = b'content-disposition: form-data; name="purpose"\r\n\r\n'


def form_of(*parts: bytes) -> bytes:
    """Return a form of these parts, their heads included."""
    return b"".join(b"--cut\r\n" + part + b"\r\n" for part in parts) + b"--cut--\r\n"


def read(data: bytes, step: int = 10**6, content_type: bytes = TYPE) -> list[PartHead | bytes]:
    """Read a form in pieces of a size; contents are joined."""
    reader = FormReader(content_type)
    found: list[PartHead | bytes] = []
    for start in range(0, len(data), step):
        for event in reader.feed(data[start : start + step]):
            last = found[-1] if found else None
            if isinstance(event, bytes) and isinstance(last, bytes):
                found[-1] = last + event
            else:
                found.append(event)
    reader.close()
    return found


@given(
    st.lists(
        st.lists(st.sampled_from([b"\r\n", b"--cut", b"--", b"\r", b"x", b"\n"])).map(b"".join),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 40),
)
def test_form_is_the_same_wherever_the_pieces_end(contents: list[bytes], step: int) -> None:
    """Also contents that nearly hold the boundary come out byte for byte."""
    contents = [content for content in contents if b"\r\n--cut" not in b"\r\n" + content]
    data = form_of(*(FIELD + content for content in contents))
    found = read(data, step) if contents else []
    whole = [event for event in found if isinstance(event, bytes)]
    assert whole == [content for content in contents if content]
    assert [e for e in found if isinstance(e, PartHead)] == [PartHead("purpose", None)] * len(
        contents
    )


@pytest.mark.parametrize(
    ("disposition", "head"),
    [
        (b'form-data; name="file"; filename="a.jsonl"', PartHead("file", "a.jsonl")),
        (b"form-data; name=file; filename=a", PartHead("file", "a")),
        (b'form-data; filename="\xc3\xa9;x"; name="file"', PartHead("file", "é;x")),
        (
            b'form-data; name="file"; filename="../../etc/passwd"',
            PartHead("file", "../../etc/passwd"),
        ),
        (b'form-data; name="expires_after[anchor]"', PartHead("expires_after[anchor]", None)),
        (b'form-data; name="file"; filename=""', PartHead("file", "")),
    ],
)
def test_head_of_a_part_says_its_name(disposition: bytes, head: PartHead) -> None:
    """However it is quoted; a filename is a text and nothing else."""
    assert read(form_of(b"Content-Disposition: " + disposition + b"\r\n\r\nx")) == [head, b"x"]


def test_form_may_have_an_epilogue_and_a_quoted_boundary() -> None:
    """What some clients send after the end is nothing."""
    data = b"\r\n" + form_of(FIELD + b"batch") + b"epilogue"
    content_type = b'Multipart/Form-Data; charset=utf-8; boundary="cut"'
    assert read(data, 3, content_type) == [PartHead("purpose", None), b"batch"]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"",
        b"application/json",
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/mixed; boundary=cut",
        b"multipart/form-data; boundary=" + b"x" * 300,
    ],
)
def test_content_type_of_no_form_is_refused(content_type: bytes | None) -> None:
    """Before anything of the body was read."""
    with pytest.raises(BadRequest, match=r"multipart/form-data|boundary"):
        FormReader(content_type)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"nonsense", "cannot be read"),
        (b"--other\r\n" + FIELD, "cannot be read"),
        (b"--cut\r\nno header\r\n\r\n", "cannot be read"),
        (b"--cut\r\nx: " + b"y" * 100_000, "header size"),
        (b"--cut\r\n" + b"x: y\r\n" * 100 + b"\r\n", "header count"),
        (form_of(b"content-type: text/plain\r\n\r\nx"), "content-disposition"),
        (form_of(b'content-disposition: attachment; name="file"\r\n\r\nx'), "content-disposition"),
        (form_of(b"content-disposition: form-data\r\n\r\nx"), "content-disposition"),
        (form_of(b"content-transfer-encoding: base64\r\n" + FIELD + b"eA=="), "transfer-encoding"),
        (form_of(*[FIELD] * (MAX_PARTS + 1)), "more than 16 parts"),
        (b"--cut\r\n" + FIELD + b"batch", "before its last boundary"),
        (b"--cut\r\n" + FIELD + b"batch\r\n--cut", "before its last boundary"),
        (b"", "before its last boundary"),
    ],
)
def test_form_that_cannot_be_read_says_why(data: bytes, said: str) -> None:
    """A client, or whoever wrote it, learns what is wrong."""
    for step in (1, 10**6):
        with pytest.raises(BadRequest, match=said):
            read(data, step)


def test_form_that_cannot_be_read_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sends nonsense does not fill the log."""
    with caplog.at_level(logging.DEBUG), pytest.raises(BadRequest):
        read(b"nonsense")
    assert caplog.records == []
