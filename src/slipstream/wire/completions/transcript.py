"""A conversation as the text that a base model goes on with.

    The system's words.

    User: …

    Assistant: …

    User: …

    Assistant:

The model writes the assistant's next words; the stops end it before it speaks for the user.
"""

from typing import Final

from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.chat.writing_parts import part_object
from slipstream.wire.talk.asking import Part, Reasoning, ToolCall, ToolResult, Turn

_LABELS: Final = {"system": "System", "user": "User", "assistant": "Assistant"}
_NEXT: Final = "\n\n"
# A model may leave one line free or none; servers look for the first of a list first.
STOPS: Final = ("\n\nUser:", "\nUser:")
"""What ends an answer before the model speaks for the user."""
# Texts of one message: an assistant's were one that was cut, others are paragraphs.
_JOINTS: Final = {"assistant": ""}


def write_transcript(sheet: Sheet) -> str:
    """Return the prompt; where the assistant's own words stand last, it goes on with them.

    Raises:
        Unsupported: A turn holds what is no text; the error names the client's field.
    """
    turns = sheet.asked.turns
    pieces = [
        _passage(turn, text, is_first=at == 0)
        for at, turn in enumerate(turns)
        if (text := _text_of(turn, sheet))
    ]
    if not goes_on(turns):
        pieces.append(f"{_LABELS['assistant']}:")
    return _NEXT.join(pieces)


def goes_on(turns: tuple[Turn, ...]) -> bool:
    """Tell whether the answer is to go on with what the assistant said last."""
    return bool(turns) and turns[-1].role == "assistant"


def _passage(turn: Turn, text: str, *, is_first: bool) -> str:
    if turn.role == "system" and is_first:
        return text
    return f"{_LABELS[turn.role]}: {text}"


def _text_of(turn: Turn, sheet: Sheet) -> str:
    if turn.name is not None:
        sheet.change("name")
    texts = [_text(part, turn, sheet) for part in turn.parts]
    return _JOINTS.get(turn.role, _NEXT).join(text for text in texts if text)


def _text(part: Part, turn: Turn, sheet: Sheet) -> str:
    if isinstance(part, ToolCall | ToolResult):
        raise sheet.unsupported("turns", "calls of tools and their results")
    if isinstance(part, Reasoning):
        sheet.change("thoughts")
        return ""
    text: str = part_object(part, sheet, turn.role)["text"]
    return text
