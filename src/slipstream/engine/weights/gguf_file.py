"""The head of a GGUF file: metadata and the list of tensors; the tensors' data stays on disk.

Little-endian versions 2 and 3. Everything is checked against the file's size, for files come from
anywhere. Written by hand because a general reader takes 2 s for a vocabulary, and this 0.1 s.
Source: the GGUF specification of ggml (docs/gguf.md), read 2026-11-21.
"""

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from slipstream.errors import LoadFailed

Scalar = int | float | bool | str
Value = Scalar | list[Scalar]
V = TypeVar("V", int, str)

_MAGIC: Final = b"GGUF"
_STRING, _ARRAY, _BOOL = 8, 9, 7
_FORMATS: Final = {  # type of a metadata value -> its struct format
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    _BOOL: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_MAX_ENTRIES: Final = 1 << 20  # of metadata or tensors; the largest models have a few thousand
_MAX_DIMENSIONS: Final = 4


class _Malformed(Exception):
    """What is wrong with the file; becomes a LoadFailed that names it."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the file lists it.

    Args:
        shape: As GGUF has it: the length of a row first.
        offset: From the start of the data section, in bytes.
    """

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int


@dataclass(frozen=True, slots=True)
class GgufHead:
    """Everything in front of the data section.

    Args:
        metadata: In the file's order; arrays as lists.
        metadata_start: Where the first metadata entry begins.
        metadata_end: Where the last one ends, and the tensor list begins.
        value_offsets: Where the value of each scalar entry begins, for patching it.
        data_start: Where the data section begins.
    """

    metadata: dict[str, Value]
    metadata_start: int
    metadata_end: int
    value_offsets: dict[str, int]
    tensors: tuple[Tensor, ...]
    data_start: int
    alignment: int

    @property
    def architecture(self) -> str:
        """What kind of model it is; empty where the file does not say."""
        return self.text("general.architecture") or ""

    def text(self, key: str) -> str | None:
        """Return a string entry, or None where it is missing or of another type."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str) -> int | None:
        """Return an integer entry, or None where it is missing or of another type."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, key: str) -> bool:
        """Return a boolean entry; False where it is missing."""
        return self.metadata.get(key) is True

    def column(self, key: str, kind: type[V]) -> list[V]:
        """Return an array entry of strings or integers; empty where it is missing."""
        value = self.metadata.get(key)
        if not isinstance(value, list):
            return []
        return [item for item in value if isinstance(item, kind)]


def is_gguf(path: Path) -> bool:
    """Say whether a file begins as a GGUF does."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read_head(path: Path) -> GgufHead:
    """Read everything in front of a GGUF's data section.

    Raises:
        LoadFailed: It cannot be read, is no GGUF, or is cut short.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).head()
    except OSError as exc:
        raise LoadFailed(f"{path}: {exc.strerror or exc}") from exc
    except (_Malformed, ValueError) as exc:  # ValueError: mmap of an empty file, bad UTF-8
        raise LoadFailed(f"{path}: not a usable GGUF file: {exc}") from exc


class _Reader:
    """A position in the file, and what may be read there."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def head(self) -> GgufHead:
        num_tensors, num_entries = self._counts()
        start = self._at
        metadata: dict[str, Value] = {}
        offsets: dict[str, int] = {}
        for _ in range(num_entries):
            key = self._string()
            type_id = self._number("<I")
            offsets[key] = self._at
            metadata[key] = self._value(type_id)
        end = self._at
        tensors = tuple(self._tensor() for _ in range(num_tensors))
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment % 8:
            raise _Malformed(f"general.alignment is {alignment!r}, expected a multiple of 8")
        data_start = self._at + -self._at % alignment
        return GgufHead(metadata, start, end, offsets, tensors, data_start, alignment)

    def _counts(self) -> tuple[int, int]:
        if self._take(len(_MAGIC)) != _MAGIC:
            raise _Malformed("it does not begin with 'GGUF'")
        version = self._number("<I")
        if version not in (2, 3):
            raise _Malformed(f"version {version}, accepted are little-endian 2 and 3")
        num_tensors, num_entries = self._number("<Q"), self._number("<Q")
        if max(num_tensors, num_entries) > _MAX_ENTRIES:
            raise _Malformed(f"it claims {num_tensors} tensors and {num_entries} entries")
        return num_tensors, num_entries

    def _take(self, num_bytes: int) -> bytes:
        start = self._at
        self._at = start + num_bytes
        if self._at > len(self._data):
            raise _Malformed(f"it ends within its head, at {len(self._data)} bytes")
        return self._data[start : self._at]

    def _number(self, layout: str) -> int:
        (value,) = struct.unpack(layout, self._take(struct.calcsize(layout)))
        assert isinstance(value, int)
        return value

    def _string(self) -> str:
        return self._take(self._number("<Q")).decode()

    def _value(self, type_id: int) -> Value:
        if type_id == _STRING:
            return self._string()
        if type_id == _ARRAY:
            return self._array()
        return self._scalars(type_id, 1)[0]

    def _array(self) -> list[Scalar]:
        type_id, length = self._number("<I"), self._number("<Q")
        if length > len(self._data):
            raise _Malformed(f"it claims an array of {length} values")
        if type_id == _STRING:
            string: Callable[[], str] = self._string
            return [string() for _ in range(length)]
        return self._scalars(type_id, length)

    def _scalars(self, type_id: int, length: int) -> list[Scalar]:
        layout = _FORMATS.get(type_id)
        if layout is None:
            raise _Malformed(f"a metadata value of type {type_id}, known are 0 to 12")
        raw = self._take(length * struct.calcsize(layout))
        return list(struct.unpack(f"<{length}{layout[1:]}", raw))

    def _tensor(self) -> Tensor:
        name = self._string()
        num_dimensions = self._number("<I")
        if num_dimensions > _MAX_DIMENSIONS:
            raise _Malformed(f"tensor {name!r} has {num_dimensions} dimensions")
        shape = tuple(self._number("<Q") for _ in range(num_dimensions))
        return Tensor(name, shape, self._number("<I"), self._number("<Q"))
