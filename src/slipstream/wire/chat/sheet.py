"""A chat request while it is written: its fields so far, and what the target gets otherwise.

Says for each field whether the target takes it, and what becomes of it where not: left out and
named, or refused by the name that the client wrote.
"""

from hashlib import sha256
from typing import Any, Final

from slipstream.errors import Unsupported
from slipstream.wire.chat.habits import Habits
from slipstream.wire.talk.asking import Asked, Target
from slipstream.wire.talk.names import field_name

# Without these the client would get something else than it asked for; the rest may be left out.
ESSENTIAL: Final = frozenset(
    {"n", "logprobs", "top_logprobs", "tools", "tool_choice", "response_format", "stop"}
)
_LEGAL_ID_CHARS: Final = 64
_SHORT_ID_CHARS: Final = 9


class Sheet:
    """One request in the making.

    Args:
        asked: What the client wants.
        target: Who gets it.
        habits: Of the target's provider.
        essential: Fields, by the names of what is written, that the client would miss.
    """

    __slots__ = ("_changes", "_essential", "asked", "fields", "habits", "target")

    def __init__(
        self,
        asked: Asked,
        target: Target,
        habits: Habits,
        essential: frozenset[str] = ESSENTIAL,
    ) -> None:
        self.asked, self.target, self.habits = asked, target, habits
        self._essential = essential
        self.fields: dict[str, Any] = {}
        self._changes: dict[str, None] = {}

    @property
    def changes(self) -> tuple[str, ...]:
        """What the target gets otherwise, each once, in the order in which it came up."""
        return tuple(self._changes)

    def takes(self, field: str) -> bool:
        """Tell whether the target takes a field of the dialect."""
        if field in self.habits.refuses or field in self.target.refuses:
            return False
        return self.habits.takes is None or field in self.habits.takes

    def put(self, field: str, value: Any, asked_as: str | None = None) -> None:
        """Set a field to a value that is not None, if the target takes it.

        Args:
            field: By the name that the target knows.
            asked_as: The field of Asked, where that has another name.

        Raises:
            Unsupported: It does not, and the client would miss it.
        """
        if value is None:
            return
        if self.takes(field):
            self.fields[field] = value
        elif field not in self._essential:
            self.change(asked_as or field)
        elif value:  # no scores, no stops: nothing is missed
            raise self.unsupported(asked_as or field)

    def change(self, asked_as: str, becomes: str | None = None) -> None:
        """Note that a field is left out, or what becomes of it."""
        name = field_name(self.asked.dialect, asked_as)
        self._changes[name if becomes is None else f"{name} -> {becomes}"] = None

    def unsupported(self, asked_as: str, what: str | None = None) -> Unsupported:
        """Return the error that names a field which the target cannot honour.

        Args:
            what: It is that this target does not take, where the field alone does not say it.
        """
        name = field_name(self.asked.dialect, asked_as)
        offered = f"what '{name}' asks for" if what is None else f"{what} in '{name}'"
        error = Unsupported(f"{self.target.vendor} does not offer {offered} with this model")
        error.param = name
        return error

    def call_id(self, call_id: str) -> str:
        """Return the id of a call as the target takes it; the same for the same id."""
        if self.habits.short_ids:
            if len(call_id) == _SHORT_ID_CHARS and call_id.isascii() and call_id.isalnum():
                return call_id
            return sha256(call_id.encode()).hexdigest()[:_SHORT_ID_CHARS]
        if 0 < len(call_id) <= _LEGAL_ID_CHARS:
            return call_id
        return f"call_{sha256(call_id.encode()).hexdigest()[:32]}"
