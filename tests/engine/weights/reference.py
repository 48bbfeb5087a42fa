"""A plain NumPy forward pass of the Llama and Qwen families, straight from a GGUF's tensors."""

from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from tests.engine.weights.tiny_gguf import TinyModel

Floats = NDArray[np.float64]


def reference_logits(path: Path, model: TinyModel, token_ids: list[int]) -> Floats:
    """Return the logits after every token: (tokens, vocabulary) float64."""
    weights = _weights(path)
    hidden = weights["token_embd.weight"][token_ids]
    for layer in range(model.num_layers):
        block = {
            name.split(".", 2)[2]: values
            for name, values in weights.items()
            if name.startswith(f"blk.{layer}.")
        }
        hidden = hidden + _attention(_normed(hidden, block["attn_norm.weight"]), block, model)
        hidden = hidden + _mlp(_normed(hidden, block["ffn_norm.weight"]), block)
    head = weights.get("output.weight", weights["token_embd.weight"])
    logits: Floats = _normed(hidden, weights["output_norm.weight"]) @ head.T
    return logits


def _weights(path: Path) -> dict[str, Floats]:
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        .reshape([int(length) for length in reversed(tensor.shape)])
        .astype(np.float64)
        for tensor in gguf.GGUFReader(path).tensors
    }


def _normed(values: Floats, weight: Floats) -> Floats:
    result: Floats = values / np.sqrt(np.square(values).mean(-1, keepdims=True) + 1e-5) * weight
    return result


def _attention(values: Floats, block: dict[str, Floats], model: TinyModel) -> Floats:
    length, head_size = len(values), model.width // model.num_heads
    q, k, v = (
        (values @ block[f"attn_{part}.weight"].T + block.get(f"attn_{part}.bias", 0.0)).reshape(
            length, -1, head_size
        )
        for part in "qkv"
    )
    if "attn_q_norm.weight" in block:
        q, k = _normed(q, block["attn_q_norm.weight"]), _normed(k, block["attn_k_norm.weight"])
    q, k = _rotated(q, model), _rotated(k, model)
    group = model.num_heads // model.num_kv_heads
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(head_size)
    scores += np.triu(np.full((length, length), -np.inf), 1)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    mixed: Floats = np.einsum("hqk,khd->qhd", scores, v).reshape(length, -1)
    result: Floats = mixed @ block["attn_output.weight"].T
    return result


def _rotated(values: Floats, model: TinyModel) -> Floats:
    half = values.shape[-1] // 2
    frequencies = 10000.0 ** (-np.arange(half) / half)
    if model.rope_factors is not None:
        frequencies = frequencies / np.array(model.rope_factors)
    stretch = model.extra.get(f"{model.architecture}.rope.scaling.factor", 1.0)
    frequencies = frequencies / float(stretch)
    angles = np.arange(len(values))[:, None, None] * frequencies
    # Files of the Llama family hold rotated pairs side by side, the others in two halves.
    is_paired = model.architecture == "llama"
    first = values[..., 0::2] if is_paired else values[..., :half]
    second = values[..., 1::2] if is_paired else values[..., half:]
    turned = (
        first * np.cos(angles) - second * np.sin(angles),
        first * np.sin(angles) + second * np.cos(angles),
    )
    if is_paired:
        return np.stack(turned, axis=-1).reshape(values.shape)
    return np.concatenate(turned, axis=-1)


def _mlp(values: Floats, block: dict[str, Floats]) -> Floats:
    gate = values @ block["ffn_gate.weight"].T
    opened = gate / (1 + np.exp(-gate)) * (values @ block["ffn_up.weight"].T)
    result: Floats = opened @ block["ffn_down.weight"].T
    return result
