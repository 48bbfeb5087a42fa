"""A request for an upstream that speaks Messages: `write_asked`.

What `Target.refuses` may hold here: names of the body's fields (`temperature`, `speed`,
`output_config.format`); `thinking.adaptive`, `.disabled`, `.between_tools` and `.display`;
`tool_choice.any` and `.tool`; `tools.strict`; `messages.system`, the role inside messages;
`prefill`, an assistant's message at the end. Keys keep one order: prompt caches depend on it.

Source: protocols.md, section C, and anthropic-python 2.11.0's types, 2026-11-21.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.messages.marks import limit_marks
from slipstream.wire.messages.names import DIALECT, Changes
from slipstream.wire.messages.writing_options import (
    refused,
    write_sampling,
    write_service_tier,
)
from slipstream.wire.messages.writing_thinking import write_thinking
from slipstream.wire.messages.writing_tools import write_choice, write_form, write_tools
from slipstream.wire.messages.writing_turns import (
    THINKING,
    Message,
    split_system,
    write_messages,
    write_system,
)
from slipstream.wire.talk.asking import Asked, Target, Text, Turn, Written

_encode: Final = msgspec.json.Encoder().encode

# What Claude Code asks of a model whose limit it does not know; enough for any answer, and below
# what any model of the last two years takes.
_DEFAULT_MAX_TOKENS: Final = 32_000

# What has no word here, and changes how an answer is found, not whether it is one.
_LEFT_OUT: Final[tuple[tuple[str, Callable[[Asked], object]], ...]] = (
    ("prediction", lambda asked: asked.prediction),
    ("cache_key", lambda asked: asked.cache_key),
    ("verbosity", lambda asked: asked.verbosity),
)
# What a client would miss: the request is refused.
_REFUSED: Final[tuple[tuple[str, Callable[[Asked], object]], ...]] = (
    ("n", lambda asked: asked.num_choices > 1),
    ("logprobs", lambda asked: asked.sampling.logprobs or asked.sampling.top_logprobs),
    ("logit_bias", lambda asked: asked.sampling.logit_bias),
)


def write_asked(asked: Asked, target: Target) -> Written:
    """Write a request.

    Raises:
        Unsupported: It asks for what this dialect or this target cannot do; `param` is the field
            as the client named it.
        BadRequest: It holds nothing that could be sent.
    """
    changes = Changes(asked.dialect)
    _check(asked, changes)
    nudges: list[str] = []  # what must be said in words, as there is no field for it
    max_tokens = _max_tokens(asked, target, changes)
    tools = write_tools(asked, target, changes)
    choice = write_choice(asked, target, changes, nudges) if tools else None
    thinking, effort = write_thinking(asked, target, changes, max_tokens, choice)
    form = write_form(asked, target, changes, nudges)
    system, turns = split_system(_with_nudges(asked.turns, nudges))
    messages = write_messages(turns, asked, target, changes)
    if thinking is not None and thinking["type"] == "enabled" and _lacks_thoughts(messages):
        thinking = None  # it would be answered with an error until the client's next turn
        changes.add("thinking")
    said = write_system(system)
    if not messages and said is None:
        raise BadRequest("The conversation holds nothing that could be sent.", param="messages")
    if not messages:
        messages, said = [{"role": "user", "content": said}], None
        changes.add("messages.role", "user")
    output_config = {
        **({"effort": effort} if effort else {}),
        **({"format": form} if form else {}),
    }
    body: dict[str, Any] = {
        "model": target.model,
        "max_tokens": max_tokens,
        "tools": tools,
        "tool_choice": choice,
        "system": said,
        "messages": messages,
        "thinking": thinking,
        "output_config": output_config,
        **write_sampling(asked, thinking, changes),
        **write_service_tier(asked, changes),
        "metadata": _metadata(asked, changes),
        "stream": asked.is_stream or None,
    }
    body = {name: value for name, value in body.items() if value is not None and value != {}}
    _add_extras(body, asked, target, changes)
    if asked.dialect != DIALECT and limit_marks(body):
        changes.add("cache")
    _drop_refused(body, target, changes)
    return Written(_encode(body), changes.names())


def _lacks_thoughts(messages: list[Message]) -> bool:
    """Tell if the calls that were made last have no thoughts before them, as another's have none.

    Where thinking has a budget, Anthropic wants the step that calls tools to begin with it.
    """
    last = next((m["content"] for m in reversed(messages) if m["role"] == "assistant"), "")
    if isinstance(last, str) or all(block["type"] != "tool_use" for block in last):
        return False
    return last[0]["type"] not in THINKING


def _check(asked: Asked, changes: Changes) -> None:
    for name, is_asked in _REFUSED:
        if is_asked(asked):
            raise refused(name, "this dialect has no word for it")
    for name, is_asked in _LEFT_OUT:
        if is_asked(asked):
            changes.add(name)


def _with_nudges(turns: tuple[Turn, ...], nudges: list[str]) -> tuple[Turn, ...]:
    """Say them behind the system's own words: what is cached before them stays the same."""
    said = tuple(Text(nudge) for nudge in nudges)
    if not said:
        return turns
    if turns and turns[0].role == "system":
        first = Turn("system", (*turns[0].parts, *said))
        return (first, *turns[1:])
    return (Turn("system", said), *turns)


def _max_tokens(asked: Asked, target: Target, changes: Changes) -> int:
    most = target.max_output_tokens
    if asked.max_tokens is None:
        return most or _DEFAULT_MAX_TOKENS
    if most is not None and asked.max_tokens > most:
        changes.add("max_tokens", str(most))
        return most
    return asked.max_tokens


def _metadata(asked: Asked, changes: Changes) -> dict[str, str]:
    said = {} if asked.user is None else {"user_id": asked.user}
    if asked.metadata and asked.dialect != DIALECT:
        changes.add("metadata")
        return said
    return said | (asked.metadata or {})


def _add_extras(body: dict[str, Any], asked: Asked, target: Target, changes: Changes) -> None:
    """Put back what a client of this dialect said besides; name what another's did."""
    for name, raw in asked.extras.items():
        is_own = asked.dialect == DIALECT and name not in target.refuses
        if not (is_own and _put(body, name, raw)):
            changes.add(name)


def _put(body: dict[str, Any], name: str, raw: msgspec.Raw) -> bool:
    """Put one field where its dotted name says; tell whether there is such a place."""
    field, dot, rest = name.partition(".")
    if not dot:
        body[field] = raw
        return True
    if field == "tools":
        by_tool = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        for tool in body.get("tools", ()):
            if isinstance(tool, dict) and tool["name"] in by_tool:
                tool[rest] = by_tool[tool["name"]]
        return True
    if field != "output_config" and (field != "thinking" or field not in body):
        return False
    body[field] = {**body.get(field, {}), rest: raw}
    return True


def _drop_refused(body: dict[str, Any], target: Target, changes: Changes) -> None:
    for field in sorted(target.refuses & body.keys()):
        del body[field]
        changes.add("metadata.user_id" if field == "metadata" else field)
