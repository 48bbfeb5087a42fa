"""Where the commit point is: what is held back, and what is good enough to be handed on."""

import asyncio
from collections.abc import Callable

import pytest

from slipstream.call import Frame, Frames, Meaning
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.dispatch.commit import MAX_HELD_FRAMES, num_tokens, until_commit, until_proven
from slipstream.errors import Broken, EmptyAnswer, GatewayError, Refused, StreamCut, TooSlow
from tests.dispatch.scene import DONE, QUIET, STOP, WORD, Leaf, Script, with_wishes
from tests.dispatch.virtual_time import run_virtual

FOREVER = float("inf")
_ATTEMPT = Attempt(
    attempt_id="c1-1",
    number=1,
    route="fast",
    target=Target("a", "m"),
    deadlines=Deadlines(),
    started_at_ns=0,
    total_deadline_s=9e9,
)


async def _play(*script: Frame | BaseException) -> Frames:
    for step in script:
        if isinstance(step, BaseException):
            raise step
        yield step


def _held(*script: Frame | BaseException, is_stream: bool = True) -> list[Frame]:
    """Pull up to the commit point; return what was held."""
    held: list[Frame] = []
    asyncio.run(until_commit(_play(*script), held, is_stream=is_stream))
    return held


def _finish(reason: str | None) -> Frame:
    return Frame(b"finish", Meaning.CONTENT, finish_reason=reason, is_empty=True)


@pytest.mark.parametrize(
    ("script", "is_stream", "num_held"),
    [
        ((QUIET, WORD, WORD), True, 2),
        ((QUIET, STOP, WORD, DONE), True, 3),
        ((Frame(b"{}", Meaning.END),), False, 1),
        ((Frame(b"x", Meaning.CONTENT, finish_reason="stop"), DONE), True, 1),
        ((QUIET, _finish("length"), DONE), True, 3),
        ((Frame(b"{}", Meaning.END, finish_reason="max_tokens", is_empty=True),), False, 1),
    ],
    ids=["word", "late word", "plain", "word and finish", "limit", "plain limit"],
)
def test_commit_point_is_the_first_meaning(
    script: tuple[Frame, ...], is_stream: bool, num_held: int
) -> None:
    """A finish alone is none; an answer that its own limit left empty is one."""
    assert _held(*script, is_stream=is_stream) == list(script[:num_held])


@pytest.mark.parametrize(
    ("script", "is_stream"),
    [
        ((DONE,), True),
        ((QUIET, DONE), True),
        ((QUIET, _finish("stop"), DONE), True),
        ((_finish("tool_calls"), DONE), True),
        ((Frame(b"{}", Meaning.END, finish_reason="stop", is_empty=True),), False),
    ],
    ids=["end", "silence", "stop", "calls that are none", "plain"],
)
def test_answer_that_says_nothing_is_an_empty_one(
    script: tuple[Frame, ...], is_stream: bool
) -> None:
    """Whatever it gives as its reason."""
    with pytest.raises(EmptyAnswer):
        _held(*script, is_stream=is_stream)


@pytest.mark.parametrize("reason", ["content_filter", "refusal", "SAFETY"])
@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "plain"])
def test_refusal_without_a_word_is_told_apart(reason: str, is_stream: bool) -> None:
    """It is the policy's silence, not the target's."""
    plain = Frame(b"{}", Meaning.END, finish_reason=reason, is_empty=True)
    with pytest.raises(Refused):
        _held(*((_finish(reason), DONE) if is_stream else (plain,)), is_stream=is_stream)


def test_refusal_in_words_is_an_answer() -> None:
    """The client can read it."""
    said = Frame(b"I will not", Meaning.CONTENT)
    assert _held(QUIET, said, _finish("content_filter"), DONE) == [QUIET, said]


def test_frames_that_end_without_an_end_were_cut() -> None:
    """A finish is no terminal event."""
    with pytest.raises(StreamCut):
        _held(QUIET, STOP)


# ---- speed ---------------------------------------------------------------------------------------


def _prove(
    *script: Frame | BaseException | float,
    least: float = 4.0,
    window_s: float = 2.0,
    may_leave: Callable[[GatewayError], bool] = lambda error: True,
    held: tuple[Frame, ...] = (QUIET, WORD),
) -> tuple[list[Frame], float, GatewayError | None, bool]:
    """Look at a stream's beginning.

    Returns:
        What was held, how long it took, what was wrong with it, and whether it was closed.
    """

    async def play() -> tuple[list[Frame], float, GatewayError | None, bool]:
        leaf = Leaf(tuple(script))
        frames = leaf(with_wishes(attempt=_ATTEMPT))
        kept, error = list(held), None
        loop = asyncio.get_running_loop()
        try:
            await until_proven(
                frames,
                kept,
                least_tokens_per_s=least,
                window_s=window_s,
                may_leave=may_leave,
            )
        except GatewayError as exc:
            error = exc
        is_closed = not leaf.num_running
        await frames.aclose()
        return kept, loop.time() - 1000.0, error, is_closed

    return run_virtual(play())


def _at_rate(tokens_per_s: float, number: int) -> Script:
    return tuple(step for _ in range(number) for step in (1.0 / tokens_per_s, WORD))


def test_fast_stream_commits_as_soon_as_it_has_shown_what_is_asked() -> None:
    """At 40 tokens/s the eight of two seconds are there after 0.2 s."""
    held, took_s, error, _ = _prove(*_at_rate(40.0, 100))
    assert error is None
    assert len(held) == 2 + 8
    assert took_s == pytest.approx(0.2)


def test_slow_stream_is_left_when_its_time_is_over() -> None:
    """At 2 tokens/s there are three of eight after two seconds; it is closed, and told apart."""
    _, took_s, error, is_closed = _prove(*_at_rate(1.9, 100))
    assert isinstance(error, TooSlow)
    assert error.tokens_per_s == pytest.approx(1.5)
    assert took_s == pytest.approx(2.0)
    assert is_closed


def test_silent_stream_is_left_when_its_time_is_over() -> None:
    """One word and then nothing."""
    _, took_s, error, is_closed = _prove(FOREVER)
    assert isinstance(error, TooSlow)
    assert took_s == pytest.approx(2.0)
    assert is_closed


def test_slow_stream_is_kept_where_nobody_else_is_left() -> None:
    """It goes on with the next frame: slow is better than nothing."""
    told: list[GatewayError] = []

    def refuse(error: GatewayError) -> bool:
        told.append(error)
        return False

    held, took_s, error, _ = _prove(3.0, WORD, WORD, may_leave=refuse)
    assert error is None
    assert len(held) == 3
    assert took_s == pytest.approx(3.0)
    assert len(told) == 1


def test_short_answer_is_fast_enough() -> None:
    """It is over, so nothing would be won elsewhere."""
    held, _, error, _ = _prove(1.0, STOP, DONE)
    assert error is None
    assert held[-1] is DONE


def test_beginning_is_held_up_to_the_bound_and_judged_there() -> None:
    """More than the bound is never held, however much a route asks for."""
    held, took_s, error, _ = _prove(*_at_rate(100.0, 100), least=90.0, window_s=50.0)
    assert error is None
    assert len(held) == MAX_HELD_FRAMES
    held, took_s, error, _ = _prove(*_at_rate(50.0, 100), least=90.0, window_s=50.0)
    assert isinstance(error, TooSlow)
    assert len(held) == MAX_HELD_FRAMES
    assert took_s < 2.0


@pytest.mark.parametrize(
    ("script", "kind"),
    [((0.5, Broken("x")), Broken), ((0.5, WORD), StreamCut)],
    ids=["error", "cut"],
)
def test_failure_while_it_is_looked_at_goes_up(script: Script, kind: type[GatewayError]) -> None:
    """Nothing has been handed on, so another target may be asked."""
    _, _, error, _ = _prove(*script)
    assert type(error) is kind


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((100,), 1), ((100, 100, 100), 3), ((100, 140, 104), 1 + 11 + 2), ((), 0)],
    ids=str,
)
def test_frames_of_several_tokens_count_as_several(sizes: tuple[int, ...], expected: int) -> None:
    """What is around the text is as long as the shortest; four bytes over that are a token."""
    frames = [Frame(b"x" * size, Meaning.CONTENT) for size in sizes]
    assert num_tokens([*frames, QUIET]) == expected
