"""The lists of models as Cerebras serves them: of an account and public, each in three formats.

Pure: which models there are, and what they cost where they run, are arguments. What is not known
of a model is left out where it may be.

Source: ../shared/reference/cerebras-api.md sections 3.6, 3.7 and 5.3, 2026-11-21.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct

from slipstream.errors import UnknownModel
from slipstream.wire.cerebras.catalogue import (
    HuggingFaceCapabilities,
    HuggingFaceModel,
    HuggingFaceModelList,
    HuggingFacePricing,
    ModelEntry,
    ModelList,
    OpenRouterModel,
    OpenRouterModelList,
    OpenRouterPricing,
    PublicArchitecture,
    PublicCapabilities,
    PublicLimits,
    PublicModel,
    PublicModelList,
    PublicPricing,
    SupportedParameters,
)
from slipstream.wire.cerebras.errors import detail_body, error_body
from slipstream.wire.cerebras.models import PARAMETERS, CerebrasModel, Parameter
from slipstream.wire.cerebras.shape import wrong

ListFormat = Literal["default", "openrouter", "huggingface"]
FORMATS: Final[tuple[ListFormat, ...]] = ("default", "openrouter", "huggingface")
OWNER: Final = "Cerebras"  # of every model in an account's list, which gives 0 for its date
_UNKNOWN_TOKENIZER: Final = "Other"
_OPENROUTER_QUANTIZATION: Final = "fp16"  # the one that Cerebras tells there
_FEATURES: Final = ("tools", "json_mode", "structured_outputs")
_MAX_SHOWN_CHARS: Final = 200
_MILLION: Final = 1_000_000
# What the strict profile takes: it refuses `repetition_penalty`.
_TAKEN: Final = tuple(name for name in PARAMETERS if name != "repetition_penalty")
_encode = msgspec.json.Encoder().encode


class Listed(Struct, frozen=True, kw_only=True):
    """A model that is offered here.

    Args:
        name: Under which requests ask for it.
        context_tokens: That fit where it runs, which may be less than its row says.
        is_priced: Its prices are known; lists that must tell them leave it out if not.
        prompt_usd: Of one token, where the model runs, as an exact decimal number; a model that we
            run ourselves costs "0", whatever it costs at Cerebras.
        cache_read_usd: Of one token that the prompt cache held.
        created_s: For the list of an account; the public one has the row's own, if that is known.
    """

    name: str
    row: CerebrasModel
    context_tokens: int
    max_output_tokens: int
    is_priced: bool = True
    prompt_usd: str = "0"
    completion_usd: str = "0"
    cache_read_usd: str = "0"
    created_s: int = 0
    owned_by: str = OWNER


def usd_of(usd_pico: int) -> str:
    """Return pico-dollars as dollars, exactly, the way Cerebras writes a price."""
    return f"{Decimal(usd_pico).scaleb(-12).normalize():f}"


def read_format(asked: str | None) -> ListFormat:
    """Return which format the query's `format` asks for.

    Raises:
        BadRequest: It is none of the three.
    """
    for known in FORMATS:
        if (asked or "default") == known:
            return known
    accepted = ", ".join(f"'{known}'" for known in FORMATS)
    raise wrong(f"query.format: expected one of {accepted}, got '{_shown(asked or '')}'")


def models_body(
    models: Iterable[Listed], form: ListFormat = "default", *, is_public: bool = False
) -> bytes:
    """Return the body of a list, the models in the order given."""
    entry, gathered = _FORMS[form, is_public]
    return _encode(gathered(data=[entry(model) for model in _shown_in(models, form, is_public)]))


def model_body(
    models: Iterable[Listed], name: str, form: ListFormat = "default", *, is_public: bool = False
) -> bytes:
    """Return the body that tells of one model: its element of the list.

    Raises:
        UnknownModel: None has this name; `unknown_model_body` is what Cerebras answers.
    """
    entry, _ = _FORMS[form, is_public]
    for model in _shown_in(models, form, is_public):
        if model.name == name:
            return _encode(entry(model))
    raise _unknown(name)


def _shown_in(models: Iterable[Listed], form: ListFormat, is_public: bool) -> Iterator[Listed]:
    """Yield the models that a list can tell of: where prices must be told, those that have one."""
    for model in models:
        if model.is_priced or (form, is_public) == ("default", False):
            yield model


def unknown_model_body(name: str, *, is_public: bool = False) -> bytes:
    """Return the body of the 404 for a name that no model has: flat, or a detail where public."""
    if is_public:
        return detail_body(f"Model '{_shown(name)}' not found or not publicly available")
    return error_body(_unknown(name))


def _unknown(name: str) -> UnknownModel:
    return UnknownModel(f"Model {_shown(name)} does not exist or you do not have access to it.")


def _shown(word: str) -> str:
    return word[:_MAX_SHOWN_CHARS]


# ---- entries ------------------------------------------------------------------------------------


def _default(model: Listed) -> ModelEntry:
    return ModelEntry(id=model.name, created=model.created_s, owned_by=model.owned_by)


def _openrouter(model: Listed) -> OpenRouterModel:
    row = model.row
    return OpenRouterModel(
        id=model.name,
        name=row.title or model.name,
        created=_created_s(model),
        context_length=model.context_tokens,
        max_output_length=model.max_output_tokens,
        pricing=OpenRouterPricing(
            prompt=model.prompt_usd,
            completion=model.completion_usd,
            input_cache_read=model.cache_read_usd,
        ),
        description=_description(model),
        hugging_face_id=row.hugging_face_id or "",
        input_modalities=("text", "image") if row.max_images else ("text",),
        quantization=_OPENROUTER_QUANTIZATION,
        supported_sampling_parameters=_parameters(row),
        supported_features=(*_FEATURES, "reasoning") if row.has_reasoning else _FEATURES,
    )


def _huggingface(model: Listed) -> HuggingFaceModel:
    row = model.row
    return HuggingFaceModel(
        id=model.name,
        created=_created_s(model),
        owned_by=row.owned_by or model.owned_by,
        context_length=model.context_tokens,
        pricing=HuggingFacePricing(
            input=_per_million(model.prompt_usd), output=_per_million(model.completion_usd)
        ),
        capabilities=HuggingFaceCapabilities(
            function_calling=True,
            structured_outputs=True,
            vision=bool(row.max_images),
            streaming=True,
        ),
        hugging_face_id=row.hugging_face_id or UNSET,
    )


def _public(model: Listed) -> PublicModel:
    row, taken = model.row, _parameters(model.row)
    return PublicModel(
        id=model.name,
        created=_created_s(model),
        owned_by=row.owned_by or model.owned_by,
        name=row.title or model.name,
        description=_description(model),
        hugging_face_id=row.hugging_face_id or UNSET,
        pricing=PublicPricing(prompt=model.prompt_usd, completion=model.completion_usd),
        capabilities=PublicCapabilities(
            vision=bool(row.max_images),
            parallel_tool_calls=row.has_parallel_tools,
            reasoning=row.has_reasoning,
        ),
        supported_parameters=SupportedParameters(**{name: name in taken for name in PARAMETERS}),
        architecture=PublicArchitecture(
            modality=row.modality,
            tokenizer=row.tokenizer or _UNKNOWN_TOKENIZER,
            instruct_type=row.instruct_type or UNSET,
        ),
        limits=PublicLimits(
            max_context_length=model.context_tokens,
            max_completion_tokens=model.max_output_tokens,
        ),
        deprecated=row.is_deprecated,
        preview=row.is_preview,
        quantization=row.quantization or UNSET,
    )


def _created_s(model: Listed) -> int:
    return model.created_s if model.row.created_s is None else model.row.created_s


def _description(model: Listed) -> str:
    return model.row.description or f"{model.row.title or model.name}, served by Slipstream."


def _parameters(row: CerebrasModel) -> tuple[Parameter, ...]:
    return _TAKEN if row.supported_parameters is None else row.supported_parameters


def _per_million(usd: str) -> float:
    return float(Decimal(usd) * _MILLION)


_Form = tuple[Callable[[Listed], Struct], Callable[..., Struct]]  # an entry, and its list
_OPENROUTER: Final[_Form] = (_openrouter, OpenRouterModelList)
_HUGGINGFACE: Final[_Form] = (_huggingface, HuggingFaceModelList)
_FORMS: Final[dict[tuple[ListFormat, bool], _Form]] = {
    ("default", False): (_default, ModelList),
    ("default", True): (_public, PublicModelList),
    ("openrouter", False): _OPENROUTER,
    ("openrouter", True): _OPENROUTER,
    ("huggingface", False): _HUGGINGFACE,
    ("huggingface", True): _HUGGINGFACE,
}
