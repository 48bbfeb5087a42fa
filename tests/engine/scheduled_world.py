"""A world in which the scheduler can be tried: random requests, and a runner that checks.

Every place of the cache holds the history of what was computed into it: the tenant, all tokens
up to there, and whether its row was computed alone. So whoever reads a place that another wrote,
that was never filled, or that holds the bits of the other kernel, notices.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from slipstream.engine.blocks import BLOCK_TOKENS, BlockPool, blocks_for
from slipstream.engine.scheduler import Limits, Scheduler
from slipstream.engine.sequence import LEAST_PIECE, Chunk, Sequence, Step

_NEVER = -1
_ALPHABET = 3  # few, so that different requests often write the same


@dataclass(frozen=True, slots=True)
class Shape:
    """What a world is like; the seed draws the rest."""

    num_blocks: int
    ttl_s: float
    limits: Limits
    num_tenants: int
    most_prompt: int
    most_answer: int
    seed: int


@dataclass(slots=True, eq=False)
class Answer:
    """One choice: what it will say, and what the world expects to find of it in the cache."""

    sequence: Sequence
    script: list[int]  # prompt and answer
    forced: set[int]  # positions that a grammar forces once the token before is known
    histories: list[int]
    request: "Request"
    seen: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Request:
    """Answers to one prompt."""

    num_choices: int
    scripts: list[list[int]]
    answers: list[Answer] = field(default_factory=list)
    is_forked: bool = False


def history(root: int, tokens: list[int]) -> list[int]:
    """Return, for each token, a number that stands for all tokens up to it."""
    found = []
    for token in tokens:
        root = hash((root, token))
        found.append(root)
    return found


class World:
    """Requests, a scheduler and the cache; every method asserts the rules."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.random = random.Random(shape.seed)
        self.pool = BlockPool(shape.num_blocks, ttl_s=shape.ttl_s)
        self.scheduler = Scheduler(self.pool, shape.limits)
        self.now_s = 0.0
        self.answers: dict[Sequence, Answer] = {}
        self.events: Counter[str] = Counter()
        self._before: dict[int, int | None] = {}  # end of a block -> end of the one before it
        self._cache = [[_NEVER] * BLOCK_TOKENS for _ in range(shape.num_blocks)]
        text = random.Random(shape.seed ^ 1)
        self._texts = [text.choices(range(_ALPHABET), k=shape.most_prompt + 400) for _ in range(3)]

    def act(self) -> None:
        """Do one thing: a request comes, one is cancelled, time passes, mostly a step."""
        draw = self.random.random()
        if draw < 0.2:
            self.submit()
        elif draw < 0.23:
            self.cancel()
        elif draw < 0.24:
            self.now_s += self.random.choice([1.0, 10.0, 100.0])
        else:
            self.turn()

    def drain(self, most_turns: int = 20_000) -> None:
        """Let everything end; nothing is left."""
        for _ in range(most_turns):
            if self.scheduler.is_idle:
                break
            self.turn()
        assert self.scheduler.is_idle, "a request never ended"
        assert not self.answers
        self.check()
        assert self.pool.num_free == self.pool.num_blocks, "a block leaked"

    def check(self) -> None:
        """Check what must hold between any two actions."""
        self.scheduler.check_integrity()
        assert self.scheduler.num_running + self.scheduler.num_waiting == len(self.answers)
        for sequence in self.answers:
            most = blocks_for(len(sequence.token_ids))
            assert len(sequence.block_ids) <= most, "a guess kept its block"
        blocks = filter(self.pool.is_sealed, range(self.pool.num_blocks))
        sealed = {self._cache[block_id][-1] >> 1 for block_id in blocks}
        for end in sealed:
            assert self._before[end] in {*sealed, None}, "a sealed block is out of reach"

    def submit(self) -> None:
        """Add a request of a random kind, if the queue takes it."""
        if not self.scheduler.has_room:
            self.events["refused"] += 1
            return
        draw, shape = self.random, self.shape
        kind = draw.randrange(len(self._texts))
        num_prompt = 1 if draw.random() < 0.05 else draw.randint(1, shape.most_prompt)
        prompt = self._texts[kind][:num_prompt]
        if draw.random() < 0.3:  # departs from the shared text near its end
            prompt[-1] = draw.randrange(_ALPHABET)
        num_choices = min(draw.choice([1, 1, 1, 2, 3]), shape.limits.max_running)
        sequence = Sequence(
            prompt,
            num_prompt + draw.randint(1, shape.most_answer),
            tenant=f"tenant {draw.randrange(shape.num_tenants)}",
            priority=draw.choice([-1, 0, 0, 0, 1]),
            is_exact=draw.random() < 0.6,
            shares_prefix=draw.random() < 0.9,
            num_choices=num_choices,
        )
        length = sequence.limit_tokens - self.random.choice([0, 0, self.random.randrange(9)])
        scripts = []
        for _ in range(num_choices):
            start = draw.choice([num_prompt, num_prompt, draw.randrange(200)])
            answer = self._texts[kind][start : start + max(length - num_prompt, 1)]
            scripts.append(prompt + answer)
        request = Request(num_choices, scripts)
        self._follow(request, sequence, scripts[0])
        self.scheduler.add(sequence, self.now_s)
        self.events["submitted"] += 1

    def cancel(self) -> None:
        """Drop a random request in whatever state it is."""
        if self.answers:
            request = self.random.choice(list(self.answers.values())).request
            for answer in request.answers:
                if self.answers.pop(answer.sequence, None) is not None:
                    self.scheduler.remove(answer.sequence)
            self.events["cancelled"] += 1

    def turn(self) -> None:
        """Plan and compute one step, and take what it chooses."""
        self.now_s += self.random.random() * 0.1
        for answer in self.answers.values():
            self._guess(answer)
        held = [a for a in self.answers.values() if a.sequence.block_ids]
        step = self.scheduler.plan(self.now_s)
        self._note_preempted(held)
        if step is None:
            assert self.scheduler.is_idle, "something waits and nothing is done"
            return
        self.events["steps"] += 1
        self._check_step(step)
        self._run(step)
        if self.random.random() < 0.01:  # a client leaves in the middle of a step
            self.cancel()
        accepted = [self._num_accepted(chunk) for chunk in step.chunks]
        self.scheduler.advance(step, accepted)
        for chunk, num_accepted in zip(step.chunks, accepted, strict=True):
            if chunk.num_wanted and chunk.sequence in self.answers:
                self._take(self.answers[chunk.sequence], num_accepted)
        if self.random.random() < 0.05:
            self.check()

    def _follow(self, request: Request, sequence: Sequence, script: list[int]) -> None:
        forced: set[int] = set()
        if self.random.random() < 0.3:
            for start in range(sequence.num_prompt, len(script), self.random.randint(5, 30)):
                forced |= set(range(start + 1, start + self.random.choice([2, 3, 6, 40])))
        histories = history(hash(sequence.tenant), script)
        answer = Answer(sequence, script, forced, histories, request)
        request.answers.append(answer)
        self.answers[sequence] = answer

    def _guess(self, answer: Answer) -> None:
        sequence = answer.sequence
        sequence.guesses = ()
        if sequence.is_exact and self.random.random() < 0.9:  # else the scheduler finds one
            known = len(sequence.token_ids)
            right = answer.script[known : known + self.random.randint(0, 12)]
            wrong = self.random.choices(range(_ALPHABET), k=self.random.choice([1, 1, 3, 40]))
            sequence.guesses = (*right, *wrong)

    def _note_preempted(self, held: list[Answer]) -> None:
        for answer in held:
            if not answer.sequence.block_ids:
                self.events["preempted"] += 1
            if answer.sequence.num_computed < len(answer.seen):  # also when it is back at once
                del answer.seen[answer.sequence.num_computed :]

    def _check_step(self, step: Step) -> None:
        """Assert what a step must look like."""
        limits = self.shape.limits
        planned = {chunk.sequence for chunk in step.chunks}
        assert len(planned) == len(step.chunks), "a sequence stands twice in a step"
        for answer in self.answers.values():
            sequence = answer.sequence
            if sequence.block_ids and sequence.is_answering:
                assert sequence in planned, "an answer was left out"
        answering = [chunk for chunk in step.chunks if chunk.sequence.is_answering]
        reading = [chunk for chunk in step.chunks if not chunk.sequence.is_answering]
        num_read = sum(chunk.end - chunk.start for chunk in reading)
        most = limits.mixed_prompt_tokens if answering else limits.max_batch_tokens
        assert num_read <= most, "more of the prompts than the budget"
        least_rows = num_read + sum(
            max(chunk.end - chunk.start, LEAST_PIECE if chunk.sequence.is_exact else 1)
            for chunk in answering
        )
        assert step.num_tokens <= max(limits.max_batch_tokens, least_rows + len(reading))
        for chunk in step.chunks:
            self._check_chunk(chunk)

    def _check_chunk(self, chunk: Chunk) -> None:
        sequence = chunk.sequence
        known = len(sequence.token_ids)
        assert chunk.start == sequence.num_computed < chunk.end <= known
        assert chunk.end + len(chunk.guesses) <= sequence.limit_tokens
        assert chunk.num_wanted == (1 + len(chunk.guesses) if chunk.end == known else 0)
        assert not chunk.guesses or chunk.num_wanted
        if sequence.is_answering:
            assert chunk.end == known, "what is known of an answer is computed at once"
        is_lone = chunk.num_tokens < LEAST_PIECE
        assert not (is_lone and sequence.is_exact), "an exact sequence was computed alone"
        if is_lone and not sequence.is_answering:
            assert known == 1, "a piece of a prompt was computed alone"
        assert known - chunk.end != 1 or sequence.num_prompt == 1, "a piece leaves a lone token"
        self.events["guessed"] += len(chunk.guesses)
        self.events["forced"] += sequence.is_answering and chunk.end - chunk.start > 1

    def _run(self, step: Step) -> None:
        for source, target in step.copies:
            self._check_writable(target)
            assert source != target
            self._cache[target] = list(self._cache[source])
            self.events["copied"] += 1
        writers: dict[int, Sequence] = {}
        for chunk in step.chunks:
            for block_id in self._write(chunk):
                assert writers.setdefault(block_id, chunk.sequence) is chunk.sequence
        for chunk in step.chunks:
            self._read(chunk)

    def _check_writable(self, block_id: int) -> None:
        assert self.pool.count(block_id) == 1, "a shared block is written"
        assert not self.pool.is_sealed(block_id), "a sealed block is written"

    def _write(self, chunk: Chunk) -> list[int]:
        """Compute a chunk into the cache; return the blocks that it wrote to."""
        sequence, answer = chunk.sequence, self.answers[chunk.sequence]
        start, end = chunk.start, chunk.end + len(chunk.guesses)
        if start > len(answer.seen):  # found in the cache: read by the kernel of many
            assert sequence.shares_prefix
            self.events["found"] += start - len(answer.seen)
            answer.seen += [2 * h for h in answer.histories[len(answer.seen) : start]]
        del answer.seen[start:]
        computed = answer.histories[start : chunk.end]
        computed += history(computed[-1], list(chunk.guesses))
        answer.seen += [2 * h + (chunk.num_tokens == 1) for h in computed]
        blocks = sequence.block_ids[start // BLOCK_TOKENS : blocks_for(end)]
        assert len(sequence.block_ids) >= blocks_for(end), "a token has no block"
        for index, block_id in enumerate(blocks, start // BLOCK_TOKENS):
            self._check_writable(block_id)
            first = index * BLOCK_TOKENS
            low, high = max(start, first), min(end, first + BLOCK_TOKENS)
            self._cache[block_id][low - first : high - first] = answer.seen[low:high]
            if high == first + BLOCK_TOKENS:
                before = answer.seen[first - 1] >> 1 if first else None
                self._before[answer.seen[high - 1] >> 1] = before
        return blocks

    def _read(self, chunk: Chunk) -> None:
        seen = self.answers[chunk.sequence].seen
        for index, block_id in enumerate(chunk.sequence.block_ids):
            expected = seen[index * BLOCK_TOKENS : (index + 1) * BLOCK_TOKENS]
            assert self._cache[block_id][: len(expected)] == expected, "another's tokens"

    def _num_accepted(self, chunk: Chunk) -> int:
        answer = self.answers.get(chunk.sequence)
        if answer is None or not chunk.num_wanted or self._is_to_fork(answer):
            return 0
        follows = answer.script[chunk.end :]
        pairs = list(zip(chunk.guesses, follows[:-1], strict=False))
        wrong = [index for index, (guess, right) in enumerate(pairs) if guess != right]
        return wrong[0] if wrong else len(pairs)

    def _is_to_fork(self, answer: Answer) -> bool:
        return answer.request.num_choices > 1 and not answer.request.is_forked

    def _take(self, answer: Answer, num_accepted: int) -> None:
        """Fork where the prompt was read, and let each answer grow."""
        growing = [answer]
        if self._is_to_fork(answer):
            request = answer.request
            request.is_forked = True
            children = [answer.sequence.fork() for _ in request.scripts[1:]]
            self.scheduler.fork(answer.sequence, children)
            for child, script in zip(children, request.scripts[1:], strict=True):
                self._follow(request, child, script)
                self.answers[child].seen = list(answer.seen[: child.num_computed])
            growing = list(request.answers)
            self.events["forked"] += 1
        for one in growing:
            self._append(one, num_accepted)

    def _append(self, answer: Answer, num_accepted: int) -> None:
        sequence = answer.sequence
        end = len(sequence.token_ids) + num_accepted + 1
        while end in answer.forced:
            end += 1
        sequence.token_ids += answer.script[len(sequence.token_ids) : end]
        self.events["accepted"] += num_accepted
        if len(sequence.token_ids) == len(answer.script):
            self.scheduler.remove(sequence)
            del self.answers[sequence]
            self.events["finished"] += 1
