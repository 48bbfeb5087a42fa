"""The valid keys, as the process that keeps the ledger reads them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipstream.ledger.store import Store
from slipstream.limits.keys import create_key, digest_of, revoke_key
from slipstream.limits.snapshot import load_snapshot, snapshot_version
from tests.ledger.samples import new_home, store_in


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give a database without keys."""
    with store_in(new_home(tmp_path)) as store:
        yield store


def test_load_snapshot_has_valid_keys_alone(store: Store) -> None:
    """By the digest of each, its id and its name."""
    eve, token = create_key(store, "eve", 1)
    create_key(store, "adam", 2)
    revoke_key(store, "adam", 3)
    assert load_snapshot(store) == {digest_of(token): (eve.key_id, "eve")}


def test_snapshot_version_differs_after_every_change(store: Store) -> None:
    """The bookkeeper looks at the version alone to know whether to send the keys again."""
    seen = {snapshot_version(store)}
    create_key(store, "a", 1)
    seen.add(snapshot_version(store))
    create_key(store, "b", 1)
    seen.add(snapshot_version(store))
    revoke_key(store, "a", 1)
    seen.add(snapshot_version(store))
    revoke_key(store, "b", 1)
    seen.add(snapshot_version(store))
    assert len(seen) == 5
    assert snapshot_version(store) in seen
