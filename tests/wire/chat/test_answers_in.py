"""Tests of slipstream.wire.chat.answers_in and of what it is made of."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.errors import Broken, Busy, StreamCut
from slipstream.wire.chat.answers_in import AnswerReader
from slipstream.wire.sse import DONE, EventSplitter, encode_event
from slipstream.wire.talk.asking import Seal
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

USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
COUNTED = Counted(Usage(input_tokens=5, output_tokens=3))
BEGAN = Began(answer_id="c", model="m")


def chunk(*choices: dict[str, Any], **fields: Any) -> bytes:
    return encode_event(
        msgspec.json.encode({"id": "c", "model": "m", "choices": list(choices), **fields})
    )


def delta(finish: str | None = None, index: int = 0, **said: Any) -> dict[str, Any]:
    return {"index": index, "delta": said, "finish_reason": finish}


def call(index: int | None = None, call_id: str | None = None, **function: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "function", "function": function}
    said |= {} if index is None else {"index": index}
    return said | ({} if call_id is None else {"id": call_id})


def stream(*events: bytes, vendor: str = "lab", **options: Any) -> list[Event]:
    """Read a stream; what every one begins and ends with is left out."""
    reader = AnswerReader(vendor=vendor, **options)
    found = [event for data in events for event in reader.read(data)]
    found += reader.end()
    return [event for event in found if type(event) not in (Began, Over)]


def plain(message: dict[str, Any], finish: str | None = "stop", **fields: Any) -> list[Event]:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "c", "model": "m", "choices": [choice], **fields}
    found = AnswerReader(vendor=fields.pop("vendor", "lab")).read_whole(msgspec.json.encode(body))
    assert isinstance(found[0], Began)
    return found[1:]


def joined(events: Iterable[Event]) -> list[Event]:
    """Join neighbouring pieces, so that answers which were cut otherwise compare."""
    found: list[Event] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, Said) and isinstance(last, Said) and event.choice == last.choice:
            found[-1] = Said(last.text + event.text, event.choice)
        elif isinstance(event, CallSaid) and isinstance(last, CallSaid):
            found[-1] = CallSaid(last.index, last.text + event.text, last.choice)
        else:
            found.append(event)
    return found


STREAM = [
    chunk(delta(role="assistant", content="")),
    b": OPENROUTER PROCESSING\n\n",
    chunk(delta(reasoning="hm", reasoning_content="hm")),
    chunk(delta(content="a")),
    chunk(delta(tool_calls=[call(0, "x", name="f", arguments="")])),
    chunk(delta(tool_calls=[call(1, "y", name="g", arguments='{"b"')])),
    chunk(delta(tool_calls=[call(0, arguments="{}"), call(1, arguments=":é}")])),
    chunk(delta("tool_calls")),
    chunk(usage=USAGE),
    DONE,
]
EVENTS = [
    BEGAN,
    Pinged(),
    Thought("hm", begins=True),
    Said("a"),
    CallBegan(index=0, call_id="x", name="f"),
    CallBegan(index=1, call_id="y", name="g"),
    CallSaid(1, '{"b"'),
    CallSaid(0, "{}"),
    CallSaid(1, ":é}"),
    Ended(reason="tool_calls"),
    COUNTED,
    Over(),
]


def test_reader_stream_in_order() -> None:
    """Reasoning, text, parallel calls by index, the end and the usage, each once."""
    reader = AnswerReader(vendor="lab")
    found = [event for data in STREAM for event in reader.read(data)]
    assert found == EVENTS
    assert reader.end() == []
    assert reader.read(STREAM[3]) == []


def test_reader_stream_split_anywhere_gives_the_same() -> None:
    """Neither where the bytes were cut nor how lines end changes what is read."""
    for body in (b"".join(STREAM), b"".join(STREAM).replace(b"\n", b"\r\n")):
        for at in range(len(body)):
            splitter, reader = EventSplitter(), AnswerReader(vendor="lab")
            events = [*splitter.feed(body[:at]), *splitter.feed(body[at:]), splitter.finish()]
            found = [event for data in events if data for event in reader.read(data)]
            assert found == EVENTS


def test_reader_stream_without_done_is_complete_once_it_finished() -> None:
    """A provider may leave `[DONE]` out, but not the reason of the end."""
    assert stream(chunk(delta("stop", content="a")))[-1] == Ended(reason="stop")
    for events in ([], [chunk(delta(content="a"))], [chunk(delta("stop"), delta(index=1))]):
        with pytest.raises(StreamCut):
            stream(*events)


def test_reader_stream_done_without_reason_ends_all_choices() -> None:
    """`[DONE]` is the terminal event; xAI's empty reason beside calls means calls."""
    assert stream(chunk(delta(content="a")), DONE)[-1] == Ended(reason="stop")
    called = delta("", tool_calls=[call(0, "x", name="f", arguments="{}")])
    assert stream(chunk(called), DONE)[-1] == Ended(reason="tool_calls")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),  # without any
    ],
)
def test_reader_reasons_are_ours(word: str, reason: str) -> None:
    """Every provider's word for the end is one of ours."""
    assert plain({"content": "a"}, word)[1] == Ended(reason=reason)


def test_reader_stop_although_calls_were_made_is_tool_calls() -> None:
    """Some say `stop` after a call; the client waits for the other word."""
    message = {"content": None, "tool_calls": [call(None, "x", name="f", arguments={"a": 1})]}
    for word in ("stop", "", None, "function_call"):
        assert plain(message, word) == [
            CallBegan(index=0, call_id="x", name="f"),
            CallSaid(0, '{"a":1}'),
            Ended(reason="tool_calls"),
            Over(),
        ]
    assert plain(message, "length")[2] == Ended(reason="length")


@pytest.mark.parametrize(
    "fragments",
    [
        [call(0, "x", name="f", arguments="{}"), call(0, "y", name="g", arguments="{}")],
        [call(None, "x", name="f", arguments="{}"), call(None, "y", name="g", arguments="{}")],
        [call(None, "x", name="f"), call(None, arguments="{}"), call(None, "y", name="g"),
         call(None, "y", arguments="{}")],
        [call(0, "x", name="f"), call(0, "x", name="f", arguments="{}"),
         call(3, "y", name="g", arguments="{"), call(3, "null", name="g", arguments="}")],
        [call(0, "x"), call(0, name="f", arguments="{}"), call(1, "y", name="g", arguments="{}")],
    ],
)  # fmt: skip
def test_reader_calls_whosever_fragments(fragments: list[dict[str, Any]]) -> None:
    """Reused and missing indices, repeated names and ids, whole and cut: two calls."""
    events = stream(*(chunk(delta(tool_calls=[each])) for each in fragments), DONE)
    began = [event for event in events if isinstance(event, CallBegan)]
    assert [(each.index, each.call_id, each.name) for each in began] == [
        (0, "x", "f"),
        (1, "y", "g"),
    ]
    for index in (0, 1):
        said = [e.text for e in events if isinstance(e, CallSaid) and e.index == index]
        assert "".join(said) == "{}"


def test_reader_calls_without_ids_get_their_own() -> None:
    """Made ids differ within an answer and between answers, and are the same each time."""
    fragments = [call(0, "null", name="f", arguments="{}"), call(0, "", name="f", arguments="{}")]
    read = [
        [e.call_id for e in stream(chunk(delta(tool_calls=fragments), id=own), DONE, own_id="o")
         if isinstance(e, CallBegan)]
        for own in ("c", "c", "d", "")
    ]  # fmt: skip
    assert read[0] == read[1]
    assert len({*read[0], *read[2], *read[3]}) == 6
    assert all(len(call_id) == 29 for call_id in read[0])


def test_reader_call_without_a_name_is_a_failure() -> None:
    """A call that says no tool cannot be made."""
    *_, failed = stream(chunk(delta(tool_calls=[call(0, "x", arguments="{}")])), DONE)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Broken)


def test_reader_signature_before_the_name_waits_for_its_call() -> None:
    """Regression: a seal was told of a call that had not begun, which no writer knows."""
    signed = call(0, "x") | {"extra_content": {"google": {"thought_signature": "s"}}}
    events = stream(
        chunk(delta(tool_calls=[signed])), chunk(delta(tool_calls=[call(0, name="f")])), DONE
    )
    assert [type(event) for event in events] == [CallBegan, Sealed, Ended]


def test_reader_older_function_call_is_a_call() -> None:
    """`function_call`, streamed or plain, is one call without an id."""
    events = stream(
        chunk(delta(function_call={"name": "f", "arguments": ""})),
        chunk(delta("function_call", function_call={"arguments": "{}"})),
    )
    assert [type(event) for event in events] == [CallBegan, CallSaid, Ended]


def test_reader_text_tools_offered_as_functions_are_turned_back() -> None:
    """The text is told whole, once it is known to be; other functions stay as they are."""
    fragments = [
        call(0, "x", name="c", arguments='{"inp'),
        call(0, arguments='ut":"a\\n"}'),
        call(1, "y", name="f", arguments="{}"),
    ]
    events = stream(
        *(chunk(delta(tool_calls=[each])) for each in fragments),
        DONE,
        custom_names=frozenset({"c"}),
    )
    assert events == [
        CallBegan(index=0, call_id="x", name="c", is_custom=True),
        CallBegan(index=1, call_id="y", name="f"),
        CallSaid(1, "{}"),
        CallSaid(0, "a\n"),
        Ended(reason="tool_calls"),
    ]
    custom = {"index": 0, "id": "x", "type": "custom", "custom": {"name": "c", "input": "a"}}
    assert stream(chunk(delta(tool_calls=[custom])), DONE)[:2] == [
        CallBegan(index=0, call_id="x", name="c", is_custom=True),
        CallSaid(0, "a"),
    ]


def test_reader_mistrals_chunks_hold_thinking_and_text() -> None:
    """Content may be an array; kinds that nobody knows are passed over."""
    chunks = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "s"},
        {"type": "reference", "reference_ids": [1]},
        "odd",
        {"type": "text", "text": "a"},
    ]
    assert plain({"content": chunks}, vendor="mistral")[:3] == [
        Thought("hm", begins=True),
        Sealed(Seal(vendor="mistral", kind="signature", data="s")),
        Said("a"),
    ]


def test_reader_text_beside_a_seal_is_not_told_twice() -> None:
    """Regression: behind another gateway of ours, a stream's reasoning came once more with it."""
    detail = {"type": "reasoning.encrypted", "format": "slipstream/a/b", "data": "x", "text": "hm"}
    found = stream(
        chunk(delta(reasoning_content="hm")),
        chunk(delta(reasoning_details=[detail])),
        chunk(delta("stop")),
    )
    assert [event.text for event in found if isinstance(event, Thought)] == ["hm"]


def test_reader_openrouters_details_are_joined_and_sealed() -> None:
    """Fragments of a detail are one; they are sealed where the reasoning ends."""

    def detail(**said: Any) -> dict[str, Any]:
        return {"type": "reasoning.text", "index": 0, **said}

    events = stream(
        chunk(delta(reasoning="h", reasoning_details=[detail(text="h", format="f")])),
        chunk(delta(reasoning="m", reasoning_details=[detail(text="m")])),
        chunk(delta(reasoning_details=[detail(signature="s")])),
        chunk(delta(content="a")),
        chunk(delta("stop", reasoning_details=[{"type": "reasoning.encrypted", "data": "x"}])),
        vendor="openrouter",
    )
    thought, more, sealed, said, last, ended = events
    assert (thought, more) == (Thought("h", begins=True), Thought("m"))
    assert isinstance(sealed, Sealed)
    assert sealed.seal.vendor == "openrouter"
    assert msgspec.json.decode(sealed.seal.data) == [detail(text="hm", format="f", signature="s")]
    assert (said, ended) == (Said("a"), Ended(reason="stop"))
    assert isinstance(last, Sealed)
    summary = {"type": "reasoning.summary", "summary": "so"}
    assert plain({"reasoning_details": [summary]})[0] == Thought("so", is_summary=True, begins=True)


def test_reader_thought_signatures_are_sealed_to_their_call() -> None:
    """Gemini's signature belongs to its call; beside a message to what it says."""
    extra = {"google": {"thought_signature": "sig"}}
    seal = Seal(vendor="gemini", kind="thought_signature", data="sig")
    signed = call(0, "x", name="f", arguments="{}") | {"extra_content": extra}
    events = stream(chunk(delta(tool_calls=[signed], extra_content=extra)), DONE, vendor="gemini")
    assert Sealed(seal) in events
    assert Sealed(seal, call=0) in events


def test_reader_refusals_annotations_and_logprobs() -> None:
    """What else a choice may say comes as its own events."""
    annotation = {"type": "url_citation", "url_citation": {"url": "u"}}
    message = {"content": "a", "refusal": "no", "annotations": [annotation]}
    choice = {
        "message": message,
        "finish_reason": "stop",
        "stop_reason": "END",
        "logprobs": {"content": [{"token": "a"}]},
    }
    body = msgspec.json.encode({"choices": [choice]})
    assert AnswerReader(vendor="lab").read_whole(body)[1:] == [
        Said("a"),
        Refused("no"),
        Cited('{"type":"url_citation","url_citation":{"url":"u"}}', "openai_chat"),
        Scored('[{"token":"a"}]'),
        Ended(reason="stop", stop_sequence="END"),
        Over(),
    ]


def test_reader_usage_wherever_it_stands() -> None:
    """Beside the last choice (Cerebras, Mistral), in `x_groq`, outside of it (xAI)."""
    assert COUNTED in stream(chunk(delta("stop"), usage=USAGE))
    assert COUNTED in stream(chunk(delta("stop"), x_groq={"id": "r", "usage": USAGE}))
    outside = {**USAGE, "total_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 2}}
    [_, counted] = stream(chunk(delta("stop"), usage=outside), is_reasoning_outside=True)
    assert counted == Counted(Usage(input_tokens=5, output_tokens=3, output_reasoning_tokens=2))


@pytest.mark.parametrize(
    "data",
    [
        encode_event(b'{"error":{"message":"slow","code":429}}'),
        b'event: error\ndata: {"status_code":429,"error":{"message":"slow"}}\n\n',
        chunk(delta("error"), error={"message": "slow", "code": 429}),
        chunk(delta(), x_groq={"error": {"message": "slow", "code": "rate_limit_exceeded"}}),
        encode_event(b'{"message":"slow","type":"x","code":"token_quota_exceeded"}'),
    ],
)
def test_reader_errors_inside_a_stream_are_its_end(data: bytes) -> None:
    """Whatever their shape, nothing follows them."""
    reader = AnswerReader(vendor="lab")
    reader.read(chunk(delta(content="a")))
    [failed] = reader.read(data)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Busy)
    assert reader.read(DONE) == []
    assert reader.end() == []


def test_reader_error_as_a_reason_is_a_failure_with_its_usage() -> None:
    """An answer that ends with `error` says no more, but what it cost counts."""
    events = stream(chunk(delta("error", content="a"), usage=USAGE))
    assert [type(event) for event in events] == [Said, Counted, Failed]
    assert [type(e) for e in plain({"content": "a"}, "error")] == [Said, Failed]


def test_reader_error_inside_a_plain_200_is_a_failure() -> None:
    """OpenRouter answers 200 with an error and no choices."""
    body = b'{"error":{"code":429,"message":"slow"},"choices":null}'
    [failed] = AnswerReader(vendor="openrouter").read_whole(body)
    assert isinstance(failed, Failed)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'{"choices":[]}', b"[" * 10**5])
def test_reader_what_is_no_answer_is_broken(body: bytes) -> None:
    """Neither an answer nor an error: the provider broke its word."""
    with pytest.raises(Broken):
        AnswerReader(vendor="lab").read_whole(body)
    if body != b"{}" and body != b'{"choices":[]}':
        with pytest.raises(Broken):
            AnswerReader(vendor="lab").read(encode_event(body))


def test_reader_index_beyond_reason_is_broken() -> None:
    """A choice is memory that somebody else asks for."""
    with pytest.raises(Broken):
        stream(chunk(delta(index=10**6, content="a")))


@given(st.lists(st.tuples(st.integers(0, 2), st.text(min_size=1, max_size=5)), max_size=12))
def test_reader_arguments_arrive_whole_however_they_were_cut(
    fragments: list[tuple[int, str]],
) -> None:
    """Of any interleaving by index, each call gets its own text."""
    opening = [call(at, f"id{at}", name="f") for at in range(3)]
    events = stream(
        *(chunk(delta(tool_calls=[each])) for each in opening),
        *(chunk(delta(tool_calls=[call(at, arguments=text)])) for at, text in fragments),
        DONE,
    )
    for index in range(3):
        said = [e.text for e in events if isinstance(e, CallSaid) and e.index == index]
        assert "".join(said) == "".join(text for at, text in fragments if at == index)
