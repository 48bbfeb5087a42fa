"""Turns as Gemini's contents.

Only `user` and `model` speak, in turns; results of tools are the user's, by the name of their
function, all of one step in one content and in the order of their calls. A signature that belongs
to no call goes to the last text of its turn.

Source: ../shared/reference/protocols.md, sections E and F, 2026-11-21.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.gemini.models import demands_signatures, takes_levels
from slipstream.wire.gemini.writing_parts import media_part, text_of_result
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.talk.asking import (
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.custom_tools import as_arguments

SIGNATURE: Final = "thought_signature"
_STAND_IN: Final = "skip_thought_signature_validator"  # documented, for history of others
_EMPTY_ARGS: Final = msgspec.Raw(b"{}")
_args_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write_contents(sheet: Sheet) -> dict[str, Any]:
    """Return `contents` and `systemInstruction`.

    Raises:
        Unsupported: A part is of a kind that Gemini cannot read.
        BadRequest: A result answers no call.
    """
    turns = list(sheet.asked.turns)
    body: dict[str, Any] = {}
    if turns and turns[0].role == "system" and len(turns) > 1:
        body["systemInstruction"] = {"parts": _texts(turns.pop(0).parts, sheet)}
    calls: dict[str, tuple[int, str]] = {}  # of each id its place in the history, and the name
    contents: list[dict[str, Any]] = []
    for turn in turns:
        parts = _parts(turn, sheet, calls)
        role = "model" if turn.role == "assistant" else "user"
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    if contents and contents[0]["role"] == "model":  # the user must speak first
        contents.insert(0, {"role": "user", "parts": [{"text": " "}]})
    body["contents"] = contents
    return body


def _texts(parts: Iterable[Part], sheet: Sheet) -> list[dict[str, Any]]:
    return [{"text": part.text} for part in _marked(parts, sheet) if isinstance(part, Text)]


def _marked(parts: Iterable[Part], sheet: Sheet) -> list[Part]:
    """Return parts as a list; marks of prefixes are named: Gemini keeps prefixes by itself."""
    found = list(parts)
    if any(getattr(part, "cache", None) is not None for part in found):
        sheet.change("cache")
    return found


def _parts(turn: Turn, sheet: Sheet, calls: dict[str, tuple[int, str]]) -> list[dict[str, Any]]:
    parts = _marked(turn.parts, sheet)
    match turn.role:
        case "system":
            if len(sheet.asked.turns) == 1:
                return _texts(parts, sheet)
            sheet.change("system", "user")
            text = "\n\n".join(part.text for part in parts if isinstance(part, Text))
            return [{"text": f"<system>{text}</system>"}]
        case "assistant":
            return _model_parts(parts, sheet, calls)
        case "tool":
            return _results(parts, sheet, calls)
        case "user":
            return [
                {"text": part.text} if isinstance(part, Text) else media_part(part, sheet)
                for part in parts
                if not isinstance(part, Text) or part.text
            ]


def _own(seals: Iterable[Seal], sheet: Sheet) -> str | None:
    vendor = sheet.target.vendor
    return next((s.data for s in seals if s.vendor == vendor and s.kind == SIGNATURE), None)


def _model_parts(
    parts: list[Part], sheet: Sheet, calls: dict[str, tuple[int, str]]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    signature: str | None = None
    for part in parts:
        if isinstance(part, Reasoning):
            own = _own(part.seals, sheet)
            signature = own or signature
            if own is None:
                sheet.change("thoughts")
        elif isinstance(part, ToolCall):
            calls[part.call_id] = (len(calls), part.name)
            found.append(_call(part, sheet))
        elif isinstance(part, Text | Refusal):
            found += [{"text": part.text}] if part.text else []
        else:
            found.append(media_part(part, sheet))
    if signature is not None:
        texts = [part for part in found if "text" in part]
        if texts:
            texts[-1]["thoughtSignature"] = signature
        elif not any("functionCall" in part for part in found):
            found.append({"text": "", "thoughtSignature": signature})
    _stand_in(found, sheet)
    return found


def _stand_in(parts: list[dict[str, Any]], sheet: Sheet) -> None:
    """Sign the first call of a step that has lost its signature, or never had one."""
    called = [part for part in parts if "functionCall" in part]
    is_signed = any("thoughtSignature" in part for part in called)
    if called and not is_signed and demands_signatures(sheet.target.model):
        called[0]["thoughtSignature"] = _STAND_IN


def _call(call: ToolCall, sheet: Sheet) -> dict[str, Any]:
    arguments = as_arguments(call.arguments) if call.is_custom else call.arguments
    function = {
        "id": sheet.call_id(call.call_id),
        "name": call.name,
        "args": _args(arguments),
    }
    said: dict[str, Any] = {"functionCall": function}
    signature = _own(call.seals, sheet)
    return said if signature is None else said | {"thoughtSignature": signature}


def _args(arguments: str) -> msgspec.Raw:
    """Return arguments as the object that they must be; what is none says nothing."""
    try:
        _args_decoder.decode(arguments)
    except UNREADABLE:
        return _EMPTY_ARGS
    return msgspec.Raw(arguments.encode())


def _results(
    parts: list[Part], sheet: Sheet, calls: dict[str, tuple[int, str]]
) -> list[dict[str, Any]]:
    results = [part for part in parts if isinstance(part, ToolResult)]
    results.sort(key=lambda result: calls.get(result.call_id, (len(calls), ""))[0])
    found: list[dict[str, Any]] = []
    for result in results:
        found += _result(result, sheet, calls)
    return found


def _result(
    result: ToolResult, sheet: Sheet, calls: dict[str, tuple[int, str]]
) -> list[dict[str, Any]]:
    _, name = calls.get(result.call_id, (0, result.name))
    if name is None:
        raise BadRequest(
            f"The result of the call '{result.call_id}' answers no call in the messages before "
            "it: expected the id of one.",
            param="messages",
            code="invalid_value",
        )
    text = text_of_result(result)
    function: dict[str, Any] = {
        "id": sheet.call_id(result.call_id),
        "name": name,
        "response": {"error" if result.is_error else "result": text},
    }
    shown = [media_part(part, sheet) for part in result.parts if not isinstance(part, Text)]
    if shown and takes_levels(sheet.target.model):
        function["parts"] = shown
        shown = []
    return [{"functionResponse": function}, *shown]
