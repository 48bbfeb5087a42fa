"""A form as browsers and SDKs send files (multipart/form-data), read piece by piece. No I/O.

Nothing is kept: what comes goes out again, so a file may be larger than the memory.
Source: RFC 7578.
"""

import logging
from typing import Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from slipstream.errors import BadRequest

MAX_PARTS: Final = 16

_FORM = b"multipart/form-data"
_PLAIN = frozenset({b"", b"7bit", b"8bit", b"binary"})  # transfer encodings that change nothing

# It warns of every malformed form, which a client may send as often as it likes; we answer that.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class PartHead(NamedTuple):
    """The beginning of a part; the bytes that follow, up to the next head, are its content.

    Args:
        filename: None for an ordinary field.
    """

    name: str
    filename: str | None


class FormReader:
    """Takes the bytes of a form and gives its parts.

    Args:
        content_type: The request's header; None if it has none.

    Raises:
        BadRequest: It announces no form.
    """

    __slots__ = ("_events", "_field", "_headers", "_num_parts", "_parser", "_value", "is_whole")

    def __init__(self, content_type: bytes | None) -> None:
        kind, options = parse_options_header((content_type or b"").decode("latin-1"))
        boundary = options.get(b"boundary")
        if kind != _FORM or not boundary:
            raise BadRequest(
                "A file is sent as a form: content-type must be multipart/form-data with a "
                "boundary.",
                param="content-type",
            )
        self._events: list[PartHead | bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._field = self._value = b""
        self._num_parts = 0
        self.is_whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_field,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_content,
                    "on_part_data": self._add_content,
                    "on_end": self._end,
                },
            )
        except FormParserError as exc:
            raise BadRequest(f"The form's boundary is not accepted: {exc}.") from exc

    def feed(self, data: bytes) -> list[PartHead | bytes]:
        """Take the next bytes; return what they complete, in order.

        Raises:
            BadRequest: They are no form, or one with too many parts.
        """
        try:
            self._parser.write(data)
        except FormParserError as exc:
            raise BadRequest(f"The form cannot be read: {exc}.") from exc
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Say that nothing follows; BadRequest if the form lacks its end."""
        if not self.is_whole:
            raise BadRequest("The form ends before its last boundary.")

    def _begin_part(self) -> None:
        self._num_parts += 1
        if self._num_parts > MAX_PARTS:
            raise BadRequest(f"The form has more than {MAX_PARTS} parts.")
        self._headers.clear()

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _begin_content(self) -> None:
        self._events.append(_head_of(self._headers))

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _end(self) -> None:
        self.is_whole = True


def _head_of(headers: dict[bytes, bytes]) -> PartHead:
    disposition = headers.get(b"content-disposition", b"").decode("latin-1")
    kind, options = parse_options_header(disposition)
    name, filename = options.get(b"name"), options.get(b"filename")
    if kind != b"form-data" or name is None:
        raise BadRequest("A part of the form has no content-disposition that names it.")
    if headers.get(b"content-transfer-encoding", b"").strip().lower() not in _PLAIN:
        raise BadRequest("A part of the form has a content-transfer-encoding: send it as it is.")
    shown = None if filename is None else filename.decode(errors="replace")
    return PartHead(name.decode(errors="replace"), shown)
