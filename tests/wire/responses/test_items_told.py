"""How much of each item of an upstream's answer was told."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.errors import Broken
from slipstream.wire.responses.items_told import ItemsTold
from slipstream.wire.talk.events import CallBegan, CallSaid, Event, Said, Scored, Thought

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'}


def _raw(item: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(item).encode())


def test_complete_tells_the_rest_once() -> None:
    """Of what was told in part, the part that was not."""
    items = ItemsTold("openai")
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
    assert items.say(0, "Hel") == [Said("Hel")]
    assert items.complete(0, _raw(message)) == [Said("lo")]
    assert items.complete(0, _raw(message)) == []


def test_complete_of_two_texts_knows_where_it_is() -> None:
    """What was told runs over the parts."""
    parts = [{"type": "output_text", "text": text} for text in ("ab", "cd")]
    items = ItemsTold("openai")
    items.say(0, "abc")
    assert items.complete(0, _raw({"type": "message", "content": parts})) == [Said("d")]


@pytest.mark.parametrize("told", ["", '{"a"', '{"a":1}'])
def test_complete_call_tells_what_is_missing(told: str) -> None:
    """Arguments come in pieces, whole, or both."""
    items = ItemsTold("openai")
    events: list[Event] = [*items.open(0, _raw({**CALL, "arguments": ""}))]
    events += items.call(0, told)
    events += items.complete(0, _raw(CALL))
    assert events[0] == CallBegan(index=0, call_id="c", name="f")
    assert "".join(e.text for e in events if isinstance(e, CallSaid)) == '{"a":1}'
    assert items.num_calls == 1


def test_call_that_never_began_is_told_by_its_end() -> None:
    """Its pieces could not be told: its name was not known."""
    items = ItemsTold("openai")
    assert items.call(0, '{"a"') == []
    assert items.complete(0, _raw({**CALL, "namespace": "n"})) == [
        CallBegan(index=0, call_id="c", name="n__f"),
        CallSaid(0, '{"a":1}'),
    ]


def test_think_begins_with_each_part() -> None:
    """Parts of a summary are stretches of their own; of what was told nothing is repeated."""
    items = ItemsTold("openai")
    events = [
        *items.think(0, "a", 0, is_summary=True),
        *items.think(0, "b", 0, is_summary=True),
        *items.think(0, "c", 1, is_summary=True),
    ]
    assert [(e.text, e.begins) for e in events if isinstance(e, Thought)] == [
        ("a", True),
        ("b", False),
        ("c", True),
    ]
    item = {"type": "reasoning", "summary": [{"text": "ab"}, {"text": "c"}]}
    assert items.complete(0, _raw(item)) == []


def test_say_tells_scores_in_chats_shape() -> None:
    """With the bytes of each token, which deltas leave out; what is odd is passed on."""
    token = {"token": "é", "logprob": -1, "top_logprobs": [{"token": "e", "logprob": -2}]}
    told = ItemsTold("openai").say(0, "é", json.dumps([token, 1]).encode())
    assert isinstance(told[1], Scored)
    assert json.loads(told[1].raw) == [
        {
            "token": "é",
            "logprob": -1,
            "bytes": [195, 169],
            "top_logprobs": [{"token": "e", "logprob": -2, "bytes": [101]}],
        },
        1,
    ]


def test_complete_counts_searches() -> None:
    """They are billed by the call."""
    items = ItemsTold("openai")
    for at in (0, 1, 1):
        items.complete(at, _raw({"type": "web_search_call", "action": {"query": "x"}}))
    assert items.num_searches == 2


@pytest.mark.parametrize("item", [1, {"type": 1}, {"type": "function_call", "name": "f"}])
def test_complete_what_cannot_be_read_is_broken(item: Any) -> None:
    """A call without an id cannot be answered."""
    with pytest.raises(Broken):
        ItemsTold("openai").complete(0, _raw(item))
