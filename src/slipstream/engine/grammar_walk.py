"""A compiled grammar, and a walk through it: one answer, token by token.

Walks of one grammar share what its lexer has learnt, which makes later ones faster, and shares a
bound. A walk that runs into the bound begins anew with a lexer of its own before it gives up, so
that no answer fails for what others wrote.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from llguidance import LLMatcher, LLParserLimits

from slipstream.engine.grammar_tokens import GrammarTokens
from slipstream.engine.masks import Mask
from slipstream.errors import BadRequest

# About 100 MB and 20 ms a mask at the very worst; usual grammars need some hundred states and
# some ten microseconds.
_LIMITS: Final = LLParserLimits(
    max_lexer_states=50_000,
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    verbose_errors=False,
)
_NO_DETAILS: Final = "<non-verbose/>"


class Grammar:
    """A compiled grammar."""

    __slots__ = ("_limits", "_prototype", "_source", "param", "tokens")

    def __init__(
        self, tokens: GrammarTokens, source: str, param: str, limits: LLParserLimits = _LIMITS
    ) -> None:
        """Compile.

        Args:
            source: What llguidance takes: Lark, or a list of grammars as JSON.
            param: The request's field that it came from.

        Raises:
            BadRequest: It is no grammar, or too large.
        """
        self.tokens, self._source, self.param = tokens, source, param
        self._limits = limits
        self._prototype = self._compile()

    def begin(self) -> LLMatcher:
        """Return a native matcher at the beginning."""
        return self._prototype.deep_copy()

    def begin_anew(self) -> LLMatcher:
        """Return one whose lexer has learnt nothing yet; later ones share it."""
        self._prototype = self._compile()
        return self.begin()

    def _compile(self) -> LLMatcher:
        native = LLMatcher(self.tokens.native, self._source, log_level=0, limits=self._limits)
        if native.is_error():
            raise BadRequest(error_of(native), param=self.param)
        return native


def error_of(native: LLMatcher) -> str:
    """Return what is wrong with a grammar, without what is meant for its debugging."""
    return native.get_error().replace(_NO_DETAILS, "").strip()


class Walk:
    """One answer's way through a grammar. One thread at a time."""

    __slots__ = ("_grammar", "_native", "_taken")

    def __init__(self, grammar: Grammar) -> None:
        self._grammar, self._native = grammar, grammar.begin()
        self._taken: list[int] = []

    def fork(self) -> "Walk":
        """Return another walk from here."""
        child = Walk.__new__(Walk)
        child._grammar, child._native = self._grammar, self._native.deep_copy()
        child._taken = list(self._taken)
        return child

    @property
    def is_over(self) -> bool:
        """Whether nothing may follow."""
        return self._native.is_stopped()

    @property
    def can_end(self) -> bool:
        """Whether it may end here."""
        return self._native.is_accepting()

    def take(self, token_id: int) -> bool:
        """Go on by one token, or return False and stay where the grammar forbids it.

        Raises:
            BadRequest: The grammar grew beyond its bounds.
        """
        if not self._native.is_stopped() and self._consume(token_id):
            self._taken.append(token_id)
            return True
        return False

    def masks(self, guesses: Iterable[int]) -> list[Mask]:
        """Return what may come next, and after each guess up to the first forbidden one.

        Stays where it is.

        Raises:
            BadRequest: The grammar grew beyond its bounds.
        """
        masks = [self._mask()]
        for token_id in guesses:
            if not self.take(token_id):
                break
            masks.append(self._mask())
        self._undo(len(masks) - 1)
        return masks

    def forced(self) -> list[int]:
        """Return the tokens that any continuation begins with."""
        return self._native.compute_ff_tokens()

    def forced_bytes(self) -> bytes:
        """Return the bytes that any continuation begins with; they may be part of a token."""
        return self._native.compute_ff_bytes()

    def _consume(self, token_id: int) -> bool:
        taken = self._native.try_consume_tokens([token_id])
        if self._native.is_error():
            self._renew()
            taken = self._native.try_consume_tokens([token_id])
            self._refuse_error()
        return taken == 1

    def _mask(self) -> Mask:
        if self._native.is_stopped() and not self._native.is_error():
            return self._grammar.tokens.end_mask
        mask = np.empty(self._grammar.tokens.num_words, np.int32)
        self._native.unsafe_compute_mask_ptr(mask.ctypes.data, mask.nbytes)
        if self._native.is_error():
            self._renew()
            self._native.unsafe_compute_mask_ptr(mask.ctypes.data, mask.nbytes)
            self._refuse_error()
        return mask

    def _undo(self, num_tokens: int) -> None:
        if num_tokens:
            self._native.rollback(num_tokens)
            del self._taken[-num_tokens:]
            self._refuse_error()

    def _renew(self) -> None:
        self._native = self._grammar.begin_anew()
        self._native.try_consume_tokens(self._taken)
        self._refuse_error()

    def _refuse_error(self) -> None:
        if self._native.is_error():
            raise BadRequest(
                f"The grammar became too complex after {len(self._taken)} tokens: "
                f"{error_of(self._native)}",
                param=self._grammar.param,
            )
