"""How `slipstream explain --targets` shows what a running gateway knows of its targets."""

from collections.abc import Iterator
from typing import Final

from slipstream.cli.tables import Column, counted, named, print_table, print_words, shown_s
from slipstream.server.routing_answers import BreakerState, KeyState, TargetList, TargetState

_COLUMNS: Final = (
    Column("target"),
    Column("state"),
    Column("running", is_figure=True),
    Column("first", is_figure=True),
    Column("p95", is_figure=True),
    Column("tokens/s", is_figure=True),
    Column("risk", is_figure=True),
)
_WORDS: Final = {"closed": "well", "half_open": "on trial", "open": "left alone"}
_EMPTY: Final = "No target was asked yet. Send a request, then look again."


def show(targets: TargetList) -> None:
    """Print a row for each target of which something is known, and below why one is not well."""
    known = [target for target in targets.data if _is_known(target)]
    if not known:
        print(_EMPTY)
        return
    print_table(_COLUMNS, map(_row, known))
    remarks = [remark for target in known for remark in _remarks(target)]
    if remarks:
        print()
    for remark in remarks:
        print_words(remark)
    if num_others := len(targets.data) - len(known):
        print(f"\nNothing is known yet of {counted(num_others, 'other target')}.")


def _is_known(target: TargetState) -> bool:
    is_told = any(_room(key) for key in target.keys)
    return bool(target.samples or target.in_flight or target.state != "closed" or is_told)


def _row(target: TargetState) -> tuple[str, ...]:
    return (
        target.target,
        _WORDS[target.state],
        f"{target.in_flight:,}",
        shown_s(target.first_token_p50_s),
        shown_s(target.first_token_p95_s),
        "" if target.tokens_per_s is None else f"{target.tokens_per_s:,.0f}",
        f"{target.failure_share:.1%}" if target.samples else "",
    )


def _remarks(target: TargetState) -> Iterator[str]:
    """Say why a target is not well and for how long, and what room its keys have."""
    if target.state != "closed":
        yield f"{target.target}: {_why(target.reason, target.wait_s)}"
    is_several = len(target.keys) > 1
    for key in target.keys:
        name = named(target.target, key.credential)
        worst = max(key.breakers, key=_severity, default=None)
        if is_several and worst is not None and worst.state != "closed":
            yield f"{name}: {_why(worst.reason, worst.wait_s)}"
        if room := _room(key):
            yield f"{name}: room for {room}"


def _severity(breaker: BreakerState) -> tuple[bool, float]:
    is_bad = breaker.state != "closed"
    return is_bad, float("inf") if breaker.wait_s is None else breaker.wait_s


def _why(reason: str | None, wait_s: float | None) -> str:
    if wait_s is None:
        return f"{reason or 'it failed'}; one request is finding out whether it is well again"
    if wait_s == 0:
        return f"{reason or 'it failed'}; the next request finds out whether it is well again"
    return f"{reason or 'it failed'}; it is asked again in {shown_s(wait_s)}"


def _room(key: KeyState) -> str:
    """Return what is left of a key's rate limits, as far as its provider told."""
    told = []
    if key.requests_left is not None:
        told.append(counted(int(key.requests_left), "request"))
    if key.tokens_left is not None:
        told.append(counted(int(key.tokens_left), "token"))
    return ", ".join(told)
