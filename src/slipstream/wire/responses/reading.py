"""A Responses request, read in full for targets that speak another dialect.

What the gateway itself must know of it, such as whether to keep the answer, stands beside what is
asked. A target that speaks Responses gets the client's own bytes.

Source: openai-python 3.52.0's types; Codex 0.169's requests; 2026-11-21.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.refusals import decode_at, invalid, missing, not_offered, not_together
from slipstream.wire.responses.items_in import Conversation, read_items
from slipstream.wire.responses.names import DIALECT, Origins
from slipstream.wire.responses.settings_in import Thoughts, Words, read_form, read_thinking
from slipstream.wire.responses.tools_in import Offered, Placed, read_choice, read_tools
from slipstream.wire.talk.asking import Asked
from slipstream.wire.talk.means import Sampling

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")
SEALED: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"

# Fields of a request that its answer repeats.
_ECHOED: Final = (
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
)

_Count = Annotated[int, Meta(ge=1, le=2**53)]


class ResponsesAsked(Struct, frozen=True, kw_only=True):
    """A whole request, and what the gateway itself must know of it.

    Args:
        store: The answer is to be kept.
        previous_response_id: The answer that this one follows.
        conversation_id: The conversation that this request goes on with.
        is_background: The client will come back for the answer.
        includes: What the client wants to have told besides.
        items: The input of this request alone, a text made an item.
        origins: Of tools with flat names, for the way back.
        echo: Fields that the answer repeats, as the client wrote them.
        unheard: Items that no other dialect can say, for the header `x-slipstream-changed`.
    """

    asked: Asked
    store: bool = True
    previous_response_id: str | None = None
    conversation_id: str | None = None
    is_background: bool = False
    includes: frozenset[str] = frozenset()
    items: tuple[msgspec.Raw, ...] = ()
    origins: Origins = {}
    echo: dict[str, msgspec.Raw] = {}
    unheard: tuple[str, ...] = ()


class _Named(Struct):
    id: str


class _Body(Struct):
    model: str
    input: msgspec.Raw = _NOTHING
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | _Named | None = None
    store: bool | None = None
    background: bool | None = None
    include: list[str] | None = None
    stream: bool | None = None
    max_output_tokens: _Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: msgspec.Raw = _NOTHING
    parallel_tool_calls: bool | None = None
    reasoning: Thoughts | None = None
    text: Words | None = None
    service_tier: str | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None
    prompt: msgspec.Raw = _NOTHING
    stream_options: msgspec.Raw = (
        _NOTHING  # of padding against eavesdroppers, which we send none of
    )


_READ: Final = frozenset(_Body.__struct_fields__)
_body_decoder: Final = msgspec.json.Decoder(_Body)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_input_decoder: Final = msgspec.json.Decoder(str | list[msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode


def read_asked(
    body: bytes,
    *,
    earlier: Sequence[msgspec.Raw] = (),
    known: Mapping[str, msgspec.Raw] | None = None,
) -> ResponsesAsked:
    """Read and check a whole request.

    Args:
        earlier: Items of the answers that it follows, both input and output, oldest first.
        known: Items that an `item_reference` may name, by id.

    Raises:
        BadRequest: It names the field as OpenAI does (`input[1].content`), the value, and what is
            accepted.
    """
    try:
        if not body.isascii():
            body.decode()  # what is passed over may hold anything
        return _read(_body_decoder.decode(body), _fields_decoder.decode(body), earlier, known or {})
    except UNREADABLE as exc:
        raise explain(exc, body) from exc


def _read(
    said: _Body,
    fields: dict[str, msgspec.Raw],
    earlier: Sequence[msgspec.Raw],
    known: Mapping[str, msgspec.Raw],
) -> ResponsesAsked:
    _check(said)
    items = _items(said)
    placed = [(f"earlier[{at}]", raw) for at, raw in enumerate(earlier)]
    placed += [(f"input[{at}]", raw) for at, raw in enumerate(items)]
    talk = read_items(said.instructions, placed, known)
    if not talk.turns:
        raise (
            missing("input")
            if bytes(said.input) in _ABSENT
            else invalid("input", "expected a text or at least one item")
        )
    tools: list[Placed] = [(f"tools[{at}]", raw) for at, raw in enumerate(said.tools or ())]
    offered = read_tools([*tools, *talk.tools])
    conversation = said.conversation
    return ResponsesAsked(
        asked=_asked(said, talk, offered, _extras(said, fields, offered)),
        store=said.store is not False,
        previous_response_id=said.previous_response_id,
        conversation_id=conversation.id if isinstance(conversation, _Named) else conversation,
        is_background=bool(said.background),
        includes=frozenset(said.include or ()),
        items=items,
        origins=offered.origins,
        echo={
            name: fields[name]
            for name in _ECHOED
            if name in fields and bytes(fields[name]) != b"null"
        },
        unheard=talk.unheard,
    )


def _check(said: _Body) -> None:
    if bytes(said.prompt) not in _ABSENT:
        raise not_offered("prompt", "send the text of the template in 'instructions' and 'input'")
    if said.previous_response_id is not None and said.conversation is not None:
        raise not_together("previous_response_id", "conversation")


def _items(said: _Body) -> tuple[msgspec.Raw, ...]:
    if bytes(said.input) in _ABSENT:
        return ()
    given = decode_at(_input_decoder, said.input, "input")
    if isinstance(given, list):
        return tuple(given)
    part = {"type": "input_text", "text": given}
    return (msgspec.Raw(_encode({"type": "message", "role": "user", "content": [part]})),)


def _asked(
    said: _Body, talk: Conversation, offered: Offered, extras: dict[str, msgspec.Raw]
) -> Asked:
    wants_logprobs = _LOGPROBS in (said.include or ())
    return Asked(
        dialect=DIALECT,
        model=said.model,
        turns=talk.turns,
        tools=offered.tools,
        hosted_tools=offered.hosted,
        tool_choice=read_choice(said.tool_choice, offered),
        is_parallel=said.parallel_tool_calls,
        form=read_form(said.text.format if said.text else None),
        thinking=read_thinking(said.reasoning),
        sampling=Sampling(
            temperature=said.temperature,
            top_p=said.top_p,
            logprobs=True if wants_logprobs or said.top_logprobs else None,
            top_logprobs=said.top_logprobs,
        ),
        max_tokens=said.max_output_tokens,
        is_stream=bool(said.stream),
        wants_usage=True,
        cache_key=said.prompt_cache_key,
        user=said.safety_identifier or said.user,
        service_tier=said.service_tier,
        metadata=said.metadata,
        verbosity=said.text.verbosity if said.text else None,
        extras=extras,
    )


def _extras(
    said: _Body, fields: dict[str, msgspec.Raw], offered: Offered
) -> dict[str, msgspec.Raw]:
    """Return what has no place among the turns and settings of every dialect."""
    extras = {name: raw for name, raw in fields.items() if name not in _READ}
    rest = [name for name in said.include or () if name not in (SEALED, _LOGPROBS)]
    if rest:
        extras["include"] = msgspec.Raw(_encode(rest))
    if said.reasoning is not None:
        for name in ("context", "mode"):
            value = getattr(said.reasoning, name)
            if value is not None:
                extras[f"reasoning.{name}"] = msgspec.Raw(_encode(value))
    if said.user is not None and said.safety_identifier is not None:
        extras["user"] = fields["user"]
    is_chosen = bytes(said.tool_choice) not in _ABSENT
    if is_chosen and read_choice(said.tool_choice, offered) is None:
        extras["tool_choice"] = fields["tool_choice"]
    return {name: raw for name, raw in extras.items() if bytes(raw) != b"null"}
