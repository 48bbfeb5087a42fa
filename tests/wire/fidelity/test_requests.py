"""What is asked survives being written in a dialect and read again, also by way of another one."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from slipstream.errors import Unsupported
from slipstream.wire.chat import reading as chat_reading
from slipstream.wire.chat import writing as chat_writing
from slipstream.wire.messages import reading as messages_reading
from slipstream.wire.messages import writing as messages_writing
from slipstream.wire.responses import reading as responses_reading
from slipstream.wire.responses import writing as responses_writing
from slipstream.wire.talk.asking import (
    Asked,
    Reasoning,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Written,
)
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Sampling, Thinking, Tool
from tests.wire.fidelity.asking import askeds
from tests.wire.fidelity.effort import many
from tests.wire.fidelity.losses import CHAT, FEATURES, LOST, MESSAGES, RESPONSES, kept


class _Codec(NamedTuple):
    write: Callable[[Asked, Target], Written]
    read: Callable[[bytes], Asked]
    target: Target
    legal_id: re.Pattern[str]


def _read_responses(body: bytes) -> Asked:
    return responses_reading.read_asked(body).asked


CODECS: Final = {
    CHAT: _Codec(
        chat_writing.write_asked,
        chat_reading.read_asked,
        Target(vendor="openai", model="gpt-5.4"),
        re.compile(r".{1,64}", re.DOTALL),
    ),
    MESSAGES: _Codec(
        messages_writing.write_asked,
        messages_reading.read_asked,
        Target(vendor="anthropic", model="claude-sonnet-5", is_adaptive_only=True),
        re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    ),
    RESPONSES: _Codec(
        responses_writing.write_asked,
        _read_responses,
        Target(vendor="openai", model="gpt-5.4"),
        re.compile(r".{1,64}", re.DOTALL),
    ),
}
_PAIRS: Final = [(one, other) for one in CODECS for other in CODECS if one != other]
_ids: Final = re.compile(r'"(?:id|call_id|tool_use_id|tool_call_id)":("(?:[^"\\]|\\.)*")')

dialects = st.sampled_from(tuple(CODECS))


def _through(asked: Asked, dialect: str) -> Asked:
    codec = CODECS[dialect]
    return codec.read(codec.write(asked, codec.target).body)


def _drawn(data: st.DataObject, *through: str) -> Asked:
    return data.draw(askeds(through[0], has_stops=RESPONSES not in through))


@pytest.mark.parametrize("dialect", CODECS)
@many
@given(data=st.data())
def test_request_of_a_dialect_is_written_as_it_was_read(dialect: str, data: st.DataObject) -> None:
    """The two are inverse: what a client of the dialect can say comes out as it went in."""
    once = _through(_drawn(data, dialect), dialect)
    assert _comparable(_through(once, dialect)) == _comparable(once)


def _comparable(asked: Asked) -> dict[str, Any]:
    fields = msgspec.structs.asdict(asked)
    return {**fields, "extras": {name: bytes(raw) for name, raw in asked.extras.items()}}


@pytest.mark.parametrize("dialect", CODECS)
@many
@given(data=st.data())
def test_request_in_a_dialect_keeps_what_it_can_say(dialect: str, data: st.DataObject) -> None:
    """All features but those that losses.py names."""
    asked = _drawn(data, CHAT if dialect != CHAT else MESSAGES, dialect)
    assert kept(_through(asked, dialect), dialect) == kept(asked, dialect)


@pytest.mark.parametrize(("own", "other"), _PAIRS)
@many
@given(data=st.data())
def test_request_comes_back_from_another_dialect(own: str, other: str, data: st.DataObject) -> None:
    """To another dialect and back, what both can say is as it was."""
    asked = _drawn(data, own, other)
    there = _through(_through(asked, own), other)
    back = _through(there, own)
    assert kept(back, own, other) == kept(asked, own, other)


@pytest.mark.parametrize("dialect", CODECS)
@many
@given(data=st.data())
def test_call_ids_are_legal_and_still_pair(dialect: str, data: st.DataObject) -> None:
    """Whatever ids a provider gave out, the next one takes them; `results` of kept() pairs them."""
    codec = CODECS[dialect]
    body = codec.write(_drawn(data, CHAT, dialect), codec.target).body.decode()
    for found in _ids.findall(body):
        if not found.startswith('"rs_'):
            assert codec.legal_id.fullmatch(msgspec.json.decode(found)), found


_SEAL: Final = Seal(vendor="openrouter", kind="reasoning_details", data="[]")
_LOSING: Final = Asked(
    dialect="another",
    model="m",
    turns=(
        Turn("user", (Text("a", CacheMark("1h")),)),
        Turn(
            "assistant",
            (
                Reasoning(text="hm", seals=(_SEAL,)),
                ToolCall(call_id="x" * 90, name="grep", arguments="b", is_custom=True),
            ),
        ),
        Turn("tool", (ToolResult(call_id="x" * 90, parts=(Text("c"),), is_error=True),)),
    ),
    tools=(Tool(name="grep", custom_format=""),),
    thinking=Thinking(effort="high"),
    sampling=Sampling(temperature=0.5),
    max_tokens=100,
)


@pytest.mark.parametrize("dialect", CODECS)
def test_losses_are_lost(dialect: str) -> None:
    """A reason for what is kept after all would excuse the next defect."""
    through = _through(_LOSING, dialect)
    found = {name for name, find in FEATURES.items() if find(through) != find(_LOSING)}
    assert found == LOST[dialect].keys() - {"stop"}


def test_stops_are_refused_where_there_is_no_word_for_them() -> None:
    """Which is no loss: the client is told, or another dialect is spoken."""
    asked = structs.replace(_LOSING, sampling=Sampling(stop=("a",)))
    with pytest.raises(Unsupported):
        _through(asked, RESPONSES)
