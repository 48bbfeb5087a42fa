"""A model's vocabulary as llguidance reads it, and the tokens in which it writes a given text.

Control tokens are marked: no text ever matches one, and one never stands for its letters.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, cast

from llguidance import LLTokenizer, TokenizerWrapper

from slipstream.engine.closing import Closer
from slipstream.engine.masks import mask_of, num_words
from slipstream.engine.weights.manifest import TokenTable

Encode = Callable[[str], list[int]]
"""Gives the tokens that the model's own tokenizer makes of a text, control tokens read as
letters; a begin token in front is no harm. Called by whoever calls a Matcher's methods."""

_ANCHOR: Final = "\n"  # in front of it some tokenizers add a space, which then is cut off
_CACHED_TEXTS: Final = 4096  # forced texts repeat with every answer to a schema


class GrammarTokens:
    """One model's vocabulary."""

    def __init__(
        self,
        table: TokenTable,
        *,
        end_ids: Sequence[int],
        encode: Encode,
        num_logits: int | None = None,
    ) -> None:
        """Build the tree of tokens and sort them; takes a third of a second.

        Args:
            end_ids: Tokens that end an answer.
            num_logits: Width of the model's output, where it is wider than the table.
        """
        self.ends = frozenset(end_ids)
        self.controls = {
            table.bytes[token_id].decode(errors="replace"): token_id for token_id in table.special
        }
        self._special = frozenset(table.special)
        width = max(num_logits or 0, len(table.bytes))
        self._bytes = [*table.bytes, *[b""] * (width - len(table.bytes))]
        self._encode = encode
        self.encode = lru_cache(_CACHED_TEXTS)(self._encode_text)
        source = _Source(self._bytes, table.special, end_ids, self.encode)
        self.native = LLTokenizer(
            cast(TokenizerWrapper, source), n_vocab=width, eos_token=list(end_ids) or None
        )
        self.num_words = num_words(self.native.vocab_size)
        self.end_mask = mask_of(end_ids, self.num_words)
        self.closer = Closer(map(self.text_of, range(len(self._bytes))), self.end_mask)
        self.encode(_ANCHOR)  # a tokenizer's first text takes 0.1 s: not in the midst of answers

    def text_of(self, token_id: int) -> bytes:
        """Return what a token writes; nothing for a control token."""
        return b"" if token_id in self._special else self._bytes[token_id]

    def _encode_text(self, text: str) -> list[int]:
        for token_ids in self._attempts(text):
            if b"".join(map(self.text_of, token_ids)) == text.encode():
                return token_ids
        return self.native.greedy_tokenize(text)  # no tokenizer's own, but the right letters

    def _attempts(self, text: str) -> Iterator[list[int]]:
        yield self._tokens(text)
        anchor, joined = self._tokens(_ANCHOR), self._tokens(_ANCHOR + text)
        if anchor and joined[: len(anchor)] == anchor:
            yield joined[len(anchor) :]

    def _tokens(self, text: str) -> list[int]:
        try:
            return [each for each in self._encode(text) if each not in self._special]
        except RuntimeError:  # what OpenVINO raises; in llguidance it would be a panic
            return []


class _Source:
    """What llguidance asks a tokenizer for."""

    is_tokenizer_wrapper = True
    bos_token_id: int | None = None

    def __init__(
        self,
        tokens: Sequence[bytes],
        special: Sequence[int],
        end_ids: Sequence[int],
        encode: Encode,
    ) -> None:
        self.tokens, self.special_token_ids = tokens, special
        self.eos_token_id = end_ids[0] if end_ids else 0
        self._encode = encode

    def __call__(self, text: str) -> list[int]:
        return self._encode(text)
