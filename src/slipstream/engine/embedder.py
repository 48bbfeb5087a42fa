"""Turns texts into vectors: with an encoder, or with the last hidden state of a language model.

Inputs are computed together, sorted by length and padded; each costs its own tokens and little
more. What a vector is made of (mean, first or last token) was found out when the model was
prepared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

# The one place where the native runtime is imported: only the child process imports this module.
import openvino as ov
from openvino import opset13 as ops

from slipstream.engine.devices import (
    compile_properties,
    precision_of,
    require_device,
    threads_of,
)
from slipstream.engine.settings import EngineSettings
from slipstream.engine.template import Guard
from slipstream.engine.tokenizer import Tokenizer
from slipstream.engine.weights.manifest import MODEL_FILE, TOKENIZER_FILE, Pooling, read_facts
from slipstream.errors import BadRequest, ContextTooLong, LoadFailed

Vectors = npt.NDArray[np.float32]

_BATCH_TOKENS: Final = 4096  # padding included: bounds the memory of one computation
_LEAST_LENGTH: Final = 1e-12  # a vector of zeros stays one


@dataclass(frozen=True, slots=True)
class Embeddings:
    """What was made of some inputs."""

    vectors: Vectors  # (inputs, dimensions) float32
    num_tokens: int  # of all inputs together


class Embedder:
    """One compiled model that makes vectors. One thread at a time.

    Args:
        dimensions: Of a whole vector.
        context_tokens: The longest input.
    """

    def __init__(
        self,
        compiled: Any,
        tokenizer: Tokenizer,
        *,
        pooling: Pooling,
        is_normalised: bool,
        context_tokens: int,
        vocab_size: int,
    ) -> None:
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self._inputs = {port.get_any_name() for port in compiled.inputs}
        self._is_stateful = bool(self._request.query_state())
        self._tokenizer, self._pooling, self._is_normalised = tokenizer, pooling, is_normalised
        self._vocab_size = vocab_size
        self.dimensions: Final = int(compiled.output(0).get_partial_shape()[-1].get_length())
        self.context_tokens: Final = context_tokens

    @property
    def num_threads(self) -> int:
        """Threads that OpenVINO uses; 0 on a device that has no such number."""
        return threads_of(self._compiled)

    @property
    def precision(self) -> str:
        """Arithmetic in use."""
        return precision_of(self._compiled, "INFERENCE_PRECISION_HINT")

    def embed(
        self, inputs: Sequence[str | Sequence[int]], dimensions: int | None = None
    ) -> Embeddings:
        """Return one vector for each input, in order.

        Args:
            inputs: Texts, or token ids as the model's tokenizer makes them.
            dimensions: Keep the first so many, scaled to length 1 where whole vectors have it.

        Raises:
            BadRequest: An input is empty or no token id, or there are not so many dimensions.
            ContextTooLong: An input is longer than the model's context.
        """
        if dimensions is not None and not 0 < dimensions <= self.dimensions:
            raise BadRequest(
                f"Invalid value for 'dimensions': this model's vectors have {self.dimensions}, "
                f"got {dimensions}.",
                param="dimensions",
            )
        token_ids = [self._encode(index, each) for index, each in enumerate(inputs)]
        vectors = np.empty((len(inputs), self.dimensions), np.float32)
        for batch in _batches([len(ids) for ids in token_ids]):
            vectors[batch] = self._compute([token_ids[index] for index in batch])
        vectors = vectors[:, :dimensions]
        if self._is_normalised:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.maximum(lengths, _LEAST_LENGTH)
        return Embeddings(np.ascontiguousarray(vectors), sum(map(len, token_ids)))

    def _encode(self, index: int, given: str | Sequence[int]) -> list[int]:
        ids = self._tokenizer.encode_text(given) if isinstance(given, str) else list(given)
        if not ids:
            raise BadRequest(f"Invalid 'input': item {index} is empty.", param="input")
        if not all(0 <= token_id < self._vocab_size for token_id in ids):
            raise BadRequest(
                f"Invalid 'input': item {index} has a token id outside of this model's "
                f"vocabulary, 0 to {self._vocab_size - 1}.",
                param="input",
            )
        if len(ids) > self.context_tokens:
            too_long = ContextTooLong(
                f"This model's context is {self.context_tokens} tokens and item {index} of "
                f"'input' has {len(ids)}."
            )
            too_long.param = "input"
            raise too_long
        return ids

    def _compute(self, token_ids: Sequence[Sequence[int]]) -> Vectors:
        lengths = np.array([len(ids) for ids in token_ids])
        places = np.arange(lengths.max())
        mask = places < lengths[:, None]  # (inputs, tokens) bool: padding is on the right
        padded = np.zeros(mask.shape, np.int64)
        padded[mask] = np.concatenate(token_ids)
        known = {
            "input_ids": padded,
            "attention_mask": mask.astype(np.int64),
            "token_type_ids": np.zeros(mask.shape, np.int64),
            "position_ids": np.broadcast_to(places, mask.shape).astype(np.int64),
            "beam_idx": np.arange(len(lengths), dtype=np.int32),
        }
        if self._is_stateful:
            self._request.reset_state()
        self._request.infer({name: known[name] for name in self._inputs})
        hidden: Vectors = self._request.get_output_tensor(0).data
        return _pool(hidden, mask, self._pooling)


def load_embedder(directory: Path, settings: EngineSettings) -> Embedder:
    """Load a prepared model as one that makes vectors.

    Raises:
        LoadFailed: Something in the directory is missing or cannot be used.
    """
    facts = read_facts(directory)
    tokenizer = Tokenizer(directory / TOKENIZER_FILE, guard=Guard({}), control_ids={}, bos_id=None)
    file = directory / MODEL_FILE
    try:
        compiled = _compile(file, settings)
    except RuntimeError as exc:  # what OpenVINO raises, whatever the reason
        raise LoadFailed(f"{file}: {exc}") from exc
    return Embedder(
        compiled,
        tokenizer,
        pooling=facts.pooling,
        is_normalised=facts.is_normalised,
        context_tokens=facts.context_tokens,
        vocab_size=facts.vocab_size,
    )


def _compile(file: Path, settings: EngineSettings) -> Any:
    core = ov.Core()
    require_device(settings.device, core.available_devices)
    model = core.read_model(file)
    names = {name for out in model.outputs for name in out.get_names()}
    if "logits" in names:
        _end_before_head(model)
    elif "last_hidden_state" in names:
        _keep_output(model, model.output("last_hidden_state"))
    else:
        raise LoadFailed(f"{file}: expected an output 'last_hidden_state' or 'logits'")
    properties = compile_properties(settings, quantises_on_the_fly=True)
    return core.compile_model(model, settings.device, properties)


def _end_before_head(model: Any) -> None:
    """Give out the last hidden state; the product with the vocabulary is not computed."""
    head = model.output("logits").get_node().input_value(0).get_node()
    while head.get_type_name() != "MatMul":  # a model may convert or scale its logits
        head = head.input_value(0).get_node()
    _keep_output(model, head.input_value(0))


def _keep_output(model: Any, wanted: Any) -> None:
    """Leave one output, as float32."""
    source = (
        wanted.get_node().input_value(0)
        if wanted.get_node().get_type_name() == "Result"
        else wanted
    )
    kept = ops.result(ops.convert(source, "f32"))
    for result in model.get_results():
        model.remove_result(result)
    model.add_results([kept])
    model.validate_nodes_and_infer_types()


def _pool(hidden: Vectors, mask: npt.NDArray[np.bool_], pooling: Pooling) -> Vectors:
    """Make one vector of each row of (inputs, tokens, dimensions)."""
    match pooling:
        case "cls":
            pooled = hidden[:, 0]
        case "last":
            pooled = hidden[np.arange(len(hidden)), mask.sum(axis=1) - 1]
        case "mean":
            pooled = np.einsum("btd,bt->bd", hidden, mask / mask.sum(axis=1, keepdims=True))
    return pooled.astype(np.float32)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Put inputs of like length together, so that little is padded."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        if batch and (len(batch) + 1) * lengths[index] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
