"""Reading the head of a GGUF: against another reader, and cut or bent at every place."""

import random
from contextlib import suppress
from pathlib import Path

import gguf
import pytest

from slipstream.engine.weights.gguf_file import is_gguf, read_head
from slipstream.errors import LoadFailed


def test_read_head_agrees_with_the_gguf_package(tiny_gguf: Path) -> None:
    """Metadata, tensors and places are those that ggml's own reader finds."""
    head = read_head(tiny_gguf)
    other = gguf.GGUFReader(tiny_gguf)
    theirs = {k: f.contents() for k, f in other.fields.items() if not k.startswith("GGUF.")}
    assert head.metadata == theirs
    assert [(t.name, t.shape, t.type_id) for t in head.tensors] == [
        (t.name, tuple(int(n) for n in t.shape), int(t.tensor_type)) for t in other.tensors
    ]
    assert [head.data_start + t.offset for t in head.tensors] == [
        int(t.data_offset) for t in other.tensors
    ]


def test_head_accessors_give_values_of_their_type_only(tiny_gguf: Path) -> None:
    """An entry of another type counts as missing, so that nothing odd is passed on."""
    head = read_head(tiny_gguf)
    assert head.architecture == "llama"
    assert head.number("llama.block_count") == 2
    assert head.number("general.architecture") is None
    assert head.number("tokenizer.ggml.add_bos_token") is None
    assert head.flag("tokenizer.ggml.add_bos_token") is False
    assert head.text("llama.block_count") is None
    assert head.column("tokenizer.ggml.tokens", str)[0] == "<|endoftext|>"
    assert head.column("tokenizer.ggml.tokens", int) == []
    assert head.column("general.architecture", str) == []


def test_read_head_of_a_file_cut_anywhere_in_it_fails_cleanly(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    """Every cut within the head is a LoadFailed, never another error or a wrong answer."""
    whole = tiny_gguf.read_bytes()
    end = read_head(tiny_gguf).data_start - 32  # padding before the data may be cut unnoticed
    cut = tmp_path / "cut.gguf"
    for length in (*range(40), *random.Random(1).sample(range(end), 100)):
        cut.write_bytes(whole[:length])
        with pytest.raises(LoadFailed, match=r"cut\.gguf: not a usable GGUF"):
            read_head(cut)


def test_read_head_of_random_damage_never_raises_anything_else(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    """Bent bytes give an answer or a LoadFailed: no other exception, no endless work."""
    whole = tiny_gguf.read_bytes()
    bent = tmp_path / "bent.gguf"
    generator = random.Random(2)
    for _ in range(200):
        data = bytearray(whole[:4000])
        for _ in range(3):
            data[generator.randrange(4, 1500)] = generator.randrange(256)
        bent.write_bytes(data)
        with suppress(LoadFailed):
            read_head(bent)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GGUF" + (1).to_bytes(4, "little") + bytes(16), "version 1"),
        (b"GGUF" + (3).to_bytes(4, "big") + bytes(16), "version 50331648"),
        (b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16, "it claims"),
        (b"PK\x03\x04" + bytes(60), "does not begin with 'GGUF'"),
    ],
)
def test_read_head_of_something_else_says_what_it_is(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    """Old versions, big-endian files and other formats are named."""
    file = tmp_path / "x.gguf"
    file.write_bytes(data)
    with pytest.raises(LoadFailed, match=reason):
        read_head(file)


def test_read_head_of_a_missing_file_says_so(tmp_path: Path) -> None:
    """A file that is not there is a LoadFailed too."""
    with pytest.raises(LoadFailed, match="No such file"):
        read_head(tmp_path / "gone.gguf")


def test_is_gguf_looks_at_the_first_bytes(tiny_gguf: Path, tmp_path: Path) -> None:
    """The name does not matter."""
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GG")
    assert is_gguf(tiny_gguf)
    assert not is_gguf(other)
