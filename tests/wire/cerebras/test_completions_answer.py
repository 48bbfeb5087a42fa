"""Tests of slipstream.wire.cerebras.completions_answer and its reading by the official SDK."""

from itertools import pairwise
from math import inf
from typing import Any

import msgspec
import pytest
from cerebras.cloud.sdk.types.completion import CompletionResponse

from slipstream.call import Frame, Meaning, Usage
from slipstream.engine.protocol import Delta, Logprob
from slipstream.wire.cerebras.completions_answer import CerebrasCompletionAnswer
from slipstream.wire.cerebras.objects import Times

USAGE = Usage(input_tokens=22, cache_read_tokens=300, output_tokens=65)
TIMES = Times(queue_s=0.1, prompt_s=0.2, completion_s=0.3, total_s=0.7, created_s=5.5)
PROMPT = "It was a dark and stormy night"
ACCOUNT = {
    "usage": {
        "total_tokens": 387,
        "completion_tokens": 65,
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
            "reasoning_tokens": 0,
        },
        "prompt_tokens": 322,
        "prompt_tokens_details": {"cached_tokens": 256},
    },
    "time_info": {
        "created": 5.5,
        "queue_time": 0.1,
        "prompt_time": 0.2,
        "completion_time": 0.3,
        "total_time": 0.7,
    },
}
# An answer in the documentation: five likeliest tokens, and the drawn one where it is none of them.
TOKENS = (
    Logprob(b" and", -3.39, ((b".", -1.13), (b",", -1.33), (b" when", -2.33))),
    Logprob(b" there", -4.32, ((b" I", -0.95), (b" the", -1.76), (b" a", -2.23))),
    Logprob(b" was", -0.35, ((b" was", -0.35), (b" were", -1.68), (b" I", -4.02))),
)
TOLD = {
    "tokens": [" and", " there", " was"],
    "token_logprobs": [-3.39, -4.32, -0.35],
    "top_logprobs": [
        {".": -1.13, ",": -1.33, " when": -2.33, " and": -3.39},
        {" I": -0.95, " the": -1.76, " a": -2.23, " there": -4.32},
        {" was": -0.35, " were": -1.68, " I": -4.02},
    ],
    "text_offset": [30, 34, 40],
}


def answer_of(**more: Any) -> CerebrasCompletionAnswer:
    """Return an answer's head, its times known."""
    answer = CerebrasCompletionAnswer(
        answer_id="chatcmpl-1", model="m", created_s=5, fingerprint="fp_0", **more
    )
    answer.measure(TIMES)
    return answer


def events_of(*frames: Frame | None) -> list[Any]:
    """Return what the events of a whole stream hold."""
    data = b"".join(frame.data for frame in frames if frame is not None)
    events = data.decode().removesuffix("\n\n").split("\n\n")
    assert events.pop() == "data: [DONE]"
    read = [msgspec.json.decode(event.removeprefix("data: ")) for event in events]
    for event in read:
        CompletionResponse.model_validate(event)
    return read


def test_plain_answer_has_the_keys_and_the_order_of_the_recordings() -> None:
    """Section 3.5: what is not known is left out, the account is whole."""
    pieces = [Delta(0, " and", 1), Delta(0, " there", 1, finish="stop")]
    frame = answer_of().whole([(PROMPT, pieces)], USAGE)
    assert (frame.meaning, frame.usage, frame.finish_reason) == (Meaning.END, USAGE, "stop")
    body = msgspec.json.decode(frame.data)
    assert list(body) == [
        "id", "choices", "created", "model", "system_fingerprint", "object", "usage", "time_info",
    ]  # fmt: skip
    assert body == {
        "id": "chatcmpl-1",
        "choices": [{"finish_reason": "stop", "index": 0, "text": " and there"}],
        "created": 5,
        "model": "m",
        "system_fingerprint": "fp_0",
        "object": "text_completion",
        **ACCOUNT,
    }
    CompletionResponse.model_validate(body)


def test_stream_ends_with_finish_and_account_in_one_chunk() -> None:
    """Section 3.3: usage and time_info stand in the last chunk, which has a choice; then [DONE]."""
    answer = answer_of()
    first = answer.tell(Delta(0, " and", 1), USAGE, 0, PROMPT)
    last = answer.tell(Delta(0, " there", 1, finish="length"), USAGE, 0, PROMPT)
    assert first is not None
    assert (first.meaning, first.usage) == (Meaning.CONTENT, USAGE)
    closing = answer.close(USAGE)
    assert [frame.meaning for frame in closing] == [Meaning.CONTENT, Meaning.END]
    assert closing[-1].finish_reason == "length"
    head = {"id": "chatcmpl-1"}
    tail = {
        "created": 5, "model": "m", "system_fingerprint": "fp_0", "object": "text_completion"
    }  # fmt: skip
    assert events_of(first, last, *closing) == [
        {**head, "choices": [{"index": 0, "text": " and"}], **tail},
        {**head, "choices": [{"index": 0, "text": " there"}], **tail},
        {
            **head,
            "choices": [{"finish_reason": "length", "index": 0, "text": ""}],
            **tail,
            **ACCOUNT,
        },
    ]


def test_stream_of_several_choices_finishes_each_and_accounts_once() -> None:
    """Also a choice that said nothing."""
    answer = answer_of(num_choices=3)
    assert answer.tell(Delta(0, "", 1, finish="stop"), USAGE, 0, "a") is None
    said = answer.tell(Delta(0, "x", 1, finish="length"), USAGE, 2, "b")
    *chunks, last = events_of(said, *answer.close(USAGE))
    assert [chunk["choices"] for chunk in [*chunks, last]] == [
        [{"index": 2, "text": "x"}],
        [{"finish_reason": "stop", "index": 0, "text": ""}],
        [{"index": 1, "text": ""}],
        [{"finish_reason": "length", "index": 2, "text": ""}],
    ]
    assert not [chunk for chunk in chunks if "usage" in chunk or "time_info" in chunk]
    assert {key: last[key] for key in ACCOUNT} == ACCOUNT


def test_token_that_is_no_whole_character_says_nothing_yet() -> None:
    """No empty chunk is sent."""
    assert answer_of().tell(Delta(0, "", 1), USAGE, 0, "a") is None


@pytest.mark.parametrize("cuts", [(0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)])
def test_logprobs_are_those_of_the_documented_answer(cuts: tuple[int, ...]) -> None:
    """Drawn tokens join the likeliest; offsets go on from the prompt's end, over chunks too."""
    pieces = [
        Delta(0, "x", end - start, logprobs=TOKENS[start:end]) for start, end in pairwise(cuts)
    ]
    plain = answer_of(wants_logprobs=True).whole([(PROMPT, pieces)], USAGE)
    assert msgspec.json.decode(plain.data)["choices"][0]["logprobs"] == TOLD
    answer = answer_of(wants_logprobs=True)
    frames = [answer.tell(piece, USAGE, 0, PROMPT) for piece in pieces]
    events = events_of(*frames, *answer.close(USAGE))[:-1]
    told = [event["choices"][0]["logprobs"] for event in events]
    assert {key: [item for one in told for item in one[key]] for key in TOLD} == TOLD


def test_logprobs_are_left_out_where_nobody_asked() -> None:
    """The engine makes them to choose the best of several."""
    frame = answer_of().whole([("a", [Delta(0, "x", 1, logprobs=TOKENS[:1])])], USAGE)
    assert "logprobs" not in msgspec.json.decode(frame.data)["choices"][0]


def test_impossible_token_has_a_number() -> None:
    """JSON has no infinity."""
    pieces = [Delta(0, "x", 1, logprobs=(Logprob(b"x", -inf),))]
    frame = answer_of(wants_logprobs=True).whole([("", pieces)], USAGE)
    assert msgspec.json.decode(frame.data)["choices"][0]["logprobs"]["token_logprobs"] == [-9999.0]


def test_echo_stands_once_before_each_choice() -> None:
    """Offsets are the same with an echo and without: those of prompt and answer in one."""
    pieces = [Delta(0, " and", 1, logprobs=TOKENS[:1]), Delta(0, "!", 1, finish="stop")]
    plain = answer_of(num_choices=2, echoes=True, wants_logprobs=True).whole(
        [(PROMPT, pieces), ("b", pieces)], USAGE
    )
    first, second = msgspec.json.decode(plain.data)["choices"]
    assert (first["text"], second["text"]) == (f"{PROMPT} and!", "b and!")
    assert first["logprobs"]["text_offset"] == [30]
    assert second["logprobs"]["text_offset"] == [1]
    answer = answer_of(num_choices=2, echoes=True, wants_logprobs=True)
    frames = [answer.tell(piece, USAGE, at, "b") for at in (0, 1) for piece in pieces]
    texts = [chunk["choices"][0]["text"] for chunk in events_of(*frames, *answer.close(USAGE))]
    assert texts == ["b and", "!", "b and", "!", "", ""]


def test_raw_tokens_stand_in_the_place_of_text() -> None:
    """Section 3.5: ids, in the plain answer and in chunks; also of a token that shows nothing."""
    pieces = [Delta(0, " and", 2, tokens=(28, 351)), Delta(0, "", 1, finish="stop", tokens=(2,))]
    plain = answer_of(returns_tokens=True).whole([("a", pieces)], USAGE)
    wanted = {"finish_reason": "stop", "index": 0, "tokens": [28, 351, 2]}
    assert msgspec.json.decode(plain.data)["choices"] == [wanted]
    answer = answer_of(returns_tokens=True)
    frames = [answer.tell(piece, USAGE, 0, "a") for piece in pieces]
    events = events_of(*frames, *answer.close(USAGE))
    assert [event["choices"][0]["tokens"] for event in events] == [[28, 351], [2], []]
    assert not [event for event in events if "text" in event["choices"][0]]
