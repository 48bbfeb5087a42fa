"""Server-sent events as bytes: where one ends, and what it says.

Knows the line rules of the format and nothing of any dialect. The events that a splitter returns,
joined, are the bytes that it was fed: a relay may hand them on unchanged.

Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream" (read 2026-11-21).
"""

import re

MAX_EVENT_BYTES = 8 * 1024 * 1024  # an image in one event; the OpenAI SDK has no bound of its own

# Two line ends in a row. Atomic groups: the CR and LF of one CRLF must not count as two ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_MAX_HALF_BLANK_BYTES = 3  # CR LF CR, whose LF may follow
_BOM = b"\xef\xbb\xbf"  # may open a stream, so its first event


class EventTooLarge(Exception):
    """An event is over `MAX_EVENT_BYTES`."""


class EventSplitter:
    """Cuts a stream of bytes into whole events, whatever pieces it arrives in.

    The result does not depend on how the bytes were split on their way here, and the work grows
    with their number only: of an event that is not whole yet, no byte is looked at twice but the
    last few, which may be the first half of a blank line.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()  # begins where an event begins

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return the events that became whole, each with its blank line.

        Raises:
            EventTooLarge: An event is over the bound, whole or not; the splitter is then useless.
        """
        rest = self._rest
        if not rest and len(data) <= MAX_EVENT_BYTES and _ends_once(data):
            return [data]  # what most reads of a live stream bring
        events: list[bytes] = []
        if rest:
            seen = max(len(rest) - _MAX_HALF_BLANK_BYTES, 0)
            rest += data
            start = _split(rest, seen, events)
            del rest[:start]
        else:
            start = _split(data, 0, events)
            if start < len(data):
                rest += data[start:]
        if len(rest) > MAX_EVENT_BYTES:
            raise _too_large()
        return events

    def finish(self) -> bytes:
        """Return what is left at the end of the stream: an event that never ended, or nothing."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest


def _ends_once(data: bytes) -> bool:
    """Tell whether bytes are one event, of one line or two, that ends in LF LF."""
    # Searches for one byte: they are several times as fast as for two, and as `in`.
    last, first = len(data) - 2, data.find(b"\n")
    if first != last and not first + 1 < last == data.find(b"\n", first + 1):
        return False
    return data.endswith(b"\n\n") and data.find(b"\r") < 0


def _split(buffer: bytes | bytearray, seen: int, events: list[bytes]) -> int:
    """Add the whole events of a buffer to the list; return where the unfinished one begins.

    Args:
        buffer: Begins with an event.
        seen: Before here no blank line begins.
        events: Where to add them.
    """
    if buffer.find(b"\r", seen) >= 0:
        return _split_any_line_end(buffer, seen, events)
    start, search = 0, seen
    while (end := buffer.find(b"\n\n", search) + 2) >= 2:
        _append(buffer, start, end, events)
        start = search = end
    return start


def _split_any_line_end(buffer: bytes | bytearray, seen: int, events: list[bytes]) -> int:
    start = 0
    for match in _BLANK_LINE.finditer(buffer, seen):
        end = match.end()
        if end == len(buffer) and buffer.endswith(b"\r"):
            break  # its LF may be the next byte to come
        _append(buffer, start, end, events)
        start = end
    return start


def _append(buffer: bytes | bytearray, start: int, end: int, events: list[bytes]) -> None:
    if end - start > MAX_EVENT_BYTES:
        raise _too_large()
    events.append(bytes(buffer[start:end]))


def _too_large() -> EventTooLarge:
    return EventTooLarge(f"an event over {MAX_EVENT_BYTES} bytes")


def event_data(event: bytes) -> bytes | None:
    """Return the joined `data` fields of one event; None if it has none (a comment, a ping)."""
    if event.startswith(b"data: "):
        last = len(event) - 2
        if event.find(b"\n") == last and event.endswith(b"\n") and event.find(b"\r") < 0:
            return event[6:last]
    elif event.startswith(b"event: ") and _ends_once(event):
        start = event.find(b"\n") + 1
        if event.startswith(b"data: ", start):
            return event[start + 6 : -2]
    lines = [
        line[5:].removeprefix(b" ")
        for line in _LINE_END.split(event.removeprefix(_BOM))
        if line == b"data" or line.startswith(b"data:")
    ]
    return b"\n".join(lines) if lines else None


def encode_event(data: bytes) -> bytes:
    """Encode one event; `data` must hold no line end, which JSON never does."""
    return b"data: " + data + b"\n\n"


DONE = encode_event(b"[DONE]")
"""How the OpenAI dialects say that a stream is whole."""
