"""Rich answers for hypothesis, as events, and what they say in words that depend on no dialect."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hypothesis import strategies as st

from slipstream.call import Usage
from slipstream.wire.talk.custom_tools import as_arguments
from slipstream.wire.talk.events import (
    Began,
    CallBegan,
    CallSaid,
    Counted,
    Ended,
    Event,
    Over,
    Refused,
    Said,
    Sealed,
    Thought,
)
from tests.wire.fidelity.asking import seals

CUSTOM: Final = "grep"
"""The name of the tool that takes text."""

_words: Final = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
_arguments: Final = st.sampled_from(
    ["", "{}", '{"a":1}', '{"text":"é\\n\\"q\\"\\\\","b":[null,{}]}', '{ "a" : 1 }']
)
_ids: Final = st.one_of(
    st.from_regex(r"call_[a-z0-9]{3,12}", fullmatch=True),
    st.sampled_from(["toolu_01abc", "functions.f:0", "a|b/c"]),
)
_usages: Final = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_5m_tokens=st.integers(0, 99),
    output_tokens=st.integers(0, 10**6),
    output_reasoning_tokens=st.integers(0, 10**6),
)


@st.composite
def _calls(draw: st.DrawFn, has_seals: bool) -> tuple[list[Event], int]:
    """Draw calls whose pieces come one call after the other, or by turns."""
    ids = draw(st.lists(_ids, max_size=3, unique=True))
    stories: list[list[Event]] = []
    for index, call_id in enumerate(ids):
        is_custom = draw(st.booleans())
        name = CUSTOM if is_custom else "look_up"
        text = draw(_words) if is_custom else draw(_arguments)
        began = CallBegan(index=index, call_id=call_id, name=name, is_custom=is_custom)
        sealed = [Sealed(draw(seals(("gemini",))), call=index)] if has_seals else []
        pieces = [CallSaid(index, piece) for piece in draw(fragments(text))]
        stories.append([began, *sealed, *pieces])
    if not draw(st.booleans()):
        return [event for story in stories for event in story], len(ids)
    by_turns: list[Event] = []
    while stories := [story for story in stories if story]:
        by_turns += [story.pop(0) for story in stories]
    return by_turns, len(ids)


@st.composite
def fragments(draw: st.DrawFn, text: str) -> list[str]:
    """Draw a text in pieces, none empty."""
    cuts = sorted(draw(st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=3)))
    found, start = [], 0
    for end in [*cuts, len(text)]:
        found.append(text[start:end])
        start = end
    return [piece for piece in found if piece]


@st.composite
def answers(
    draw: st.DrawFn, *, has_refusals: bool = True, has_seals: bool = False
) -> tuple[Event, ...]:
    """Draw an answer of one choice.

    Args:
        has_seals: Reasoning and calls are sealed by their vendors.
    """
    events: list[Event] = [Began(answer_id="a-1", model="up", created_s=1_700_000_000)]
    usage = draw(_usages)
    if draw(st.booleans()):
        events.append(Counted(Usage(input_tokens=usage.input_tokens)))
    if draw(st.booleans()):
        pieces = draw(st.lists(_words, min_size=1, max_size=3))
        events += [Thought(piece, begins=at == 0) for at, piece in enumerate(pieces)]
        if has_seals:
            events.append(Sealed(draw(seals())))
    if has_refusals and draw(st.integers(0, 4)) == 0:
        events += [Refused(piece) for piece in draw(st.lists(_words, min_size=1, max_size=3))]
        reason = "content_filter"
    else:
        events += [Said(piece) for piece in draw(st.lists(_words, max_size=4))]
        called, num_calls = draw(_calls(has_seals))
        events += called
        reason = draw(st.sampled_from(["tool_calls" if num_calls else "stop", "length"]))
    return (*events, Ended(reason=reason), Counted(usage), Over())


def essence(events: Iterable[Event]) -> dict[str, Any]:
    """Return what an answer says: text, thoughts, calls by index, its end and what it cost."""
    told = list(events)
    usage = [event.usage for event in told if isinstance(event, Counted)][-1]
    return {
        "text": "".join(event.text for event in told if isinstance(event, Said | Refused)),
        "thoughts": "".join(event.text for event in told if isinstance(event, Thought)),
        "calls": list(_calls_of(told)),
        "ending": [event.reason for event in told if isinstance(event, Ended)],
        "input": usage.total_input_tokens,
        "cached": usage.cache_read_tokens,
        "output": usage.total_output_tokens,
        "reasoning": usage.output_reasoning_tokens,
        "is over": isinstance(told[-1], Over),
    }


def _calls_of(events: list[Event]) -> Iterator[tuple[str, Any]]:
    said: dict[int, str] = {}
    for event in events:
        if isinstance(event, CallSaid):
            said[event.index] = said.get(event.index, "") + event.text
    for event in events:
        if isinstance(event, CallBegan):
            text = said.get(event.index, "")
            text = as_arguments(text) if event.is_custom else text or "{}"
            yield event.name, json.loads(text)


def ids_of(events: Iterable[Event]) -> list[str]:
    """Return the ids of the calls, by their index."""
    return [event.call_id for event in events if isinstance(event, CallBegan)]


def seals_of(events: Iterable[Event]) -> list[Any]:
    """Return all that is sealed."""
    return [event.seal for event in events if isinstance(event, Sealed)]
