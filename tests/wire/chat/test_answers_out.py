"""Tests of slipstream.wire.chat.answers_out, plain_answer, seals and citations."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from slipstream.call import Frame, Meaning, Usage
from slipstream.errors import Broken
from slipstream.wire.chat.answers_in import AnswerReader
from slipstream.wire.chat.answers_out import AnswerWriter
from slipstream.wire.chat.reading import read_asked
from slipstream.wire.chat.seals import encode_details, join_details, read_details
from slipstream.wire.sse import DONE, EventSplitter, event_data
from slipstream.wire.talk.asking import Reasoning, Seal, ToolCall
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Cited,
    Counted,
    Ended,
    Event,
    Failed,
    Over,
    Pinged,
    Refused,
    Said,
    Scored,
    Sealed,
    Thought,
)

USAGE = Usage(
    input_tokens=5,
    cache_read_tokens=2,
    cache_write_5m_tokens=1,
    input_image_tokens=4,
    output_tokens=3,
    output_reasoning_tokens=2,
)
SEAL = Seal(vendor="anthropic", kind="signature", data="sig", item_id="i")
SIGNED = Seal(vendor="gemini", kind="thought_signature", data="t")
TOKEN = '[{"token":"a","logprob":-1.0,"bytes":[97],"top_logprobs":[]}]'
EVENTS: list[Event] = [
    Began(answer_id="up", service_tier="on_demand", fingerprint="fp"),
    Thought("hm", begins=True),
    Thought("!"),
    Sealed(SEAL),
    Said("a"),
    Said("b"),
    Scored(TOKEN),
    Cited('{"url":"http://u","title":"t"}', "anthropic_messages"),
    Refused("no"),
    CallBegan(index=0, call_id="x", name="f"),
    CallBegan(index=1, call_id="y", name="g"),
    CallSaid(1, '{"b":'),
    CallSaid(1, "2}"),
    Sealed(SIGNED, call=1),
    Counted(USAGE),
    Ended(reason="tool_calls"),
    Over(),
]


def writer(**options: Any) -> AnswerWriter:
    return AnswerWriter(answer_id="chatcmpl-1", model="m", created_s=7, **options)


def frames(events: list[Event], **options: Any) -> list[Frame]:
    making = writer(**options)
    return [frame for event in events for frame in making.write(event)]


def chunks(events: list[Event], **options: Any) -> list[dict[str, Any]]:
    """Return the chunks, each of which the SDK must accept."""
    found = []
    for frame in frames(events, **options):
        for event in EventSplitter().feed(frame.data):
            data = event_data(event)
            if data is not None and data != b"[DONE]":
                ChatCompletionChunk.model_validate_json(data)
                found.append(msgspec.json.decode(data))
    return found


def deltas(events: list[Event], **options: Any) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(events, **options)]


def test_writer_stream_in_order() -> None:
    """Role, reasoning and its seal, text, calls by index, the end; each in its own chunk."""
    details = {
        "type": "reasoning.encrypted",
        "format": "slipstream/anthropic/signature",
        "index": 0,
        "id": "i",
        "data": "sig",
        "text": "hm!",
    }
    url = {"start_index": 2, "end_index": 2, "title": "t", "url": "http://u"}
    f = {"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": ""}}
    g = {"index": 1, "id": "y", "type": "function", "function": {"name": "g", "arguments": ""}}
    extra = {"google": {"thought_signature": "t"}}
    assert deltas(EVENTS) == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "hm"},
        {"reasoning_content": "!"},
        {"reasoning_details": [details]},
        {"content": "a"},
        {"content": "b"},
        {},
        {"annotations": [{"type": "url_citation", "url_citation": url}]},
        {"refusal": "no"},
        {"tool_calls": [f]},
        {"tool_calls": [g]},
        {"tool_calls": [{"index": 1, "function": {"arguments": '{"b":'}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "2}"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": ""}, "extra_content": extra}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {},
    ]


def test_writer_chunks_have_one_head() -> None:
    """Id, model and time are ours; fingerprint and tier what the upstream told."""
    found = chunks(EVENTS)
    heads = [{key: value for key, value in chunk.items() if key != "choices"} for chunk in found]
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "system_fingerprint": "fp",
        "service_tier": "default",
    }
    assert heads == [head] * len(heads)
    assert found[6]["choices"][0]["logprobs"]["content"] == msgspec.json.decode(TOKEN)
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_writer_usage_chunk_only_where_it_is_wanted() -> None:
    """The chunk of usage comes last, and every other one says null; `[DONE]` ends both."""
    found = chunks(EVENTS, wants_usage=True)
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["prompt_tokens"] == 12
    assert found[-1]["usage"]["prompt_tokens_details"]["cache_write_tokens"] == 1
    assert all(chunk["usage"] is None for chunk in found[:-1])
    last = frames(EVENTS)[-1]
    assert last == Frame(DONE, Meaning.END, USAGE, "tool_calls")
    assert "usage" not in chunks(EVENTS)[-1]
    without: list[Event] = [event for event in EVENTS if not isinstance(event, Counted)]
    assert chunks(without, wants_usage=True)[-1]["choices"] != []


def test_writer_frames_say_what_commits_and_what_it_cost() -> None:
    """The role says nothing yet; usage is on the first frame after it was told."""
    making = writer()
    [role] = making.write(Began())
    assert role.meaning is Meaning.SILENT
    assert making.write(Counted(USAGE)) == []
    [said] = making.write(Said("a"))
    assert (said.meaning, said.usage) == (Meaning.CONTENT, USAGE)
    assert making.write(Said("b"))[0].usage is None
    assert making.write(Pinged()) == [Frame(b": ping\n\n", Meaning.SILENT)]
    assert making.write(Ended(reason="pause"))[0].finish_reason == "stop"


def test_writer_every_choice_has_its_own_role() -> None:
    """A choice begins with its role, also where the upstream begins with what it says."""
    found = chunks([Said("a"), Said("b", choice=1), Said("c", choice=1)])
    assert [chunk["choices"][0]["index"] for chunk in found] == [0, 1, 1]
    assert [chunk["choices"][0]["delta"].get("role") for chunk in found] == [
        "assistant",
        "assistant",
        None,
    ]


def test_writer_failures_are_raised() -> None:
    """What renders errors is not the writer, streamed or plain."""
    for write in (writer().write, lambda event: writer().whole([event])):
        with pytest.raises(Broken):
            write(Failed(Broken("x")))


def test_writer_text_tools_keep_their_text() -> None:
    """A call of a text tool has input, not arguments."""
    events: list[Event] = [
        CallBegan(index=0, call_id="x", name="c", is_custom=True),
        CallSaid(0, "a"),
        Ended(reason="tool_calls"),
    ]
    making = writer()
    said = [msgspec.json.decode(f.data[6:-2]) for e in events for f in making.write(e)]
    calls = [chunk["choices"][0]["delta"].get("tool_calls") for chunk in said]
    assert calls[0][0]["custom"] == {"name": "c", "input": ""}
    assert calls[1] == [{"index": 0, "custom": {"input": "a"}}]
    body = msgspec.json.decode(writer().whole(events).data)
    [call] = body["choices"][0]["message"]["tool_calls"]
    assert call == {"id": "x", "type": "custom", "custom": {"name": "c", "input": "a"}}


def test_writer_stretches_of_reasoning_are_paragraphs() -> None:
    """Parts of a summary are set apart; each seal has the text of its own stretch."""
    events: list[Event] = [
        Thought("a", is_summary=True, begins=True),
        Sealed(SEAL),
        Thought("b", is_summary=True, begins=True),
        Sealed(SEAL),
        Sealed(SEAL),
    ]
    found = deltas(events)
    assert [d["reasoning_content"] for d in found if "reasoning_content" in d] == ["a", "\n\nb"]
    sealed = [d["reasoning_details"][0] for d in found if "reasoning_details" in d]
    assert [(s["index"], s.get("text")) for s in sealed] == [(0, "a"), (1, "b"), (2, None)]
    message = msgspec.json.decode(writer().whole(events).data)["choices"][0]["message"]
    assert message["reasoning_content"] == "a\n\nb"
    assert message["reasoning_details"] == sealed


def test_writer_plain_answer_is_what_the_sdk_reads() -> None:
    """The same events, whole."""
    frame = writer(fingerprint="own").whole(EVENTS)
    assert (frame.meaning, frame.usage, frame.finish_reason) == (Meaning.END, USAGE, "tool_calls")
    answer = ChatCompletion.model_validate_json(frame.data)
    message = answer.choices[0].message
    assert (message.content, message.refusal) == ("ab", "no")
    assert message.annotations is not None
    assert message.tool_calls is not None
    assert [call.id for call in message.tool_calls] == ["x", "y"]
    assert (answer.system_fingerprint, answer.service_tier) == ("fp", "default")
    body = msgspec.json.decode(frame.data)
    first, second = body["choices"][0]["message"]["tool_calls"]
    assert first["function"]["arguments"] == "{}"
    assert second["extra_content"] == {"google": {"thought_signature": "t"}}
    assert body["choices"][0]["logprobs"]["content"][0]["token"] == "a"


def test_writer_plain_answer_says_null_for_no_text() -> None:
    """Beside calls content is null; an empty answer is an empty text, without made-up usage."""
    call: list[Event] = [CallBegan(index=0, call_id="x", name="f"), Ended(reason="tool_calls")]
    body = msgspec.json.decode(writer().whole(call).data)
    assert body["choices"][0]["message"]["content"] is None
    assert "usage" not in body
    empty = msgspec.json.decode(writer().whole([Ended(reason="stop")]).data)
    assert empty["choices"][0]["message"]["content"] == ""


def test_writer_seals_come_back_with_the_message() -> None:
    """A client that sends the message back as it got it brings every seal home."""
    message = msgspec.json.decode(writer().whole(EVENTS).data)["choices"][0]["message"]
    asked = read_asked(msgspec.json.encode({"model": "m", "messages": [message]}))
    [turn] = asked.turns
    assert turn.parts[0] == Reasoning(text="hm!", seals=(SEAL,))
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    assert calls[1].seals == (SIGNED,)


def test_writer_citations_without_an_address_are_left_out() -> None:
    """Chat's annotations know addresses only; its own pass unchanged."""
    own = '{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"title":"t","url":"u"}}'  # noqa: E501
    assert deltas([Began(), Cited(own, "openai_chat")])[1] == {
        "annotations": [msgspec.json.decode(own)]
    }
    for raw in ('{"document_index":0}', "[1]", "nonsense"):
        assert deltas([Began(), Cited(raw, "anthropic_messages")]) == deltas([Began()])


def test_seals_of_openrouter_stay_as_they_are() -> None:
    """Its items are not wrapped, ours around them are told from them."""
    items = [msgspec.Raw(b'{"type":"a"}'), msgspec.Raw(b'{"type":"b","format":"x/y"}')]
    theirs = join_details(items)
    assert encode_details(Reasoning(seals=(theirs,)), 0) == items
    ours = encode_details(Reasoning(text="hm", seals=(SEAL,)), 2)
    assert read_details([*items, *ours, items[0], msgspec.Raw(b"5")]) == (
        Reasoning(seals=(theirs,)),
        Reasoning(text="hm", seals=(SEAL,)),
        Reasoning(seals=(join_details([items[0], msgspec.Raw(b"5")]),)),
    )
    broken = Seal(vendor="openrouter", kind="reasoning_details", data="{")
    assert encode_details(Reasoning(seals=(broken,)), 0) == []


_TEXT = st.text(min_size=1, max_size=6)
_PIECES = st.one_of(
    st.builds(Said, _TEXT),
    st.builds(lambda text: Thought(text, begins=True), _TEXT),
    st.builds(Refused, _TEXT),
)


@given(st.lists(_PIECES, max_size=6), st.sampled_from(["stop", "length", "content_filter"]))
def test_writer_and_reader_are_inverse(pieces: list[Event], reason: str) -> None:
    """What is written is read back: text, reasoning, refusal, the end and the totals."""
    events = [Began(), *pieces, Ended(reason=reason), Counted(USAGE), Over()]
    reader, making = AnswerReader(vendor="lab"), writer(wants_usage=True)
    read = [
        found
        for event in events
        for frame in making.write(event)
        for found in reader.read(frame.data)
    ]
    for kind in (Said, Refused):
        told = ["".join(e.text for e in es if isinstance(e, kind)) for es in (events, read)]
        assert told[0] == told[1]
    assert Ended(reason=reason) in read
    [counted] = [event for event in read if isinstance(event, Counted)]
    assert counted.usage == USAGE
    whole = AnswerReader(vendor="lab").read_whole(writer().whole(events).data)
    told = ["".join(e.text for e in es if isinstance(e, Said)) for es in (events, whole)]
    assert told[0] == told[1]


def test_writer_seal_of_a_call_is_a_piece_that_the_sdks_helper_reads() -> None:
    """Bug: openai's `stream()` fails on a piece of a call without its kind of call in it."""
    told: list[Event] = [
        Began(),
        CallBegan(index=0, call_id="x", name="f"),
        Sealed(SIGNED, call=0),
        CallSaid(0, "{}"),
        Ended(reason="tool_calls"),
    ]
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks(told):
        list(state.handle_chunk(ChatCompletionChunk.model_validate(chunk)))
    [call] = state.current_completion_snapshot.choices[0].message.tool_calls or []
    assert call.function.arguments == "{}"
    assert call.to_dict()["extra_content"] == {"google": {"thought_signature": "t"}}
    custom = CallBegan(index=0, call_id="y", name="g", is_custom=True)
    sealed = frames([Began(), custom, Sealed(SIGNED, call=0)])[-1]
    assert b'{"index":0,"custom":{"input":""},"extra_content":' in sealed.data
