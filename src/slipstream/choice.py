"""The nouns of the choice: what a call needs and wishes, what may be tried, and what was.

    Needs, Wishes ── routing ──▶ Plan of Targets ── dispatch ──▶ Attempt, Attempt, …

A need can be met or not; a wish is what the caller would like of the choice between those that can.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec


class Target(msgspec.Struct, frozen=True, gc=False):
    """One model at one provider with one credential.

    Args:
        provider: Name of the row or of the `[providers.NAME]` table; `local` for models we run.
        model: The id that the upstream knows.
        credential: A label for the key, for reports; never the key.
    """

    provider: str
    model: str
    credential: str = "default"

    @property
    def name(self) -> str:
        """`provider/model`, as routes and headers write it."""
        return f"{self.provider}/{self.model}"


class Deadlines(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How long each phase of one attempt may take, in seconds."""

    connect_s: float = 5.0
    first_token_s: float = 60.0  # from the request to the first piece that says something
    idle_s: float = 60.0  # between two reads of an answer
    total_s: float = 600.0  # of the whole call, all attempts together


# ---- what a call needs ---------------------------------------------------------------------------

# Bits, since a set of them is compared with each candidate of each call.
TOOLS: Final = 1
IMAGES: Final = 2
AUDIO: Final = 4
DOCUMENTS: Final = 8
JSON_SCHEMA: Final = 16  # an answer of a given schema
JSON_OBJECT: Final = 32  # an answer that is some JSON
REASONING: Final = 64  # more or less thinking was asked for by name
LOGPROBS: Final = 128
CHOICES: Final = 256  # more than one answer
CHAT: Final = 512
COMPLETIONS: Final = 1024  # of text
EMBEDDINGS: Final = 2048

ABILITIES: Final[Mapping[str, int]] = {
    "tools": TOOLS,
    "images": IMAGES,
    "audio": AUDIO,
    "documents": DOCUMENTS,
    "json_schema": JSON_SCHEMA,
    "json_object": JSON_OBJECT,
    "reasoning": REASONING,
    "logprobs": LOGPROBS,
    "choices": CHOICES,
    "chat": CHAT,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
}
"""What a request may need of a model, by the name that the configuration has for it."""

ALL_ABILITIES: Final = sum(ABILITIES.values())


class Needs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a target must be able to do to serve a call at all.

    Args:
        abilities: Bits of `ABILITIES`.
        input_bytes: Size of what the model reads, without images and the like.
        media_tokens: What images, sound and documents are estimated at.
        input_tokens: As somebody counted them; None: estimate them from the bytes.
        sealed_by: Vendors whose opaque reasoning the request holds, which no other can read; and
            the name of a provider that keeps the answer it goes on with.
    """

    abilities: int = CHAT
    input_bytes: int = 0
    media_tokens: int = 0
    input_tokens: int | None = None
    sealed_by: frozenset[str] = frozenset()


# ---- what a caller wishes ------------------------------------------------------------------------

Strategy = Literal["pinned", "ordered", "weighted", "cheapest", "fastest", "balanced", "race"]
Task = Literal["general", "code", "math", "tools", "writing"]
DataPolicy = Literal["any", "no_training", "no_retention", "local"]


class Wishes(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one request says of its own routing; None or empty: as the route has it.

    Args:
        strategy: Instead of the route's.
        targets: Names of targets, models or routes, instead of the route's.
        quality: Least tier of quality, for `task`; see catalog/tiers.
        data: Least that targets must promise of what they do with the request.
        max_cost_usd_pico: Expected cost that a target may have at most.
        timeout_s: In place of the total deadline, which it can only shorten.
        max_attempts: Can only lower the route's.
        hedge_s: Delay after which the next runner of a race starts; 0: all at once.
        max_runners: Of a race.
        is_explained: The answer's headers are to tell what was considered.
    """

    strategy: Strategy | None = None
    targets: tuple[str, ...] = ()
    quality: int | None = None
    task: Task | None = None
    data: DataPolicy | None = None
    max_cost_usd_pico: int | None = None
    timeout_s: float | None = None
    max_attempts: int | None = None
    hedge_s: float | None = None
    max_runners: int | None = None
    is_explained: bool = False


# ---- what is tried -------------------------------------------------------------------------------

Cause = Literal["first", "fallback", "hedge", "probe"]
"""Why an attempt was made: `hedge` runs beside another, `probe` looks whether a target is back."""


class Weighed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One candidate, and what was thought of it.

    Args:
        reason: Why it is tried at this place, or why it is left, in words.
        is_taken: It is among the plan's targets.
        cost_usd_pico: Expected; None where no price is known.
        first_token_s: Expected; None where nothing is known.
        total_s: Expected time to the answer's end.
        input_tokens: Estimated of this request there; None where it was left before that.
        output_tokens: Expected of the answer, reasoning included.
    """

    target: Target
    reason: str
    is_taken: bool
    cost_usd_pico: int | None = None
    first_token_s: float | None = None
    total_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to try, in order; made by a pure function of `routing`.

    Args:
        route: The route's name, or the pinned target's.
        targets: One entry for each try that makes sense; the same model with another credential is
            another entry.
        max_attempts: Runners of a race included.
        is_weighed: It was chosen by measurements and wishes to hear what came of it.
        hedge_s: The next target starts beside those that run when this has passed without a sign of
            meaning; 0: all at once; None: one after another.
        max_runners: Targets that run at the same time, at most.
        max_wait_s: How long the call may wait in all for targets that said when to come back.
        least_tokens_per_s: A stream that begins slower than this is left for the next target.
        rate_window_s: How long its beginning is.
        retries_refusals: A request that one target finds against its policy may go to the next.
        probes: Targets of which nobody knows whether they are back.
        patience_s: How long each of `targets` may take to its first token while another one is
            left, where that is less than the deadlines say; empty: as they say.
        weighed: Everything that was considered, where somebody wants to know.
    """

    route: str
    strategy: Strategy
    targets: tuple[Target, ...]
    deadlines: Deadlines
    max_attempts: int
    is_weighed: bool = False
    hedge_s: float | None = None
    max_runners: int = 1
    max_wait_s: float = 0.0
    least_tokens_per_s: float | None = None
    rate_window_s: float = 1.0
    retries_refusals: bool = False
    probes: frozenset[Target] = frozenset()
    patience_s: tuple[float, ...] = ()
    weighed: tuple[Weighed, ...] = ()


class Race:
    """What the runners of one race share: whether one has won, and which.

    An attempt that is closed in the middle learns here why; of an attempt that runs alone it can
    only be that it was given up.
    """

    __slots__ = ("_given_up", "winner_id")

    def __init__(self) -> None:
        self.winner_id: str | None = None
        self._given_up: tuple[tuple[str, Exception], ...] = ()

    def is_lost_by(self, attempt_id: str) -> bool:
        """Tell whether another runner has won."""
        return self.winner_id is not None and self.winner_id != attempt_id

    def give_up(self, attempt_id: str, error: Exception) -> None:
        """Say why an attempt is about to be closed, when it is not because another has won.

        Args:
            error: One that is never raised: its traceback would lead back here, and an Attempt is
                in no cycle that the collector would find.
        """
        self._given_up += ((attempt_id, error),)

    def failure_of(self, attempt_id: str) -> Exception | None:
        """Return why an attempt was given up; None if it was not."""
        return next((error for id_, error in self._given_up if id_ == attempt_id), None)


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One try of one target; exactly one ledger row, whatever happens to it.

    Args:
        race: That it runs in, if it does; its winner is known once a runner has begun to answer.
    """

    attempt_id: str
    number: int  # 1 for the first try of its call
    route: str  # that led here: a route's name, or the pinned target's
    target: Target
    deadlines: Deadlines
    started_at_ns: int  # wall clock, for the ledger
    total_deadline_s: float  # on the event loop's clock
    cause: Cause = "first"
    is_weighed: bool = False  # what it shows of its target's room is of use
    race: Race | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of one attempt, for headers and explanations.

    Args:
        outcome: `ok`, `outraced`, or the error's code.
    """

    target: Target
    cause: Cause
    outcome: str
    took_s: float


# ---- what answers tell beside --------------------------------------------------------------------


class Room(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a provider's headers say is left of its rate limits; None where they do not say.

    Of several windows, such as a minute's and a day's, the one of which the least is left.

    Args:
        requests: That may still be sent before the reset.
        tokens: Likewise.
        requests_reset_s: Until there are more.
    """

    requests: int | None = None
    requests_reset_s: float | None = None
    tokens: int | None = None
    tokens_reset_s: float | None = None
