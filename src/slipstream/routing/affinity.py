"""Which targets have the beginning of a request in their cache, from what they were sent before.

    body   0 ──────────── 4 KiB ──── 8 KiB ──────── 16 KiB ──────────── …
             digest 1 ───────╯          │              │
             digest 2 ──────────────────╯              │      each digest covers all before it
             digest 3 ─────────────────────────────────╯

A conversation that goes on repeats the bytes of its last request up to the new turn. The longest
digest that a target was sent says how much of its cache a request can use; a digest is no content,
and means nothing outside this process.
"""

from typing import Final, NamedTuple

LEAST_BYTES: Final = 4096
"""Below about 1,024 tokens no provider caches, so nothing is looked up either."""

MAX_LEVELS: Final = 9  # 1 MiB: what is behind it is taken to be as warm as what is before it
MAX_DIGESTS: Final = 8192
MAX_TARGETS_PER_DIGEST: Final = 4

DEFAULT_LIFETIME_S: Final = 300.0
LIFETIMES_S: Final = {
    "openai": 600.0,  # five to ten minutes without use
    "anthropic": 300.0,
    "cerebras": 300.0,
    "groq": 3600.0,
    "gemini": 300.0,
    "local": 900.0,  # as long as its blocks are not needed
}
"""How long a provider keeps a prefix that nobody asks for, by its row; from their documentation."""


class Warm(NamedTuple):
    """A prefix that a target has been sent.

    Args:
        credential: Whose cache it is in: providers keep one for each account.
        until_s: When it will have been forgotten.
        num_bytes: Of a request's body.
    """

    credential: str
    until_s: float
    num_bytes: int


TargetKey = tuple[str, str]
"""Provider and model."""


class Affinity:
    """Remembers prefixes; bounded, the one unused for longest goes first."""

    def __init__(self) -> None:
        self._by_digest: dict[int, dict[TargetKey, Warm]] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, digests: tuple[int, ...], size: int, now_s: float) -> dict[TargetKey, Warm]:
        """Return by target how much of a request of `size` bytes it should have in its cache."""
        found: dict[TargetKey, Warm] = {}
        covered = LEAST_BYTES << len(digests)
        for digest in reversed(digests):
            covered >>= 1
            for key, sent in self._by_digest.get(digest, {}).items():
                if key in found or now_s >= sent.until_s:
                    continue
                # What was sent then ends before the next digest: all of it is the beginning of
                # this request. Otherwise they part somewhere behind this digest.
                is_whole = sent.num_bytes < 2 * covered
                found[key] = sent._replace(
                    num_bytes=min(sent.num_bytes, size) if is_whole else covered
                )
        return found

    def note(self, digests: tuple[int, ...], key: TargetKey, sent: Warm) -> None:
        """Remember that a target has been sent a request of these digests, and how large."""
        table = self._by_digest
        for digest in digests:
            holders = table.pop(digest, None) or {}
            holders.pop(key, None)
            while len(holders) >= MAX_TARGETS_PER_DIGEST:
                del holders[next(iter(holders))]
            holders[key] = sent
            while len(table) >= MAX_DIGESTS:
                del table[next(iter(table))]
            table[digest] = holders


def digests_of(body: bytes) -> tuple[int, ...]:
    """Return one digest for each doubling of `LEAST_BYTES` that a body has; mostly none."""
    size = len(body)
    if size < LEAST_BYTES:
        return ()
    view = memoryview(body)
    digests: list[int] = []
    start, end, digest = 0, LEAST_BYTES, 0
    while end <= size and len(digests) < MAX_LEVELS:
        digest = hash((digest, hash(view[start:end])))
        digests.append(digest)
        start, end = end, 2 * end
    return tuple(digests)


def lifetime_s(vendor: str) -> float:
    """Return how long a provider keeps a prefix that nobody asks for.

    Args:
        vendor: Name of the provider's row.
    """
    return LIFETIMES_S.get(vendor, DEFAULT_LIFETIME_S)
