"""Tests of slipstream.wire.refusals."""

import msgspec
import pytest

from slipstream.wire.refusals import decode_at, is_object, not_among


class _Inner(msgspec.Struct):
    name: str


_decoder = msgspec.json.Decoder(_Inner)


@pytest.mark.parametrize(
    ("raw", "path"),
    [(b"5", "$.tools[2]"), (b'{"name":5}', "$.tools[2].name"), (b"{}", "$.tools[2]")],
)
def test_decode_at_error_tells_the_place_in_the_whole(raw: bytes, path: str) -> None:
    """A decoder that saw only a part still names the field of the body."""
    with pytest.raises(msgspec.ValidationError) as caught:
        decode_at(_decoder, msgspec.Raw(raw), "tools[2]")

    assert str(caught.value).endswith(f" - at `{path}`")


def test_decode_at_returns_what_was_decoded() -> None:
    """A part that is well is only decoded."""
    assert decode_at(_decoder, msgspec.Raw(b'{"name":"f"}'), "x") == _Inner("f")


@pytest.mark.parametrize(
    ("raw", "expected"), [(b"{}", True), (b"[]", False), (b'"{"', False), (b"", False)]
)
def test_is_object_tells_objects_from_the_rest(raw: bytes, expected: bool) -> None:
    """Only a value that begins as an object is one."""
    assert is_object(msgspec.Raw(raw)) is expected


@pytest.mark.parametrize(
    ("accepted", "words"),
    [(("a",), "expected 'a', got"), (("a", "b", "c"), "expected 'a', 'b' or 'c', got")],
)
def test_not_among_lists_all_that_is_accepted(accepted: tuple[str, ...], words: str) -> None:
    """The caller reads what to send, and a long value is cut."""
    error = not_among("field", "x" * 500, accepted)

    assert words in error.message
    assert error.param == "field"
    assert len(error.message) < 200
