"""Tests of slipstream.engine.masks."""

import numpy as np
import pytest

from slipstream.engine.masks import allowed, allows, forbid, mask_of, num_allowed, num_words


@pytest.mark.parametrize("length", [1, 3, 4, 7])
def test_masks_of_any_length_agree_with_their_bits(length: int) -> None:
    """100 tokens under masks of 32 to 224 bits: the sign bit counts, what is missing forbids."""
    chosen = {t for t in (0, 1, 31, 32, 63, 64, 95, 99, 127, 200) if t < length * 32}
    mask = mask_of(chosen, length)
    expected = [token_id in chosen for token_id in range(100)]

    assert allowed(mask, 100).tolist() == expected
    assert [allows(mask, token_id) for token_id in range(100)] == expected
    assert num_allowed(mask) == len(chosen)


@pytest.mark.parametrize(("vocabulary", "length"), [(1, 1), (32, 1), (33, 2), (49_152, 1536)])
def test_num_words_covers_every_token(vocabulary: int, length: int) -> None:
    """The last word may be used in part."""
    assert num_words(vocabulary) == length


def test_forbid_keeps_allowed_logits_to_the_bit() -> None:
    """Forbidden tokens become -infinity, also in a copy of a row that holds infinities."""
    row = np.array([1.5, -2.0, -np.inf, 3e38, -3e38, 0.0], np.float32)
    before = row.copy()

    assert forbid(row, mask_of({0, 2, 4}, 1)).tolist() == [
        1.5, -np.inf, -np.inf, -np.inf, float(row[4]), -np.inf,
    ]  # fmt: skip
    assert (row == before).all()
