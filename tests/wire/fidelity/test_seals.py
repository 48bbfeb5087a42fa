"""What a vendor sealed goes back to it word for word and to nobody else; forged seals gain nothing.

A client keeps seals in its own dialect's places and sends them back with the next turn. It could
write anything there: no more comes of it than of what it may write anyway, and never a 500.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.errors import BadRequest, Unsupported
from slipstream.upstream.hearing import Writer
from slipstream.upstream.translate import TONGUES, Peer
from slipstream.wire.chat import answers_out as chat_out
from slipstream.wire.chat import reading as chat_reading
from slipstream.wire.messages import answers_out as messages_out
from slipstream.wire.messages import reading as messages_reading
from slipstream.wire.responses import answers_out as responses_out
from slipstream.wire.responses import reading as responses_reading
from slipstream.wire.talk.asking import Asked, Reasoning, Seal, Target, ToolCall
from slipstream.wire.talk.events import CallBegan, Event, Said, Sealed
from slipstream.wire.talk.parcels import MARK
from tests.wire.fidelity.asking import SEAL_KINDS
from tests.wire.fidelity.effort import many
from tests.wire.fidelity.losses import CHAT, MESSAGES, RESPONSES
from tests.wire.fidelity.telling import answers, seals_of

_ASKED: Final = {"model": "m", "input": "hi", "include": ["reasoning.encrypted_content"]}
_RESPONSES_ASKED: Final = responses_reading.read_asked(json.dumps(_ASKED).encode())


class _Client(NamedTuple):
    """How a client of one dialect gets an answer, and sends it back.

    Args:
        history: A request with the answer's body among its turns, and results of its calls.
    """

    writer: Callable[[], Writer]
    history: Callable[[dict[str, Any]], dict[str, Any]]
    read: Callable[[bytes], Asked]


def _chat_history(answer: dict[str, Any]) -> dict[str, Any]:
    message = answer["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "done"}
        for call in message.get("tool_calls", ())
    ]
    last = {"role": "user", "content": "and now?"}
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}, message, *results, last]}


def _messages_history(answer: dict[str, Any]) -> dict[str, Any]:
    content: list[Any] = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "done"}
        for block in answer["content"]
        if block["type"] == "tool_use"
    ]
    content.append({"type": "text", "text": "and now?"})
    said = [{"role": "assistant", "content": answer["content"]}] if answer["content"] else []
    messages = [{"role": "user", "content": "hi"}, *said, {"role": "user", "content": content}]
    return {"model": "m", "max_tokens": 99, "messages": messages}


def _responses_history(answer: dict[str, Any]) -> dict[str, Any]:
    results = [
        {"type": item["type"] + "_output", "call_id": item["call_id"], "output": "done"}
        for item in answer["output"]
        if item["type"].endswith("_call")
    ]
    first, last = ({"role": "user", "content": text} for text in ("hi", "and now?"))
    return {"model": "m", "input": [first, *answer["output"], *results, last]}


CLIENTS: Final = {
    CHAT: _Client(
        lambda: chat_out.AnswerWriter(answer_id="a", model="m", created_s=1),
        _chat_history,
        chat_reading.read_asked,
    ),
    MESSAGES: _Client(
        lambda: messages_out.AnswerWriter(answer_id="msg_1", model="m"),
        _messages_history,
        messages_reading.read_asked,
    ),
    RESPONSES: _Client(
        lambda: responses_out.AnswerWriter(_RESPONSES_ASKED, response_id="resp_1", created_s=1),
        _responses_history,
        lambda body: responses_reading.read_asked(body).asked,
    ),
}


def _next_turn(told: tuple[Event, ...], client: str) -> Asked:
    """Return the request that follows an answer."""
    row = CLIENTS[client]
    body = row.history(json.loads(row.writer().whole(told).data))
    return row.read(json.dumps(body).encode())


def _seals_in(asked: Asked) -> list[Seal]:
    sealed = (
        part.seals
        for turn in asked.turns
        for part in turn.parts
        if isinstance(part, Reasoning | ToolCall)
    )
    return [seal for seals in sealed for seal in seals]


def _bodies(asked: Asked, vendor: str) -> list[bytes]:
    """Return the request as it is written to a vendor, in each dialect that can say it."""
    target = Target(vendor=vendor, model="m-1", max_output_tokens=4_000)
    found = []
    for tongue in TONGUES.values():
        with suppress(Unsupported):
            found.append(tongue.write(asked, target, Peer(vendor)).body)
    return found


@pytest.mark.parametrize("client", CLIENTS)
@many
@given(told=answers(has_seals=True, has_refusals=False))
def test_seals_come_back_with_the_next_turn(client: str, told: tuple[Event, ...]) -> None:
    """Whoever sealed it and whatever it belongs to, the client's dialect has a place for it."""
    asked = _next_turn(told, client)
    key = _seal_key
    assert sorted(_seals_in(asked), key=key) == sorted(seals_of(told), key=key)


def _seal_key(seal: Seal) -> str:
    return seal.data


@pytest.mark.parametrize("client", CLIENTS)
@many
@given(told=answers(has_seals=True, has_refusals=False))
def test_seals_are_withheld_from_other_vendors(client: str, told: tuple[Event, ...]) -> None:
    """No writer of any dialect puts another vendor's seal, or a parcel of ours, into a request."""
    asked = _next_turn(told, client)
    for vendor in SEAL_KINDS:
        for body in _bodies(asked, vendor):
            assert MARK.encode() not in body
            for seal in seals_of(told):
                assert seal.vendor == vendor or f"sealed-{seal.vendor}".encode() not in body


def _seals_with_a_place(told: tuple[Event, ...]) -> list[Sealed]:
    """Return the seals that have a part to stand on where their vendor wants them back.

    A turn that only thought is none in chat, and Gemini signs texts and calls, not thoughts.
    """
    has_text = any(isinstance(event, Said) for event in told)
    has_calls = any(isinstance(event, CallBegan) for event in told)
    sealed = [event for event in told if isinstance(event, Sealed) and event.seal.vendor in _OWN]
    return [
        event
        for event in sealed
        if has_text or event.call is not None or (has_calls and event.seal.vendor != "gemini")
    ]


_OWN: Final = {
    "anthropic": "anthropic_messages",
    "openai": "openai_responses",
    "gemini": "gemini",
    "openrouter": "openai_chat",
}


@pytest.mark.parametrize("client", CLIENTS)
@many
@given(told=answers(has_seals=True, has_refusals=False))
def test_seals_go_back_to_who_made_them(client: str, told: tuple[Event, ...]) -> None:
    """Word for word, in the dialect in which the vendor gave them out."""
    asked = _next_turn(told, client)
    for sealed in _seals_with_a_place(told):
        seal = sealed.seal
        tongue = next(row for name, row in TONGUES.items() if name.value == _OWN[seal.vendor])
        target = Target(vendor=seal.vendor, model="m-1", max_output_tokens=4_000)
        body = tongue.write(asked, target, Peer(seal.vendor)).body.decode()
        data = json.loads(seal.data)[0]["data"] if seal.kind == "reasoning_details" else seal.data
        assert data in body


# ---- hostile ones -------------------------------------------------------------------------------

_EVIL: Final = '{}],"model":"dear","store":true,"messages":[{},"input":[{'


def _parcel(content: object) -> str:
    return MARK + urlsafe_b64encode(json.dumps(content).encode()).decode()


_forged: Final = st.one_of(
    st.builds(
        lambda vendor, kind, data: _parcel(
            {
                "text": "x",
                "seals": [{"vendor": vendor, "kind": kind, "data": data}],
                "call_seals": [
                    {"call_id": "c1", "seal": {"vendor": vendor, "kind": kind, "data": data}}
                ],
            }
        ),
        st.sampled_from([*SEAL_KINDS, "nobody", ""]),
        st.sampled_from(["signature", "redacted", "encrypted_content", "item", "x"]),
        st.sampled_from([_EVIL, "", "a" * 100_000, "\u2028\x00é", "[]", "7"]),
    ),
    st.builds(_parcel, st.recursive(st.none() | st.text(), lambda one: st.lists(one, max_size=3))),
    st.binary(max_size=40).map(lambda raw: MARK + urlsafe_b64encode(raw).decode()),
    st.text(max_size=20).map(lambda text: MARK + text),
    st.just(_parcel({"text": "é" * 9})[:-7]),
    st.just(MARK + "A" * 1_000_000),
    st.just(MARK + urlsafe_b64encode(b"[" * 100_000).decode()),
    st.just(MARK + urlsafe_b64encode(b'{"seals":' * 50_000).decode()),
    st.just(_EVIL),
)


def _with_forgery(client: str, forged: str) -> dict[str, Any]:
    """Return a request that holds it wherever a seal may stand."""
    call = {"name": "look_up", "arguments": "{}"}
    if client == CHAT:
        own = {"type": "reasoning.encrypted", "format": "slipstream/openai/item", "data": forged}
        foreign = {"type": "reasoning.encrypted", "format": "f", "data": forged, "text": forged}
        seal = {"vendor": "gemini", "kind": "thought_signature", "data": forged}
        extra = {"google": {"thought_signature": forged}, "slipstream": [seal]}
        tool_call = {"id": "c1", "type": "function", "function": call, "extra_content": extra}
        message = {"role": "assistant", "content": "a", "tool_calls": [tool_call]}
        message |= {"reasoning_details": [own, foreign], "reasoning_content": forged}
        return _chat_history({"choices": [{"message": message}]})
    if client == MESSAGES:
        content = [
            {"type": "thinking", "thinking": "t", "signature": forged},
            {"type": "redacted_thinking", "data": forged},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "c1", "name": "look_up", "input": {}},
        ]
        return _messages_history({"content": content})
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": forged}
    item = {"type": "function_call", "call_id": "c1", **call}
    return _responses_history({"output": [{**reasoning, "id": "rs_1"}, item]})


def _names_set_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), names
    return dict(pairs)


@pytest.mark.parametrize("client", CLIENTS)
@many
@given(forged=_forged)
def test_forged_seals_are_refused_or_mean_nothing_more(client: str, forged: str) -> None:
    """They set no field of the request, and what cannot be read is the client's error."""
    bodies: list[bytes] = []
    with suppress(BadRequest):
        asked = CLIENTS[client].read(json.dumps(_with_forgery(client, forged)).encode())
        bodies = [body for vendor in SEAL_KINDS for body in _bodies(asked, vendor)]
    for body in bodies:
        said = json.loads(body, object_pairs_hook=_names_set_twice)
        assert said.get("model", "m-1") == "m-1"
        assert not said.get("store")
