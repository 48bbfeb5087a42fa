"""Computes steps with OpenVINO's paged attention: tokens and blocks in, logits out.

The model's own attention is replaced by the paged form, whose cache lies in tensors that we own;
a gather in front of the head lets only the wanted rows reach its large product. Sequences, queues
and text are not known here beyond what a Step says. What a runner measures of itself when it is
loaded is in measures.py.
"""

from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

# The one place where the native runtime is imported: only the child process imports this module.
import openvino as ov
from openvino import opset13 as ops
from openvino._offline_transformations import paged_attention_transformation

from slipstream.engine.blocks import BLOCK_TOKENS, blocks_for
from slipstream.engine.devices import (
    CPU,
    compile_properties,
    precision_of,
    require_device,
    threads_of,
)
from slipstream.engine.fusing import join_products
from slipstream.engine.sequence import Step
from slipstream.engine.settings import EngineSettings
from slipstream.errors import LoadFailed

Logits = npt.NDArray[np.float32]


class Runner(Protocol):
    """What computes steps, one at a time."""

    def start(self, step: Step) -> None:
        """Begin to write the step's tokens into the cache; returns while it is computed."""
        ...

    def finish(self) -> Logits:
        """Wait for the step that was started; other threads run meanwhile.

        Returns:
            One row per wanted token, in the order of the chunks.  # (wanted, vocabulary) float32
            The array is the runner's own and valid until the next `start`.
        """
        ...


_WANTED: Final = "wanted_rows"
_CACHES: Final = ("key_cache.", "value_cache.")
_INPUTS: Final = (
    "input_ids",
    "position_ids",
    "past_lens",
    "subsequence_begins",
    "block_indices",
    "block_indices_begins",
    "max_context_len",
    _WANTED,
)


class PagedRunner:
    """One compiled model and its cache."""

    def __init__(
        self, model_file: Path, settings: EngineSettings, *, quantises_on_the_fly: bool = True
    ) -> None:
        """Load and compile; takes about a second for a small model.

        Args:
            quantises_on_the_fly: False keeps activations whole, whatever `precision` says.

        Raises:
            LoadFailed: The file is no language model that OpenVINO can run here, or there is no
                such device.
        """
        try:
            self._compiled = _compile(model_file, settings, quantises_on_the_fly)
        except RuntimeError as exc:  # what OpenVINO raises, whatever the reason
            raise LoadFailed(f"{model_file}: {exc}") from exc
        shapes = _cache_shapes(self._compiled)
        self.num_blocks: Final = settings.kv_cache_bytes // sum(s.block_bytes for s in shapes)
        self._spare_block: Final = self.num_blocks  # of the unused row; never in a pool
        self._request = self._compiled.create_infer_request()
        self._caches = [
            _attach_cache(self._request, shape, self.num_blocks + 1) for shape in shapes
        ]
        # Written in place each step: handing OpenVINO new arrays costs 80 µs more.
        self._inputs = {name: self._request.get_tensor(name) for name in _INPUTS}
        self._num_wanted = 0

    @property
    def num_threads(self) -> int:
        """Threads that OpenVINO uses; 0 on a device that has no such number."""
        return threads_of(self._compiled)

    @property
    def num_logits(self) -> int:
        """Width of a row: the vocabulary, and what it was padded with."""
        return int(self._compiled.output(0).get_partial_shape()[-1].get_length())

    @property
    def precision(self) -> str:
        """Arithmetic in use, as `inference/cache`."""
        return precision_of(self._compiled, "INFERENCE_PRECISION_HINT", "KV_CACHE_PRECISION")

    def run(self, step: Step) -> Logits:
        """Compute one step: `start` and `finish`."""
        self.start(step)
        return self.finish()

    def start(self, step: Step) -> None:
        """Begin one step; see `Runner.start`."""
        for source, target in step.copies:
            for cache in self._caches:
                cache[target] = cache[source]
        for name, values in _lay_out(step, self._spare_block).items():
            tensor = self._inputs[name]
            tensor.shape = values.shape
            tensor.data[...] = values
        self._num_wanted = sum(chunk.num_wanted for chunk in step.chunks)
        self._request.start_async()

    def finish(self) -> Logits:
        """Wait for the step; see `Runner.finish`."""
        self._request.wait()
        rows: Logits = self._request.get_output_tensor(0).data  # (rows, 1, vocabulary)
        return rows.reshape(rows.shape[0], rows.shape[-1])[: self._num_wanted]


def _lay_out(step: Step, spare_block: int) -> Mapping[str, npt.NDArray[Any]]:
    """Lay a step out flat, as the paged attention reads it.

    A step of a single token gets a second, unused one beside it. For one row in all, the products
    round activations differently, by up to 0.3 in a logit; for two rows and for five hundred they
    agree in every bit, and the second row costs nothing that could be measured.
    """
    tokens, positions, wanted = array("q"), array("q"), array("q")
    past, token_ends, blocks, block_ends = array("i"), array("i", [0]), array("i"), array("i", [0])
    for chunk in step.chunks:
        end = chunk.start + chunk.num_tokens
        tokens.extend(chunk.token_ids)
        positions.extend(range(chunk.start, end))
        past.append(chunk.start)
        token_ends.append(len(tokens))
        blocks.extend(chunk.sequence.block_ids[: blocks_for(end)])
        block_ends.append(len(blocks))
        wanted.extend(range(len(tokens) - chunk.num_wanted, len(tokens)))
    longest = max(chunk.start + chunk.num_tokens for chunk in step.chunks)
    if len(tokens) == 1:
        tokens.append(0)
        positions.append(0)
        past.append(0)
        token_ends.append(2)
        blocks.append(spare_block)
        block_ends.append(len(blocks))
    return {
        "input_ids": np.frombuffer(tokens, np.int64),  # (tokens,)
        "position_ids": np.frombuffer(positions, np.int64),  # (tokens,)
        "past_lens": np.frombuffer(past, np.int32),  # (sequences,)
        "subsequence_begins": np.frombuffer(token_ends, np.int32),  # (sequences + 1,)
        "block_indices": np.frombuffer(blocks, np.int32),  # (blocks in use,)
        "block_indices_begins": np.frombuffer(block_ends, np.int32),  # (sequences + 1,)
        "max_context_len": np.array(longest, np.int32),  # ()
        _WANTED: np.frombuffer(wanted or array("q", [0]), np.int64),  # (wanted,), never empty
    }


def _compile(model_file: Path, settings: EngineSettings, quantises_on_the_fly: bool) -> Any:
    # No compile cache: for a model of 144 MB it was measured to make the second start slower
    # (1.4 s against 1.0 s), because the key is a hash of all weights.
    core = ov.Core()
    require_device(settings.device, core.available_devices)
    model = core.read_model(model_file)
    paged_attention_transformation(model)
    _gather_before_head(model)
    if settings.device.partition(".")[0] == CPU:  # the only device it was measured on
        join_products(model)
    properties = compile_properties(settings, quantises_on_the_fly=quantises_on_the_fly)
    return core.compile_model(model, settings.device, properties)


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
    # Values are (kv heads, tokens, head size) on every device; keys are laid out in various ways.
    tokens = {shape.block[1] for shape in found if shape.name.startswith(_CACHES[1])}
    if tokens != {BLOCK_TOKENS}:
        said = ", ".join(map(str, sorted(tokens))) or "no"
        raise LoadFailed(
            f"the model's cache is kept in blocks of {said} tokens here; the engine knows only "
            f"blocks of {BLOCK_TOKENS}, which is what the device CPU uses"
        )
    return found


def _attach_cache(request: Any, shape: _CacheShape, num_blocks: int) -> npt.NDArray[Any]:
    """Give the request a cache tensor; return the same memory as an array of blocks."""
    tensor = ov.Tensor(shape.element_type, ov.Shape([num_blocks, *shape.block]))
    request.set_tensor(shape.name, tensor)
    blocks: npt.NDArray[Any] = tensor.data
    return blocks
