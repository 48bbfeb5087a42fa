"""How a request wants its tokens chosen, and what is known of one that was chosen."""

import math
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

_GREEDY_BELOW: Final = 1e-4  # temperatures at which float32 has one candidate left anyway


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one choice of a request chooses its tokens; ranges are checked by whoever made it.

    In this order, which is vLLM's: a grammar's mask and tokens that are banned, logit_bias,
    repetition_penalty, frequency_penalty and presence_penalty, temperature, min_p, top_k, top_p.
    Where tokens are equally likely those with the lower ids count as the likelier.

    Args:
        temperature: 0 takes the likeliest token, as does top_k=1.
        top_p: Keep the likeliest tokens that together reach this probability, in (0, 1]; of what
            min_p and top_k have kept.
        seed: 64 bits, signed or not; the same seed gives the same answer.
        top_k: Keep so many; 0 keeps all.
        min_p: Keep tokens at least so likely, as a share of the likeliest one's probability.
        frequency_penalty: Taken from a token's logit as often as the answer holds the token.
        presence_penalty: Taken once from the logit of each token that the answer holds.
        repetition_penalty: For tokens of prompt and answer: a positive logit is divided by it, a
            negative one multiplied.
        logit_bias: Ids of the vocabulary, each once, and what is added to their logits.
        num_logprobs: How many of the likeliest tokens to tell beside each; None tells nothing,
            0 the chosen token's log probability alone.

    Source: docs.vllm.ai, v1/sample/sampler 0.22.1, and OpenAI's API reference on penalties and
    logit_bias (read 2026-11-21); transformers' RepetitionPenaltyLogitsProcessor; top_p from
    Holtzman et al. 2020 (arXiv:1904.09751), min_p from Nguyen et al. 2024 (arXiv:2407.01082).
    """

    temperature: float
    top_p: float
    seed: int
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    num_logprobs: int | None = None
    bias_ids: npt.NDArray[np.intp] = field(init=False, repr=False, compare=False)
    bias: npt.NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = [token_id for token_id, _ in self.logit_bias]
        object.__setattr__(self, "bias_ids", np.array(ids, np.intp))
        object.__setattr__(self, "bias", np.array([b for _, b in self.logit_bias], np.float32))

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken, and no random number is needed."""
        return self.temperature < _GREEDY_BELOW or self.top_k == 1

    @property
    def has_penalties(self) -> bool:
        """Whether earlier tokens matter, so that a History must count them."""
        return (
            self.repetition_penalty != 1
            or self.frequency_penalty != 0
            or self.presence_penalty != 0
        )

    @property
    def min_logit_gap(self) -> float:
        """How far below the likeliest token's logit min_p keeps tokens; infinite without it."""
        return -self.temperature * math.log(self.min_p) if self.min_p > 0 else math.inf

    def reseeded(self, number: int) -> "Sampling":
        """Return the same with a seed of its own, a function of this one and of a number."""
        text = b"%d/%d" % (self.seed, number)
        return replace(self, seed=int.from_bytes(blake2b(text, digest_size=8).digest(), "little"))


class Chosen(NamedTuple):
    """A token and, where the request wants them, log probabilities.

    They are those of the model's own distribution: natural logarithms, before bias, penalties,
    masks and temperature, as vLLM tells them by default. OpenAI's and Cerebras's references leave
    it open. So they are comparable between requests, and a token that a grammar forced shows how
    unlikely the model thought it. None is below -9999, the number that OpenAI gives for "very
    unlikely": JSON knows no infinity.
    """

    token_id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()  # (token_id, logprob), the likeliest first
