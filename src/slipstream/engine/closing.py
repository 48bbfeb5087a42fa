"""Brings a JSON document to its end before the limit of its answer cuts it off.

A model at a high temperature may go on for ever inside a string, a number or a list. In its last
tokens an answer in a form of JSON is therefore only let do what leads out: the first of these
that its grammar allows.

    in a string    the quote that ends it
    in a number    the digits that make it one that the schema allows
    elsewhere      the answer's end, a bracket that closes, a comma, a value without brackets

Which tokens are its last depends on the schema alone, so an answer is the same whether it was
guessed, preempted or written beside others. An answer with too small a limit is cut all the same.
"""

import re
from collections.abc import Callable, Iterable
from itertools import product
from typing import Final

from slipstream.engine.masks import Mask, allows, mask_of

_LEAST_TOKENS: Final = 24  # to leave some lists and strings, and a call of a function
_LETTERS_PER_TOKEN: Final = 3  # of a schema; its names and values are written once at most
_MOST_TOKENS: Final = 400
_LARGEST_SHARE: Final = 3  # at most a third of an answer is its end
_IN_STRINGS: Final = (b"#", b"~", b"?")  # outside strings JSON has none of them
_SIGNS: Final = re.compile(rb'^["0-9#~?]|[\[\]{},]')  # no other token is to be told apart
# Where two digits lead to no multiple, any do that repeat no pattern, with zeros between them.
_DIGITS: Final = "3141592653589793238462643383279502884197169399375105820974944592"
_ZEROS_OF: Final = 3  # digits all but one are zeros
_FARTHEST: Final = 2  # digits that are tried: a hundred ways, five milliseconds


def closing_tokens(num_letters: int) -> int:
    """Return how many tokens of an answer are its end, for a schema of so many letters."""
    return min(_LEAST_TOKENS + num_letters // _LETTERS_PER_TOKEN, _MOST_TOKENS)


def share_of(num_closing: int, limit: int) -> int:
    """Return how many tokens of an answer with this limit are its end."""
    return min(num_closing, limit // _LARGEST_SHARE)


Ahead = Callable[[tuple[int, ...]], Mask | None]
"""Returns the mask behind tokens that may come next; None where they may not."""


class Closer:
    """Narrows the masks of one model's answers; shared, and never changed."""

    __slots__ = ("_digits", "_end_string", "_inside", "_leave", "_written")

    def __init__(self, texts: Iterable[bytes], end_mask: Mask) -> None:
        """Sort the tokens.

        Args:
            texts: What each token writes, by id; nothing for a control token.
            end_mask: Of the tokens that end an answer.
        """
        told = [(number, text) for number, text in enumerate(texts) if _SIGNS.search(text)]

        def those(pattern: bytes) -> Mask:
            found = re.compile(pattern).search
            return mask_of((number for number, text in told if found(text)), len(end_mask))

        self._inside = [number for number, text in told if text in _IN_STRINGS]
        self._digits = [number for number, text in told if len(text) == 1 and text.isdigit()]
        self._written = {text.decode(): n for n, text in told if n in self._digits}
        self._end_string = those(rb'\A"[\]}]*\Z')
        self._leave = (end_mask, those(rb"\A[\]}]+\Z"), those(rb"\A,"), ~those(rb"[\[{,]"))

    def narrowed(self, mask: Mask, number: int, ahead: Ahead) -> Mask:
        """Return what of a mask leads out.

        Args:
            number: Of the token in its answer.
            ahead: Looks further.
        """
        if any(allows(mask, token_id) for token_id in self._inside):
            return _first_of(mask, (self._end_string,))
        is_number = any(allows(mask, token_id) for token_id in self._digits)
        if is_number and not self._leads_out(mask):
            return mask_of((self._digit(mask, number, ahead),), len(mask))
        return _first_of(mask, self._leave)

    def _leads_out(self, mask: Mask) -> bool:
        return any((mask & way).any() for way in self._leave[:-1])

    def _digit(self, mask: Mask, number: int, ahead: Ahead) -> int:
        """Return the next digit of a number that may not end here."""
        firsts = [token_id for token_id in self._digits if allows(mask, token_id)]
        for num_digits in range(1, _FARTHEST + 1):
            for digits in product(firsts, *[self._digits] * (num_digits - 1)):
                behind = ahead(digits)
                if behind is not None and self._leads_out(behind):
                    return digits[0]
        turn, place = divmod(number, _ZEROS_OF)
        wanted = self._written.get("0" if place else _DIGITS[turn % len(_DIGITS)])
        return wanted if wanted in firsts else firsts[number % len(firsts)]


def _first_of(mask: Mask, ways: Iterable[Mask]) -> Mask:
    """Return the part of a mask that is in the first of some others that it meets at all."""
    return next((met for way in ways if (met := mask & way).any()), mask)
