"""Which GGUF files are refused, and that the refusal names what would be accepted."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from slipstream.engine.weights.gguf_file import GgufHead, Value, read_head
from slipstream.engine.weights.gguf_rules import (
    adds_bos,
    position_factor,
    refusal,
    split_patterns,
    whole_tokens,
)


@pytest.fixture
def head(tiny_gguf: Path) -> GgufHead:
    """Give the head of a file that is accepted."""
    return read_head(tiny_gguf)


def changed(head: GgufHead, **values: Value) -> GgufHead:
    """Give a head with other metadata; `__` stands for a dot."""
    named = {key.replace("__", "."): value for key, value in values.items()}
    return replace(head, metadata={**head.metadata, **named})


def test_refusal_of_a_good_file_is_none(head: GgufHead) -> None:
    """What is accepted is not refused."""
    assert refusal(head) is None


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("general.architecture", "gemma3", "'gemma3' is not readable, accepted are llama, qwen2"),
        ("llama.expert_count", 8, "mixtures of experts"),
        ("split.count", 3, "one part of several; join them"),
        ("llama.rope.scaling.type", "yarn", "'yarn', accepted are none, linear"),
        ("llama.block_count", 0, "it lacks llama.block_count"),
        ("tokenizer.ggml.model", "llama", "is 'llama', accepted is 'gpt2'"),
        ("tokenizer.ggml.tokens", [], "lacks tokenizer.ggml.tokens"),
        ("tokenizer.ggml.pre", "tekken", "'tekken', accepted are default, .*smollm"),
    ],
)
def test_refusal_names_the_entry_and_what_is_accepted(
    head: GgufHead, key: str, value: Value, reason: str
) -> None:
    """Each reason names the field, its value and what would do."""
    found = refusal(replace(head, metadata={**head.metadata, key: value}))
    assert found is not None
    assert re.search(reason, found), found


def test_adds_bos_follows_the_file_then_the_kind(head: GgufHead) -> None:
    """The file's word counts; without one, Llama 3's kind begins a text with it."""
    assert not adds_bos(head)
    assert adds_bos(changed(head, tokenizer__ggml__add_bos_token=True))
    metadata = {k: v for k, v in head.metadata.items() if k != "tokenizer.ggml.add_bos_token"}
    assert not adds_bos(replace(head, metadata=metadata))
    llama3 = {**metadata, "tokenizer.ggml.pre": "llama-bpe"}
    assert adds_bos(replace(head, metadata=llama3))


def test_split_patterns_without_a_kind_are_the_default_ones(head: GgufHead) -> None:
    """Old files do not name their kind."""
    metadata = {k: v for k, v in head.metadata.items() if k != "tokenizer.ggml.pre"}
    assert len(split_patterns(head)) == 2
    assert len(split_patterns(replace(head, metadata=metadata))) == 4


def test_whole_tokens_are_the_control_tokens(head: GgufHead) -> None:
    """Ordinary tokens are none of them."""
    found = whole_tokens(head)
    assert "<|im_start|>" in found
    assert "hell" not in found


def test_position_factor_is_the_linear_scaling(head: GgufHead) -> None:
    """Only linear scaling stretches; other values of the factor are not followed."""
    assert position_factor(head) == 1.0
    linear = changed(head, llama__rope__scaling__type="linear", llama__rope__scaling__factor=4.0)
    assert position_factor(linear) == 4.0
    none = changed(head, llama__rope__scaling__type="none", llama__rope__scaling__factor=4.0)
    assert position_factor(none) == 1.0
