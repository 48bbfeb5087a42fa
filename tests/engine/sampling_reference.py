"""The sampler's rules once more: slow, in float64, over all tokens, without its shortcuts."""

import math
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from slipstream.engine.sampler import Sampling

Numbers = npt.NDArray[np.float64]


def edited(
    row: npt.NDArray[np.float32],
    sampling: Sampling,
    prompt: Sequence[int] = (),
    answer: Sequence[int] = (),
    allowed: Collection[int] | None = None,
    banned: Collection[int] = (),
) -> Numbers:
    """Return the logits that a token is chosen from."""
    logits = row.astype(np.float64)
    for token_id, bias in sampling.logit_bias:
        logits[token_id] += bias
    for token_id in {*prompt, *answer}:
        factor = sampling.repetition_penalty
        logits[token_id] *= factor if logits[token_id] < 0 else 1 / factor
    for token_id, count in Counter(answer).items():
        logits[token_id] -= sampling.frequency_penalty * count + sampling.presence_penalty
    forbidden = set() if allowed is None else set(range(len(row))) - set(allowed)
    if forbidden | set(banned) != set(range(len(row))):
        forbidden |= set(banned)
    logits[list(forbidden)] = -math.inf
    return logits


def probabilities(logits: Numbers, sampling: Sampling) -> Numbers:
    """Return each token's probability."""
    ranked = sorted(range(len(logits)), key=lambda token_id: (-logits[token_id], token_id))
    weights = np.zeros(len(logits))
    if sampling.temperature < 1e-4:
        weights[ranked[0]] = 1
        return weights
    scaled = (logits - logits.max()) / sampling.temperature
    kept = [i for i in ranked if math.exp(scaled[i]) >= sampling.min_p and logits[i] > -math.inf]
    kept = kept[: sampling.top_k or None]
    total = math.fsum(math.exp(scaled[i]) for i in kept)
    mass = 0.0
    for token_id in kept:
        if sampling.top_p < 1 and weights.any() and mass >= sampling.top_p * total:
            break
        weights[token_id] = math.exp(scaled[token_id])
        mass += weights[token_id]
    weights /= weights.sum()
    return weights


def log_probabilities(row: npt.NDArray[np.float32]) -> Numbers:
    """Return what the model itself says of each token."""
    logits = row.astype(np.float64)
    peak = logits.max()
    total = math.fsum(np.exp(logits - peak))
    logits -= peak + math.log(total)
    return logits
