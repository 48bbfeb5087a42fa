"""Plans carried out over scripted leaves: commit point, fallback, cuts, cancellation, deadlines."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.call import Call, Dialect, Frame, Frames, Meaning
from slipstream.choice import Attempt, Deadlines, Plan, Target
from slipstream.dispatch.attempts import dispatch
from slipstream.dispatch.commit import MAX_HELD_BYTES, MAX_HELD_FRAMES
from slipstream.errors import (
    BadRequest,
    Broken,
    Busy,
    ConnectFailed,
    Exhausted,
    GatewayError,
    LedgerUnavailable,
    Rejected,
    StreamCut,
    UnknownModel,
)

LIMIT_S = 10.0  # for a test that would hang otherwise
DEADLINES = Deadlines(total_s=100.0)
CALL = Call(call_id="c1", dialect=Dialect.OPENAI_CHAT, body=b"{}", model="fast", key_id="k")
QUIET = Frame(b": quiet\n\n", Meaning.SILENT)
WORD = Frame(b"data: word\n\n", Meaning.CONTENT)
USAGE = Frame(b"data: usage\n\n", Meaning.WITHHELD)
DONE = Frame(b"data: [DONE]\n\n", Meaning.END)

Step = Frame | GatewayError | float
"""What a leaf does next: yield, raise, or move the clock forward by so many seconds."""


class Clock:
    """A clock that only leaves move."""

    def __init__(self) -> None:
        self.now_s = 1000.0


class Leaf:
    """A target that plays a script and notes what became of it."""

    def __init__(self, clock: Clock, *script: Step) -> None:
        self._clock = clock
        self._script = script
        self.attempts: list[Attempt] = []
        self.num_open = self.num_closed = 0
        self.stalls = False
        self.stalled = asyncio.Event()

    async def __call__(self, call: Call) -> Frames:
        """Play the script; say nothing more at its end if the leaf stalls, for ever."""
        assert call.attempt is not None
        self.attempts.append(call.attempt)
        self.num_open += 1
        try:
            for step in self._script:
                if isinstance(step, GatewayError):
                    raise step
                if isinstance(step, float):
                    self._clock.now_s += step
                    continue
                yield step
            if self.stalls:
                self.stalled.set()
                await asyncio.Event().wait()
        finally:
            self.num_closed += 1

    @property
    def is_closed(self) -> bool:
        """Whether every answer that was begun has been closed."""
        return self.num_open == self.num_closed


class Scene:
    """A plan over leaves named a, b, c … and what a client saw of it."""

    def __init__(self, *scripts: tuple[Step, ...], max_attempts: int = 4) -> None:
        self.clock = Clock()
        self.leaves = {
            name: Leaf(self.clock, *script)
            for name, script in zip("abcdefgh", scripts, strict=False)
        }
        self.plan = Plan(
            route="fast",
            strategy="ordered",
            targets=tuple(Target(name, "m") for name in self.leaves),
            deadlines=DEADLINES,
            max_attempts=max_attempts,
        )
        leaves: Mapping[str, Leaf] = self.leaves
        self.serve = dispatch(
            lambda call: self.plan, leaves, now_s=lambda: self.clock.now_s, wall_ns=lambda: 77
        )
        self.seen: list[Frame] = []

    async def run(self) -> GatewayError | None:
        """Read the answer to its end; return the error that it ended with."""
        try:
            async with asyncio.timeout(LIMIT_S), aclosing(self.serve(CALL)) as frames:
                async for frame in frames:
                    self.seen.append(frame)
        except GatewayError as error:
            return error
        finally:
            assert all(leaf.is_closed for leaf in self.leaves.values())
        return None

    @property
    def tried(self) -> list[str]:
        """Names of the leaves that were asked."""
        return [name for name, leaf in self.leaves.items() if leaf.attempts]


async def test_answer_of_the_first_target_is_handed_on_whole() -> None:
    """Every frame, in order, also silent and withheld ones; nobody else is asked."""
    scene = Scene((QUIET, WORD, WORD, USAGE, DONE), (WORD, DONE))
    assert await scene.run() is None
    assert scene.seen == [QUIET, WORD, WORD, USAGE, DONE]
    assert scene.tried == ["a"]


async def test_plain_answer_is_one_frame() -> None:
    """A whole body is its own commit point and its own end."""
    scene = Scene((DONE,))
    assert await scene.run() is None
    assert scene.seen == [DONE]


async def test_silence_of_a_failed_target_is_never_seen() -> None:
    """What was held back before the commit point goes with the target that said it."""
    scene = Scene(
        (QUIET, QUIET, USAGE, Broken("a broke")), (Frame(b"b", Meaning.SILENT), WORD, DONE)
    )
    assert await scene.run() is None
    assert scene.seen == [Frame(b"b", Meaning.SILENT), WORD, DONE]
    assert scene.tried == ["a", "b"]


@pytest.mark.parametrize(
    "error",
    [
        ConnectFailed("no route"),
        Busy("full", retry_after_s=3.0),
        Rejected("m", upstream_status=500),
        Rejected("m", upstream_status=401),
        Rejected("m", upstream_status=404),
        Broken("odd"),
        StreamCut("cut"),
    ],
)
async def test_retryable_failure_goes_to_the_next_target(error: GatewayError) -> None:
    """Whatever another target may mend is tried there."""
    scene = Scene((error,), (WORD, DONE))
    assert await scene.run() is None
    assert scene.seen == [WORD, DONE]


@pytest.mark.parametrize(
    "error",
    [
        Rejected("m", upstream_status=400),
        Rejected("m", upstream_status=413),
        BadRequest("m"),
        LedgerUnavailable("m"),
    ],
)
async def test_failure_that_no_target_mends_ends_the_call(error: GatewayError) -> None:
    """The caller's own fault is not tried twice, and is told in its own words."""
    scene = Scene((error,), (WORD, DONE))
    found = await scene.run()
    assert isinstance(found, Exhausted)
    assert found.attempts == (("a/m", error),)
    assert (found.status, found.code, found.message) == (error.status, error.code, "m")
    assert found.__cause__ is error
    assert scene.tried == ["a"]


async def test_all_targets_failing_is_told_with_every_one_of_them() -> None:
    """Exhausted carries (target, error) in order."""
    errors = (Broken("a broke"), Busy("b is full", retry_after_s=5.0), ConnectFailed("c is gone"))
    scene = Scene(*((error,) for error in errors))
    found = await scene.run()
    assert isinstance(found, Exhausted)
    assert found.attempts == tuple(zip(("a/m", "b/m", "c/m"), errors, strict=True))
    assert (found.status, found.code, found.retry_after_s) == (502, "all_targets_failed", 5.0)
    assert scene.seen == []


@pytest.mark.parametrize("max_attempts", [1, 2, 3, 9])
async def test_max_attempts_bounds_how_many_are_tried(max_attempts: int) -> None:
    """No more targets than the plan allows, and no more than it has."""
    scene = Scene(*((Broken(name),) for name in "abc"), max_attempts=max_attempts)
    assert isinstance(await scene.run(), Exhausted)
    assert scene.tried == list("abc")[:max_attempts]


@pytest.mark.parametrize(
    "error", [Broken("late"), Busy("late"), Rejected("late", upstream_status=500)]
)
async def test_failure_after_the_commit_point_is_never_retried(error: GatewayError) -> None:
    """The client has seen a part: the error goes up as it is."""
    scene = Scene((QUIET, WORD, error), (WORD, DONE))
    assert await scene.run() is error
    assert scene.seen == [QUIET, WORD]
    assert scene.tried == ["a"]


async def test_answer_without_its_end_frame_was_cut() -> None:
    """A clean end of the connection is no end of the answer."""
    scene = Scene((WORD, WORD), (WORD, DONE))
    assert isinstance(await scene.run(), StreamCut)
    assert scene.seen == [WORD, WORD]
    assert scene.tried == ["a"]


@pytest.mark.parametrize("script", [(), (QUIET,), (QUIET, USAGE)])
async def test_answer_that_ends_in_silence_goes_to_the_next_target(
    script: tuple[Step, ...],
) -> None:
    """Nothing was said, so nothing is lost by asking another."""
    scene = Scene(script, (WORD, DONE))
    assert await scene.run() is None
    assert scene.seen == [WORD, DONE]


async def test_end_without_content_commits() -> None:
    """An empty answer is an answer."""
    scene = Scene((QUIET, DONE), (WORD, DONE))
    assert await scene.run() is None
    assert scene.seen == [QUIET, DONE]
    assert scene.tried == ["a"]


async def test_silence_is_held_up_to_a_number_of_frames() -> None:
    """One frame under the bound still falls back; at the bound it is committed to."""
    below = (QUIET,) * (MAX_HELD_FRAMES - 1)
    scene = Scene((*below, Broken("late")), (WORD, DONE))
    assert await scene.run() is None
    assert scene.seen == [WORD, DONE]

    scene = Scene((*below, QUIET, Broken("late")), (WORD, DONE))
    assert isinstance(await scene.run(), Broken)
    assert scene.seen == [*below, QUIET]
    assert scene.tried == ["a"]


async def test_silence_is_held_up_to_a_number_of_bytes() -> None:
    """The bound in bytes works alike."""
    large = Frame(b"x" * (MAX_HELD_BYTES // 2), Meaning.SILENT)
    small = Frame(b"x" * (MAX_HELD_BYTES // 2 - 1), Meaning.SILENT)
    scene = Scene((large, small, Broken("late")), (WORD, DONE))
    assert await scene.run() is None
    assert scene.seen == [WORD, DONE]

    scene = Scene((large, large, Broken("late")), (WORD, DONE))
    assert isinstance(await scene.run(), Broken)
    assert scene.seen == [large, large]


async def test_deadline_that_is_over_stops_the_trying() -> None:
    """The total is the call's, not the attempt's: no new target is begun after it."""
    scene = Scene((60.0, Broken("a")), (40.0, Broken("b")), (WORD, DONE))
    found = await scene.run()
    assert isinstance(found, Exhausted)
    assert scene.tried == ["a", "b"]


async def test_deadline_not_yet_over_tries_on() -> None:
    """Until the last moment another target may answer."""
    scene = Scene((60.0, Broken("a")), (39.5, Broken("b")), (WORD, DONE))
    assert await scene.run() is None
    assert scene.tried == ["a", "b", "c"]


async def test_attempts_are_numbered_and_share_the_deadline_of_the_call() -> None:
    """Each attempt has its own id, target and start; all have one end."""
    scene = Scene((5.0, Broken("a")), (Broken("b"),), (WORD, DONE))
    await scene.run()
    [first], [second], [third] = (leaf.attempts for leaf in scene.leaves.values())
    assert [a.attempt_id for a in (first, second, third)] == ["c1-1", "c1-2", "c1-3"]
    assert [a.number for a in (first, second, third)] == [1, 2, 3]
    assert [a.target for a in (first, second, third)] == list(scene.plan.targets)
    assert {a.total_deadline_s for a in (first, second, third)} == {1100.0}
    assert {a.route for a in (first, second, third)} == {"fast"}
    assert (first.started_at_ns, first.deadlines) == (77, DEADLINES)


async def test_same_target_twice_is_two_attempts() -> None:
    """A route may name a target again, as a retry."""
    scene = Scene((Broken("a"),))
    scene.plan = Plan(
        route="twice",
        strategy="ordered",
        targets=(Target("a", "m"), Target("a", "m")),
        deadlines=DEADLINES,
        max_attempts=4,
    )
    await scene.run()
    assert [attempt.number for attempt in scene.leaves["a"].attempts] == [1, 2]


async def test_unknown_model_goes_up_before_any_target_is_asked() -> None:
    """What the choice refuses is no attempt."""

    def refuse(call: Call) -> Plan:
        raise UnknownModel("no such model")

    serve = dispatch(refuse, {}, now_s=lambda: 0.0, wall_ns=lambda: 0)
    with pytest.raises(UnknownModel):
        await anext(serve(CALL))


async def test_call_that_goes_down_is_the_clients_with_the_attempt_added() -> None:
    """Nothing else of it is changed."""
    seen: list[Call] = []

    async def leaf(call: Call) -> Frames:
        seen.append(call)
        yield DONE

    plan = Scene((DONE,)).plan
    serve = dispatch(lambda call: plan, {"a": leaf}, now_s=lambda: 0.0, wall_ns=lambda: 0)
    async with aclosing(serve(CALL)) as frames:
        assert [frame async for frame in frames] == [DONE]
    [call] = seen
    assert call.attempt is not None
    assert (call.call_id, call.body, call.key_id) == (CALL.call_id, CALL.body, CALL.key_id)


@pytest.mark.parametrize("num_read", [1, 2, 3])
async def test_client_that_leaves_between_frames_closes_the_leaf(num_read: int) -> None:
    """Closing the answer anywhere closes the target's, and asks no other."""
    scene = Scene((QUIET, WORD, WORD, DONE), (WORD, DONE))
    frames = scene.serve(CALL)
    for _ in range(num_read):
        await anext(frames)
    await frames.aclose()
    assert scene.leaves["a"].is_closed
    assert scene.tried == ["a"]


async def test_answer_closed_before_it_began_asks_nobody() -> None:
    """A call that is never pulled costs nothing."""
    scene = Scene((WORD, DONE))
    await scene.serve(CALL).aclose()
    assert scene.tried == []


@pytest.mark.parametrize("script", [(), (QUIET,), (QUIET, WORD)])
async def test_cancellation_while_waiting_closes_the_leaf(script: tuple[Step, ...]) -> None:
    """A client that leaves while nothing comes: before the commit point and after it."""
    scene = Scene(script, (WORD, DONE))
    leaf = scene.leaves["a"]
    leaf.stalls = True
    task = asyncio.create_task(scene.run())
    await asyncio.wait_for(leaf.stalled.wait(), LIMIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert leaf.is_closed
    assert scene.tried == ["a"]


async def test_leaf_is_closed_before_the_next_target_is_asked() -> None:
    """A failed attempt lets go of its connection before another one is opened."""
    scene = Scene((QUIET, Broken("a")), (WORD, DONE))
    frames = scene.serve(CALL)
    await anext(frames)
    assert scene.leaves["a"].is_closed
    assert not scene.leaves["b"].is_closed
    await frames.aclose()
    assert scene.leaves["b"].is_closed


_steps = st.lists(
    st.sampled_from([QUIET, WORD, USAGE, DONE])
    | st.sampled_from([Broken("x"), Busy("x"), BadRequest("x"), StreamCut("x")])
    | st.floats(1.0, 60.0),
    max_size=6,
).map(tuple)


@settings(deadline=None)
@given(st.lists(_steps, min_size=1, max_size=4), st.integers(1, 4))
async def test_any_scripts_keep_the_rules(
    scripts: list[tuple[Step, ...]], max_attempts: int
) -> None:
    """What the client sees is the beginning of one target's answer, and how it ended is true."""
    ended = [_until_end(script) for script in scripts]
    scene = Scene(*ended, max_attempts=max_attempts)
    error = await scene.run()
    assert len(scene.tried) <= max_attempts
    if not scene.seen:
        assert isinstance(error, Exhausted)
        assert [name for name, _ in error.attempts] == [f"{name}/m" for name in scene.tried]
        return
    served = ended["abcd".index(scene.tried[-1])]
    frames = [step for step in served if isinstance(step, Frame)]
    assert scene.seen == frames
    assert (error is None) == (frames[-1] is DONE)


def _until_end(script: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return a script as leaves keep them: nothing comes after END or an error."""
    for place, step in enumerate(script):
        if step is DONE or isinstance(step, GatewayError):
            return script[: place + 1]
    return script
