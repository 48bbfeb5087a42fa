"""What a prepared model directory holds, and the facts of the model in its `model.json`.

The contract between what prepares models and what runs them; no native library is needed for it.
"""

from pathlib import Path
from typing import Final, Literal

import msgspec

from slipstream.errors import LoadFailed

Kind = Literal["chat", "embeddings"]
Pooling = Literal["mean", "cls", "last"]

FORMAT_VERSION: Final = 1  # of the directory; a directory of another version is prepared again

# $SLIPSTREAM_HOME/models/<name>/
FACTS_FILE: Final = "model.json"  # ModelFacts; written last
MODEL_FILE: Final = "openvino_model.xml"  # the stateful model; its weights in .bin
TOKENIZER_FILE: Final = "openvino_tokenizer.xml"  # text -> ids; tables in .bin
DETOKENIZER_FILE: Final = "openvino_detokenizer.xml"  # ids -> text; not of embeddings models
TOKENS_FILE: Final = "tokens.msgpack"  # TokenTable; not of embeddings models
TEMPLATE_FILE: Final = "chat_template.jinja"  # absent where the model has none


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one prepared model.

    Args:
        architecture: As its source calls it: `llama`, `qwen2`, …
        context_tokens: The longest sequence that it was trained for.
        eos_token_ids: Every token that ends an answer, the tokenizer's own first.
        adds_bos: A plain text begins with `bos_token_id`; the tokenizer files may or may not
            write it themselves.
        weights_format: Of most weights as stored here: `q8_0`, `f16`; OpenVINO's name of the
            type (`u8`, `i4`) for a model that came as its files.
        source_sha256: Of the GGUF or archive it was made from; of the model's `.bin` for a folder.
        files: Name -> (bytes, SHA-256) of every other file in the directory.
        prepared_with: Package -> version, of what wrote the files.
        kind: What the model is for: answers, or vectors only.
        pooling: Of which tokens its vectors are made.
        is_normalised: Whether its vectors have length 1.
    """

    name: str
    architecture: str
    context_tokens: int
    vocab_size: int
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    adds_bos: bool
    num_layers: int
    num_kv_heads: int
    head_size: int
    weights_format: str
    source: str
    source_sha256: str
    files: dict[str, tuple[int, str]]
    prepared_with: dict[str, str]
    kind: Kind = "chat"
    pooling: Pooling = "mean"
    is_normalised: bool = True
    format_version: int = FORMAT_VERSION

    @property
    def total_bytes(self) -> int:
        """Size on disk of all files that the record names."""
        return sum(num_bytes for num_bytes, _ in self.files.values())


class TokenTable(msgspec.Struct, frozen=True):
    """The bytes of every token, and which tokens are control tokens and never text."""

    bytes: tuple[bytes, ...]  # by id; empty for an id that is not used
    special: tuple[int, ...]  # ascending


class _Version(msgspec.Struct, frozen=True):
    format_version: int


def read_facts(path: Path) -> ModelFacts:
    """Read and check `model.json` of a prepared model directory.

    Args:
        path: The directory, or the file itself.

    Raises:
        LoadFailed: It is missing, unreadable, of another format, or a file that it names is
            missing or of another size.
    """
    file = path / FACTS_FILE if path.is_dir() else path
    facts = _decode_facts(file)
    for name, (num_bytes, _) in facts.files.items():
        _check_size(file.parent / name, num_bytes)
    return facts


def read_tokens(directory: Path) -> TokenTable:
    """Read the token table of a prepared model directory.

    Raises:
        LoadFailed: It is missing or is no such table.
    """
    file = directory / TOKENS_FILE
    try:
        return msgspec.msgpack.decode(file.read_bytes(), type=TokenTable)
    except OSError as exc:
        raise LoadFailed(f"{file}: {exc.strerror}; `slipstream pull --force` makes it") from exc
    except msgspec.MsgspecError as exc:
        raise LoadFailed(f"{file}: not a token table: {exc}") from exc


def _decode_facts(file: Path) -> ModelFacts:
    try:
        text = file.read_bytes()
    except OSError as exc:
        raise LoadFailed(
            f"{file}: {exc.strerror}; `slipstream pull NAME` prepares a model"
        ) from exc
    try:
        version = msgspec.json.decode(text, type=_Version).format_version
        if version != FORMAT_VERSION:
            raise LoadFailed(
                f"{file}: format {version}, this version reads {FORMAT_VERSION}; "
                f"`slipstream pull --force {file.parent.name}` prepares it again"
            )
        return msgspec.json.decode(text, type=ModelFacts)
    except msgspec.MsgspecError as exc:
        raise LoadFailed(
            f"{file}: {exc}; `slipstream pull --force {file.parent.name}` prepares it again"
        ) from exc


def _check_size(file: Path, num_bytes: int) -> None:
    try:
        found = f"{file.stat().st_size} bytes"
    except OSError as exc:
        found = exc.strerror or "cannot be read"
    if found != f"{num_bytes} bytes":
        raise LoadFailed(
            f"{file}: {found}, expected {num_bytes} bytes; "
            f"`slipstream pull --force {file.parent.name}` prepares it again"
        )
