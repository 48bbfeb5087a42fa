"""Computes steps with OpenVINO's paged attention: tokens and blocks in, logits out.

The model's own attention is replaced by the paged form, whose cache lies in tensors that we own;
a gather in front of the head lets only the wanted rows reach its large product. Sequences, queues
and text are not known here beyond what a Step says.

A step of a single token is computed with a second, unused one beside it. The kernels for one row
and for several round activations differently, by up to 0.3 in a logit; the kernels for two rows
and for five hundred agree in every bit, and the second row costs nothing that could be measured.
So neighbours and the cutting of prompts never change an answer.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

# The one place where the native runtime is imported: only the child process imports this module.
import openvino as ov
from openvino import opset13 as ops
from openvino._offline_transformations import paged_attention_transformation

from slipstream.engine.blocks import BLOCK_TOKENS, blocks_for
from slipstream.engine.sequence import Chunk, Step
from slipstream.engine.settings import EngineSettings
from slipstream.errors import LoadFailed

Logits = npt.NDArray[np.float32]


class Runner(Protocol):
    """What computes a step."""

    def run(self, step: Step) -> Logits:
        """Write the step's tokens into the cache and return the wanted logits.

        Returns:
            One row per wanted token, in the order of the chunks.  # (wanted, vocabulary) float32
            The array is the runner's own and valid until the next call.
        """
        ...


class _Arithmetic(NamedTuple):
    """OpenVINO's properties for one `precision`."""

    inference: str
    cache: str
    quantisation_group: int | None  # of activations; None leaves the choice to OpenVINO

    def properties(self) -> dict[str, Any]:
        group = self.quantisation_group
        return {
            "INFERENCE_PRECISION_HINT": self.inference,
            "KV_CACHE_PRECISION": self.cache,
            **({} if group is None else {"DYNAMIC_QUANTIZATION_GROUP_SIZE": group}),
        }


# Measured on an AMD EPYC (AVX-512, no AMX) and an Intel Xeon with AMX: f32 answers quicker than
# bf16 at every batch size on both, so it is what "auto" means.
_ARITHMETIC: Final = {
    "auto": _Arithmetic("f32", "f32", None),
    "f32": _Arithmetic("f32", "f32", None),
    "bf16": _Arithmetic("bf16", "u8", None),
    "exact": _Arithmetic("f32", "f32", 0),
}
_WANTED: Final = "wanted_rows"
_CACHES: Final = ("key_cache.", "value_cache.")


class PagedRunner:
    """One compiled model and its cache."""

    def __init__(self, model_file: Path, settings: EngineSettings) -> None:
        """Load and compile; takes about a second for a small model.

        Raises:
            LoadFailed: The file is no language model that OpenVINO can run here.
        """
        try:
            self._compiled = _compile(model_file, settings)
        except RuntimeError as exc:  # what OpenVINO raises, whatever the reason
            raise LoadFailed(f"{model_file}: {exc}") from exc
        self._request = self._compiled.create_infer_request()
        shapes = _cache_shapes(self._compiled)
        self.num_blocks: Final = settings.kv_cache_bytes // sum(s.block_bytes for s in shapes)
        self._spare_block: Final = self.num_blocks  # of the unused row; never in a pool
        for shape in shapes:
            tensor = ov.Tensor(shape.element_type, ov.Shape([self.num_blocks + 1, *shape.block]))
            self._request.set_tensor(shape.name, tensor)

    @property
    def num_threads(self) -> int:
        """Threads that OpenVINO uses."""
        return int(self._compiled.get_property("INFERENCE_NUM_THREADS"))

    @property
    def precision(self) -> str:
        """Arithmetic in use, as `inference/cache`."""
        names = ("INFERENCE_PRECISION_HINT", "KV_CACHE_PRECISION")
        return "/".join(self._compiled.get_property(name).get_type_name() for name in names)

    def run(self, step: Step) -> Logits:
        """Compute one step; see `Runner.run`."""
        self._request.infer(_inputs(step, self._spare_block), share_inputs=True)
        rows: Logits = self._request.get_output_tensor(0).data  # (rows, 1, vocabulary)
        num_wanted = sum(chunk.num_wanted for chunk in step.chunks)
        return rows.reshape(rows.shape[0], rows.shape[-1])[:num_wanted]


def _inputs(step: Step, spare_block: int) -> dict[str, npt.NDArray[Any]]:
    """Lay a step out flat, as the paged attention reads it."""
    tokens: list[int] = []
    positions: list[npt.NDArray[np.int64]] = []
    past: list[int] = []
    token_ends, blocks, block_ends = [0], list[int](), [0]
    wanted: list[int] = []
    for chunk in step.chunks:
        sequence = chunk.sequence
        tokens += sequence.token_ids[chunk.start : chunk.end]
        positions.append(np.arange(chunk.start, chunk.end))
        past.append(chunk.start)
        token_ends.append(len(tokens))
        blocks += sequence.block_ids[: blocks_for(chunk.end)]
        block_ends.append(len(blocks))
        wanted += range(len(tokens) - chunk.num_wanted, len(tokens))
    if len(tokens) == 1:  # see the module's docstring
        tokens.append(0)
        positions.append(np.zeros(1, np.int64))
        past.append(0)
        token_ends.append(2)
        blocks.append(spare_block)
        block_ends.append(len(blocks))
    return {
        "input_ids": np.array(tokens, np.int64),  # (tokens,)
        "position_ids": np.concatenate(positions),  # (tokens,)
        "past_lens": np.array(past, np.int32),  # (sequences,)
        "subsequence_begins": np.array(token_ends, np.int32),  # (sequences + 1,)
        "block_indices": np.array(blocks, np.int32),  # (blocks in use,)
        "block_indices_begins": np.array(block_ends, np.int32),  # (sequences + 1,)
        "max_context_len": np.array(max(map(_end, step.chunks)), np.int32),  # ()
        _WANTED: np.array(wanted or [0], np.int64),  # (wanted,), never empty
    }


def _end(chunk: Chunk) -> int:
    return chunk.end


def _compile(model_file: Path, settings: EngineSettings) -> Any:
    # No compile cache: for a model of 144 MB it was measured to make the second start slower
    # (1.4 s against 1.0 s), because the key is a hash of all weights.
    core = ov.Core()
    model = core.read_model(model_file)
    paged_attention_transformation(model)
    _gather_before_head(model)
    properties: dict[str, Any] = {
        **_ARITHMETIC[settings.precision].properties(),
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
    }
    if settings.threads is not None:
        properties["INFERENCE_NUM_THREADS"] = settings.threads
    return core.compile_model(model, "CPU", properties)


def _gather_before_head(model: Any) -> None:
    """Let only the wanted rows of the last hidden state reach the vocabulary's product."""
    head = model.get_results()[0].input_value(0).get_node()
    while head.get_type_name() != "MatMul":  # a model may convert or scale its logits
        head = head.input_value(0).get_node()
    wanted = ops.parameter([-1], np.int64, name=_WANTED)
    wanted.output(0).set_names({_WANTED})
    rows = ops.gather(head.input_value(0), wanted, np.int64(0))
    head.input(0).replace_source_output(rows.output(0))
    model.add_parameters([wanted])
    model.validate_nodes_and_infer_types()


class _CacheShape(NamedTuple):
    """One cache tensor of one layer."""

    name: str
    element_type: Any
    block: tuple[int, ...]  # (kv heads, tokens, head size), with room for scales where quantised

    @property
    def block_bytes(self) -> int:
        return int(np.prod(self.block)) * int(self.element_type.size)


def _cache_shapes(compiled: Any) -> list[_CacheShape]:
    found = []
    for port in compiled.inputs:
        name = port.get_any_name()
        if name.startswith(_CACHES):
            sizes = tuple(size.get_length() for size in list(port.get_partial_shape())[1:])
            found.append(_CacheShape(name, port.get_element_type(), sizes))
    if not found or all(BLOCK_TOKENS not in shape.block for shape in found):
        raise LoadFailed(f"the model's cache is not kept in blocks of {BLOCK_TOKENS} tokens")
    return found
