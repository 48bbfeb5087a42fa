"""What a parser gives, and what every parser can do."""

from typing import Literal, NamedTuple, Protocol, Self


class Piece(NamedTuple):
    """Some more of an answer: text, reasoning, or a whole call of the function `name`.

    The text of a call is its arguments: a JSON object, as the model wrote it where it wrote JSON.
    """

    kind: Literal["text", "reasoning", "tool"]
    text: str
    name: str = ""


class OutputParser(Protocol):
    """Parts one answer. Pieces come in the order of the answer; text is never lost.

    What may still become a marker is held back, and so is white space in front of it.
    """

    @property
    def is_reasoning(self) -> bool:
        """Whether the token fed last was reasoning, its markers included."""
        ...

    @property
    def num_reasoning_tokens(self) -> int:
        """Tokens fed so far that were reasoning."""
        ...

    def feed(self, text: str) -> list[Piece]:
        """Add the text of one token, markers spelled out; call it for an empty text, too."""
        ...

    def flush(self) -> list[Piece]:
        """Return what is held back: the answer is over."""
        ...

    def fork(self) -> Self:
        """Return a parser for another answer to the same prompt; none was begun."""
        ...
