"""One request on its way through the engine: its sequence, its text so far, its times.

Knows when an answer ends; where its messages go is the business of its `reply`.
"""

from collections.abc import Container, Hashable
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.protocol import Delta, Finished, FinishReason, Started
from slipstream.engine.sampler import Sampling
from slipstream.engine.sequence import Sequence
from slipstream.engine.stops import StopScanner


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What tokens mean to a reader."""

    token_bytes: Items[bytes]
    hidden: Container[int]  # control tokens, never text
    ends: frozenset[int]  # tokens that end an answer


@dataclass(slots=True, eq=False)
class Request:
    """A prompt to answer.

    Args:
        key: Names it to `Engine.cancel`.
        reply: Handed back with each message for it; not looked into.
        arrived_s: On the engine's clock.
    """

    key: Hashable
    reply: object
    request_id: int
    sequence: Sequence
    sampling: Sampling
    stops: StopScanner
    vocabulary: Vocabulary
    arrived_s: float
    started_s: float | None = None
    first_token_s: float | None = None
    detokenizer: Detokenizer = field(init=False)
    num_shown: int = 0  # answer tokens that Deltas have told of

    def __post_init__(self) -> None:
        self.detokenizer = Detokenizer(self.vocabulary.token_bytes, self.vocabulary.hidden)

    def start(self, now_s: float) -> Started:
        """Note that its prompt is begun."""
        self.started_s = now_s
        return Started(
            request_id=self.request_id, prompt_tokens=self.sequence.num_prompt, cached_tokens=0
        )

    def add(self, token_id: int, now_s: float) -> list[Delta | Finished]:
        """Add a token to the answer; return what the reader is to be told, in order."""
        if self.first_token_s is None:
            self.first_token_s = now_s
        self.sequence.token_ids.append(token_id)
        shown = self.stops.feed(self.detokenizer.feed(token_id))
        is_over = shown.is_stopped or token_id in self.vocabulary.ends
        reason: FinishReason = "stop" if is_over else "length"
        if not is_over and not self.sequence.is_full:
            return self._delta(shown.text)
        text = shown.text if shown.is_stopped else shown.text + self.stops.flush()
        return [*self._delta(text), self._finish(reason, now_s)]

    def _delta(self, text: str) -> list[Delta | Finished]:
        if not text:
            return []
        num_tokens = self.sequence.num_answer - self.num_shown
        self.num_shown = self.sequence.num_answer
        return [Delta(self.request_id, text, num_tokens)]

    def _finish(self, reason: FinishReason, now_s: float) -> Finished:
        assert self.started_s is not None, "it has an answer"
        assert self.first_token_s is not None, "it has an answer"
        return Finished(
            request_id=self.request_id,
            reason=reason,
            prompt_tokens=self.sequence.num_prompt,
            cached_tokens=0,
            completion_tokens=self.sequence.num_answer,
            queue_s=self.started_s - self.arrived_s,
            prompt_s=self.first_token_s - self.started_s,
            completion_s=now_s - self.first_token_s,
        )
