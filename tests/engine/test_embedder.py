"""Tests of slipstream.engine.embedder: a small encoder made here, and the real language model."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as ops

from slipstream.engine.embedder import Embedder, load_embedder
from slipstream.engine.settings import MIB, EngineSettings
from slipstream.engine.weights.manifest import MODEL_FILE, ModelFacts, read_facts
from slipstream.engine.weights.pull import pull
from slipstream.errors import BadRequest, ContextTooLong, LoadFailed

VOCABULARY, SIZE, CONTEXT = 49_152, 8, 64
RNG = np.random.default_rng(3)
WORDS = RNG.standard_normal((VOCABULARY, SIZE)).astype(np.float32)
PLACES = RNG.standard_normal((CONTEXT, SIZE)).astype(np.float32)
SETTINGS = EngineSettings(kv_cache_bytes=32 * MIB)
TEXTS = ["The sea is calm tonight.", "Hello", "One two three four five six seven eight nine ten."]


def encoder_model() -> Any:
    """Return a model with a BERT's inputs, in which each token sees the others that are no padding.

    hidden[t] = word[t] + place[t] + mean of all words under the mask
    """
    names = ("input_ids", "attention_mask", "token_type_ids")
    ids, mask, types = (ops.parameter([-1, -1], np.int64, name=name) for name in names)
    for node, name in zip((ids, mask, types), names, strict=True):
        node.output(0).set_names({name})
    zero = np.int64(0)
    words = ops.gather(ops.constant(WORDS), ids, zero)
    length = ops.gather(ops.shape_of(ids), np.int64(1), zero)
    places = ops.gather(ops.constant(PLACES), ops.range(zero, length, np.int64(1), "i64"), zero)
    weights = ops.unsqueeze(ops.convert(mask, "f32"), np.int64(2))
    total = ops.reduce_sum(ops.multiply(words, weights), np.int64(1), keep_dims=True)
    others = ops.divide(total, ops.reduce_sum(weights, np.int64(1), keep_dims=True))
    kinds = ops.unsqueeze(ops.convert(types, "f32"), np.int64(2))
    hidden = ops.add(ops.add(ops.add(words, places), others), kinds)
    hidden.output(0).set_names({"last_hidden_state"})
    return ov.Model([ops.result(hidden)], [ids, mask, types], "encoder")


def expected(token_ids: list[int], pooling: str = "mean") -> NDArray[np.float32]:
    """Compute the vector of one input alone, with NumPy and without padding."""
    words = WORDS[token_ids]
    hidden = words + PLACES[: len(token_ids)] + words.mean(axis=0)
    picked = {"mean": hidden.mean(axis=0), "cls": hidden[0], "last": hidden[-1]}
    vector: NDArray[np.float32] = picked[pooling]
    return vector


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vector with length 1."""
    return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def exported(prepared_smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder as an export of sentence-transformers writes it."""
    folder = tmp_path_factory.mktemp("exported")
    ov.save_model(encoder_model(), folder / MODEL_FILE, compress_to_fp16=False)
    for ending in ("xml", "bin"):
        shutil.copy(prepared_smollm2 / f"openvino_tokenizer.{ending}", folder)
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "max_position_embeddings": CONTEXT,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def prepare(
    exported: Path, home: Path, pooling: str | None = None, modules: list[str] | None = None
) -> Path:
    """Pull a copy of the export with these files of sentence-transformers; return the model."""
    source = shutil.copytree(exported, home / "source")
    if pooling is not None:
        switches = {"word_embedding_dimension": SIZE, "pooling_mode_max_tokens": False}
        (source / "1_Pooling").mkdir()
        (source / "1_Pooling" / "config.json").write_text(json.dumps({**switches, pooling: True}))
    if modules is not None:
        types = [{"type": f"sentence_transformers.models.{name}"} for name in modules]
        (source / "modules.json").write_text(json.dumps(types))
    pull(str(source), home, name="small")
    return home / "models" / "small"


@pytest.fixture(scope="module")
def prepared(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the prepared encoder."""
    return prepare(exported, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def embedder(prepared: Path) -> Embedder:
    """Give the encoder, loaded."""
    return load_embedder(prepared, SETTINGS)


@pytest.fixture(scope="module")
def language(prepared_smollm2: Path) -> Embedder:
    """Give the real language model as one that makes vectors."""
    return load_embedder(prepared_smollm2, SETTINGS)


def test_pull_of_an_encoder_says_what_it_is(prepared: Path) -> None:
    """Kind, size and what vectors are made of are found in the files."""
    facts: ModelFacts = read_facts(prepared)
    assert (facts.kind, facts.pooling, facts.is_normalised) == ("embeddings", "mean", True)
    assert (facts.vocab_size, facts.context_tokens) == (VOCABULARY, CONTEXT)
    assert sorted(facts.files) == [
        "openvino_model.bin",
        "openvino_model.xml",
        "openvino_tokenizer.bin",
        "openvino_tokenizer.xml",
    ]


@pytest.mark.parametrize(
    ("switch", "pooling"),
    [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_lasttoken", "last"),
        ("pooling_mode_mean_tokens", "mean"),
    ],
)
def test_embed_pools_and_scales_as_the_files_say(
    exported: Path, tmp_path: Path, switch: str, pooling: str
) -> None:
    """Without a module Normalize vectors are left as long as they are."""
    model = prepare(exported, tmp_path, switch, ["Transformer", "Pooling"])
    embedder = load_embedder(model, SETTINGS)

    made = embedder.embed([[5, 6, 7, 8], [9, 10]])
    assert np.allclose(made.vectors[0], expected([5, 6, 7, 8], pooling), atol=1e-5)
    assert np.allclose(made.vectors[1], expected([9, 10], pooling), atol=1e-5)


def test_embed_many_lengths_keeps_order_and_ignores_padding(embedder: Embedder) -> None:
    """Each vector is that of its input alone, whatever it was padded beside."""
    inputs = [RNG.integers(0, VOCABULARY, n).tolist() for n in RNG.integers(1, CONTEXT, 150)]
    made = embedder.embed(inputs)

    assert made.vectors.shape == (150, SIZE)
    assert made.vectors.dtype == np.float32
    assert made.num_tokens == sum(map(len, inputs))
    for vector, token_ids in zip(made.vectors, inputs, strict=True):
        assert np.allclose(vector, unit(expected(token_ids)), atol=1e-4)


def test_embed_fewer_dimensions_are_the_first_scaled_again(embedder: Embedder) -> None:
    """`dimensions` cuts the vector and gives it length 1 again."""
    whole = expected([1, 2, 3])
    assert np.allclose(embedder.embed([[1, 2, 3]], 3).vectors[0], unit(whole[:3]), atol=1e-5)


@pytest.mark.parametrize("dimensions", [0, -1, SIZE + 1])
def test_embed_dimensions_that_are_not_there_are_refused(
    embedder: Embedder, dimensions: int
) -> None:
    """The refusal names the field and how many there are."""
    with pytest.raises(BadRequest, match=f"have {SIZE}, got {dimensions}") as caught:
        embedder.embed(["a"], dimensions)
    assert caught.value.param == "dimensions"


@pytest.mark.parametrize("given", ["", [], [VOCABULARY], [-1]])
def test_embed_input_that_is_none_is_refused(embedder: Embedder, given: str | list[int]) -> None:
    """An empty input and an id outside of the vocabulary are named by their place."""
    with pytest.raises(BadRequest, match="item 1 ") as caught:
        embedder.embed(["a", given])
    assert caught.value.param == "input"


def test_embed_longest_input_fits_and_one_more_does_not(embedder: Embedder) -> None:
    """The context bounds an input; the refusal says which one and by how much."""
    embedder.embed([[1] * CONTEXT])
    with pytest.raises(ContextTooLong, match=f"{CONTEXT} tokens and item 1 .* {CONTEXT + 1}") as no:
        embedder.embed([[1], [1] * (CONTEXT + 1)])
    assert no.value.param == "input"


def test_embed_language_model_text_and_its_ids_agree(language: Embedder) -> None:
    """The real model gives 576 numbers; a text alone, in a batch and as ids is one vector."""
    together = language.embed(TEXTS).vectors
    assert together.shape == (3, 576)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    for text, vector in zip(TEXTS, together, strict=True):
        assert float(language.embed([text]).vectors[0] @ vector) > 0.999


def test_embed_language_model_likes_near_meanings_more(language: Embedder) -> None:
    """Two sentences of the weather lie nearer to each other than to one of money."""
    made = language.embed(
        [
            "It is raining and cold outside today.",
            "The weather today is wet and chilly.",
            "def main(): return 42  # python",
        ]
    ).vectors
    assert float(made[0] @ made[1]) > float(made[0] @ made[2])


def test_embed_language_model_forgets_the_batch_before(language: Embedder) -> None:
    """The cache of a stateful model is emptied between computations."""
    first = language.embed([TEXTS[0]]).vectors.copy()
    language.embed([TEXTS[2]])
    assert np.array_equal(language.embed([TEXTS[0]]).vectors, first)


def test_pull_with_a_module_that_is_not_understood_is_refused(
    exported: Path, tmp_path: Path
) -> None:
    """A projection behind the pooling would change every vector."""
    with pytest.raises(LoadFailed, match="'Dense': only Transformer, Pooling, Normalize"):
        prepare(exported, tmp_path, modules=["Transformer", "Pooling", "Dense"])


def test_pull_with_another_pooling_is_refused(exported: Path, tmp_path: Path) -> None:
    """What is on and what would be understood are named."""
    with pytest.raises(LoadFailed, match="pooling_mode_max_tokens is on, expected"):
        prepare(exported, tmp_path, pooling="pooling_mode_max_tokens")
