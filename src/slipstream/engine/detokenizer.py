"""Token ids to text, one at a time, never half a character.

Tokens are bytes, and a character may lie across several of them. What is not yet a whole
character stays here; bytes that can never become one turn into U+FFFD, as everywhere. An answer
that ends inside a character loses that beginning of one.
"""

import codecs
from collections.abc import Container, Sequence

_new_decoder = codecs.getincrementaldecoder("utf-8")


class Detokenizer:
    """The text of one answer as it grows."""

    __slots__ = ("_decoder", "_hidden", "_token_bytes")

    def __init__(self, token_bytes: Sequence[bytes], hidden: Container[int]) -> None:
        """Start an answer.

        Args:
            token_bytes: By id; an id beyond it is a row of the model that no token uses.
            hidden: Ids of control tokens that are no text. Those that mean something to a parser
                are not among them: it reads them by their names.
        """
        self._token_bytes, self._hidden = token_bytes, hidden
        self._decoder = _new_decoder(errors="replace")

    def feed(self, token_id: int) -> str:
        """Return the characters that this token completes; often none or several."""
        if token_id in self._hidden or token_id >= len(self._token_bytes):
            return ""
        return self._decoder.decode(self._token_bytes[token_id])

    def fork(self) -> "Detokenizer":
        """Return one for another answer to the same prompt; none was begun."""
        return Detokenizer(self._token_bytes, self._hidden)
