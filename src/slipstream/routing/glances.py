"""What is known of a candidate as of a moment ago, worked out beforehand: a few sums, all linear.

    time(request) = total_s + byte_s x bytes + load_s x attempts in flight
    cost(request) = usd_pico + byte_usd_pico x bytes

Twenty candidates are compared in a few microseconds by these. They hold for requests of nothing but
text whose answer may be as long as answers are; every other request is rated by `expect`.
"""

from math import inf
from typing import Final

FRESH_S: Final = 0.05
"""How long a glance is used: what it is made of has a memory of minutes."""

UNKNOWN_USD_PICO: Final = 1e30
"""In place of a cost that nobody knows: behind all that are known."""


class Glance:
    """Plain attributes, written by `expect` and read in loops.

    Args:
        most_tokens: Of input and output together, for which this holds.
        num_output: Tokens that are expected of an answer.
        scale: Relative difference below which another one may be as good, for all that is known.
        patience_s: How long it may take to the first token of a stream while others are left.
        late_s: How far its p95 of times to the first token is behind what is expected; None where
            too little is known. `late_plain_s` is that of answers that are no streams.
    """

    __slots__ = (
        "byte_s",
        "byte_usd_pico",
        "late_plain_s",
        "late_s",
        "load_s",
        "most_tokens",
        "num_output",
        "patience_s",
        "scale",
        "tokens_per_byte",
        "total_s",
        "usd_pico",
    )

    def __init__(self) -> None:
        self.total_s = self.load_s = self.byte_s = 0.0
        self.usd_pico, self.byte_usd_pico = UNKNOWN_USD_PICO, 0.0
        self.tokens_per_byte = self.scale = 0.0
        self.num_output = self.most_tokens = 0
        self.patience_s = inf
        self.late_s: float | None = None
        self.late_plain_s: float | None = None
