"""What each model can do under the Cerebras profile, and what its catalogue tells of it: rows.

A name without a row gets a permissive one; an operator may override any field of a row.

Source: ../shared/reference/cerebras-api.md sections 2.3 to 2.7, 3.7 and 6, 2026-11-21.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

Format = Literal["parsed", "text_parsed", "raw", "hidden"]
Effort = Literal["none", "low", "medium", "high"]
AskedFormat = Literal["none", "parsed", "text_parsed", "raw", "hidden"]
Parameter = Literal[
    "temperature",
    "top_p",
    "seed",
    "stop",
    "max_completion_tokens",
    "logprobs",
    "top_logprobs",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "repetition_penalty",
]
PARAMETERS: Final[tuple[Parameter, ...]] = Parameter.__args__  # type: ignore[attr-defined]

_Count = Annotated[int, Meta(ge=1, le=2**53)]
_Bound = Annotated[int, Meta(ge=0, le=2**53)]
_Word = Annotated[str, Meta(min_length=1, max_length=1_000)]


class CerebrasModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a model can do under this profile: a row of the catalogue; None is not known.

    Args:
        name: The id that requests give.
        efforts: That `reasoning_effort` may have; none means that the field is refused.
        max_images: In one request; 0 means that it reads none.
        think_tags: What stands around reasoning that is told `raw`.
        has_tools_with_format: `tools` and `response_format` may come together.
        owned_by: Who made the model, as the public catalogue says it.
        created_s: When it was published, in Unix time.
        prompt_usd_pico: Of one token at Cerebras, which is micro-dollars for a million; not what
            the model costs where we run it.
        supported_parameters: As the public catalogue says it; None is all that this server takes.
    """

    name: str
    max_context_tokens: _Count = 131_072
    max_output_tokens: _Count = 40_960
    efforts: tuple[Effort, ...] = ()
    default_effort: Effort | None = None
    default_format: Format = "text_parsed"
    formats: tuple[AskedFormat, ...] = ("none", "parsed", "text_parsed", "raw", "hidden")
    max_images: _Bound = 0
    max_image_bytes: _Bound = 10 * 2**20
    has_parallel_tools: bool = True
    has_tools_with_format: bool = False
    has_developer: bool = False
    has_prediction: bool = False
    has_clear_thinking: bool = False
    think_tags: tuple[str, str] = ("<think>", "</think>")
    has_reasoning: bool = False
    title: _Word | None = None
    description: _Word | None = None
    owned_by: _Word | None = None
    created_s: _Bound | None = None
    hugging_face_id: _Word | None = None
    prompt_usd_pico: _Bound | None = None
    completion_usd_pico: _Bound | None = None
    quantization: _Word | None = None
    tokenizer: _Word | None = None
    instruct_type: _Word | None = None
    supported_parameters: tuple[Parameter, ...] | None = None
    is_preview: bool = False
    is_deprecated: bool = False

    @property
    def modality(self) -> Literal["text", "text+vision"]:
        """What it reads."""
        return "text+vision" if self.max_images else "text"


_EFFORTS: Final[tuple[Effort, ...]] = ("none", "low", "medium", "high")
_FP8_WEIGHTS: Final = "FP16/8 (weights only)"
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(CerebrasModel)}

_CURRENT: Final = (
    CerebrasModel(
        name="gpt-oss-120b",
        think_tags=("", ""),
        efforts=("low", "medium", "high"),
        default_effort="medium",
        has_parallel_tools=False,
        has_developer=True,
        has_prediction=True,
        has_reasoning=True,
        title="OpenAI GPT OSS",
        owned_by="OpenAI",
        created_s=1_754_438_400,
        hugging_face_id="openai/gpt-oss-120b",
        prompt_usd_pico=350_000,
        completion_usd_pico=750_000,
        quantization=_FP8_WEIGHTS,
        tokenizer="GPT",
        instruct_type="harmony",
        supported_parameters=(
            "temperature",
            "top_p",
            "seed",
            "stop",
            "max_completion_tokens",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
        ),
    ),
    CerebrasModel(
        name="qwen-3.8-27b",
        efforts=_EFFORTS,
        default_effort="high",
        max_images=10,
        has_reasoning=True,
        prompt_usd_pico=990_000,
        completion_usd_pico=1_490_000,
    ),
    CerebrasModel(
        name="gemma-4-31b",
        efforts=_EFFORTS,
        default_effort="none",
        formats=("none", "parsed", "text_parsed"),
        max_images=5,
        has_reasoning=True,
        prompt_usd_pico=990_000,
        completion_usd_pico=1_490_000,
        is_preview=True,
    ),
)
_RETIRED: Final = (
    CerebrasModel(
        name="zai-glm-4.7",
        efforts=("none",),
        has_prediction=True,
        has_clear_thinking=True,
        has_reasoning=True,
        prompt_usd_pico=2_250_000,
        completion_usd_pico=2_750_000,
        quantization=_FP8_WEIGHTS,
        is_deprecated=True,
    ),
    CerebrasModel(
        name="zai-glm-4.6",
        efforts=("none",),
        has_clear_thinking=True,
        has_reasoning=True,
        is_deprecated=True,
    ),
    CerebrasModel(
        name="qwen-3-32b",
        default_format="raw",
        has_reasoning=True,
        prompt_usd_pico=400_000,
        completion_usd_pico=800_000,
        is_deprecated=True,
    ),
    CerebrasModel(
        name="qwen-3-235b-a22b-instruct-2507",
        quantization=_FP8_WEIGHTS,
        is_deprecated=True,
    ),
    CerebrasModel(
        name="llama-3.3-70b",
        max_output_tokens=65_536,
        prompt_usd_pico=850_000,
        completion_usd_pico=1_200_000,
        is_deprecated=True,
    ),
    CerebrasModel(
        name="llama3.1-8b",
        max_context_tokens=32_768,
        has_prediction=True,
        prompt_usd_pico=100_000,
        completion_usd_pico=100_000,
        is_deprecated=True,
    ),
)
MODELS: Final[dict[str, CerebrasModel]] = {row.name: row for row in _CURRENT + _RETIRED}


def row_for(
    name: str,
    rows: Mapping[str, CerebrasModel] = MODELS,
    *,
    context_tokens: int = 131_072,
) -> CerebrasModel:
    """Return the row of a public name, or one that permits all that any model can do but images.

    Args:
        context_tokens: Of the model that answers: what a row of no known model says.
    """
    known = rows.get(name)
    if known is not None:
        return known
    return CerebrasModel(
        name=name,
        max_context_tokens=context_tokens,
        max_output_tokens=context_tokens,
        efforts=_EFFORTS,
        has_developer=True,
        has_prediction=True,
        has_clear_thinking=True,
        has_reasoning=True,
    )


def row_from(base: CerebrasModel, overrides: Mapping[str, Any]) -> CerebrasModel:
    """Return a row with some of its fields replaced.

    Args:
        overrides: Fields of a row by name, as TOML or JSON has them.

    Raises:
        ValueError: It names the field and what is accepted, or two fields that contradict.
    """
    changes = {key: _checked(key, value) for key, value in overrides.items()}
    row = msgspec.structs.replace(base, **changes)
    if row.default_effort is not None and row.default_effort not in row.efforts:
        raise ValueError(
            f"default_effort: expected one of efforts, {_listed(row.efforts)}, "
            f"got '{row.default_effort}'"
        )
    if row.default_format not in row.formats:
        raise ValueError(
            f"default_format: expected one of formats, {_listed(row.formats)}, "
            f"got '{row.default_format}'"
        )
    return row


def _checked(key: str, value: Any) -> Any:
    field = _FIELDS.get(key)
    if field is None or key == "name":
        known = sorted(_FIELDS.keys() - {"name"})
        near = get_close_matches(key, known, 1)
        hint = f"the nearest is '{near[0]}'" if near else f"they are {_listed(known)}"
        raise ValueError(f"{key}: not among the fields of a model's row; {hint}")
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError as exc:
        text = str(exc).replace("`", "'").partition(" - at ")[0]
        choices = _choices(field.type)
        accepted = f"; accepted are {_listed(choices)}" if choices else ""
        raise ValueError(f"{key}: {text[:1].lower()}{text[1:]}{accepted}") from exc


def _choices(hint: Any) -> tuple[str, ...]:
    """Return the words that a type accepts, wherever in it they stand."""
    if getattr(hint, "__origin__", None) is Literal:
        return tuple(hint.__args__)
    return tuple(word for each in getattr(hint, "__args__", ()) for word in _choices(each))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "of which there are none"
