"""The entries of Cerebras's lists of models, in each of its formats, and the lists themselves.

Fields stand in the order of the recorded answers. Who fills them is listing.py.

Source: ../shared/reference/cerebras-api.md sections 3.6 and 3.7, 2026-11-21; the types of
cerebras_cloud_sdk 1.91.0.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from slipstream.wire.cerebras.models import Parameter

# ---- default ------------------------------------------------------------------------------------


class ModelEntry(Struct, frozen=True, kw_only=True):
    """A model of an account's list."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(Struct, frozen=True, kw_only=True):
    """The list of an account, which has no pages."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


# ---- openrouter ---------------------------------------------------------------------------------


class OpenRouterPricing(Struct, frozen=True, kw_only=True):
    """US dollars for one token, request or image."""

    prompt: str
    completion: str
    image: str = "0"
    request: str = "0"
    input_cache_read: str = "0"
    input_cache_write: str = "0"


class Datacenter(Struct, frozen=True, kw_only=True):
    """Where a model runs."""

    country_code: str


class OpenRouterName(Struct, frozen=True, kw_only=True):
    """What OpenRouter calls a model."""

    slug: str


class OpenRouterModel(Struct, frozen=True, kw_only=True):
    """A model as OpenRouter asks its providers to list it."""

    id: str
    name: str
    created: int
    context_length: int
    max_output_length: int
    pricing: OpenRouterPricing
    description: str = ""
    hugging_face_id: str = ""
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...] = ("text",)
    quantization: str
    supported_sampling_parameters: tuple[Parameter, ...]
    supported_features: tuple[str, ...]
    datacenters: tuple[Datacenter, ...] = ()
    openrouter: OpenRouterName | None = None


class OpenRouterModelList(Struct, frozen=True, kw_only=True):
    """A list for OpenRouter."""

    data: list[OpenRouterModel]


# ---- huggingface --------------------------------------------------------------------------------


class HuggingFacePricing(Struct, frozen=True, kw_only=True):
    """US dollars for a million tokens."""

    input: float
    output: float


class HuggingFaceCapabilities(Struct, frozen=True, kw_only=True):
    """What Hugging Face shows of a model."""

    function_calling: bool
    structured_outputs: bool
    vision: bool
    streaming: bool


class HuggingFaceModel(Struct, frozen=True, kw_only=True):
    """A model as Hugging Face asks its providers to list it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    context_length: int
    pricing: HuggingFacePricing
    capabilities: HuggingFaceCapabilities
    hugging_face_id: str | UnsetType = UNSET


class HuggingFaceModelList(Struct, frozen=True, kw_only=True):
    """A list for Hugging Face."""

    object: Literal["list"] = "list"
    data: list[HuggingFaceModel]


# ---- public -------------------------------------------------------------------------------------


class PublicPricing(Struct, frozen=True, kw_only=True):
    """US dollars for one token."""

    prompt: str
    completion: str


class PublicCapabilities(Struct, frozen=True, kw_only=True):
    """What a model can do."""

    streaming: bool = True
    function_calling: bool = True
    structured_outputs: bool = True
    vision: bool
    json_mode: bool = True
    tools: bool = True
    tool_choice: bool = True
    parallel_tool_calls: bool
    response_format: bool = True
    reasoning: bool


class PublicArchitecture(Struct, frozen=True, kw_only=True):
    """How a model is made."""

    modality: Literal["text", "text+vision", "multimodal"]
    tokenizer: str
    instruct_type: str | UnsetType = UNSET


class PublicLimits(Struct, frozen=True, kw_only=True):
    """How much a request may hold; rates are those of a key, and not told here."""

    max_context_length: int
    max_completion_tokens: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class SupportedParameters(Struct, frozen=True, kw_only=True):
    """Which parameters of a request a model takes; the names are `models.PARAMETERS`."""

    temperature: bool
    top_p: bool
    seed: bool
    stop: bool
    max_completion_tokens: bool
    logprobs: bool
    top_logprobs: bool
    frequency_penalty: bool
    presence_penalty: bool
    logit_bias: bool
    repetition_penalty: bool


class PublicModel(Struct, frozen=True, kw_only=True):
    """A model of the public catalogue."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    name: str
    description: str
    hugging_face_id: str | UnsetType = UNSET
    pricing: PublicPricing
    capabilities: PublicCapabilities
    supported_parameters: SupportedParameters
    architecture: PublicArchitecture
    limits: PublicLimits
    datacenter_locations: tuple[str, ...] = ()
    deprecated: bool
    preview: bool
    quantization: str | UnsetType = UNSET


class PublicModelList(Struct, frozen=True, kw_only=True):
    """The public catalogue."""

    object: Literal["list"] = "list"
    data: list[PublicModel]
