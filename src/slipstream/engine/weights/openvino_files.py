"""Reads and mends models in OpenVINO's form; runs in the child process only.

What the engine needs to know of a model's shape is read from the model itself, so that it holds
whatever made the files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_tokenizers
from numpy.typing import NDArray

from slipstream.engine.weights.manifest import (
    DETOKENIZER_FILE,
    MODEL_FILE,
    TOKENIZER_FILE,
    TokenTable,
)
from slipstream.engine.weights.tokens import sentencepiece_bytes
from slipstream.errors import LoadFailed


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a model that its caches depend on, and what most of its weights are."""

    num_layers: int
    num_kv_heads: int
    head_size: int
    vocab_size: int
    weights_format: str  # OpenVINO's name of the type: u8, i4, f16, …


def read_shape(folder: Path) -> Shape:
    """Read a model's shape.

    Raises:
        LoadFailed: It is no stateful text-generation model.
    """
    model = _core().read_model(folder / MODEL_FILE)
    # Two states for each layer, keys and values, whatever they are called.
    states = [variable.get_info().data_shape for variable in model.get_variables()]
    states = [shape for shape in states if len(shape) == 4]
    logits = [out for out in model.outputs if "logits" in out.get_names()]
    if not states or not logits:
        raise LoadFailed(
            f"{folder / MODEL_FILE}: expected a stateful text-generation model with an output "
            "'logits'; export it with the task text-generation-with-past"
        )
    return Shape(
        num_layers=len(states) // 2,
        num_kv_heads=_length(states[0], 1),
        head_size=_length(states[0], 3),
        vocab_size=_length(logits[0].get_partial_shape(), 2),
        weights_format=_main_type(model),
    )


@dataclass(frozen=True, slots=True)
class Encoder:
    """The numbers of a model that makes vectors."""

    vocab_size: int
    weights_format: str


def read_encoder(folder: Path) -> Encoder:
    """Read the numbers of an embeddings model.

    Raises:
        LoadFailed: It gives neither hidden states nor logits, or looks no token ids up.
    """
    model = _core().read_model(folder / MODEL_FILE)
    names = {name for out in model.outputs for name in out.get_names()}
    tables = [_rows_looked_up(node) for node in _of_type(model, "Gather")]
    if not names & {"last_hidden_state", "logits"} or not any(tables):
        raise LoadFailed(
            f"{folder / MODEL_FILE}: expected an embeddings model with an output "
            "'last_hidden_state'; export it with the task feature-extraction"
        )
    return Encoder(vocab_size=max(tables), weights_format=_main_type(model))


def _rows_looked_up(gather: Any) -> int:
    """Return the rows of a two-dimensional table, 0 for anything else that is gathered from."""
    shape = gather.input_value(0).get_partial_shape()
    is_table = shape.rank.is_static and len(shape) == 2 and shape[0].is_static
    return int(shape[0].get_length()) if is_table else 0


def read_token_table(folder: Path) -> TokenTable:
    """Read the bytes of every token from the detokenizer's vocabulary."""
    model = _core().read_model(folder / DETOKENIZER_FILE)
    decoder = next(_of_type(model, "VocabDecoder"), None)
    if decoder is None:
        raise LoadFailed(f"{folder / DETOKENIZER_FILE}: it has no vocabulary (VocabDecoder)")
    starts, ends, text = (_constant(decoder, index) for index in (1, 2, 3))
    raw = text.tobytes()
    tokens = [raw[start:end] for start, end in zip(starts, ends, strict=True)]
    if any(_of_type(model, "ByteFallback")) or any("▁".encode() in token for token in tokens):
        tokens = [sentencepiece_bytes(token) for token in tokens]
    special = _skipped(decoder)
    return TokenTable(bytes=tuple(tokens), special=tuple(sorted(special)))


def begins_with(folder: Path, token_id: int | None) -> bool:
    """Say whether the tokenizer itself puts this token before a plain text."""
    compiled = openvino.compile_model(_core().read_model(folder / TOKENIZER_FILE), "CPU")
    ids = compiled(["a"])["input_ids"][0]
    return token_id is not None and len(ids) > 0 and int(ids[0]) == token_id


def scale_positions(folder: Path, factors: NDArray[np.float32]) -> None:
    """Divide the frequencies of the rotary embedding.

    Args:
        factors: (head_size / 2,) float32, one for each frequency.

    Raises:
        LoadFailed: The model has no such frequencies, or another number of them.
    """
    path = folder / MODEL_FILE
    model = _core().read_model(path)
    wanted = [1, len(factors), 1]
    found = [
        node
        for node in _of_type(model, "Constant")
        if list(node.get_output_shape(0)) == wanted and float(node.get_data().ravel()[0]) == 1.0
    ]
    if len(found) != 1:
        raise LoadFailed(f"{path}: {len(found)} tables of {len(factors)} frequencies, expected 1")
    scaled = found[0].get_data().ravel() / factors
    constant = openvino.opset13.constant(scaled.reshape(wanted).astype(np.float32))
    for consumer in list(found[0].output(0).get_target_inputs()):
        consumer.replace_source_output(constant.output(0))
    _save(model, path)


def package_versions() -> dict[str, str]:
    """Return the versions of what writes the files."""
    return {
        "openvino": openvino.__version__,
        "openvino_tokenizers": openvino_tokenizers.__version__,
    }


@cache
def _core() -> Any:
    # One for the life of the process: with its Core the tokenizers' library is unloaded, and
    # models that still hold operations of it crash.
    core = openvino.Core()
    core.add_extension(openvino_tokenizers._ext_path)
    return core


def _of_type(model: Any, name: str) -> Iterator[Any]:
    return (node for node in model.get_ordered_ops() if node.get_type_name() == name)


def _constant(node: Any, index: int) -> NDArray[Any]:
    data: NDArray[Any] = node.input_value(index).get_node().get_data()
    return data


def _skipped(decoder: Any) -> list[int]:
    if decoder.get_input_size() < 5:
        return [int(each) for each in decoder.get_attributes().get("skip_tokens", [])]
    source = decoder.input_value(4).get_node()
    if source.get_type_name() == "Slice":
        source = source.input_value(0).get_node()
    return [int(each) for each in source.get_data()]


def _length(shape: Any, axis: int) -> int:
    dimension = shape[axis]
    if dimension.is_dynamic:
        raise LoadFailed(f"expected a fixed length on axis {axis} of {shape}")
    return int(dimension.get_length())


def _main_type(model: Any) -> str:
    totals: dict[str, int] = {}
    for node in _of_type(model, "Constant"):
        name = node.get_element_type().get_type_name()
        totals[name] = totals.get(name, 0) + int(node.get_byte_size())
    return max(totals, key=lambda name: totals[name])


def _save(model: Any, path: Path) -> None:
    # The file that was read is mapped into memory: write beside it, then replace.
    beside = path.with_name(f"mended_{path.name}")
    openvino.save_model(model, beside, compress_to_fp16=False)
    del model
    beside.with_suffix(".bin").replace(path.with_suffix(".bin"))
    beside.replace(path)
