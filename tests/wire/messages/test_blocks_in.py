"""Tests of slipstream.wire.messages.blocks_in."""

import msgspec

from slipstream.wire.messages.blocks_in import Block, Delta, OpenBlock
from slipstream.wire.talk.asking import Seal
from slipstream.wire.talk.events import CallSaid, Cited, Said, Sealed, Thought


def opened(block: Block) -> OpenBlock:
    """Return a block of Anthropic's."""
    return OpenBlock(block, "anthropic", 0, frozenset())


def test_add_delta_of_another_kind_says_nothing() -> None:
    """What a delta means, its block decides: text in a call is no text of the answer."""
    call = opened(Block("tool_use", id="a", name="f"))
    assert call.add(Delta("text_delta", text="x")) == []
    assert opened(Block("text")).add(Delta("input_json_delta", partial_json="{")) == []
    assert opened(Block("text")).add(Delta("new_delta")) == []


def test_add_citation_stands_behind_its_text() -> None:
    """A citation is handed on word for word, from the start of a block as from a delta."""
    raw = msgspec.Raw(b'{"type": "char_location"}')
    block = opened(Block("text", text="a", citations=[raw]))
    cited = Cited('{"type": "char_location"}', "anthropic_messages")
    assert block.start() == [Said("a"), cited]
    assert block.add(Delta("citations_delta", citation=raw)) == [cited]


def test_stop_tells_the_last_signature_once() -> None:
    """A later signature replaces an earlier one, as in the SDK."""
    block = opened(Block("thinking", thinking="", signature=""))
    assert block.add(Delta("signature_delta", signature="a")) == []
    assert block.add(Delta("signature_delta", signature="b")) == []
    assert block.stop() == [Sealed(Seal(vendor="anthropic", kind="signature", data="b"))]


def test_think_begins_once() -> None:
    """Only the first piece begins a stretch, wherever it stands."""
    block = opened(Block("thinking", thinking="a"))
    assert block.start() == [Thought("a", begins=True)]
    assert block.add(Delta("thinking_delta", thinking="b")) == [Thought("b")]


def test_stop_arguments_told_at_the_start_count_if_no_piece_came() -> None:
    """Some servers tell them whole at the start; then pieces do not follow, or say the same."""
    whole = Block("tool_use", id="a", name="f", input=msgspec.Raw(b'{"a":1}'))
    assert opened(whole).stop() == [CallSaid(0, '{"a":1}')]
    pieces = opened(whole)
    pieces.add(Delta("input_json_delta", partial_json='{"a":1}'))
    assert pieces.stop() == []
