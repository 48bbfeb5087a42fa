"""Token bytes: GPT-2's table, SentencePiece's rules, and which tokens end an answer."""

from pathlib import Path

from slipstream.engine.weights.gguf_file import read_head
from slipstream.engine.weights.manifest import TokenTable
from slipstream.engine.weights.tokens import (
    byte_for_character,
    byte_pair_bytes,
    end_token_ids,
    gguf_token_table,
    sentencepiece_bytes,
)
from tests.engine.weights.tiny_gguf import TinyModel, write_tiny_gguf


def test_byte_for_character_maps_onto_every_byte_once() -> None:
    """The table is one to one, and known at the places that everyone meets."""
    table = byte_for_character()
    assert sorted(table.values()) == list(range(256))
    assert (table["a"], table["Ġ"], table["Ċ"], table["ÿ"]) == (0x61, 0x20, 0x0A, 0xFF)


def test_byte_pair_bytes_joins_into_any_text() -> None:
    """Tokens that cut a character in two join to the text again."""
    character_for = {byte: character for character, byte in byte_for_character().items()}
    text = "naïve 日本語 🎉\n".encode()
    tokens = ["".join(character_for[b] for b in text[i : i + 2]) for i in range(0, len(text), 2)]
    assert b"".join(map(byte_pair_bytes, tokens)) == text


def test_byte_pair_bytes_of_a_plain_added_token_is_its_text() -> None:
    """Added tokens may hold characters that the table does not have, such as a space."""
    assert byte_pair_bytes("<a b>") == b"<a b>"


def test_sentencepiece_bytes_knows_spaces_and_byte_tokens() -> None:
    """`▁` is a space and `<0x0A>` a byte; what only looks like one is text."""
    assert sentencepiece_bytes("▁the".encode()) == b" the"
    assert sentencepiece_bytes(b"<0x0A>") == b"\n"
    assert sentencepiece_bytes(b"<0xFf>") == b"\xff"
    assert sentencepiece_bytes(b"<0xZZ>") == b"<0xZZ>"
    assert sentencepiece_bytes(b"a<0x0A>") == b"a<0x0A>"


def test_gguf_token_table_tells_control_tokens_from_added_text(tmp_path: Path) -> None:
    """Control tokens are special; added ones are text, written as they read."""
    model = TinyModel(added_tokens=("<think>", "<a b é>"))
    head = read_head(write_tiny_gguf(tmp_path / "m.gguf", model))
    table = gguf_token_table(head)
    tokens = head.column("tokenizer.ggml.tokens", str)
    assert table.bytes[tokens.index("<a b é>")] == "<a b é>".encode()
    assert tokens.index("<think>") not in table.special
    assert tokens.index("<|im_end|>") in table.special
    assert table.bytes[tokens.index("Ġa")] == b" a"


def test_end_token_ids_adds_the_well_known_ones_behind_the_named() -> None:
    """A file that names one end token only still stops at the other that templates use."""
    table = TokenTable(bytes=(b"<|endoftext|>", b"</s>", b"<|im_end|>"), special=(0, 2))
    assert end_token_ids((2, None), table) == (2, 0)
    assert end_token_ids((), TokenTable(bytes=(b"a",), special=())) == ()
