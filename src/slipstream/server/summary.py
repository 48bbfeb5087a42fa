"""What remains of a request when it is over: its line in the log, its count in the metrics."""

from time import gmtime, strftime, time

import msgspec

from slipstream.call import Call, Receipt
from slipstream.errors import Exhausted, GatewayError
from slipstream.ledger.cost import usd_text


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One finished request.

    `status` is 0 if the client left before headers were sent; `first_s` is None if it never saw a
    frame.
    """

    call_id: str
    call: Call | None
    receipt: Receipt | None
    error: GatewayError | None
    status: int
    is_gone: bool
    first_s: float | None
    total_s: float

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
        """Return the canonical log line: `key=value` pairs, never a body or a key's text."""
        pairs = [
            strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time())),
            f"call={self.call_id}",
            f"status={self.status}",
            f"outcome={self.outcome}",
            f"total_ms={self.total_s * 1000:.1f}",
        ]
        if self.first_s is not None:
            pairs.append(f"first_ms={self.first_s * 1000:.1f}")
        if self.call is not None:
            pairs += [
                f"key={self.call.key_id}",
                f"model={quote(self.call.model)}",
                f"stream={int(self.call.is_stream)}",
            ]
        pairs.append(f"target={quote(self.target_name)}")
        if (receipt := self.receipt) is not None:
            pairs.append(f"attempts={receipt.num_attempts}")
            if receipt.usage is not None:
                pairs.append(f"in={receipt.usage.total_input_tokens}")
                pairs.append(f"out={receipt.usage.total_output_tokens}")
            if receipt.cost_usd_pico is not None:
                pairs.append(f"cost_usd={usd_text(receipt.cost_usd_pico)}")
        elif isinstance(self.error, Exhausted):
            pairs.append(f"attempts={len(self.error.attempts)}")
        return " ".join(pairs)


def quote(text: str) -> str:
    """Return a client's word so that it stays one word of one line."""
    if text.isascii() and text.isprintable() and " " not in text and '"' not in text:
        return text[:200]
    return msgspec.json.encode(text[:200]).decode()
