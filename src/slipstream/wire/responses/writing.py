"""A request for an upstream that speaks Responses, whatever dialect it came in.

Nothing is kept at the vendor unless the client asked for it. What would change the answer and has
no place here is refused; what is only lost speed or taste is left out and named.

Source: openai-python 3.52.0's types; OpenAI's model matrix of 2026-10; 2026-11-21.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import msgspec

from slipstream.errors import Unsupported
from slipstream.wire.responses.items_out import MARK, write_items
from slipstream.wire.responses.names import DIALECT
from slipstream.wire.responses.reading import SEALED
from slipstream.wire.responses.tools_out import write_choice, write_tools
from slipstream.wire.talk.asking import Asked, Reasoning, Target, Written
from slipstream.wire.talk.means import Form, Thinking
from slipstream.wire.talk.names import field_name

Body = dict[str, Any]

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_BUDGETS: Final = ((2_048, "low"), (10_000, "medium"))  # of thinking tokens; more is high
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
_OTHER_TIERS: Final = {"standard_only": "default", "standard": "default"}
_SUMMARIES: Final = {"auto": "auto", "summary": "auto", "detailed": "detailed"}
_OWN_SUMMARIES: Final = {**_SUMMARIES, "summary": "concise"}  # which not every model has
_MAX_IDENTIFIER_CHARS: Final = 128
_NOTHING: Final[tuple[Any, ...]] = (None, 0, (), {})

# What the dialect cannot say: how to find it, the value that changes nothing, and whether leaving
# it out would change the answer in a way that the client would miss.
_Find = Callable[[Asked], Any]
_UNSAYABLE: Final[tuple[tuple[str, _Find, tuple[Any, ...], bool], ...]] = (
    ("n", lambda asked: asked.num_choices, (1,), True),
    ("stop", lambda asked: asked.sampling.stop, _NOTHING, True),
    ("seed", lambda asked: asked.sampling.seed, (None,), True),
    ("logit_bias", lambda asked: asked.sampling.logit_bias, _NOTHING, True),
    ("frequency_penalty", lambda asked: asked.sampling.frequency_penalty, _NOTHING, True),
    ("presence_penalty", lambda asked: asked.sampling.presence_penalty, _NOTHING, True),
    ("top_k", lambda asked: asked.sampling.top_k, (None, 0, -1), False),
    ("min_p", lambda asked: asked.sampling.min_p, _NOTHING, False),
    ("repetition_penalty", lambda asked: asked.sampling.repetition_penalty, (None, 1), False),
    ("prediction", lambda asked: asked.prediction, (None,), False),
)

# Fields that Chat calls the same and that have no place in Asked.
_SHARED: Final = frozenset(
    {"moderation", "prompt_cache_options", "prompt_cache_retention", "store"}
)

# What the fields of this dialect are in Asked, of which `talk.names` knows the clients' words.
_FIELDS: Final = {
    "n": "num_choices",
    "max_output_tokens": "max_tokens",
    "parallel_tool_calls": "is_parallel",
    "prompt_cache_key": "cache_key",
    "reasoning": "thinking",
    "reasoning.effort": "thinking",
    "safety_identifier": "user",
    "text.format": "form",
    "text.verbosity": "verbosity",
    MARK: "cache",
}


def write_asked(asked: Asked, target: Target) -> Written:
    """Return the body for this target.

    Raises:
        Unsupported: It asks for what no target of this dialect does; the error names the field as
            the client wrote it.
    """
    changes: dict[str, None] = {}
    _check(asked, changes)
    said = write_items(asked, target.vendor, has_marks=MARK not in target.refuses)
    changes.update(dict.fromkeys(_client_name(asked, change) for change in said.changes))
    body: Body = {"model": target.model, "store": False}
    if said.instructions is not None:
        body["instructions"] = said.instructions
    body["input"] = said.items
    _add_tools(body, asked, changes)
    _add_settings(body, asked)
    _add_user(body, asked, target)
    _add_tier(body, asked, changes)
    _add_thinking(body, asked, target, changes)
    _add_extras(body, asked, changes)
    for field in sorted(target.refuses):
        if _drop(body, field):
            changes[_client_name(asked, field)] = None
    return Written(msgspec.json.encode(body), tuple(changes))


def _client_name(asked: Asked, field: str) -> str:
    return field_name(asked.dialect, _FIELDS.get(field, field))


def _check(asked: Asked, changes: dict[str, None]) -> None:
    for field, find, neutral, is_missed in _UNSAYABLE:
        if find(asked) in neutral:
            continue
        name = _client_name(asked, field)
        if is_missed:
            error = Unsupported(f"This model does not take '{name}': leave it out.")
            error.param = name
            raise error
        changes[name] = None


def _add_tools(body: Body, asked: Asked, changes: dict[str, None]) -> None:
    if tools := write_tools(asked, changes):
        body["tools"] = tools
        if asked.is_parallel is not None:
            body["parallel_tool_calls"] = asked.is_parallel
        if asked.tool_choice is not None:
            body["tool_choice"] = write_choice(asked.tool_choice, asked.tools)


def _add_settings(body: Body, asked: Asked) -> None:
    text: Body = {}
    if asked.form is not None:
        text["format"] = _form(asked.form)
    if asked.verbosity is not None:
        text["verbosity"] = asked.verbosity
    sampling = asked.sampling
    has_logprobs = sampling.logprobs or bool(sampling.top_logprobs)
    given: Body = {
        "stream": True if asked.is_stream else None,
        "max_output_tokens": asked.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_logprobs": sampling.top_logprobs if has_logprobs else None,
        "include": ["message.output_text.logprobs"] if has_logprobs else None,
        "text": text or None,
        "prompt_cache_key": asked.cache_key,
        "metadata": asked.metadata,
    }
    body.update({field: value for field, value in given.items() if value is not None})


def _form(form: Form) -> Body:
    if form.kind == "json_object":
        return {"type": "json_object"}
    rest = {"description": form.description, "strict": form.strict}
    return {
        "type": "json_schema",
        "name": form.name or "answer",
        "schema": msgspec.Raw((form.schema or "{}").encode()),
        **{field: value for field, value in rest.items() if value is not None},
    }


def _add_user(body: Body, asked: Asked, target: Target) -> None:
    """Say who asks, in the newer field where the target knows it."""
    if asked.user is not None:
        field = "user" if "safety_identifier" in target.refuses else "safety_identifier"
        is_long = len(asked.user) > _MAX_IDENTIFIER_CHARS
        body[field] = sha256(asked.user.encode()).hexdigest() if is_long else asked.user


def _add_tier(body: Body, asked: Asked, changes: dict[str, None]) -> None:
    said = asked.service_tier
    if said is None:
        return
    tier = _OTHER_TIERS.get(said, said)
    if tier in _TIERS or asked.dialect == DIALECT:
        body["service_tier"] = tier
    if tier not in _TIERS:
        changes["service_tier"] = None
    elif tier != said:
        changes[f"service_tier -> {tier}"] = None


def _add_thinking(body: Body, asked: Asked, target: Target, changes: dict[str, None]) -> None:
    thinking = asked.thinking
    effort = _effort(thinking) if thinking is not None else None
    if effort is not None and target.efforts and effort not in target.efforts:
        nearest = _nearest(effort, target.efforts)
        changes[f"{_client_name(asked, 'reasoning')}: {effort} -> {nearest}"] = None
        effort = nearest
    summaries = _OWN_SUMMARIES if asked.dialect == DIALECT else _SUMMARIES
    shows = summaries.get(thinking.shows or "") if thinking is not None else None
    reasoning = {field: value for field, value in (("effort", effort), ("summary", shows)) if value}
    if reasoning:
        body["reasoning"] = reasoning
    thinks = effort not in (None, "none") or shows is not None or bool(target.efforts)
    if thinks or _has_seals(asked, target.vendor):
        # The vendor keeps nothing, so what it thought must come back with the next turn.
        body["include"] = [*body.get("include", ()), SEALED]


def _effort(thinking: Thinking) -> str | None:
    budget = thinking.budget_tokens
    if thinking.effort is not None or budget is None:
        return thinking.effort
    return next((word for most, word in _BUDGETS if budget <= most), "high")


def _nearest(effort: str, among: tuple[str, ...]) -> str:
    """Return the effort nearest to the one asked for; of two as near the greater."""
    at = EFFORTS.index(effort) if effort in EFFORTS else EFFORTS.index("medium")
    known = [word for word in among if word in EFFORTS] or list(among)
    ranks = {word: EFFORTS.index(word) if word in EFFORTS else at for word in known}
    return min(known, key=lambda word: (abs(ranks[word] - at), -ranks[word]))


def _has_seals(asked: Asked, vendor: str) -> bool:
    return any(
        seal.vendor == vendor
        for turn in asked.turns
        for part in turn.parts
        if isinstance(part, Reasoning)
        for seal in part.seals
    )


def _add_extras(body: Body, asked: Asked, changes: dict[str, None]) -> None:
    for name, raw in asked.extras.items():
        if asked.dialect != DIALECT and name not in _SHARED:
            changes[name] = None
        elif name == "include":
            body["include"] = [*body.get("include", ()), *msgspec.json.decode(raw, type=list[str])]
        else:
            outer, dot, inner = name.partition(".")
            into = body.setdefault(outer, {}) if dot else body
            into[inner or outer] = raw


def _drop(body: Body, field: str) -> bool:
    """Leave a field out, or one within another; tell whether it was there."""
    outer, dot, inner = field.partition(".")
    if not dot:
        return body.pop(outer, None) is not None
    within = body.get(outer)
    if not isinstance(within, dict) or within.pop(inner, None) is None:
        return False
    if not within:
        del body[outer]
    return True
