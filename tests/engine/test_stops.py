"""Tests of slipstream.engine.stops."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.engine.stops import StopScanner, num_begun

CASES = [
    ("hello END world", ("END",), "hello ", "END"),
    ("hello EN world", ("END",), "hello EN world", None),
    ("aab", ("ab",), "a", "ab"),
    ("aaab", ("aab",), "a", "aab"),
    ("xabcx", ("bc", "abcd"), "xa", "bc"),
    ("xabc", ("abc", "ab"), "x", "ab"),
    ("one\n\ntwo", ("two", "\n\n"), "one", "\n\n"),
    ("EN", ("END",), "EN", None),
    ("日本。語", ("。",), "日本", "。"),
    ("no stops", (), "no stops", None),
]


def scan(pieces: list[str], stops: tuple[str, ...]) -> tuple[str, str | None]:
    """Feed pieces; return all that was shown and what stopped it."""
    scanner = StopScanner(stops)
    shown = ""
    for piece in pieces:
        text, stop = scanner.feed(piece)
        shown += text
        if stop is not None:
            return shown, stop
    return shown + scanner.flush(), None


@pytest.mark.parametrize(("text", "stops", "shown", "stop"), CASES)
def test_scanner_every_split_gives_the_same(
    text: str, stops: tuple[str, ...], shown: str, stop: str | None
) -> None:
    """Up to three pieces, cut at every place, show what the whole text shows and stop for it."""
    cuts = [c for n in range(3) for c in combinations(range(len(text) + 1), n)]
    for cut in cuts:
        ends = (*cut, len(text))
        pieces = [text[a:b] for a, b in zip((0, *cut), ends, strict=True)]
        assert scan(pieces, stops) == (shown, stop)


@given(st.text("ab", max_size=20), st.lists(st.text("ab", min_size=1, max_size=4), max_size=4))
def test_scanner_one_letter_at_a_time_agrees_with_find(text: str, stops: list[str]) -> None:
    """Against the definition: the text before the stop string that begins first, as it ends."""
    shown, found = scan(list(text), tuple(stops))

    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    assert (found is not None) == bool(ends)
    if not ends:
        assert shown == text
    else:
        seen = text[: min(ends)]  # one letter at a time the stop that is whole first is found
        assert shown == seen[: min(seen.find(stop) for stop in stops if stop in seen)]
        assert seen[len(shown) :].startswith(found or "?")


def test_scanner_holds_back_only_what_may_become_a_stop() -> None:
    """Text is shown as soon as it cannot be part of a stop string."""
    scanner = StopScanner(("STOP",))

    assert scanner.feed("go S") == ("go ", None)
    assert scanner.feed("TO") == ("", None)
    assert scanner.feed("RY") == ("STORY", None)


def test_fork_begins_anew() -> None:
    """Answers to one prompt share nothing."""
    scanner = StopScanner(("STOP",))
    other = scanner.fork()
    scanner.feed("ST")

    assert other.feed("OP") == ("OP", None)


@given(st.text("ab", max_size=12), st.text("ab", min_size=1, max_size=5))
def test_num_begun_agrees_with_the_definition(text: str, stop: str) -> None:
    """The longest end of the text with which the stop string, and more, begins."""
    begun = [n for n in range(len(stop)) if text.endswith(stop[:n])]

    assert num_begun(text, stop) == max(begun)
