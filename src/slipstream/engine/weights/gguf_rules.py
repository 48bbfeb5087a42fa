"""Which GGUF files can be prepared, and how their tokenizers split text; pure rules over the head.

OpenVINO's reader takes the Llama and Qwen families. A tokenizer whose way of splitting is not in
the table here is refused: with a wrong one, a model still answers, only worse.
"""

from typing import Final

from slipstream.engine.weights.gguf_file import GgufHead
from slipstream.engine.weights.tokens import CONTROL, USER_DEFINED, token_types

ARCHITECTURES: Final = ("llama", "qwen2", "qwen3")
_INSTEAD: Final = "; such a model can be given as a folder of OpenVINO files instead"

_GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORDS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}|"
    r" ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SMOLLM: Final = (r"\p{N}", _GPT2)
_QWEN2: Final = (_WORDS.format(digits=r"\p{N}"),)
_LLAMA3: Final = (_WORDS.format(digits=r"\p{N}{1,3}"),)
_DEFAULT: Final = (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")
# tokenizer.ggml.pre -> the patterns that text is split by, one after the other.
# Source: the models' own tokenizer.json files and llama.cpp's table of names, read 2026-11-21.
_SPLITS: Final = {
    "default": _DEFAULT,
    "deepseek-r1-qwen": _QWEN2,
    "gpt-2": (_GPT2,),
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "qwen2": _QWEN2,
    "smaug-bpe": _LLAMA3,
    "smollm": _SMOLLM,
}
_BOS_FIRST: Final = frozenset({"llama-bpe", "llama3", "llama-v3", "smaug-bpe"})
_SCALINGS: Final = ("none", "linear")  # of positions; None where the entry is missing


def refusal(head: GgufHead) -> str | None:
    """Return why a GGUF cannot be prepared, and what could be; None if it can."""
    architecture = head.architecture
    if architecture not in ARCHITECTURES:
        accepted = ", ".join(ARCHITECTURES)
        return f"architecture {architecture!r} is not readable, accepted are {accepted}{_INSTEAD}"
    return _shape_refusal(head) or _tokenizer_refusal(head)


def _shape_refusal(head: GgufHead) -> str | None:
    architecture = head.architecture
    if (head.number("split.count") or 1) > 1:
        return "it is one part of several; join them with gguf-split first"
    if head.number(f"{architecture}.expert_count"):
        return f"mixtures of experts ({architecture}.expert_count) are not readable{_INSTEAD}"
    scaling = head.text(f"{architecture}.rope.scaling.type")
    if scaling is not None and scaling not in _SCALINGS:
        return (
            f"{architecture}.rope.scaling.type is {scaling!r}, accepted are "
            f"{', '.join(_SCALINGS)}{_INSTEAD}"
        )
    for key in ("block_count", "context_length", "embedding_length", "attention.head_count"):
        if not head.number(f"{architecture}.{key}"):
            return f"it lacks {architecture}.{key}"
    return None


def _tokenizer_refusal(head: GgufHead) -> str | None:
    kind = head.text("tokenizer.ggml.model")
    if kind != "gpt2":
        return f"tokenizer.ggml.model is {kind!r}, accepted is 'gpt2' (byte pairs){_INSTEAD}"
    if not head.column("tokenizer.ggml.tokens", str):
        return "it lacks tokenizer.ggml.tokens"
    pre = _pre(head)
    if pre not in _SPLITS:
        accepted = ", ".join(_SPLITS)
        return f"tokenizer.ggml.pre is {pre!r}, accepted are {accepted}{_INSTEAD}"
    return None


def adds_bos(head: GgufHead) -> bool:
    """Say whether a plain text begins with the token for the beginning of a text."""
    if "tokenizer.ggml.add_bos_token" in head.metadata:
        return head.flag("tokenizer.ggml.add_bos_token")
    return _pre(head) in _BOS_FIRST


def split_patterns(head: GgufHead) -> tuple[str, ...]:
    """Return the patterns that text is split by before pairs are merged, in order."""
    return _SPLITS[_pre(head)]


def whole_tokens(head: GgufHead) -> list[str]:
    """Return the tokens that are never split: control and added ones."""
    tokens = head.column("tokenizer.ggml.tokens", str)
    kinds = token_types(head)
    whole = (CONTROL, USER_DEFINED)
    return [t for t, kind in zip(tokens, kinds, strict=True) if t and kind in whole]


def _pre(head: GgufHead) -> str:
    return head.text("tokenizer.ggml.pre") or "default"


def position_factor(head: GgufHead) -> float:
    """Return by how much positions are stretched; 1.0 for most models."""
    architecture = head.architecture
    if head.text(f"{architecture}.rope.scaling.type") != "linear":
        return 1.0
    factor = head.metadata.get(f"{architecture}.rope.scaling.factor")
    return float(factor) if isinstance(factor, int | float) and factor > 0 else 1.0
