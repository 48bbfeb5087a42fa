"""How the providers that speak chat differ in what they take, as a table by the provider's name.

A name that is not in it gets `GENERIC`: vLLM, Ollama, llama-server, LM Studio and what is like
them. What differs between models of one provider stands in the model's row (`Target.refuses`).

Source: ../shared/reference/providers.md and cerebras-api.md of 2026-11-21, whose tags name what
each line was taken from; sections in the comments.
"""

from typing import Final, Literal

from msgspec import Struct, field

ReasoningField = Literal["reasoning_content", "reasoning", "chunks"]

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""From no thinking to the most."""

_SAMPLING_BEYOND_OPENAI: Final = frozenset({"top_k", "min_p", "repetition_penalty"})


_TIERS: Final = {"auto": "auto", "default": "default", "flex": "flex", "priority": "priority"}


def _fields(names: str) -> frozenset[str]:
    return frozenset(names.split())


class Habits(Struct, frozen=True, kw_only=True):
    """What one provider takes in a chat request; the defaults are OpenAI's.

    Args:
        takes: Top-level fields that it knows, where it answers others with an error; None where it
            passes over what it does not know.
        refuses: Fields that it answers with an error.
        max_tokens: Its name for the limit of the answer.
        seed: Its name for the seed.
        user: Its name for who asks; None where it has none.
        max_user_chars: A longer one is told as its hash.
        system_role: Its name for the role.
        has_one_system: Only the first message may be a system's; later ones are told by the user.
        reasoning: Where reasoning stands in messages that go back to it; None where nowhere.
        lost_signature: What stands in for a thought signature that history has not.
        efforts: Words of `reasoning_effort` that it takes; empty for all.
        budget: It takes a number of thinking tokens in `reasoning.max_tokens`.
        tiers: Its words for tiers of service, by OpenAI's; others are left out.
        cache_field: Its mark of a prefix that is worth keeping.
        parts: Kinds of parts, besides text, that a user's message may have.
        takes_image_urls: Otherwise images must come as data.
        takes_file_urls: The same of files.
        takes_names: Messages may say who speaks.
        takes_strict: Functions may say `strict`.
        takes_custom_tools: Tools may take text.
        takes_allowed_tools: `tool_choice` may be `allowed_tools`.
        joins_form_and_tools: `response_format` may stand beside `tools`.
        takes_refusals: Parts of an assistant's message may be of type `refusal`.
        takes_none: `tool_choice` may be `none`; otherwise the tools are left out for it.
        max_stops: How many strings may end an answer.
        short_ids: Ids of calls must be nine letters and digits.
        takes_details: It gives out `reasoning_details` and wants them back.
        takes_result_parts: Results of tools may be parts; otherwise they are one text.
        ends_calls: An answer that calls tools says so in `finish_reason`.
        is_strange: Of a server of which nothing is known; what passes through stays as it is.
    """

    takes: frozenset[str] | None = None
    refuses: frozenset[str] = frozenset()
    max_tokens: str = "max_completion_tokens"
    seed: str = "seed"
    user: str | None = "user"
    max_user_chars: int = 128
    system_role: str = "system"
    has_one_system: bool = False
    reasoning: ReasoningField | None = None
    lost_signature: str | None = None
    efforts: tuple[str, ...] = ()
    budget: bool = False
    tiers: dict[str, str] = field(default_factory=lambda: _TIERS)
    cache_field: Literal["prompt_cache_breakpoint", "cache_control"] | None = None
    parts: frozenset[str] = frozenset({"image"})
    takes_image_urls: bool = True
    takes_file_urls: bool = False
    takes_names: bool = True
    takes_strict: bool = True
    takes_custom_tools: bool = False
    takes_allowed_tools: bool = False
    joins_form_and_tools: bool = True
    takes_refusals: bool = False
    takes_none: bool = True
    max_stops: int = 4
    short_ids: bool = False
    takes_details: bool = False
    takes_result_parts: bool = True
    ends_calls: bool = True
    is_strange: bool = False


GENERIC: Final = Habits(
    max_tokens="max_tokens",
    reasoning="reasoning_content",
    parts=frozenset({"image", "audio", "file"}),
    is_strange=True,
)
"""Of a server that is like OpenAI's; unknown fields are passed over by all that are known, and what
its model cannot read it says itself."""

_MANY: Final = 64
_NO_CACHES: Final = _fields("prompt_cache_key store")
_NO_EXTRAS: Final = _fields("verbosity prediction metadata")

# Every top-level field of openai-python 3.52.0's type; it answers others with 400.
_OPENAI: Final = _fields(
    "model messages audio frequency_penalty function_call functions logit_bias logprobs "
    "max_completion_tokens max_tokens metadata modalities moderation n "
    "parallel_tool_calls prediction presence_penalty prompt_cache_key "
    "prompt_cache_options prompt_cache_retention reasoning_effort response_format "
    "safety_identifier seed service_tier stop store stream stream_options temperature "
    "tool_choice tools top_logprobs top_p user verbosity web_search_options"
)

# Every top-level field of its request; an unknown one is answered with 400 (cerebras-api.md 2.1).
_CEREBRAS: Final = _fields(
    "model messages max_completion_tokens min_tokens temperature top_p "
    "frequency_penalty presence_penalty logit_bias logprobs top_logprobs n seed stop "
    "stream stream_options user tools tool_choice parallel_tool_calls response_format "
    "reasoning_effort reasoning_format clear_thinking prediction service_tier "
    "prompt_cache_key model_parameters min_completion_tokens"
)

# Extra fields are answered with 422 (section 6).
_MISTRAL: Final = _fields(
    "model messages max_tokens min_tokens temperature top_p top_k frequency_penalty "
    "presence_penalty repetition_penalty logprobs top_logprobs prompt_logprobs n "
    "random_seed stop stream tools tool_choice parallel_tool_calls response_format "
    "reasoning_effort prompt_mode safe_prompt guardrails prediction service_tier "
    "prompt_cache_key metadata"
)

KNOWN_FIELDS: Final = _OPENAI | _CEREBRAS | _MISTRAL | _SAMPLING_BEYOND_OPENAI
"""Top-level fields of any of them: what a client may send because another one takes it."""

HABITS: Final[dict[str, Habits]] = {
    "local": Habits(  # models that we run; wire/chat_request.py reads what is written for them
        max_tokens="max_tokens",
        reasoning="reasoning_content",
        parts=frozenset(),
        max_stops=_MANY,
    ),
    # Section 1; `safety_identifier` is its newer name for `user`.
    "openai": Habits(
        takes=_OPENAI,
        user="safety_identifier",
        max_user_chars=64,
        system_role="developer",
        cache_field="prompt_cache_breakpoint",
        parts=frozenset({"image", "audio", "file"}),
        takes_custom_tools=True,
        takes_allowed_tools=True,
        takes_refusals=True,
    ),
    # Section 2, the compatible endpoint: strict mode, audio and much else are passed over.
    "anthropic": Habits(has_one_system=True),
    # Section 9; cerebras-api.md 2.2 (history says `reasoning`), 2.4 (no addresses), 2.5 (forms).
    "cerebras": Habits(
        takes=_CEREBRAS,
        reasoning="reasoning",
        efforts=("none", "low", "medium", "high"),
        takes_image_urls=False,
        joins_form_and_tools=False,
    ),
    # Section 3.
    "groq": Habits(
        refuses=_fields(
            "logprobs top_logprobs logit_bias frequency_penalty presence_penalty n store "
            "metadata verbosity prediction top_k min_p repetition_penalty"
        ),
        reasoning="reasoning",
        efforts=("none", "low", "medium", "high"),
        tiers={
            "auto": "auto",
            "default": "on_demand",
            "flex": "flex",
            "priority": "performance",
        },
        takes_names=False,
        joins_form_and_tools=False,
    ),
    # Section 4, the compatible endpoint; protocols.md, section E, on signatures.
    "gemini": Habits(
        refuses=_SAMPLING_BEYOND_OPENAI
        | _fields("logit_bias prompt_cache_key safety_identifier verbosity prediction metadata"),
        user=None,
        lost_signature="skip_thought_signature_validator",
        efforts=("none", "minimal", "low", "medium", "high"),
        tiers={},
        takes_image_urls=False,
    ),
    # Section 5.
    "deepinfra": Habits(
        max_tokens="max_tokens",
        refuses=_fields("parallel_tool_calls top_logprobs logit_bias max_completion_tokens")
        | _NO_EXTRAS,
        has_one_system=True,
        takes_result_parts=False,
        reasoning="reasoning_content",
        efforts=("none", "low", "medium", "high"),
        tiers={"priority": "priority"},
        cache_field="cache_control",
        max_stops=16,
    ),
    # Section 6; ids, thinking chunks and `any` for `required`, which it knows too.
    "mistral": Habits(
        takes=_MISTRAL,
        max_tokens="max_tokens",
        seed="random_seed",
        user=None,
        has_one_system=True,  # the last message must be a user's or a tool's
        reasoning="chunks",
        efforts=("none", "high"),
        takes_names=False,
        takes_none=False,
        short_ids=True,
    ),
    # Section 7; `max_completion_tokens` is mapped to the older name.
    "xai": Habits(
        max_tokens="max_tokens",
        refuses=_fields("logit_bias max_completion_tokens web_search_options")
        | _NO_EXTRAS
        | _SAMPLING_BEYOND_OPENAI,
        reasoning="reasoning_content",
        efforts=("none", "low", "medium", "high", "xhigh"),
        takes_names=False,
        takes_strict=False,
        ends_calls=False,
    ),
    # Section 8; it drops by itself what a model does not know.
    "openrouter": Habits(
        max_tokens="max_tokens",
        refuses=_fields("max_completion_tokens"),
        reasoning="reasoning",
        takes_details=True,
        efforts=("none", "minimal", "low", "medium", "high", "xhigh"),
        budget=True,
        cache_field="cache_control",
        parts=frozenset({"image", "audio", "file"}),
        takes_file_urls=True,
    ),
    # Servers that people run themselves pass over what they do not know. Their own documentation:
    # docs.vllm.ai, stable, "Reasoning Outputs" (the field was `reasoning_content` once).
    "vllm": Habits(
        max_tokens="max_tokens",
        reasoning="reasoning",
        parts=frozenset({"image", "audio"}),
        max_stops=_MANY,
    ),
    # docs.ollama.com/api/openai-compatibility: the fields that it reads; others it passes over
    # without a word, which we do not.
    "ollama": Habits(
        max_tokens="max_tokens",
        refuses=_fields("logit_bias n parallel_tool_calls prediction") | _NO_CACHES,
        reasoning="reasoning",
        max_stops=_MANY,
    ),
    # tools/server/README.md of llama.cpp.
    "llama-server": Habits(
        max_tokens="max_tokens",
        reasoning="reasoning_content",
        parts=frozenset({"image", "audio"}),
        max_stops=_MANY,
    ),
    # lmstudio.ai/docs/developer/openai-compat; images as data.
    "lm-studio": Habits(
        max_tokens="max_tokens",
        reasoning="reasoning_content",
        takes_image_urls=False,
        max_stops=_MANY,
    ),
}


def habits_of(provider: str) -> Habits:
    """Return a provider's habits, by the name of its row."""
    return HABITS.get(provider, GENERIC)
