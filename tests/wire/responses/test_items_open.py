"""Items of an answer that is being written: what each says until it is done."""

from slipstream.wire.responses.items_open import OpenCall, OpenMessage, OpenReasoning
from slipstream.wire.responses.names import ToolOrigin
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.parcels import Parcel, open_parcel

SEAL = Seal(vendor="v", kind="k", data="d")


def _call(*, is_custom: bool = False, is_wrapped: bool = False) -> OpenCall:
    origin = ToolOrigin("n", "f")
    return OpenCall(
        "i",
        2,
        call_id="c",
        name="n__f",
        origin=origin,
        is_custom=is_custom,
        is_wrapped=is_wrapped,
    )


def test_message_changes_parts_with_the_kind() -> None:
    """A refusal after a text is a part of its own; each part is announced and ended."""
    message = OpenMessage("i", 1)
    told = [*message.say("a"), *message.say("b"), *message.say("no", "refusal")]
    assert [kind for kind, _ in told] == [
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
    ]
    assert {fields["content_index"] for _, fields in told} == {0, 1}
    *_, (kind, fields) = message.close("completed")
    assert kind == "output_item.done"
    assert fields["item"] == message.item()
    assert [part["type"] for part in message.item()["content"]] == ["output_text", "refusal"]


def test_message_keeps_scores_and_notes_with_their_part() -> None:
    """They are told as they come, and again with the whole part."""
    message = OpenMessage("i", 0)
    told = [*message.say("ab"), *message.score([{"token": "ab"}]), *message.cite({"url": "u"})]
    assert message.num_chars() == 2
    assert told[-2][1]["delta"] == ""
    assert told[-2][1]["logprobs"] == [{"token": "ab"}]
    assert told[-1][1]["annotation_index"] == 0
    done = dict(message.close("completed"))
    assert done["output_text.done"]["logprobs"] == [{"token": "ab"}]
    assert done["content_part.done"]["part"]["annotations"] == [{"url": "u"}]


def test_reasoning_seals_are_for_who_asked() -> None:
    """And always in what we keep."""
    for shows in (False, True):
        item = OpenReasoning("i", 0, is_summary=True, shows_seals=shows)
        assert [kind for kind, _ in item.think("a", begins=False)] == [
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
        ]
        item.seals.append(SEAL)
        list(item.close("completed"))
        assert ("encrypted_content" in item.item()) == shows
        sealed = item.item(keeps=True)["encrypted_content"]
        assert open_parcel(sealed, "x") == Parcel(text="a", is_summary=True, seals=(SEAL,))


def test_reasoning_without_text_has_no_content() -> None:
    """A sealed stretch shows nothing."""
    item = OpenReasoning("i", 0, shows_seals=False)
    assert [kind for kind, _ in item.close("completed")] == ["output_item.done"]
    assert item.item() == {"id": "i", "type": "reasoning", "summary": []}


def test_call_has_its_own_name_and_namespace() -> None:
    """The flat name is for upstreams only."""
    call = _call()
    _, fields = call.open()
    assert (fields["item"]["name"], fields["item"]["namespace"]) == ("f", "n")
    assert (fields["item"]["status"], fields["output_index"]) == ("in_progress", 2)
    list(call.say("{}"))
    list(call.close("incomplete"))
    assert (call.item()["arguments"], call.item()["status"]) == ("{}", "incomplete")


def test_call_of_text_is_told_as_it_comes() -> None:
    """And one that comes wrapped, when it is whole."""
    plain = _call(is_custom=True)
    assert list(plain.say("a")) == [
        ("custom_tool_call_input.delta", {"item_id": "i", "output_index": 2, "delta": "a"})
    ]
    wrapped = _call(is_custom=True, is_wrapped=True)
    assert [*wrapped.say('{"inp'), *wrapped.say('ut":"a"}')] == []
    kinds = [kind for kind, _ in wrapped.close("completed")]
    assert kinds == [
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert wrapped.item()["input"] == "a"


def test_call_empty_text_stays_empty() -> None:
    """Only arguments of functions are JSON."""
    call = _call(is_custom=True)
    list(call.close("completed"))
    assert call.item()["input"] == ""
