"""Tests of slipstream.engine.detokenizer."""

import pytest

from slipstream.engine.detokenizer import Detokenizer

SINGLE_BYTES = [bytes([value]) for value in range(256)]


@pytest.mark.parametrize("text", ["plain", "héllo", "日本語", "a😀b", "👩‍👩‍👧‍👦", "\u0000\n"])
def test_feed_one_byte_tokens_gives_whole_characters(text: str) -> None:
    """Each piece is whole characters, and together they are the text."""
    detokenizer = Detokenizer(SINGLE_BYTES, frozenset())
    pieces = [detokenizer.feed(token_id) for token_id in text.encode()]

    assert "".join(pieces) == text
    assert "\ufffd" not in "".join(pieces)
    assert [piece for piece in pieces if piece] == list(text)


def test_feed_control_tokens_are_hidden() -> None:
    """A control token is no text, and does not disturb a character that is under way."""
    detokenizer = Detokenizer([b"\xc3", b"<|end|>", b"\xa9"], frozenset({1}))

    assert [detokenizer.feed(token_id) for token_id in (0, 1, 2)] == ["", "", "é"]


def test_feed_bytes_that_are_no_text_become_the_replacement() -> None:
    """Bytes that can never become a character are shown as U+FFFD, once it is certain."""
    detokenizer = Detokenizer([b"a\xff", b"\xe6\x97", b"b"], frozenset())

    assert detokenizer.feed(0) == "a\ufffd"
    assert detokenizer.feed(1) == ""
    assert detokenizer.feed(2) == "\ufffdb"


def test_feed_id_beyond_the_table_is_nothing() -> None:
    """Models pad their vocabulary; such a row has no text."""
    assert Detokenizer([b"a"], frozenset()).feed(5) == ""


def test_feed_marker_for_a_parser_is_its_name() -> None:
    """A control token that means something to a parser is left out of the hidden ones."""
    detokenizer = Detokenizer([b"<think>", b"<|end|>", b"a"], frozenset({1}))

    assert [detokenizer.feed(token_id) for token_id in (0, 2, 1)] == ["<think>", "a", ""]


def test_fork_begins_anew() -> None:
    """Answers to one prompt share no half character."""
    detokenizer = Detokenizer([b"\xc3", b"\xa9"], frozenset())
    other = detokenizer.fork()
    detokenizer.feed(0)

    assert other.feed(1) == "\ufffd"
    assert detokenizer.feed(1) == "é"
