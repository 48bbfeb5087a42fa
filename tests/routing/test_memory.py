"""What planning learns from attempts: answers, prefixes, and what races have spent."""

from typing import Any

import pytest

from slipstream.call import Usage
from slipstream.routing import memory as memory_module
from slipstream.routing.memory import Memory
from tests.routing.scenes import Scene, target

BODY = b"the beginning of a long conversation " * 300
KEY = ("a", "m")


class _Told:
    """A memory, and calls that it is told of."""

    def __init__(self) -> None:
        self.scene = Scene(("a/m", "b/m"))
        self.memory = Memory(self.scene.facts_of)

    def call(self, body: bytes = BODY, *, is_paid: bool = False) -> str:
        """Let a call be planned; return its id."""
        call = self.scene.call(body=body)
        start = self.memory.start_of(call, self.scene.now_s)
        self.memory.expect(call.call_id, start, is_paid=is_paid)
        return call.call_id

    def ended(self, call_id: str, number: int = 1, name: str = "a/m", **fields: Any) -> None:
        """Let an attempt end."""
        outcome = self.scene.outcome(target(name), attempt_id=f"{call_id}-{number}", **fields)
        self.memory.note(outcome, self.scene.now_s)

    def warm(self, body: bytes = BODY) -> dict[tuple[str, str], int]:
        """Return how many bytes of a body are warm, by target."""
        start = self.memory.start_of(self.scene.call(body=body), self.scene.now_s)
        return {key: sent.num_bytes for key, sent in start.warm.items()}


def test_note_complete_answer_is_an_answer_of_its_route() -> None:
    """What was cut or failed says nothing of how long answers are."""
    told = _Told()
    usage = Usage(input_tokens=10, output_tokens=70)
    told.ended("c", usage=usage)
    assert told.memory.history.answers("all", "b/m").text_tokens == 70
    told.ended("c", usage=Usage(input_tokens=10, output_tokens=5), state="cut")
    told.ended("c", usage=Usage(), state="complete")
    assert told.memory.history.answers("all", "b/m").text_tokens == 70


def test_note_answer_that_began_warms_its_target() -> None:
    """The provider has read the prompt then, whatever becomes of the answer."""
    told = _Told()
    told.ended(told.call(), state="cut", name="a/m")
    told.ended(told.call(), state="failed", first_s=None, name="b/m")
    assert told.warm() == {KEY: len(BODY)}
    assert told.warm(b"something else " * 900) == {}


def test_note_short_calls_are_not_remembered() -> None:
    """No provider caches them, so nothing is kept for them."""
    told = _Told()
    told.ended(told.call(b"short"))
    assert told.warm(b"short") == {}
    assert not told.memory._pending


def test_note_reading_from_the_cache_teaches_how_much_is() -> None:
    """Of what should have been there; what we only estimate teaches nothing."""
    told = _Told()
    told.ended(told.call(), usage=Usage(input_tokens=2700, output_tokens=9))
    answers = told.memory.history.answers("all", "a/m")
    before = answers.hit_share
    estimated = Usage(input_tokens=2700, output_tokens=9, is_estimate=True)
    told.ended(told.call(), usage=estimated)
    assert answers.hit_share == before
    told.ended(told.call(), usage=Usage(input_tokens=2700, output_tokens=9))
    assert answers.hit_share == pytest.approx(before / 2)


def test_note_pays_races_back_or_not() -> None:
    """A first runner's end returns what was paid, a further one's start spends it."""
    told = _Told()
    shares = told.memory.shares
    assert shares.take("all", 0.001)
    told.ended(told.call(is_paid=True))
    assert shares.take("all", 0.001)
    call_id = told.call(is_paid=True)
    told.ended(call_id, number=2, name="b/m", cause="hedge")
    told.ended(call_id)
    told.ended(call_id)  # told twice, returned once
    assert not shares.take("all", 0.0)


def test_expect_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls whose attempts never end do not pile up."""
    monkeypatch.setattr(memory_module, "MAX_PENDING", 3)
    told = _Told()
    ids = [told.call() for _ in range(10)]
    assert list(told.memory._pending) == ids[-3:]
