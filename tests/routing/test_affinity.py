"""Who has which beginning in its cache: found by digests, forgotten in time, bounded."""

import pytest

from slipstream.routing import affinity
from slipstream.routing.affinity import LEAST_BYTES, MAX_LEVELS, Affinity, Warm, digests_of

A, B = ("a", "m"), ("b", "m")


def _sent(body: bytes, *, until_s: float = 100.0, credential: str = "default") -> Warm:
    return Warm(credential, until_s, len(body))


def _text(num_bytes: int, seed: int = 0) -> bytes:
    return b"".join(b"%07d:" % (seed + n) for n in range(num_bytes // 8))


@pytest.mark.parametrize(
    ("size", "num"),
    [
        (0, 0),
        (LEAST_BYTES - 1, 0),
        (LEAST_BYTES, 1),
        (2 * LEAST_BYTES - 1, 1),
        (2 * LEAST_BYTES, 2),
        (9 * LEAST_BYTES, 4),
        (LEAST_BYTES << 12, MAX_LEVELS),
    ],
)
def test_digests_one_for_each_doubling(size: int, num: int) -> None:
    """What no provider caches has none, and a huge body not more than a few."""
    assert len(digests_of(bytes(size))) == num


def test_digests_cover_all_before_them() -> None:
    """A change at the very beginning changes them all, one behind changes none before it."""
    body = _text(20_000)
    plain = digests_of(body)
    assert not set(digests_of(b"x" + body[1:])) & set(plain)
    late = body[:9_000] + b"x" + body[9_001:]
    assert digests_of(late)[:2] == plain[:2]
    assert digests_of(late)[2] != plain[2]


def test_find_conversation_that_goes_on_is_warm_as_far_as_it_was_sent() -> None:
    """The next turn repeats all of the last request."""
    table = Affinity()
    first = _text(10_000)
    table.note(digests_of(first), A, _sent(first))
    longer = first + _text(3_000, seed=10**6)
    found = table.find(digests_of(longer), len(longer), 0.0)
    assert found == {A: _sent(first)}
    assert table.find(digests_of(first), len(first), 0.0) == {A: _sent(first)}


def test_find_shared_beginning_is_warm_as_far_as_it_is_known_to_be_shared() -> None:
    """Two conversations under one system prompt part somewhere behind their last common digest."""
    table = Affinity()
    prompt = _text(9_000)
    one, other = prompt + _text(20_000, seed=10**6), prompt + _text(20_000, seed=2 * 10**6)
    table.note(digests_of(one), A, _sent(one))
    assert table.find(digests_of(other), len(other), 0.0)[A].num_bytes == 8192


def test_find_nothing_of_what_is_new_or_forgotten() -> None:
    """A provider's cache ends, and other texts are none of its business."""
    table = Affinity()
    body = _text(5_000)
    table.note(digests_of(body), A, _sent(body, until_s=10.0))
    other = _text(5_000, seed=77)
    assert table.find(digests_of(other), len(other), 0.0) == {}
    assert table.find(digests_of(body), len(body), 9.9)
    assert table.find(digests_of(body), len(body), 10.0) == {}


def test_find_tells_of_every_target_and_its_latest_key() -> None:
    """The same beginning may be warm at several, with the key that sent it last."""
    table = Affinity()
    body = _text(5_000)
    for key, credential in ((A, "k1"), (B, "k1"), (A, "k2")):
        table.note(digests_of(body), key, _sent(body, credential=credential))
    found = table.find(digests_of(body), len(body), 0.0)
    assert {key: sent.credential for key, sent in found.items()} == {A: "k2", B: "k1"}


def test_note_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests unused for longest go, and of a digest's targets the oldest."""
    monkeypatch.setattr(affinity, "MAX_DIGESTS", 10)
    table = Affinity()
    bodies = [_text(5_000, seed=n * 10**4) for n in range(30)]
    for body in bodies:
        table.note(digests_of(body), A, _sent(body))
    assert len(table) == 10
    assert table.find(digests_of(bodies[29]), 5_000, 0.0)
    assert not table.find(digests_of(bodies[0]), 5_000, 0.0)
    for number in range(9):
        table.note(digests_of(bodies[29]), (f"p{number}", "m"), _sent(bodies[29]))
    found = table.find(digests_of(bodies[29]), 5_000, 0.0)
    assert set(found) == {(f"p{number}", "m") for number in range(5, 9)}


def test_lifetime_is_the_providers_own() -> None:
    """What is not known of a provider is taken for five minutes."""
    assert affinity.lifetime_s("groq") > affinity.lifetime_s("somebody")
    assert affinity.lifetime_s("somebody") == affinity.DEFAULT_LIFETIME_S
