"""The nouns of the engine: a Sequence of tokens, a Chunk of it, and the Step that computes chunks.

    0 ............ num_computed ............... len(token_ids)
    | in the cache | pending: to be computed    |

A prompt has many pending tokens; an answer that is being written has exactly one, its newest.
"""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Sequence:
    """Prompt and answer of one request, and where its cache lies.

    Args:
        token_ids: The prompt; answer tokens are added behind it.
        limit_tokens: The length at which it ends; its last token is never computed.
    """

    token_ids: list[int]
    limit_tokens: int
    num_prompt: int = field(init=False)
    num_computed: int = 0
    block_ids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert 0 < len(self.token_ids) < self.limit_tokens, "a prompt leaves room for an answer"
        self.num_prompt = len(self.token_ids)

    @property
    def num_pending(self) -> int:
        """Tokens that are known and not yet in the cache."""
        return len(self.token_ids) - self.num_computed

    @property
    def is_answering(self) -> bool:
        """Whether only its newest token is pending; false for a prompt, however short."""
        return self.num_computed > 0 and self.num_pending == 1

    @property
    def num_answer(self) -> int:
        """Tokens of the answer so far."""
        return len(self.token_ids) - self.num_prompt

    @property
    def is_full(self) -> bool:
        """Whether no token may be added."""
        return len(self.token_ids) >= self.limit_tokens


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens [start, end) of a sequence, computed in one step.

    `num_wanted` counts the last tokens of the chunk whose logits are needed: none inside a
    prompt, one where the next token is chosen, more where guessed tokens are verified.
    """

    sequence: Sequence
    start: int
    end: int
    num_wanted: int

    @property
    def num_tokens(self) -> int:
        """Tokens that this chunk computes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Step:
    """One batch: what the runner computes in one call. Never empty."""

    chunks: tuple[Chunk, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens that this step computes."""
        return sum(chunk.num_tokens for chunk in self.chunks)
