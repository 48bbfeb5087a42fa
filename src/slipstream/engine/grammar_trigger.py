"""Listens to free text for the words, or the control token, behind which a grammar begins."""

from typing import Final

from slipstream.engine.grammar_tokens import GrammarTokens

_NOTHING: Final[tuple[int, ...]] = ()


class Trigger:
    """A text that may be split among tokens in any way, or one control token.

    Args:
        is_anchored: It counts at the very beginning of an answer only.
    """

    __slots__ = ("_tokens", "control_id", "is_anchored", "text")

    def __init__(self, text: str, tokens: GrammarTokens, *, is_anchored: bool = False) -> None:
        assert text, "an empty trigger would be everywhere"
        self.text, self._tokens, self.is_anchored = text.encode(), tokens, is_anchored
        self.control_id = tokens.controls.get(text)

    def hear(self, heard: tuple[int, ...], token_id: int) -> tuple[tuple[int, ...], bool]:
        """Listen to one more token.

        Args:
            heard: What the call before it returned; empty at first.

        Returns:
            The last tokens, as long as the trigger may begin or be in them, and whether it is.
        """
        if self.control_id is not None:
            return ((token_id,), True) if token_id == self.control_id else (_NOTHING, False)
        latest = self._tokens.text_of(token_id)
        if not latest:  # a control token parts the text before it from what follows
            return _NOTHING, False
        heard = (*heard, token_id)
        text = b"".join(map(self._tokens.text_of, heard))
        if self.is_anchored:
            may_be = text.startswith(self.text) or self.text.startswith(text)
            return (heard if may_be else _NOTHING), text.startswith(self.text)
        if self.text in text:
            return heard, True
        return self._ending(heard, text), False

    def _ending(self, heard: tuple[int, ...], text: bytes) -> tuple[int, ...]:
        """Return the fewest last tokens that hold the longest beginning of the trigger."""
        longest = min(len(self.text) - 1, len(text))
        num_bytes = next((n for n in range(longest, 0, -1) if text.endswith(self.text[:n])), 0)
        start = len(heard)
        while num_bytes > 0:
            start -= 1
            num_bytes -= len(self._tokens.text_of(heard[start]))
        return heard[start:]
