"""A client's request in Messages, read whole: `read_asked`.

What the vocabulary has no place for is kept by name for a target of the same dialect: whole fields
(`container`), parts of fields (`output_config.task_budget`), and what tools say beside the usual
(`tools.input_examples`, by tool). Unknown fields are such; an unknown block is an error.

Source: anthropic-python 2.11.0's types and runs of Claude Code 2.1.329, 2026-11-21.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from slipstream.errors import Unsupported
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.messages.names import DIALECT
from slipstream.wire.messages.reading_tools import read_choice, read_tools
from slipstream.wire.messages.reading_turns import read_system, read_turns
from slipstream.wire.refusals import decode_at, invalid, missing, not_among
from slipstream.wire.sampling import MAX_TOKENS
from slipstream.wire.talk.asking import Asked, Turn
from slipstream.wire.talk.means import Form, Sampling, Thinking

_NOTHING: Final = msgspec.Raw()
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_KINDS_OF_THINKING: Final = ("adaptive", "enabled", "disabled", "between_tools")
# `updates` is Claude Code's wish since 2.1.330, a beta: it shows what it gets of a summary.
_SHOWS: Final = {"summarized": "summary", "omitted": "none", "updates": "summary"}
_TIERS: Final = {"auto": "auto", "standard_only": "default"}
_MAX_STOP_CHARS: Final = 1_000
# What a client must not lose without a word in the answer, and what only Anthropic can give.
_NEVER_LEFT_OUT: Final = ("mcp_servers", "safeguards")
_NEUTRAL: Final = (b"[]", b"{}", b"false")

Extras = dict[str, msgspec.Raw]


class _Body(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=512)]
    messages: Annotated[list[msgspec.Raw], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None = None
    system: str | list[msgspec.Raw] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: msgspec.Raw = _NOTHING
    thinking: msgspec.Raw = _NOTHING
    output_config: msgspec.Raw = _NOTHING
    output_format: msgspec.Raw = _NOTHING  # the older place of `output_config.format`
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    stop_sequences: list[str] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=MAX_TOKENS)] | None = None
    stream: bool | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: Annotated[int, Meta(ge=1024, le=MAX_TOKENS)] | None = None
    display: str | None = None


class _OutputConfig(Struct):
    effort: str | None = None
    format: msgspec.Raw = _NOTHING


class _Format(Struct):
    type: str
    schema: msgspec.Raw = _NOTHING


_body_decoder: Final = msgspec.json.Decoder(_Body)
_fields_decoder: Final = msgspec.json.Decoder(Extras)
_thinking_decoder: Final = msgspec.json.Decoder(_Thinking | None)
_config_decoder: Final = msgspec.json.Decoder(_OutputConfig | None)
_format_decoder: Final = msgspec.json.Decoder(_Format | None)


def read_asked(body: bytes, *, is_count: bool = False) -> Asked:
    """Read a whole request.

    Args:
        body: As the client sent it.
        is_count: It only wants its tokens counted (`count_tokens`), so `max_tokens` may be missing.

    Raises:
        BadRequest: It names the field (`messages[1].content[0].text`), the value, and what is
            accepted.
        Unsupported: It holds what only Anthropic can make sense of; `param` names it.
    """
    try:
        said = _body_decoder.decode(body)
        if said.max_tokens is None and not is_count:
            raise missing("max_tokens")
        extras = _unknown(body, _Body, "")
        _check_extras(extras)
        return _read(said, extras)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc


def _check_extras(extras: Extras) -> None:
    for name in _NEVER_LEFT_OUT:
        if bytes(extras.get(name, b"[]")) not in _NEUTRAL:
            error = Unsupported(f"Only a model of Anthropic's can honour '{name}': leave it out.")
            error.param = name
            raise error


def _read(said: _Body, extras: Extras) -> Asked:
    system = read_system(said.system, extras)
    turns = (*((Turn("system", system),) if system else ()), *read_turns(said.messages, extras))
    tools, hosted = read_tools(said.tools, extras)
    choice, is_parallel = read_choice(said.tool_choice)
    thinking, form = _read_thinking_and_form(said, extras)
    user, metadata = _read_metadata(said.metadata)
    return Asked(
        dialect=DIALECT,
        model=said.model,
        turns=turns,
        tools=tools,
        hosted_tools=hosted,
        tool_choice=choice,
        is_parallel=is_parallel,
        form=form,
        thinking=thinking,
        sampling=Sampling(
            temperature=said.temperature,
            top_p=said.top_p,
            top_k=said.top_k,
            stop=_read_stops(said.stop_sequences),
        ),
        max_tokens=said.max_tokens,
        is_stream=bool(said.stream),
        wants_usage=True,  # every answer of this dialect tells it
        user=user,
        service_tier=_read_tier(said.service_tier),
        metadata=metadata,
        extras=extras,
    )


def _unknown(raw: bytes | msgspec.Raw, known: type[Struct], prefix: str) -> Extras:
    """Return the fields of an object that a record does not have, but for those that are null."""
    fields = _fields_decoder.decode(raw)
    return {
        prefix + name: value
        for name, value in fields.items()
        if name not in known.__struct_fields__ and bytes(value) != b"null"
    }


def _read_thinking_and_form(said: _Body, extras: Extras) -> tuple[Thinking | None, Form | None]:
    """Read the two together: effort and form stand in the same field."""
    config = decode_at(_config_decoder, said.output_config or _NULL, "output_config")
    effort = None
    form = _read_form(said.output_format, "output_format")
    if config is not None:
        extras.update(_unknown(said.output_config, _OutputConfig, "output_config."))
        effort = config.effort
        if effort is not None and effort not in _EFFORTS:
            raise not_among("output_config.effort", effort, _EFFORTS)
        form = _read_form(config.format, "output_config.format") or form
    return _read_thinking(said.thinking, effort, extras), form


def _read_thinking(raw: msgspec.Raw, effort: str | None, extras: Extras) -> Thinking | None:
    said = decode_at(_thinking_decoder, raw or _NULL, "thinking")
    if said is None:
        return None if effort is None else Thinking(effort=effort)
    if said.type not in _KINDS_OF_THINKING:
        raise not_among("thinking.type", said.type, _KINDS_OF_THINKING)
    extras.update(_unknown(raw, _Thinking, "thinking."))
    if said.type in ("disabled", "between_tools"):
        if said.type == "between_tools":
            extras["thinking.type"] = msgspec.Raw(b'"between_tools"')
        if effort is not None:  # how much it says is asked apart from what it thinks
            extras["output_config.effort"] = msgspec.Raw(b'"%s"' % effort.encode())
        return Thinking(effort="none")
    if said.type == "enabled" and said.budget_tokens is None:
        raise missing("thinking.budget_tokens")
    if said.display is not None and said.display not in _SHOWS:
        raise not_among("thinking.display", said.display, tuple(_SHOWS))
    if said.display == "updates":
        extras["thinking.display"] = msgspec.Raw(b'"updates"')
    return Thinking(
        effort=effort,
        budget_tokens=said.budget_tokens if said.type == "enabled" else None,
        is_adaptive=said.type == "adaptive",
        shows=_SHOWS[said.display] if said.display else None,
    )


def _read_form(raw: msgspec.Raw, where: str) -> Form | None:
    said = decode_at(_format_decoder, raw or _NULL, where)
    if said is None:
        return None
    if said.type != "json_schema":
        raise not_among(f"{where}.type", said.type, ("json_schema",))
    if not bytes(said.schema):
        raise missing(f"{where}.schema")
    return Form(kind="json_schema", schema=bytes(said.schema).decode(), strict=True)


def _read_stops(said: list[str] | None) -> tuple[str, ...]:
    for at, stop in enumerate(said or ()):
        if not 0 < len(stop) <= _MAX_STOP_CHARS:
            raise invalid(
                f"stop_sequences[{at}]",
                f"expected 1 to {_MAX_STOP_CHARS} characters, got {len(stop)}",
            )
    return tuple(said or ())


def _read_tier(said: str | None) -> str | None:
    if said is not None and said not in _TIERS:
        raise not_among("service_tier", said, tuple(_TIERS))
    return _TIERS[said] if said else None


def _read_metadata(said: dict[str, Any] | None) -> tuple[str | None, dict[str, str] | None]:
    """Return who asks, and what else there is."""
    user = (said or {}).get("user_id")
    if user is not None and not isinstance(user, str):
        raise invalid("metadata.user_id", "expected a string")
    rest = {
        name: value
        for name, value in (said or {}).items()
        if name != "user_id" and isinstance(value, str)
    }
    return user, rest or None


_NULL: Final = msgspec.Raw(b"null")
