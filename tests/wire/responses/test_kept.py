"""What is kept of a request and its answer, on bytes: items, ids, the object, and changes to it."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.responses.following import Following
from slipstream.wire.responses.kept import (
    Item,
    answer_of,
    as_unkept,
    created_at,
    kept_items,
    known_upstream,
    read_answer,
    read_input,
    referred_ids,
    shown_item,
    with_fields,
    without_fields,
)

ANSWER: dict[str, Any] = {"id": "resp_1", "status": "completed", "output": [], "store": True}


def raws(*items: Any) -> list[msgspec.Raw]:
    """Return items as they stand in a body."""
    return [msgspec.Raw(json.dumps(item).encode()) for item in items]


def stream_of(*events: tuple[str, Any], end: bytes = b"\n") -> bytes:
    """Return events as bytes."""
    lines = [
        b"event: %b%bdata: %b%b%b" % (kind.encode(), end, json.dumps(said).encode(), end, end)
        for kind, said in events
    ]
    return b"".join(lines)


def test_text_is_kept_as_an_item() -> None:
    """So that it stands in the list of what an answer was made of."""
    [item] = read_input(b'{"input":"hi"}')
    assert json.loads(bytes(item)) == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hi"}],
    }
    assert read_input(b"{}") == read_input(b'{"input":null}') == []
    assert [bytes(one) for one in read_input(b'{"input":[{"a" :1}]}')] == [b'{"a" :1}']


@pytest.mark.parametrize("body", [b'{"input":3}', b"[", b'{"input":{}}'])
def test_input_that_is_neither_text_nor_items_is_refused(body: bytes) -> None:
    """It is read before any model is asked."""
    with pytest.raises(BadRequest):
        read_input(body)


def test_references_are_found_with_and_without_their_type() -> None:
    """An item with nothing but an id is one; a message of a client's own is none."""
    items = raws(
        {"type": "item_reference", "id": "a"},
        {"id": "b"},
        {"role": "user", "content": "x", "id": "c"},
        {"type": "reasoning", "id": "d"},
        3,
        {},
    )
    assert referred_ids(items) == ["a", "b"]


def test_items_without_an_id_get_one_of_their_kind() -> None:
    """Made of the answer's and their place, so that no two are alike."""
    items = raws(
        {"role": "user", "content": "x"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "web_search_call"},
        {"type": "message", "id": "msg_own"},
    )
    ids = [item.item_id for item in kept_items(items, "k")]
    assert ids == ["msg_k00", "fc_k01", "item_k02", "msg_own"]


def test_named_item_is_kept_in_place_of_its_name() -> None:
    """What it named may be forgotten before the answer is."""
    [real] = raws({"type": "message", "id": "a", "role": "user", "content": "x"})
    items = raws({"type": "item_reference", "id": "a"}, {"id": "unknown"})
    kept = kept_items(items, "k", {"a": real})
    assert kept == [Item("a", bytes(real)), Item("unknown", b'{"id": "unknown"}')]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            {"role": "user", "content": "x"},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "x"}],
                "status": "completed",
            },
        ),
        (
            {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "x", "annotations": []}],
                "status": "completed",
            },
        ),
        (
            {"type": "function_call_output", "call_id": "c", "output": "1"},
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": "1",
                "status": "completed",
            },
        ),
        (
            {"type": "message", "role": "assistant", "content": "x", "status": "incomplete"},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "x", "annotations": []}],
                "status": "incomplete",
            },
        ),
        (
            {"type": "reasoning", "summary": []},
            {"type": "reasoning", "summary": []},
        ),
    ],
)
def test_item_is_shown_as_schemas_demand_it(said: dict[str, Any], shown: dict[str, Any]) -> None:
    """A client may write less than it wants to read."""
    told = msgspec.json.encode(shown_item(Item("i", json.dumps(said).encode())))
    assert json.loads(told) == shown | {"id": "i"}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"3", b'{"type":"unknown","id":"i"}'),
        (b'{"type":"x","n":1e999,"m":123456789012345678901}', None),
        (b'{"role":"user","content":{"n":1e999}}', None),
        (b'{"role":"user","content":[3,{"type":"output_text"},{"type":3}]}', None),
        (b'{"type":3}', None),
    ],
)
def test_any_item_is_shown(body: bytes, shown: bytes | None) -> None:
    """A lenient provider may have taken anything; numbers of any size pass through."""
    told = msgspec.json.encode(shown_item(Item("i", body)))
    assert shown is None or told == shown
    for number in (b"1e999", b"123456789012345678901"):
        assert (number in body) == (number in told)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_answer_is_found_at_the_end_of_a_stream(end: bytes) -> None:
    """The last bytes may hold other events, and keep-alive comments."""
    data = stream_of(
        ("response.output_item.done", {"item": {"type": "message"}}),
        ("response.completed", {"type": "response.completed", "response": ANSWER}),
        end=end,
    )
    found = answer_of(data + b": ping\n\n", is_stream=True)
    assert found is not None
    assert json.loads(found) == ANSWER
    assert answer_of(b"{}", is_stream=False) == b"{}"


def test_answer_of_any_size_is_found() -> None:
    """Ours may be larger than any event that is relayed."""
    large = ANSWER | {"output": ["x" * 9_000_000]}
    found = answer_of(stream_of(("response.completed", {"response": large})), is_stream=True)
    assert found is not None
    assert json.loads(found) == large


@pytest.mark.parametrize(
    "data",
    [b": ping\n\n", stream_of(("error", {"message": "x"})), b'data: {"response"\n\n'],
)
def test_stream_that_ends_without_an_answer_has_none(data: bytes) -> None:
    """Such as one that ends in an error of which nothing is known."""
    assert answer_of(data, is_stream=True) is None


def test_answer_is_read_as_far_as_it_must_be_known() -> None:
    """Whatever else a provider tells; what is none is None."""
    said = read_answer(json.dumps(ANSWER | {"later": 1}).encode())
    assert said is not None
    assert (said.id, said.status, said.store, said.output) == ("resp_1", "completed", True, [])
    assert read_answer(b'{"error":{}}') is None
    assert created_at(b'{"created_at":7}') == 7


def test_fields_are_changed_and_the_others_keep_their_bytes() -> None:
    """Numbers of any length, and keys in any order."""
    body = b'{"b":1.10,"id":"x","a":[1, 2]}'
    assert with_fields(body, id="y", new=True) == b'{"b":1.10,"id":"y","a":[1, 2],"new":true}'
    assert without_fields(body, ("b", "none")) == b'{"id":"x","a":[1, 2]}'


@pytest.mark.parametrize("is_stream", [True, False])
def test_answer_that_could_not_be_kept_says_so(is_stream: bool) -> None:
    """All else is as it was; what cannot be found in the bytes stays."""
    answer = json.dumps(ANSWER).encode()
    data = b"event: a\ndata: {}\n\nevent: b\ndata: {" + b'"response":' + answer + b"}\n\n"
    data = data if is_stream else answer
    told = as_unkept(data, answer, is_stream=is_stream)
    assert told == data.replace(answer, with_fields(answer, store=False))
    assert as_unkept(b"data: other\n\n", answer, is_stream=True) == b"data: other\n\n"


def test_provider_is_told_its_own_id() -> None:
    """An answer that was made in the background has another one here."""
    body = b'{"previous_response_id":"ours","x":1}'
    assert known_upstream(Following(is_kept=True), body) is body
    known = known_upstream(Following(is_kept=True, upstream_id="theirs"), body)
    assert json.loads(known) == {"previous_response_id": "theirs", "x": 1}
