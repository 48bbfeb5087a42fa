"""Where one answer stands in what it must look like: which tokens may come, which must.

An answer passes through stages. In each, a grammar holds from its beginning, or from a trigger
on: the end of the reasoning, or the words with which a model begins to call a function. Until a
trigger is heard nothing is computed, and every token may come.

    asleep ──▶ listening: a trigger may have begun ──▶ awake: the grammar holds ──▶ over, or asleep
       ◀── it was something else ──┘                                               for the next call
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from slipstream.engine.closing import share_of
from slipstream.engine.grammar_tokens import GrammarTokens
from slipstream.engine.grammar_trigger import Trigger
from slipstream.engine.grammar_walk import Grammar, Walk
from slipstream.engine.masks import Mask, allows


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of an answer.

    Args:
        grammar: None where nothing is asked of the text up to the trigger. If that is anchored,
            and not there, the next stage is passed over: it is one that the trigger opens.
        trigger: The grammar holds from it on; None: from the beginning.
        is_repeated: What follows is free again up to the next trigger; else nothing follows.
    """

    grammar: Grammar | None
    trigger: Trigger | None = None
    is_repeated: bool = False


class Matcher:
    """Where one answer stands in what it must look like. One thread at a time."""

    __slots__ = ("_heard", "_is_awake", "_is_over", "_num_closing", "_stages", "_tokens", "_walk")

    def __init__(
        self, tokens: GrammarTokens, stages: tuple[Stage, ...], num_closing: int = 0
    ) -> None:
        """Stand at the beginning.

        Args:
            num_closing: Tokens before the limit of the answer in which it is brought to its end;
                only where whatever has a mask is JSON.
        """
        self._tokens, self._num_closing = tokens, num_closing
        self._is_over = False
        self._enter(stages)

    @property
    def is_lazy(self) -> bool:
        """Whether the text is free, and no mask is computed."""
        return self._walk is None

    @property
    def is_over(self) -> bool:
        """Whether nothing but an end token may follow."""
        return self._is_over

    @property
    def can_end(self) -> bool:
        """Whether the answer may end here."""
        return self._is_over or not self._is_awake or self._walk is None or self._walk.can_end

    def masks(self, guesses: Sequence[int] = ()) -> list[Mask | None]:
        """Return what may come next, and behind each guess: one mask more than guesses survive.

        The guesses are cut at the first that may not come. None lets every token pass. Masks are
        not to be written to. Changes nothing; the interpreter's lock is released meanwhile.

        Raises:
            BadRequest: The grammar grew beyond its bounds.
        """
        if self._is_awake and self._walk is not None and not self._is_over:
            inside = self._walk.masks(guesses)
            if not (self._stages[0].is_repeated and inside[-1] is self._tokens.end_mask):
                return [*inside]  # the guesses do not lead out of this stage
        ahead = self.fork() if guesses else self
        masks = [ahead._mask()]
        for token_id in guesses:
            if ahead._is_over or token_id in self._tokens.ends or not allows(masks[-1], token_id):
                break
            ahead.accept(token_id)
            masks.append(ahead._mask())
        return masks

    def narrowed(
        self,
        masks: Sequence[Mask | None],
        guesses: Sequence[int],
        number: int,
        *,
        least: int,
        limit: int,
    ) -> list[Mask | None]:
        """Return masks that let an answer come to its end before it is cut off.

        Args:
            masks: Those here and behind each of the guesses, as `masks` gave them.
            number: Of the token that the first one is for, in its answer.
            least: Tokens that the answer must have; `limit`: that it may have.
        """
        start = max(limit - share_of(self._num_closing, limit), least)
        if number + len(masks) <= start:
            return [*masks]
        closer, ended = self._tokens.closer, self._tokens.end_mask
        return [
            closer.narrowed(mask, number + at, partial(self._ahead, guesses[:at]))
            if mask is not None and mask is not ended and number + at >= start
            else mask
            for at, mask in enumerate(masks)
        ]

    def _ahead(self, guesses: Sequence[int], token_ids: tuple[int, ...]) -> Mask | None:
        """Return the mask behind guesses and further tokens; None where they may not come."""
        masks = self.masks([*guesses, *token_ids])
        return masks[-1] if len(masks) > len(guesses) + len(token_ids) else None

    def accept(self, token_id: int) -> None:
        """Go on by a token that the mask let pass.

        Raises:
            BadRequest: The grammar grew beyond its bounds.
        """
        if self._is_over or token_id in self._tokens.ends:
            self._is_over = True
        elif not self._is_awake:
            self._listen(token_id)
        elif self._walk is not None:
            is_taken = self._walk.take(token_id)
            assert is_taken, f"the mask forbids token {token_id}"
            self._settle(self._walk)

    def forced(self) -> list[int]:
        """Return the tokens that must come next, as the model itself would write them.

        Changes nothing: whoever appends them to the answer accepts each.
        """
        if self._is_awake and self._walk is not None and not self._is_over:
            return self._walk.forced()
        return []

    def likely(self) -> list[int]:
        """Return how the text that must come next is most likely written; good guesses.

        Longer than `forced` by what a longer token might take in: the quote before a string.
        """
        if not self._is_awake or self._walk is None or self._is_over:
            return []
        text = self._walk.forced_bytes().decode(errors="ignore")
        return list(self._tokens.encode(text)) if text else []

    def fork(self) -> "Matcher":
        """Return another one that stands here."""
        child = Matcher.__new__(Matcher)
        child._tokens, child._stages, child._heard = self._tokens, self._stages, self._heard
        child._num_closing = self._num_closing
        child._is_awake, child._is_over = self._is_awake, self._is_over
        child._walk = self._walk.fork() if self._walk is not None else None
        return child

    def _mask(self) -> Mask | None:
        if self._is_over:
            return self._tokens.end_mask
        return self._walk.masks(())[0] if self._walk is not None else None

    def _enter(self, stages: tuple[Stage, ...]) -> None:
        """Begin the first of these stages; with none, the rest of the answer is free."""
        self._stages = stages
        self._heard: tuple[int, ...] = ()
        self._walk: Walk | None = None
        self._is_awake = False
        if stages and stages[0].grammar is not None:
            trigger = stages[0].trigger
            self._is_awake = trigger is None
            if trigger is None or trigger.is_anchored:
                self._walk = Walk(stages[0].grammar)

    def _listen(self, token_id: int) -> None:
        trigger = self._stages[0].trigger if self._stages else None
        if trigger is None:
            return
        grammar, missed = self._stages[0].grammar, (*self._heard, token_id)
        self._heard, is_found = trigger.hear(self._heard, token_id)
        if grammar is None:
            if is_found:
                self._enter(self._stages[1:])
            elif trigger.is_anchored and not self._heard:
                self._enter(self._stages[2:])
                for each in missed:
                    self.accept(each)
            return
        walk = Walk(grammar) if self._heard else None
        if walk is None or not all(map(walk.take, self._heard)):
            self._enter(() if trigger.is_anchored else self._stages)
            return
        self._walk, self._is_awake = walk, is_found
        if is_found:
            self._heard = ()
            self._settle(walk)

    def _settle(self, walk: Walk) -> None:
        """Leave the stage if its grammar is complete."""
        if not walk.is_over:
            return
        if self._stages[0].is_repeated:
            self._enter(self._stages)
        else:
            self._is_over = True
