"""The child that converts: its models compute what the GGUF's tensors say, and it dies with us."""

import os
import subprocess
import sys
from pathlib import Path

import gguf
import msgspec
import numpy as np
import openvino
import pytest
from numpy.typing import NDArray

from slipstream.engine.weights.conversion import Failure, Job, Progress, Said, Traits
from tests.engine.weights.reference import reference_logits
from tests.engine.weights.tiny_gguf import TinyModel, write_tiny_gguf

TypeId = gguf.GGMLQuantizationType
COMMAND = [sys.executable, "-m", "slipstream.engine.weights.convert"]
LIMIT_S = 60
# A rotated angle of each frequency matters at these positions; 8 frequencies of 16 values.
PROMPT = [7, 40, 99, 5, 5, 180, 33, 64, 12, 200, 9, 77]
FACTORS = (1.0, 1.0, 1.5, 2.0, 4.0, 8.0, 8.0, 8.0)


def convert(job: Job) -> list[Said]:
    """Run the child on one job; give all that it says."""
    child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(msgspec.json.encode(job) + b"\n")
        child.stdin.flush()
        said = [msgspec.json.decode(line, type=Said) for line in child.stdout]
        assert child.wait(LIMIT_S) in (0, 1)
        return said
    finally:
        child.kill()
        child.wait(LIMIT_S)
        child.stdin.close()
        child.stdout.close()


def logits_of(folder: Path, token_ids: list[int]) -> NDArray[np.float32]:
    """Run a converted model once, in its exact mode: (tokens, vocabulary)."""
    exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    exact |= {"KV_CACHE_PRECISION": "f32"}
    compiled = openvino.Core().compile_model(folder / "openvino_model.xml", "CPU", exact)
    length = len(token_ids)
    answer = compiled.create_infer_request().infer(
        {
            "input_ids": np.array([token_ids], dtype=np.int64),
            "attention_mask": np.ones((1, length), dtype=np.int64),
            "position_ids": np.arange(length, dtype=np.int64)[None],
            "beam_idx": np.zeros(1, dtype=np.int32),
        }
    )
    logits: NDArray[np.float32] = answer["logits"][0]
    return logits


@pytest.mark.parametrize(
    "model",
    [
        TinyModel(),
        TinyModel(tensor_type=TypeId.F16, rope_factors=FACTORS),
        TinyModel(
            tensor_type=TypeId.F32,
            is_head_tied=False,
            extra={"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0},
        ),
        TinyModel(architecture="qwen2", tensor_type=TypeId.F16),
        TinyModel(architecture="qwen3", tensor_type=TypeId.F16),
    ],
    ids=["llama", "llama-3-factors", "llama-linear-untied", "qwen2", "qwen3"],
)
def test_converted_model_computes_what_the_tensors_say(tmp_path: Path, model: TinyModel) -> None:
    """Its logits are those of a plain forward pass: permutations, positions and head are right."""
    source = write_tiny_gguf(tmp_path / "m.gguf", model)
    target = tmp_path / "out"
    target.mkdir()
    said = convert(Job("gguf", str(source), str(target), "m"))
    assert isinstance(said[-1], Traits), said
    expected = reference_logits(source, model, PROMPT)
    found = logits_of(target, PROMPT)
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


def test_convert_gguf_says_its_phases_and_traits(tiny_gguf: Path, tmp_path: Path) -> None:
    """Progress comes first and adds up; the traits are the file's; nothing else is left over."""
    said = convert(Job("gguf", str(tiny_gguf), str(tmp_path), "tiny"))
    assert [type(each) for each in said[:-1]] == [Progress] * (len(said) - 1)
    phases = [each.phase for each in said if isinstance(each, Progress)]
    assert list(dict.fromkeys(phases)) == ["convert", "prepare"]
    traits = said[-1]
    assert isinstance(traits, Traits)
    assert (traits.architecture, traits.context_tokens, traits.vocab_size) == ("llama", 256, 288)
    assert (traits.num_layers, traits.num_kv_heads, traits.head_size) == (2, 2, 16)
    assert (traits.bos_token_id, traits.eos_token_ids) == (1, (2, 0))
    assert (traits.weights_format, traits.adds_bos) == ("q8_0", False)
    assert {file.name for file in tmp_path.iterdir()} == {
        "chat_template.jinja",
        "openvino_detokenizer.bin",
        "openvino_detokenizer.xml",
        "openvino_model.bin",
        "openvino_model.xml",
        "openvino_tokenizer.bin",
        "openvino_tokenizer.xml",
        "tokens.msgpack",
    }


def test_convert_openvino_finds_the_same_traits(openvino_folder: Path, tmp_path: Path) -> None:
    """A model that comes as OpenVINO's files is known as well as one from a GGUF."""
    said = convert(Job("openvino", str(openvino_folder), str(tmp_path), "ov"))
    traits = said[-1]
    assert isinstance(traits, Traits), said
    assert (traits.num_layers, traits.num_kv_heads, traits.head_size) == (2, 2, 16)
    assert (traits.vocab_size, traits.context_tokens) == (288, 256)
    assert (traits.bos_token_id, traits.eos_token_ids) == (1, (2, 0))
    assert (tmp_path / "chat_template.jinja").read_text() == "{{ messages }}"


def test_convert_of_a_damaged_model_says_one_line(tiny_gguf: Path, tmp_path: Path) -> None:
    """What native code throws becomes a failure that names the source, not a crash."""
    folder = tmp_path / "bad"
    folder.mkdir()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_gguf.read_bytes()[:-1000])
    said = convert(Job("gguf", str(cut), str(folder), "the label"))
    assert isinstance(said[-1], Failure)
    assert "cut short" in said[-1].message


def test_convert_openvino_of_broken_xml_names_the_label(
    openvino_folder: Path, tmp_path: Path
) -> None:
    """A file that is no model is the model's fault, said in one line."""
    source, target = tmp_path / "in", tmp_path / "out"
    target.mkdir()
    source.mkdir()
    for file in openvino_folder.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    (source / "openvino_model.xml").write_text("<net>")
    said = convert(Job("openvino", str(source), str(target), "the label"))
    assert isinstance(said[-1], Failure)
    assert said[-1].message.startswith("the label: ")
    assert "\n" not in said[-1].message


def test_convert_ends_when_its_standard_input_does(tmp_path: Path) -> None:
    """A child whose parent is gone does not go on for an hour."""
    pipe = tmp_path / "never-written.gguf"
    os.mkfifo(pipe)  # opening it blocks for ever, as a very large model would keep the child busy
    child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert child.stdin is not None
        job = Job("gguf", str(pipe), str(tmp_path), "pipe")
        child.stdin.write(msgspec.json.encode(job) + b"\n")
        child.stdin.flush()
        child.stdin.close()
        assert child.wait(LIMIT_S) == 1
    finally:
        child.kill()
        child.wait(LIMIT_S)
