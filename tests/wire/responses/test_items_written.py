"""The items of an answer, made of events."""

from typing import Any

from slipstream.wire.responses.items_written import ItemsWritten
from slipstream.wire.responses.reading import read_asked
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    CallBegan,
    CallSaid,
    Cited,
    Event,
    Pinged,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)
from slipstream.wire.talk.parcels import open_parcel

SEAL = Seal(vendor="gemini", kind="thought_signature", data="d")
CALL = CallBegan(index=0, call_id="c", name="f")


def _written(*events: Event, body: bytes = b'{"model":"m","input":"x"}') -> tuple[Any, list[str]]:
    items = ItemsWritten(read_asked(body), "k")
    told = [kind for event in events for kind, _ in items.tell(event)]
    told += [kind for kind, _ in items.end("completed")]
    return items, told


def test_tell_nothing_for_what_says_nothing() -> None:
    """Empty pieces open no item."""
    events = (Said(""), Thought(""), Refused(""), Pinged(), Scored("[]"), CallSaid(7, "x"))
    items, told = _written(*events)
    assert (told, items.output(), items.kept()) == ([], [], [])


def test_tell_ids_are_of_their_kind_and_distinct() -> None:
    """Clients find an item by its id."""
    custom = CallBegan(index=1, call_id="d", name="g", is_custom=True)
    items, _ = _written(Thought("a"), Said("b"), CALL, custom)
    assert [item["id"] for item in items.output()] == ["rs_k00", "msg_k01", "fc_k02", "ctc_k03"]


def test_tell_calls_end_together_and_others_before_the_next() -> None:
    """Their pieces may interleave; text ends what stands before it."""
    other = CallBegan(index=1, call_id="d", name="g")
    pieces = (CallSaid(1, "{}"), CallSaid(0, "{}"), Said("x"))
    items, told = _written(Said("a"), CALL, other, *pieces)
    done = [at for at, kind in enumerate(told) if kind == "output_item.done"]
    added = [at for at, kind in enumerate(told) if kind == "output_item.added"]
    assert done[0] < added[1] < added[2] < done[1] < done[2] < added[3] < done[3]
    assert [item.get("arguments") for item in items.output()] == [None, "{}", "{}", None]


def test_tell_seal_of_a_call_has_an_item_of_its_own_where_asked() -> None:
    """A call has no place for it; what we keep has it in any case."""
    asked = b'{"model":"m","input":"x","include":["reasoning.encrypted_content"]}'
    sealed = (CALL, Said("b"), Sealed(SEAL, call=0))
    for body in (b'{"model":"m","input":"x"}', asked):
        items, _ = _written(*sealed, body=body)
        assert [i["type"] for i in items.output()][2:] == (["reasoning"] if body == asked else [])
        parcel = open_parcel(items.kept()[2]["encrypted_content"], "x")
        assert parcel is not None
        assert [(one.call_id, one.seal) for one in parcel.call_seals] == [("c", SEAL)]
    items, _ = _written(Sealed(SEAL, call=5))
    assert items.kept() == []


def test_tell_seal_by_itself_is_an_item() -> None:
    """What Anthropic redacts has no text."""
    items, told = _written(Sealed(SEAL), Said("a"))
    assert told[:2] == ["output_item.added", "output_item.done"]
    parcel = open_parcel(items.kept()[0]["encrypted_content"], "x")
    assert parcel is not None
    assert (parcel.text, parcel.seals) == ("", (SEAL,))


def test_tell_citation_before_any_text_opens_a_message() -> None:
    """Unless it has no place there."""
    note = '{"url":"u","title":"t"}'
    items, _ = _written(Cited(note, "openai_chat"))
    assert items.output()[0]["content"][0]["annotations"][0]["url"] == "u"
    items, told = _written(Cited("{}", "anthropic_messages"))
    assert told == []
