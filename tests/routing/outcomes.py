"""Outcomes of attempts as tests of routing want them, and a Board to tell them to."""

import random
from collections.abc import Callable, Mapping

from slipstream.call import Outcome, State, Usage
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.routing.board import Board
from slipstream.routing.facts import TargetFacts
from slipstream.routing.settings import RoutingSettings

GROQ = Target("groq", "m")


def board_of(
    keys: Mapping[str, tuple[str, ...]] | None = None,
    *,
    contexts: Mapping[str, int] | None = None,
    seed: int = 0,
    **settings: float,
) -> Board:
    """Return a Board that knows nothing yet.

    Args:
        keys: Labels by provider, where there are others than `default`.
        contexts: Tokens by model.
    """
    return Board(facts_of(keys, contexts), RoutingSettings(**settings), random.Random(seed))  # type: ignore[arg-type]


def facts_of(
    keys: Mapping[str, tuple[str, ...]] | None = None, contexts: Mapping[str, int] | None = None
) -> Callable[[Target], TargetFacts]:
    """Return what is known beforehand."""

    def facts(target: Target) -> TargetFacts:
        labels = (keys or {}).get(target.provider, ("default",))
        return TargetFacts(
            target=Target(target.provider, target.model, labels[0]),
            credentials=labels,
            context_tokens=(contexts or {}).get(target.model),
        )

    return facts


def outcome(
    target: Target = GROQ,
    *,
    state: State = "complete",
    error: Exception | None = None,
    first_s: float | None = 0.5,
    total_s: float = 1.0,
    held_s: float = 0.0,
    num_input: int = 100,
    num_output: int = 50,
    body_bytes: int = 400,
    cost: int | None = None,
    usage: Usage | None = None,
) -> Outcome:
    """Return what one attempt came to."""
    attempt = Attempt(
        attempt_id="a-1",
        number=1,
        route="r",
        target=target,
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=1e9,
    )
    if error is not None and state == "complete":
        state = "failed"
    return Outcome(
        attempt=attempt,
        state=state,
        error=error,
        usage=usage or Usage(input_tokens=num_input, output_tokens=num_output),
        cost_usd_pico=cost,
        first_token_s=first_s if error is None else None,
        total_s=total_s,
        held_s=held_s,
        body_bytes=body_bytes,
    )
