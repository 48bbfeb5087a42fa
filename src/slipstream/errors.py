"""Every error that Slipstream raises on purpose, in one tree.

    GatewayError                     status, code, kind, retryable: data on every class
    ├─ ConfigError                   at start only: file, key, line, what would be accepted
    ├─ RequestError                  the caller's fault
    │  ├─ BadRequest                 400: a field, its value and what would be accepted
    │  ├─ Unauthorized               401: a key that we do not know
    │  │  └─ NoKey                   401: none was sent
    │  ├─ UnknownModel               404: the name and the nearest that exist
    │  ├─ UnknownPath                404
    │  ├─ WrongMethod                405
    │  ├─ BodyTooLarge               413
    │  ├─ OverLimit                  429: a rate limit of the caller's key; says when to come back
    │  └─ Overloaded                 503: our own queue is full; says when to come back
    ├─ UpstreamError                 the provider's fault; `fault` says whose exactly
    │  ├─ ConnectFailed              no connection: DNS, TCP, TLS, proxy
    │  ├─ PoolFull                   too many requests wait for a connection; nobody's fault
    │  ├─ TimedOut                   a phase's deadline passed: connect, first_token, idle, total
    │  ├─ Busy                       429 or an overload; may say when to come back
    │  ├─ Rejected                   any other error answer; its status decides fault and retryable
    │  ├─ Broken                     an answer that is not what the dialect promises
    │  ├─ StreamCut                  a stream that ended before its terminal event
    │  ├─ EmptyAnswer                an answer in which nothing is said
    │  ├─ Refused                    an answer in which only a refusal is said
    │  └─ TooSlow                    a stream that began slower than its route allows
    ├─ Unsupported                   400: this target does not offer what is asked; another may
    ├─ NoTarget                      400, 404, 503: none of a choice's targets can; says of each why
    ├─ Cooling                       503: every target is left alone for a while; none was asked
    ├─ Exhausted                     every target failed; carries what happened at each
    ├─ LedgerUnavailable             503: an attempt could not be put on record, so none was made
    └─ EngineError                   a model that we run
       ├─ ContextTooLong             400
       ├─ OutOfBlocks                503
       └─ LoadFailed                 503

`retryable` means: another target may be tried, as long as nothing has reached the client.
Messages are written for the caller: they never hold a key, a stack or an internal address.
"""

from enum import StrEnum
from typing import Final, Literal

from slipstream.choice import Plan, Tried

Phase = Literal["connect", "first_token", "idle", "total"]


class Fault(StrEnum):
    """What a failure is blamed on; decides what is cooled down (design, invariant 7)."""

    CLIENT = "client"
    CONTEXT = "context_length"
    KEY = "key"
    QUOTA = "quota"
    TARGET = "target"
    NETWORK = "network"


class GatewayError(Exception):
    """Base of the tree. `kind` is the `type` of the error in OpenAI's shape.

    `last_event` is how a stream ends that breaks off with it, where who wrote the stream knows it
    better than who renders errors. `plan` and `tried` tell of the choice that it ended, where there
    was one.
    """

    status: int = 500
    code: str | None = None
    kind: str = "server_error"
    retryable: bool = False
    param: str | None = None
    retry_after_s: float | None = None
    last_event: bytes | None = None
    plan: Plan | None = None
    tried: tuple[Tried, ...] = ()

    @property
    def message(self) -> str:
        """The text that the caller reads."""
        return str(self)


class ConfigError(GatewayError):
    """The configuration cannot be used; the text names file, line, key and what is accepted."""

    code = "config_error"


# ---- the caller's fault -------------------------------------------------------------------------


class RequestError(GatewayError):
    """The caller can mend this by sending something else."""

    status = 400
    kind = "invalid_request_error"


class BadRequest(RequestError):
    """A field is missing, of the wrong type or out of range."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        if code is not None:
            self.code = code


class Unauthorized(RequestError):
    """No key was sent, or one that we do not know or that was revoked."""

    status = 401
    code = "invalid_api_key"


class NoKey(Unauthorized):
    """No key was sent at all."""


class UnknownModel(RequestError):
    """No route, served model or configured provider answers to this name."""

    status = 404
    code = "model_not_found"
    param = "model"


class UnknownPath(RequestError):
    """No such endpoint."""

    status = 404
    code = "unknown_url"


class WrongMethod(RequestError):
    """The endpoint exists and takes another method."""

    status = 405
    code = "method_not_allowed"


class BodyTooLarge(RequestError):
    """The body is over the configured bound; nothing of it was kept."""

    status = 413
    code = "request_too_large"


class Overloaded(RequestError):
    """Our own queue is full; the request was not started."""

    status = 503
    code = "overloaded"
    kind = "server_error"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OverLimit(RequestError):
    """The caller's key has used up a rate limit; nothing was started.

    Args:
        what: Of what there is no more: `requests` or `tokens`.
        unit: Of the limit: `minute`, `hour` or `day`.
        retry_after_s: None where the request is larger than the limit, so that waiting is no use.
    """

    status = 429
    code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        what: Literal["requests", "tokens"],
        unit: Literal["minute", "hour", "day"],
        retry_after_s: float | None,
    ) -> None:
        super().__init__(message)
        self.what, self.unit = what, unit
        self.kind = what  # as OpenAI names the type of this error
        self.retry_after_s = retry_after_s


# ---- the provider's fault -----------------------------------------------------------------------


class UpstreamError(GatewayError):
    """A target failed. `fault` says what to blame, `retryable` whether another may be tried."""

    status = 502
    kind = "upstream_error"
    retryable = True
    fault: Fault = Fault.TARGET


class ConnectFailed(UpstreamError):
    """No connection could be made: name look-up, TCP, TLS or the proxy refused."""

    code = "upstream_unreachable"
    fault = Fault.NETWORK


class PoolFull(UpstreamError):
    """As many requests as may wait for a connection to this upstream do so already.

    The request was not started. The target itself is not to blame, so nothing is cooled down.
    """

    status = 503
    code = "overloaded"
    kind = "server_error"
    fault = Fault.NETWORK
    retry_after_s = 1.0  # waiting requests are turned over in about this time, or never


class TimedOut(UpstreamError):
    """A phase took longer than its deadline."""

    status = 504
    code = "upstream_timeout"

    def __init__(self, phase: Phase, limit_s: float) -> None:
        super().__init__(f"the upstream took longer than {limit_s:g} s in the phase '{phase}'")
        self.phase: Phase = phase
        self.fault = Fault.NETWORK if phase == "connect" else Fault.TARGET


class Busy(UpstreamError):
    """The provider is out of quota or overloaded, and may say when to come back."""

    status = 429
    code = "rate_limit_exceeded"
    kind = "rate_limit_error"
    fault = Fault.QUOTA

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


_OVERLOADED: Final = 503

# What an error status of a provider means: (whose fault, may another target be tried).
# 404 is the target's: the model is not there, whatever the client asked for.
_STATUS_BLAME: dict[int, tuple[Fault, bool]] = {
    401: (Fault.KEY, True),
    402: (Fault.KEY, True),
    403: (Fault.KEY, True),
    404: (Fault.TARGET, True),
    408: (Fault.TARGET, True),
    409: (Fault.TARGET, True),
    413: (Fault.CONTEXT, False),
    425: (Fault.TARGET, True),
}


class Rejected(UpstreamError):
    """The provider answered with an error status, or with an error inside a 200.

    Args:
        upstream_status: The status it sent, or the nearest one for an error inside a 200.
        message: Its words, when the fault is the client's; ours otherwise.
        body: Its error object as raw JSON, when it may be relayed unchanged.
    """

    code = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        upstream_status: int,
        param: str | None = None,
        code: str | None = None,
        kind: str | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.upstream_status = upstream_status
        default = (Fault.TARGET, True) if upstream_status >= 500 else (Fault.CLIENT, False)
        self.fault, self.retryable = _STATUS_BLAME.get(upstream_status, default)
        # The caller's fault keeps its status; a refused key or a failing target is our 502. But 503
        # says that waiting helps, which is as true for the client as it is for us.
        is_ours = self.fault in (Fault.KEY, Fault.TARGET) and upstream_status != _OVERLOADED
        self.status = 502 if is_ours else upstream_status
        self.param = param
        self.body = body
        if code is not None:
            self.code = code
        if kind is not None:
            self.kind = kind
        if upstream_status == _OVERLOADED:  # each provider has another word for it
            self.code, self.kind = "overloaded", "server_error"


class Broken(UpstreamError):
    """The answer is not what the dialect promises: bad framing, bad JSON, over a bound."""

    code = "upstream_broken"


class StreamCut(UpstreamError):
    """The stream ended before its terminal event."""

    code = "upstream_stream_cut"
    fault = Fault.NETWORK


class EmptyAnswer(UpstreamError):
    """The answer came to its end, and nothing was said."""

    code = "empty_answer"


class Refused(UpstreamError):
    """The target answered that it will not; another vendor's policy may differ."""

    code = "content_filter"
    fault = Fault.CLIENT


class TooSlow(UpstreamError):
    """A stream's beginning was slower than its route allows.

    Args:
        tokens_per_s: How fast it was.
        least_tokens_per_s: How fast it should have been.
    """

    status = 504
    code = "too_slow"

    def __init__(self, tokens_per_s: float, least_tokens_per_s: float) -> None:
        super().__init__(
            f"the stream began at {tokens_per_s:.3g} tokens/s, "
            f"and the route asks for {least_tokens_per_s:g}"
        )
        self.tokens_per_s = tokens_per_s
        self._least_tokens_per_s = least_tokens_per_s

    def again(self) -> "TooSlow":
        """Return the same error, which nobody has raised."""
        return TooSlow(self.tokens_per_s, self._least_tokens_per_s)


class Unsupported(GatewayError):
    """The target does not do what is asked of it, which another one may; nothing was sent to it."""

    status = 400
    code = "model_not_supported"
    kind = "invalid_request_error"
    param = "model"
    retryable = True


class NoTarget(GatewayError):
    """None of the targets that a name stands for can serve this request; none was asked.

    Args:
        left: (target name, why it was left) of each; the message holds the first few of them.
        status: 400 where another request could be served, 404 where none could, 503 where waiting
            helps.
        retry_after_s: Until the first of them takes requests again.
    """

    code = "no_target"
    kind = "invalid_request_error"
    param: str | None = "model"

    def __init__(
        self,
        message: str,
        *,
        left: tuple[tuple[str, str], ...],
        status: Literal[400, 404, 503],
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.left, self.status, self.retry_after_s = left, status, retry_after_s
        if status == 503:
            self.kind, self.param = "server_error", None


class Cooling(GatewayError):
    """Every target of the plan failed a moment ago and is left alone; none was asked this time."""

    status = 503
    code = "targets_cooling"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Exhausted(GatewayError):
    """Every target failed.

    One try, or a last one that no other target could mend, speaks for itself: its status, code and
    words become this error's own.

    Args:
        attempts: One (target name, error) for each try, in order; never empty.
        plan: That was carried out, where there was a choice.
        tried: What came of each try, for headers.

    `verdict` is the try that speaks for itself, if one does.
    """

    code: str | None = "all_targets_failed"
    kind = "upstream_error"

    def __init__(
        self,
        attempts: tuple[tuple[str, GatewayError], ...],
        *,
        plan: Plan | None = None,
        tried: tuple[Tried, ...] = (),
    ) -> None:
        assert attempts, "Exhausted needs at least one attempt"
        last = attempts[-1][1]
        is_verdict = len(attempts) == 1 or not last.retryable
        failures = "; ".join(f"{target}: {error.message}" for target, error in attempts)
        super().__init__(last.message if is_verdict else f"every target failed: {failures}")
        self.attempts = attempts
        self.plan, self.tried = plan, tried
        self.verdict = last if is_verdict else None
        statuses = {error.status for _, error in attempts}
        self.status = last.status if is_verdict or len(statuses) == 1 else 502
        if is_verdict:
            self.code, self.kind, self.param = last.code, last.kind, last.param
        asking = attempts[-1:] if is_verdict else attempts
        waits = [e.retry_after_s for _, e in asking if e.retry_after_s is not None]
        self.retry_after_s = min(waits) if waits else None


class LedgerUnavailable(GatewayError):
    """The journal cannot be written (disk full, permissions); nothing was sent or spent.

    Not retryable: the journal is the same for every target.
    """

    status = 503
    code = "ledger_unavailable"
    retry_after_s: float | None = 5.0


# ---- models that we run -------------------------------------------------------------------------


class EngineError(GatewayError):
    """A model that we run could not answer."""

    status = 503
    code = "engine_error"
    retryable = True
    fault: Fault = Fault.TARGET


class ContextTooLong(EngineError):
    """Prompt and answer do not fit the model's context."""

    status = 400
    code = "context_length_exceeded"
    kind = "invalid_request_error"
    param = "messages"
    retryable = False
    fault = Fault.CONTEXT


class OutOfBlocks(EngineError):
    """The request needs more cache than the engine has, even alone."""

    code = "out_of_blocks"


class LoadFailed(EngineError):
    """The model could not be loaded, or its process does not start."""

    code = "load_failed"
