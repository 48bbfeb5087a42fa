"""What the child process that converts models is told, and what it says back; records only."""

from typing import Literal

import msgspec

from slipstream.engine.weights.manifest import Kind, Pooling

Phase = Literal["wait", "download", "check", "convert", "prepare"]


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far a pull has come.

    Args:
        done_bytes: Of this phase's work.
        total_bytes: None where it is not known; the phase is then shown without a measure.
    """

    phase: Phase
    done_bytes: int = 0
    total_bytes: int | None = None


class Job(msgspec.Struct, frozen=True):
    """One conversion: a GGUF file, or a folder of OpenVINO files, into an empty folder.

    Args:
        label: How messages name the source.
    """

    kind: Literal["gguf", "openvino"]
    source: str
    target: str
    label: str


class Traits(msgspec.Struct, frozen=True, tag="traits"):
    """What was found out of a model while it was converted; see `ModelFacts`."""

    architecture: str
    context_tokens: int
    vocab_size: int
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    adds_bos: bool
    num_layers: int
    num_kv_heads: int
    head_size: int
    weights_format: str
    prepared_with: dict[str, str]
    kind: Kind = "chat"
    pooling: Pooling = "mean"
    is_normalised: bool = True


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """Why the conversion stopped, written for the user."""

    message: str


Said = Progress | Traits | Failure
