"""Tests of slipstream.wire.cerebras.answer and its reading by the official SDK's types."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from cerebras.cloud.sdk.types.chat.chat_completion import ChatChunkResponse, ChatCompletionResponse

from slipstream.call import Usage
from slipstream.wire.cerebras.answer import CerebrasAnswer
from slipstream.wire.cerebras.objects import Times
from slipstream.wire.chat_messages import TurnCall

USAGE = Usage(input_tokens=22, cache_read_tokens=300, output_tokens=7, output_reasoning_tokens=58)
TIMES = Times(queue_s=0.1, prompt_s=0.2, completion_s=0.3, total_s=0.6, created_s=5.5)


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

    @property
    def has_reasoned(self) -> bool:
        """Whether its tokens were reasoning."""
        return bool(self.reasoning)


PIECES = [
    Piece(reasoning="hm", logprobs=[Token(b"hm", -1.0)]),
    Piece(text="ok", logprobs=[Token(b"ok", -2.0)]),
    Piece(tool_call=TurnCall("call_1", "f", "{}")),
    Piece(finish="tool_calls"),
]


def _answer(**more: Any) -> CerebrasAnswer:
    answer = CerebrasAnswer(
        answer_id="chatcmpl-1", model="m", created_s=5, fingerprint="fp_0", **more
    )
    answer.measure(TIMES)
    return answer


def _events(answer: CerebrasAnswer) -> list[Any]:
    frames = [answer.open(), *(answer.tell(piece, USAGE) for piece in PIECES)]
    frames += answer.close(None, USAGE)
    data = b"".join(frame.data for frame in frames if frame is not None)
    events = data.decode().removesuffix("\n\n").split("\n\n")
    assert events.pop() == "data: [DONE]"
    return [msgspec.json.decode(event.removeprefix("data: ")) for event in events]


def test_plain_answer_has_the_keys_and_the_order_of_the_recordings() -> None:
    """Section 3.1: key order, absent for null, blocks of cached tokens, short ids."""
    body = msgspec.json.decode(_answer().whole(PIECES, USAGE).data)
    assert list(body) == (
        ["id", "choices", "created", "model", "system_fingerprint", "object", "usage", "time_info"]
    )
    choice = body["choices"][0]
    assert list(choice) == ["finish_reason", "index", "message"]
    call = choice["message"].pop("tool_calls")[0]
    assert list(call) == ["function", "type", "id"]
    assert len(call["id"]) == 9
    assert choice["message"] == {"reasoning": "hm", "content": "ok", "role": "assistant"}
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 256}
    assert body["usage"]["total_tokens"] == 387
    assert body["time_info"]["total_time"] == 0.6
    ChatCompletionResponse.model_validate(body)


def test_stream_has_the_chunks_of_the_recordings() -> None:
    """Section 3.3: role, reasoning, content, whole call, and the account in the last chunk."""
    events = _events(_answer())
    first, thought, said, call, last = events
    assert first["choices"] == [{"delta": {"role": "assistant"}, "index": 0}]
    assert list(first) == ["id", "choices", "created", "model", "system_fingerprint", "object"]
    assert thought["choices"][0]["delta"] == {"reasoning": "hm"}
    assert said["choices"][0]["delta"] == {"content": "ok"}
    assert list(call["choices"][0]["delta"]["tool_calls"][0]) == ["function", "type", "id", "index"]
    assert last["choices"] == [{"delta": {}, "finish_reason": "tool_calls", "index": 0}]
    assert list(last)[-2:] == ["usage", "time_info"]
    assert not [event for event in events[:-1] if "usage" in event]
    for event in events:
        ChatChunkResponse.model_validate(event)


@pytest.mark.parametrize(
    ("form", "message", "fields"),
    [
        ("parsed", {"reasoning": "hm", "content": "ok"}, {"logprobs", "reasoning_logprobs"}),
        ("text_parsed", {"reasoning": "hm", "content": "ok"}, {"logprobs"}),
        ("raw", {"content": "<think>hm</think>ok"}, {"logprobs"}),
        ("hidden", {"content": "ok"}, {"logprobs"}),
    ],
)
def test_reasoning_goes_where_its_format_says(
    form: Any, message: dict[str, str], fields: set[str]
) -> None:
    """Section 2.6: text and log probabilities by format, streamed as in the plain answer."""
    frame = _answer(reasoning_format=form, wants_logprobs=True).whole(PIECES, USAGE)
    choice = msgspec.json.decode(frame.data)["choices"][0]
    assert {k: v for k, v in choice["message"].items() if k in ("reasoning", "content")} == message
    assert {key for key in choice if key.endswith("logprobs")} == fields
    streamed: dict[str, str] = {}
    for event in _events(_answer(reasoning_format=form)):
        for key, value in event["choices"][0]["delta"].items():
            if key in ("reasoning", "content"):
                streamed[key] = streamed.get(key, "") + value
    assert streamed == message


@pytest.mark.parametrize("text", ["ok", "", 'a "content":"" b', "zwölf\n\u2028", "<think>"])
def test_text_is_told_alike_alone_and_with_other_things(text: str) -> None:
    """The quick way for text and the general one write the same bytes."""
    answer = _answer(num_choices=2)
    told = answer.tell(Piece(text=text, choice=1), USAGE)
    if told is not None:
        assert answer.say(text, USAGE, 1).data == told.data
    event = msgspec.json.decode(answer.say(text, USAGE, 1).data.removeprefix(b"data: "))
    assert event["choices"] == [{"delta": {"content": text}, "index": 1}]


@pytest.mark.parametrize(
    ("tier", "told"),
    [
        (None, {}),
        ("flex", {"service_tier": "flex"}),
        ("auto", {"service_tier": "auto", "service_tier_used": "default"}),
    ],
)
def test_tier_is_echoed_and_the_used_one_told_for_auto(
    tier: str | None, told: dict[str, str]
) -> None:
    """Section 3.1: which tier was used is told to who left the choice to us."""
    body = msgspec.json.decode(_answer(service_tier=tier).whole(PIECES, USAGE).data)
    assert {key: value for key, value in body.items() if "tier" in key} == told


def test_long_answer_in_small_pieces_is_put_together_once() -> None:
    """Text, calls and reasoning of many pieces come out whole and in order."""
    pieces = [Piece(reasoning=f"r{at} ") for at in range(50)]
    pieces += [Piece(text=f"t{at} ") for at in range(20_000)]
    pieces += [Piece(tool_call=TurnCall(f"call_{at}", "f", "{}")) for at in range(3)]
    body = msgspec.json.decode(_answer().whole(pieces, USAGE).data)
    message = body["choices"][0]["message"]
    assert message["content"] == "".join(f"t{at} " for at in range(20_000))
    assert message["reasoning"] == "".join(f"r{at} " for at in range(50))
    assert len({call["id"] for call in message["tool_calls"]}) == 3
