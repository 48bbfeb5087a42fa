"""What a request of Responses needs, with the answers that it goes on with."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from slipstream.choice import CHAT, LOGPROBS, TOOLS, Needs
from slipstream.wire.responses.following import Following
from slipstream.wire.routing.tally import NOTHING, Tally, decoded, starts_with

_VENDOR: Final = "openai"  # whose a sealed item is that we did not make: it does not say
_LOGPROBS: Final = "message.output_text.logprobs"
_CALLS: Final = frozenset(
    f"{kind}{end}"
    for kind in ("function", "custom_tool", "local_shell", "shell", "apply_patch", "computer")
    for end in ("_call", "_call_output")
)


class _Body(Struct):
    input: msgspec.Raw = NOTHING
    instructions: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING
    text: msgspec.Raw = NOTHING
    reasoning: msgspec.Raw = NOTHING
    top_logprobs: msgspec.Raw = NOTHING
    include: msgspec.Raw = NOTHING


class _Words(Struct):
    format: msgspec.Raw = NOTHING


class _Item(Struct):
    type: Any = None
    id: Any = None
    role: Any = None
    content: msgspec.Raw = NOTHING
    output: msgspec.Raw = NOTHING
    tools: msgspec.Raw = NOTHING
    encrypted_content: msgspec.Raw = NOTHING


class _Part(Struct):
    type: Any = None
    image_url: msgspec.Raw = NOTHING
    file_data: msgspec.Raw = NOTHING
    input_audio: msgspec.Raw = NOTHING


_body_decoder: Final = msgspec.json.Decoder(_Body)
_words_decoder: Final = msgspec.json.Decoder(_Words)
_items_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
_item_decoder: Final = msgspec.json.Decoder(_Item)
_parts_decoder: Final = msgspec.json.Decoder(list[_Part])
_part_decoder: Final = msgspec.json.Decoder(_Part)
_names_decoder: Final = msgspec.json.Decoder(list[str])


def responses_needs(body: bytes, following: object) -> Needs:
    """Return what a request needs that the door accepted.

    Args:
        following: What is known of the answers before it, where it is a Following.
    """
    tally = Tally(CHAT)
    said = decoded(_body_decoder, body)
    if said is None:
        return tally.needs(len(body))
    tally.see_tools(said.tools)
    tally.see_effort(said.reasoning)
    tally.see_scores(said.top_logprobs)
    if _LOGPROBS in (decoded(_names_decoder, said.include) or ()):
        tally.abilities |= LOGPROBS
    words = decoded(_words_decoder, said.text)
    if words is not None:
        tally.see_form(words.format)
    items = decoded(_items_decoder, said.input)
    _see_items(items or (), tally)
    read = [said.input, said.instructions, said.tools, said.text]
    if isinstance(following, Following) and following.goes_on:
        before = (*following.earlier, *following.known.values())
        _see_items(before, tally)
        read += before
        if following.provider is not None:
            tally.sealed_by.add(following.provider)
    return tally.needs(sum(len(memoryview(raw)) for raw in read))


def _see_items(raws: Iterable[msgspec.Raw], tally: Tally) -> None:
    for raw in raws:
        item = decoded(_item_decoder, raw)
        if item is not None:
            _see_item(item, tally)


def _see_item(said: _Item, tally: Tally) -> None:
    match said.type:
        case None | "message" | "item_reference":
            _see_parts(said.content, tally)
        case "reasoning":
            tally.see_seal(said.encrypted_content, _VENDOR)
        case "compaction":
            tally.see_seal(said.encrypted_content, _VENDOR)
        case "additional_tools" | "tool_search_output":
            tally.see_tools(said.tools)
        case str() if said.type in _CALLS:
            tally.abilities |= TOOLS
            _see_parts(said.output, tally)
        case str():  # what a tool of the vendor's own did: nobody else can read it
            tally.sealed_by.add(_VENDOR)


def _see_parts(raw: msgspec.Raw, tally: Tally) -> None:
    if starts_with(raw, b"["):
        for part in decoded(_parts_decoder, raw) or ():
            _see_part(part, tally)
    elif starts_with(raw, b"{"):  # a screenshot
        part_alone = decoded(_part_decoder, raw)
        if part_alone is not None:
            _see_part(part_alone, tally)


def _see_part(said: _Part, tally: Tally) -> None:
    match said.type:
        case "input_image" | "computer_screenshot":
            tally.see_image(said.image_url)
        case "input_file":
            tally.see_document(said.file_data)
        case "input_audio":
            tally.see_sound(said.input_audio)
