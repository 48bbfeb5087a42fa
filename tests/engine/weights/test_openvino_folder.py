"""The JSON files beside OpenVINO's own: what is read, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from slipstream.engine.weights.openvino_folder import find_folder, read_folder
from slipstream.errors import LoadFailed


@pytest.fixture
def folder(openvino_folder: Path, tmp_path: Path) -> Path:
    """Give a copy that may be changed."""
    return shutil.copytree(openvino_folder, tmp_path / "ov")


def write(folder: Path, name: str, value: Any) -> None:
    """Write one JSON file."""
    (folder / name).write_text(json.dumps(value))


def test_read_folder_joins_the_end_tokens_of_both_files(folder: Path) -> None:
    """generation_config.json lists more of them, and comes first."""
    write(folder, "generation_config.json", {"eos_token_id": [7, 2], "bos_token_id": 9})
    facts = read_folder(folder)
    assert facts.eos_token_ids == (7, 2, 2)
    assert facts.bos_token_id == 1
    assert (facts.architecture, facts.context_tokens) == ("llama", 256)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"chat_template": "one"}, "one"),
        ({"chat_template": [{"name": "default", "template": "two"}]}, "two"),
        ({"chat_template": [{"name": "rag", "template": "three"}]}, None),
        ({}, None),
    ],
)
def test_read_folder_finds_the_template(folder: Path, value: Any, expected: str | None) -> None:
    """Of several templates the default one; none is none."""
    write(folder, "tokenizer_config.json", value)
    assert read_folder(folder).template == expected


def test_read_folder_prefers_the_template_file(folder: Path) -> None:
    """chat_template.jinja is the newer place."""
    (folder / "chat_template.jinja").write_text("newer")
    assert read_folder(folder).template == "newer"


@pytest.mark.parametrize("name", ["openvino_tokenizer.xml", "openvino_model.bin", "config.json"])
def test_read_folder_without_a_file_names_it_and_how_to_make_it(folder: Path, name: str) -> None:
    """A missing part is named, with the command that writes all of them."""
    (folder / name).unlink()
    with pytest.raises(LoadFailed, match=rf"{name} missing; `optimum-cli"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("architectures", "kind"),
    [
        (["LlamaForCausalLM"], "chat"),
        (["GPT2LMHeadModel"], "chat"),
        (["BertModel"], "embeddings"),
        (["XLMRobertaModel"], "embeddings"),
        ([], "chat"),
        (None, "chat"),
    ],
)
def test_read_folder_tells_answers_from_vectors(
    folder: Path, architectures: list[str] | None, kind: str
) -> None:
    """The class that a model was trained as says what it is for; unnamed it writes answers."""
    write(folder, "config.json", {"max_position_embeddings": 9, "architectures": architectures})
    assert read_folder(folder).kind == kind


def test_read_folder_of_sentence_transformers_needs_no_detokenizer(folder: Path) -> None:
    """Its own files say that a language model was trained for vectors, and what these are."""
    for ending in ("xml", "bin"):
        (folder / f"openvino_detokenizer.{ending}").unlink()
    write(folder, "modules.json", [{"type": "sentence_transformers.models.Transformer"}])
    (folder / "1_Pooling").mkdir()
    write(folder, "1_Pooling/config.json", {"pooling_mode_lasttoken": True})
    facts = read_folder(folder)
    assert (facts.kind, facts.pooling, facts.is_normalised) == ("embeddings", "last", False)


@pytest.mark.parametrize(
    ("model_type", "trained", "tokens"),
    [("bert", None, 512), ("roberta", None, 510), ("mpnet", 384, 384), ("bert", 8192, 512)],
)
def test_read_folder_gives_the_longest_input_that_works(
    folder: Path, model_type: str, trained: int | None, tokens: int
) -> None:
    """Never more than the places a model has, less those it keeps, and than it was trained for."""
    write(folder, "config.json", {"model_type": model_type, "max_position_embeddings": 512})
    write(folder, "sentence_bert_config.json", {"max_seq_length": trained})
    assert read_folder(folder).context_tokens == tokens


@pytest.mark.parametrize("config", [{}, {"max_position_embeddings": "8k"}])
def test_read_folder_without_a_context_names_the_key(folder: Path, config: Any) -> None:
    """The longest sequence is not guessed."""
    write(folder, "config.json", config)
    with pytest.raises(LoadFailed, match="max_position_embeddings is "):
        read_folder(folder)


def test_read_folder_with_broken_json_names_the_file(folder: Path) -> None:
    """Broken JSON is an error of that file."""
    (folder / "config.json").write_text("{")
    with pytest.raises(LoadFailed, match=r"config\.json"):
        read_folder(folder)


def test_find_folder_looks_one_level_down(folder: Path, tmp_path: Path) -> None:
    """The folder itself, or the only model just below it; two are nobody's guess."""
    assert find_folder(folder) == folder
    assert find_folder(tmp_path) == folder
    shutil.copytree(folder, tmp_path / "second")
    assert find_folder(tmp_path) is None
