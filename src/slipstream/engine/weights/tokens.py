"""The bytes of every token, from the vocabulary of a GGUF or of OpenVINO's detokenizer.

Two ways of writing bytes as text are in use: GPT-2's table, which gives every byte a printable
character, and SentencePiece's, where `▁` is a space and `<0x0A>` is a byte of its own.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from slipstream.engine.weights.gguf_file import GgufHead
from slipstream.engine.weights.manifest import TokenTable

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # tokenizer.ggml.token_type

_SPACE_MARK: Final = "▁"
_BYTE_TOKEN: Final = re.compile(rb"<0x([0-9A-Fa-f]{2})>")

# Control tokens that end an answer whatever the metadata says: many files name only one of
# the two that their template uses.
_END_NAMES: Final = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
    "<｜end▁of▁sentence｜>",
)


@cache
def byte_for_character() -> dict[str, int]:
    """Return GPT-2's table: the printable character that stands for each of the 256 bytes.

    Source: openai/gpt-2, `bytes_to_unicode`: printable Latin-1 stands for itself, and the rest
    take the characters from U+0100 on, in order.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in sorted(printable)}
    return table | {chr(0x100 + index): byte for index, byte in enumerate(others)}


def byte_pair_bytes(token: str) -> bytes:
    """Return the bytes of a token written in GPT-2's table.

    A character outside of the table stands for itself: added tokens are written plainly.
    """
    table = byte_for_character()
    if all(character in table for character in token):
        return bytes(table[character] for character in token)
    return token.encode()


def sentencepiece_bytes(token: bytes) -> bytes:
    """Return the bytes that a SentencePiece token stands for."""
    byte = _BYTE_TOKEN.fullmatch(token)
    if byte:
        return bytes.fromhex(byte[1].decode())
    return token.replace(_SPACE_MARK.encode(), b" ")


def gguf_token_table(head: GgufHead) -> TokenTable:
    """Return the token table of a GGUF with a byte-pair vocabulary."""
    tokens = head.column("tokenizer.ggml.tokens", str)
    types = token_types(head)
    plain = (USER_DEFINED, CONTROL, UNKNOWN, UNUSED)  # written as they read, not in the table
    return TokenTable(
        bytes=tuple(
            token.encode() if kind in plain else byte_pair_bytes(token)
            for token, kind in zip(tokens, types, strict=True)
        ),
        special=tuple(i for i, kind in enumerate(types) if kind in (CONTROL, UNKNOWN)),
    )


def token_types(head: GgufHead) -> list[int]:
    """Return the type of every token of a GGUF; all are normal where it lists none."""
    num_tokens = len(head.column("tokenizer.ggml.tokens", str))
    types = head.column("tokenizer.ggml.token_type", int)
    return types if len(types) == num_tokens else [NORMAL] * num_tokens


def end_token_ids(named: Iterable[int | None], table: TokenTable) -> tuple[int, ...]:
    """Return every token that ends an answer: those named first, then the well-known ones."""
    by_bytes = {table.bytes[token_id]: token_id for token_id in table.special}
    known = (by_bytes.get(name.encode()) for name in _END_NAMES)
    return tuple(dict.fromkeys(each for each in (*named, *known) if each is not None))
