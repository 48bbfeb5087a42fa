"""Messages of a chat request that passes through to a provider that differs from OpenAI.

One search finds the few words that could matter; only if one is there are the messages read.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from slipstream.wire.chat.habits import Habits
from slipstream.wire.invalid import UNREADABLE

Fields = dict[str, Raw]
"""An object, each value as its bytes."""

_DEVELOPER: Final = re.compile(rb'"role"\s*:\s*"developer"')
_SYSTEM: Final = re.compile(rb'"role"\s*:\s*"system"')
# Reasoning that goes back, by whatever vendor it was given out, and marks of prefixes.
_ECHOES: Final = (
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "extra_content",
    "thinking",
    "cache_control",
    "prompt_cache_breakpoint",
)
# Who speaks, and what the oldest clients say of a call even where there is none.
_SPOKEN: Final = frozenset({b"name", b"function_call"})
_CALLS: Final = frozenset({b"tool_calls", b"tool_call_id"})
_OWN_SEAL: Final = b'"slipstream/'


_NOTHING: Final = Raw()
_encode: Final = msgspec.json.Encoder().encode
_messages_decoder: Final = msgspec.json.Decoder(list[Fields])


class PassingMessages:
    """Mends the messages of requests to one provider of chat."""

    __slots__ = ("_echoes", "_habits", "_words")

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._echoes, self._words = _echoes(habits), _words(habits)

    def mend(self, fields: Fields, changes: list[str]) -> bool:
        """Mend what may be mended word by word; return whether that was all."""
        raw = bytes(fields["messages"])
        words = set(self._words.findall(raw)) if self._words.search(raw) else None
        if words is None:
            return True
        if not words.isdisjoint(self._echoes) or (self._habits.takes_details and _OWN_SEAL in raw):
            return False
        return self._mend_words(words, raw, fields, changes)

    def _mend_words(
        self, words: set[bytes], raw: bytes, fields: Fields, changes: list[str]
    ) -> bool:
        habits = self._habits
        if habits.short_ids and not words.isdisjoint(_CALLS):
            return False
        if b"developer" in words and habits.system_role != "developer":
            raw, count = _DEVELOPER.subn(b'"role":"system"', raw)
            fields["messages"] = Raw(raw)
            changes += ["messages.role -> system"] if count else []
        if habits.has_one_system and len(_SYSTEM.findall(raw)) > 1:
            return False
        if not habits.takes_result_parts and b"tool" in words and _has_result_parts(raw):
            return False
        if not habits.takes_names and not words.isdisjoint(_SPOKEN):
            _drop_names(raw, fields, changes)
        return True


def _echoes(habits: Habits) -> frozenset[bytes]:
    """Return the words in messages that this provider does not understand."""
    own: set[str | None] = {habits.reasoning, habits.cache_field}
    if habits.takes_details:
        own.add("reasoning_details")
    if habits.reasoning == "chunks":
        own.add("thinking")
    return frozenset(name.encode() for name in _ECHOES if name not in own)


def _words(habits: Habits) -> re.Pattern[bytes]:
    """Return what finds the words in messages that are worth a closer look; one search is cheap."""
    words = set(_echoes(habits))
    if habits.takes_details:
        words.add(b"reasoning_details")
    if habits.short_ids:
        words |= _CALLS
    if habits.system_role != "developer":
        words.add(b"developer")
    if habits.has_one_system:
        words.add(b"system")
    if not habits.takes_result_parts:
        words.add(b"tool")
    if not habits.takes_names:
        words |= _SPOKEN
    return re.compile(b'"(' + b"|".join(sorted(words)) + b')"')


def _messages(raw: bytes) -> list[Fields]:
    """Return the messages; none where one is no object, which the provider will tell."""
    try:
        return _messages_decoder.decode(raw)
    except UNREADABLE:
        return []


def _has_result_parts(raw: bytes) -> bool:
    return any(
        bytes(message.get("role", b"")) == b'"tool"'
        and bytes(memoryview(message.get("content", _NOTHING))[:1]) == b"["
        for message in _messages(raw)
    )


def _drop_names(raw: bytes, fields: Fields, changes: list[str]) -> None:
    """Leave out who speaks, and calls of functions that are none."""
    messages: list[dict[str, Any]] = list(_messages(raw))
    named = [message for message in messages if message.pop("name", None) is not None]
    empty = [message for message in messages if bytes(message.get("function_call", b"")) == b"null"]
    for message in empty:
        del message["function_call"]
    if named or empty:
        fields["messages"] = Raw(_encode(messages))
    if named:
        changes.append("messages.name")
