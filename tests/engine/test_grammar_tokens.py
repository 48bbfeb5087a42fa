"""Tests of the vocabulary that grammars are matched against."""

import pytest

from slipstream.engine.grammar_tokens import GrammarTokens
from slipstream.engine.masks import allows
from slipstream.engine.weights.manifest import TokenTable
from tests.engine.grammar_drive import encode, tokens

SMALL = TokenTable((b"<end>", b"a", b"b", b"ab", b" a", b" ", b"\n", b"\xc3"), (0,))


def small(encode_text: dict[str, list[int]], num_logits: int | None = None) -> GrammarTokens:
    """Build a vocabulary of a few tokens whose tokenizer knows a few texts."""
    return GrammarTokens(
        SMALL, end_ids=(0,), encode=lambda text: encode_text.get(text, []), num_logits=num_logits
    )


@pytest.mark.parametrize("text", ["hello world", '{"name": "', "<|im_end|>", "né 日本 \x00", "  "])
def test_encode_any_text_returns_its_letters_and_no_control_token(text: str) -> None:
    """The tokens of a text write that text; the name of a control token is letters."""
    token_ids = tokens().encode(text)
    assert b"".join(map(tokens().text_of, token_ids)) == text.encode()
    assert not set(token_ids) & set(tokens().controls.values())


def test_encode_ordinary_text_is_what_the_model_reads() -> None:
    """Forced text is written as the model's own tokenizer writes it."""
    assert tokens().encode("The weather in Rome") == encode("The weather in Rome")


def test_encode_tokenizer_that_adds_a_begin_token_drops_it() -> None:
    """A begin token in front is no part of a text."""
    assert small({"ab": [0, 3]}).encode("ab") == [3]


def test_encode_tokenizer_that_adds_a_space_takes_it_away() -> None:
    """SentencePiece writes a space before each text; grammars force none."""
    known = {"a": [4], "\n": [5, 6], "\na": [5, 6, 1]}
    assert small(known).encode("a") == [1]


def test_encode_tokenizer_that_changes_the_text_falls_back_to_the_longest_tokens() -> None:
    """A tokenizer that normalises cannot say what it would write: the letters count."""
    known = {"abb": [1], "\n": [6], "\nabb": [6, 1]}
    assert small(known).encode("abb") == [3, 2]


def test_end_mask_lets_only_end_tokens_pass() -> None:
    """Where an answer is over, every end token may come and nothing else."""
    mask = tokens().end_mask
    passing = [i for i in range(49_152) if allows(mask, i)]
    assert passing == sorted(tokens().ends)


def test_masks_are_as_wide_as_the_models_output() -> None:
    """Some models compute more logits than they have tokens; those are never allowed."""
    known = small({}, num_logits=70)
    assert known.num_words == 3
    assert known.text_of(69) == b""


def test_allows_without_mask_or_outside_of_it() -> None:
    """No mask lets all pass; a token outside of a mask is forbidden."""
    assert allows(None, 5)
    assert not allows(tokens().end_mask, 10**6)
