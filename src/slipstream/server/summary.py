"""What remains of a request when it is over: its line in the log, its count in the metrics."""

import json
from functools import lru_cache
from time import gmtime, strftime, time

import msgspec

from slipstream.call import Call, Receipt
from slipstream.choice import Plan, Tried
from slipstream.errors import Exhausted, GatewayError
from slipstream.ledger.cost import usd_text
from slipstream.server.explain import tried_word

_MAX_WORD_CHARS = 200


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One finished request.

    `status` is 0 if the client left before headers were sent; `first_s` is None if it never saw a
    frame. `begun` is the account of the first frame, which tells of the choice if there was one.
    """

    call_id: str
    call: Call | None
    receipt: Receipt | None
    error: GatewayError | None
    status: int
    is_gone: bool
    first_s: float | None
    total_s: float
    begun: Receipt | None = None

    @property
    def plan(self) -> Plan | None:
        """What was to be tried, where there was a choice."""
        if self.begun is not None:
            return self.begun.plan
        return self.error.plan if self.error is not None else None

    @property
    def tried(self) -> tuple[Tried, ...]:
        """Every attempt up to the answer, where there was a choice."""
        if self.begun is not None:
            return self.begun.tried
        return self.error.tried if self.error is not None else ()

    @property
    def target_name(self) -> str:
        """The target that served, or failed last; "-" if none was reached."""
        if self.receipt is not None:
            return self.receipt.target.name
        if isinstance(self.error, Exhausted):
            return self.error.attempts[-1][0]
        return "-"

    @property
    def outcome(self) -> str:
        """How it ended, in one word."""
        if self.error is not None:
            return self.error.code or "error"
        return "client_gone" if self.is_gone else "ok"

    def line(self) -> str:
        """Return the canonical log line: `key=value` pairs, never a body or a key's text.

        Every pair is always there, `-` where there is nothing to say, so that a column stays a
        column.
        """
        call, receipt = self.call, self.receipt
        usage = receipt.usage if receipt is not None else None
        cost = receipt.cost_usd_pico if receipt is not None else None
        first_ms = "-" if self.first_s is None else f"{self.first_s * 1000:.1f}"
        who = (
            "key=- model=- stream=-"
            if call is None
            else f"key={call.key_id} model={quote(call.model)} stream={call.is_stream:d}"
        )
        counts = (
            "in=- out=-"
            if usage is None
            else f"in={usage.total_input_tokens} out={usage.total_output_tokens}"
        )
        return (
            f"{_stamp(int(time()))} call={self.call_id} {who} target={quote(self.target_name)} "
            f"attempts={self.num_attempts} {self._choice()} status={self.status} "
            f"outcome={quote(self.outcome)} {counts} "
            f"cost_usd={'-' if cost is None else usd_text(cost)} first_ms={first_ms} "
            f"total_ms={self.total_s * 1000:.1f}"
        )

    def _choice(self) -> str:
        plan = self.plan
        if plan is None:
            return "route=- strategy=- tried=-"
        tried = tried_word(self.tried) or "-"
        return f"route={quote(plan.route)} strategy={plan.strategy} tried={tried}"

    @property
    def num_attempts(self) -> int:
        """How many targets were tried."""
        told = self.begun or self.receipt  # the first frame's counts all runners of a race
        if told is not None:
            return told.num_attempts
        return len(self.error.attempts) if isinstance(self.error, Exhausted) else 0


@lru_cache(maxsize=4)
def _stamp(wall_s: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(wall_s))


@lru_cache(maxsize=1024)
def quote(text: str) -> str:
    """Return another's word so that it stays one word of one line, of at most 200 characters.

    What is not plain is written as JSON in ASCII: also line ends that only Unicode knows, and
    codes that a terminal would obey, are shown and not acted upon.
    """
    text = text[:_MAX_WORD_CHARS]
    if text.isascii() and text.isprintable() and " " not in text and '"' not in text:
        return text
    return json.dumps(text).replace(" ", "\\u0020").replace("\x7f", "\\u007f")
