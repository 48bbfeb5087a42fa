"""The manifest: what it refuses, and that it says how to mend it."""

from pathlib import Path

import msgspec
import pytest

from slipstream.engine.weights.manifest import (
    FORMAT_VERSION,
    ModelFacts,
    TokenTable,
    read_facts,
    read_tokens,
)
from slipstream.engine.weights.store import write_facts
from slipstream.errors import LoadFailed

FACTS = ModelFacts(
    name="m",
    architecture="llama",
    context_tokens=256,
    vocab_size=3,
    bos_token_id=None,
    eos_token_ids=(2, 0),
    adds_bos=False,
    num_layers=2,
    num_kv_heads=1,
    head_size=16,
    weights_format="q8_0",
    source="file:/m.gguf",
    source_sha256="0" * 64,
    files={"a.bin": (3, "1" * 64), "b.bin": (2, "2" * 64)},
    prepared_with={"gguf": "1"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a model directory with its manifest and the files that it names."""
    made = tmp_path / "m"
    made.mkdir()
    (made / "a.bin").write_bytes(b"abc")
    (made / "b.bin").write_bytes(b"de")
    write_facts(made, FACTS)
    return made


def test_read_facts_of_a_whole_directory_gives_what_was_written(folder: Path) -> None:
    """What is read equals what was written, from the directory and from the file."""
    assert read_facts(folder) == FACTS
    assert read_facts(folder / "model.json") == FACTS
    assert FACTS.total_bytes == 5


def test_read_facts_of_nothing_says_how_to_get_it(tmp_path: Path) -> None:
    """A missing model is an error that names the command."""
    with pytest.raises(LoadFailed, match="slipstream pull"):
        read_facts(tmp_path)


@pytest.mark.parametrize("data", [b"", b"ab", b"abcd"])
def test_read_facts_with_a_file_of_another_size_names_it(folder: Path, data: bytes) -> None:
    """A cut or changed file is noticed by its size, without reading it."""
    (folder / "a.bin").write_bytes(data)
    with pytest.raises(LoadFailed, match=rf"a\.bin: {len(data)} bytes, expected 3 .*--force m"):
        read_facts(folder)


def test_read_facts_with_a_missing_file_names_it(folder: Path) -> None:
    """A file that is gone is noticed."""
    (folder / "b.bin").unlink()
    with pytest.raises(LoadFailed, match=r"b\.bin: No such file"):
        read_facts(folder)


def test_read_facts_of_another_format_version_says_so(folder: Path) -> None:
    """A directory of another version is not half understood."""
    other = msgspec.structs.replace(FACTS, format_version=FORMAT_VERSION + 1)
    write_facts(folder, other)
    with pytest.raises(LoadFailed, match=f"format {FORMAT_VERSION + 1}, .* {FORMAT_VERSION}"):
        read_facts(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format_version": 1, "name": 5}'])
def test_read_facts_of_a_broken_manifest_is_a_load_failure(folder: Path, text: bytes) -> None:
    """Broken JSON and wrong types are one kind of error."""
    (folder / "model.json").write_bytes(text)
    with pytest.raises(LoadFailed, match="--force m"):
        read_facts(folder)


def test_read_tokens_gives_the_table_that_was_written(tmp_path: Path) -> None:
    """Bytes that are no text survive, and the special ids."""
    table = TokenTable(bytes=(b"<s>", b"\xff", b""), special=(0,))
    (tmp_path / "tokens.msgpack").write_bytes(msgspec.msgpack.encode(table))
    assert read_tokens(tmp_path) == table


def test_read_tokens_of_something_else_is_a_load_failure(tmp_path: Path) -> None:
    """A missing or broken table is an error that names the file."""
    with pytest.raises(LoadFailed, match=r"tokens\.msgpack"):
        read_tokens(tmp_path)
    (tmp_path / "tokens.msgpack").write_bytes(b"\xc1")
    with pytest.raises(LoadFailed, match="not a token table"):
        read_tokens(tmp_path)
