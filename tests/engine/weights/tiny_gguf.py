"""Writes small made-up GGUF files: real architecture and tokenizer, random weights, a few layers.

They convert and run like any other model and say nonsense; nothing here checks anything.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from slipstream.engine.weights.tokens import byte_for_character

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = (("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "a"))
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 1, 2, 3, 4, 6


@dataclass(frozen=True, slots=True)
class TinyModel:
    """What to write; the defaults make a two-layer llama with a GPT-2 vocabulary."""

    architecture: str = "llama"
    tensor_type: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.Q8_0
    tokenizer: str = "gpt2"
    num_layers: int = 2
    width: int = 64
    num_heads: int = 4
    num_kv_heads: int = 2
    template: str | None = TEMPLATE
    merges: tuple[tuple[str, str], ...] = MERGES
    is_head_tied: bool = True
    pre: str = "smollm"
    control_tokens: tuple[str, ...] = ()
    added_tokens: tuple[str, ...] = ()
    rope_factors: tuple[float, ...] | None = None
    extra: dict[str, int | float | str] = field(default_factory=dict)  # metadata
    seed: int = 1


def write_tiny_gguf(path: Path, model: TinyModel | None = None) -> Path:
    """Write one GGUF file and return its path."""
    made = model or TinyModel()
    writer = gguf.GGUFWriter(path, made.architecture)
    _add_hyperparameters(writer, made)
    tokens = _add_vocabulary(writer, made)
    _add_tensors(writer, made, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_hyperparameters(writer: Any, model: TinyModel) -> None:
    writer.add_name("tiny")
    writer.add_block_count(model.num_layers)
    writer.add_context_length(256)
    writer.add_embedding_length(model.width)
    writer.add_feed_forward_length(2 * model.width)
    writer.add_head_count(model.num_heads)
    writer.add_head_count_kv(model.num_kv_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(model.width // model.num_heads)
    writer.add_file_type(7)
    adders = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
    for key, value in model.extra.items():
        adders[type(value)](key, value)


def _add_vocabulary(writer: Any, model: TinyModel) -> list[str]:
    makers = {"gpt2": _gpt2_vocabulary, "llama": _sentencepiece_vocabulary}
    tokens, types = _padded(*makers[model.tokenizer](model), model)
    writer.add_tokenizer_model(model.tokenizer)
    writer.add_tokenizer_pre(model.pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if model.tokenizer == "gpt2":
        writer.add_token_merges([" ".join(merge) for merge in model.merges])
    else:
        writer.add_token_scores([-float(i) for i in range(len(tokens))])
    writer.add_vocab_size(len(tokens))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    if model.template is not None:
        writer.add_chat_template(model.template)
    return tokens


def _gpt2_vocabulary(model: TinyModel) -> tuple[list[str], list[int]]:
    tokens = [*CONTROL_TOKENS, *sorted(byte_for_character()), *("".join(m) for m in model.merges)]
    return tokens, [_CONTROL] * len(CONTROL_TOKENS) + [_NORMAL] * (len(tokens) - 3)


def _sentencepiece_vocabulary(_: TinyModel) -> tuple[list[str], list[int]]:
    pieces = ["▁", "▁a", "he", "ll", "hell", *"abcdefghijklmnopqrstuvwxyz"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces]
    types = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * len(pieces)]
    return tokens, types


def _padded(tokens: list[str], types: list[int], model: TinyModel) -> tuple[list[str], list[int]]:
    tokens = [*tokens, *model.control_tokens, *model.added_tokens]
    types = [*types, *[_CONTROL] * len(model.control_tokens)]
    types += [_USER_DEFINED] * len(model.added_tokens)
    # Rows of the embedding come in blocks of 32 in every quantised form.
    missing = -len(tokens) % 32
    extra = [f"<extra_{i}>" for i in range(missing)]
    return [*tokens, *extra], [*types, *[_CONTROL] * missing]


def _add_tensors(writer: Any, model: TinyModel, vocab_size: int) -> None:
    generator = np.random.default_rng(model.seed)
    head_size = model.width // model.num_heads
    kv_width = head_size * model.num_kv_heads

    def matrix(name: str, rows: int, columns: int) -> None:
        values = generator.standard_normal((rows, columns), dtype=np.float32) / np.sqrt(columns)
        data = gguf.quants.quantize(values.astype(np.float32), model.tensor_type)
        writer.add_tensor(name, data, raw_dtype=model.tensor_type)

    def vector(name: str, length: int, value: float) -> None:
        writer.add_tensor(name, np.full(length, value, dtype=np.float32))

    matrix("token_embd.weight", vocab_size, model.width)
    for layer in range(model.num_layers):
        block = f"blk.{layer}"
        vector(f"{block}.attn_norm.weight", model.width, 1.0)
        vector(f"{block}.ffn_norm.weight", model.width, 1.0)
        matrix(f"{block}.attn_q.weight", model.width, model.width)
        matrix(f"{block}.attn_k.weight", kv_width, model.width)
        matrix(f"{block}.attn_v.weight", kv_width, model.width)
        matrix(f"{block}.attn_output.weight", model.width, model.width)
        matrix(f"{block}.ffn_gate.weight", 2 * model.width, model.width)
        matrix(f"{block}.ffn_up.weight", 2 * model.width, model.width)
        matrix(f"{block}.ffn_down.weight", model.width, 2 * model.width)
        if model.architecture == "qwen2":
            for part, length in (("q", model.width), ("k", kv_width), ("v", kv_width)):
                vector(f"{block}.attn_{part}.bias", length, 0.01)
        if model.architecture == "qwen3":
            vector(f"{block}.attn_q_norm.weight", head_size, 1.0)
            vector(f"{block}.attn_k_norm.weight", head_size, 1.0)
    vector("output_norm.weight", model.width, 1.0)
    if model.rope_factors is not None:
        writer.add_tensor("rope_freqs.weight", np.array(model.rope_factors, dtype=np.float32))
    if not model.is_head_tied:
        matrix("output.weight", vocab_size, model.width)
