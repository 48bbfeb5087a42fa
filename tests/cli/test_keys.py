"""`slipstream keys`: what goes to which stream, and that a made key is valid."""

from pathlib import Path

import pytest

from slipstream.cli.keys import create, list_, revoke
from slipstream.limits.keys import KeyRefused, digest_of
from slipstream.limits.snapshot import load_snapshot
from tests.ledger.samples import new_home, store_in


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for an installation, away from any configuration of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return new_home(tmp_path / "home")


def test_keys_create_prints_the_key_and_nothing_else(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`KEY=$(slipstream keys create bob)` works; the hint goes to standard error."""
    create("bob", home=home)
    shown = capsys.readouterr()
    token = shown.out.removesuffix("\n")
    assert "\n" not in token
    assert "cannot be shown again" in shown.err
    assert token not in shown.err
    with store_in(home) as store:
        assert digest_of(token) in load_snapshot(store)


def test_keys_list_shows_names_and_never_a_key(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first characters are all that is shown."""
    list_(home=home)
    assert "There is no key yet" in capsys.readouterr().out
    create("bob", home=home)
    token = capsys.readouterr().out.strip()
    list_(home=home)
    shown = capsys.readouterr().out
    assert "bob" in shown
    assert f"{token[:12]}…" in shown
    assert token[12:] not in shown


def test_keys_revoke_makes_the_key_worthless(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name; an unknown name is refused with the nearest."""
    create("bob", home=home)
    with pytest.raises(KeyRefused, match="nearest: bob"):
        revoke("bbo", home=home)
    revoke("bob", home=home)
    assert "'bob'" in capsys.readouterr().out
    with store_in(home) as store:
        assert load_snapshot(store) == {}
    list_(home=home)
    assert "bob" in capsys.readouterr().out
