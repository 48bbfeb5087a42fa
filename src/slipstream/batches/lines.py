"""The lines of a batch: what one must look like, and how its answer is written. Pure.

Every line is one JSON object: custom_id, method, url, body. What is wrong is collected with the
line's number, so that a client can mend all of it at once.
"""

import secrets
from collections.abc import Iterator
from typing import Final

import msgspec

from slipstream.batches.records import Answered, Problem

MAX_LINE_BYTES: Final = 1024 * 1024
MAX_REQUESTS: Final = 50_000
MAX_FILE_BYTES: Final = 200 * 1024 * 1024
MAX_CUSTOM_ID_CHARS: Final = 512
MAX_PROBLEMS: Final = 1_000  # that are listed; a record must stay readable

_FIELDS: Final = ("custom_id", "method", "url", "body")
_SHOWN_CHARS: Final = 100  # of a value that is repeated in a message

_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text_decoder = msgspec.json.Decoder(str)
_raw_decoder = msgspec.json.Decoder(msgspec.Raw)
_encoder = msgspec.json.Encoder()
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Line(msgspec.Struct, frozen=True, gc=False):
    """One request of a batch that can be asked."""

    custom_id: str
    url: str
    body: bytes
    is_stream: bool


class _Body(msgspec.Struct):
    stream: msgspec.Raw = msgspec.Raw(b"null")


_body_decoder = msgspec.json.Decoder(_Body)


class Splitter:
    """Cuts bytes into numbered lines.

    Of a line over the bound only as much is kept as shows that it is.
    """

    __slots__ = ("_number", "_start")

    def __init__(self) -> None:
        self._start = bytearray()  # of the line that is not whole yet
        self._number = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that become whole; blank ones count and are left out."""
        first, *rest = data.split(b"\n")
        self._add(first)
        for piece in rest:
            yield from self._end()
            self._add(piece)

    def close(self) -> Iterator[tuple[int, bytes]]:
        """Yield the last line, if it lacks its end."""
        yield from self._end()

    def _add(self, piece: bytes) -> None:
        room = MAX_LINE_BYTES + 1 - len(self._start)
        self._start += piece[:room]

    def _end(self) -> Iterator[tuple[int, bytes]]:
        self._number += 1
        line = bytes(self._start)
        self._start.clear()
        if not line.isspace() and line:
            yield self._number, line


class Checker:
    """Looks at every line of an input file and notes all that is wrong.

    Args:
        endpoint: The url that every line has to have.
    """

    __slots__ = ("_endpoint", "_num_unlisted", "_problems", "_seen", "num_requests")

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._problems: list[Problem] = []
        self._num_unlisted = 0
        self._seen: dict[str, int] = {}
        self.num_requests = 0

    @property
    def is_full(self) -> bool:
        """Whether looking further is no use: there are too many requests."""
        return self.num_requests > MAX_REQUESTS

    def add(self, number: int, raw: bytes) -> None:
        """Look at the next line."""
        self.num_requests += 1
        if self.is_full:
            self._note(
                Problem(
                    code="too_many_requests",
                    message=f"The file has more than {MAX_REQUESTS} requests.",
                    line=number,
                )
            )
            return
        found = read_line(number, raw, self._endpoint)
        if isinstance(found, Line):
            self._note_id(number, found.custom_id)
        else:
            for problem in found:
                self._note(problem)

    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong, in the order of the lines; nothing, if the batch can run."""
        if not self.num_requests:
            return (Problem(code="empty_file", message="The file has no requests."),)
        more = self._num_unlisted
        if not more:
            return tuple(self._problems)
        rest = Problem(code="more_problems", message=f"{more} further problems are not listed.")
        return (*self._problems, rest)

    def _note_id(self, number: int, custom_id: str) -> None:
        first = self._seen.setdefault(custom_id, number)
        if first != number:
            message = f"custom_id {_shown(custom_id)} is that of line {first}, too."
            self._note(_problem(number, "duplicate_custom_id", "custom_id", message))

    def _note(self, problem: Problem) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(problem)
        else:
            self._num_unlisted += 1


def read_line(number: int, raw: bytes, endpoint: str) -> Line | tuple[Problem, ...]:
    """Return the request in a line, or everything that is wrong with it."""
    if len(raw) > MAX_LINE_BYTES:
        message = f"The line has more than {MAX_LINE_BYTES} bytes."
        return (_problem(number, "line_too_long", None, message),)
    try:
        raw.decode()  # the decoder does not look into what it leaves raw
        fields = _fields_decoder.decode(raw)
    except _NOT_JSON as exc:
        message = f"The line is no JSON object in UTF-8: {exc}."
        return (_problem(number, "invalid_json_line", None, message),)
    problems = (*_wrong_keys(number, fields), *_wrong_values(number, fields, endpoint))
    if problems:
        return problems
    body = bytes(fields["body"])
    return Line(
        custom_id=_text_decoder.decode(fields["custom_id"]),
        url=endpoint,
        body=body,
        is_stream=bytes(_body_decoder.decode(body).stream) == b"true",
    )


def _wrong_keys(number: int, fields: dict[str, msgspec.Raw]) -> Iterator[Problem]:
    for name in _FIELDS:
        if name not in fields:
            message = f"{name} is missing."
            yield _problem(number, "missing_required_parameter", name, message)
    for name in fields:
        if name not in _FIELDS:
            message = f"{_shown(name)} is not known; a line has {', '.join(_FIELDS)}."
            yield _problem(number, "unknown_parameter", name[:_SHOWN_CHARS], message)


def _wrong_values(number: int, fields: dict[str, msgspec.Raw], endpoint: str) -> Iterator[Problem]:
    custom_id, body = fields.get("custom_id"), fields.get("body")
    if custom_id is not None and not 1 <= len(_text(custom_id) or "") <= MAX_CUSTOM_ID_CHARS:
        message = f"custom_id must be a text of 1 to {MAX_CUSTOM_ID_CHARS} characters."
        yield _problem(number, "invalid_custom_id", "custom_id", message)
    for name, wanted in (("method", "POST"), ("url", endpoint)):
        value = fields.get(name)
        if value is not None and _text(value) != wanted:
            message = f"{name} must be {wanted}, not {_shown(bytes(value).decode())}."
            yield _problem(number, f"invalid_{name}", name, message)
    if body is not None and not bytes(body).startswith(b"{"):
        message = "body must be an object: the request as it would be posted to the url."
        yield _problem(number, "invalid_body", "body", message)


def _text(raw: msgspec.Raw) -> str | None:
    """Return a JSON value that is a text; None for any other."""
    try:
        return _text_decoder.decode(raw)
    except _NOT_JSON:
        return None


def _problem(number: int, code: str, param: str | None, message: str) -> Problem:
    return Problem(code=code, message=message, param=param, line=number)


def _shown(text: str) -> str:
    """Return a client's word as a message may repeat it."""
    return repr(text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…")


# ---- answers ------------------------------------------------------------------------------------


def answer_line(custom_id: str, answered: Answered) -> bytes:
    """Return the line that reports an HTTP answer, its end included."""
    response = {
        "status_code": answered.status,
        "request_id": answered.request_id,
        "body": _json(answered.body),
    }
    return _result_line(custom_id, response, None)


def unanswered_line(custom_id: str, code: str, message: str) -> bytes:
    """Return the line that says why there is no HTTP answer, its end included."""
    return _result_line(custom_id, None, {"code": code, "message": message})


def _result_line(
    custom_id: str, response: dict[str, object] | None, error: dict[str, str] | None
) -> bytes:
    line_id = f"batch_req_{secrets.token_hex(12)}"
    line = {"id": line_id, "custom_id": custom_id, "response": response, "error": error}
    return _encoder.encode(line) + b"\n"


def _json(body: bytes) -> msgspec.Raw | str:
    """Return a body so that it stays on one line; one that is no JSON becomes a text."""
    try:
        body.decode()
        _raw_decoder.decode(body)
    except _NOT_JSON:
        return body.decode(errors="replace")
    # Between the tokens of JSON a line's end is a space; inside of a text it cannot stand.
    return msgspec.Raw(body.replace(b"\n", b" ").replace(b"\r", b" "))


class _Result(msgspec.Struct):
    id: str
    custom_id: str


_result_decoder = msgspec.json.Decoder(_Result)


def custom_id_of(line: bytes) -> str | None:
    """Return whose answer a line is; None if it is no line of ours, or a torn one."""
    try:
        return _result_decoder.decode(line).custom_id
    except _NOT_JSON:
        return None
