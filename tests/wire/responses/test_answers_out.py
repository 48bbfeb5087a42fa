"""Answers written in the Responses dialect: the order of events, and that the SDK reads them."""

import json
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from slipstream.call import Frame, Meaning, Usage
from slipstream.errors import Busy, Rejected
from slipstream.wire.responses.answers_in import AnswerReader
from slipstream.wire.responses.answers_out import PING, AnswerWriter
from slipstream.wire.responses.reading import ResponsesAsked, read_asked
from slipstream.wire.sse import EventSplitter, event_data
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

_adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = Usage(
    input_tokens=5,
    cache_read_tokens=3,
    cache_write_5m_tokens=2,
    output_tokens=4,
    output_reasoning_tokens=6,
)
SEAL = Seal(vendor="anthropic", kind="signature", data="c2ln")
TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
CITED = {"type": "url_citation", "url_citation": {"url": "https://x.y", "title": "X"}}

# Everything that an answer may hold, in one.
FULL: list[Event] = [
    Began(answer_id="chatcmpl-1", model="m", created_s=7, service_tier="standard"),
    Thought("think", is_summary=True, begins=True),
    Thought("ing", is_summary=True),
    Thought("more", is_summary=True, begins=True),
    Sealed(SEAL),
    Thought("raw"),
    Said("Hi"),
    Scored(json.dumps([TOKEN])),
    Said(" there"),
    Cited(json.dumps(CITED), "openai_chat"),
    Refused("no"),
    CallBegan(index=0, call_id="call_a", name="look"),
    CallSaid(0, '{"a":'),
    CallBegan(index=1, call_id="call_b", name="shell__run"),
    CallSaid(1, "{}"),
    CallSaid(0, "1}"),
    CallBegan(index=2, call_id="call_c", name="patch"),
    CallSaid(2, '{"input":"*** p"}'),
    CallBegan(index=3, call_id="call_d", name="now"),
    Sealed(Seal(vendor="gemini", kind="thought_signature", data="eA=="), call=3),
    Counted(USAGE),
    Ended(reason="tool_calls"),
    Over(),
]
TEXT: list[Event] = [Began(), Said("Hello"), Said(" you"), Ended(reason="stop"), Over()]


def _request(**more: Any) -> ResponsesAsked:
    body = {
        "model": "m",
        "input": "hi",
        "include": ["reasoning.encrypted_content"],
        "tools": [
            {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True},
            {
                "type": "namespace",
                "name": "shell",
                "description": "Shells.",
                "tools": [{"type": "function", "name": "run", "parameters": {}}],
            },
            {"type": "custom", "name": "patch"},
            {"type": "web_search", "external_web_access": True},
        ],
        "tool_choice": {"type": "function", "name": "look"},
        "text": {"verbosity": "low"},
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "temperature": 0,
        "store": False,
        "instructions": "be kind",
        **more,
    }
    return read_asked(json.dumps(body).encode())


def _writer(**more: Any) -> AnswerWriter:
    return AnswerWriter(_request(**more), response_id="resp_1", created_s=1, clock=lambda: 9)


def _frames(events: list[Event], **more: Any) -> list[Frame]:
    writer = _writer(**more)
    return [frame for event in events for frame in writer.write(event)]


def _told(frames: list[Frame]) -> list[dict[str, Any]]:
    """Return the events that a client reads, each checked as strictly as the SDK can."""
    told = []
    for event in EventSplitter().feed(b"".join(frame.data for frame in frames)):
        data = event_data(event)
        if data is None:
            continue
        said = json.loads(data)
        assert event.startswith(b"event: %b\n" % said["type"].encode())
        parsed = _adapter.validate_json(data)
        assert parsed.type == said["type"]
        told.append(said)
    return told


def _types(events: list[Event], **more: Any) -> list[str]:
    return [said["type"].removeprefix("response.") for said in _told(_frames(events, **more))]


def test_write_text_has_the_order_of_the_real_one() -> None:
    """Protocols, section G: what recorded streams of OpenAI show."""
    assert _types(TEXT) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_write_more_of_a_text_differs_in_number_and_text_only() -> None:
    """What is added to an open text is encoded in a shorter way, to the same bytes."""
    frames = _frames([Began(), Said("a"), Said('é"\n')])
    first, second = frames[1].data.rpartition(b"event: ")[2], frames[2].data[7:]
    number = _told(frames[1:2])[-1]["sequence_number"]
    assert second == first.replace(
        b'"sequence_number":%d' % number, b'"sequence_number":%d' % (number + 1)
    ).replace(b'"a"', '"é\\"\\n"'.encode())


def test_write_call_has_the_order_of_the_real_one() -> None:
    """A call is an item whose arguments come in pieces and then whole."""
    events: list[Event] = [
        Began(),
        CallBegan(index=0, call_id="call_1", name="look"),
        CallSaid(0, '{"a":'),
        CallSaid(0, "1}"),
        Ended(reason="tool_calls"),
        Over(),
    ]
    told = _told(_frames(events))
    assert [said["type"].removeprefix("response.") for said in told[2:-1]] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert told[2]["item"]["arguments"] == ""
    assert told[5]["arguments"] == '{"a":1}'
    assert told[6]["item"] == told[-1]["response"]["output"][0]
    assert told[6]["item"]["call_id"] == "call_1"


def test_write_summary_has_the_order_of_the_real_one() -> None:
    """Each part of a summary is announced and ended; then the message follows."""
    events: list[Event] = [Began(), Thought("so", is_summary=True), Said("Hi"), Over()]
    assert _types(events)[2:9] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
    ]


def test_write_raw_reasoning_stands_in_content_parts() -> None:
    """Open models tell what they think as it is."""
    assert _types([Began(), Thought("so"), Over()])[2:8] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]


def test_write_everything_is_read_by_the_sdk_and_numbered() -> None:
    """Strict validation passes; numbers rise by one from 0; deltas name their items."""
    told = _told(_frames(FULL))
    assert [said["sequence_number"] for said in told] == list(range(len(told)))
    last = told[-1]["response"]
    added = {said["output_index"]: said["item"]["id"] for said in told if "item" in said}
    assert [item["id"] for item in last["output"]] == [added[at] for at in sorted(added)]
    for said in told:
        if "item_id" in said:
            assert added[said["output_index"]] == said["item_id"]


def test_write_created_holds_the_whole_object_without_an_answer() -> None:
    """What was asked is repeated; nothing was said and nothing spent yet."""
    told = _told(_frames(FULL))
    for said in told[:2]:
        response = said["response"]
        assert (response["status"], response["output"], response["usage"]) == (
            "in_progress",
            [],
            None,
        )
        assert response["tools"][0]["name"] == "look"
        assert response["tool_choice"] == {"type": "function", "name": "look"}
        assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
        assert response["instructions"] == "be kind"
        assert response["store"] is False


def test_write_no_event_but_the_failure_has_an_error_on_top() -> None:
    """Regression of many gateways: the SDK raises on a truthy top-level `error`."""
    assert not [
        said for said in _told(_frames([*FULL[:8], Failed(Busy("no"))])) if said.get("error")
    ]


def test_write_namespaced_call_gets_its_name_back() -> None:
    """Codex calls its own tools by namespace and name."""
    [call] = [
        item
        for item in _told(_frames(FULL))[-1]["response"]["output"]
        if item.get("call_id") == "call_b"
    ]
    assert (call["namespace"], call["name"]) == ("shell", "run")


def test_write_custom_call_as_function_is_told_as_text() -> None:
    """A target without custom tools calls a function of one string; the client sees its text."""
    told = _told(_frames(FULL))
    [delta] = [said for said in told if said["type"] == "response.custom_tool_call_input.delta"]
    assert delta["delta"] == "*** p"
    [item] = [i for i in told[-1]["response"]["output"] if i["type"] == "custom_tool_call"]
    assert item["input"] == "*** p"


def test_write_call_without_arguments_says_an_empty_object() -> None:
    """Clients parse what they get."""
    told = _told(_frames([Began(), CallBegan(index=0, call_id="c", name="now"), Over()]))
    [delta] = [said for said in told if said["type"].endswith("arguments.delta")]
    assert delta["delta"] == told[-1]["response"]["output"][0]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("pause", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_write_end_says_why(reason: str, status: str, details: Any) -> None:
    """An answer that was cut is never called complete."""
    frames = _frames([Began(), Said("x"), Ended(reason=reason), Counted(USAGE), Over()])
    last = _told(frames)[-1]
    assert last["type"] == f"response.{status}"
    assert last["response"]["incomplete_details"] == details
    assert last["response"]["output"][0]["status"] == status
    assert last["response"]["completed_at"] == (9 if status == "completed" else None)
    assert frames[-1] == Frame(frames[-1].data, Meaning.END, USAGE, reason)


def test_write_usage_sums_to_the_totals() -> None:
    """Buckets are disjoint with us and nested there."""
    assert _told(_frames(FULL))[-1]["response"]["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 6},
        "total_tokens": 20,
    }


def test_write_meanings_commit_with_the_first_content() -> None:
    """Until then another target may be tried."""
    meanings = [frame.meaning for frame in _frames([Began(), Pinged(), *TEXT[1:]])]
    assert meanings[:3] == [Meaning.SILENT, Meaning.SILENT, Meaning.CONTENT]
    assert meanings[-1] is Meaning.END
    assert Meaning.END not in meanings[:-1]


def test_write_ping_is_a_comment() -> None:
    """It tells nothing, but that we live."""
    assert _writer().write(Pinged()) == [Frame(PING, Meaning.SILENT)]


def test_write_failure_ends_with_what_was_said() -> None:
    """No stop is made up; our own word for the error is told beside the dialect's."""
    frames = _frames([*TEXT[:2], Failed(Busy("slow down"))])
    last = _told(frames)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["status"] == "failed"
    assert last["response"]["error"] == {
        "code": "rate_limit_exceeded",
        "message": "slow down",
        "type": "rate_limit_exceeded",
    }
    assert last["response"]["output"][0]["content"][0]["text"] == "Hello"
    assert last["response"]["output"][0]["status"] == "incomplete"
    assert frames[-1].finish_reason is None


def test_fail_before_anything_is_a_whole_stream() -> None:
    """A client reads `created` first, whatever comes then."""
    told = _told([_writer().fail(Rejected("bad", upstream_status=400))])
    assert [said["type"] for said in told] == [
        "response.created",
        "response.in_progress",
        "response.failed",
    ]
    assert told[-1]["response"]["error"]["code"] == "invalid_prompt"


def test_write_other_choices_have_no_place() -> None:
    """Responses has one."""
    told = _told(_frames([Began(), Said("a"), Said("b", choice=1), Over()]))
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == "a"


def test_whole_is_read_by_the_sdk_and_says_what_the_stream_ends_with() -> None:
    """Plain and streamed are one answer."""
    frame = _writer().whole(FULL)
    assert frame.meaning is Meaning.END
    assert (frame.usage, frame.finish_reason) == (USAGE, "tool_calls")
    Response.model_validate_json(frame.data, strict=True)
    assert json.loads(frame.data) == _told(_frames(FULL))[-1]["response"]


@pytest.mark.parametrize("streams", [False, True])
def test_answer_is_what_the_official_client_expects(streams: bool) -> None:
    """The openai SDK with strict validation on, over a transport of its own."""
    data = (
        b"".join(frame.data for frame in _frames(FULL)) if streams else _writer().whole(FULL).data
    )
    kind = "text/event-stream" if streams else "application/json"

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": kind}, content=data)

    client = OpenAI(
        api_key="x",
        base_url="http://t/v1",
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
        _strict_response_validation=True,
    )
    with client:
        if streams:
            with client.responses.stream(model="m", input="x") as stream:
                response: Response = stream.get_final_response()
        else:
            response = client.responses.create(model="m", input="x")
    assert (response.status, response.output_text) == ("completed", "Hi there")
    assert response.usage is not None
    assert response.usage.total_tokens == 20


def test_whole_failure_raises_it() -> None:
    """A plain answer has a status; the server renders the error."""
    with pytest.raises(Busy):
        _writer().whole([Began(), Failed(Busy("no"))])


def test_sealed_is_shown_to_who_asked_only() -> None:
    """Without `include`, OpenAI does not send it either."""
    output = json.loads(_writer(include=[]).whole(FULL).data)["output"]
    assert not [item for item in output if "encrypted_content" in item]
    assert len([item for item in output if item["type"] == "reasoning"]) == 2


@pytest.mark.parametrize("include", [[], ["reasoning.encrypted_content"]])
def test_kept_items_bring_everything_back(include: list[str]) -> None:
    """What is stored goes on with the next turn: seals, text and calls as they were."""
    writer = _writer(include=include)
    writer.whole(FULL)
    items = [json.loads(item) for item in writer.kept_items()]
    results = [
        {"type": "function_call_output", "call_id": i["call_id"], "output": "ok"}
        for i in items
        if "call_id" in i
    ]
    turns = _request(input=[{"role": "user", "content": "x"}, *items, *results]).asked.turns
    assert [turn.role for turn in turns] == ["system", "user", "assistant", "tool"]
    [thought, *_] = [part for part in turns[2].parts if isinstance(part, Reasoning)]
    assert (thought.text, thought.seals) == ("thinking\n\nmore", (SEAL,))
    calls = {part.call_id: part for part in turns[2].parts if isinstance(part, ToolCall)}
    assert calls["call_d"].seals[0].vendor == "gemini"
    assert calls["call_b"].name == "shell__run"
    assert calls["call_c"].arguments == "*** p"


def test_thought_after_a_seal_begins_an_item_of_its_own() -> None:
    """A signature belongs to one block of thinking."""
    events: list[Event] = [
        Began(),
        Thought("a", begins=True),
        Sealed(SEAL),
        Thought("b", begins=True),
        Sealed(SEAL),
        Over(),
    ]
    output = json.loads(_writer().whole(events).data)["output"]
    assert [item["content"][0]["text"] for item in output] == ["a", "b"]


_text = st.text(min_size=1, max_size=5)
_piece: st.SearchStrategy[Event] = st.one_of(
    st.builds(Said, _text),
    st.builds(Refused, _text),
    st.builds(Thought, _text, is_summary=st.booleans(), begins=st.booleans()),
)


@given(st.lists(_piece, max_size=8), st.sampled_from(["stop", "length", "content_filter"]))
def test_write_is_read_back_as_it_was(pieces: list[Event], reason: str) -> None:
    """Decode and encode are inverse, but for where stretches of text are cut."""
    events = [Began(), *pieces, Counted(USAGE), Ended(reason=reason), Over()]
    reader = AnswerReader()
    data = b"".join(frame.data for frame in _frames(events))
    read = [e for event in EventSplitter().feed(data) for e in reader.read(event)]
    assert _gist(read) == _gist(events)
    body = _writer().whole(events).data
    assert _gist(AnswerReader().read_whole(body)) == _gist(events)


def _gist(events: list[Event]) -> list[Any]:
    """Join neighbours of a kind, and leave out what each dialect says in its own way."""
    gist: list[Any] = []
    for event in events:
        if isinstance(event, Said | Refused | Thought):
            kind = (type(event), getattr(event, "is_summary", None))
            gist.append([kind, event.text])
        elif isinstance(event, Ended):
            gist.append(event.reason)
    joined: list[Any] = gist[:1]
    for last, one in pairwise(gist):
        if isinstance(last, list) and isinstance(one, list) and last[0] == one[0]:
            joined[-1] = [one[0], joined[-1][1] + one[1]]
        else:
            joined.append(one)
    counts = [event.usage for event in events if isinstance(event, Counted)]
    return [*joined, *counts]
