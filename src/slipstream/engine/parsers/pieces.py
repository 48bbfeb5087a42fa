"""What a parser gives, and what every parser can do."""

from typing import Literal, NamedTuple, Protocol, Self

Kind = Literal["text", "reasoning", "tool"]


class Piece(NamedTuple):
    """Some more of an answer: text, reasoning, or a whole call of the function `name`.

    The text of a call is its arguments: a JSON object, as the model wrote it where it wrote JSON.
    Empty text of the other kinds stands for markers alone.

    Args:
        num_letters: Of what was fed and stands for this piece, its markers and the white space
            in front of it included. The pieces of an answer add up to what is not held back.
    """

    kind: Kind
    text: str
    name: str = ""
    num_letters: int = 0


class OutputParser(Protocol):
    """Parts one answer. Pieces come in the order of the answer; text is never lost.

    What may still become a marker is held back, and so is white space in front of it.
    """

    @property
    def is_reasoning(self) -> bool:
        """Whether an answer that ends here ends inside its reasoning."""
        ...

    def feed(self, text: str) -> list[Piece]:
        """Add the text of one token, markers spelled out."""
        ...

    def flush(self) -> list[Piece]:
        """Return what is held back: the answer is over."""
        ...

    def fork(self) -> Self:
        """Return a parser for another answer to the same prompt; none was begun."""
        ...
