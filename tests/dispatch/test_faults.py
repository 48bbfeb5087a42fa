"""What each failure leads to, row by row."""

import pytest

from slipstream.dispatch.faults import Lead, consequence_of
from slipstream.errors import (
    BadRequest,
    Broken,
    Busy,
    ConnectFailed,
    ContextTooLong,
    EmptyAnswer,
    EngineError,
    Fault,
    GatewayError,
    LedgerUnavailable,
    LoadFailed,
    OutOfBlocks,
    Overloaded,
    PoolFull,
    Refused,
    Rejected,
    StreamCut,
    TimedOut,
    TooSlow,
    Unsupported,
)


def _status(status: int, code: str | None = None, kind: str | None = None) -> Rejected:
    return Rejected("m", upstream_status=status, code=code, kind=kind)


def _blamed(error: Rejected, fault: Fault) -> Rejected:
    error.fault = fault
    return error


def _coded(error: GatewayError, code: str) -> GatewayError:
    error.code = code
    return error


_ROWS: list[tuple[GatewayError, Lead, bool]] = [
    (ConnectFailed("m"), Lead.ELSEWHERE, True),
    (PoolFull("m"), Lead.ELSEWHERE, True),
    (TimedOut("connect", 1), Lead.ELSEWHERE, True),
    (TimedOut("first_token", 1), Lead.ELSEWHERE, True),
    (TimedOut("idle", 1), Lead.ELSEWHERE, True),
    (TimedOut("total", 1), Lead.NOWHERE, False),
    (_status(408), Lead.ELSEWHERE, True),
    (_status(409), Lead.ELSEWHERE, True),
    (_status(425), Lead.ELSEWHERE, True),
    (Busy("m"), Lead.OTHER_KEY, True),
    (_coded(Busy("m"), "insufficient_quota"), Lead.OTHER_KEY, False),
    (_status(500), Lead.ELSEWHERE, True),
    (_status(501), Lead.ELSEWHERE, False),
    (_status(503), Lead.ELSEWHERE, True),
    (_status(529), Lead.ELSEWHERE, True),
    (Broken("m"), Lead.ELSEWHERE, True),
    (StreamCut("m"), Lead.ELSEWHERE, True),
    (EmptyAnswer("m"), Lead.ELSEWHERE, False),
    (TooSlow(1.0, 5.0), Lead.ELSEWHERE, False),
    (_status(401), Lead.OTHER_KEY, False),
    (_status(402), Lead.OTHER_KEY, False),
    (_status(403), Lead.OTHER_KEY, False),
    (_status(404), Lead.ELSEWHERE, False),
    (_status(400), Lead.NOWHERE, False),
    (_status(422), Lead.NOWHERE, False),
    (_status(413), Lead.ROOMIER, False),
    (_blamed(_status(400), Fault.CONTEXT), Lead.ROOMIER, False),
    (ContextTooLong("m"), Lead.ROOMIER, False),
    (BadRequest("m"), Lead.NOWHERE, False),
    (LedgerUnavailable("m"), Lead.NOWHERE, False),
    (Unsupported("m"), Lead.ELSEWHERE, False),
    (Overloaded("m", retry_after_s=1.0), Lead.ELSEWHERE, True),
    (EngineError("m"), Lead.ELSEWHERE, True),
    (LoadFailed("m"), Lead.ELSEWHERE, False),
    (OutOfBlocks("m"), Lead.ELSEWHERE, False),
    (_blamed(_status(500), Fault.CLIENT), Lead.NEXT, False),
]


@pytest.mark.parametrize(
    ("error", "lead", "may_mend"),
    _ROWS,
    ids=[f"{n} {type(e).__name__}" for n, (e, *_) in enumerate(_ROWS)],
)
@pytest.mark.parametrize("retries_refusals", [False, True], ids=["strict", "retrying"])
def test_failure_leads_where_its_row_says(
    error: GatewayError, lead: Lead, may_mend: bool, retries_refusals: bool
) -> None:
    """Whatever the plan thinks of refusals: these are none."""
    found = consequence_of(error, retries_refusals=retries_refusals)
    assert (found.lead, found.may_mend) == (lead, may_mend)


@pytest.mark.parametrize(
    "error",
    [
        Refused("m"),
        _status(400, code="content_policy_violation"),
        _status(400, code="content_filter"),
        _status(400, code="ResponsibleAIPolicyViolation"),
        _status(400, kind="moderation"),
        _status(400, code="invalid_prompt"),
    ],
    ids=lambda error: str(error.code),
)
def test_refusal_goes_to_another_provider_only_where_the_plan_says_so(error: GatewayError) -> None:
    """Whose policy it is against is the provider's own; whether to ask around is the operator's."""
    assert consequence_of(error, retries_refusals=True).lead is Lead.OTHER_PROVIDER
    assert consequence_of(error, retries_refusals=False).lead is Lead.NOWHERE


def test_server_error_whose_words_speak_of_content_is_a_server_error() -> None:
    """A 500 is a 500, whatever its code says."""
    error = _status(500, code="content_filter")
    assert consequence_of(error, retries_refusals=False).lead is Lead.ELSEWHERE
