"""Tests of slipstream.wire.cerebras.objects: ids, usage and times as the recordings have them."""

import re
from uuid import UUID

import pytest

from slipstream.call import Usage
from slipstream.wire.cerebras.objects import (
    Times,
    answer_id_of,
    short_call_id,
    times_object,
    usage_object,
)


def test_answer_id_is_a_uuid_of_its_call() -> None:
    """Header and body make it on their own, and must agree."""
    told = answer_id_of("req-1")
    assert told == answer_id_of("req-1") != answer_id_of("req-2")
    assert UUID(told.removeprefix("chatcmpl-")).version == 4


def test_call_id_is_nine_hexadecimal_digits() -> None:
    """Different calls have different ids."""
    told = {short_call_id(f"call_{at}") for at in range(10_000)}
    assert all(re.fullmatch("[0-9a-f]{9}", each) for each in told)
    assert len(told) == 10_000


@pytest.mark.parametrize(("cached", "told"), [(0, 0), (127, 0), (128, 128), (300, 256)])
def test_cached_tokens_are_told_in_whole_blocks(cached: int, told: int) -> None:
    """Section 2.8; the prompt's own count is exact."""
    said = usage_object(Usage(input_tokens=10, cache_read_tokens=cached, output_tokens=5))
    assert said["prompt_tokens_details"] == {"cached_tokens": told}
    assert said["prompt_tokens"] == 10 + cached
    assert said["total_tokens"] == 15 + cached


def test_rejected_predictions_are_completion_tokens() -> None:
    """Section 2.7: they are billed as such."""
    usage = Usage(output_tokens=100, prediction_accepted_tokens=76, prediction_rejected_tokens=20)
    said = usage_object(usage, image_tokens=7)
    assert said["completion_tokens"] == 196
    assert said["image_tokens"] == 7


def test_times_are_told_in_seconds() -> None:
    """The order is the recordings'."""
    times = Times(queue_s=0.1, prompt_s=0.2, completion_s=0.3, total_s=0.7, created_s=5.5)
    assert list(times_object(times).items()) == [
        ("created", 5.5),
        ("queue_time", 0.1),
        ("prompt_time", 0.2),
        ("completion_time", 0.3),
        ("total_time", 0.7),
    ]
