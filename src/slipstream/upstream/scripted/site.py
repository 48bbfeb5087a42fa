"""What is at which path: the dialects, the list of models, health and the control API.

It decides a Reply and a Behaviour for a whole request and touches no connection.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, unquote

import msgspec

from slipstream.errors import BadRequest, GatewayError, UnknownModel, UnknownPath, WrongMethod
from slipstream.upstream.scripted.behaviour import (
    NOTHING,
    ORDINARY,
    Behaviour,
    Values,
    merge,
    parse_header,
    parse_values,
    split_model,
)
from slipstream.upstream.scripted.book import LOG_ROWS, Book, Exchange, redact
from slipstream.upstream.scripted.dialects import find_dialect
from slipstream.upstream.scripted.laws import is_chosen
from slipstream.upstream.scripted.model_list import list_models, model_object
from slipstream.upstream.scripted.nouns import Dialect, Left, Reply, Stamp
from slipstream.upstream.scripted.openai_chat import OPENAI_CHAT
from slipstream.upstream.scripted.reply import answer_reply, error_reply, fixed_reply

CONTROL: Final = "/mock/"
Decision = tuple[Reply, Behaviour]


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that answers: the book, the models it lists and what is usual here.

    Args:
        usual: Behaviours of every request that says nothing else.
        clock: Seconds since 1970, for `created`.
    """

    book: Book
    models: tuple[str, ...]
    usual: Values
    clock: Callable[[], float] = time.time

    def decide(self, exchange: Exchange, header: bytes | None) -> Decision:
        """Answer one request; `header` is its `x-mock`, if it has one."""
        path = exchange.path.partition("?")[0]
        dialect = find_dialect(path)
        try:
            said = parse_header(header.decode("latin-1")) if header else NOTHING
            if dialect is not None and exchange.method == "POST":
                return self._decide_dialect(dialect, exchange, said)
            reply = self._find(exchange.method, path)
            standing = () if path.endswith("/health") else self._standing()
            behaviour = self._behaviour(exchange, *standing, said)
            return fixed_reply(behaviour, OPENAI_CHAT) or reply, behaviour
        except GatewayError as error:
            return error_reply(error, dialect or OPENAI_CHAT), ORDINARY

    def _decide_dialect(self, dialect: Dialect, exchange: Exchange, said: Values) -> Decision:
        scripted = self.book.take()
        if dialect.check_headers is not None:
            dialect.check_headers(exchange.headers, exchange.body)
        ask = dialect.decode(exchange.path, exchange.body)
        exchange.model = ask.model
        own = NOTHING
        if "?" in ask.model:
            name, own = split_model(ask.model)
            ask = msgspec.structs.replace(ask, model=name)
        behaviour = self._behaviour(exchange, *self._standing(), scripted, own, said)
        behaviour, left = self._count(behaviour, exchange)
        stamp = Stamp(exchange.serial, int(self.clock()))
        return answer_reply(ask, behaviour, dialect, stamp, left), behaviour

    def _standing(self) -> tuple[Values, ...]:
        standing = self.book.standing
        return (self.usual,) if standing is None else standing

    def _behaviour(self, exchange: Exchange, *sources: Values) -> Behaviour:
        """Merge the sources that hold for this request."""
        holding = [values for values in sources if not values or _holds(values, exchange)]
        return merge(*holding, serial=exchange.serial)

    def _count(self, behaviour: Behaviour, exchange: Exchange) -> tuple[Behaviour, Left | None]:
        """Count the request where it has a quota; one that is over it is refused."""
        if behaviour.quota is None:
            return behaviour, None if behaviour.remaining is None else Left(behaviour.remaining)
        left, reset_s = self.book.use(exchange.key, behaviour.quota, behaviour.quota_s)
        if left < 0:
            behaviour = replace(behaviour, status=429, retry_after=round(reset_s, 3))
        return behaviour, Left(max(left, 0), behaviour.quota, reset_s, self.clock())

    def _find(self, method: str, path: str) -> Reply:
        if find_dialect(path) is not None:
            raise WrongMethod(f"{path} takes POST, not {method}")
        if path.endswith("/tcp_warming"):  # Cerebras's SDKs ask for it when they are made
            return _get(method, path, {})
        if path.endswith("/health"):
            return _get(method, path, {"status": "ok"})
        if path.endswith("/models"):
            return _get(method, path, list_models(path, self.models))
        _, mark, name = path.partition("/models/")
        if mark:
            return _get(method, path, self._model(unquote(name)))
        raise UnknownPath(f"nothing is at {path}; the scripted upstream has {_PATHS}")

    def _model(self, name: str) -> dict[str, object]:
        if name not in self.models:
            raise UnknownModel(f"unknown model {name!r}; listed are {', '.join(self.models)}")
        return model_object(name)

    def control(self, exchange: Exchange) -> Reply:
        """Answer a request to `/mock/…`, which is not logged."""
        path, _, query = exchange.path.partition("?")
        row = _CONTROLS.get((exchange.method, path))
        try:
            if row is None:
                known = ", ".join(f"{method} {path}" for method, path in _CONTROLS)
                raise UnknownPath(f"no {exchange.method} {path}; the control API has {known}")
            return _document(row(self.book, exchange.body, query))
        except GatewayError as error:
            return error_reply(error, OPENAI_CHAT)


def _holds(values: Values, exchange: Exchange) -> bool:
    """Tell whether a source is meant for this request, by its rows `share` and `only_key`."""
    share, key, seed = values.get("share"), values.get("only_key"), values.get("seed", 0)
    if isinstance(key, str) and redact(key.encode()) != b"sha256:%b" % exchange.key.encode():
        return False
    return not isinstance(share, float) or is_chosen(share, int(str(seed)), exchange.serial)


_PATHS: Final = (
    "POST …/chat/completions, POST …/completions, POST …/messages, POST …/responses, "
    "POST …/models/{model}:generateContent, POST …/embeddings, GET …/models, GET …/models/{id}, "
    "GET /health and /mock/…"
)


def _get(method: str, path: str, document: object) -> Reply:
    if method != "GET":
        raise WrongMethod(f"{path} takes GET, not {method}")
    return _document(document)


def _document(document: object) -> Reply:
    return Reply(200, msgspec.json.encode(document))


# ---- the control API ----------------------------------------------------------------------------


class _Scripted(msgspec.Struct, forbid_unknown_fields=True):
    behaviour: dict[str, Any]
    requests: Annotated[int, msgspec.Meta(ge=1)] = 1


def _queue(book: Book, body: bytes, query: str) -> object:
    try:
        asked = msgspec.json.decode(body, type=_Scripted)
    except msgspec.DecodeError as exc:
        raise BadRequest(f"POST /mock/script: {exc}", code="invalid_value") from exc
    values = parse_values(asked.behaviour)
    merge(values)  # refuses what excludes each other now, not at the request
    book.queue(values, asked.requests)
    return {"queued": book.count_queued()}


class _Standing(msgspec.Struct, forbid_unknown_fields=True):
    behaviour: dict[str, Any] | list[dict[str, Any]]


def _stand(book: Book, body: bytes, query: str) -> object:
    """Give every request from now on these behaviours; where two name a row, the later wins."""
    try:
        asked = msgspec.json.decode(body, type=_Standing).behaviour
    except msgspec.DecodeError as exc:
        raise BadRequest(f"PUT /mock/behaviour: {exc}", code="invalid_value") from exc
    standing = tuple(parse_values(each) for each in (asked if isinstance(asked, list) else [asked]))
    merge(*standing)
    book.standing = standing
    return {"behaviour": asked}


def _stand_back(book: Book, body: bytes, query: str) -> object:
    """Go back to what the upstream was started with."""
    book.standing = None
    return {"behaviour": None}


def _show_log(book: Book, body: bytes, query: str) -> object:
    """Show the requests whose serial is over `since`, oldest first, `limit` at most."""
    asked = parse_qs(query)
    since, limit = _number(asked, "since", 0), _number(asked, "limit", LOG_ROWS)
    rows = [_shown(exchange) for exchange in book.log if exchange.serial > since]
    return {"requests": rows[:limit]}


def _number(asked: dict[str, list[str]], name: str, default: int) -> int:
    text = asked.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(f"{name} takes a whole number from 0, not {text!r}", param=name)
    return int(text)


def _shown(exchange: Exchange) -> dict[str, object]:
    return {
        "serial": exchange.serial,
        "connection_id": exchange.connection_id,
        "method": exchange.method,
        "path": exchange.path,
        "headers": exchange.headers,
        "body": exchange.body.decode(errors="replace"),
        "model": exchange.model,
        "status": exchange.status,
        "bytes_sent": exchange.bytes_sent,
        "started_ms": exchange.started_ms,
        "first_byte_ms": exchange.first_byte_ms,
        "ended_ms": exchange.ended_ms,
        "ending": exchange.ending,
    }


def _clear_log(book: Book, body: bytes, query: str) -> object:
    book.clear_log()
    return {"requests": []}


def _clear_script(book: Book, body: bytes, query: str) -> object:
    book.clear_script()
    return {"queued": 0}


_CONTROLS: Final[dict[tuple[str, str], Callable[[Book, bytes, str], object]]] = {
    ("PUT", "/mock/behaviour"): _stand,
    ("DELETE", "/mock/behaviour"): _stand_back,
    ("POST", "/mock/script"): _queue,
    ("DELETE", "/mock/script"): _clear_script,
    ("GET", "/mock/log"): _show_log,
    ("DELETE", "/mock/log"): _clear_log,
    ("GET", "/mock/stats"): lambda book, body, query: book.stats,
}
