"""One request on its way through the engine: its choices, and its times.

Where its messages go is the business of its `reply`.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from slipstream.engine.choice import Choice
from slipstream.engine.protocol import Finished, Started


@dataclass(slots=True, eq=False)
class Request:
    """A prompt to answer, once or several times.

    Args:
        key: Names it to `Engine.cancel`.
        reply: Handed back with each message for it; not looked into.
        first: The first of its choices; the others are forked from it when its prompt is read.
        arrived_s: On the engine's clock.
        max_queue_s: It is refused if it would wait longer for its place.
        prompt_text: To be told when it starts; empty where nobody asked.
    """

    key: Hashable
    reply: object
    request_id: int
    first: Choice
    arrived_s: float
    max_queue_s: float | None = None
    prompt_text: str = ""
    started_s: float | None = None
    first_token_s: float | None = None
    choices: list[Choice] = field(init=False)

    def __post_init__(self) -> None:
        self.choices = [self.first]

    @property
    def is_finished(self) -> bool:
        """Whether every choice is complete."""
        return all(choice.finish is not None for choice in self.choices)

    def start(self, now_s: float) -> Started:
        """Note that its prompt is begun."""
        self.started_s = now_s
        sequence = self.first.sequence
        return Started(
            request_id=self.request_id,
            prompt_tokens=sequence.num_prompt,
            cached_tokens=sequence.num_cached,
            prompt_text=self.prompt_text,
        )

    def fork(self) -> list[Choice]:
        """Return the choices beside the first one; its prompt is read and nothing chosen yet."""
        others = [self.first.fork(n) for n in range(1, self.first.sequence.num_choices)]
        self.choices += others
        return others

    def end(self, now_s: float) -> Finished:
        """Return the account of all choices."""
        assert self.started_s is not None, "it has an answer"
        assert self.first_token_s is not None, "it has an answer"
        return Finished(
            request_id=self.request_id,
            prompt_tokens=self.first.sequence.num_prompt,
            cached_tokens=self.first.sequence.num_cached,
            completion_tokens=sum(choice.sequence.num_answer for choice in self.choices),
            reasoning_tokens=sum(choice.text.num_reasoning for choice in self.choices),
            accepted_tokens=sum(choice.accepted["prediction"] for choice in self.choices),
            rejected_tokens=sum(choice.rejected["prediction"] for choice in self.choices),
            lookup_tokens=sum(choice.accepted["lookup"] for choice in self.choices),
            queue_s=self.started_s - self.arrived_s,
            prompt_s=self.first_token_s - self.started_s,
            completion_s=now_s - self.first_token_s,
        )
