"""Virtual keys: made, listed, revoked; snapshot.py is what the hot path looks tokens up in.

Only a key's SHA-256 is stored. Looking the digest up in a dict is safe against timing: what time
could tell is about the digest of a guess, and no one can steer a digest towards a stored one. A
salt or a slow hash would add nothing, for a key is 256 random bits and no word list holds it.
"""

import difflib
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from slipstream.errors import GatewayError
from slipstream.limits.snapshot import Database

KEY_PREFIX: Final = "sk-slip-"
FIRST_KEY_NAME: Final = "default"
MAX_NAME_CHARS: Final = 64
_NUM_RANDOM_BYTES: Final = 32
_NUM_SHOWN_CHARS: Final = len(KEY_PREFIX) + 4


class KeyRefused(GatewayError):
    """No key of that name or id, a name that is taken, or one that cannot be used."""

    code = "key_refused"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key; never the key.

    Args:
        shown: The first characters, for people to recognise it by.
    """

    key_id: str
    name: str
    shown: str
    created_at_ns: int
    revoked_at_ns: int | None = None


def digest_of(token: str) -> bytes:
    """Return the digest by which a key is known."""
    return hashlib.sha256(token.encode()).digest()


def create_key(database: Database, name: str, now_ns: int) -> tuple[KeyRecord, str]:
    """Make a key; return its record and the key itself, which cannot be had again.

    Raises:
        KeyRefused: The name is empty, too long, unprintable or taken by a valid key.
    """
    with database.transaction():
        return _insert_key(database, name, now_ns)


def create_first_key(database: Database, now_ns: int) -> tuple[KeyRecord, str] | None:
    """Make the key of a fresh installation; None where any key was ever made."""
    with database.transaction():
        if database.execute("SELECT 1 FROM keys LIMIT 1"):
            return None
        return _insert_key(database, FIRST_KEY_NAME, now_ns)


def list_keys(database: Database) -> list[KeyRecord]:
    """List all keys ever made, oldest first."""
    query = (
        "SELECT key_id, name, shown, created_at_ns, revoked_at_ns FROM keys "
        "ORDER BY created_at_ns, key_id"
    )
    return [KeyRecord(*row) for row in database.execute(query)]


def revoke_key(database: Database, name_or_id: str, now_ns: int) -> KeyRecord:
    """Make a key invalid for good; return its record.

    Raises:
        KeyRefused: No valid key has that name or id; the text names the nearest that do.
    """
    with database.transaction():
        valid = [key for key in list_keys(database) if key.revoked_at_ns is None]
        found = next((key for key in valid if name_or_id in (key.key_id, key.name)), None)
        if found is None:
            raise KeyRefused(_unknown(name_or_id, valid))
        update = "UPDATE keys SET revoked_at_ns = ? WHERE key_id = ?"
        database.execute(update, (now_ns, found.key_id))
    return KeyRecord(found.key_id, found.name, found.shown, found.created_at_ns, now_ns)


def _insert_key(database: Database, name: str, now_ns: int) -> tuple[KeyRecord, str]:
    _check_name(name)
    query = "SELECT 1 FROM keys WHERE name = ? AND revoked_at_ns IS NULL"
    if database.execute(query, (name,)):
        raise KeyRefused(f"a key named '{name}' exists; revoke it first, or choose another name")
    token = KEY_PREFIX + secrets.token_urlsafe(_NUM_RANDOM_BYTES)
    record = KeyRecord(
        key_id=f"key-{secrets.token_hex(6)}",
        name=name,
        shown=f"{token[:_NUM_SHOWN_CHARS]}…",
        created_at_ns=now_ns,
    )
    insert = "INSERT INTO keys (key_id, name, sha256, shown, created_at_ns) VALUES (?, ?, ?, ?, ?)"
    digest = digest_of(token)
    database.execute(insert, (record.key_id, record.name, digest, record.shown, now_ns))
    return record, token


def _check_name(name: str) -> None:
    if not name or name != name.strip() or not name.isprintable() or len(name) > MAX_NAME_CHARS:
        raise KeyRefused(
            f"{name!r} cannot name a key; accepted: 1 to {MAX_NAME_CHARS} printable characters "
            "without a space at either end"
        )


def _unknown(name_or_id: str, valid: list[KeyRecord]) -> str:
    if not valid:
        return f"no valid key is named '{name_or_id}'; there is none at all"
    names = [text for key in valid for text in (key.name, key.key_id)]
    near = difflib.get_close_matches(name_or_id, names, n=3) or [key.name for key in valid[:3]]
    return f"no valid key has the name or id '{name_or_id}'; nearest: {', '.join(near)}"
