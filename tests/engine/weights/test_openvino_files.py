"""Reading models in OpenVINO's form: shape, vocabulary, and what is refused."""

from pathlib import Path

import numpy as np
import openvino
import pytest

from slipstream.engine.weights.manifest import read_tokens
from slipstream.engine.weights.openvino_files import (
    begins_with,
    read_shape,
    read_token_table,
    scale_positions,
)
from slipstream.errors import LoadFailed


def stateless_model(folder: Path) -> None:
    """Write a model without states, as one exported without its past is."""
    ops = openvino.opset13
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")
    model = openvino.Model([ops.result(ids)], [ids], "stateless")
    openvino.save_model(model, folder / "openvino_model.xml")


def test_read_shape_gives_the_numbers_of_the_caches(tiny_model: Path) -> None:
    """Layers, heads, head size and vocabulary are read from the model itself."""
    shape = read_shape(tiny_model)
    assert (shape.num_layers, shape.num_kv_heads) == (2, 2)
    assert (shape.head_size, shape.vocab_size) == (16, 288)
    assert shape.weights_format == "u8"


def test_read_shape_of_a_model_without_states_says_how_to_export(tmp_path: Path) -> None:
    """A model that cannot go on from its past is of no use here."""
    stateless_model(tmp_path)
    with pytest.raises(LoadFailed, match="text-generation-with-past"):
        read_shape(tmp_path)


def test_read_token_table_agrees_with_the_ggufs_own(tiny_model: Path) -> None:
    """Both ways to a token's bytes give the same, special ids included."""
    assert read_token_table(tiny_model) == read_tokens(tiny_model)


def test_read_token_table_of_the_real_model_agrees_with_its_gguf(prepared_smollm2: Path) -> None:
    """The same for a real vocabulary of 49,152 tokens."""
    assert read_token_table(prepared_smollm2) == read_tokens(prepared_smollm2)


def test_read_token_table_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    """A model that is no detokenizer is named."""
    stateless_model(tmp_path)
    for ending in ("xml", "bin"):
        source = tmp_path / f"openvino_model.{ending}"
        source.rename(tmp_path / f"openvino_detokenizer.{ending}")
    with pytest.raises(LoadFailed, match="no vocabulary"):
        read_token_table(tmp_path)


def test_begins_with_runs_the_tokenizer(tiny_model: Path) -> None:
    """This tokenizer adds nothing; the first token of the text is its own."""
    a = read_tokens(tiny_model).bytes.index(b"a")
    assert begins_with(tiny_model, a)
    assert not begins_with(tiny_model, 1)
    assert not begins_with(tiny_model, None)


def test_scale_positions_with_the_wrong_number_of_factors_is_refused(tiny_model: Path) -> None:
    """Factors that do not fit the head are an error, not a silent change."""
    with pytest.raises(LoadFailed, match="0 tables of 5 frequencies"):
        scale_positions(tiny_model, np.ones(5, dtype=np.float32))
