"""How a source is written: every form, what is refused, and the names made from them."""

from pathlib import Path

import pytest

from slipstream.engine.weights.sources import (
    KNOWN_MODELS,
    HubRepository,
    LocalPath,
    Source,
    Url,
    name_for,
    parse_source,
)
from slipstream.errors import LoadFailed

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("smollm2-135m", KNOWN_MODELS[0]),
        ("https://h.example/a/M.gguf", Url("https://h.example/a/M.gguf", None)),
        (f"http://h.example/m.gguf#sha256={DIGEST}", Url("http://h.example/m.gguf", DIGEST)),
        (f"http://h.example/m#sha256={DIGEST.upper()}", Url("http://h.example/m", DIGEST)),
        ("hf:owner/repo", HubRepository("owner/repo", None, None)),
        ("hf:owner/repo@v1", HubRepository("owner/repo", None, "v1")),
        ("hf:o/r/sub/M.gguf@refs/pr/1", HubRepository("o/r", "sub/M.gguf", "refs/pr/1")),
    ],
)
def test_parse_source_understands_every_form(text: str, source: Source) -> None:
    """Each documented form gives its record."""
    assert parse_source(text) == source


def test_parse_source_of_an_existing_path_is_that_path(tmp_path: Path) -> None:
    """Files and folders are used where they lie, by their full path."""
    file = tmp_path / "m.gguf"
    file.touch()
    assert parse_source(str(file)) == LocalPath(file.resolve())
    assert parse_source(str(tmp_path)) == LocalPath(tmp_path.resolve())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("smollm2", "did you mean 'smollm2-135m'"),
        ("nothing-of-the-kind.gguf", "neither a known name .* nor an existing file"),
        ("hf:owner", "expected hf:owner/repo"),
        ("hf:owner/repo/../../x.gguf", "expected hf:owner/repo"),
        ("http://h.example/m.gguf#sha256=12", "64 hexadecimal digits"),
        ("http://h.example/m.gguf#md5=12", "64 hexadecimal digits"),
        ("http://:80/m.gguf", "no usable host"),
        ("http://h.example:99999/m.gguf", "no usable host or port"),
    ],
)
def test_parse_source_refuses_with_what_is_accepted(text: str, reason: str) -> None:
    """A wrong source is an error that says what would be right."""
    with pytest.raises(LoadFailed, match=reason):
        parse_source(text)


def test_url_label_shows_no_secret() -> None:
    """Credentials and signed queries do not reach manifests, messages or logs."""
    url = Url("https://user:pa55@h.example:8443/m.gguf?token=s3cret", None)
    assert url.label == "https://h.example:8443/m.gguf"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (KNOWN_MODELS[0], "smollm2-135m"),
        (LocalPath(Path("/x/SmolLM2-135M-Instruct.Q4_1.gguf")), "smollm2-135m-instruct"),
        (LocalPath(Path("/x/qwen2.5-0.5b-instruct-q4_k_m.gguf")), "qwen2.5-0.5b-instruct"),
        (LocalPath(Path("/x/Model.i1-IQ3_XXS.gguf")), "model.i1"),
        (LocalPath(Path("/x/my model f16.gguf")), "my-model-f16"),
        (LocalPath(Path("/x/Phi-4-mini-ov")), "phi-4-mini-ov"),
        (Url("https://h.example/d/M-f16.gguf?download=true", None), "m"),
        (Url("https://h.example/model-ov.tar.gz", None), "model-ov"),
        (HubRepository("Qwen/Qwen3-0.6B-GGUF", None, None), "qwen3-0.6b"),
        (HubRepository("o/r", "sub/Tiny.Q8_0.gguf", None), "tiny"),
    ],
)
def test_name_for_makes_a_short_name(source: Source, name: str) -> None:
    """Endings that say the form of the weights are no part of a model's name."""
    assert name_for(source, None) == name


@pytest.mark.parametrize("name", ["", "A", "../x", ".x", "a/b", "a b", "x" * 65, "-x"])
def test_name_for_refuses_what_is_no_folder_name(name: str) -> None:
    """A name is a folder below models/ and nothing else."""
    with pytest.raises(LoadFailed, match="--name"):
        name_for(KNOWN_MODELS[0], name)


def test_name_for_without_anything_to_go_by_asks_for_one() -> None:
    """An address that ends in a slash gives no name."""
    with pytest.raises(LoadFailed, match="--name"):
        name_for(Url("http://h.example/", None), None)
