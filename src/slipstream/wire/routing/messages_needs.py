"""What a request of Messages needs."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.choice import CHAT, TOOLS, Needs
from slipstream.wire.routing.tally import NOTHING, Tally, decoded, starts_with

_VENDOR: Final = "anthropic"
_TEXTS: Final = ("text", "content")  # sources of documents that any model can read


class _Body(Struct):
    messages: msgspec.Raw = NOTHING
    system: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    output_config: msgspec.Raw = NOTHING
    output_format: msgspec.Raw = NOTHING


class _Config(Struct):
    format: msgspec.Raw = NOTHING


class _Turn(Struct):
    content: msgspec.Raw = NOTHING


class _Block(Struct):
    type: Any = None
    source: msgspec.Raw = NOTHING
    content: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING


class _Source(Struct):
    type: Any = None
    content: msgspec.Raw = NOTHING


_body_decoder: Final = msgspec.json.Decoder(_Body)
_config_decoder: Final = msgspec.json.Decoder(_Config)
_turns_decoder: Final = msgspec.json.Decoder(list[_Turn])
_blocks_decoder: Final = msgspec.json.Decoder(list[_Block])
_source_decoder: Final = msgspec.json.Decoder(_Source)


def messages_needs(body: bytes) -> Needs:
    """Return what a request needs that the door accepted."""
    tally = Tally(CHAT)
    said = decoded(_body_decoder, body)
    if said is None:
        return tally.needs(len(body))
    tally.see_tools(said.tools)
    tally.see_thinking(said.thinking)
    tally.see_form(said.output_format)
    config = decoded(_config_decoder, said.output_config)
    if config is not None:  # its effort is a measure, and no wish that there be thinking
        tally.see_form(config.format)
    for turn in decoded(_turns_decoder, said.messages) or ():
        _see_blocks(turn.content, tally)
    read = (said.messages, said.system, said.tools, said.output_config)
    return tally.needs(sum(len(memoryview(raw)) for raw in read))


def _see_blocks(content: msgspec.Raw, tally: Tally) -> None:
    if not starts_with(content, b"["):
        return
    for block in decoded(_blocks_decoder, content) or ():
        if block.type != "text":
            _see_block(block, tally)


def _see_block(said: _Block, tally: Tally) -> None:
    match said.type:
        case "search_result" | "tool_reference":
            return
        case "image":
            tally.see_image(said.source)
        case "document":
            _see_document(said.source, tally)
        case "tool_use":
            tally.abilities |= TOOLS
        case "tool_result":
            tally.abilities |= TOOLS
            _see_blocks(said.content, tally)
        case "thinking":
            tally.see_seal(said.signature, _VENDOR)
        case "redacted_thinking":
            tally.see_seal(said.data, _VENDOR)
        case str():  # what its own tools did, or a compaction: nobody else takes it
            tally.sealed_by.add(_VENDOR)


def _see_document(raw: msgspec.Raw, tally: Tally) -> None:
    source = decoded(_source_decoder, raw)
    if source is None or source.type not in _TEXTS:
        tally.see_document(raw)
        return
    _see_blocks(source.content, tally)
