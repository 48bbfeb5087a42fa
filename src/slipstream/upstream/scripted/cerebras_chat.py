"""The dialect of Cerebras, seen from its side: as strict as it, with its own answers and errors.

Requests, answers and errors are read and written by the profile itself (`wire/cerebras`); here is
only what is said.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import Final, Literal, NamedTuple

import msgspec

from slipstream.call import Frame, Usage
from slipstream.errors import GatewayError
from slipstream.upstream.scripted.answer import count_words, split_words
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Schema, Stamp, Tool
from slipstream.upstream.scripted.rate_headers import cerebras_headers
from slipstream.upstream.scripted.reply import ScriptedError
from slipstream.wire.cerebras.answer import CerebrasAnswer
from slipstream.wire.cerebras.errors import error_body
from slipstream.wire.cerebras.models import row_for
from slipstream.wire.cerebras.objects import Times, answer_id_of
from slipstream.wire.cerebras.request import CerebrasRequest, read_cerebras_request
from slipstream.wire.chat_answer import SaidToken
from slipstream.wire.chat_forms import ChatForm
from slipstream.wire.chat_messages import ChatTurn
from slipstream.wire.chat_tools import ChatTools

_FINGERPRINT: Final = "fp_00000000000000000000"
_THOUGHT: Final = "hmm "
_ANY_OBJECT: Final[Schema] = {"type": "object"}
_encode_json: Final = msgspec.json.Encoder().encode
_decode_json: Final = msgspec.json.decode


# ---- the request --------------------------------------------------------------------------------


def _decode(path: str, body: bytes) -> Ask:
    # What follows a `?` in the name of a model is for the script.
    said = read_cerebras_request(body, lambda name: row_for(name.partition("?")[0]))
    tools, choice = _tools(said.chat.tools)
    text, num_words = _texts(said.chat.turns)
    return Ask(
        model=said.model,
        text=text,
        prompt_tokens=num_words,
        is_stream=said.is_stream,
        wants_usage=True,
        max_tokens=_limit(said),
        stops=said.chat.stop,
        num_choices=said.chat.num_choices,
        tools=tools,
        choice=choice,
        can_call_many=said.chat.tools is None or said.chat.tools.is_parallel,
        follows_tool=said.chat.turns[-1].role == "tool",
        results=_results(said.chat.turns),
        wants_object=said.chat.form is not None and said.chat.form.kind == "json_object",
        schema=_schema(said.chat.form),
        reasoning_format=said.reasoning_format,
    )


def _limit(said: CerebrasRequest) -> int | None:
    asked = said.max_asked_tokens
    return None if asked is None or asked < 0 else asked


def _texts(turns: tuple[ChatTurn, ...]) -> tuple[str, int]:
    """Return the text of the last user turn, or of the last one, and the words of all."""
    said = next((turn.content for turn in reversed(turns) if turn.role == "user"), None)
    num_words = sum([count_words(turn.content) for turn in turns])
    return turns[-1].content if said is None else said, num_words


def _results(turns: tuple[ChatTurn, ...]) -> tuple[str, ...]:
    """Return what tools returned since the assistant spoke last."""
    since = takewhile(lambda turn: turn.role != "assistant", reversed(turns))
    return tuple([turn.content for turn in since if turn.role == "tool"][::-1])


def _tools(
    offered: ChatTools | None,
) -> tuple[tuple[Tool, ...], Literal["auto", "none", "required", "named"]]:
    if offered is None:
        return (), "none"
    found = tuple(
        Tool(tool.name, _decode_json(tool.parameters))
        for tool in offered.tools
        if offered.choice != "named" or tool.name == offered.name
    )
    return found, offered.choice


def _schema(form: ChatForm | None) -> Schema | None:
    if form is None or form.kind != "json_schema":
        return None
    schema: Schema = _decode_json(form.source)
    return schema or _ANY_OBJECT


# ---- the answer ---------------------------------------------------------------------------------


class _Call(NamedTuple):
    call_id: str
    name: str
    arguments: str


class _Piece(NamedTuple):
    choice: int
    text: str = ""
    reasoning: str = ""
    tool_call: _Call | None = None
    logprobs: tuple[SaidToken, ...] = ()
    finish: str | None = None

    @property
    def has_reasoned(self) -> bool:
        """Whether it is a thought."""
        return bool(self.reasoning)


def _pieces(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[_Piece]:
    """Yield thoughts, words and calls, each of them for every choice, and how the choices end."""
    choices = range(ask.num_choices)
    num_thoughts = answer.tokens.reasoning // ask.num_choices if answer.tokens else 0
    for _ in range(num_thoughts):
        yield from (_Piece(choice, reasoning=_THOUGHT) for choice in choices)
    for word in split_words(answer.text):
        yield from (_Piece(choice, text=word) for choice in choices)
    for number, call in enumerate(answer.calls):
        for choice in choices:
            call_id = f"{stamp.serial}-{choice}-{number}"
            yield _Piece(choice, tool_call=_Call(call_id, call.name, call.arguments))
    yield from (_Piece(choice, finish=answer.finish) for choice in choices)


def _answer(ask: Ask, stamp: Stamp) -> CerebrasAnswer:
    answer = CerebrasAnswer(
        answer_id=answer_id_of(str(stamp.serial)),
        model=ask.model,
        created_s=stamp.created_s,
        fingerprint=_FINGERPRINT,
        num_choices=ask.num_choices,
        reasoning_format=ask.reasoning_format,
    )
    answer.measure(
        Times(
            queue_s=0.001,
            prompt_s=0.002,
            completion_s=0.004,
            total_s=0.008,
            created_s=stamp.created_s,
        )
    )
    return answer


def _usage(answer: Answer) -> Usage:
    tokens = answer.tokens
    if tokens is None:
        return Usage()
    return Usage(
        input_tokens=tokens.prompt - tokens.cached,
        cache_read_tokens=tokens.cached,
        output_tokens=tokens.completion - tokens.reasoning,
        output_reasoning_tokens=tokens.reasoning,
    )


def _encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    frame = _answer(ask, stamp).whole(_pieces(ask, answer, stamp), _usage(answer))
    return frame.data if answer.tokens else _without_usage(frame.data)


def _stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    head, usage = _answer(ask, stamp), _usage(answer)
    yield from _events(head.open())
    for piece in _pieces(ask, answer, stamp):
        frame = head.tell(piece, usage)
        if frame is not None:
            yield from _events(frame)
    last, done = head.close(answer.finish, usage)
    for event in _events(last):
        yield event if answer.tokens else event._replace(data=_without_usage(event.data))
    yield from (event._replace(is_terminal=True) for event in _events(done))


def _events(frame: Frame) -> Iterator[Event]:
    for text in frame.data.split(b"\n\n")[:-1]:
        yield Event(text.removeprefix(b"data: "))


def _without_usage(data: bytes) -> bytes:
    said = _decode_json(data)
    said.pop("usage", None)
    return _encode_json(said)


def _encode_error(error: GatewayError) -> bytes:
    body = error_body(error)
    if not isinstance(error, ScriptedError) or error.scripted_code is None:
        return body
    said = _decode_json(body)
    said.get("error", said)["code"] = error.scripted_code
    return _encode_json(said)


CEREBRAS_CHAT: Final = Dialect(
    name="cerebras_chat",
    path_suffixes=("/cerebras/v1/chat/completions",),
    decode=_decode,
    encode=_encode,
    stream=_stream,
    encode_error=_encode_error,
    rate_headers=cerebras_headers,
)
