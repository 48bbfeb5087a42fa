"""Tests of slipstream.wire.messages.blocks_out."""

from typing import Any

import pytest

from slipstream.wire.messages.blocks_out import BlockOrder, Closed, Grown, Move, Opened
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import (
    CallBegan,
    CallSaid,
    Cited,
    Event,
    Refused,
    Said,
    Sealed,
    Thought,
)
from slipstream.wire.talk.parcels import CallSeal, Parcel, open_parcel

GEMINI = Seal(vendor="gemini", kind="thought_signature", data="g")
OPENAI = Seal(vendor="openai", kind="encrypted_content", data="o", item_id="rs_1")
SIGNED = Seal(vendor="anthropic", kind="signature", data="s")
REDACTED = Seal(vendor="anthropic", kind="redacted", data="r")


def blocks(*events: Event) -> list[dict[str, Any]]:
    """Return the blocks that events make; `said` is all that they grew by."""
    order = BlockOrder("1")
    moves: list[Move] = [move for event in events for move in order.take(event)]
    made: list[dict[str, Any]] = []
    for move in [*moves, *order.close()]:
        match move:
            case Opened():
                assert not made or made[-1]["closed"]
                made.append({**move.block, "said": [], "closed": False})
            case Grown():
                assert not made[-1]["closed"]
                *_, value = move.delta.values()
                made[-1]["said"].append(value)
            case Closed():
                made[-1]["closed"] = True
    assert all(block.pop("closed") for block in made)
    return made


def began(index: int, call_id: str | None = None) -> CallBegan:
    """Return the beginning of a call."""
    return CallBegan(index=index, call_id=call_id or f"toolu_{index}", name=f"f{index}")


def calls(*events: Event) -> list[tuple[str, str]]:
    """Return the id and the arguments of each call that events make, in the order of blocks."""
    return [(block["id"], "".join(block["said"])) for block in blocks(*events) if "id" in block]


def test_take_another_kind_closes_the_block() -> None:
    """Text, thinking and text again are three blocks; a refusal is text."""
    made = blocks(
        Said("a"), Said(""), Said("b"), Thought("t", begins=True), Said("c"), Refused("d")
    )
    assert [block["type"] for block in made] == ["text", "thinking", "text"]
    assert (made[0]["said"], made[2]["said"]) == (["a", "b"], ["c", "d"])


def test_take_interleaved_calls_tells_one_after_the_other() -> None:
    """Pieces of a later call wait until the one before is a whole object."""
    made = calls(
        began(0),
        began(1),
        CallSaid(1, '{"b"'),
        CallSaid(0, '{"a":{}'),
        CallSaid(1, ":2}"),
        CallSaid(0, "}"),
        began(2),
        CallSaid(2, "{}"),
    )
    assert made == [("toolu_0", '{"a":{}}'), ("toolu_1", '{"b":2}'), ("toolu_2", "{}")]


def test_take_call_after_a_whole_one_is_told_at_once() -> None:
    """Calls that do not interleave are streamed, each piece as it comes."""
    order = BlockOrder("1")
    for event in (began(0), CallSaid(0, "{}"), began(1)):
        order.take(event)
    assert order.take(CallSaid(1, '{"a"')) == [
        Opened({"type": "tool_use", "id": "toolu_1", "name": "f1", "input": {}}),
        Grown({"type": "input_json_delta", "partial_json": '{"a"'}),
    ]


def test_take_call_without_arguments_says_an_empty_object() -> None:
    """Clients join the pieces and read them as JSON: nothing would be none."""
    assert calls(began(0), CallSaid(0, ""), began(1)) == [("toolu_0", "{}"), ("toolu_1", "{}")]


def test_take_broken_arguments_are_told_as_they_are() -> None:
    """An answer that reached its limit ends within a call."""
    assert calls(began(0), CallSaid(0, '{"a')) == [("toolu_0", '{"a')]


def test_take_text_closes_every_call_that_waits() -> None:
    """Text never stands within a call, so all calls before it are over."""
    made = blocks(began(0), began(1), CallSaid(1, '{"b":1}'), Said("x"), CallSaid(0, "late"))
    assert [(block["type"], block["said"]) for block in made] == [
        ("tool_use", ["{}"]),
        ("tool_use", ['{"b":1}']),
        ("text", ["x"]),
    ]


@pytest.mark.parametrize("call_id", ["functions.f:0", "", "a" * 100])
def test_take_call_id_that_is_not_legal_gets_another(call_id: str) -> None:
    """Anthropic's clients send ids back to whom they speak next."""
    ((made, _),) = calls(CallBegan(index=0, call_id=call_id, name="f"))
    assert made.replace("_", "").replace("-", "").isalnum()
    assert 0 < len(made) <= 64


def test_take_custom_call_says_its_text_as_an_object() -> None:
    """Clients of this dialect know functions only."""
    custom = CallBegan(index=0, call_id="toolu_0", name="exec", is_custom=True)
    assert calls(custom, CallSaid(0, "l"), CallSaid(0, "s")) == [("toolu_0", '{"input":"ls"}')]


def test_take_thinking_of_anthropic_keeps_its_signatures() -> None:
    """Each stretch has its own, whether it was shown or not, and redacted ones stand between."""
    made = blocks(
        Thought("a", begins=True),
        Sealed(SIGNED),
        Thought("b", begins=True),
        Sealed(SIGNED),
        Sealed(REDACTED),
        Sealed(SIGNED),
    )
    assert [(block["type"], block["said"]) for block in made] == [
        ("thinking", ["a", "s"]),
        ("thinking", ["b", "s"]),
        ("redacted_thinking", []),
        ("thinking", ["s"]),
    ]
    assert made[2]["data"] == "r"


def test_take_thinking_of_others_is_signed_with_a_parcel() -> None:
    """Parts of a summary are paragraphs, and all seals of it are in the one signature."""
    (made,) = blocks(
        Thought("a", is_summary=True, begins=True),
        Thought("b", is_summary=True, begins=True),
        Sealed(OPENAI),
        Sealed(GEMINI),
    )
    *texts, signature = made["said"]
    assert "".join(texts) == "a\n\nb"
    assert open_parcel(signature, "") == Parcel(is_summary=True, seals=(OPENAI, GEMINI))


def test_take_seal_by_itself_is_a_redacted_block() -> None:
    """Reasoning that nobody showed has no text to be signed."""
    made = blocks(Sealed(OPENAI), Said("a"))
    assert [block["type"] for block in made] == ["redacted_thinking", "text"]
    assert open_parcel(made[0]["data"], "") == Parcel(seals=(OPENAI,))


def test_take_seal_of_a_text_waits_for_what_follows() -> None:
    """Claude Code takes the last block for the answer, and showed none where Gemini signs texts."""
    assert [block["type"] for block in blocks(Said("a"), Sealed(GEMINI))] == ["text"]
    followers: dict[str, list[Event]] = {
        "text": [Said("b")],
        "thinking": [Thought("b")],
        "tool_use": [began(0, "f.0"), CallSaid(0, "{}")],
    }
    for kind, events in followers.items():
        made = blocks(Said("a"), Sealed(GEMINI), Sealed(OPENAI), *events)
        types = ["text", "redacted_thinking", "redacted_thinking", kind]
        assert [block["type"] for block in made] == types
        seals = [open_parcel(block["data"], "") for block in made[1:3]]
        assert seals == [Parcel(seals=(GEMINI,)), Parcel(seals=(OPENAI,))]


@pytest.mark.parametrize("order", ["before", "behind", "within", "after"])
def test_take_seal_of_a_call_stands_beside_it(order: str) -> None:
    """Wherever it is told, it is in a block of its own, by the id that the client knows."""
    seal = Sealed(GEMINI, call=0)
    events: dict[str, list[Event]] = {
        "before": [seal, began(0, "f.0"), CallSaid(0, "{}")],
        "behind": [began(0, "f.0"), seal, CallSaid(0, "{}")],
        "within": [began(0, "f.0"), CallSaid(0, "{}"), seal],
        "after": [began(0, "f.0"), CallSaid(0, "{}"), Said("x"), seal],
    }
    made = blocks(*events[order])
    (call,) = (block for block in made if block["type"] == "tool_use")
    (sealed,) = (block for block in made if block["type"] == "redacted_thinking")
    assert open_parcel(sealed["data"], "") == Parcel(call_seals=(CallSeal(call["id"], GEMINI),))
    if order in ("before", "behind"):
        assert made == [sealed, call]


def test_take_citation_stands_in_a_text() -> None:
    """It grows the open text, or an empty one; what the dialect has no word for is left out."""
    cited = Cited('{"type":"x"}', "anthropic_messages")
    assert [block["type"] for block in blocks(Said("a"), cited)] == ["text"]
    assert [block["type"] for block in blocks(cited)] == ["text"]
    assert blocks(Cited('{"type":"file_citation"}', "openai_responses")) == []


def test_take_call_that_is_begun_twice_is_one() -> None:
    """Some upstreams repeat the id with every piece; others give every call the same number."""
    assert calls(began(0), began(0), CallSaid(0, "{}")) == [("toolu_0", "{}")]
    assert calls(began(0, "a"), CallSaid(0, '{"x'), began(0, "b"), CallSaid(0, "{}")) == [
        ("a", '{"x'),
        ("b", "{}"),
    ]
