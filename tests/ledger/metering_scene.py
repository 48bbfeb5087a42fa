"""Attempts that are metered in a test: their frames, their prices, and what the journal has."""

from contextlib import aclosing
from pathlib import Path

from slipstream.call import (
    Call,
    Dialect,
    Frame,
    Frames,
    Meaning,
    Outcome,
    Price,
    Rates,
    Serve,
    Usage,
)
from slipstream.choice import Attempt, Deadlines, Race, Target
from slipstream.ledger.journal import Journal
from slipstream.ledger.metering import metered
from slipstream.ledger.records import Opened, Settled
from slipstream.ledger.segments import list_segments, parse
from tests.ledger.samples import NOON_NS

USAGE = Usage(input_tokens=10, output_tokens=5)
PRICE = Price(rates=Rates(input_tokens=100, output_tokens=1000), source="list", date="2026-01-31")
TARGET = Target("cerebras", "gpt-oss-120b")
BODY = b"x" * 403
END = Frame(b"[DONE]", Meaning.END)


def call_of(race: Race | None = None) -> Call:
    """Make the second attempt of a streaming call, alone or in a race."""
    attempt = Attempt(
        attempt_id="c-2",
        number=2,
        route="fast",
        target=TARGET,
        deadlines=Deadlines(),
        started_at_ns=NOON_NS,
        total_deadline_s=1e9,
        cause="first" if race is None else "hedge",
        race=race,
    )
    return Call(
        call_id="c",
        dialect=Dialect.OPENAI_CHAT,
        body=BODY,
        model="fast",
        key_id="key-1",
        is_stream=True,
        attempt=attempt,
    )


def text(number: int) -> Frame:
    """Make a frame with content."""
    return Frame(f"text {number}".encode(), Meaning.CONTENT)


class Books:
    """A journal in a folder, a price list of one price, a clock that stands, and who is told."""

    def __init__(self, directory: Path, price: Price | None = PRICE) -> None:
        self.directory = directory
        self.journal = Journal(directory)
        self.price = price
        self.asked: list[tuple[str, str, int]] = []
        self.told: list[Outcome] = []
        self.now_ns = 0

    def meter(self, leaf: Serve, call: Call | None = None) -> Frames:
        """Begin an attempt at a leaf."""
        meter = metered(leaf, self.journal, self._price_of, lambda: self.now_ns, self.told.append)
        return meter(call_of() if call is None else call)

    def leaf(self, *script: Frame | BaseException | int) -> Serve:
        """Play frames; raise what is to be raised; let so many milliseconds pass."""

        async def serve(call: Call) -> Frames:
            for step in script:
                if isinstance(step, int):
                    self.now_ns += step * 1_000_000
                elif isinstance(step, BaseException):
                    raise step
                else:
                    yield step

        return serve

    def records(self) -> tuple[Opened, Settled]:
        """Return the two records of the one attempt."""
        (segment,) = list_segments(self.directory)
        first, last = parse(segment.path.read_bytes()).records
        assert isinstance(first, Opened)
        assert isinstance(last, Settled)
        return first, last

    def _price_of(self, provider: str, model: str, at_ns: int) -> Price | None:
        self.asked.append((provider, model, at_ns))
        return self.price


async def all_of(frames: Frames) -> list[Frame]:
    """Read an answer to its end."""
    async with aclosing(frames):
        return [frame async for frame in frames]
