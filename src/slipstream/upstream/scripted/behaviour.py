"""The one table of behaviours: what a request may ask of the scripted upstream, and its parsing.

A header, a suffix of the model name and the control API all end in `Behaviour`; its fields are
the rows. docs/mock.md holds one line for each row, and a test compares the two.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Final, get_args, get_type_hints
from urllib.parse import unquote

from slipstream.errors import BadRequest
from slipstream.settings import About, about, setting
from slipstream.upstream.scripted.laws import ACCEPTED, Law, draw, parse_law

_DAY_S = 86_400.0
_MAX_TOKENS = 1_000_000
_MAX_BYTES = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one request is to be answered; every default means "as usual"."""

    # What the answer says.
    text: str | None = setting("say exactly this", default=None)
    tokens: int | None = setting(
        "answer with N words, repeating the text", default=None, least=0, most=_MAX_TOKENS
    )
    empty: bool = setting("answer without any content", default=False)
    calls: int | None = setting(
        "make N tool calls where tools may be called", default=None, least=1, most=128
    )
    tool: str | None = setting(
        "call the tool of this name, until its result is there", default=None
    )
    arguments: str | None = setting("call tools with these arguments", default=None)
    finish: str | None = setting("say this finish_reason", default=None)
    reasoning: int | None = setting(
        "think for N tokens first, counted as reasoning_tokens",
        default=None,
        least=0,
        most=_MAX_TOKENS,
    )
    reasoning_field: str = setting(
        "show the reasoning under this name",
        default="usual",
        choices=("usual", "none", "reasoning", "reasoning_content", "both"),
    )
    redact: bool = setting("hide the reasoning: Messages has blocks for that", default=False)
    refuse: bool = setting("refuse, in the dialect's own way", default=False)
    call_pieces: str = setting(
        "how the arguments of calls come in a stream",
        default="words",
        choices=("words", "whole", "interleaved"),
    )
    cached: int | None = setting(
        "report N prompt tokens as read from a cache", default=None, least=0, most=_MAX_TOKENS
    )
    cache_write: int | None = setting(
        "report N prompt tokens as written to a cache", default=None, least=0, most=_MAX_TOKENS
    )
    remaining: int | None = setting(
        "say in rate-limit headers that N requests are left", default=None, least=0, most=10**9
    )
    quota: int | None = setting(
        "let N requests of a key through in each window, and tell how many are left",
        default=None,
        least=0,
        most=10**6,
    )
    quota_s: float = setting(
        "how long a window of `quota` is", default=60.0, unit="s", least=0.05, most=_DAY_S
    )
    usage: str = setting(
        "`none` leaves usage out even when asked", default="normal", choices=("normal", "none")
    )

    # Errors that are said.
    status: int | None = setting(
        "answer with this status, and an error body from 400 on", default=None, least=200, most=599
    )
    retry_after: float | None = setting(
        "add a Retry-After header", default=None, unit="s", least=0, most=_DAY_S
    )
    code: str | None = setting("use this `code` in the error", default=None)
    body: str | None = setting("send exactly this body, JSON or HTML", default=None)
    error_in_200: bool = setting("send the error with status 200", default=False)
    error_after: int | None = setting(
        "send an error after N events, and end the stream", default=None, least=0, most=_MAX_TOKENS
    )

    # Time.
    delay: float = setting(
        "wait before the first byte", default=0.0, unit="s", least=0, most=_DAY_S
    )
    delay_headers_only: bool = setting("send the headers before the delay", default=False)
    gap: float = setting("wait between events", default=0.0, unit="s", least=0, most=_DAY_S)
    rate: float | None = setting(
        "send this many events per second", default=None, unit="1/s", least=0.001, most=1e6
    )
    stall_after: int | None = setting(
        "send N events, then nothing more for ever", default=None, least=0, most=_MAX_TOKENS
    )

    # Broken answers.
    malformed_chunk: int | None = setting(
        "make the Nth event broken JSON", default=None, least=1, most=_MAX_TOKENS
    )
    no_done: bool = setting("leave the terminal event out", default=False)
    cut: int | None = setting(
        "close the connection after byte N of the response", default=None, least=0, most=_MAX_BYTES
    )
    cut_body: int | None = setting(
        "close the connection after byte N of the body", default=None, least=0, most=_MAX_BYTES
    )
    reset: bool = setting("close with RST: at once, or where a cut says", default=False)
    http_garbage: bool = setting("send bytes that are not HTTP, and close", default=False)

    # The shape of the bytes.
    split: int | None = setting(
        "write in pieces of N bytes", default=None, unit="bytes", least=1, most=_MAX_BYTES
    )
    events_per_write: int = setting("put N events into each write", default=1, least=1, most=10_000)
    crlf: bool = setting("end the lines of events with CR LF", default=False)
    comments: bool = setting("put a keep-alive comment before each event", default=False)
    close_delimited: bool = setting("end the body by closing the connection", default=False)
    chunked_tiny: bool = setting("use HTTP chunks of one byte", default=False)
    early_hints: bool = setting("send a 103 before the answer", default=False)
    header_bytes: int | None = setting(
        "add a header of N bytes", default=None, unit="bytes", least=1, most=16 * 2**20
    )

    # Which requests get it.
    share: float = setting("for this share of requests only", default=1.0, least=0, most=1)
    only_key: str | None = setting("for requests with this key only", default=None)
    seed: int = setting("makes other draws, of other requests", default=0, least=0, most=2**31)


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour: its name, the type of its value and what else is known of it."""

    name: str
    kind: type
    about: About


def _rows() -> dict[str, Row]:
    hints = get_type_hints(Behaviour)
    rows = {}
    for field in fields(Behaviour):
        hint = hints[field.name]
        kind = next((t for t in get_args(hint) if t is not NoneType), hint)
        said = about(field.metadata)
        assert said is not None, f"{field.name} is declared without setting()"
        rows[field.name] = Row(field.name, kind, said)
    return rows


ROWS: Final[Mapping[str, Row]] = _rows()
ORDINARY: Final = Behaviour()

Values = Mapping[str, object]
"""Checked values by row name, not yet merged with those of another source."""

NOTHING: Final[Values] = {}

_VARYING: Final = frozenset({"delay", "gap", "rate"})
"""Rows that take a law in place of a number; Values hold it until a request draws from it."""

_TRUE_WORDS: Final = ("", "true", "1", "yes")
_FALSE_WORDS: Final = ("false", "0", "no")
_ACCEPTED: Final[Mapping[type, str]] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "no value, true or false",
}


def parse_header(value: str) -> Values:
    """Parse `status=429,retry_after=2`, the value of the header `x-mock`."""
    return _parse_pairs(value.split(","), "x-mock")


def split_model(model: str) -> tuple[str, Values]:
    """Split `any-model?delay=0.2&cut=100` into the model's own name and its behaviours."""
    name, mark, query = model.partition("?")
    return name, _parse_pairs(query.split("&"), "model") if mark else {}


def parse_values(values: Mapping[str, object], source: str = "behaviour") -> Values:
    """Check values that already have types, as JSON and Python give them."""
    return {name: _checked(_row(name, source), value, source) for name, value in values.items()}


def merge(*sources: Values, serial: int = 0) -> Behaviour:
    """Make one behaviour; where sources name the same row the later one wins.

    Args:
        serial: Of the request, which decides what is drawn where a law stands for a number.
    """
    if not any(sources):
        return ORDINARY
    merged: dict[str, object] = {}
    for values in sources:
        merged.update(values)
    for name in _VARYING & merged.keys():
        merged[name] = _drawn(name, merged, serial)
    if "gap" in merged and "rate" in merged:
        raise _refusal("gap and rate exclude each other: give one of them", "rate")
    return Behaviour(**merged)  # type: ignore[arg-type]  # checked row by row


def _drawn(name: str, merged: Values, serial: int) -> object:
    law, seed = merged[name], merged.get("seed", 0)
    if not isinstance(law, Law):
        return law
    assert isinstance(seed, int), "checked row by row"
    bounds = ROWS[name].about
    assert bounds.least is not None
    assert bounds.most is not None
    return min(max(draw(law, seed, serial, name), bounds.least), bounds.most)


def _refusal(message: str, param: str) -> BadRequest:
    return BadRequest(message, param=param, code="bad_behaviour")


def _row(name: str, source: str) -> Row:
    row = ROWS.get(name)
    if row is not None:
        return row
    near = difflib.get_close_matches(name, ROWS, n=1, cutoff=0.0)
    raise BadRequest(
        f"unknown behaviour {name!r} in {source}; the nearest valid one is {near[0]!r}",
        param=source,
        code="unknown_behaviour",
    )


def _parse_pairs(pairs: Iterable[str], source: str) -> Values:
    values: dict[str, object] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        name = name.strip()
        if name:
            row = _row(name, source)
            values[name] = _checked(row, _from_text(row, unquote(text.strip())), source)
    return values


def _from_text(row: Row, text: str) -> object:
    """Read a value by the type of its row; what cannot be read stays text and is then refused."""
    if row.kind is bool:
        lowered = text.lower()
        return True if lowered in _TRUE_WORDS else False if lowered in _FALSE_WORDS else text
    if row.kind is str:
        return text
    try:
        return row.kind(text)
    except ValueError:
        return text


def _checked(row: Row, value: object, source: str) -> object:
    if row.kind is float and type(value) is int:
        value = float(value)
    if row.name in _VARYING and isinstance(value, str) and (law := parse_law(value)) is not None:
        return law
    if type(value) is row.kind and _is_in_range(row.about, value):
        return value
    raise _refusal(f"{row.name} takes {_accepted(row)}, not {value!r} (in {source})", row.name)


def _is_in_range(about: About, value: object) -> bool:
    if about.choices:
        return value in about.choices
    if about.least is None or about.most is None:
        return True
    assert isinstance(value, int | float), "only numbers have bounds"
    return about.least <= value <= about.most  # False for NaN


def _accepted(row: Row) -> str:
    if row.about.choices:
        return " or ".join(row.about.choices)
    accepted = _ACCEPTED[row.kind]
    if row.about.least is not None and row.about.most is not None:
        accepted += f" from {row.about.least:.15g} to {row.about.most:.15g}"
    return f"{accepted}, or {ACCEPTED}" if row.name in _VARYING else accepted
