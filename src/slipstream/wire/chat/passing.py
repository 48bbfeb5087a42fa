"""Chat requests that pass through to a provider of chat that differs from OpenAI.

    fields of the body ── table of habits ──▶ the same, some renamed, said otherwise or left out

Messages and tools are looked through for the few words that could matter, and read only if one is
there. What cannot be mended key by key is not mended here: the request is then said anew, by the
reader and the writer of chat, and its answer too.
"""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from slipstream.errors import Unsupported
from slipstream.wire.chat.habits import EFFORTS, GENERIC, KNOWN_FIELDS, Habits
from slipstream.wire.chat.passing_messages import Fields, PassingMessages
from slipstream.wire.chat.sheet import ESSENTIAL
from slipstream.wire.chat.writing import nearest_effort
from slipstream.wire.invalid import UNREADABLE

_NOTHING: Final = Raw()
_NULL: Final = b"null"
_LIMITS: Final = frozenset({"max_tokens", "max_completion_tokens"})
# Values that ask for nothing: a client's library sends them all the same.
_NEUTRAL: Final = frozenset({b"null", b"false", b"0", b"0.0", b"[]", b"{}"})
_ONE: Final = b"1"
_EFFORT: Final = frozenset({"reasoning_effort"})
_encode: Final = msgspec.json.Encoder().encode
_text_decoder: Final = msgspec.json.Decoder(str)


class Known(Struct, frozen=True):
    """What is known of the model that a request goes to.

    Args:
        refuses: Fields that it answers with an error, and dialects that it does not speak.
        efforts: That it takes; empty where unknown.
        thinks: It thinks unless it is told not to.
    """

    refuses: frozenset[str] = frozenset()
    efforts: tuple[str, ...] = ()
    thinks: bool = False


def word_of(raw: Raw) -> str:
    """Return the text that some JSON is; empty if it is none."""
    try:
        return _text_decoder.decode(raw)
    except UNREADABLE:
        return ""


class Passing:
    """Fits requests to one provider of chat.

    Args:
        habits: The provider's.
        vendor: As errors name it.
    """

    __slots__ = ("_habits", "_is_open", "_messages", "_suspects", "_vendor")

    def __init__(self, habits: Habits, vendor: str) -> None:
        self._habits, self._vendor = habits, vendor
        self._is_open = habits.is_strange
        self._suspects = _suspects(habits)
        self._messages = PassingMessages(habits)

    def fit(self, fields: Fields, known: Known) -> tuple[str, ...] | None:
        """Change the fields to what the provider takes; return what was changed.

        Returns:
            None where that is not enough: the request must be said anew.

        Raises:
            Unsupported: The provider cannot do what the client would miss; the error names the
                field, and what was sent is not to be sent.
        """
        if self._is_open:
            return ()
        if self._needs_words(fields, known):
            return None
        changes: list[str] = []
        for name in self._conspicuous(fields, known):
            self._mend(name, fields, known, changes)
        if not self._messages.mend(fields, changes):
            return None
        return tuple(changes)

    def _conspicuous(self, fields: Fields, known: Known) -> list[str]:
        found = fields.keys() & self._suspects
        if known.refuses:
            found |= fields.keys() & known.refuses
        if known.efforts:
            found |= fields.keys() & _EFFORT
        return [name for name in fields if name in found] if found else []

    def _mend(self, name: str, fields: Fields, known: Known, changes: list[str]) -> None:
        habits, raw = self._habits, fields[name]
        if name in _LIMITS:
            _rename_limit(name, fields, habits.max_tokens, changes)
        elif name == "seed" and habits.seed != "seed":
            _rename(name, habits.seed, fields, changes)
        elif name == "service_tier" and self._takes(name, known):
            _set_word(
                name, fields, habits.tiers.get(word_of(raw)), tuple(habits.tiers.values()), changes
            )
        elif name == "reasoning_effort" and self._takes(name, known):
            _set_effort(fields, known.efforts or habits.efforts, changes)
        elif not self._takes(name, known):
            self._leave_out(name, fields, changes)

    def _takes(self, name: str, known: Known) -> bool:
        habits = self._habits
        if name in habits.refuses or name in known.refuses:
            return False
        return habits.takes is None or name in habits.takes

    def _leave_out(self, name: str, fields: Fields, changes: list[str]) -> None:
        value = bytes(fields.pop(name))
        if value in _NEUTRAL or (name == "n" and value == _ONE):
            return
        if name in ESSENTIAL:
            error = Unsupported(
                f"{self._vendor} does not offer what '{name}' asks for with this model"
            )
            error.param = name
            raise error
        changes.append(name)

    def _needs_words(self, fields: Fields, known: Known) -> bool:
        """Tell whether only the reader and the writer of chat can say it."""
        habits = self._habits
        if "openai_chat" in known.refuses or ("reasoning" in fields and not habits.takes_details):
            return True
        if habits.reasoning == "chunks" and _will_think(fields, known):
            return True  # its reasoning is in a shape that no client of chat knows
        tools = fields.get("tools", _NOTHING)
        if not _is_empty(tools):
            return self._tools_need_words(bytes(tools), fields)
        return False

    def _tools_need_words(self, tools: bytes, fields: Fields) -> bool:
        habits, choice = self._habits, bytes(fields.get("tool_choice", b""))
        return (
            not habits.ends_calls
            or (not habits.takes_custom_tools and b'"custom"' in tools)
            or (not habits.takes_allowed_tools and b'"allowed_tools"' in choice)
            or (not habits.takes_none and choice == b'"none"')
            or (not habits.takes_strict and b'"strict"' in tools)
            or (not habits.joins_form_and_tools and _asks_form(fields))
        )


def _suspects(habits: Habits) -> frozenset[str]:
    """Return the names of fields that are worth a closer look.

    A field that we do not know either is the provider's to judge: it may be newer than we are.
    """
    found = set(habits.refuses)
    if habits.takes is not None:
        found |= KNOWN_FIELDS - habits.takes
    if habits.max_tokens == "max_tokens":
        found.add("max_completion_tokens")
    elif habits.takes is not None:
        found.add("max_tokens")  # OpenAI's that reason refuse it, and none refuses the newer name
    if habits.seed != "seed":
        found.add("seed")
    if habits.tiers != GENERIC.tiers:
        found.add("service_tier")
    if habits.efforts:
        found.add("reasoning_effort")
    return frozenset(found)


def _will_think(fields: Fields, known: Known) -> bool:
    if "prompt_mode" in fields:
        return True
    raw = fields.get("reasoning_effort", _NOTHING)
    return known.thinks if _is_empty(raw) else word_of(raw) != "none"


def _asks_form(fields: Fields) -> bool:
    return b'"json_' in bytes(fields.get("response_format", b""))


def _is_empty(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:8]) in (b"", _NULL, b"[]")


def _rename(name: str, other: str, fields: Fields, changes: list[str]) -> None:
    fields[other] = fields.pop(name)
    changes.append(f"{name} -> {other}")


def _rename_limit(name: str, fields: Fields, other: str, changes: list[str]) -> None:
    """Say the limit by the provider's name; where both are there, the newer one counts."""
    if name == other:
        return  # the model refuses it by this name, and the provider has no other
    newer = fields.get("max_completion_tokens", _NOTHING)
    value = fields.pop(name)
    if bytes(value) == _NULL or (name == "max_tokens" and not _is_empty(newer)):
        return
    fields[other] = value
    changes.append(f"{name} -> {other}")


def _set_word(
    name: str, fields: Fields, word: str | None, own: tuple[str, ...], changes: list[str]
) -> None:
    """Say a word as the provider does; its own words stay, others are left out."""
    said = fields[name]
    if bytes(said) == _NULL or word_of(said) == word or word_of(said) in own:
        return
    if word is None:
        del fields[name]
        changes.append(name)
        return
    fields[name] = Raw(_encode(word))
    changes.append(f"{name} -> {word}")


def _set_effort(fields: Fields, allowed: tuple[str, ...], changes: list[str]) -> None:
    word = word_of(fields["reasoning_effort"])
    if word not in EFFORTS:
        return  # the provider's own, or a mistake that it will tell
    nearest = nearest_effort(word, allowed)
    if nearest != word:
        fields["reasoning_effort"] = Raw(_encode(nearest))
        changes.append(f"reasoning_effort -> {nearest}")
