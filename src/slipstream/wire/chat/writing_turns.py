"""Turns as the messages of a chat request.

Reasoning goes back to the vendor that made it and to whoever takes plain reasoning of unknown make;
results of tools are text, and what else they hold is shown by the user's next message.
"""

from collections.abc import Iterable
from typing import Any, Final

from slipstream.wire.chat.seals import DETAILS, THOUGHT_SIGNATURE, split_details
from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.chat.writing_parts import content_of, part_object, text_of
from slipstream.wire.gemini.models import demands_signatures
from slipstream.wire.talk.asking import (
    Audio,
    Document,
    Image,
    Reasoning,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.custom_tools import as_arguments

_SHOWN: Final = (Image, Document, Audio)
Message = dict[str, Any]


def write_turns(sheet: Sheet) -> list[Message]:
    """Return the messages.

    Raises:
        Unsupported: One holds what the target cannot read; the error names it.
    """
    messages: list[Message] = []
    for number, turn in enumerate(sheet.asked.turns):
        match turn.role:
            case "system":
                messages.append(_system(turn, sheet, is_first=number == 0))
            case "user":
                messages.append(_with_name(turn, sheet, content_of(turn.parts, sheet, "user")))
            case "tool":
                messages += _results(turn, sheet)
            case "assistant":
                messages += _assistant(turn, sheet)
    return messages


def _with_name(turn: Turn, sheet: Sheet, content: Any, role: str = "user") -> Message:
    message: Message = {"role": role, "content": content}
    if turn.name is not None and sheet.habits.takes_names:
        message["name"] = turn.name
    return message


def _system(turn: Turn, sheet: Sheet, *, is_first: bool) -> Message:
    if is_first or not sheet.habits.has_one_system:
        content = content_of(turn.parts, sheet, "system")
        return _with_name(turn, sheet, content, sheet.habits.system_role)
    sheet.change("system", "user")
    return {"role": "user", "content": f"<system>{text_of(turn.parts, sheet)}</system>"}


def _results(turn: Turn, sheet: Sheet) -> list[Message]:
    messages: list[Message] = []
    shown: list[Any] = []
    for result in turn.parts:
        if not isinstance(result, ToolResult):
            continue
        text = "\n".join(part.text for part in result.parts if isinstance(part, Text))
        others = [part for part in result.parts if isinstance(part, _SHOWN)]
        shown += [part_object(part, sheet, "user") for part in others]
        if others and not text:
            text = "See the user's next message."
        text = f"Error: {text}" if result.is_error else text
        call_id = sheet.call_id(result.call_id)
        messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
    return [*messages, {"role": "user", "content": shown}] if shown else messages


def _assistant(turn: Turn, sheet: Sheet) -> list[Message]:
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    said = [part for part in turn.parts if not isinstance(part, Reasoning | ToolCall)]
    thoughts = [part for part in turn.parts if isinstance(part, Reasoning)]
    own = [part for part in thoughts if _is_own(part, sheet)]
    content = content_of(said, sheet, "assistant") if said else None
    message = _with_name(turn, sheet, content, "assistant")
    _add_reasoning(message, own, sheet)
    if len(own) < len(thoughts):
        sheet.change("thoughts")
    if calls:
        message["tool_calls"] = _calls(calls, sheet)
    # A turn that only thought, for another vendor, is none; most refuse an empty one.
    return [message] if calls or message["content"] is not None else []


def _is_own(part: Reasoning, sheet: Sheet) -> bool:
    return not part.seals or any(seal.vendor == sheet.target.vendor for seal in part.seals)


def _own_seals(parts: Iterable[Reasoning | ToolCall], kind: str, sheet: Sheet) -> list[Seal]:
    vendor = sheet.target.vendor
    every = (seal for part in parts for seal in part.seals)
    return [seal for seal in every if seal.vendor == vendor and seal.kind == kind]


def _add_reasoning(message: Message, thoughts: list[Reasoning], sheet: Sheet) -> None:
    signatures = _own_seals(thoughts, THOUGHT_SIGNATURE, sheet)
    for seal in signatures:
        message["extra_content"] = {"google": {THOUGHT_SIGNATURE: seal.data}}
    details = _own_seals(thoughts, DETAILS, sheet)
    if details:
        message["reasoning_details"] = [item for seal in details for item in split_details(seal)]
        return
    field, told = sheet.habits.reasoning, [part for part in thoughts if part.text]
    if field is None or not told:
        if len(signatures) < len(thoughts):  # sealed in words that chat does not know
            sheet.change("thoughts")
    elif field == "chunks":
        message["content"] = [*_chunks(told, sheet), *_text_chunks(message["content"])]
    else:
        message[field] = "\n\n".join(part.text for part in told)


def _chunks(thoughts: list[Reasoning], sheet: Sheet) -> list[Any]:
    chunks = []
    for part in thoughts:
        chunk: dict[str, Any] = {
            "type": "thinking",
            "thinking": [{"type": "text", "text": part.text}],
        }
        for seal in _own_seals([part], "signature", sheet):
            chunk["signature"] = seal.data
        chunks.append(chunk)
    return chunks


def _text_chunks(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _calls(calls: list[ToolCall], sheet: Sheet) -> list[Any]:
    objects = [_call_object(call, sheet) for call in calls]
    lost = sheet.habits.lost_signature
    if lost is None or not demands_signatures(sheet.target.model):
        return objects
    if not any("extra_content" in said for said in objects):
        objects[0]["extra_content"] = {"google": {THOUGHT_SIGNATURE: lost}}
    return objects


def _call_object(call: ToolCall, sheet: Sheet) -> dict[str, Any]:
    said: dict[str, Any] = {"id": sheet.call_id(call.call_id), "type": "function"}
    if call.is_custom and sheet.habits.takes_custom_tools:
        said |= {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        arguments = as_arguments(call.arguments) if call.is_custom else call.arguments or "{}"
        said["function"] = {"name": call.name, "arguments": arguments}
    for seal in _own_seals([call], THOUGHT_SIGNATURE, sheet):
        said["extra_content"] = {"google": {THOUGHT_SIGNATURE: seal.data}}
    return said
