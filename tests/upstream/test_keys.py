"""Providers' keys: where they come from, and that no message shows one."""

from pathlib import Path

import pytest

from slipstream.errors import ConfigError
from slipstream.upstream.keys import read_key, read_keys

KEY = "sk-live-1234"


def _text(
    reference: str | None, usual: tuple[str, ...] = (), environ: dict[str, str] | None = None
) -> str | None:
    found = read_key(reference, usual, environ or {})
    return None if found is None else found.reveal()


def _problem(
    reference: str | None, usual: tuple[str, ...] = (), environ: dict[str, str] | None = None
) -> str:
    with pytest.raises(ConfigError) as caught:
        read_key(reference, usual, environ or {})
    assert "1234" not in repr(caught.value)
    return caught.value.message


def test_read_key_env_names_a_variable() -> None:
    """`env:NAME`; space around the key, which files leave, is no part of it."""
    assert _text("env:MY_KEY", environ={"MY_KEY": f" {KEY}\n"}) == KEY


def test_read_key_file_holds_the_key(tmp_path: Path) -> None:
    """`file:PATH`, with the line end that editors add."""
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n", encoding="utf-8")
    assert _text(f"file:{path}") == KEY


def test_read_key_literal_is_the_key() -> None:
    """Anything else is the key itself, colons and all."""
    assert _text(KEY) == KEY
    assert _text("a:b:c") == "a:b:c"


def test_read_key_left_out_takes_the_first_usual_variable_that_is_set() -> None:
    """A provider's own variables are looked at in their order; an empty one is not set."""
    environ = {"FIRST": "", "SECOND": KEY, "THIRD": "other"}
    assert _text(None, ("FIRST", "SECOND", "THIRD"), environ) == KEY


def test_read_key_of_a_provider_that_needs_none_is_none() -> None:
    """An upstream of one's own may want no key."""
    assert _text(None) is None


@pytest.mark.parametrize(
    ("reference", "usual", "word"),
    [
        (None, ("ONE", "TWO"), "set ONE or TWO, or write api_key"),
        ("env:MISSING", (), "'MISSING' is not set"),
        ("env:EMPTY", (), "'EMPTY' is not set"),
        ("env:", (), "'' is not set"),
        ("file:/nonexistent/key", (), "'/nonexistent/key' cannot be read: FileNotFoundError"),
        ("file:/", (), "cannot be read: IsADirectoryError"),
        ("file:\0", (), "cannot be read: ValueError"),
        ("file:~no-such-user-here/key", (), "cannot be read"),
    ],
)
def test_read_key_that_is_not_there_says_what_is_missing(
    reference: str | None, usual: tuple[str, ...], word: str
) -> None:
    """Each way to a key that leads nowhere is a clear error of the configuration."""
    assert word in _problem(reference, usual, {"EMPTY": ""})


def test_read_key_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A binary file is no key."""
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xfe")
    assert "cannot be read: UnicodeDecodeError" in _problem(f"file:{path}")


@pytest.mark.parametrize("text", ["", "  ", f"{KEY}\nX-Evil: 1", f"{KEY}\r\n1", f"{KEY}é", "a\0b"])
def test_read_key_that_no_header_carries_is_refused(text: str, tmp_path: Path) -> None:
    """Regression: an empty key, or one with a line end in it, went into the header as it was."""
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8", newline="")
    assert "printable ASCII" in _problem(f"file:{path}")
    assert "printable ASCII" in _problem(text)


# ---- several ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "more", "usual", "keys"),
    [
        (None, (), ("ONE",), ["1"]),
        (None, (), (), []),
        (None, ("env:ONE", "env:TWO"), (), ["1", "2"]),
        (None, ("env:TWO",), ("ONE",), ["2"]),  # the list says it all
        ("env:TWO", ("env:ONE", "x"), ("THREE",), ["2", "1", "x"]),
    ],
)
def test_read_keys_are_those_that_are_named_in_their_order(
    reference: str | None, more: tuple[str, ...], usual: tuple[str, ...], keys: list[str]
) -> None:
    """`api_key` stands before `api_keys`; the usual variable counts where neither is given."""
    found = read_keys(reference, more, usual, {"ONE": "1", "TWO": "2", "THREE": "3"})
    assert [key.reveal() for key in found] == keys


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ((KEY, "env:MISSING"), "key 2 of the list: the environment variable 'MISSING' is not set"),
        ((KEY, KEY), "the same key stands there twice"),
        ((KEY, f"{KEY}\n"), "the same key stands there twice"),
        ((KEY, ""), "key 2 of the list: expected printable ASCII"),
    ],
)
def test_read_keys_that_cannot_be_says_which_and_shows_none(
    more: tuple[str, ...], word: str
) -> None:
    """A key that counts twice would be thought to have twice the room."""
    with pytest.raises(ConfigError) as caught:
        read_keys(None, more, (), {})
    assert word in caught.value.message
    assert "1234" not in repr(caught.value)
