"""Tests of slipstream.wire.chat_answer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from slipstream.call import Frame, Meaning, Usage
from slipstream.wire.chat_answer import ChatAnswer
from slipstream.wire.chat_messages import TurnCall
from slipstream.wire.openai_chat_answers import AnswerStream, read_answer

USAGE = Usage(
    input_tokens=7,
    cache_read_tokens=3,
    output_tokens=5,
    output_reasoning_tokens=2,
    prediction_accepted_tokens=4,
    prediction_rejected_tokens=1,
)
CALL = TurnCall("call_1", "f", '{"a": "é"}')
CALL_OBJECT = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "f", "arguments": '{"a": "é"}'},
}


class Token(NamedTuple):
    """A token as the engine tells it."""

    token: bytes
    logprob: float
    top: Sequence[tuple[bytes, float]] = ()


class Piece(NamedTuple):
    """More of an answer as the engine tells it."""

    text: str = ""
    choice: int = 0
    reasoning: str = ""
    tool_call: TurnCall | None = None
    logprobs: Sequence[Token] = ()
    finish: str | None = None


HALF = Token(b"\xc3", -0.5, ((b"\xc3", -0.5), (b"b", float("-inf"))))
HALF_OBJECT = {
    "token": "\ufffd",
    "logprob": -0.5,
    "bytes": [0xC3],
    "top_logprobs": [
        {"token": "\ufffd", "logprob": -0.5, "bytes": [0xC3]},
        {"token": "b", "logprob": -9999.0, "bytes": [98]},
    ],
}


def answer(**given: Any) -> ChatAnswer:
    """Return an answer's builder."""
    return ChatAnswer(
        answer_id="chatcmpl-1",
        model="asked%d-for",  # a name is no format
        created_s=1_800_000_000,
        fingerprint="fp_1",
        **given,
    )


def stream(**given: Any) -> list[Frame]:
    """Return the frames of a short stream."""
    head = answer(**given)
    said = [head.say(text, USAGE) for text in ('Hé"', "\n😀\u2028")]
    finish = head.tell(Piece(finish="stop"), USAGE)
    assert finish is not None
    return [head.open(), *said, finish, *head.close("stop", USAGE)]


def events(frame: Frame) -> list[Any]:
    """Return the JSON of a frame's events, checking how they are framed."""
    assert frame.data.endswith(b"\n\n")
    lines = frame.data[:-2].split(b"\n\n")
    assert all(line.startswith(b"data: ") and b"\n" not in line for line in lines)
    return [msgspec.json.decode(line[6:]) for line in lines]


def event(frame: Frame | None) -> Any:
    """Return the JSON of a frame with one event."""
    assert frame is not None
    [only] = events(frame)
    return only


def test_stream_pieces_come_in_openais_order() -> None:
    """Role, text, finish, [DONE], each with the meaning that dispatch relies on."""
    frames = stream()

    meanings = [frame.meaning for frame in frames]
    assert meanings == [Meaning.SILENT, *[Meaning.CONTENT] * 3, Meaning.END]
    assert frames[-1].data == b"data: [DONE]\n\n"
    assert frames[-1].usage == USAGE
    assert [event(frame)["choices"] for frame in frames[:-1]] == [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        for delta, finish in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": 'Hé"'}, None),
            ({"content": "\n😀\u2028"}, None),
            ({}, "stop"),
        )
    ]


def test_stream_pieces_share_their_head() -> None:
    """Every chunk says whose it is."""
    for frame in stream()[:-1]:
        said = event(frame)
        del said["choices"]
        assert said == {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_800_000_000,
            "model": "asked%d-for",
            "system_fingerprint": "fp_1",
        }


def test_stream_usage_that_was_asked_for_is_a_chunk_of_its_own() -> None:
    """With include_usage: null in every chunk, then one without choices."""
    frames = stream(wants_usage=True)

    assert all(event(frame)["usage"] is None for frame in frames[:-2])
    last = event(frames[-2])
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 12,
        "total_tokens": 22,
        "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 2,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 4,
            "rejected_prediction_tokens": 1,
        },
    }


@pytest.mark.parametrize("wants_usage", [True, False])
def test_stream_reads_back_as_a_relay_would_read_it(wants_usage: bool) -> None:
    """Against the reader for upstreams: the same meanings, usage and finish."""
    reader = AnswerStream(wants_usage=wants_usage)
    for frame in stream(wants_usage=wants_usage):
        read = reader.read(frame.data)
        assert (read.meaning, read.finish_reason) == (frame.meaning, frame.finish_reason)


def test_stream_of_several_choices_names_each() -> None:
    """Every choice has its role, its text and its finish under its index."""
    head = answer(num_choices=3)
    roles = events(head.open())

    assert [chunk["choices"][0]["index"] for chunk in roles] == [0, 1, 2]
    assert all(chunk["choices"][0]["delta"]["role"] == "assistant" for chunk in roles)
    for frame in (head.say("a", USAGE, 2), head.think("a", USAGE, 2)):
        assert event(frame)["choices"][0]["index"] == 2
    [choice] = event(head.tell(Piece(choice=1, finish="length"), USAGE))["choices"]
    assert (choice["index"], choice["finish_reason"]) == (1, "length")


def test_stream_reasoning_is_told_apart() -> None:
    """Reasoning has a field of its own, in the quick way and in the general one."""
    quick = answer().think("hm", USAGE)
    general = answer().tell(Piece(reasoning="hm"), USAGE)

    assert general is not None
    assert msgspec.json.decode(quick.data[6:]) == event(general)
    assert event(general)["choices"][0]["delta"] == {"reasoning_content": "hm"}
    assert AnswerStream(wants_usage=False).read(quick.data).meaning is quick.meaning


def test_stream_quick_and_general_way_say_the_same() -> None:
    """A chunk of text is the same whoever builds it."""
    for wants_usage in (True, False):
        head = answer(wants_usage=wants_usage, num_choices=2)
        assert event(head.say("é", USAGE, 1)) == event(head.tell(Piece("é", 1), USAGE))


def test_stream_calls_are_whole_and_counted_within_their_choice() -> None:
    """One delta for each call: index, id, type, name and arguments."""
    head = answer(num_choices=2)
    told = [head.tell(Piece(choice=at, tool_call=CALL), USAGE) for at in (0, 1, 0)]
    choices = [event(frame)["choices"][0] for frame in told]

    deltas = [choice["delta"]["tool_calls"] for choice in choices]
    assert deltas == [[{"index": index} | CALL_OBJECT] for index in (0, 0, 1)]
    assert told[0] is not None
    assert AnswerStream(wants_usage=False).read(told[0].data).meaning is Meaning.CONTENT


def test_stream_last_piece_may_say_all_at_once() -> None:
    """Reasoning, text, a call and the finish come as chunks in this order; logprobs only once."""
    piece = Piece("t", 0, "r", CALL, (HALF,), "tool_calls")
    frame = answer().tell(piece, USAGE)

    assert frame is not None
    choices = [chunk["choices"][0] for chunk in events(frame)]
    assert [list(choice["delta"]) for choice in choices] == [
        ["reasoning_content"],
        ["content"],
        ["tool_calls"],
        [],
    ]
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "tool_calls"]
    assert [choice["logprobs"] is None for choice in choices] == [False, True, True, True]


def test_stream_logprobs_of_half_a_character_come_with_no_text() -> None:
    """A token whose character is not complete is told all the same; infinity is OpenAI's -9999."""
    [choice] = event(answer().tell(Piece(logprobs=(HALF,)), USAGE))["choices"]

    assert choice["delta"] == {"content": ""}
    assert choice["logprobs"] == {"content": [HALF_OBJECT], "refusal": None}


def test_stream_piece_that_says_nothing_is_no_frame() -> None:
    """A token that only opens a call has nothing to show."""
    assert answer().tell(Piece(), USAGE) is None


def test_whole_answer_reads_back_as_a_relay_would_read_it() -> None:
    """One body, with usage in its buckets."""
    frame = answer().whole([Piece("H"), Piece("i", finish="length")], USAGE)

    assert read_answer(frame.data) == frame
    said = msgspec.json.decode(frame.data)
    assert said["object"] == "chat.completion"
    assert said["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None},
            "logprobs": None,
            "finish_reason": "length",
        }
    ]


def test_whole_answer_keeps_choices_apart() -> None:
    """Pieces come mixed; reasoning, calls and log probabilities stay with their choice."""
    head = answer(num_choices=2, wants_logprobs=True)
    pieces = [
        Piece("a", 1),
        Piece("b", 0, logprobs=(HALF,)),
        Piece(choice=1, reasoning="r"),
        Piece(choice=0, finish="stop"),
        Piece(choice=1, tool_call=CALL),
        Piece("c", 1, finish="tool_calls"),
    ]
    frame = head.whole(pieces, USAGE)
    first, second = msgspec.json.decode(frame.data)["choices"]

    assert frame.finish_reason == first["finish_reason"] == "stop"
    assert first["message"] == {"role": "assistant", "content": "b", "refusal": None}
    assert first["logprobs"] == {"content": [HALF_OBJECT], "refusal": None}
    assert second["message"] == {
        "role": "assistant",
        "content": "ac",
        "refusal": None,
        "reasoning_content": "r",
        "tool_calls": [CALL_OBJECT],
    }
    assert second["logprobs"] == {"content": [], "refusal": None}


def test_whole_answer_of_calls_alone_has_null_for_content() -> None:
    """OpenAI says null where a message is nothing but calls, and "" where it is empty."""
    for pieces, content in (([Piece(tool_call=CALL)], None), ([Piece(finish="stop")], "")):
        said = msgspec.json.decode(answer().whole(pieces, USAGE).data)
        assert said["choices"][0]["message"]["content"] == content


def test_every_shape_is_one_of_the_official_sdks_types() -> None:
    """Checked strictly, which the SDK itself does not do: each field has the type it expects."""
    head = answer(num_choices=2, wants_usage=True, wants_logprobs=True)
    piece = Piece("t", 1, "r", CALL, (HALF,), "tool_calls")
    pieces = [Piece("a", logprobs=(HALF,)), Piece(finish="stop"), piece]
    told = [head.tell(piece, USAGE), head.say("a", USAGE), head.think("a", USAGE)]
    frames = [head.open(), *filter(None, told), *head.close("stop", USAGE)[:-1]]

    for frame in frames:
        for chunk in events(frame):
            ChatCompletionChunk.model_validate(chunk, strict=True)
    whole = ChatCompletion.model_validate_json(head.whole(pieces, USAGE).data, strict=True)
    assert whole.choices[1].message.tool_calls is not None
