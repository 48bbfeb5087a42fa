"""A request in chat's words, for an upstream that speaks it, with its provider's habits.

Fields that a client of another dialect cannot know are its own reader's to translate: here `extras`
are for clients of chat, and named among the changes for others. The messages are written in
writing_turns.py, the tools in writing_tools.py.
"""

from hashlib import sha256
from typing import Any, Final

import msgspec

from slipstream.wire.chat.habits import EFFORTS, habits_of
from slipstream.wire.chat.reading import DIALECT
from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.chat.writing_tools import write_tools
from slipstream.wire.chat.writing_turns import write_turns
from slipstream.wire.talk.asking import Asked, Target, Written
from slipstream.wire.talk.means import Form, Thinking

_SAMPLING: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "logprobs",
    "top_logprobs",
)
# By this name a model says that it knows the limit by its newer name only; a strange server may be
# in front of one.
_OLD_LIMIT: Final = "openai_chat.max_tokens"
_NEWER_LIMIT: Final = "max_completion_tokens"
# The least budget of thinking tokens that is worth each word (protocols.md, sections C and F).
_BUDGETS: Final = ((10_001, "high"), (2_049, "medium"), (1, "low"), (0, "none"))
_encode: Final = msgspec.json.Encoder().encode


def write_asked(asked: Asked, target: Target) -> Written:
    """Return a request as a target takes it, and what it gets otherwise than the client wrote.

    Raises:
        Unsupported: The target cannot do what the client would miss; the error names the field.
    """
    sheet = Sheet(asked, target, habits_of(target.vendor))
    sheet.fields["model"] = target.model
    sheet.fields["messages"] = write_turns(sheet)
    write_tools(sheet)
    _write_limits(sheet)
    _write_sampling(sheet)
    _write_form(sheet, asked.form)
    _write_thinking(sheet, asked.thinking)
    _write_rest(sheet)
    for name, raw in asked.extras.items():
        if asked.dialect == DIALECT:
            sheet.put(name, raw)
        else:
            sheet.change(name)
    return Written(_encode(sheet.fields), sheet.changes)


def _write_limits(sheet: Sheet) -> None:
    asked = sheet.asked
    is_newer = sheet.habits.is_strange and _OLD_LIMIT in sheet.target.refuses
    name = _NEWER_LIMIT if is_newer else sheet.habits.max_tokens
    sheet.put(name, asked.max_tokens, "max_tokens")
    sheet.put("n", asked.num_choices if asked.num_choices > 1 else None, "num_choices")
    if not asked.is_stream:
        return
    sheet.fields["stream"] = True
    if sheet.takes("stream_options"):
        sheet.fields["stream_options"] = {"include_usage": True}


def _write_sampling(sheet: Sheet) -> None:
    said, habits = sheet.asked.sampling, sheet.habits
    for field in _SAMPLING:
        sheet.put(field, getattr(said, field))
    sheet.put(habits.seed, said.seed, "seed")
    sheet.put("logit_bias", said.logit_bias or None)
    stops = said.stop[: habits.max_stops]
    if len(stops) < len(said.stop):
        sheet.change("stop", f"the first {len(stops)}")
    sheet.put("stop", stops or None)


def _write_form(sheet: Sheet, form: Form | None) -> None:
    if form is None:
        return
    if "tools" in sheet.fields and not sheet.habits.joins_form_and_tools:
        raise sheet.unsupported("form", "tools beside a form of the answer")
    value: dict[str, Any] = {"type": form.kind}
    if form.kind == "json_schema":
        schema = {
            "name": form.name or "answer",
            "description": form.description,
            "schema": msgspec.Raw(form.schema.encode()) if form.schema is not None else None,
            "strict": form.strict,
        }
        value["json_schema"] = {key: item for key, item in schema.items() if item is not None}
    sheet.put("response_format", value, "form")


def _write_thinking(sheet: Sheet, thinking: Thinking | None) -> None:
    if thinking is None:
        return
    budget, habits = thinking.budget_tokens, sheet.habits
    if habits.budget and budget is not None and thinking.effort is None:
        sheet.put("reasoning", {"max_tokens": budget}, "thinking")
        return
    effort = thinking.effort
    if effort is None and budget is not None:
        effort = effort_of_budget(budget)
    if effort is None:
        return  # how much is the model's to decide, as it does by itself
    allowed = sheet.target.efforts or habits.efforts or EFFORTS
    nearest = nearest_effort(effort, allowed)
    if nearest != thinking.effort and sheet.takes("reasoning_effort"):
        sheet.change("thinking", nearest)
    sheet.put("reasoning_effort", nearest, "thinking")


def effort_of_budget(budget_tokens: int) -> str:
    """Return the word for a number of thinking tokens."""
    return next(word for least, word in _BUDGETS if max(budget_tokens, 0) >= least)


def nearest_effort(effort: str, allowed: tuple[str, ...]) -> str:
    """Return the most of the allowed efforts that is not over the one asked for.

    Whoever wants thinking does not get `none`, and who wants none gets the least there is.
    """
    if effort in allowed or not allowed:
        return effort
    known = [word for word in EFFORTS if word in allowed and word != "none"]
    lower = [word for word in known if EFFORTS.index(word) <= EFFORTS.index(effort)]
    if lower and effort != "none":
        return lower[-1]
    return known[0] if known else allowed[0]


def _write_rest(sheet: Sheet) -> None:
    asked, habits = sheet.asked, sheet.habits
    if asked.prediction is not None:
        sheet.put("prediction", {"type": "content", "content": asked.prediction})
    sheet.put("prompt_cache_key", asked.cache_key, "cache_key")
    sheet.put("metadata", asked.metadata)
    sheet.put("verbosity", asked.verbosity)
    if asked.service_tier is not None:
        tier = habits.tiers.get(asked.service_tier)
        if tier is None:
            sheet.change("service_tier")
        sheet.put("service_tier", tier)
    if asked.user is None:
        return
    if habits.user is None:
        sheet.change("user")
    elif len(asked.user) <= habits.max_user_chars:
        sheet.put(habits.user, asked.user, "user")
    else:
        sheet.change("user", "its hash")
        sheet.put(habits.user, sha256(asked.user.encode()).hexdigest(), "user")
