"""An OpenAI chat request read in full, for models that we run ourselves.

Every field that is offered is checked for type and range. One that would change the answer and is
not offered is refused unless it says what happens anyway; one that changes nothing, such as
`metadata`, is left unread. Relayed requests are read in openai_chat.py.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21. Fields beyond OpenAI's
have the names and ranges of vLLM's; `exact` is our own.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from slipstream.wire.chat_forms import ChatForm, read_form
from slipstream.wire.chat_messages import ChatTurn, read_text, read_turns
from slipstream.wire.chat_tools import ChatTools, read_tools
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.refusals import decode_at, invalid, not_among, not_offered, not_together
from slipstream.wire.sampling import (
    MAX_CHOICES,
    MAX_TOKENS,
    Penalty,
    given_or,
    read_bias,
    read_stops,
    shown,
)

_MAX_TOP_LOGPROBS: Final = 20
_NOTHING: Final = msgspec.Raw()
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_TIERS: Final = {"auto": 0, "default": 0, "scale": 0, "flex": -1, "priority": 1, "fast": 1}

Switches = dict[str, bool | int | str]


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked to do; defaults are OpenAI's.

    Args:
        num_logprobs: Likeliest tokens beside each token; None tells no log probabilities.
        switches: For the model's template.
        cache_key: Whose cached prefixes may be shared, within the caller's own.
        priority: Higher goes first; 0 is the usual one.
    """

    turns: tuple[ChatTurn, ...]
    max_tokens: int | None = None
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    stop: tuple[str, ...] = ()
    num_logprobs: int | None = None
    num_choices: int = 1
    form: ChatForm | None = None
    tools: ChatTools | None = None
    prediction: str | None = None
    is_exact: bool = False
    switches: Mapping[str, bool | int | str] = {}
    cache_key: str = ""
    priority: int = 0


class _Body(msgspec.Struct):
    messages: list[msgspec.Raw]
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    min_tokens: Annotated[int, Meta(ge=0)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=MAX_TOKENS)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    logit_bias: dict[str, Any] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=_MAX_TOP_LOGPROBS)] | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    response_format: msgspec.Raw = _NOTHING
    structured_outputs: msgspec.Raw = _NOTHING
    tools: list[msgspec.Raw] | None = None
    tool_choice: msgspec.Raw = _NOTHING
    parallel_tool_calls: bool | None = None
    prediction: msgspec.Raw = _NOTHING
    reasoning_effort: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    service_tier: str | None = None
    exact: bool | None = None
    cache_salt: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None
    # Known, and not offered: compared with _NEUTRAL.
    functions: Any = None
    function_call: Any = None
    modalities: Any = None
    audio: Any = None
    web_search_options: Any = None
    guided_json: Any = None
    guided_regex: Any = None
    guided_choice: Any = None
    guided_grammar: Any = None


class _Prediction(msgspec.Struct):
    type: str
    content: str | list[msgspec.Raw]


class _Neutral(NamedTuple):
    """Values of a field that change nothing, and how to say what is accepted."""

    values: tuple[Any, ...]
    accepted: str = "leave it out"


_ABSENT: Final = _Neutral((None,))
_STRUCTURED: Final = _Neutral((None,), "send 'structured_outputs', as vLLM does since 0.12")
_NEUTRAL: Final[dict[str, _Neutral]] = {
    "functions": _Neutral((None, []), "send 'tools', which replaced it"),
    "function_call": _Neutral((None, "none", "auto"), "send 'tool_choice', which replaced it"),
    "modalities": _Neutral((None, ["text"]), "leave it out or send ['text']"),
    "audio": _ABSENT,
    "web_search_options": _ABSENT,
    "guided_json": _STRUCTURED,
    "guided_regex": _STRUCTURED,
    "guided_choice": _STRUCTURED,
    "guided_grammar": _STRUCTURED,
}
_body_decoder = msgspec.json.Decoder(_Body)
_prediction_decoder: Final = msgspec.json.Decoder(_Prediction | None)


def parse_chat_request(body: bytes) -> ChatRequest:
    """Read and check a whole request.

    Raises:
        BadRequest: It names the field as OpenAI does (`messages[1].content`), the value, and
            what is accepted.
    """
    try:
        asked = _read(_body_decoder.decode(body))
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    _check_together(asked)
    return asked


def _read(said: _Body) -> ChatRequest:
    for field, neutral in _NEUTRAL.items():
        if getattr(said, field) not in neutral.values:
            raise not_offered(field, neutral.accepted)
    limit = said.max_completion_tokens
    return ChatRequest(
        turns=read_turns(said.messages),
        max_tokens=said.max_tokens if limit is None else limit,
        min_tokens=said.min_tokens or 0,
        temperature=given_or(said.temperature, 1.0),
        top_p=given_or(said.top_p, 1.0),
        top_k=max(said.top_k or 0, 0),
        min_p=said.min_p or 0.0,
        frequency_penalty=said.frequency_penalty or 0.0,
        presence_penalty=said.presence_penalty or 0.0,
        repetition_penalty=given_or(said.repetition_penalty, 1.0),
        logit_bias=read_bias(said.logit_bias),
        seed=said.seed,
        stop=read_stops(said.stop),
        num_logprobs=_read_logprobs(said),
        num_choices=said.n or 1,
        form=read_form(said.response_format, said.structured_outputs),
        tools=read_tools(said.tools, said.tool_choice, said.parallel_tool_calls),
        prediction=_read_prediction(said.prediction),
        is_exact=bool(said.exact),
        switches=_read_switches(said),
        cache_key=(
            said.cache_salt or said.prompt_cache_key or said.safety_identifier or said.user or ""
        ),
        priority=_read_tier(said.service_tier),
    )


def _read_logprobs(said: _Body) -> int | None:
    if said.logprobs:
        return said.top_logprobs or 0
    if said.top_logprobs:
        raise invalid("top_logprobs", "expected 'logprobs' to be true beside it")
    return None


def _read_prediction(raw: msgspec.Raw) -> str | None:
    said = decode_at(_prediction_decoder, raw, "prediction") if raw else None
    if said is None:
        return None
    if said.type != "content":
        raise not_among("prediction.type", said.type, ("content",))
    return read_text(said.content, "prediction.content")


def _read_switches(said: _Body) -> Switches:
    """Join what the template is told; what the request says for itself wins over the effort."""
    switches: Switches = {}
    if said.reasoning_effort is not None:
        if said.reasoning_effort not in _EFFORTS:
            raise not_among("reasoning_effort", said.reasoning_effort, _EFFORTS)
        switches["reasoning_effort"] = said.reasoning_effort
        if said.reasoning_effort == "none":
            switches["enable_thinking"] = False  # how most templates are told
    for name, value in (said.chat_template_kwargs or {}).items():
        if value is None:
            continue
        if not isinstance(value, bool | int | str):
            raise invalid(
                f"chat_template_kwargs.{name}",
                f"expected true, false, an integer or a string, got {shown(value)}",
            )
        switches[name] = value
    return switches


def _read_tier(said: str | None) -> int:
    if said is not None and said not in _TIERS:
        raise not_among("service_tier", said, tuple(_TIERS))
    return _TIERS[said or "auto"]


def _check_together(asked: ChatRequest) -> None:
    """Refuse what cannot be had at the same time."""
    if asked.max_tokens is not None and asked.min_tokens > asked.max_tokens:
        raise invalid(
            "min_tokens", f"expected at most max_tokens, {asked.max_tokens}, got {asked.min_tokens}"
        )
    if asked.prediction is None:
        return
    others = {
        "n": asked.num_choices > 1,
        "logprobs": asked.num_logprobs is not None,
        "tools": asked.tools is not None and asked.tools.choice != "none",
    }
    for other, is_asked in others.items():
        if is_asked:
            raise not_together("prediction", other)
