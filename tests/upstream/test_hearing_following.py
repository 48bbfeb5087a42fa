"""Hearing a Responses request that goes on with kept answers."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from slipstream.call import Call, Dialect
from slipstream.errors import BadRequest
from slipstream.upstream.hearing import Heard, hear
from slipstream.wire.responses.following import Following
from slipstream.wire.talk.asking import Seal, Text
from slipstream.wire.talk.events import Began, Ended, Event, Over, Said, Sealed


def raw(role: str, text: str) -> msgspec.Raw:
    """Return a message as it is kept."""
    return msgspec.Raw(json.dumps({"role": role, "content": text}).encode())


def heard_with(following: Following, **fields: Any) -> Heard:
    """Read a request that goes on with something."""
    call = Call(
        call_id="a",
        dialect=Dialect.OPENAI_RESPONSES,
        body=json.dumps({"model": "public", "input": "now", **fields}).encode(),
        model="public",
        key_id="k",
        asked=following,
    )
    return hear(call, lambda: 7.5)


def test_what_was_said_before_stands_before_what_is_said_now() -> None:
    """The answer names what it follows, as the client did."""
    before = (raw("user", "then"), raw("assistant", "said"))
    following = Following(is_kept=True, earlier=before, goes_on=True)
    heard = heard_with(following, previous_response_id="resp_1", instructions="Be brief.")
    said = [(turn.role, turn.parts) for turn in heard.asked.turns]
    assert said == [
        ("system", (Text("Be brief."),)),
        ("user", (Text("then"),)),
        ("assistant", (Text("said"),)),
        ("user", (Text("now"),)),
    ]
    answer = json.loads(heard.writer.whole([Began(), Said("x"), Ended(reason="stop"), Over()]).data)
    assert (answer["previous_response_id"], answer["store"]) == ("resp_1", True)
    assert heard.changes == ()


def test_named_item_is_read_in_its_place() -> None:
    """One that is not kept is refused by where it stands."""
    following = Following(is_kept=False, known={"m": raw("user", "then")}, goes_on=True)
    named = {"type": "item_reference", "id": "m"}
    [turn] = heard_with(following, input=[named]).asked.turns
    assert turn.parts == (Text("then"),)
    with pytest.raises(BadRequest) as caught:
        heard_with(following, input=[named, {"type": "item_reference", "id": "other"}])
    assert caught.value.param == "input[1].id"


def test_items_are_told_as_the_next_turn_needs_them() -> None:
    """With what the vendor wants back, whether or not the client sees it."""
    writers: list[Callable[[], list[bytes]]] = []
    heard = heard_with(Following(is_kept=True, tell_items=writers.append))
    seal = Seal(vendor="gemini", kind="thought_signature", data="sealed")
    events: list[Event] = [Began(), Sealed(seal), Said("x"), Ended(reason="stop"), Over()]
    shown = json.loads(heard.writer.whole(events).data)
    [tell] = writers
    kept = [json.loads(item) for item in tell()]
    assert [item["type"] for item in kept] == ["reasoning", "message"]
    assert kept[0]["encrypted_content"].startswith("slipstream.1.")
    assert "sealed" not in json.dumps(shown)
