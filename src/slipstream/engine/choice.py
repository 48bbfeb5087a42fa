"""One answer of a request on its way: its tokens, how they are guessed, chosen and shown."""

from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import Final

import msgspec

from slipstream.engine.answer_text import AnswerText, Part, merged
from slipstream.engine.drafts import Drafter, Guess
from slipstream.engine.grammar import Matcher
from slipstream.engine.protocol import Delta, FinishReason, Logprob
from slipstream.engine.sampler import Chosen, History, Mask, Rows, Sampling
from slipstream.engine.sequence import Sequence
from slipstream.errors import BadRequest

_NO_GUESS: Final = Guess((), "padding")


@dataclass(slots=True, eq=False)
class Choice:
    """An answer that is being written.

    Args:
        request_id: Of its request, for its messages.
        number: Among the answers of its request.
        token_bytes: Of each token, for log probabilities.
        ends: Tokens that end an answer.
        new_drafter: Makes what guesses the next tokens: when it is first asked, since reading a
            long prompt takes megabytes, and many that wait or run among many are never guessed.
        min_tokens: None of them is taken before so many.
        matcher: What the answer must look like.
        tells_tokens: Its Deltas hold the ids of their tokens.
    """

    request_id: int
    number: int
    sequence: Sequence
    sampling: Sampling
    history: History | None
    text: AnswerText
    token_bytes: Items[bytes]
    ends: frozenset[int]
    new_drafter: Callable[[], Drafter]
    min_tokens: int = 0
    matcher: Matcher | None = None
    tells_tokens: bool = False
    finish: FinishReason | None = None
    num_forced: int = 0
    accepted: Counter[str] = field(default_factory=Counter)  # guesses by source
    rejected: Counter[str] = field(default_factory=Counter)
    _drafter: Drafter | None = None
    _num_drafted: int = field(init=False)  # tokens that the drafter knows of
    _guess: Guess = _NO_GUESS
    _refusal: BadRequest | None = None
    _num_told: int = 0  # answer tokens that Deltas have told of
    _logprobs: list[Logprob] = field(default_factory=list)  # of the others

    def __post_init__(self) -> None:
        self._num_drafted = self.sequence.num_prompt

    def catch_up(self) -> Drafter:
        """Tell the drafter what was answered since it was asked last, and return it."""
        drafter = self._drafter or self._employ(self.new_drafter())
        drafter.add(self.sequence.token_ids[self._num_drafted :])
        self._num_drafted = len(self.sequence.token_ids)
        return drafter

    def guess(self, most: int) -> None:
        """Let the sequence carry at most so many guesses in the next step; older ones go."""
        self._guess = _NO_GUESS
        if most > 0:
            assert self._drafter is not None, "it has caught up"
            sure = self.matcher.likely() if self.matcher is not None else ()
            self._guess = self._drafter.propose(most, sure)
        self.sequence.guesses = self._guess.tokens

    def rows(self, guesses: tuple[int, ...]) -> Rows:
        """Return how tokens are chosen behind the present ones and these guesses.

        Called while the model computes, because masks take their time. Changes nothing.
        """
        num_endless = max(self.min_tokens - self.sequence.num_answer, 0)
        return Rows(
            self.sampling,
            self.history,
            len(self.sequence.token_ids),
            guesses,
            self._masks(guesses),
            self.ends if num_endless else (),
            num_endless,
        )

    def take(self, chosen: Items[Chosen], num_guessed: int) -> list[Delta]:
        """Add what was chosen; return what to tell.

        A grammar may force further tokens behind them; these are added too.

        Args:
            num_guessed: Guesses that were computed with them.

        Raises:
            BadRequest: The grammar grew beyond its bounds.
        """
        if self._refusal is not None:
            raise self._refusal
        num_before = len(self.sequence.token_ids)
        parts: list[Part] = []
        for picked in chosen:
            parts += self._add(picked.token_id)
            if self.sampling.num_logprobs is not None:
                self._logprobs.append(self._logprob(picked))
            if self.finish is not None:
                break
        num_taken = len(self.sequence.token_ids) - num_before
        if self.finish is None and self.matcher is not None:
            parts += self._take_forced(self.matcher)
        if self.finish is not None:
            parts += self._close()
        if self._guess is not _NO_GUESS and self._drafter is not None:
            # All that was chosen but its last was guessed; the answer may have ended before.
            num_accepted = min(num_taken, len(chosen) - 1)
            self._drafter.settle(self._guess, num_guessed, num_accepted)
            self._guess, self.sequence.guesses = _NO_GUESS, ()
        if self.history is not None:
            self.history.add(self.sequence.token_ids[num_before:])
        return self._tell(parts)

    def fork(self, number: int) -> "Choice":
        """Return another answer to the same prompt, with a seed of its own; none was begun."""
        other = Choice(
            self.request_id,
            number,
            self.sequence.fork(),
            self.sampling.reseeded(number),
            self.history.fork() if self.history is not None else None,
            self.text.fork(),
            self.token_bytes,
            self.ends,
            self.new_drafter,
            self.min_tokens,
            self.matcher.fork() if self.matcher is not None else None,
            self.tells_tokens,
        )
        if self._drafter is not None:
            other._employ(self._drafter.fork())
        return other

    def _employ(self, drafter: Drafter) -> Drafter:
        self._drafter, self.accepted, self.rejected = drafter, drafter.accepted, drafter.rejected
        return drafter

    def _masks(self, guesses: tuple[int, ...]) -> Items[Mask | None]:
        if self.matcher is None:
            return ()
        number, most = self.sequence.num_answer, self.sequence.num_most
        try:
            masks = self.matcher.masks(guesses)
            return self.matcher.narrowed(masks, guesses, number, least=self.min_tokens, limit=most)
        except BadRequest as error:  # the model computes this step: it is said when that is done
            self._refusal = error
            return ()

    def _add(self, token_id: int) -> list[Part]:
        self.sequence.token_ids.append(token_id)
        if self.matcher is not None:
            self.matcher.accept(token_id)
        parts = self.text.feed(token_id)
        is_over = self.matcher is not None and self.matcher.is_over
        if token_id in self.ends or self.text.stopped_by is not None or is_over:
            self.finish = "stop"
        elif self.sequence.is_full:
            self.finish = "length"
        return parts

    def _take_forced(self, matcher: Matcher) -> list[Part]:
        """Take the tokens that the grammar leaves no choice in: they need no step each."""
        if self.sampling.num_logprobs is not None:
            return []  # a log probability is known only of a token that was computed
        parts = []
        for token_id in matcher.forced():
            parts += self._add(token_id)
            self.num_forced += 1
            if self.finish is not None:
                break
        return parts

    def _close(self) -> list[Part]:
        parts = self.text.close()
        if self.finish == "stop" and self.text.num_calls:
            self.finish = "tool_calls"
        return parts

    def _logprob(self, picked: Chosen) -> Logprob:
        named = tuple((self._bytes(token_id), value) for token_id, value in picked.top)
        assert picked.logprob is not None, "log probabilities were asked for"
        return Logprob(self._bytes(picked.token_id), picked.logprob, named)

    def _bytes(self, token_id: int) -> bytes:
        return self.token_bytes[token_id] if token_id < len(self.token_bytes) else b""

    def _tell(self, parts: Items[Part]) -> list[Delta]:
        """Return Deltas in the order of the answer: neighbours that are alike in one."""
        deltas = [self._delta(part) for part in merged(parts)]
        if self.finish is not None:
            last = deltas.pop() if deltas else Delta(self.request_id, choice=self.number)
            stop = self.text.stopped_by
            deltas.append(msgspec.structs.replace(last, finish=self.finish, stop=stop))
        return deltas

    def _delta(self, part: Part) -> Delta:
        """Return what tells of a part, with what is to be told of its tokens."""
        start = self.sequence.num_prompt + self._num_told
        self._num_told += part.num_tokens
        tokens = self.sequence.token_ids[start:][: part.num_tokens] if self.tells_tokens else ()
        logprobs = tuple(self._logprobs[: part.num_tokens])
        del self._logprobs[: part.num_tokens]
        return Delta(
            self.request_id,
            part.text,
            part.num_tokens,
            self.number,
            part.reasoning,
            part.tool_call,
            logprobs,
            is_reasoning=part.is_reasoning and not part.reasoning,
            tokens=tuple(tokens),
        )
