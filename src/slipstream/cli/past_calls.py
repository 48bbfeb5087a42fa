"""What happened at each attempt of a call that is over, as the ledger has it, and the sum."""

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from slipstream.cli.accounts import database_url
from slipstream.cli.tables import Column, counted, named, print_table, shown_s, shown_usd
from slipstream.config import Config
from slipstream.errors import GatewayError
from slipstream.ledger.calls import AttemptRow, attempts_of, nearest_calls, num_open
from slipstream.ledger.cost import usd_text
from slipstream.ledger.drain import drain_all
from slipstream.ledger.notices import journal_directory
from slipstream.ledger.store import Store, open_store

_COLUMNS: Final = (
    Column("#", is_figure=True),
    Column("target"),
    Column("cause"),
    Column("outcome"),
    Column("first", is_figure=True),
    Column("total", is_figure=True),
    Column("in", is_figure=True),
    Column("out", is_figure=True),
    Column("cost USD", is_figure=True),
)
_US_PER_S: Final = 10**6
_NS_PER_S: Final = 10**9
_INPUT: Final = ("input_", "cache_")
_OUTPUT: Final = ("output_", "prediction_")


class NoSuchCall(GatewayError):
    """The ledger knows no call of this id."""


class PastCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is over, or of which `num_open` attempts still run."""

    call_id: str
    attempts: list[AttemptRow]
    num_open: int

    @property
    def cost_usd_pico(self) -> int | None:
        """Of all attempts together; None if one's is not known."""
        costs = [each.cost_usd_pico for each in self.attempts]
        return None if None in costs else sum(cost or 0 for cost in costs)


def past_call(config: Config, said: str) -> PastCall:
    """Return what the ledger has of a call, after moving the journals into it.

    Args:
        said: The call's id, or that of one of its attempts.

    Raises:
        NoSuchCall: There is none; the text names the nearest.
    """
    said = said.strip()  # of a line end that came along with it
    with closing(open_store(database_url(config))) as store:
        drain_all(store, journal_directory(config.home))
        for call_id in dict.fromkeys((said, said.rpartition("-")[0])):
            found = PastCall(
                call_id=call_id,
                attempts=attempts_of(store, call_id),
                num_open=num_open(store, call_id),
            )
            if found.attempts or found.num_open:
                return found
        raise NoSuchCall(_unknown(store, said))


def _unknown(store: Store, said: str) -> str:
    near = nearest_calls(store, said)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"no attempt of a call '{said}' is on record.{hint} "
        "The id is in an answer's header x-request-id; a call that was refused has no attempt."
    )


# ---- JSON ---------------------------------------------------------------------------------------


def as_json(call: PastCall) -> str:
    """Return all of it, money as exact decimal dollars."""
    body = {
        "call_id": call.call_id,
        "attempts": [_told(each) for each in call.attempts],
        "open_attempts": call.num_open,
        "cost_usd": _usd(call.cost_usd_pico),
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def _told(attempt: AttemptRow) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.structs.asdict(attempt)
    told["cost_usd"] = _usd(told.pop("cost_usd_pico"))
    return told


def _usd(usd_pico: int | None) -> str | None:
    return None if usd_pico is None else usd_text(usd_pico)


# ---- a table ------------------------------------------------------------------------------------


def show(call: PastCall) -> None:
    """Print it as a table."""
    attempts = call.attempts
    if attempts:
        began = datetime.fromtimestamp(attempts[0].started_at_ns // _NS_PER_S, UTC)
        print(f"{call.call_id}  route {attempts[0].route}  {began:%Y-%m-%d %H:%M:%S} UTC\n")
        print_table(_COLUMNS, map(_row, attempts), _sums(call))
    for note in _notes(call):
        print(f"\n{note}")


def _row(attempt: AttemptRow) -> tuple[str, ...]:
    return (
        str(attempt.number),
        named(attempt.target_name, attempt.credential),
        attempt.cause,
        _outcome(attempt),
        shown_s(_seconds(attempt.first_token_us)),
        shown_s(_seconds(attempt.total_us)),
        f"{_count(attempt, _INPUT):,}",
        f"{_count(attempt, _OUTPUT):,}",
        shown_usd(_usd(attempt.cost_usd_pico)),
    )


def _sums(call: PastCall) -> tuple[str, ...]:
    attempts = call.attempts
    known = sum(each.cost_usd_pico or 0 for each in attempts)
    is_known = any(each.cost_usd_pico is not None for each in attempts)
    return (
        "",
        "sum",
        "",
        counted(len(attempts), "attempt"),
        "",
        shown_s(_span_s(attempts)),
        f"{sum(_count(each, _INPUT) for each in attempts):,}",
        f"{sum(_count(each, _OUTPUT) for each in attempts):,}",
        shown_usd(usd_text(known) if is_known else None),
    )


def _outcome(attempt: AttemptRow) -> str:
    if attempt.state == "complete":
        return "ok"
    if attempt.error_code is None:
        return attempt.state
    status = "" if attempt.http_status is None else f" {attempt.http_status}"
    return f"{attempt.state}: {attempt.error_code}{status}"


def _span_s(attempts: list[AttemptRow]) -> float | None:
    """Return the time from the first attempt's start to the last one's end: runners overlap."""
    ends = [e.started_at_ns + e.total_us * 1000 for e in attempts if e.total_us is not None]
    return (max(ends) - attempts[0].started_at_ns) / _NS_PER_S if ends else None


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / _US_PER_S


def _count(attempt: AttemptRow, prefixes: tuple[str, ...]) -> int:
    return sum(count for name, count in attempt.tokens.items() if name.startswith(prefixes))


def _notes(call: PastCall) -> list[str]:
    notes = []
    absorbed = [each for each in call.attempts if each.state != "complete" and each.cost_usd_pico]
    if absorbed:
        usd = Decimal(usd_text(sum(each.cost_usd_pico or 0 for each in absorbed)))
        notes.append(f"Of the cost, {shown_usd(usd)} went to attempts that gave no whole answer.")
    unknown = sum(each.cost_usd_pico is None for each in call.attempts)
    if unknown:
        notes.append(f"Cost unknown, not in the sum: {counted(unknown, 'attempt')}.")
    estimates = sum(each.is_estimate for each in call.attempts)
    if estimates:
        notes.append(f"Tokens estimated: {counted(estimates, 'attempt')}.")
    if call.num_open:
        notes.append(f"Still running: {counted(call.num_open, 'attempt')}.")
    return notes
