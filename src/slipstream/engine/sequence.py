"""The nouns of the engine: a Sequence of tokens, a Chunk of it, and the Step that computes chunks.

    0 ............ num_computed ............... len(token_ids) ...... + guesses
    | in the cache | pending: to be computed    | guessed behind them, to be verified

A prompt has many pending tokens. An answer that is being written has its newest one, and in front
of that those which its grammar forced.
"""

from dataclasses import dataclass, field
from typing import Final

LEAST_PIECE: Final = 2
"""Tokens of one sequence that are computed together at least, wherever bits matter.

Attention has a kernel of its own for a single token, whose last bits differ; for two tokens and
for five hundred it gives the same bits.
"""


@dataclass(slots=True, eq=False)
class Sequence:
    """Prompt and answer of one choice of a request, and where its cache lies.

    Args:
        token_ids: The prompt; answer tokens are added behind it.
        limit_tokens: The length at which it ends; its last token is never computed.
        tenant: Who shares cached prefixes with nobody else, and takes turns with the others.
        cache_key: Parts the tenant's cached prefixes, but not its turns.
        priority: Of its service tier; 0 is the usual one, higher goes first.
        is_exact: Never computed one token at a time, so that guesses change nothing.
        shares_prefix: Whether it may use, and leave, blocks in the prefix cache.
        num_choices: Answers that will be forked from it when its prompt is read, with its own.
    """

    token_ids: list[int]
    limit_tokens: int
    tenant: str = ""
    cache_key: str = ""
    priority: int = 0
    is_exact: bool = False
    shares_prefix: bool = True
    num_choices: int = 1
    num_prompt: int = field(init=False)
    num_to_read: int = field(init=False)  # known when it got its place: read before it answers
    num_computed: int = 0
    num_cached: int = 0  # of the prompt: found in the prefix cache when it was first admitted
    block_ids: list[int] = field(default_factory=list)
    guesses: tuple[int, ...] = ()  # set before each plan by whoever drafts

    def __post_init__(self) -> None:
        assert 0 < len(self.token_ids) < self.limit_tokens, "a prompt leaves room for an answer"
        self.num_prompt = self.num_to_read = len(self.token_ids)

    @property
    def num_pending(self) -> int:
        """Tokens that are known and not yet in the cache."""
        return len(self.token_ids) - self.num_computed

    @property
    def is_answering(self) -> bool:
        """Whether all that it knew when it got its place is read; false for a prompt."""
        return self.num_computed >= self.num_to_read

    @property
    def num_answer(self) -> int:
        """Tokens of the answer so far."""
        return len(self.token_ids) - self.num_prompt

    @property
    def num_most(self) -> int:
        """Tokens that the answer may have."""
        return self.limit_tokens - self.num_prompt

    @property
    def is_full(self) -> bool:
        """Whether no token may be added."""
        return len(self.token_ids) >= self.limit_tokens

    def fork(self) -> "Sequence":
        """Return another answer to the same prompt; it holds no blocks yet.

        Only where the prompt is read and no answer token was added.
        """
        assert self.num_computed == self.num_prompt == len(self.token_ids), "the prompt is read"
        child = Sequence(
            list(self.token_ids),
            self.limit_tokens,
            tenant=self.tenant,
            cache_key=self.cache_key,
            priority=self.priority,
            is_exact=self.is_exact,
            shares_prefix=self.shares_prefix,
        )
        child.num_cached = self.num_cached
        return child


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens [start, end) of a sequence and the guesses behind them, computed in one step.

    `num_wanted` counts the last rows of the chunk whose logits are needed: none inside a prompt,
    one where the next token is chosen, and one more for each guess.
    """

    sequence: Sequence
    start: int
    end: int
    num_wanted: int
    guesses: tuple[int, ...] = ()

    @property
    def num_tokens(self) -> int:
        """Rows that this chunk computes."""
        return self.end - self.start + len(self.guesses)

    @property
    def num_prompt_tokens(self) -> int:
        """Tokens of the prompt among them."""
        return max(min(self.end, self.sequence.num_prompt) - self.start, 0)

    @property
    def token_ids(self) -> list[int]:
        """What is computed, in order; a copy."""
        return [*self.sequence.token_ids[self.start : self.end], *self.guesses]


@dataclass(frozen=True, slots=True)
class Step:
    """One batch: what the runner computes in one call. Never empty.

    `copies` are (from, to) blocks to be copied before anything is computed: a block that others
    hold too is never written to.
    """

    chunks: tuple[Chunk, ...]
    copies: tuple[tuple[int, int], ...] = ()

    @property
    def num_tokens(self) -> int:
        """Rows that this step computes."""
        return sum(chunk.num_tokens for chunk in self.chunks)
