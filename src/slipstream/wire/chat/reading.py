"""A client's request in chat's words, read into the vocabulary; fields of other vendors too.

Types are checked, ranges are not: what a number may be is for the model that gets it to say. The
messages are read in reading_turns.py, the tools in reading_tools.py.

Source: openai-python 3.52.0's types; OpenRouter's `reasoning`, vLLM's sampling; 2026-11-21.
"""

from typing import Final

import msgspec

from slipstream.wire.chat.habits import EFFORTS
from slipstream.wire.chat.reading_tools import is_given, read_choice, read_tools
from slipstream.wire.chat.reading_turns import read_text, read_turns
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.refusals import decode_at, missing, not_among
from slipstream.wire.sampling_in import SampledBody
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.means import Form, Thinking

DIALECT: Final = "openai_chat"
_NOTHING: Final = msgspec.Raw()
_FORMS: Final = ("text", "json_object", "json_schema")
_SHOWS: Final = ("auto", "detailed", "summary", "none")


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Body(SampledBody, kw_only=True):
    model: str
    messages: list[msgspec.Raw]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int | None = None
    response_format: msgspec.Raw = _NOTHING
    tools: list[msgspec.Raw] | None = None
    tool_choice: msgspec.Raw = _NOTHING
    functions: list[msgspec.Raw] | None = None
    function_call: msgspec.Raw = _NOTHING
    parallel_tool_calls: bool | None = None
    prediction: msgspec.Raw = _NOTHING
    reasoning_effort: str | None = None
    reasoning: msgspec.Raw = _NOTHING
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    verbosity: str | None = None


class _Schema(msgspec.Struct):
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


class _Format(msgspec.Struct):
    type: str
    json_schema: _Schema | None = None


class _Prediction(msgspec.Struct):
    type: str
    content: str | list[msgspec.Raw]


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None
    summary: str | None = None


_KNOWN: Final = frozenset(_Body.__struct_fields__)
_body_decoder: Final = msgspec.json.Decoder(_Body)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_format_decoder: Final = msgspec.json.Decoder(_Format)
_prediction_decoder: Final = msgspec.json.Decoder(_Prediction)
_reasoning_decoder: Final = msgspec.json.Decoder(_Reasoning)


def read_asked(body: bytes) -> Asked:
    """Read a whole request.

    Raises:
        BadRequest: It names the field as OpenAI does (`messages[1].content`), the value, and
            what is accepted.
    """
    try:
        return _read(_body_decoder.decode(body), _fields_decoder.decode(body))
    except UNREADABLE as exc:
        raise explain(exc, body) from exc


def _read(said: _Body, fields: dict[str, msgspec.Raw]) -> Asked:
    tools, hosted = read_tools(said.tools, said.functions)
    limit = said.max_completion_tokens
    options = said.stream_options
    extras = {name: raw for name, raw in fields.items() if name not in _KNOWN and is_given(raw)}
    if said.user is not None and said.safety_identifier is not None:
        extras["safety_identifier"] = fields["safety_identifier"]
    return Asked(
        dialect=DIALECT,
        model=said.model,
        turns=read_turns(said.messages),
        tools=tools,
        hosted_tools=hosted,
        tool_choice=read_choice(said.tool_choice, said.function_call),
        is_parallel=said.parallel_tool_calls,
        form=_read_form(said.response_format),
        thinking=_read_thinking(said),
        sampling=said.sampling(logprobs=said.logprobs, top_logprobs=said.top_logprobs),
        max_tokens=said.max_tokens if limit is None else limit,
        num_choices=said.n or 1,
        is_stream=bool(said.stream),
        wants_usage=bool(options and options.include_usage),
        prediction=_read_prediction(said.prediction),
        cache_key=said.prompt_cache_key,
        user=said.safety_identifier if said.user is None else said.user,
        service_tier=said.service_tier,
        metadata=said.metadata,
        verbosity=said.verbosity,
        extras=extras,
    )


def _read_form(raw: msgspec.Raw) -> Form | None:
    if not is_given(raw):
        return None
    said = decode_at(_format_decoder, raw, "response_format")
    if said.type not in _FORMS:
        raise not_among("response_format.type", said.type, _FORMS)
    if said.type == "text":
        return None
    if said.type == "json_object":
        return Form(kind="json_object")
    asked = said.json_schema
    if asked is None:
        raise missing("response_format.json_schema")
    return Form(
        kind="json_schema",
        name=asked.name,
        description=asked.description,
        schema=bytes(asked.schema).decode() if is_given(asked.schema) else None,
        strict=asked.strict,
    )


def _read_thinking(said: _Body) -> Thinking | None:
    asked = _Reasoning()
    if is_given(said.reasoning):
        asked = decode_at(_reasoning_decoder, said.reasoning, "reasoning")
    where = "reasoning_effort" if said.reasoning_effort is not None else "reasoning.effort"
    effort = said.reasoning_effort if said.reasoning_effort is not None else asked.effort
    if effort is None and asked.enabled is False:
        effort = "none"
    if effort == "default":  # Groq's word for what happens anyway
        effort = None
    if effort is not None and effort not in EFFORTS:
        raise not_among(where, effort, EFFORTS)
    shows = "none" if asked.exclude else asked.summary
    if shows == "concise":
        shows = "summary"
    if shows is not None and shows not in _SHOWS:
        raise not_among("reasoning.summary", shows, ("auto", "concise", "detailed"))
    if effort is None and asked.max_tokens is None and shows is None:
        return None
    return Thinking(effort=effort, budget_tokens=asked.max_tokens, shows=shows)


def _read_prediction(raw: msgspec.Raw) -> str | None:
    if not is_given(raw):
        return None
    said = decode_at(_prediction_decoder, raw, "prediction")
    if said.type != "content":
        raise not_among("prediction.type", said.type, ("content",))
    return read_text(said.content, "prediction.content")
