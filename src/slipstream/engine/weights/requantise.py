"""Rewrites a GGUF with its tensors in forms that OpenVINO reads fast; runs in the child process.

Metadata is copied byte for byte. Forms that are slow here (Q4_1) or that the reader of OpenVINO
does not know (Q5, Q2_K, BF16, …) become Q8_0: larger, and next to nothing is lost.
"""

import mmap
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import gguf
import numpy as np
from numpy.typing import NDArray

from slipstream.engine.weights.gguf_file import GgufHead, Tensor
from slipstream.errors import LoadFailed

Bytes = NDArray[np.uint8]
TypeId = gguf.GGMLQuantizationType

# Forms that stay as they are. Q4_1 is readable too, but as Q8_0 it decodes 1.7 times as fast
# (117 against 67 tokens/s, SmolLM2-135M, two AVX-512 cores).
_KEPT: Final = frozenset(
    {TypeId.F16, TypeId.Q8_0, TypeId.Q4_0, TypeId.Q4_K, TypeId.Q6_K, TypeId.F32}
)
_BLOCK: Final = 32  # values that share a scale in Q4_1 and Q8_0
_Q8_BYTES: Final = 34  # float16 scale, 32 int8
_CHUNK_BLOCKS: Final = 8192  # 1 MiB of float32: several passes over it stay in the cache
_NUM_THREADS: Final = 2  # NumPy releases the interpreter lock; more gains little
_FILE_TYPE: Final = {"q8_0": 7, "f16": 1}  # general.file_type


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one tensor comes from and what it becomes."""

    source: Tensor
    source_bytes: int
    result: Tensor
    result_bytes: int


def plan_rewrite(head: GgufHead) -> tuple[Placed, ...]:
    """Decide the form and the place of every tensor.

    Raises:
        LoadFailed: A tensor is of a form that nobody here can read.
    """
    placed: list[Placed] = []
    offset = 0
    for tensor in head.tensors:
        form = _wanted_form(tensor)
        num_bytes = _tensor_bytes(tensor.shape, form)
        result = replace(tensor, type_id=int(form), offset=offset)
        placed.append(
            Placed(tensor, _tensor_bytes(tensor.shape, tensor.type_id), result, num_bytes)
        )
        offset += num_bytes + -num_bytes % head.alignment
    return tuple(placed)


def weights_format(plan: tuple[Placed, ...]) -> str:
    """Name the form that most of the weights end in."""
    totals: dict[str, int] = {}
    for each in plan:
        name = TypeId(each.result.type_id).name.lower()
        totals[name] = totals.get(name, 0) + each.result_bytes
    return max(totals, key=lambda name: totals[name], default="f32")


def rewrite(
    source: Path,
    head: GgufHead,
    plan: tuple[Placed, ...],
    target: Path,
    on_bytes: Callable[[int, int], None],
) -> None:
    """Write the GGUF that the plan describes.

    Args:
        on_bytes: Told (written, all) bytes of tensors.

    Raises:
        LoadFailed: The source ends before its last tensor.
    """
    total = sum(each.result_bytes for each in plan)
    done = 0
    with (
        source.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        target.open("wb") as out,
        ThreadPoolExecutor(_NUM_THREADS) as pool,
    ):
        _check_length(source, head, plan, len(data))
        out.write(_head_bytes(data[: head.metadata_end], head, plan))
        out.write(b"\0" * (-out.tell() % head.alignment))
        for each in plan:
            for piece in _pieces(data, head, each, pool):
                out.write(piece)
                done += len(piece)
                on_bytes(done, total)
            out.write(b"\0" * (-out.tell() % head.alignment))


def _wanted_form(tensor: Tensor) -> TypeId:
    try:
        form = TypeId(tensor.type_id)
    except ValueError as exc:
        raise LoadFailed(
            f"tensor {tensor.name!r} has form {tensor.type_id}, which the installed gguf package "
            f"({', '.join(each.name for each in TypeId)}) does not know"
        ) from exc
    if form == TypeId.F32 and len(tensor.shape) > 1:
        return TypeId.F16  # no weight needs more, and OpenVINO's reader takes no F32 matrix
    if form in _KEPT or len(tensor.shape) < 2:
        return form
    return TypeId.Q8_0 if tensor.shape[0] % _BLOCK == 0 else TypeId.F16


def _tensor_bytes(shape: tuple[int, ...], type_id: int) -> int:
    block, num_bytes = gguf.GGML_QUANT_SIZES[TypeId(type_id)]
    values = 1
    for length in shape:
        values *= length
    if shape and shape[0] % block:
        raise LoadFailed(f"a row of {shape[0]} values cannot be {TypeId(type_id).name}")
    return values // block * num_bytes


def _check_length(source: Path, head: GgufHead, plan: tuple[Placed, ...], num_bytes: int) -> None:
    end = max((head.data_start + p.source.offset + p.source_bytes for p in plan), default=0)
    if end > num_bytes:
        raise LoadFailed(f"{source}: cut short: {num_bytes} bytes of at least {end}")


def _head_bytes(raw: bytes, head: GgufHead, plan: tuple[Placed, ...]) -> bytes:
    result = bytearray(raw)
    file_type = _FILE_TYPE.get(weights_format(plan))
    place = head.value_offsets.get("general.file_type")
    if file_type is not None and place is not None:
        struct.pack_into("<I", result, place, file_type)
    for each in plan:
        tensor, name = each.result, each.result.name.encode()
        result += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(tensor.shape))
        result += struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
        result += struct.pack("<IQ", tensor.type_id, tensor.offset)
    return bytes(result)


def read_tensor(source: Path, head: GgufHead, name: str) -> NDArray[np.float32] | None:
    """Return one tensor's values as a flat array, or None where the file has no such tensor."""
    tensor = next((each for each in head.tensors if each.name == name), None)
    if tensor is None:
        return None
    num_bytes = _tensor_bytes(tensor.shape, tensor.type_id)
    with source.open("rb") as file:
        file.seek(head.data_start + tensor.offset)
        raw = np.frombuffer(file.read(num_bytes), dtype=np.uint8)
    values: NDArray[np.float32] = gguf.quants.dequantize(raw, TypeId(tensor.type_id))
    return values.astype(np.float32, copy=False).ravel()


def _pieces(
    data: mmap.mmap, head: GgufHead, placed: Placed, pool: ThreadPoolExecutor
) -> Iterator[bytes]:
    """Yield the tensor's data in its new form, in order."""
    start = head.data_start + placed.source.offset
    if placed.source.type_id == placed.result.type_id:
        yield data[start : start + placed.source_bytes]
        return
    source, target = TypeId(placed.source.type_id), TypeId(placed.result.type_id)
    block_values, block_bytes = gguf.GGML_QUANT_SIZES[source]
    # A chunk ends with a block of both forms; the largest block has 256 values.
    step = max(1, _CHUNK_BLOCKS * _BLOCK // block_values) * block_bytes
    chunks = (
        np.frombuffer(data[at : min(at + step, start + placed.source_bytes)], dtype=np.uint8)
        for at in range(start, start + placed.source_bytes, step)
    )
    convert = _CONVERT.get((source, target))
    if convert is None:
        convert = _through_floats(source, target)
    for result in pool.map(convert, chunks):
        yield result.tobytes()


def _through_floats(source: TypeId, target: TypeId) -> Callable[[Bytes], Bytes]:
    block_bytes = gguf.GGML_QUANT_SIZES[source][1]

    def convert(raw: Bytes) -> Bytes:
        blocks = raw.reshape(-1, block_bytes)
        values = gguf.quants.dequantize(blocks, source).astype(np.float32, copy=False)
        if target == TypeId.F16:
            return values.astype(np.float16).view(np.uint8)
        return quantise_q8(values.reshape(-1, _BLOCK))

    return convert


def quantise_q8(values: NDArray[np.float32]) -> Bytes:
    """Pack values into Q8_0 blocks.

    Args:
        values: (blocks, 32) float32.

    Returns:
        (blocks, 34) uint8.
    """
    scale = _q8_scale(np.abs(values).max(axis=1))
    return _packed_q8(values * _inverse(scale)[:, None], scale)


def requantise_q4_1(raw: Bytes) -> Bytes:
    """Turn Q4_1 blocks into Q8_0 blocks.

    A value is `step * nibble + least`: scaling the two numbers of a block, not its 32 values,
    saves half of the passes over memory.

    Args:
        raw: (blocks * 20) uint8: float16 step, float16 least, 16 bytes of nibbles, the low ones
            being the first 16 values.

    Returns:
        (blocks, 34) uint8.
    """
    blocks = raw.reshape(-1, 20)
    pairs = np.ascontiguousarray(blocks[:, :4]).view(np.float16).astype(np.float32)
    step, least = pairs[:, 0], pairs[:, 1]
    nibbles = np.empty((len(blocks), _BLOCK), dtype=np.uint8)
    np.bitwise_and(blocks[:, 4:], 15, out=nibbles[:, :16])
    np.right_shift(blocks[:, 4:], 4, out=nibbles[:, 16:])
    lowest = np.abs(least + step * nibbles.min(axis=1))
    highest = np.abs(least + step * nibbles.max(axis=1))
    scale = _q8_scale(np.maximum(lowest, highest))
    inverse = _inverse(scale)
    values = nibbles.astype(np.float32)
    values *= (step * inverse)[:, None]
    values += (least * inverse)[:, None]
    return _packed_q8(values, scale)


def _q8_scale(largest: NDArray[np.float32]) -> NDArray[np.float16]:
    return (largest / 127).astype(np.float16)


def _inverse(scale: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = scale.astype(np.float32)
    return np.divide(1, wide, out=np.zeros_like(wide), where=wide != 0)


def _packed_q8(scaled: NDArray[np.float32], scale: NDArray[np.float16]) -> Bytes:
    # The scale was rounded to float16, so the largest value may come out at 127.06: it rounds
    # to 127, except where the scale is subnormal and coarse.
    np.rint(scaled, out=scaled)
    np.clip(scaled, -127, 127, out=scaled)
    packed = np.empty((len(scaled), _Q8_BYTES), dtype=np.uint8)
    packed[:, :2] = scale[:, None].view(np.uint8)
    packed[:, 2:] = scaled.astype(np.int8).view(np.uint8)
    return packed


_CONVERT: Final[dict[tuple[TypeId, TypeId], Callable[[Bytes], Bytes]]] = {
    (TypeId.Q4_1, TypeId.Q8_0): requantise_q4_1,
}
