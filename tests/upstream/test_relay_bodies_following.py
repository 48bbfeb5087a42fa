"""Responses requests that go on with kept answers: sent as they are, by id, or to be said anew."""

import json

import pytest

from slipstream.call import Call, Dialect
from slipstream.choice import Attempt, Deadlines, Target
from slipstream.upstream.relay_bodies import Ways, bodies_for
from slipstream.wire.responses.following import Following, Wish

RESPONSES = Dialect.OPENAI_RESPONSES


def call_of(asked: object, provider: str, previous_id: str | None = "resp_1") -> Call:
    """Return a call on its way to a provider."""
    body = {"model": "public", "input": "x"}
    if previous_id is not None:
        body["previous_response_id"] = previous_id
    attempt = Attempt(
        attempt_id="a",
        number=1,
        route="r",
        target=Target(provider, "m"),
        deadlines=Deadlines(),
        started_at_ns=0,
        total_deadline_s=1.0,
    )
    return Call(
        call_id="c",
        dialect=RESPONSES,
        body=json.dumps(body).encode(),
        model="public",
        key_id="k",
        asked=asked,
        attempt=attempt,
    )


@pytest.mark.parametrize(
    ("asked", "provider", "sent_id"),
    [
        (None, "openai", "resp_1"),
        (Wish(store=False), "openai", "resp_1"),
        (Following(is_kept=True, goes_on=True, provider="openai"), "openai", "resp_1"),
        (
            Following(is_kept=True, goes_on=True, provider="openai", upstream_id="resp_up"),
            "openai",
            "resp_up",
        ),
    ],
)
def test_provider_is_sent_what_it_understands(asked: object, provider: str, sent_id: str) -> None:
    """In the client's words, but for an id that only we know."""
    prepare = bodies_for(RESPONSES, Ways())[RESPONSES]
    prepared = prepare(call_of(asked, provider), "m")
    assert prepared is not None
    sent = json.loads(prepared.body)
    assert (sent["previous_response_id"], sent["model"]) == (sent_id, "m")


@pytest.mark.parametrize(
    ("provider", "keeper"), [("mine", "openai"), ("openai", "xai"), ("openai", None)]
)
def test_who_does_not_keep_the_answer_is_told_all_anew(provider: str, keeper: str | None) -> None:
    """Whoever it was that kept it."""
    following = Following(is_kept=True, goes_on=True, provider=keeper)
    prepare = bodies_for(RESPONSES, Ways())[RESPONSES]
    assert prepare(call_of(following, provider), "m") is None
    alone = Following(is_kept=True)
    assert prepare(call_of(alone, provider, previous_id=None), "m") is not None


def test_compaction_is_sent_with_its_model_named() -> None:
    """Beside the dialect that it belongs to."""
    prepare = bodies_for(RESPONSES, Ways())[Dialect.OPENAI_COMPACTION]
    prepared = prepare(call_of(None, "openai"), "m")
    assert prepared is not None
    assert json.loads(prepared.body)["model"] == "m"
