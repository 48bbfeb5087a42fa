"""A chat request of any OpenAI client, made one that Cerebras accepts, and what was changed of it.

Theory of operation
-------------------
1. Most requests are acceptable as they are. One typed decoding and the profile's rules tell it; the
   bytes then stay, all but the model's name.
2. Any other is decoded whole and changed step by step (`Draft`). A field goes only if the answer is
   the same without it, or still what the client asked for. All other differences are refused, in
   words that name the field: `Unsupported`, since another target may take the request.
3. What is left must pass the strict reader of the profile, so nothing that it refuses is sent.
4. A key whose value is null or empty says nothing: it goes without being named.

Source: ../shared/reference/cerebras-api.md sections 2, 5.4 and 10; openai-python 3.52.0's types,
2026-11-21.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.body import Body, Text
from slipstream.wire.cerebras.closed import decode_closed
from slipstream.wire.cerebras.draft import Draft, Path, drop_unknown, inside, keys_of, not_taken
from slipstream.wire.cerebras.models import CerebrasModel, row_for
from slipstream.wire.cerebras.outbound_messages import adapt_messages
from slipstream.wire.cerebras.outbound_tools import adapt_format, adapt_functions, adapt_tools
from slipstream.wire.cerebras.rules import check_rules, read_images
from slipstream.wire.cerebras.shape import StreamOptions
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.openai_chat import patch_request


class Adapted(NamedTuple):
    """A body that the target takes, and the words for what is not as the client wrote it."""

    body: bytes
    changes: tuple[str, ...]


def adapt_chat(
    body: bytes, *, model: str, row: CerebrasModel | None, relaxes: bool = False
) -> Adapted:
    """Make any OpenAI chat one that Cerebras accepts.

    Args:
        body: A body that `openai_chat.scan_request` accepted.
        model: The upstream's own id, which takes the place of the client's.
        row: What this model can do; None where that is not known, and nothing is refused for it.
        relaxes: Leave keywords out of strict schemas, and name them, instead of refusing them.

    Raises:
        BadRequest: No model takes it; names the field.
        Unsupported: This target does not do what is asked; names the field.
    """
    row = _unknown_row(model) if row is None else row
    if _is_acceptable(body, row):
        return Adapted(patch_request(body, model=model, ask_usage=False), ())
    draft = Draft(body)
    draft.put("model", value=model)
    _adapt_fields(draft)
    adapt_functions(draft)
    adapt_messages(draft, row)
    adapt_tools(draft, row, relaxes=relaxes)
    adapt_format(draft, row, relaxes=relaxes)
    for adapt in _OPTIONS:
        adapt(draft, row)
    _refuse_rest(draft, row)
    return Adapted(draft.encode(), draft.changes)


def _is_acceptable(body: bytes, row: CerebrasModel) -> bool:
    """Tell cheaply a body in which nothing need be changed but the model's name."""
    try:
        said = decode_closed(body)
        assert isinstance(said, Body), "a closed shape is a shape"
        _check(said, row)
    except (*UNREADABLE, BadRequest):
        return False
    form = said.response_format
    has_leave = said.parallel_tool_calls is True and not row.has_parallel_tools
    # Beside another format, the key of a schema is unknown, which the types do not tell.
    return not has_leave and (form is None or form.type == "json_schema")


def _unknown_row(model: str) -> CerebrasModel:
    return msgspec.structs.replace(row_for(model), max_images=2**20, max_image_bytes=2**40)


# ---- fields -------------------------------------------------------------------------------------

_FIELDS: Final = frozenset(Body.__struct_fields__)
# Without these the same model gives the same answer.
_LEFT_OUT: Final = frozenset(
    [
        "metadata",  # for lists of stored answers
        "prompt_cache_options",  # the cache there is automatic
        "prompt_cache_retention",
        "safety_identifier",  # of the end user, for OpenAI's own checks
        "session_id",  # OpenRouter's
        "store",  # so that OpenAI keeps the answer
        "usage",  # OpenRouter's way to ask for usage, which always comes
        "verbosity",  # a wish that no model there was taught
    ]
)
# What an answer without these would lack.
_REFUSED: Final = {
    "audio": "its answers are text",
    "moderation": "it checks no texts",
    "web_search_options": "it searches nothing",
}
_UNKNOWN: Final = "it has no such field"
_OLD: Final = frozenset(["functions", "function_call"])


def _adapt_fields(draft: Draft) -> None:
    said = draft.said
    modalities = said.get("modalities")
    if modalities == ["text"]:
        draft.drop("modalities")
    elif modalities:
        raise not_taken("modalities", _REFUSED["audio"])
    for field in [field for field in said if field not in _FIELDS and field not in _OLD]:
        if said[field] not in (None, []) and field not in _LEFT_OUT:
            raise not_taken(field, _REFUSED.get(field, _UNKNOWN))
        draft.drop(field)
    if said.get("max_tokens") is not None and said.get("max_completion_tokens") is not None:
        draft.drop("max_tokens")  # the older name of the same
    if "reasoning_format" in said and said["reasoning_format"] is None:
        draft.drop("reasoning_format")  # the one field that may not be null


# ---- options ------------------------------------------------------------------------------------

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_OPENAI_TIERS: Final = ("scale", "fast")
_MAX_CACHE_KEY_CHARS: Final = 1024
_OPTION_KEYS: Final = keys_of(StreamOptions)
_PREDICTION_KEYS: Final = keys_of(inside(Body, "prediction"))
_TEXT_KEYS: Final = keys_of(Text)


def _adapt_effort(draft: Draft, row: CerebrasModel) -> None:
    """Ask for the nearest effort that the model has; thinking is not turned off by that, nor on."""
    asked = draft.said.get("reasoning_effort")
    if not isinstance(asked, str) or asked in row.efforts or asked not in _EFFORTS:
        return
    near = nearest_effort(asked, row.efforts)
    if near is None:
        draft.drop("reasoning_effort")
        return
    draft.put("reasoning_effort", value=near)
    draft.note("reasoning_effort", to=near)


def nearest_effort(asked: str, efforts: tuple[str, ...]) -> str | None:
    """Return the effort nearest to the one asked for, the higher of two; None if there is none.

    `none` is near to no other; who asks for it and cannot have it gets the least.
    """
    offered = [effort for effort in efforts if effort != "none"]
    rank = _EFFORTS.index(asked)
    return min(
        offered,
        key=lambda effort: (abs(_EFFORTS.index(effort) - rank), -_EFFORTS.index(effort)),
        default=None,
    )


def _adapt_prediction(draft: Draft, row: CerebrasModel) -> None:
    """Leave a guess out where it may not stand: it makes an answer faster, never another."""
    said = draft.said
    guess = said.get("prediction")
    if not isinstance(guess, dict):
        return
    is_many = isinstance(said.get("n"), int) and said["n"] > 1
    if not row.has_prediction or said.get("tools") or said.get("logprobs") is True or is_many:
        draft.drop("prediction")
        return
    drop_unknown(draft, ("prediction",), guess, _PREDICTION_KEYS)
    parts = guess.get("content")
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        where: Path = ("prediction", "content", number)
        drop_unknown(draft, where, part, _TEXT_KEYS)


def _adapt_hints(draft: Draft, row: CerebrasModel) -> None:
    """Leave out what has nothing to act on, or only OpenAI could act on it."""
    said = draft.said
    drop_unknown(draft, ("stream_options",), said.get("stream_options"), _OPTION_KEYS)
    if said.get("top_logprobs") is not None and said.get("logprobs") is not True:
        draft.drop("top_logprobs")
    if said.get("service_tier") in _OPENAI_TIERS:
        draft.drop("service_tier")
    key = said.get("prompt_cache_key")
    if isinstance(key, str) and len(key) > _MAX_CACHE_KEY_CHARS:
        draft.drop("prompt_cache_key")


def _check_abilities(draft: Draft, row: CerebrasModel) -> None:
    """Refuse what Cerebras has and this model of it has not."""
    said = draft.said
    wanted = said.get("reasoning_format", "none")
    lacks = {
        "reasoning_format": isinstance(wanted, str) and wanted not in row.formats,
        "clear_thinking": said.get("clear_thinking") is not None and not row.has_clear_thinking,
        "disable_reasoning": said.get("disable_reasoning") is True and "none" not in row.efforts,
        "model_parameters": said.get("model_parameters") is not None,
    }
    for field, is_lacking in lacks.items():
        if is_lacking:
            raise not_taken(field, f"the model '{row.name}' has no such thing")


_OPTIONS: Final[tuple[Callable[[Draft, CerebrasModel], None], ...]] = (
    _adapt_effort,
    _adapt_prediction,
    _adapt_hints,
    _check_abilities,
)

# ---- the last look ------------------------------------------------------------------------------

_ROLE: Final = re.compile(r"^(messages\.\d+)\.(?:assistant|tool)\.")  # Cerebras's way to say a path
_PLACE: Final = re.compile(r"(?:body\.)?(?P<at>[\w$.-]+): |^\"(?P<field>\w+)\"")


def _check(said: Body, row: CerebrasModel) -> None:
    check_rules(said, row)
    for _ in read_images(said.messages, row):
        pass


def _refuse_rest(draft: Draft, row: CerebrasModel) -> None:
    """Refuse what the profile's own reader would, in OpenAI's words."""
    try:
        _check(msgspec.convert(draft.said, Body), row)
    except msgspec.ValidationError as exc:
        raise explain(exc, draft.encode()) from exc
    except BadRequest as exc:
        message = _ROLE.sub(r"\1.", exc.message)
        found = _PLACE.match(message)
        error = BadRequest(
            message, param=(found["at"] or found["field"]) if found else None, code="invalid_value"
        )
        error.status = exc.status
        raise error from exc
