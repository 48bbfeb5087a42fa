"""What the JSON files beside OpenVINO's own say of a model: Hugging Face's usual four.

config.json, generation_config.json, tokenizer_config.json, chat_template.jinja
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from slipstream.engine.weights.manifest import DETOKENIZER_FILE, MODEL_FILE, TOKENIZER_FILE
from slipstream.errors import LoadFailed

_NEEDED: Final = tuple(
    name
    for xml in (MODEL_FILE, TOKENIZER_FILE, DETOKENIZER_FILE)
    for name in (xml, xml.removesuffix(".xml") + ".bin")
)
_HOW: Final = (
    "; `optimum-cli export openvino --task text-generation-with-past` writes all that is needed"
)


@dataclass(frozen=True, slots=True)
class Folder:
    """The facts of a model that its graph does not hold."""

    architecture: str
    context_tokens: int
    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    template: str | None


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
    missing = [name for name in (*_NEEDED, "config.json") if not (folder / name).is_file()]
    if missing:
        raise LoadFailed(f"{folder}: {', '.join(missing)} missing{_HOW}")
    config = _read_json(folder / "config.json")
    generation = _read_json(folder / "generation_config.json")
    tokenizer = _read_json(folder / "tokenizer_config.json")
    context = config.get("max_position_embeddings", config.get("n_positions"))
    if not isinstance(context, int) or context <= 0:
        raise LoadFailed(
            f"{folder / 'config.json'}: max_position_embeddings is {context!r}, "
            "expected the number of tokens of the longest sequence"
        )
    bos = config.get("bos_token_id", generation.get("bos_token_id"))
    return Folder(
        architecture=str(config.get("model_type", "unknown")),
        context_tokens=context,
        bos_token_id=bos if isinstance(bos, int) else None,
        eos_token_ids=_ids(generation.get("eos_token_id")) + _ids(config.get("eos_token_id")),
        template=_template(folder, tokenizer),
    )


def _ids(value: object) -> tuple[int, ...]:
    if isinstance(value, list):
        return tuple(each for each in value if isinstance(each, int))
    return (value,) if isinstance(value, int) else ()


def _template(folder: Path, tokenizer: dict[str, Any]) -> str | None:
    own = folder / "chat_template.jinja"
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
