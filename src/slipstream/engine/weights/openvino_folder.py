"""What the files beside OpenVINO's own say of a model: Hugging Face's usual four.

config.json, generation_config.json, tokenizer_config.json, chat_template.jinja; and three of
sentence-transformers for embeddings models: modules.json, 1_Pooling/config.json,
sentence_bert_config.json
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from slipstream.engine.weights.manifest import (
    DETOKENIZER_FILE,
    MODEL_FILE,
    TEMPLATE_FILE,
    TOKENIZER_FILE,
    Kind,
    Pooling,
)
from slipstream.errors import LoadFailed

_NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    "chat": (MODEL_FILE, TOKENIZER_FILE, DETOKENIZER_FILE),
    "embeddings": (MODEL_FILE, TOKENIZER_FILE),
}
_TASKS: Final[dict[Kind, str]] = {
    "chat": "text-generation-with-past",
    "embeddings": "feature-extraction",
}
_CONFIG: Final = "config.json"
_GENERATION: Final = "generation_config.json"
_TOKENIZER: Final = "tokenizer_config.json"
_MODULES: Final = "modules.json"
_POOLING_FILE: Final = "1_Pooling/config.json"
_LENGTH_FILE: Final = "sentence_bert_config.json"
# The switches of _POOLING_FILE that are understood; it has others, such as the maximum.
_POOLINGS: Final[dict[str, Pooling]] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
# Modules of sentence-transformers that are understood; a Dense one would change every vector.
_UNDERSTOOD: Final = ("Transformer", "Pooling", "Normalize")
# Architectures that number their tokens from 2 on, and have so many places less.
_RESERVED_PLACES: Final = {"roberta": 2, "xlm-roberta": 2, "camembert": 2, "mpnet": 2}
# How the names of classes end whose models write answers: LlamaForCausalLM, GPT2LMHeadModel, …
_ANSWERING: Final = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")

# What is read here; whoever fetches a folder from elsewhere fetches these, too.
SIDE_FILES: Final = (
    _CONFIG,
    _GENERATION,
    _TOKENIZER,
    TEMPLATE_FILE,
    _MODULES,
    _POOLING_FILE,
    _LENGTH_FILE,
)


@dataclass(frozen=True, slots=True)
class Folder:
    """The facts of a model that its graph does not hold."""

    architecture: str
    context_tokens: int
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    template: str | None
    kind: Kind
    pooling: Pooling
    is_normalised: bool


def find_folder(top: Path) -> Path | None:
    """Return the folder with a model in it: `top`, or the only one just below; None if none."""
    below = [top, *sorted(each for each in top.iterdir() if each.is_dir())]
    found = [folder for folder in below if (folder / MODEL_FILE).is_file()]
    return found[0] if len(found) == 1 or (found and found[0] == top) else None


def read_folder(folder: Path) -> Folder:
    """Read the facts of a folder with OpenVINO files.

    Raises:
        LoadFailed: A file is missing, or a value in it is missing or of the wrong type.
    """
    config = _read_json(folder / _CONFIG)
    kind = _kind(folder, config)
    _require_files(folder, kind)
    generation = _read_json(folder / _GENERATION)
    tokenizer = _read_json(folder / _TOKENIZER)
    bos = config.get("bos_token_id", generation.get("bos_token_id"))
    return Folder(
        architecture=str(config.get("model_type", "unknown")),
        context_tokens=_context_tokens(folder, config),
        bos_token_id=bos if isinstance(bos, int) else None,
        eos_token_ids=_ids(generation.get("eos_token_id")) + _ids(config.get("eos_token_id")),
        template=_template(folder, tokenizer),
        kind=kind,
        pooling=_pooling(folder),
        is_normalised=_is_normalised(folder),
    )


def needed_files(kind: Kind) -> tuple[str, ...]:
    """Return the names of OpenVINO's files that a model of a kind consists of."""
    return tuple(name for xml in _NEEDED[kind] for name in (xml, xml.removesuffix(".xml") + ".bin"))


def _require_files(folder: Path, kind: Kind) -> None:
    names = (*needed_files(kind), _CONFIG)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise LoadFailed(
            f"{folder}: {', '.join(missing)} missing; `optimum-cli export openvino --task "
            f"{_TASKS[kind]}` writes all that is needed"
        )


def _kind(folder: Path, config: dict[str, Any]) -> Kind:
    if (folder / _MODULES).is_file() or (folder / _POOLING_FILE).is_file():
        return "embeddings"
    named = config.get("architectures")
    names = [str(each) for each in named] if isinstance(named, list) else []
    return "embeddings" if names and not any(n.endswith(_ANSWERING) for n in names) else "chat"


def _context_tokens(folder: Path, config: dict[str, Any]) -> int:
    context = config.get("max_position_embeddings", config.get("n_positions"))
    if not isinstance(context, int) or context <= 0:
        raise LoadFailed(
            f"{folder / _CONFIG}: max_position_embeddings is {context!r}, "
            "expected the number of tokens of the longest sequence"
        )
    context -= _RESERVED_PLACES.get(str(config.get("model_type")), 0)
    trained = _read_json(folder / _LENGTH_FILE).get("max_seq_length")
    return min(context, trained) if isinstance(trained, int) and trained > 0 else context


def _pooling(folder: Path) -> Pooling:
    switches = _read_json(folder / _POOLING_FILE)
    if not switches:
        return "mean"  # what most models without the file were trained for
    on = [name for name, value in switches.items() if name.startswith("pooling_mode_") and value]
    if len(on) != 1 or on[0] not in _POOLINGS:
        raise LoadFailed(
            f"{folder / _POOLING_FILE}: {', '.join(on) or 'no pooling_mode'} is on, expected "
            f"exactly one of: {', '.join(_POOLINGS)}"
        )
    return _POOLINGS[on[0]]


def _is_normalised(folder: Path) -> bool:
    file = folder / _MODULES
    if not file.is_file():
        return True  # as the vectors of every service are
    try:
        modules = msgspec.json.decode(file.read_bytes(), type=list[dict[str, Any]])
    except (OSError, msgspec.MsgspecError) as exc:
        raise LoadFailed(f"{file}: {exc}") from exc
    types = [str(each.get("type", "")).rpartition(".")[2] for each in modules]
    unknown = [name for name in types if name not in _UNDERSTOOD]
    if unknown:
        raise LoadFailed(
            f"{file}: module {unknown[0]!r}: only {', '.join(_UNDERSTOOD)} are understood"
        )
    return "Normalize" in types


def _ids(value: object) -> tuple[int, ...]:
    if isinstance(value, list):
        return tuple(each for each in value if isinstance(each, int))
    return (value,) if isinstance(value, int) else ()


def _template(folder: Path, tokenizer: dict[str, Any]) -> str | None:
    own = folder / TEMPLATE_FILE
    if own.is_file():
        return own.read_text(encoding="utf-8")
    value = tokenizer.get("chat_template")
    if isinstance(value, list):  # several, by name
        named = {each.get("name"): each.get("template") for each in value if isinstance(each, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as exc:
        raise LoadFailed(f"{file}: {exc}") from exc
