"""Messages and Responses with a model of our own: pieces of the engine in, frames out."""

import json
from typing import Any

import pytest

from slipstream.call import Dialect, Meaning, Usage
from slipstream.engine.protocol import Delta, ToolCall
from slipstream.errors import Unsupported
from slipstream.upstream.hearing import hear
from slipstream.upstream.local_talk import TalkAnswer, chat_of
from tests.upstream.dialect_scene import (
    MESSAGES,
    RESPONSES,
    asking,
    calls_of,
    ending_of,
    heard,
    text_of,
    tokens_of,
)
from tests.upstream.test_hearing import call_of

USAGE = Usage(input_tokens=5, output_tokens=3)
PIECES = (
    Delta(1, reasoning="hm"),
    Delta(1, text="one "),
    Delta(1, text="two"),
    Delta(1, tool_call=ToolCall("call_1", "weather", '{"city":"Paris"}')),
    Delta(1, finish="tool_calls"),
)


def answer_of(dialect: Dialect, **fields: Any) -> TalkAnswer:
    """Return what writes an answer for a client."""
    return TalkAnswer(hear(call_of(dialect, asking(dialect, stream=True) | fields), _now), ("x",))


def _now() -> float:
    return 7.5


@pytest.mark.parametrize("dialect", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("stream", [False, True])
def test_pieces_become_the_clients_answer(dialect: Dialect, *, stream: bool) -> None:
    """Plain and streamed say the same, and the first frame tells what was changed."""
    answer = answer_of(dialect)
    if stream:
        told = [answer.tell(piece, USAGE) for piece in PIECES]
        frames = [answer.open(), *(f for f in told if f is not None), *answer.close("stop", USAGE)]
    else:
        frames = [answer.whole(PIECES, USAGE)]
    events = heard(dialect, frames, stream=stream)
    assert text_of(events) == "one two"
    assert calls_of(events) == [("weather", {"city": "Paris"})]
    assert ending_of(events) == "tool_calls"
    assert tokens_of(events) == (5, 3)
    assert frames[0].changes == ("x",)
    assert (frames[-1].meaning, frames[-1].usage) == (Meaning.END, USAGE)


@pytest.mark.parametrize("dialect", [MESSAGES, RESPONSES])
def test_piece_commits_and_carries_what_it_cost_so_far(dialect: Dialect) -> None:
    """An answer may be cut short after any piece; its beginning alone commits to nothing."""
    answer = answer_of(dialect)
    assert answer.open().meaning is Meaning.SILENT
    for frame in (answer.think("hm", USAGE), answer.say("one", USAGE)):
        assert (frame.meaning, frame.usage) == (Meaning.CONTENT, USAGE)
    assert answer.tell(Delta(1), USAGE) is None


def test_tool_that_takes_text_is_called_with_text() -> None:
    """The model was offered a function of one string."""
    tools = [{"type": "custom", "name": "patch"}]
    answer = answer_of(RESPONSES, tools=tools)
    piece = Delta(1, tool_call=ToolCall("call_1", "patch", '{"input":"a\\nb"}'))
    whole = json.loads(answer.whole((piece, Delta(1, finish="tool_calls")), USAGE).data)
    [call] = whole["output"]
    assert (call["type"], call["input"]) == ("custom_tool_call", "a\nb")


def test_request_becomes_a_chat_with_the_same_limits() -> None:
    """What chat has no word for is named."""
    body = asking(MESSAGES, stream=False) | {"top_k": 5, "stop_sequences": ["x"], "speed": "fast"}
    asked, changes = chat_of(hear(call_of(MESSAGES, body), _now).asked)
    assert (asked.max_tokens, asked.top_k, asked.stop) == (500, 5, ("x",))
    assert changes == ("speed",)


@pytest.mark.parametrize("dialect", [MESSAGES, RESPONSES])
def test_what_no_model_of_ours_takes_is_left_to_others(dialect: Dialect) -> None:
    """Such as a picture: the error names the client's field, and another target may be tried."""
    url = "http://127.0.0.1/x.png"
    if dialect is MESSAGES:
        part: dict[str, Any] = {"type": "image", "source": {"type": "url", "url": url}}
        more, field = {"messages": [{"role": "user", "content": [part]}]}, "messages"
    else:
        part = {"type": "input_image", "image_url": url}
        more, field = {"input": [{"role": "user", "content": [part]}]}, "input"
    with pytest.raises(Unsupported, match="images") as caught:
        chat_of(hear(call_of(dialect, asking(dialect, stream=False) | more), _now).asked)
    assert caught.value.param == field


def test_any_number_of_stop_sequences_is_kept() -> None:
    """Chat's bound of four is not Anthropic's, nor the engine's."""
    stops = [f"s{number}" for number in range(9)]
    body = asking(MESSAGES, stream=False) | {"stop_sequences": stops}
    asked, changes = chat_of(hear(call_of(MESSAGES, body), _now).asked)
    assert (asked.stop, changes) == (tuple(stops), ())


@pytest.mark.parametrize("stream", [False, True])
def test_stop_sequence_that_ended_the_answer_is_told(*, stream: bool) -> None:
    """To clients of Messages: their dialect has a reason and a field for it."""
    answer = answer_of(MESSAGES)
    piece = Delta(1, text="one", finish="stop", stop="END")
    if stream:
        told = [answer.open(), answer.tell(piece, USAGE), *answer.close("stop", USAGE)]
        events = b"".join(frame.data for frame in told if frame is not None).split(b"\n\n")
        [last] = [json.loads(e.partition(b"data: ")[2]) for e in events if b"message_delta" in e]
        ending = last["delta"]
    else:
        ending = json.loads(answer.whole([piece], USAGE).data)
    assert (ending["stop_reason"], ending["stop_sequence"]) == ("stop_sequence", "END")
