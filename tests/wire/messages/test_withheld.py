"""Tests of slipstream.wire.messages.withheld."""

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.messages.citations import citation_object
from slipstream.wire.messages.withheld import without_own_parcels
from slipstream.wire.talk.parcels import MARK, Parcel, close_parcel

OURS = close_parcel(Parcel())


def test_body_without_our_marks_is_the_same_object() -> None:
    """Invariant 2: what is relayed keeps its bytes."""
    body = b'{"messages": [ {"role":"user","content":"x"} ]}'
    assert without_own_parcels(body) is body


def test_body_loses_our_thinking_and_citations_only() -> None:
    """Anthropic's own blocks keep their bytes; a message that held nothing else is gone."""
    theirs = b'{"type":"thinking", "thinking":"a",  "signature":"c2ln"}'
    citation = citation_object('{"type":"url_citation","url":"http://a"}', "openai_chat")
    text = {"type": "text", "text": "t", "citations": [citation, {"type": "page_location"}]}
    ours = {"type": "thinking", "thinking": "b", "signature": OURS}
    redacted = {"type": "redacted_thinking", "data": OURS}
    only = {"role": "assistant", "content": [ours]}
    user = {"role": "user", "content": f"what is {MARK}?"}
    blocks = [msgspec.Raw(theirs), ours, redacted, text]
    body = msgspec.json.encode(
        {"model": "m", "messages": [user, {"role": "assistant", "content": blocks}, only, user]}
    )
    cleaned = without_own_parcels(body)
    assert theirs in cleaned
    assert msgspec.json.decode(cleaned) == {
        "model": "m",
        "messages": [
            user,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "a", "signature": "c2ln"},
                    {"type": "text", "text": "t", "citations": [{"type": "page_location"}]},
                ],
            },
            user,
        ],
    }


def test_text_whose_citations_are_all_ours_keeps_none() -> None:
    """An empty array would be one thing more that might be refused."""
    citation = citation_object('{"type":"url_citation","url":"http://a"}', "openai_chat")
    content = [{"type": "text", "text": "t", "citations": [citation]}]
    body = msgspec.json.encode({"messages": [{"role": "assistant", "content": content}]})
    (message,) = msgspec.json.decode(without_own_parcels(body))["messages"]
    assert message["content"] == [{"type": "text", "text": "t"}]


def test_text_that_says_our_mark_is_kept() -> None:
    """Whoever talks about us may."""
    content = [{"type": "text", "text": OURS}]
    body = msgspec.json.encode({"messages": [{"role": "assistant", "content": content}]})
    assert msgspec.json.decode(without_own_parcels(body)) == msgspec.json.decode(body)


def test_body_that_cannot_be_read_is_refused() -> None:
    """The error is the caller's."""
    with pytest.raises(BadRequest):
        without_own_parcels(b'{"messages": 3, "x": "' + MARK.encode() + b'"}')
