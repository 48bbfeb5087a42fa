"""Tokenizers made from a GGUF: against a plain encoder, and where OpenVINO's own reader errs."""

from pathlib import Path

import numpy as np
import openvino
import openvino_tokenizers  # noqa: F401 -- teaches every later Core the tokenizers' operations
import pytest

from slipstream.engine.weights.gguf_file import GgufHead, read_head
from slipstream.engine.weights.tokenizer_files import write_tokenizers
from slipstream.engine.weights.tokens import gguf_token_table
from tests.engine.weights.byte_pairs import encode
from tests.engine.weights.tiny_gguf import CONTROL_TOKENS, TinyModel, write_tiny_gguf

TEXTS = (
    "hell hell a  ahell\n\n  hell\t",
    "<|im_start|>user\nhell 12345, it's a<|im_end|>\n",
    "naïve 日本語 — 100% “quoted” 🎉🎉",
    "    four spaces, then\u00a0one that does not break",
    "we've I'LL don't 1st ½ x²",
    " ",
    "a",
)


def made(model: TinyModel, folder: Path) -> tuple[GgufHead, "openvino.CompiledModel"]:
    """Write a GGUF and its tokenizers; give the head and the compiled tokenizer."""
    head = read_head(write_tiny_gguf(folder / "m.gguf", model))
    write_tokenizers(head, gguf_token_table(head), folder)
    return head, openvino.compile_model(folder / "openvino_tokenizer.xml", "CPU")


def ids_of(tokenizer: "openvino.CompiledModel", text: str) -> list[int]:
    """Encode one text."""
    ids: list[int] = tokenizer([text])["input_ids"][0].tolist()
    return ids


@pytest.mark.parametrize("text", TEXTS)
def test_tokenizer_agrees_with_a_plain_encoder(tmp_path: Path, text: str) -> None:
    """Splitting, merging and control tokens are those of the model's own kind."""
    head, tokenizer = made(TinyModel(), tmp_path)
    assert ids_of(tokenizer, text) == encode(head, CONTROL_TOKENS, text)


def test_tokenizer_keeps_whole_tokens_that_are_not_ascii(tmp_path: Path) -> None:
    """One token with bars of another script must not break the recognition of all (it did)."""
    model = TinyModel(control_tokens=("<｜end▁of▁sentence｜>",))
    head, tokenizer = made(model, tmp_path)
    tokens = head.column("tokenizer.ggml.tokens", str)
    expected = [tokens.index("<｜end▁of▁sentence｜>"), tokens.index("<|im_end|>")]
    assert ids_of(tokenizer, "<｜end▁of▁sentence｜><|im_end|>") == expected


def test_tokenizer_takes_the_longest_of_two_whole_tokens(tmp_path: Path) -> None:
    """A token that begins another does not hide it."""
    head, tokenizer = made(TinyModel(added_tokens=("<t>", "<t><t>", "<t>x")), tmp_path)
    tokens = head.column("tokenizer.ggml.tokens", str)
    expected = [tokens.index("<t><t>"), tokens.index("<t>x"), tokens.index("<t>")]
    assert ids_of(tokenizer, "<t><t><t>x<t>") == expected


def test_tokenizer_of_the_llama_3_kind_groups_three_digits(tmp_path: Path) -> None:
    """The kinds differ in what they split: `\\p{N}{1,3}` here, one digit for qwen2 and smollm."""
    pairs = (("1", "2"), ("12", "3"), ("4", "5"))
    sizes = {}
    for pre in ("llama-bpe", "qwen2", "smollm", "gpt-2", "default"):
        folder = tmp_path / pre
        folder.mkdir()
        _, tokenizer = made(TinyModel(pre=pre, merges=pairs), folder)
        sizes[pre] = len(ids_of(tokenizer, "12345"))
    assert sizes == {"llama-bpe": 2, "qwen2": 5, "smollm": 5, "gpt-2": 2, "default": 2}


def test_detokenizer_hides_control_tokens_and_shows_added_ones(tmp_path: Path) -> None:
    """`<think>` is part of an answer, `<|im_end|>` is not."""
    head, tokenizer = made(TinyModel(added_tokens=("<think>",)), tmp_path)
    detokenizer = openvino.compile_model(tmp_path / "openvino_detokenizer.xml", "CPU")
    ids = ids_of(tokenizer, "<think>hell 日<|im_end|>")
    assert head.column("tokenizer.ggml.tokens", str).index("<think>") == ids[0]
    assert detokenizer(np.array([ids], dtype=np.int64))[0][0] == "<think>hell 日"
