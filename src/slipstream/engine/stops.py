"""Finds stop strings in a growing text, also where they lie across its pieces.

Text is held back only as long as it may still become a stop string, so that no part of one is
ever shown.
"""

from typing import NamedTuple


class Scanned(NamedTuple):
    """Text that may be shown now, and the stop string that was found behind it."""

    text: str
    stop: str | None = None


class StopScanner:
    """The stop strings of one request and the text that may be the beginning of one."""

    __slots__ = ("_held", "_stops")

    def __init__(self, stops: tuple[str, ...]) -> None:
        assert all(stops), "an empty stop string would stop everything"
        self._stops = stops
        self._held = ""

    @property
    def has_stops(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._stops)

    @property
    def num_held(self) -> int:
        """Letters that are held back."""
        return len(self._held)

    def feed(self, text: str) -> Scanned:
        """Add text; after a stop was found the scanner is of no further use."""
        if not self._stops:
            return Scanned(text)
        text = self._held + text
        found = [(at, len(stop), stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self._held = ""
            at, _, stop = min(found)  # of two that begin there, the one that is whole first
            return Scanned(text[:at], stop)
        num_held = max(num_begun(text, stop) for stop in self._stops)
        cut = len(text) - num_held
        self._held = text[cut:]
        return Scanned(text[:cut])

    def fork(self) -> "StopScanner":
        """Return a scanner for another answer to the same prompt; none was begun."""
        return StopScanner(self._stops)

    def flush(self) -> str:
        """Return what is held back: the answer ended and it became no stop string."""
        text, self._held = self._held, ""
        return text


def num_begun(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that a stop string begins with."""
    start = max(len(text) - len(stop) + 1, 0)
    while (start := text.find(stop[0], start)) >= 0:
        if stop.startswith(text[start:]):
            return len(text) - start
        start += 1
    return 0
