"""Nothing changes an exact answer in any bit, with the real model: slipstream.engine as a whole.

Reference: the same request alone, unguessed, with an empty cache and its prompt read at once.
"""

import time
from dataclasses import dataclass
from functools import cache, partial
from random import Random

import msgspec
import pytest

from slipstream.engine.blocks import BlockPool, blocks_for
from slipstream.engine.drafts import Drafter
from slipstream.engine.engine import Engine
from slipstream.engine.loading import load_model
from slipstream.engine.model import LoadedModel
from slipstream.engine.pace import StepCosts
from slipstream.engine.protocol import Failed, Finished, FromChild, Generate
from slipstream.engine.sampler import choose
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.sequence import Chunk, Sequence, Step
from slipstream.engine.settings import MIB, EngineSettings
from tests.prepared_model import prepared_directory

NUM_MIXTURES = 500
NUM_REQUESTS = 40
PER_HOUSE = 50


@cache
def model() -> LoadedModel:
    """Load the model once for all tests."""
    loaded = load_model(prepared_directory(), EngineSettings(kv_cache_bytes=256 * MIB))
    assert isinstance(loaded, LoadedModel)
    return loaded


@dataclass
class House:
    """An engine over the one runner, with a pool and limits of its own."""

    limits: Limits
    num_blocks: int

    def __post_init__(self) -> None:
        self.pool = BlockPool(self.num_blocks, ttl_s=300.0)
        self.scheduler = Scheduler(self.pool, self.limits)
        self.num_drafted = 0
        self.engine = Engine(
            model().runner,
            self.scheduler,
            self.pool,
            StepCosts([(1, 0.0104), (2, 0.0105), (8, 0.0131), (32, 0.0286)]),
            emit=self.take,
            clock=time.monotonic,
        )

    def take(self, pairs: list[tuple[object, FromChild]]) -> None:
        """Notice what fails, and what was guessed right."""
        for _, message in pairs:
            assert not isinstance(message, Failed), message
            if isinstance(message, Finished):
                self.num_drafted += message.accepted_tokens

    def ask(self, key: str, asked: Generate) -> None:
        """Hand in a request that nobody looks at."""
        self.engine.submit(model().make_request(asked, key=key, reply=None, now_s=0.0))

    def finish(self) -> None:
        """Work until there is nothing left to do."""
        self.engine.probe(None, 0)  # so that an idle engine does not wait for us
        self.engine.turn()
        while not self.scheduler.is_idle:
            self.engine.turn()
        self.scheduler.check_integrity()


def answer_of(sequence: Sequence) -> list[int]:
    """Return the tokens of an answer."""
    return sequence.token_ids[sequence.num_prompt :]


def exact_requests(random: Random) -> list[Generate]:
    """Return requests whose prompts partly begin alike, greedy ones and drawn ones."""
    text = [random.randrange(20, 40_000) for _ in range(400)]
    asked = []
    for number in range(NUM_REQUESTS):
        own = [random.randrange(20, 40_000) for _ in range(random.randrange(1, 60))]
        prompt = (*text[: random.choice((0, 0, 33, 70, 128, 200, 400))], *own)
        asked.append(
            Generate(
                request_id=number,
                prompt=prompt,
                max_tokens=random.randrange(4, 24),
                min_tokens=4,
                temperature=random.choice((0.0, 0.0, 0.9)),
                top_p=0.95,
                seed=number,
            )
        )
    return asked


def alone(asked: Generate) -> list[int]:
    """Return the answer, computed by runner and sampler alone: no engine, no cache, no drafts.

    Two rows a time, as exact sequences are computed; the second one is looked at by nobody.
    """
    choice = model().make_request(asked, key=0, reply=None, now_s=0.0).first
    sequence = choice.sequence
    sequence.block_ids = list(range(blocks_for(sequence.limit_tokens + 1)))
    while choice.finish is None:
        end = len(sequence.token_ids)
        step = Step((Chunk(sequence, sequence.num_computed, end, 2, guesses=(0,)),))
        (chosen,) = choose(model().runner.run(step), [choice.rows((0,))])
        sequence.num_computed = end
        choice.take(chosen[:1], 0)
    return answer_of(sequence)


def prediction_of(random: Random, right: list[int]) -> list[int]:
    """Return a right prediction, one with faults, another text, or none."""
    kind = random.randrange(4)
    if kind == 0:
        return []
    least = (0.0, 0.2, 1.0)[kind - 1]
    return [random.randrange(40_000) if random.random() < least else token for token in right]


@pytest.fixture(scope="module")
def lone() -> list[tuple[Generate, list[int]]]:
    """Give requests and their answers."""
    return [(asked, alone(asked)) for asked in exact_requests(Random(3))]


@pytest.mark.parametrize("number", range(NUM_MIXTURES // PER_HOUSE))
def test_mixture_changes_no_exact_answer(
    lone: list[tuple[Generate, list[int]]], number: int
) -> None:
    """Drafts, caches, pieces, neighbours, forks and preemption: every answer is the lone one."""
    random = Random(number)
    house = House(random_limits(random), num_blocks=random.choice((28, 60, 120)))
    asked = [random.choice(lone) for _ in range(PER_HOUSE)]
    requests = []
    for key, (message, right) in enumerate(asked):
        tenant, num_choices = random.choice("ab"), random.choice((1, 1, 1, 2))
        request = model().make_request(
            msgspec.structs.replace(message, tenant=tenant, num_choices=num_choices),
            key=key,
            reply=None,
            now_s=0.0,
        )
        predicted = prediction_of(random, right)
        prompt = request.first.sequence.token_ids[: request.first.sequence.num_prompt]
        request.first.new_drafter = partial(Drafter, prompt, predicted)
        house.engine.submit(request)
        requests.append(request)
        if random.random() < 0.5:  # a neighbour that is not exact
            house.ask(f"beside {key}", msgspec.structs.replace(message, seed=None))
        for _ in range(random.randrange(4)):
            house.engine.turn()
        if random.random() < 0.2:
            house.engine.cancel(f"beside {key}")
    house.finish()

    answers = [answer_of(request.first.sequence) for request in requests]
    assert answers == [right for _, right in asked]
    assert house.num_drafted > 0


def random_limits(random: Random) -> Limits:
    """Return limits that cut prompts and batches in ways of their own."""
    return Limits(
        max_running=random.choice((2, 5, 16)),
        max_queued=1_000,
        max_batch_tokens=random.choice((48, 100, 512)),
        mixed_prompt_tokens=random.choice((16, 24, 100)),
    )
