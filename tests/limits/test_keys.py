"""Virtual keys on a real database: what is stored, what is shown, what is valid."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream.ledger.store import Store
from slipstream.limits.keys import (
    FIRST_KEY_NAME,
    KEY_PREFIX,
    KeyRefused,
    create_first_key,
    create_key,
    digest_of,
    list_keys,
    revoke_key,
)
from slipstream.limits.snapshot import load_snapshot
from tests.ledger.samples import new_home, store_in


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an installation that this module shares."""
    return new_home(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """Give a database without keys."""
    with store_in(home) as store:
        yield store
        store.execute("DELETE FROM keys")


def test_created_key_is_found_by_the_digest_of_its_text(store: Store) -> None:
    """What the caller sends leads to the key's id and name, and nothing else does."""
    record, token = create_key(store, "bob", 1)
    snapshot = load_snapshot(store)
    assert snapshot == {hashlib.sha256(token.encode()).digest(): (record.key_id, "bob")}
    assert snapshot.get(digest_of(token)) == (record.key_id, "bob")
    assert snapshot.get(digest_of(token[:-1])) is None


def test_created_keys_have_the_format_and_differ(store: Store) -> None:
    """`sk-slip-` and 32 random bytes in URL-safe text."""
    tokens = [create_key(store, f"k{number}", number)[1] for number in range(20)]
    assert len(set(tokens)) == 20
    for token in tokens:
        assert token.startswith(KEY_PREFIX)
        rest = token.removeprefix(KEY_PREFIX)
        assert len(rest) == 43
        assert rest.replace("-", "").replace("_", "").isalnum()


def test_key_itself_is_nowhere_in_the_database(store: Store, home: Path) -> None:
    """Only the hash and the first characters are stored; files hold no more."""
    record, token = create_key(store, "bob", 1)
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    secret = token.removeprefix(KEY_PREFIX)[4:].encode()
    for path in home.glob("slipstream.db*"):
        assert secret not in path.read_bytes()
    assert record.shown == f"{token[:12]}…"
    assert secret.decode() not in repr(record)


def test_revoked_key_is_listed_and_no_longer_valid(store: Store) -> None:
    """By name or by id; the record stays for reports."""
    bob, _ = create_key(store, "bob", 1)
    eve, _ = create_key(store, "eve", 2)
    assert revoke_key(store, "bob", 3).revoked_at_ns == 3
    assert list(load_snapshot(store).values()) == [(eve.key_id, "eve")]
    revoke_key(store, eve.key_id, 4)
    assert load_snapshot(store) == {}
    assert [(key.key_id, key.revoked_at_ns) for key in list_keys(store)] == [
        (bob.key_id, 3),
        (eve.key_id, 4),
    ]


def test_name_is_free_again_after_revocation_and_not_before(store: Store) -> None:
    """Two valid keys never share a name; a revoked one and a new one may."""
    create_key(store, "bob", 1)
    with pytest.raises(KeyRefused, match="'bob' exists"):
        create_key(store, "bob", 2)
    revoke_key(store, "bob", 3)
    create_key(store, "bob", 4)
    assert len(list_keys(store)) == 2


@pytest.mark.parametrize("name", ["", " bob", "bob ", "b\nob", "x" * 65])
def test_name_that_cannot_be_shown_is_refused(store: Store, name: str) -> None:
    """The text says what is accepted."""
    with pytest.raises(KeyRefused, match="1 to 64 printable"):
        create_key(store, name, 1)
    assert list_keys(store) == []


def test_revoke_of_an_unknown_name_names_the_nearest(store: Store) -> None:
    """A typo is answered with what was probably meant; an empty list is said to be empty."""
    with pytest.raises(KeyRefused, match="there is none"):
        revoke_key(store, "bob", 1)
    for name in ("production", "staging"):
        create_key(store, name, 1)
    with pytest.raises(KeyRefused, match="nearest: production"):
        revoke_key(store, "prodution", 2)
    assert len(load_snapshot(store)) == 2


def test_revoke_of_a_revoked_key_is_refused(store: Store) -> None:
    """The moment of revocation is never overwritten."""
    create_key(store, "bob", 1)
    revoke_key(store, "bob", 2)
    with pytest.raises(KeyRefused):
        revoke_key(store, "bob", 3)
    assert list_keys(store)[0].revoked_at_ns == 2


def test_first_key_is_made_once(store: Store) -> None:
    """A fresh installation gets one; one whose keys were all revoked is not fresh."""
    made = create_first_key(store, 1)
    assert made is not None
    assert made[0].name == FIRST_KEY_NAME
    assert create_first_key(store, 2) is None
    revoke_key(store, FIRST_KEY_NAME, 3)
    assert create_first_key(store, 4) is None
