"""The messages of any OpenAI client, as Cerebras takes them.

What clients echo of earlier answers is renamed or left out; what a model would have to see or hear
and cannot is refused. Ids of calls are made distinct, since other providers use them again.

Source: ../shared/reference/cerebras-api.md sections 2.2, 2.4 and 10; openai-python 3.52.0's types,
2026-11-21.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.cerebras.body import (
    Assistant,
    Call,
    Developer,
    Image,
    ImageUrl,
    System,
    Text,
    ToolAnswer,
    User,
)
from slipstream.wire.cerebras.draft import Draft, Path, drop_unknown, inside, keys_of, not_taken
from slipstream.wire.cerebras.models import CerebrasModel

_RECORDS: Final[dict[str, type[msgspec.Struct]]] = {
    "system": System,
    "developer": Developer,
    "user": User,
    "assistant": Assistant,
    "tool": ToolAnswer,
}
_KEYS: Final = {role: keys_of(record) for role, record in _RECORDS.items()}
_PART_KEYS: Final = {
    "text": keys_of(Text),
    "image_url": keys_of(ImageUrl),
    "image": keys_of(Image),
}
_URL_KEYS: Final = keys_of(inside(ImageUrl, "image_url"))
_CALL_KEYS: Final = keys_of(Call)
_CALL_FUNCTION_KEYS: Final = keys_of(inside(Call, "function"))
_SEEING_ROLES: Final = ("system", "developer", "user")
_DATA_URI: Final = re.compile(r"data:image/(?:png|jpeg);base64,")


class _Calls:
    """The ids of the calls so far, each of which only one call may have."""

    __slots__ = ("_given", "_renamed", "_seen", "legacy_id")

    def __init__(self, messages: list[Any]) -> None:
        self._given = frozenset(_ids_in(messages))
        self._seen: set[str] = set()
        self._renamed: dict[str, str] = {}
        self.legacy_id: str | None = None  # of the `function_call` that waits for its result

    def begin(self) -> None:
        """Begin with the calls of one more message."""
        self._renamed = {}

    def distinct(self, call_id: str) -> str:
        """Return the id of a call, another one if an earlier message has it."""
        if call_id not in self._seen or call_id in self._renamed:
            self._seen.add(call_id)
            self._renamed.setdefault(call_id, call_id)  # twice in one message is a mistake
            return call_id
        self._renamed[call_id] = fresh = self.fresh(call_id)
        self._seen.add(fresh)
        return fresh

    def fresh(self, stem: str) -> str:
        """Return an id that no call has."""
        number = 2
        while (made := f"{stem}-{number}") in self._given or made in self._seen:
            number += 1
        return made

    def answered(self, call_id: Any) -> Any:
        """Return what the call that a result names is called now."""
        return self._renamed.get(call_id, call_id) if isinstance(call_id, str) else call_id


def _ids_in(messages: list[Any]) -> Iterator[str]:
    for message in messages:
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and isinstance(call.get("id"), str):
                yield call["id"]


def adapt_messages(draft: Draft, row: CerebrasModel) -> None:
    """Change the messages of a draft; what is of a wrong type is left to who checks types.

    Raises:
        Unsupported: A part that the model cannot read.
        BadRequest: The result of a function that was not called.
    """
    messages = draft.said.get("messages")
    if not isinstance(messages, list):
        return
    calls = _Calls(messages)
    for at, message in enumerate(messages):
        if isinstance(message, dict) and isinstance(message.get("role"), str):
            adapt = _ADAPTS.get(message["role"])
            if adapt is not None:
                adapt(draft, at, message, calls)
            _adapt_developer(draft, at, message, row)
            known = _KEYS.get(message["role"])
            if known is not None:
                _adapt_parts(draft, at, message, row)
                drop_unknown(draft, ("messages", at), message, known)


def _adapt_developer(draft: Draft, at: int, message: dict[str, Any], row: CerebrasModel) -> None:
    if message["role"] == "developer" and not row.has_developer:
        draft.put("messages", at, "role", value="system")
        draft.note("messages", at, "role", to="system")


def _adapt_assistant(draft: Draft, at: int, message: dict[str, Any], calls: _Calls) -> None:
    if message.get("audio") is not None:
        raise not_taken(f"messages.{at}.audio", "send the words of that answer as 'content'")
    _adapt_reasoning(draft, at, message)
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal and not message.get("content"):
        _rename(draft, ("messages", at), "refusal", "content")
    if isinstance(message.get("function_call"), dict) and not message.get("tool_calls"):
        _adapt_function_call(draft, at, message, calls)
    said = message.get("tool_calls")
    if isinstance(said, list):
        calls.begin()
        for number, call in enumerate(said):
            if isinstance(call, dict):
                _adapt_call(draft, ("messages", at, "tool_calls", number), call, calls)


def _adapt_reasoning(draft: Draft, at: int, message: dict[str, Any]) -> None:
    thought = message.get("reasoning_content")
    if thought is not None and message.get("reasoning") is None:
        _rename(draft, ("messages", at), "reasoning_content", "reasoning")


def _rename(draft: Draft, path: Path, old: str, new: str) -> None:
    value = draft.take(*path, old)
    draft.put(*path, new, value=value)
    draft.note(*path, old, to=new)


def _adapt_function_call(draft: Draft, at: int, message: dict[str, Any], calls: _Calls) -> None:
    """Make a call of the old kind one of the new kind; its result follows by name, not by id."""
    where: Path = ("messages", at)
    calls.legacy_id = call_id = calls.fresh(f"call_{at}")
    function = draft.take(*where, "function_call")
    call = {"id": call_id, "type": "function", "function": function}
    draft.put(*where, "tool_calls", value=[call])
    draft.note(*where, "function_call", to="tool_calls")


def _adapt_call(draft: Draft, path: Path, call: dict[str, Any], calls: _Calls) -> None:
    where = ".".join(map(str, path))
    if call.get("type") == "custom":
        raise not_taken(f"{where}.type", "only calls of functions are known")
    drop_unknown(draft, path, call, _CALL_KEYS)
    drop_unknown(draft, (*path, "function"), call.get("function"), _CALL_FUNCTION_KEYS)
    call_id = call.get("id")
    if isinstance(call_id, str) and (distinct := calls.distinct(call_id)) != call_id:
        draft.put(*path, "id", value=distinct)
        draft.note(*path, "id")


def _adapt_tool(draft: Draft, at: int, message: dict[str, Any], calls: _Calls) -> None:
    call_id = message.get("tool_call_id")
    if (answered := calls.answered(call_id)) != call_id:
        draft.put("messages", at, "tool_call_id", value=answered)
        draft.note("messages", at, "tool_call_id")


def _adapt_function(draft: Draft, at: int, message: dict[str, Any], calls: _Calls) -> None:
    """Make the result of a call of the old kind one of the new kind."""
    call_id, calls.legacy_id = calls.legacy_id, None
    where: Path = ("messages", at)
    if call_id is None:
        raise BadRequest(
            f"'messages.{at}' is the result of a function, and no message before it has the "
            "'function_call' that it answers.",
            param=f"messages.{at}.role",
            code="invalid_value",
        )
    draft.put(*where, "role", value="tool")
    draft.put(*where, "tool_call_id", value=call_id)
    if message.get("content") is None:
        draft.put(*where, "content", value="")
    draft.note(*where, "role", to="tool")


_Adapt = Callable[[Draft, int, dict[str, Any], _Calls], None]
_ADAPTS: Final[dict[str, _Adapt]] = {
    "assistant": _adapt_assistant,
    "tool": _adapt_tool,
    "function": _adapt_function,
}


# ---- parts --------------------------------------------------------------------------------------


def _adapt_parts(draft: Draft, at: int, message: dict[str, Any], row: CerebrasModel) -> None:
    for field in ("content", "reasoning"):
        parts = message.get(field)
        for number, part in enumerate(parts) if isinstance(parts, list) else ():
            if isinstance(part, dict):
                _adapt_part(draft, ("messages", at, field, number), part, message["role"], row)


def _adapt_part(
    draft: Draft, path: Path, part: dict[str, Any], role: str, row: CerebrasModel
) -> None:
    where, kind = ".".join(map(str, path)), part.get("type")
    if kind == "refusal" and role == "assistant" and isinstance(part.get("refusal"), str):
        draft.put(*path, value={"type": "text", "text": part["refusal"]})
        draft.note(*path, "refusal", to="text")
        return
    known = _PART_KEYS.get(kind) if isinstance(kind, str) else None
    if known is None or (kind != "text" and role not in _SEEING_ROLES):
        raise not_taken(where, "a message holds text, and a user's images where the model sees")
    if kind != "text":
        _check_image(part, where, row)
        drop_unknown(draft, (*path, "image_url"), part.get("image_url"), _URL_KEYS)
    drop_unknown(draft, path, part, known)


def _check_image(part: dict[str, Any], where: str, row: CerebrasModel) -> None:
    """Refuse an image that the target would not look at; how many and how large is told later."""
    if not row.max_images:
        raise not_taken(where, f"the model '{row.name}' reads no images")
    held = part.get("image_url")
    uri = held.get("url") if isinstance(held, dict) else part.get("image")
    if isinstance(uri, str) and not _DATA_URI.match(uri):
        raise not_taken(where, "it fetches no image: send it as a base64 data URI, PNG or JPEG")
