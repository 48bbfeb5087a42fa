"""A request as the body of Gemini's `generateContent`.

Model and streaming are in the address, not in the body. Safety settings are left to the account.
Contents are written in writing_contents.py.

Source: ../shared/reference/protocols.md, section F, and providers.md, section 4, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.wire.chat.habits import Habits
from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.chat.writing import effort_of_budget, nearest_effort
from slipstream.wire.gemini.models import (
    budget_of,
    joins_form_and_tools,
    levels_of,
    takes_levels,
)
from slipstream.wire.gemini.writing_contents import write_contents
from slipstream.wire.talk.asking import Asked, Target, Written
from slipstream.wire.talk.custom_tools import as_function
from slipstream.wire.talk.means import Form, Thinking, Tool, ToolChoice

_HABITS: Final = Habits(max_stops=5)
_ESSENTIAL: Final = frozenset(
    {"candidateCount", "stopSequences", "responseLogprobs", "logprobs", "responseMimeType"}
)
# What Asked calls a field of sampling, and what Gemini does.
_SAMPLING: Final = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_UNKNOWN: Final = ("prediction", "cache_key", "user", "metadata", "verbosity")
_TIERS: Final = {"default": "standard", "flex": "flex", "priority": "priority"}
_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
_encode: Final = msgspec.json.Encoder().encode


def write_asked(asked: Asked, target: Target) -> Written:
    """Return a request as Gemini takes it, and what it gets otherwise than the client wrote.

    Raises:
        Unsupported: Gemini cannot do what the client would miss; the error names the field.
        BadRequest: A result answers no call that was made.
    """
    sheet = Sheet(asked, target, _HABITS, _ESSENTIAL)  # its fields are the generationConfig
    body = write_contents(sheet)
    _write_tools(sheet, body)
    _write_config(sheet)
    _write_form(sheet, asked.form)
    _write_thinking(sheet, asked.thinking)
    for field in _UNKNOWN:
        if getattr(asked, field) is not None:
            sheet.change(field)
    if asked.service_tier in _TIERS:
        body["serviceTier"] = _TIERS[asked.service_tier]
    elif asked.service_tier not in (None, "auto"):
        sheet.change("service_tier")
    for name in asked.extras:
        sheet.change(name)
    if sheet.fields:
        body["generationConfig"] = sheet.fields
    return Written(_encode(body), sheet.changes)


def _write_config(sheet: Sheet) -> None:
    asked, said = sheet.asked, sheet.asked.sampling
    sheet.put("maxOutputTokens", asked.max_tokens, "max_tokens")
    sheet.put("candidateCount", asked.num_choices if asked.num_choices > 1 else None, "num_choices")
    for field, name in _SAMPLING.items():
        sheet.put(name, getattr(said, field), field)
    for field in ("min_p", "repetition_penalty"):
        if getattr(said, field) is not None:
            sheet.change(field)
    if said.logit_bias:
        raise sheet.unsupported("logit_bias")
    stops = said.stop[: sheet.habits.max_stops]
    if len(stops) < len(said.stop):
        sheet.change("stop", f"the first {len(stops)}")
    sheet.put("stopSequences", stops or None, "stop")


def _write_tools(sheet: Sheet, body: dict[str, Any]) -> None:
    asked, choice = sheet.asked, sheet.asked.tool_choice
    for hosted in asked.hosted_tools:
        sheet.change("hosted_tools", f"without {hosted.kind}")
    offered = asked.tools
    if choice is not None and choice.mode == "allowed" and not choice.must_call:
        offered = tuple(tool for tool in offered if tool.name in choice.names)
        choice = ToolChoice()
    if not offered:
        return
    body["tools"] = [{"functionDeclarations": [_declaration(tool, sheet) for tool in offered]}]
    if choice is not None:
        config: dict[str, Any] = {"mode": _MODES.get(choice.mode, "ANY")}
        if choice.names:
            config["allowedFunctionNames"] = choice.names
        body["toolConfig"] = {"functionCallingConfig": config}
    if asked.is_parallel is False:
        sheet.change("is_parallel")


def _declaration(tool: Tool, sheet: Sheet) -> dict[str, Any]:
    if tool.cache is not None:
        sheet.change("cache")
    tool = as_function(tool)
    said: dict[str, Any] = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    if tool.schema is not None:
        said["parametersJsonSchema"] = msgspec.Raw(tool.schema.encode())
    return said


def _write_form(sheet: Sheet, form: Form | None) -> None:
    if form is None:
        return
    if sheet.asked.tools and not joins_form_and_tools(sheet.target.model):
        raise sheet.unsupported("form", "tools beside a form of the answer")
    sheet.put("responseMimeType", "application/json", "form")
    if form.schema is not None:
        sheet.put("responseJsonSchema", msgspec.Raw(form.schema.encode()), "form")


def _write_thinking(sheet: Sheet, thinking: Thinking | None) -> None:
    if thinking is None:
        return
    config: dict[str, Any] = {}
    model, effort, budget = sheet.target.model, thinking.effort, thinking.budget_tokens
    if takes_levels(model):
        asked_for = effort if effort is not None or budget is None else effort_of_budget(budget)
        if asked_for is not None:
            level = nearest_effort(asked_for, sheet.target.efforts or levels_of(model))
            config["thinkingLevel"] = level
            if level != effort:
                sheet.change("thinking", level)
    elif effort is not None:
        config["thinkingBudget"] = budget_of(model, effort)
    elif budget is not None:
        config["thinkingBudget"] = budget
    elif thinking.is_adaptive:
        config["thinkingBudget"] = -1  # as much as it wants
    if effort != "none" and thinking.shows != "none":
        config["includeThoughts"] = True
    sheet.put("thinkingConfig", config or None, "thinking")
