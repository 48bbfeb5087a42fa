"""An answer in no dialect's words: a sequence of small events, plain and streamed alike.

    bytes ── a dialect's answer reader ──▶ Event, Event, … ── a dialect's answer writer ──▶ Frame, …

Order: Began, then for each choice any of Said, Thought, Sealed, CallBegan, CallSaid, Refused,
Cited, Scored, Ended; Counted as often as the upstream tells usage, each time all of it so far;
Pinged anywhere; Over last, or Failed and nothing after it. A call's pieces may interleave with
those of other calls by `index`; text and reasoning never interleave with an open piece of a call.
A plain answer is the same sequence, with whole texts.
"""

from typing import Final

from msgspec import Struct

from slipstream.call import Usage
from slipstream.errors import GatewayError
from slipstream.wire.talk.asking import Seal


class Began(Struct, frozen=True, kw_only=True):
    """The upstream has begun.

    Args:
        answer_id: As the upstream named it; empty where it did not.
        created_s: Unix time; None where it does not say.
        service_tier: Which was used, in the upstream's word.
    """

    answer_id: str = ""
    model: str = ""
    created_s: int | None = None
    fingerprint: str | None = None
    service_tier: str | None = None


class Said(Struct, frozen=True):
    """More of the visible text."""

    text: str
    choice: int = 0


class Thought(Struct, frozen=True):
    """More reasoning.

    Args:
        is_summary: It is the vendor's summary.
        begins: A new stretch or a new part of the summary begins with it.
    """

    text: str
    choice: int = 0
    is_summary: bool = False
    begins: bool = False


class Sealed(Struct, frozen=True):
    """Something that the vendor wants back with the next turn.

    Args:
        call: Index of the call that it belongs to; None: the reasoning before it, or by itself.
    """

    seal: Seal
    choice: int = 0
    call: int | None = None


class CallBegan(Struct, frozen=True, kw_only=True):
    """A call of a tool begins; its arguments follow, empty where there are none.

    Args:
        index: Among the calls of its choice, from 0.
        is_custom: Its tool takes text.
    """

    index: int
    call_id: str
    name: str
    choice: int = 0
    is_custom: bool = False


class CallSaid(Struct, frozen=True):
    """More of a call's arguments, as JSON text; of a custom tool, as text."""

    index: int
    text: str
    choice: int = 0


class Refused(Struct, frozen=True):
    """More of what the model says while it refuses."""

    text: str
    choice: int = 0


class Cited(Struct, frozen=True):
    """A citation or annotation of the text before it: JSON text in the words of `dialect`."""

    raw: str
    dialect: str
    choice: int = 0


class Scored(Struct, frozen=True):
    """Log probabilities of the tokens before: JSON text of OpenAI's `logprobs` object's content."""

    raw: str
    choice: int = 0


ENDINGS: Final = ("stop", "length", "tool_calls", "content_filter", "pause")


class Ended(Struct, frozen=True, kw_only=True):
    """A choice is complete.

    Args:
        reason: One of ENDINGS.
        stop_sequence: The one that was found, where the upstream says it.
        details: JSON text of what it says besides, such as Anthropic's `stop_details`.
    """

    reason: str
    choice: int = 0
    stop_sequence: str | None = None
    details: str | None = None


class Counted(Struct, frozen=True):
    """What the answer has cost so far, in disjoint buckets."""

    usage: Usage


class Pinged(Struct, frozen=True):
    """A sign of life."""


class Failed(Struct, frozen=True):
    """The upstream says inside its answer that it failed; nothing follows."""

    error: GatewayError


class Over(Struct, frozen=True):
    """The terminal event of the dialect came, or the plain answer was whole."""


Event = (
    Began
    | Said
    | Thought
    | Sealed
    | CallBegan
    | CallSaid
    | Refused
    | Cited
    | Scored
    | Ended
    | Counted
    | Pinged
    | Failed
    | Over
)
