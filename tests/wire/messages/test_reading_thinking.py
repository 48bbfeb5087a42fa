"""Tests of slipstream.wire.messages.reading_thinking."""

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.messages.answers_out import AnswerWriter
from slipstream.wire.talk.asking import Part, Reasoning, Seal, Text, ToolCall
from slipstream.wire.talk.events import CallBegan, CallSaid, Ended, Said, Sealed, Thought
from slipstream.wire.talk.parcels import MARK
from tests.wire.messages.requests import read, read_block

GEMINI = Seal(vendor="gemini", kind="thought_signature", data="g")
OPENAI = Seal(vendor="openai", kind="encrypted_content", data="o", item_id="rs_1")
SIGNED = Seal(vendor="anthropic", kind="signature", data="s")


def second_turn(*events: Thought | Sealed | Said | CallBegan | CallSaid) -> tuple[Part, ...]:
    """Return the assistant's parts when a client sends back what events made."""
    frame = AnswerWriter(answer_id="msg_1", model="m").whole([*events, Ended(reason="stop")])
    content = msgspec.json.decode(frame.data)["content"]
    (turn,) = read(messages=[{"role": "assistant", "content": content}]).turns
    return turn.parts


def test_read_thinking_of_anthropic_is_sealed_for_it() -> None:
    """A signature without text, a text without signature, and what was redacted."""
    thinking = {"type": "thinking", "thinking": "", "signature": "s"}
    assert read_block(thinking, "assistant") == Reasoning(seals=(SIGNED,))
    thinking = {"type": "thinking", "thinking": "t", "signature": ""}
    assert read_block(thinking, "assistant") == Reasoning(text="t")
    redacted = {"type": "redacted_thinking", "data": "r"}
    assert read_block(redacted, "assistant") == Reasoning(
        seals=(Seal(vendor="anthropic", kind="redacted", data="r"),)
    )


def test_read_thinking_comes_back_to_the_vendor_that_made_it() -> None:
    """A second turn: reasoning, what seals it, and what seals a call, each where it was."""
    assert second_turn(
        Thought("a", is_summary=True, begins=True),
        Sealed(OPENAI),
        Sealed(GEMINI),
        Said("x"),
        CallBegan(index=0, call_id="f.0", name="f"),
        CallSaid(0, '{"a":1}'),
        CallBegan(index=1, call_id="f.1", name="f"),
        Sealed(GEMINI, call=1),
        Sealed(OPENAI),
        Thought("b", begins=True),
        Sealed(SIGNED),
    ) == (
        Reasoning(text="a", is_summary=True, seals=(OPENAI, GEMINI)),
        Text("x"),
        ToolCall(call_id="f.0", name="f", arguments='{"a":1}'),
        ToolCall(call_id="f.1", name="f", arguments="{}", seals=(GEMINI,)),
        Reasoning(seals=(OPENAI,)),
        Reasoning(text="b", seals=(SIGNED,)),
    )


def test_read_thinking_of_nobody_keeps_its_text() -> None:
    """Open models seal nothing, and some want their reasoning back all the same."""
    assert second_turn(Thought("a", begins=True)) == (Reasoning(text="a"),)


@pytest.mark.parametrize("data", [MARK, MARK + "!!", MARK + "e30"])
def test_read_parcel_that_was_changed_is_refused(data: str) -> None:
    """What cannot be opened is named; an empty object is a parcel."""
    block = {"type": "redacted_thinking", "data": data}
    with pytest.raises(BadRequest) as caught:
        read_block(block, "assistant")
    assert caught.value.param == "messages[0].content[0].data"
