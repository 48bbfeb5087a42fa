"""Deltas that nobody has taken yet grow together: the one rule, for both ends of the socket."""

from slipstream.engine.protocol import Delta


def merge_deltas(earlier: Delta, later: Delta) -> Delta | None:
    """Return one Delta that says what both say, in order; None if they must stay two.

    Only neighbours within one choice of one request are to be asked about. A tool call stays on
    its own, and reasoning stays apart from text, so that `num_tokens` counts one kind.
    """
    if (earlier.request_id, earlier.choice) != (later.request_id, later.choice):
        return None
    if earlier.finish is not None or earlier.tool_call is not None or later.tool_call is not None:
        return None
    if (earlier.text and later.reasoning) or (earlier.reasoning and later.text):
        return None
    return Delta(
        request_id=later.request_id,
        text=earlier.text + later.text,
        num_tokens=earlier.num_tokens + later.num_tokens,
        choice=later.choice,
        reasoning=earlier.reasoning + later.reasoning,
        logprobs=earlier.logprobs + later.logprobs,
        finish=later.finish,
    )
