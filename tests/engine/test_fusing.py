"""Products that read the same rows are joined, compute the same, and others are left alone."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import pytest
from openvino import opset13 as ops

from slipstream.engine.fusing import join_products
from slipstream.engine.weights.manifest import MODEL_FILE
from slipstream.engine.weights.pull import pull
from tests.engine.weights.tiny_gguf import TinyModel, write_tiny_gguf

INPUTS = 64
ROWS = np.random.default_rng(5).standard_normal((3, INPUTS)).astype(np.float32)
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
SAME, VARIED = "same", "varied"


def weights(
    num_outputs: int, group: int = 32, zeros: str | None = SAME, codes_type: str = "u8"
) -> Any:
    """Give made-up 8-bit weights as the chain in which OpenVINO keeps them; group 0: one each."""
    rng = np.random.default_rng(num_outputs + group)
    shape = (num_outputs, INPUTS // group, group) if group else (num_outputs, INPUTS)
    dtype, least = (np.uint8, 0) if codes_type == "u8" else (np.int8, -128)
    whole = ops.convert(ops.constant(rng.integers(least, least + 256, shape).astype(dtype)), "f16")
    scales = rng.random((*shape[:-1], 1)).astype(np.float16)
    if zeros is not None:
        points = rng.integers(100, 150, scales.shape) if zeros == VARIED else scales * 0 + 128
        whole = ops.subtract(whole, ops.convert(ops.constant(points.astype(dtype)), "f16"))
    whole = ops.multiply(whole, ops.constant(scales))
    if group:
        whole = ops.reshape(whole, ops.constant([num_outputs, INPUTS]), special_zero=False)
    return ops.convert(whole, "f32")


def model_of(*products: tuple[int, Any]) -> Any:
    """Give a model of products (input number, weights), one output each."""
    inputs = [ops.parameter([-1, INPUTS], np.float32) for _ in range(2)]
    outs = [ops.matmul(inputs[number], second, False, True) for number, second in products]
    return openvino.Model([ops.result(out) for out in outs], inputs, "made-up")


def run(model: Any) -> list[npt.NDArray[np.float32]]:
    """Compile and run a made-up model; all its outputs."""
    compiled = openvino.Core().compile_model(model, "CPU", EXACT)
    return [array.copy() for array in compiled([ROWS, -ROWS]).to_tuple()]


def types_in(model: Any) -> list[str]:
    """Give the types of a model's nodes, in order."""
    return [node.get_type_name() for node in model.get_ordered_ops()]


@pytest.mark.parametrize(
    ("codes_type", "zeros"), [("u8", None), ("u8", SAME), ("u8", VARIED), ("i8", None)]
)
@pytest.mark.parametrize("group", [0, 32])
def test_join_products_of_one_input_gives_the_same_rows(
    group: int, zeros: str | None, codes_type: str
) -> None:
    """Three products of one input become one, whatever the zero points, and nothing changes."""
    model = model_of(*((0, weights(n, group, zeros, codes_type)) for n in (48, 16, 32)))
    expected = run(model)

    assert join_products(model) == 3

    assert types_in(model).count("MatMul") == 1
    for found, wanted in zip(run(model), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3 * np.abs(wanted).max())


def test_join_products_keeps_different_zero_points_of_its_parts() -> None:
    """A part with one zero point and a part with many are joined with the zeros of each."""
    model = model_of((0, weights(16, zeros=SAME)), (0, weights(32, zeros=VARIED)))
    expected = run(model)

    assert join_products(model) == 2

    for found, wanted in zip(run(model), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3 * np.abs(wanted).max())


def test_join_products_of_a_single_product_shares_its_constants() -> None:
    """A product alone gets one zero point for all and keeps its codes: nothing is copied."""
    model = model_of((0, weights(48)))
    expected = run(model)
    before = {node.get_name() for node in model.get_ops() if node.get_type_name() == "Constant"}

    assert join_products(model) == 1

    after = [node for node in model.get_ops() if node.get_type_name() == "Constant"]
    assert all(node.get_name() in before for node in after if node.data.nbytes > 16)
    np.testing.assert_allclose(run(model)[0], expected[0], rtol=1e-4, atol=1e-3)


def plain() -> Any:
    """Give weights that are not compressed."""
    return ops.constant(np.ones((16, INPUTS), np.float32))


@pytest.mark.parametrize(
    "products",
    [
        [(0, weights(16, zeros=None)), (1, weights(16, zeros=None))],
        [(0, weights(16, zeros=None)), (0, weights(16, 16, zeros=None))],
        [(0, weights(16, zeros=VARIED)), (0, weights(16, zeros=None))],
        [(0, weights(16, zeros=None)), (0, weights(16, zeros=None, codes_type="i8"))],
        [(0, weights(16, zeros=None)), (0, plain())],
        [(0, weights(8224, zeros=None)), (0, weights(8256, zeros=None))],
    ],
    ids=["inputs", "group sizes", "zero points", "types", "plain weights", "large"],
)
def test_join_products_that_differ_leaves_them_alone(products: list[tuple[int, Any]]) -> None:
    """Other inputs, groups or types, uncompressed weights and large ones are not joined."""
    model = model_of(*products)
    before = types_in(model)

    assert join_products(model) == 0

    assert types_in(model) == before


def test_join_products_is_done_once() -> None:
    """A model whose products are joined has nothing left to join."""
    model = model_of((0, weights(16)), (0, weights(32)), (1, weights(16)))

    assert [join_products(model), join_products(model)] == [3, 0]


@pytest.mark.parametrize("made", [TinyModel(), TinyModel(is_head_tied=False)], ids=["tied", "own"])
def test_join_products_of_a_converted_model_keeps_its_logits(
    tmp_path: Path, made: TinyModel
) -> None:
    """A model made of a GGUF has fewer products after it, and says the same."""
    pull(str(write_tiny_gguf(tmp_path / "Tiny.Q8_0.gguf", made)), tmp_path)
    (file,) = tmp_path.glob(f"models/*/{MODEL_FILE}")
    whole, joined = (openvino.Core().read_model(file) for _ in range(2))

    assert join_products(joined) > 0

    num_joined = types_in(whole).count("MatMul") - types_in(joined).count("MatMul")
    assert num_joined == made.num_layers * 3  # k and v to q, up to gate
    expected, found = logits_of(whole), logits_of(joined)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def logits_of(model: Any) -> npt.NDArray[np.float32]:
    """Run a converted model over a few tokens."""
    compiled = openvino.Core().compile_model(model, "CPU", EXACT)
    inputs = {
        "input_ids": np.array([[7, 40, 99, 5]], np.int64),
        "attention_mask": np.ones((1, 4), np.int64),
        "position_ids": np.arange(4, dtype=np.int64)[None],
        "beam_idx": np.zeros(1, np.int32),
    }
    logits: npt.NDArray[np.float32] = compiled(inputs)["logits"].copy()
    return logits
