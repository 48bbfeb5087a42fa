"""What an attempt's account tells of its end: outcomes, times, and races that were lost."""

from contextlib import aclosing, suppress

import msgspec
import pytest

from slipstream.call import Frame, Meaning
from slipstream.choice import Race
from slipstream.errors import Busy, GatewayError, StreamCut, TooSlow
from tests.ledger.metering_scene import BODY, END, USAGE, Books, all_of, call_of, text
from tests.ledger.samples import buckets


async def test_outcome_is_told_once_with_times_usage_and_cost(books: Books) -> None:
    """Whoever learns from attempts hears of this one when it is settled."""
    end = Frame(b"end", Meaning.END, USAGE, "stop")
    await all_of(books.meter(books.leaf(250, text(1), 750, end)))
    [told] = books.told
    assert (told.state, told.error, told.usage, told.cost_usd_pico) == (
        "complete",
        None,
        USAGE,
        6000,
    )
    assert (told.first_token_s, told.total_s, told.held_s) == (0.25, 1.0, 0.0)
    assert told.attempt.attempt_id == "c-2"
    assert told.body_bytes == len(BODY)


async def test_time_of_a_slow_consumer_is_told_apart(books: Books) -> None:
    """What the client takes between two frames is in no account but its own."""
    async with aclosing(books.meter(books.leaf(100, text(1), 200, text(2), END))) as frames:
        async for _ in frames:
            books.now_ns += 5_000_000_000
    [told] = books.told
    assert (told.first_token_s, told.held_s) == (0.1, 10.0)
    assert told.total_s == pytest.approx(10.3)


async def test_time_before_a_consumer_leaves_is_its_own_too(books: Books) -> None:
    """A client that looks at a frame for a minute and goes has held it for a minute."""
    async with aclosing(books.meter(books.leaf(100, text(1), text(2), END))) as frames:
        await anext(frames)
        books.now_ns += 60_000_000_000
    [told] = books.told
    assert (told.state, told.held_s) == ("cancelled", 60.0)


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ((text(1), Busy("full")), "failed"),
        ((text(1), StreamCut("cut")), "cut"),
        ((text(1),), "cut"),
        ((text(1), ZeroDivisionError()), "failed"),
        ((END, END), "complete"),
    ],
    ids=["error", "cut", "no end", "defect", "two ends"],
)
async def test_every_ending_is_told_once(
    books: Books, script: tuple[Frame | BaseException, ...], state: str
) -> None:
    """And as the ledger has it."""
    with suppress(GatewayError, ZeroDivisionError):
        await all_of(books.meter(books.leaf(*script)))
    [told] = books.told
    assert told.state == books.records()[1].state == state
    assert (told.error is None) == (state == "complete")


async def test_cancelled_attempt_is_told_without_an_error(books: Books) -> None:
    """A client that leaves is nobody's failure."""
    frames = books.meter(books.leaf(text(1), END))
    await anext(frames)
    await frames.aclose()
    [told] = books.told
    assert (told.state, told.error) == ("cancelled", None)


@pytest.mark.parametrize(
    ("frames", "is_stream"),
    [
        ((Frame(b"stop", Meaning.CONTENT, finish_reason="stop", is_empty=True), END), True),
        ((END,), True),
        ((Frame(b"{}", Meaning.END, is_empty=True),), False),
    ],
    ids=["finish only", "end only", "plain"],
)
async def test_answer_that_says_nothing_has_no_first_token(
    books: Books, frames: tuple[Frame, ...], is_stream: bool
) -> None:
    """Else a target that says nothing at once would look like the fastest."""
    call = msgspec.structs.replace(call_of(), is_stream=is_stream)
    got = await all_of(books.meter(books.leaf(10, *frames), call))
    [told] = books.told
    assert (told.state, told.first_token_s) == ("complete", None)
    assert [frame.is_empty for frame in got] == [frame.is_empty for frame in frames]


# ---- races ---------------------------------------------------------------------------------------


async def test_loser_of_a_race_is_outraced_at_an_estimated_cost(books: Books) -> None:
    """Another has won: it is no failure and no client that left; tokens and cost are estimates."""
    race = Race()
    frames = books.meter(books.leaf(Frame(b"role", Meaning.SILENT), text(1)), call_of(race))
    await anext(frames)
    race.winner_id = "c-1"
    await frames.aclose()
    first, last = books.records()
    assert (first.cause, last.state, last.error_code, last.fault) == (
        "hedge",
        "outraced",
        None,
        None,
    )
    assert (last.is_estimate, last.cost_usd_pico) == (True, 100 * 100 + 0 * 1000)
    [told] = books.told
    assert (told.state, told.error) == ("outraced", None)


async def test_usage_that_a_loser_stated_is_an_estimate_of_its_bill(books: Books) -> None:
    """Its provider counts on until it hears that nobody listens."""
    race = Race()
    begun = Frame(b"start", Meaning.SILENT, usage=USAGE)
    frames = books.meter(books.leaf(begun, text(1)), call_of(race))
    await anext(frames)
    race.winner_id = "c-1"
    await frames.aclose()
    _, last = books.records()
    assert (last.buckets, last.is_estimate) == (buckets(input_tokens=10, output_tokens=5), True)


async def test_winner_of_a_race_whose_client_leaves_is_cancelled(books: Books) -> None:
    """It has lost nothing."""
    race = Race()
    frames = books.meter(books.leaf(text(1), text(2)), call_of(race))
    await anext(frames)
    race.winner_id = "c-2"
    await frames.aclose()
    assert books.records()[1].state == "cancelled"


async def test_loser_that_was_whole_too_is_outraced_with_its_true_cost(books: Books) -> None:
    """Two plain answers in one turn of the loop: one is the answer, both are billed."""
    race = Race()
    race.winner_id = "c-1"
    [frame] = await all_of(books.meter(books.leaf(Frame(b"{}", Meaning.END, USAGE)), call_of(race)))
    _, last = books.records()
    assert (last.state, last.is_estimate, last.cost_usd_pico) == ("outraced", False, 6000)
    assert frame.receipt is not None
    assert frame.receipt.state == "outraced"


async def test_attempt_that_was_given_up_has_failed_as_its_race_says(books: Books) -> None:
    """Too slow is the target's fault, and no client that left."""
    race = Race()
    frames = books.meter(books.leaf(text(1), text(2)), call_of(race))
    await anext(frames)
    slow = TooSlow(0.5, 10.0)
    race.give_up("c-2", slow)
    await frames.aclose()
    _, last = books.records()
    assert (last.state, last.fault, last.error_code) == ("failed", "target", "too_slow")
    assert last.buckets == buckets(input_tokens=100, output_tokens=1)
    assert [told.error for told in books.told] == [slow]
