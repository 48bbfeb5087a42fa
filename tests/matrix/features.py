"""What each row of the matrix asks for, and what must come of it, whoever asks whom."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.matrix.asking import ADDRESS, PDF, PNG, Ask, Counts, Tool
from tests.matrix.cells import Cell, Client, Upstream
from tests.matrix.house import seal_of
from tests.matrix.scene import Scene, holds


def _closed(**properties: Any) -> dict[str, Any]:
    names = list(properties)
    closed = {"required": names, "additionalProperties": False}
    return {"type": "object", "properties": properties, **closed}


WEATHER: Final = Tool("weather", _closed(city={"type": "string", "enum": ["Paris"]}))
CLOCK: Final = Tool("clock", _closed(zone={"type": "string", "enum": ["UTC"]}))
BELL: Final = Tool("bell", _closed())
CALLED: Final[dict[str, Any]] = {
    "weather": {"city": "Paris"},
    "clock": {"zone": "UTC"},
    "bell": {},
}
RESULTS: Final = {
    "weather": "It is sunny there.",
    "clock": "It is noon there.",
    "bell": "It rang.",
}
PERSON: Final = _closed(name={"type": "string", "enum": ["Ann"]}, age={"type": "integer"})
ANSWER: Final = "You are Ann, I think."
NUM_WORDS: Final = 100
# Whom a conversation comes from that another vendor goes on with.
_BEFORE: Final[dict[Upstream, Upstream]] = {
    "chat": "messages",
    "responses": "gemini",
    "messages": "responses",
    "gemini": "chat",
    "completions": "messages",
}
_THOUGHTS: Final[dict[Client, str]] = {
    "chat": "reasoning_content",
    "responses": "reasoning",
    "messages": "thinking",
}
# A call's id as each upstream makes it, from the number of the request and that of the call.
_CALL_IDS: Final = {
    "chat": "call_{:06d}_0_{}",
    "responses": "call_{:06d}_{}",
    "messages": "toolu_{:06d}_{}",
    "gemini": "{:06d}{}",
}


# ---- the rows ------------------------------------------------------------------------------------


async def _say(s: Scene, *, stream: bool) -> None:
    turns = ("I am Ann.", "Hello Ann.", "Who am I?")
    ask = Ask(
        system="Be brief.",
        turns=(s.client.user(turns[0]), s.client.assistant(turns[1]), s.client.user(turns[2])),
        limit=16,
        is_exact=s.is_local,
    )
    s.script(text=ANSWER)
    heard = await s.ask(ask, stream=stream)
    if s.is_local:
        same = await s.ask(ask, stream=not stream)
        assert heard.text == same.text != ""
        assert heard.finish == same.finish
        return
    assert (heard.text, heard.finish) == (ANSWER, "stop")
    assert heard.num_pieces == (len(ANSWER.split()) if stream else 1)
    sent = s.house.sent_bytes().decode()
    assert "Be brief." in sent
    assert sorted(turns, key=sent.index) == list(turns)
    s.script(text=ANSWER, tokens=20)
    heard = await s.ask(ask, stream=stream)
    assert (len(heard.text.split()), heard.finish) == (16, "length")


async def _call(s: Scene, tools: tuple[Tool, ...], *, stream: bool) -> None:
    names = [tool.name for tool in tools]
    question = s.client.user(f"Ask for the {' and the '.join(names)}.")
    ask = Ask((question,), tools=tools, must_call=names[0] if s.is_local else None)
    s.script(call_pieces="interleaved")
    heard = await s.ask(ask, stream=stream)
    assert [(call.name, call.arguments) for call in heard.calls] == [
        (name, CALLED[name]) for name in names
    ]
    assert heard.finish == "tool_calls"
    ids = [call.call_id for call in heard.calls]
    if not s.is_local:
        assert ids == _upstream_ids(s, len(names)), "both logs tell of the same call"
    assert all(ids)
    s.script(text=ANSWER)
    results = s.client.results([(call, RESULTS[call.name]) for call in heard.calls])
    turns = (question, *heard.back, *results)
    after = await s.ask(Ask(turns, tools=tools, limit=16), stream=stream)
    if s.is_local:
        assert after.finish in ("stop", "length", "tool_calls")
        return
    assert (after.text, after.finish, after.calls) == (ANSWER, "stop", [])
    sent = s.house.sent_bytes().decode()
    for call_id, name in zip(ids, names, strict=True):
        assert sent.count(call_id) >= 2, "the call and its result have it, too"
        assert RESULTS[name] in sent
    for tool in tools:
        assert holds(s.house.sent(), tool.schema)


def _upstream_ids(s: Scene, num_calls: int) -> list[str]:
    serial = s.house.mock.log[-1].serial
    return [_CALL_IDS[s.cell.upstream].format(serial, at) for at in range(num_calls)]


async def _tools(s: Scene, *, stream: bool) -> None:
    await _call(s, (WEATHER,), stream=stream)


async def _parallel(s: Scene, *, stream: bool) -> None:
    await _call(s, (WEATHER, CLOCK, BELL), stream=True)


async def _show(s: Scene, shown: str, turn: Any, *, stream: bool) -> None:
    s.script(text=ANSWER)
    heard = await s.ask(Ask((turn,), limit=64), stream=stream)
    assert heard.text == ANSWER
    assert shown in s.house.sent_bytes().decode()
    assert "Who is this?" in s.house.sent_bytes().decode()


async def _image(s: Scene, *, stream: bool) -> None:
    await _show(s, PNG, s.client.user("Who is this?", image=PNG), stream=stream)


async def _image_url(s: Scene, *, stream: bool) -> None:
    await _show(s, ADDRESS, s.client.user("Who is this?", image=ADDRESS), stream=stream)


async def _document(s: Scene, *, stream: bool) -> None:
    await _show(s, PDF, s.client.user("Who is this?", pdf=PDF), stream=stream)


async def _refuse(s: Scene, *, stream: bool) -> None:
    s.script(refuse=True, text="No way.")
    heard = await s.ask(Ask((s.client.user("Go."),), limit=64), stream=stream)
    # Gemini keeps to itself what it would have said.
    assert heard.text == ("" if s.cell.upstream == "gemini" else "No way.")
    # OpenAI tells a refusal by where it stands, which a text has not; base models never refuse.
    has_word = (s.cell.client, s.cell.upstream) != ("completions", "chat")
    told = has_word and s.cell.upstream != "completions"
    assert heard.finish == ("refusal" if told else "stop")


async def _form(s: Scene, *, stream: bool) -> None:
    ask = Ask((s.client.user("Ann is three years old."),), schema=PERSON, limit=64)
    heard = await s.ask(ask, stream=stream)
    told = json.loads(heard.text)
    assert told["name"] == "Ann"
    assert isinstance(told["age"], int)
    assert heard.finish == "stop"
    if not s.is_local:
        assert holds(s.house.sent(), PERSON)


async def _reasoning(s: Scene, *, stream: bool) -> None:
    question = s.client.user("Ask for the weather.")
    if s.cell.refusal is not None:
        await s.ask(Ask((question,), effort="low"), stream=stream)
        return
    s.script(reasoning=4)
    first = await s.ask(Ask((question,), tools=(WEATHER,), effort="low"), stream=stream)
    thoughts = "hmm hmm hmm hmm"
    # A client of Chat cannot ask for the summaries that OpenAI's models tell in Responses.
    is_shown = (s.cell.client, s.cell.upstream) != ("chat", "responses")
    assert first.thoughts == (thoughts if is_shown else "")
    [call] = first.calls
    assert (call.name, call.arguments) == ("weather", CALLED["weather"])
    s.script(text=ANSWER, reasoning=2)
    turns = (question, *first.back, *s.client.results([(call, RESULTS["weather"])]))
    second = await s.ask(Ask(turns, tools=(WEATHER,), effort="low"), stream=stream)
    assert (second.text, second.thoughts) == (ANSWER, "hmm hmm" if is_shown else "")
    assert seal_of(s.cell.upstream, thoughts) in s.house.sent_bytes().decode()
    s.script(text="Indeed.")
    turns = (*turns, *second.back, s.client.user("Really?"))
    third = await s.ask(Ask(turns, tools=(WEATHER,), effort="low"), stream=stream)
    assert third.text == "Indeed."


async def _foreign(s: Scene, *, stream: bool) -> None:
    question = s.client.user("Who am I?")
    other = _BEFORE[s.cell.upstream]
    s.house.mock.script({"reasoning": 4, "text": ANSWER})
    before = Scene(Cell(s.cell.feature, s.cell.client, other), s.client, s.house)
    if s.cell.refusal is not None:
        before = s
    first = await before.ask(Ask((question,), effort="low"), stream=stream)
    assert first.text == ANSWER
    s.script(text="Indeed.")
    turns = (question, *first.back, s.client.user("Really?"))
    second = await s.ask(Ask(turns), stream=stream)
    assert second.text == "Indeed."
    sent = s.house.sent_bytes().decode()
    assert ANSWER in sent
    assert seal_of(other, "hmm hmm hmm hmm") not in sent
    assert "slipstream" not in sent, "what carries the seal is for us alone"
    changes = s.client.notes.changes
    named = [name for name in changes if name.rpartition(".")[2] == _THOUGHTS[s.cell.client]]
    assert len(named) == 1, changes


def long_question(s: Scene) -> Any:
    """Return a turn of so many words that parts of it may have been cached."""
    return s.client.user(" ".join(["word"] * NUM_WORDS))


async def _count(s: Scene, *, stream: bool) -> None:
    ask = Ask((long_question(s),), limit=8 if s.is_local else 64, is_exact=s.is_local)
    s.script(text="word", tokens=7, reasoning=3, cached=60, cache_write=20)
    heard = await s.ask(ask, stream=stream)
    if s.is_local:
        same = await s.ask(ask, stream=not stream)
        assert heard.counts is not None
        assert same.counts is not None
        assert heard.counts.input == same.counts.input >= NUM_WORDS
        assert heard.counts.output == same.counts.output <= 8
        assert heard.counts.output > 0
        return
    assert heard.counts == expected_counts(s)


def expected_counts(s: Scene) -> Counts:
    """Return what the upstream counts, as far as its dialect can tell."""
    labels = 2 if s.is_transcript else 0
    tells_writes = s.cell.upstream in ("chat", "responses", "messages")
    tells_reasoning = s.cell.upstream != "completions"
    return Counts(
        input=NUM_WORDS + labels,
        cached=60,
        written=20 if tells_writes else 0,
        output=10,
        reasoning=3 if tells_reasoning else 0,
    )


ROWS: Final[dict[str, Callable[..., Awaitable[None]]]] = {
    "text": _say,
    "stream": _say,
    "tools": _tools,
    "parallel": _parallel,
    "image": _image,
    "image_url": _image_url,
    "document": _document,
    "refusal": _refuse,
    "form": _form,
    "reasoning": _reasoning,
    "foreign": _foreign,
    "usage": _count,
    "usage_stream": _count,
}
"""By the name of a feature, but for errors, which are in test_matrix.py."""

STREAMS: Final = {
    "text": (False,),
    "stream": (True,),
    "parallel": (True,),
    "usage": (False,),
    "usage_stream": (True,),
}
"""Whether a row is asked plainly, in a stream, or (unless it is named here) both."""
