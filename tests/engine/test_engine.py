"""Tests of slipstream.engine.engine, driven turn by turn over a runner that computes nothing."""

from collections.abc import Hashable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.engine.answer_text import AnswerText
from slipstream.engine.blocks import BLOCK_TOKENS, BlockPool
from slipstream.engine.choice import Choice
from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.drafts import Drafter
from slipstream.engine.engine import Engine
from slipstream.engine.pace import StepCosts
from slipstream.engine.protocol import Delta, Failed, Finished, FromChild, Started, Stats
from slipstream.engine.request import Request
from slipstream.engine.sampler import Sampling
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.sequence import Sequence
from slipstream.engine.stops import StopScanner
from tests.engine.scripted_runner import VOCABULARY, ScriptedRunner, next_token

END = 5
TOKEN_BYTES = [bytes([33 + token]) for token in range(VOCABULARY)]
COSTS = [(1, 0.010), (8, 0.013), (32, 0.028), (64, 0.048)]
LIMITS = Limits(max_running=4, max_queued=8, max_batch_tokens=48, mixed_prompt_tokens=16)


@dataclass
class Bench:
    """An engine over a small pool, and everything that it said, by reply."""

    num_blocks: int = 8
    limits: Limits = LIMITS
    said: dict[object, list[FromChild]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pool = BlockPool(self.num_blocks)
        self.scheduler = Scheduler(self.pool, self.limits)
        self.runner = ScriptedRunner(self.num_blocks)
        self.now_s = 0.0  # each look at the clock takes a second
        self.said_s: dict[object, float] = {}  # when the last message for a reply came
        self.engine = Engine(
            self.runner,
            self.scheduler,
            self.pool,
            StepCosts(COSTS),
            emit=self.take,
            clock=self.tick,
        )

    def tick(self) -> float:
        """Return the time."""
        self.now_s += 1.0
        return self.now_s

    def take(self, pairs: list[tuple[object, FromChild]]) -> None:
        """Keep what the engine says."""
        for reply, message in pairs:
            self.said.setdefault(reply, []).append(message)
            self.said_s[reply] = self.now_s

    def submit(
        self,
        key: Hashable,
        prompt: list[int],
        *,
        max_tokens: int = 10,
        stop: tuple[str, ...] = (),
        predicted: list[int] | None = None,
        num_choices: int = 1,
        tenant: str = "",
        max_queue_s: float | None = None,
    ) -> None:
        """Hand in a request; its key is its reply, too. With a prediction it is exact."""
        most = min(len(prompt) + max_tokens, self.num_blocks * BLOCK_TOKENS)
        is_exact = predicted is not None
        sequence = Sequence(
            list(prompt), most, tenant=tenant, is_exact=is_exact, num_choices=num_choices
        )
        first = Choice(
            request_id=1,
            number=0,
            sequence=sequence,
            sampling=Sampling(0.0, 1.0, 0),
            history=None,
            text=AnswerText(
                Detokenizer(TOKEN_BYTES, {END}), StopScanner(stop), None, lambda: "call"
            ),
            token_bytes=TOKEN_BYTES,
            ends=frozenset({END}),
            new_drafter=lambda: Drafter(prompt, predicted or ()),
        )
        self.engine.submit(
            Request(
                key=key,
                reply=key,
                request_id=1,
                first=first,
                arrived_s=0.0,
                max_queue_s=max_queue_s,
            )
        )

    def turns(self, most: int = 10_000) -> None:
        """Work until there is nothing left to do."""
        self.engine.turn()
        for _ in range(most):
            if self.scheduler.is_idle:
                return
            self.engine.turn()
            self.scheduler.check_integrity()
        raise AssertionError("the engine does not come to an end")

    def answer(self, key: object) -> tuple[tuple[str, str], Finished]:
        """Return text and finish reason, and the account, of a request with one answer."""
        (answer,), end = self.answers(key)
        return answer, end

    def answers(self, key: object) -> tuple[list[tuple[str, str]], Finished]:
        """Return text and finish reason of each choice, checking the order of the messages."""
        first, *deltas, last = self.said[key]
        assert isinstance(first, Started)
        assert isinstance(last, Finished)
        texts: dict[int, str] = {}
        reasons: dict[int, str] = {}
        num_tokens = 0
        for delta in deltas:
            assert isinstance(delta, Delta)
            assert delta.choice not in reasons, "a finished choice says nothing more"
            texts[delta.choice] = texts.get(delta.choice, "") + delta.text
            num_tokens += delta.num_tokens
            if delta.finish is not None:
                reasons[delta.choice] = delta.finish
        assert num_tokens == last.completion_tokens, "the Deltas tell of every token"
        return [(texts[number], reasons[number]) for number in sorted(texts)], last


def expected(prompt: list[int], max_tokens: int, most: int = 10_000) -> tuple[str, str]:
    """Return the text and the finish reason, computed without any engine."""
    tokens, text = list(prompt), ""
    for _ in range(max_tokens):
        token = next_token(tokens)
        tokens.append(token)
        if token == END:
            return text, "stop"
        text += chr(33 + token)
        if len(tokens) >= most:
            break
    return text, "length"


def answer_tokens(prompt: list[int], num_tokens: int) -> list[int]:
    """Return what follows a prompt, end tokens and all."""
    tokens = list(prompt)
    for _ in range(num_tokens):
        tokens.append(next_token(tokens))
    return tokens[len(prompt) :]


def test_request_alone_is_answered_in_full() -> None:
    """Text, reason and counts of one request."""
    bench = Bench()
    bench.submit("a", [1, 2, 3], max_tokens=6)
    bench.turns()

    answer, end = bench.answer("a")
    assert answer == expected([1, 2, 3], 6)
    assert (end.prompt_tokens, end.completion_tokens, end.cached_tokens) == (3, 6, 0)
    assert bench.pool.num_free == bench.num_blocks


def test_request_ends_at_the_end_token() -> None:
    """The end token is counted and not shown."""
    bench = Bench()
    prompt = next([p] for p in range(1000) if expected([p], 40)[1] == "stop")
    bench.submit("a", prompt, max_tokens=40)
    bench.turns()

    answer, end = bench.answer("a")
    assert answer == expected(prompt, 40)
    assert end.completion_tokens == len(answer[0]) + 1


def test_request_stop_string_across_tokens_cuts_the_answer() -> None:
    """A stop string of several tokens ends the answer in front of it."""
    whole, _ = expected([1, 2, 3], 12)
    bench = Bench()
    bench.submit("a", [1, 2, 3], max_tokens=12, stop=(whole[4:7],))
    bench.turns()

    answer, end = bench.answer("a")
    assert (*answer, end.completion_tokens) == (whole[:4], "stop", 7)


def test_request_stop_string_that_stays_unfinished_is_shown() -> None:
    """What was held back for a stop string that never came is shown at the end."""
    whole, _ = expected([1, 2, 3], 6)
    bench = Bench()
    bench.submit("a", [1, 2, 3], max_tokens=6, stop=(whole[4:6] + "never",))
    bench.turns()

    assert bench.answer("a")[0] == (whole, "length")


def test_request_that_fills_the_pool_ends_with_length() -> None:
    """An answer that has all blocks to itself ends when they are full."""
    bench = Bench(num_blocks=2)
    prompt = next([p] for p in range(1000) if expected([p], 63)[1] == "length")
    bench.submit("a", prompt, max_tokens=500)
    bench.turns()

    answer, end = bench.answer("a")
    assert answer == expected(prompt, 500, most=2 * BLOCK_TOKENS)
    assert end.prompt_tokens + end.completion_tokens == 2 * BLOCK_TOKENS


def test_queue_full_refuses_the_next() -> None:
    """Over the bound a request fails at once, and says when to come back."""
    bench = Bench()
    for key in range(LIMITS.max_queued + 1):
        bench.submit(key, [1])
    bench.turns()

    (refusal,) = bench.said[LIMITS.max_queued]
    assert isinstance(refusal, Failed)
    assert (refusal.code, refusal.retry_after_s) == ("overloaded", 9.0)  # a second for each
    for key in range(LIMITS.max_queued):
        bench.answer(key)


def test_cancel_running_and_waiting_frees_at_once() -> None:
    """A cancelled request says nothing more and holds nothing more."""
    bench = Bench()
    for key in range(6):
        bench.submit(key, [key], max_tokens=200)
    bench.engine.turn()
    bench.engine.cancel(0)
    bench.engine.cancel(5)
    bench.engine.cancel("unknown")
    num_said = len(bench.said[0])
    bench.turns()

    assert len(bench.said[0]) == num_said
    assert 5 not in bench.said
    for key in range(1, 5):
        bench.answer(key)
    assert bench.pool.num_free == bench.num_blocks


def test_cancel_all_drops_one_reply() -> None:
    """A gateway that went away leaves nothing behind, and takes nothing from the others."""
    bench = Bench()
    bench.submit("gone", [1], max_tokens=100)
    bench.submit("stays", [2])
    bench.engine.turn()
    bench.engine.cancel_all("gone")
    bench.turns()

    assert not any(isinstance(message, Finished) for message in bench.said["gone"])
    bench.answer("stays")


def test_probe_tells_counts() -> None:
    """The sums are of prompt tokens read, answer tokens written and steps."""
    bench = Bench()
    bench.submit("a", [1, 2, 3], max_tokens=4)
    bench.turns()
    bench.engine.probe("p", 9)
    bench.engine.close()
    bench.engine.run()

    (stats,) = bench.said["p"]
    assert isinstance(stats, Stats)
    assert (stats.request_id, stats.prompt_tokens, stats.num_steps) == (9, 3, 4)
    assert (stats.completion_tokens, stats.num_free_blocks, stats.num_running) == (4, 8, 0)


@pytest.mark.parametrize("budget", [16, 17, 31, 48, 200])
def test_pieces_of_a_prompt_do_not_change_the_answer(budget: int) -> None:
    """However a prompt is cut, the same tokens are computed, each once."""
    limits = Limits(max_running=4, max_queued=8, max_batch_tokens=budget, mixed_prompt_tokens=16)
    bench = Bench(limits=limits)
    prompt = [number % VOCABULARY for number in range(101)]
    bench.submit("a", prompt, max_tokens=5)
    bench.turns()

    assert bench.answer("a")[0] == expected(prompt, 5)
    computed = [(c.start, c.end) for step in bench.runner.steps for c in step.chunks]
    assert [start for start, _ in computed] == [0, *[end for _, end in computed[:-1]]]


def test_prediction_changes_no_answer_and_is_counted() -> None:
    """A prediction that is right for a while saves steps, and nothing else changes."""
    prompt = next([p] for p in range(1000) if expected([p], 30)[1] == "length")
    right = answer_tokens(prompt, 30)
    wrong_end = right[:20] + [(token + 1) % VOCABULARY for token in right[20:]]
    plain, drafted = Bench(), Bench()
    plain.submit("a", prompt, max_tokens=30)
    drafted.submit("a", prompt, max_tokens=30, predicted=wrong_end)
    plain.turns()
    drafted.turns()

    assert drafted.answer("a")[0] == plain.answer("a")[0]
    end = drafted.answer("a")[1]
    assert end.accepted_tokens >= 10
    assert end.rejected_tokens >= 1
    assert end.accepted_tokens < end.completion_tokens
    assert len(drafted.runner.steps) < len(plain.runner.steps) / 2


def test_prediction_that_goes_on_behind_the_end_counts_no_more_than_was_taken() -> None:
    """The model ends an answer where it likes; what was guessed behind it was not accepted."""
    prompt = next([p] for p in range(1000) if 6 < len(expected([p], 12)[0]) < 10)
    bench = Bench()
    bench.submit("a", prompt, max_tokens=40, predicted=answer_tokens(prompt, 40))
    bench.turns()

    answer, end = bench.answer("a")
    assert answer == expected(prompt, 40)
    assert end.completion_tokens - 2 <= end.accepted_tokens <= end.completion_tokens


def test_exact_sequence_is_never_computed_one_token_at_a_time() -> None:
    """Every piece of an exact sequence has two rows at least: see LEAST_PIECE."""
    bench = Bench(limits=Limits(4, 8, max_batch_tokens=20, mixed_prompt_tokens=16))
    for key in range(4):
        bench.submit(key, [key] * (19 + key), max_tokens=20, predicted=[])
    bench.turns()

    assert all(chunk.num_tokens >= 2 for step in bench.runner.steps for chunk in step.chunks)
    for key in range(4):
        assert bench.answer(key)[0] == expected([key] * (19 + key), 20)


@pytest.mark.parametrize("predicted", [None, [1, 2]])
def test_choices_share_one_reading_of_the_prompt(predicted: list[int] | None) -> None:
    """Three answers are made of one prompt that is read once and counted once."""
    bench = Bench()
    prompt = [number % VOCABULARY for number in range(40)]
    bench.submit("a", prompt, max_tokens=6, num_choices=3, predicted=predicted)
    bench.turns()

    answers, end = bench.answers("a")
    assert answers == [expected(prompt, 6)] * 3
    assert (end.prompt_tokens, end.completion_tokens) == (40, 18)
    read = [c for step in bench.runner.steps for c in step.chunks if c.start < len(prompt)]
    assert sum(min(chunk.end, len(prompt)) - chunk.start for chunk in read) == len(prompt)
    assert bench.pool.num_free == bench.num_blocks


def test_second_prompt_finds_the_first_in_the_cache() -> None:
    """What one request has read another of the same tenant need not read; another tenant must."""
    bench = Bench()
    prompt = [number % VOCABULARY for number in range(70)]
    for key, tenant in (("first", "a"), ("same", "a"), ("other", "b")):
        bench.submit(key, prompt, max_tokens=3, tenant=tenant)
        bench.turns()

    assert [bench.answer(key)[1].cached_tokens for key in ("first", "same", "other")] == [0, 64, 0]
    assert bench.answer("same")[0] == expected(prompt, 3)


@pytest.mark.parametrize("num_choices", [1, 3])
def test_times_of_preempted_requests_add_up_to_their_lives(num_choices: int) -> None:
    """Waiting once more is no second queue: it is in the phase in which it happened."""
    bench = Bench(num_blocks=5)
    for key in range(5):
        bench.submit(key, [key] * 20, max_tokens=70, num_choices=num_choices)
    bench.turns()

    assert bench.scheduler.num_preemptions > 0
    ends = [bench.answers(key)[1] for key in range(5)]
    for key, end in enumerate(ends):
        assert min(end.queue_s, end.prompt_s, end.completion_s) > 0
        lived_s = end.queue_s + end.prompt_s + end.completion_s
        assert bench.said_s[key] - 3 <= lived_s <= bench.said_s[key]
    assert ends[0].queue_s < 10 < ends[4].queue_s


def test_longer_wait_than_allowed_is_refused() -> None:
    """A request that names how long it would queue is refused where that is not enough."""
    bench = Bench()
    for key in range(9):
        bench.submit(key, [key], max_tokens=30)
        if key < 4:
            bench.turns(1000)
    bench.engine.turn()
    bench.engine.probe("p", 1)
    bench.engine.turn()
    (stats,) = bench.said["p"]
    assert isinstance(stats, Stats)
    assert (stats.num_running, stats.num_waiting) == (4, 1)
    bench.submit("hurried", [1], max_queue_s=stats.wait_s * 0.9)
    bench.submit("patient", [1], max_queue_s=stats.wait_s * 1.1)
    bench.turns()

    (refusal,) = bench.said["hurried"]
    assert isinstance(refusal, Failed)
    assert refusal.message.startswith("the queue takes about ")
    assert (refusal.code, refusal.retry_after_s) == ("overloaded", stats.wait_s)
    bench.answer("patient")


def test_request_that_finds_a_place_is_never_too_late() -> None:
    """Whatever the queue was like, nobody waits where a place is free."""
    bench = Bench()
    for key in range(9):
        bench.submit(key, [key], max_tokens=30)
    bench.turns()
    bench.submit("hurried", [1], max_queue_s=0.0)
    bench.turns()

    bench.answer("hurried")


ACTIONS = st.one_of(
    st.tuples(st.just("submit"), st.integers(1, 150), st.integers(1, 120), st.integers(0, 3)),
    st.tuples(st.just("cancel"), st.integers(0, 40), st.just(0), st.just(0)),
    st.tuples(st.just("turn"), st.integers(1, 30), st.just(0), st.just(0)),
)


def random_prediction(kind: int, prompt: list[int]) -> list[int] | None:
    """Return no prediction, an empty one, a right one, or one that is wrong here and there."""
    if kind == 0:
        return None
    right = answer_tokens(prompt, 60) if kind > 1 else []
    return [0 if kind == 3 and number % 7 == 3 else token for number, token in enumerate(right)]


@settings(max_examples=150, deadline=None)
@given(st.integers(5, 9), st.lists(ACTIONS, max_size=40))
def test_random_operations_every_request_ends_right(
    num_blocks: int, actions: list[tuple[str, int, int, int]]
) -> None:
    """No leak, no double use, no starvation: each request is answered as if it were alone.

    The pool is too small for what runs, so that requests are preempted and computed again; they
    share prefixes, are drafted, and have one answer or two.
    """
    bench = Bench(num_blocks=num_blocks)
    most = num_blocks * BLOCK_TOKENS
    asked: dict[int, tuple[list[int], int]] = {}
    cancelled: set[int] = set()
    for action, number, max_tokens, kind in actions:
        if action == "submit":
            key = len(asked)
            prompt = [(key % 3 + i) % VOCABULARY for i in range(number)]
            asked[key] = (prompt, max_tokens)
            bench.submit(
                key,
                prompt,
                max_tokens=max_tokens,
                predicted=random_prediction(kind, prompt),
                num_choices=1 + key % 2,
                tenant=str(key % 4 // 2),
            )
        elif action == "cancel":
            cancelled.add(number)
            bench.engine.cancel(number)
        else:
            for _ in range(number):
                bench.engine.probe("p", 0)  # so that an idle engine does not wait for us
                bench.engine.turn()
                bench.scheduler.check_integrity()
    bench.engine.probe("p", 0)
    bench.turns()

    assert bench.pool.num_free == num_blocks
    for key, (prompt, max_tokens) in asked.items():
        said = bench.said.get(key, [])
        if said and isinstance(said[-1], Finished):
            answers, _ = bench.answers(key)
            assert answers == [expected(prompt, max_tokens, most)] * (1 + key % 2)
        else:
            assert key in cancelled or (said and isinstance(said[-1], Failed))
