"""What a chat request needs, in OpenAI's words and those that others added."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.choice import AUDIO, CHAT, TOOLS, Needs
from slipstream.wire.chat.seals import read_extra
from slipstream.wire.routing.tally import NOTHING, Tally, decoded, is_given, starts_with

_OPENROUTER: Final = "openrouter"
_MISTRAL: Final = "mistral"
_OWN_FORMAT: Final = "slipstream"
_EXTRA: Final = b"extra_content"


class _Body(Struct):
    messages: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING
    functions: msgspec.Raw = NOTHING
    response_format: msgspec.Raw = NOTHING
    reasoning_effort: msgspec.Raw = NOTHING
    reasoning: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    logprobs: msgspec.Raw = NOTHING
    top_logprobs: msgspec.Raw = NOTHING
    n: msgspec.Raw = NOTHING
    modalities: msgspec.Raw = NOTHING
    audio: msgspec.Raw = NOTHING


class _Message(Struct):
    content: msgspec.Raw = NOTHING
    tool_calls: msgspec.Raw = NOTHING
    function_call: msgspec.Raw = NOTHING
    tool_call_id: msgspec.Raw = NOTHING
    reasoning_details: msgspec.Raw = NOTHING
    extra_content: msgspec.Raw = NOTHING
    audio: msgspec.Raw = NOTHING


class _Part(Struct):
    type: Any = None
    image_url: msgspec.Raw = NOTHING
    image: msgspec.Raw = NOTHING
    input_audio: msgspec.Raw = NOTHING
    file: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING


class _Call(Struct):
    extra_content: msgspec.Raw = NOTHING


class _Detail(Struct):
    format: Any = None
    data: Any = None
    signature: Any = None


_body_decoder: Final = msgspec.json.Decoder(_Body)
_messages_decoder: Final = msgspec.json.Decoder(list[_Message])
_parts_decoder: Final = msgspec.json.Decoder(list[_Part])
_calls_decoder: Final = msgspec.json.Decoder(list[_Call])
_details_decoder: Final = msgspec.json.Decoder(list[_Detail])
_words_decoder: Final = msgspec.json.Decoder(list[str])


def chat_needs(body: bytes) -> Needs:
    """Return what a request needs that the door accepted."""
    tally = Tally(CHAT)
    said = decoded(_body_decoder, body)
    if said is None:
        return tally.needs(len(body))
    tally.see_tools(said.tools, said.functions)
    tally.see_form(said.response_format)
    tally.see_effort(said.reasoning_effort)
    tally.see_effort(said.reasoning)
    tally.see_thinking(said.thinking)
    tally.see_scores(said.logprobs, said.top_logprobs)
    tally.see_choices(said.n)
    modalities = said.modalities
    has_modalities = modalities is not NOTHING  # nothing can be decoded, at the price of an error
    if is_given(said.audio) or (
        has_modalities and "audio" in (decoded(_words_decoder, modalities) or ())
    ):
        tally.abilities |= AUDIO
    for message in decoded(_messages_decoder, said.messages) or ():
        _see_message(message, tally)
    read = (said.messages, said.tools, said.functions, said.response_format)
    return tally.needs(sum([len(memoryview(raw)) for raw in read if raw is not NOTHING]))


def _see_message(said: _Message, tally: Tally) -> None:
    if starts_with(said.content, b"["):
        for part in decoded(_parts_decoder, said.content) or ():
            if part.type != "text":
                _see_part(part, tally)
    if said.tool_call_id is not NOTHING or is_given(said.function_call):
        tally.abilities |= TOOLS
    if is_given(said.tool_calls):
        tally.abilities |= TOOLS
        if _EXTRA in bytes(said.tool_calls):
            for call in decoded(_calls_decoder, said.tool_calls) or ():
                _see_extra(call.extra_content, tally)
    if said.extra_content is not NOTHING:
        _see_extra(said.extra_content, tally)
    if said.reasoning_details is not NOTHING:
        for detail in decoded(_details_decoder, said.reasoning_details) or ():
            _see_detail(detail, tally)
    if is_given(said.audio):  # what the model said before, by its id
        tally.abilities |= AUDIO


def _see_part(said: _Part, tally: Tally) -> None:
    match said.type:
        case "image_url":
            tally.see_image(said.image_url)
        case "image":
            tally.see_image(said.image)
        case "input_audio":
            tally.see_sound(said.input_audio)
        case "file":
            tally.see_document(said.file)
        case "thinking":
            tally.see_seal(said.signature, _MISTRAL)


def _see_extra(raw: msgspec.Raw, tally: Tally) -> None:
    if raw is not NOTHING:
        tally.sealed_by.update(seal.vendor for seal in read_extra(raw))


def _see_detail(said: _Detail, tally: Tally) -> None:
    """Note whose an item of `reasoning_details` is; plain text in it is nobody's."""
    mark, _, whose = (said.format if isinstance(said.format, str) else "").partition("/")
    if mark == _OWN_FORMAT:
        tally.sealed_by.add(whose.partition("/")[0])
    elif said.data or said.signature:
        tally.sealed_by.add(_OPENROUTER)
