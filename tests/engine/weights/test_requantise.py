"""Rewriting tensors: against the gguf package's own arithmetic, and for every form."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from slipstream.engine.weights.gguf_file import read_head
from slipstream.engine.weights.requantise import (
    plan_rewrite,
    quantise_q8,
    read_tensor,
    requantise_q4_1,
    rewrite,
    weights_format,
)
from slipstream.errors import LoadFailed
from tests.engine.weights.tiny_gguf import TinyModel, write_tiny_gguf

TypeId = gguf.GGMLQuantizationType
VALUES = np.random.default_rng(3).standard_normal((512, 32), dtype=np.float32)


def test_quantise_q8_loses_no_more_than_the_gguf_package() -> None:
    """The squared error is at most that of ggml's reference, but for rounding."""
    ours = gguf.quants.dequantize(quantise_q8(VALUES), TypeId.Q8_0)
    theirs = gguf.quants.dequantize(gguf.quants.quantize(VALUES, TypeId.Q8_0), TypeId.Q8_0)
    assert np.square(ours - VALUES).sum() <= np.square(theirs - VALUES).sum() * 1.001


def test_quantise_q8_of_zeros_and_extremes_stays_in_range() -> None:
    """A block of zeros, of one huge and of tiny values: no overflow, no division by zero."""
    values = np.zeros((3, 32), dtype=np.float32)
    values[1, 0] = 60000.0
    values[2] = 1e-8
    with np.errstate(all="raise", under="ignore"):
        back = gguf.quants.dequantize(quantise_q8(values.copy()), TypeId.Q8_0)
    assert not back[0].any()
    assert abs(back[1, 0] - 60000.0) < 300
    assert np.abs(back[2]).max() < 1e-6


def test_requantise_q4_1_gives_the_values_of_q4_1() -> None:
    """Every value stays within half a step of Q8_0 of what Q4_1 said."""
    packed = gguf.quants.quantize(VALUES, TypeId.Q4_1)
    wanted = gguf.quants.dequantize(packed, TypeId.Q4_1)
    back = gguf.quants.dequantize(requantise_q4_1(packed.ravel()), TypeId.Q8_0)
    half_step = np.abs(wanted).max(axis=1, keepdims=True) / 127 * 0.51
    assert (np.abs(back - wanted) <= half_step).all()


@pytest.mark.parametrize(
    ("form", "result"),
    [
        (TypeId.F32, TypeId.F16),
        (TypeId.F16, TypeId.F16),
        (TypeId.BF16, TypeId.Q8_0),
        (TypeId.Q4_0, TypeId.Q4_0),
        (TypeId.Q4_1, TypeId.Q8_0),
        (TypeId.Q5_0, TypeId.Q8_0),
        (TypeId.Q5_1, TypeId.Q8_0),
        (TypeId.Q8_0, TypeId.Q8_0),
    ],
)
def test_rewrite_gives_every_matrix_a_form_that_openvino_reads(
    tmp_path: Path, form: TypeId, result: TypeId
) -> None:
    """The new file has the same metadata, names and shapes, and nearly the same values."""
    source = write_tiny_gguf(tmp_path / "in.gguf", TinyModel(tensor_type=form))
    head = read_head(source)
    plan = plan_rewrite(head)
    told: list[tuple[int, int]] = []
    rewrite(source, head, plan, tmp_path / "out.gguf", lambda done, all_: told.append((done, all_)))
    before, after = gguf.GGUFReader(source), gguf.GGUFReader(tmp_path / "out.gguf")
    assert weights_format(plan) == result.name.lower()
    assert told[-1][0] == told[-1][1] > 0
    assert read_head(tmp_path / "out.gguf").metadata.keys() == head.metadata.keys()
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert (old.name, list(old.shape)) == (new.name, list(new.shape))
        assert new.tensor_type == (result if len(new.shape) > 1 else TypeId.F32)
        wanted = gguf.quants.dequantize(old.data, old.tensor_type)
        found = gguf.quants.dequantize(new.data, new.tensor_type)
        assert np.abs(wanted - found).max() < 0.01 * np.abs(wanted).max()


def test_rewrite_of_a_file_cut_in_its_data_is_refused(tmp_path: Path) -> None:
    """Missing tensor data is noticed before anything is written."""
    source = write_tiny_gguf(tmp_path / "in.gguf")
    head = read_head(source)
    plan = plan_rewrite(head)
    source.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(LoadFailed, match=r"cut short: \d+ bytes of at least"):
        rewrite(source, head, plan, tmp_path / "out.gguf", lambda _, __: None)


def test_read_tensor_gives_values_or_none(tmp_path: Path) -> None:
    """A tensor by name as numbers; a missing one is None."""
    source = write_tiny_gguf(tmp_path / "in.gguf")
    head = read_head(source)
    found = read_tensor(source, head, "output_norm.weight")
    assert found is not None
    assert found.tolist() == [1.0] * 64
    assert read_tensor(source, head, "rope_freqs.weight") is None
