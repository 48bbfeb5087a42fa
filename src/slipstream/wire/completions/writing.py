"""A conversation as a request for a text completion, for models that only go on with text.

What such a model has no word for (tools, images, forms, reasoning) is refused by the name that the
client wrote. A text client's own request never comes here: its bytes are relayed.

Source: platform documentation and openai-python 3.52.0's types; vLLM's names for what OpenAI has
not, as in completions_request.py; 2026-11-21.
"""

from typing import Final

import msgspec

from slipstream.wire.chat.habits import Habits
from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.completions.transcript import STOPS, write_transcript
from slipstream.wire.talk.asking import Asked, Target, Written

# For who says no limit: the dialect's own is 16 tokens, too few for an answer, and servers refuse
# what does not fit the context beside the prompt, which is 2,048 tokens of many base models.
DEFAULT_MAX_TOKENS: Final = 512

_HABITS: Final = Habits(parts=frozenset())
# A text model tells them in another form, over tokens that are not those of the answer.
_SCORES: Final = ("logprobs", "top_logprobs")
_SAMPLING: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
)
_NO_WORD: Final = ("prediction", "cache_key", "metadata", "verbosity")
_USUAL_TIERS: Final = (None, "auto", "default")
_encode: Final = msgspec.json.Encoder().encode


def write_asked(asked: Asked, target: Target) -> Written:
    """Return a request as a text model takes it, and what it gets otherwise than was written.

    Raises:
        Unsupported: The client would miss what cannot be said; the error names the field.
    """
    sheet = Sheet(asked, target, _HABITS)
    _refuse_what_is_no_text(sheet)
    sheet.fields["model"] = target.model
    sheet.fields["prompt"] = write_transcript(sheet)
    _write_limits(sheet)
    for field in _SAMPLING:
        sheet.put(field, getattr(asked.sampling, field))
    sheet.put("logit_bias", asked.sampling.logit_bias or None)
    sheet.put("user", asked.user)
    for field in _NO_WORD:
        if getattr(asked, field) is not None:
            sheet.change(field)
    if asked.service_tier not in _USUAL_TIERS:
        sheet.change("service_tier")
    for name in asked.extras:
        sheet.change(name)
    return Written(_encode(sheet.fields), sheet.changes)


def _refuse_what_is_no_text(sheet: Sheet) -> None:
    asked, choice = sheet.asked, sheet.asked.tool_choice
    may_call = choice is None or choice.mode != "none"
    if asked.tools and may_call:
        raise sheet.unsupported("tools")
    for hosted in asked.hosted_tools:
        sheet.change("hosted_tools", f"without {hosted.kind}")
    if asked.form is not None:
        raise sheet.unsupported("form")
    if asked.thinking is not None and asked.thinking.effort != "none":
        raise sheet.unsupported("thinking")
    for field in _SCORES:
        if getattr(asked.sampling, field):
            raise sheet.unsupported(field)


def _write_limits(sheet: Sheet) -> None:
    asked = sheet.asked
    limit = asked.max_tokens
    if limit is None:
        limit = min(DEFAULT_MAX_TOKENS, sheet.target.max_output_tokens or DEFAULT_MAX_TOKENS)
        sheet.change("max_tokens", str(limit))
    sheet.fields["max_tokens"] = limit
    sheet.fields["stop"] = [*asked.sampling.stop, *STOPS]
    sheet.put("n", asked.num_choices if asked.num_choices > 1 else None, "num_choices")
    if asked.is_stream:
        sheet.fields["stream"] = True
        sheet.fields["stream_options"] = {"include_usage": True}
