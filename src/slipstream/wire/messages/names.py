"""What the dialect is called, and what the client calls its fields where it speaks another one."""

from typing import Final

from slipstream.wire.talk.names import field_name

DIALECT: Final = "anthropic_messages"

# Field of Messages: field of Asked, where they differ.
_ASKED: Final = {
    "stop_sequences": "stop",
    "output_config.effort": "thinking",
    "thinking.budget_tokens": "thinking",
    "output_config.format": "form",
    "metadata.user_id": "user",
    "tool_choice.disable_parallel_tool_use": "is_parallel",
    "speed": "service_tier",
    "messages": "turns",
    "messages.thinking": "thoughts",
}


def name_in(dialect: str, field: str) -> str:
    """Return what a client of this dialect calls a field of Messages, or a field of Asked."""
    if dialect == DIALECT and field in _ASKED:
        return field
    if field in _ASKED:
        return field_name(dialect, _ASKED[field])
    messages, dot, rest = field.partition(".")
    if messages == "messages" and dot:
        return f"{field_name(dialect, 'turns')}.{rest}"
    return field_name(dialect, field)


class Changes:
    """Collects what a target gets otherwise, in the client's words, each once and in order."""

    __slots__ = ("_dialect", "_names")

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._names: dict[str, None] = {}

    def add(self, field: str, instead: str | None = None) -> None:
        """Note a field of Messages that is left out, or what stands for it."""
        name = name_in(self._dialect, field)
        self._names[name if instead is None else f"{name} -> {instead}"] = None

    def names(self) -> tuple[str, ...]:
        """Return them."""
        return tuple(self._names)
