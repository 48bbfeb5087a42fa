"""Rich requests for hypothesis: conversations that a client may have had, and what it may ask.

Whatever is drawn is sayable in some dialect; what a dialect cannot say stands in losses.py.
"""

import json
from typing import Any, Final

from hypothesis import strategies as st

from slipstream.wire.talk.asking import (
    Asked,
    Document,
    Image,
    Part,
    Reasoning,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Form, Sampling, Thinking, Tool, ToolChoice

SEAL_KINDS: Final = {
    "anthropic": ("signature", "redacted"),
    "openai": ("encrypted_content",),
    "gemini": ("thought_signature",),
    "openrouter": ("reasoning_details",),
    "mistral": ("signature",),
}
"""What each vendor seals."""

_SCHEMA: Final = '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}'
_CLOSED: Final = _SCHEMA[:-1] + ',"additionalProperties":false}'  # as strict forms must be
_NO_SCHEMA: Final = '{"type":"object","properties":{}}'
_GRAMMAR: Final = '{"type":"grammar","grammar":{"syntax":"lark","definition":"start: A"}}'
_PIXEL: Final = "iVBORw0KGgo="

texts: Final = st.text(
    st.characters(codec="utf-8", exclude_characters="".join(map(chr, range(32)))),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip() == text)
"""Words without white space at their ends, where dialects differ, but with any letter."""

_call_ids: Final = st.one_of(
    st.from_regex(r"call_[a-z0-9]{3,12}", fullmatch=True),
    st.sampled_from(["toolu_01abc", "functions.f:0", "a|b/c", "x" * 90, "id-é"]),
)
_marks: Final = st.one_of(st.none(), st.just(CacheMark()), st.just(CacheMark("1h")))
_arguments: Final = st.sampled_from(
    ["{}", '{"a":1}', '{"a": 1, "b": [null, "x"]}', '{"text":"é\\n\\"q\\""}', '{"n":1e400}']
)


@st.composite
def seals(draw: st.DrawFn, vendors: tuple[str, ...] = tuple(SEAL_KINDS)) -> Seal:
    """Draw what a vendor gave out; its data is found in no other text."""
    vendor = draw(st.sampled_from(vendors))
    kind = draw(st.sampled_from(SEAL_KINDS[vendor]))
    data = f"sealed-{vendor}-{draw(st.integers(10**8, 10**9))}"
    if kind == "reasoning_details":
        data = json.dumps([{"type": "reasoning.encrypted", "data": data, "index": 0}])
    item_id = f"rs_{data}" if kind == "encrypted_content" else None
    return Seal(vendor=vendor, kind=kind, data=data, item_id=item_id)


def _users_parts(has_files: bool) -> st.SearchStrategy[Part]:
    kinds: list[st.SearchStrategy[Any]] = [st.builds(Text, texts, _marks)]
    if has_files:
        kinds += [
            st.just(Image(url="https://a.example/b.png")),
            st.just(Image(data=_PIXEL, media_type="image/png")),
            st.just(Document(data="JVBERi0=", media_type="application/pdf", title="a.pdf")),
        ]
    return st.one_of(*kinds)


@st.composite
def _steps(draw: st.DrawFn, calls: int, is_custom: bool) -> list[Turn]:
    """Draw what the assistant did before it answered: thoughts, calls, and their results."""
    thoughts = draw(st.lists(reasonings(), max_size=1))
    ids = draw(st.lists(_call_ids, min_size=calls, max_size=calls, unique=True))
    made: list[ToolCall] = []
    for at, call_id in enumerate(ids):
        custom = is_custom and at == 0
        made.append(
            ToolCall(
                call_id=call_id,
                name="grep" if custom else "look_up",
                arguments=draw(texts) if custom else draw(_arguments),
                is_custom=custom,
            )
        )
    results = [
        ToolResult(
            call_id=call.call_id,
            parts=draw(st.sampled_from([(Text("done"),), (Text("é\n2"),), ()])),
            is_error=draw(st.booleans()),
            is_custom=call.is_custom,
        )
        for call in made
    ]
    said = draw(st.lists(st.builds(Text, texts), max_size=1))
    turns = [Turn("assistant", (*thoughts, *said, *made))] if made or said else []
    return [*turns, *([Turn("tool", tuple(results))] if results else [])]


@st.composite
def reasonings(draw: st.DrawFn, vendors: tuple[str, ...] = tuple(SEAL_KINDS)) -> Reasoning:
    """Draw what a model thought, sealed by its vendor."""
    return Reasoning(text=draw(texts), seals=(draw(seals(vendors)),))


@st.composite
def conversations(draw: st.DrawFn, *, has_files: bool, is_custom: bool) -> tuple[Turn, ...]:
    """Draw turns that follow each other as they must: the user's are last."""
    turns: list[Turn] = []
    if draw(st.booleans()):
        turns.append(Turn("system", (Text(draw(texts)),)))
    for _ in range(draw(st.integers(0, 2))):
        turns.append(Turn("user", (Text(draw(texts)),)))
        turns += draw(_steps(draw(st.integers(0, 3)), is_custom))
        turns.append(Turn("assistant", (Text(draw(texts)),)))
        turns = _joined(turns)
    parts = draw(st.lists(_users_parts(has_files), min_size=1, max_size=3))
    turns.append(Turn("user", tuple(parts)))
    return tuple(turns)


def _joined(turns: list[Turn]) -> list[Turn]:
    """Make one turn of what the assistant said without a break."""
    found: list[Turn] = []
    for turn in turns:
        if found and found[-1].role == turn.role == "assistant":
            found[-1] = Turn("assistant", (*found[-1].parts, *turn.parts))
        else:
            found.append(turn)
    return found


_samplings: Final = st.builds(
    Sampling,
    temperature=st.sampled_from([None, 0.0, 0.5, 1.0]),
    stop=st.sampled_from([(), ("END",), ("a", "b")]),
)
_forms: Final = st.sampled_from(
    [None, Form(kind="json_schema", name="answer", schema=_CLOSED, strict=True)]
)
_thinkings: Final = st.sampled_from(
    [None, Thinking(effort="low"), Thinking(effort="high"), Thinking(effort="none")]
)


@st.composite
def askeds(draw: st.DrawFn, dialect: str = "openai_chat", *, has_stops: bool = True) -> Asked:
    """Draw a request, as a client of a dialect may have written it."""
    is_custom = draw(st.booleans())
    tools = [
        Tool(
            name="look_up",
            description=draw(st.one_of(st.none(), texts)),
            schema=draw(st.sampled_from([_SCHEMA, _NO_SCHEMA])),
            strict=draw(st.sampled_from([None, False])),
        )
    ]
    if is_custom:
        tools.append(Tool(name="grep", custom_format=draw(st.sampled_from(["", _GRAMMAR]))))
    choices = [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("named", ("look_up",))]
    sampling = draw(_samplings)
    return Asked(
        dialect=dialect,
        model="m",
        turns=draw(conversations(has_files=draw(st.booleans()), is_custom=is_custom)),
        tools=tuple(tools),
        tool_choice=draw(st.sampled_from([*choices, ToolChoice("required")])),
        is_parallel=draw(st.sampled_from([None, False])),
        form=draw(_forms),
        thinking=draw(_thinkings),
        sampling=sampling if has_stops else Sampling(temperature=sampling.temperature),
        max_tokens=draw(st.integers(1, 9_000)),
        is_stream=draw(st.booleans()),
        user=draw(st.one_of(st.none(), texts)),
    )
