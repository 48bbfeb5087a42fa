"""A Cerebras chat request, read strictly: what Cerebras would refuse is refused in its words.

Keys, types and ranges are body.py's, the rules between fields rules.py's.

Source: ../shared/reference/cerebras-api.md sections 2 and 5.4, 2026-11-21.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from slipstream.errors import UnknownModel
from slipstream.wire.cerebras.body import (
    Assistant,
    Body,
    Content,
    Message,
    Named,
    Text,
    ToolAnswer,
    check_body,
)
from slipstream.wire.cerebras.models import MODELS, CerebrasModel, Format
from slipstream.wire.cerebras.rules import (
    TurnImage,
    check_rules,
    is_json,
    read_images,
    stops_of,
)
from slipstream.wire.cerebras.shape import wrong
from slipstream.wire.chat_forms import ChatForm
from slipstream.wire.chat_messages import ChatTurn, TurnCall
from slipstream.wire.chat_request import ChatRequest
from slipstream.wire.chat_tools import ChatTool, ChatTools, ToolChoice

_CHOICES: Final[dict[str, ToolChoice]] = {"none": "none", "auto": "auto", "required": "required"}
_THRESHOLDS_MS: Final = range(50, 20_001)
_MAX_DIGITS: Final = 5  # Python takes no number of any length
_BOUNDED_TIERS: Final = ("flex", "auto")
_PRIORITIES: Final = {"flex": -1, "priority": 1}


class CerebrasRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the models read it, and what only this profile has.

    Args:
        reasoning_format: Never `none`: the model's own stands for it.
        keeps_reasoning: Reasoning of turns before the last user's stays in the prompt.
        max_queue_s: Refuse if it would wait longer than this for its place; None waits.
        max_asked_tokens: Of each answer, where the client bounds it.
        think_tags: What stands around reasoning that is told raw.
    """

    model: str
    chat: ChatRequest
    reasoning_format: Format
    is_stream: bool
    keeps_reasoning: bool = False
    images: tuple[TurnImage, ...] = ()
    service_tier: str | None = None
    max_queue_s: float | None = None
    max_asked_tokens: int | None = None
    think_tags: tuple[str, str] = ("<think>", "</think>")
    user: str | None = None


RowOf = Callable[[str], CerebrasModel | None]
"""What the model of a public name can do; None: there is no such model."""


def decode_body(body: bytes) -> Any:
    """Decode a JSON body.

    Raises:
        BadRequest: It is none.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise wrong("body: not valid JSON") from exc


def read_cerebras_request(
    body: bytes | Mapping[str, Any],
    row_of: RowOf = MODELS.get,
    *,
    queue_threshold: str | None = None,
) -> CerebrasRequest:
    """Read a body, JSON where it is bytes, by what its model can do.

    Args:
        queue_threshold: The header of this name.

    Raises:
        BadRequest: Status, words, type, param and code are Cerebras's.
        UnknownModel: None of the models has this name.
    """
    said = check_body(decode_body(body) if isinstance(body, bytes) else body)
    model = find_row(said.model, row_of)
    check_rules(said, model)
    images = tuple(read_images(said.messages, model))
    return CerebrasRequest(
        model=said.model,
        chat=_chat(said, model),
        reasoning_format=_format(said, model),
        is_stream=bool(said.stream),
        keeps_reasoning=said.clear_thinking is False,
        images=images,
        service_tier=said.service_tier,
        max_queue_s=_max_queue_s(queue_threshold, said.service_tier),
        max_asked_tokens=_asked_tokens(said),
        think_tags=model.think_tags,
        user=said.user,
    )


def find_row(name: str, row_of: RowOf) -> CerebrasModel:
    """Return what a model can do.

    Raises:
        UnknownModel: There is none of this name.
    """
    model = row_of(name)
    if model is None:
        raise UnknownModel(f"Model {name} does not exist or you do not have access to it.")
    return model


def _max_queue_s(threshold: str | None, tier: str | None) -> float | None:
    if threshold is None:
        return None
    is_number = threshold.isdecimal() and len(threshold) <= _MAX_DIGITS
    if not is_number or int(threshold) not in _THRESHOLDS_MS:
        least, most = _THRESHOLDS_MS[0], _THRESHOLDS_MS[-1]
        raise wrong(f"queue_threshold: '{threshold[:40]}' is not in {least}...{most} milliseconds")
    # For these tiers it holds; others wait as long as it takes.
    return int(threshold) / 1000 if tier in _BOUNDED_TIERS else None


# ---- what the model reads -----------------------------------------------------------------------


def _chat(said: Body, model: CerebrasModel) -> ChatRequest:
    limit = limit_of(_asked_tokens(said), model)
    return ChatRequest(
        turns=tuple(_turn(message) for message in said.messages),
        max_tokens=limit,
        min_tokens=least_of(_least_asked(said), limit),
        temperature=1.0 if said.temperature is None else said.temperature,
        top_p=1.0 if said.top_p is None else said.top_p,
        frequency_penalty=said.frequency_penalty or 0.0,
        presence_penalty=said.presence_penalty or 0.0,
        logit_bias=tuple((int(key), value) for key, value in (said.logit_bias or {}).items()),
        seed=said.seed,
        stop=stops_of(said),
        num_logprobs=(said.top_logprobs or 0) if said.logprobs else None,
        num_choices=said.n or 1,
        form=_form(said),
        tools=_tools(said, model),
        prediction=_text(said.prediction.content) if said.prediction else None,
        switches=_switches(said, model),
        cache_key=said.prompt_cache_key or "",
        priority=_PRIORITIES.get(said.service_tier or "", 0),
    )


def _asked_tokens(said: Body) -> int | None:
    asked = said.max_tokens if said.max_completion_tokens is None else said.max_completion_tokens
    return bound_of(asked)


def _least_asked(said: Body) -> int | None:
    return said.min_tokens if said.min_completion_tokens is None else said.min_completion_tokens


def bound_of(asked: int | None) -> int | None:
    """Return how many tokens the client lets an answer have; None is as many as it takes."""
    return None if asked == -1 else asked


def limit_of(bound: int | None, model: CerebrasModel) -> int:
    """Return how many tokens an answer may have."""
    return model.max_output_tokens if bound is None else min(bound, model.max_output_tokens)


def least_of(asked: int | None, limit: int) -> int:
    """Return how many tokens an answer must have; -1 asks for all that it may have."""
    return limit if asked == -1 else min(asked or 0, limit)


def _turn(message: Message) -> ChatTurn:
    text = _text(message.content or "")
    if isinstance(message, ToolAnswer):
        return ChatTurn("tool", text, message.name, answered_id=message.tool_call_id)
    if isinstance(message, Assistant):
        calls = tuple(
            TurnCall(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
        )
        reasoning = _text(message.reasoning) if message.reasoning else None
        return ChatTurn("assistant", text, message.name, reasoning, calls)
    role = message.__struct_config__.tag
    return ChatTurn("user" if role == "user" else "system", text, message.name)


def _text(content: Content | list[Text]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content if isinstance(part, Text))


def _form(said: Body) -> ChatForm | None:
    asked = said.response_format
    if asked is None or asked.type == "text":
        return None
    if asked.json_schema is None or asked.json_schema.schema is None:
        return ChatForm("json_object")
    source = msgspec.json.encode(asked.json_schema.schema).decode()
    is_strict = bool(asked.json_schema.strict)
    return ChatForm("json_schema", source, is_strict, "response_format.json_schema.schema")


def _tools(said: Body, model: CerebrasModel) -> ChatTools | None:
    if not said.tools:
        return None
    offered = tuple(
        ChatTool(
            tool.function.name,
            tool.function.description or "",
            msgspec.json.encode(
                tool.function.parameters or {"type": "object", "properties": {}}
            ).decode(),
            tool.function.strict,
        )
        for tool in said.tools
    )
    asked, name = said.tool_choice, None
    if isinstance(asked, Named):
        name = asked.function.name
    return ChatTools(
        tools=offered,
        choice=_CHOICES[asked or "auto"] if not isinstance(asked, Named) else "named",
        name=name,
        is_parallel=model.has_parallel_tools and said.parallel_tool_calls is not False,
    )


def _switches(said: Body, model: CerebrasModel) -> dict[str, bool | int | str]:
    effort = said.reasoning_effort or model.default_effort
    if said.disable_reasoning:
        effort = "none"
    switches: dict[str, bool | int | str] = {}
    if effort is not None:
        switches["reasoning_effort"] = effort
        if effort == "none":
            switches["enable_thinking"] = False  # how most templates are told
    switches["clear_thinking"] = said.clear_thinking is not False
    return switches


def _format(said: Body, model: CerebrasModel) -> Format:
    if said.reasoning_format != "none":
        return said.reasoning_format
    is_raw = model.default_format == "raw"
    return "hidden" if is_raw and is_json(said) else model.default_format
