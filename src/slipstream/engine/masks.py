"""A grammar's mask: which tokens of a vocabulary are allowed, one bit each, as llguidance fills it.

Bit i % 32 of word i // 32 stands for token i. Where a mask is shorter than a row of logits it
forbids the rest; bits beyond the row mean nothing.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.int32]  # (words,)
Row = npt.NDArray[np.float32]  # (vocabulary,)

_WORD_BITS: Final = 32


def num_words(vocabulary: int) -> int:
    """Return how long the mask of a vocabulary is."""
    return -(-vocabulary // _WORD_BITS)


def mask_of(token_ids: Iterable[int], num_words: int) -> Mask:
    """Return a mask of these tokens alone."""
    mask = np.zeros(num_words, np.uint32)
    for token_id in token_ids:
        word, bit = divmod(token_id, _WORD_BITS)
        mask[word] |= np.uint32(1 << bit)
    return mask.view(np.int32)


def allows(mask: Mask | None, token_id: int) -> bool:
    """Whether a mask lets a token pass; None lets all pass."""
    if mask is None:
        return True
    word, bit = divmod(token_id, _WORD_BITS)
    return word < len(mask) and bool(int(mask[word]) >> bit & 1)


def allowed(mask: Mask, vocabulary: int) -> npt.NDArray[np.bool_]:
    """Return a mask as one truth value for each token."""
    bits = np.unpackbits(mask.view(np.uint8), count=vocabulary, bitorder="little")
    return bits.view(np.bool_)


def num_allowed(mask: Mask) -> int:
    """Return how many bits of a mask are set, also of those that mean nothing."""
    return int(np.bitwise_count(mask.view(np.uint32)).sum())  # of an int32 it drops the sign


def forbid(row: Row, mask: Mask) -> Row:
    """Return a copy in which the logits of forbidden tokens are -infinity."""
    # Sums and a minimum take a third of the time of np.where, which branches on every token.
    limits = allowed(mask, len(row)).astype(np.float32)
    limits -= 0.5
    limits *= np.inf
    return np.minimum(row, limits, out=limits)
