"""What each provider of chat refuses that OpenAI's own reader lets pass, as a table and its checks.

The facts are the providers', not those of the gateway's table of habits: what that one has wrong
shows here.

Source: ../shared/reference/providers.md, sections 1 and 3 to 8; protocols.md, section E.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.flaws import names
from slipstream.upstream.scripted.nouns import Ask
from slipstream.upstream.scripted.openai_chat_request import decode as decode_chat
from slipstream.upstream.scripted.provider_chat_checks import (
    check_details,
    check_efforts,
    check_form_and_tools,
    check_formats,
    check_gemini_signatures,
    check_grok,
    check_image_urls,
    check_one_choice,
    check_openai_generation,
    check_pairs,
    refusal,
)

_decoder: Final = msgspec.json.Decoder(dict[str, Any])
_encode_json: Final = msgspec.json.Encoder().encode


class Rules(Struct, frozen=True, kw_only=True):
    """What one provider takes.

    Args:
        takes: Fields that it knows, where it refuses others; None where it passes them over.
        refuses: Fields that it knows and refuses.
        status: Of a refusal of a field.
        roles: That messages may have.
        message_takes: Fields of messages that it knows, where it refuses others.
        message_refuses: Fields of messages that it refuses.
        tool_refuses: Fields of functions that it refuses.
        has_one_system: More than one message of the system's is refused.
        call_ids: What ids of calls must look like.
        ends_with: Roles of which the last message must be one.
        checks: What is between fields.
        reasoning_fields: Under which names it shows reasoning by itself.
        always_counts: Streams tell usage unasked.
    """

    takes: frozenset[str] | None = None
    refuses: frozenset[str] = frozenset()
    status: int = 400
    roles: frozenset[str] = names("system developer user assistant tool")
    message_takes: frozenset[str] | None = None
    message_refuses: frozenset[str] = frozenset()
    tool_refuses: frozenset[str] = frozenset()
    has_one_system: bool = False
    call_ids: str | None = None
    ends_with: frozenset[str] | None = None
    checks: tuple[Callable[[dict[str, Any]], None], ...] = ()
    reasoning_fields: tuple[str, ...] = ()
    always_counts: bool = False


_OPENAI_FIELDS: Final = names(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
    "max_tokens messages metadata modalities model moderation n parallel_tool_calls prediction "
    "presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention "
    "reasoning_effort response_format safety_identifier seed service_tier stop store stream "
    "stream_options temperature tool_choice tools top_logprobs top_p user verbosity "
    "web_search_options"
)
_MISTRAL_FIELDS: Final = names(
    "model messages max_tokens min_tokens temperature top_p top_k frequency_penalty "
    "presence_penalty repetition_penalty logprobs top_logprobs prompt_logprobs n random_seed stop "
    "stream tools tool_choice parallel_tool_calls response_format reasoning_effort prompt_mode "
    "safe_prompt guardrails prediction service_tier prompt_cache_key metadata"
)

RULES: Final[dict[str, Rules]] = {
    "openai": Rules(takes=_OPENAI_FIELDS, checks=(check_openai_generation,)),
    "groq": Rules(
        refuses=names(
            "logprobs top_logprobs logit_bias frequency_penalty presence_penalty store metadata"
        ),
        message_refuses=names("name function_call reasoning_content reasoning_details"),
        checks=(check_one_choice, check_form_and_tools, check_formats),
        reasoning_fields=("reasoning",),
    ),
    "mistral": Rules(
        takes=_MISTRAL_FIELDS,
        status=422,
        roles=names("system user assistant tool"),
        message_takes=names("role content tool_calls tool_call_id name prefix"),
        call_ids=r"[a-zA-Z0-9]{9}",
        ends_with=names("user tool"),
        checks=(check_efforts("none", "low", "high", "max"),),
        reasoning_fields=("chunks",),
        always_counts=True,
    ),
    "xai": Rules(
        refuses=names("logit_bias top_k min_p repetition_penalty"),
        message_refuses=names("name"),
        tool_refuses=names("strict"),
        checks=(check_grok, check_efforts("none", "low", "medium", "high", "xhigh")),
        reasoning_fields=("reasoning_content",),
    ),
    "openrouter": Rules(
        checks=(check_details,), reasoning_fields=("reasoning", "details"), always_counts=True
    ),
    "deepinfra": Rules(
        refuses=names("max_completion_tokens parallel_tool_calls top_logprobs logit_bias"),
        status=422,
        has_one_system=True,
        reasoning_fields=("reasoning_content",),
        always_counts=True,
    ),
    "gemini": Rules(
        refuses=names(
            "logit_bias prompt_cache_key safety_identifier verbosity prediction metadata top_k "
            "min_p repetition_penalty store"
        ),
        checks=(check_gemini_signatures, check_image_urls),
    ),
}


def decode_by(rules: Rules) -> Callable[[str, bytes], Ask]:
    """Return what reads a request of a provider and refuses what its rules refuse."""

    def decode(path: str, body: bytes) -> Ask:
        try:
            said = _decoder.decode(body)
        except msgspec.MsgspecError as exc:
            raise BadRequest(f"the body is not a JSON object: {exc}", code="invalid_json") from exc
        plain = said | {"model": str(said.get("model", "")).partition("?")[0]}
        _check(plain, rules)
        ask = decode_chat(path, _as_openai(said, body))
        counts = rules.always_counts and _wants_usage(said)
        return msgspec.structs.replace(
            ask,
            reasoning_fields=rules.reasoning_fields,
            wants_usage=ask.wants_usage or counts,
        )

    return decode


def _wants_usage(said: dict[str, Any]) -> bool:
    return (said.get("stream_options") or {}).get("include_usage") is not False


def _as_openai(said: dict[str, Any], body: bytes) -> bytes:
    """Return a request with the words of others in OpenAI's: `any` is `required`."""
    if said.get("tool_choice") != "any":
        return body
    return _encode_json(said | {"tool_choice": "required"})


def _check(said: dict[str, Any], rules: Rules) -> None:
    for name, value in said.items():
        if rules.takes is not None and name not in rules.takes:
            message = f"Unrecognized request argument supplied: {name}"
            raise refusal(message, name, status=rules.status, code="unknown_parameter")
        if name in rules.refuses and value is not None:
            message = f"property '{name}' is unsupported"
            raise refusal(message, name, status=rules.status, code="unsupported_parameter")
    messages = said.get("messages")
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        return  # the reader of all chat requests says what is wrong
    for at, message in enumerate(messages):
        _check_message(message, f"messages[{at}]", rules)
    if rules.has_one_system and sum(m.get("role") == "system" for m in messages) > 1:
        raise refusal("only one system message is supported", "messages", status=rules.status)
    for at, tool in enumerate(said.get("tools") or ()):
        for name in (tool.get("function") or {}) if isinstance(tool, dict) else ():
            if name in rules.tool_refuses:
                raise refusal(f"unknown field {name}", f"tools[{at}].function.{name}")
    check_pairs(messages)
    last = messages[-1] if messages else {"prefix": True}
    if rules.ends_with and last.get("role") not in rules.ends_with and not last.get("prefix"):
        raise refusal("Expected last role User or Tool", "messages", code="3230")
    for check in rules.checks:
        check(said)


def _check_message(message: dict[str, Any], where: str, rules: Rules) -> None:
    role = message.get("role")
    if isinstance(role, str) and role not in rules.roles:
        words = ", ".join(sorted(rules.roles))
        text = f"Invalid role '{role}': expected one of {words}"
        raise refusal(text, f"{where}.role", status=rules.status)
    for name, value in message.items():
        is_unknown = rules.message_takes is not None and name not in rules.message_takes
        if is_unknown or (name in rules.message_refuses and value is not None):
            text = f"'{where}' : property '{name}' is unsupported"
            raise refusal(text, f"{where}.{name}", status=rules.status)
    if role == "assistant" and not message.get("content") and not message.get("tool_calls"):
        text = "Assistant message must have either content or tool_calls."
        raise refusal(text, f"{where}.content")
    for call in message.get("tool_calls") or ():
        if rules.call_ids and not re.fullmatch(rules.call_ids, str(call.get("id"))):
            text = f"Tool call id was {call.get('id')} but must be a-z, A-Z, 0-9, of length 9."
            raise refusal(text, f"{where}.tool_calls", code="3280")
