"""Tests of slipstream.wire.completions.transcript."""

import pytest

from slipstream.errors import Unsupported
from slipstream.wire.chat.habits import Habits
from slipstream.wire.chat.sheet import Sheet
from slipstream.wire.completions.transcript import STOPS, goes_on, write_transcript
from slipstream.wire.talk.asking import (
    Asked,
    Audio,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark

USER = Turn("user", (Text("Hi"),))


def sheet(*turns: Turn, dialect: str = "openai_chat") -> Sheet:
    asked = Asked(dialect=dialect, model="m", turns=turns)
    return Sheet(asked, Target(vendor="lab", model="m"), Habits(parts=frozenset()))


def test_transcript_labels_who_speaks_and_leaves_the_next_word_to_the_model() -> None:
    """The system's first words stand above the talk, later ones in it."""
    turns = (
        Turn("system", (Text("Be brief."), Text("Be kind."))),
        USER,
        Turn("assistant", (Text("Hel"), Text("lo"), Refusal("!"))),
        Turn("system", (Text("Now rhyme."),)),
        Turn("user", (Text("One"), Text("Two"))),
    )
    assert write_transcript(sheet(*turns)) == (
        "Be brief.\n\nBe kind.\n\nUser: Hi\n\nAssistant: Hello!\n\nSystem: Now rhyme.\n\n"
        "User: One\n\nTwo\n\nAssistant:"
    )
    assert all(stop.strip() in write_transcript(sheet(*turns)) for stop in STOPS)


def test_transcript_goes_on_with_what_the_assistant_began() -> None:
    """No label follows a last turn that is the assistant's own."""
    turns = (USER, Turn("assistant", (Text("The answer is"),)))
    assert goes_on(turns)
    assert write_transcript(sheet(*turns)) == "User: Hi\n\nAssistant: The answer is"
    assert not goes_on((USER,))
    assert not goes_on(())


def test_transcript_names_what_it_leaves_out() -> None:
    """Reasoning, marks and names are no words of the talk; a turn of nothing else is none."""
    noted = sheet(
        Turn("user", (Text("Hi", cache=CacheMark()),), name="Ann"),
        Turn("assistant", (Reasoning(text="hmm"),)),
        USER,
    )
    assert write_transcript(noted) == "User: Hi\n\nUser: Hi\n\nAssistant:"
    assert noted.changes == ("name", "prompt_cache_breakpoint", "reasoning_content")


def test_transcript_holds_documents_that_are_text() -> None:
    """With their title, as any reader would want it."""
    document = Document(text="Once.", title="A story")
    assert write_transcript(sheet(Turn("user", (document,)))).startswith("User: A story\n\nOnce.")


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://example.com/a.png"),
        Audio("AA==", "wav"),
        Document(data="AA==", media_type="application/pdf"),
        ToolCall(call_id="c", name="f", arguments="{}"),
        ToolResult(call_id="c"),
    ],
)
@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        ("openai_chat", "messages"),
        ("openai_responses", "input"),
        ("anthropic_messages", "messages"),
    ],
)
def test_transcript_refuses_what_is_no_text(part: Part, dialect: str, field: str) -> None:
    """By the name that the client wrote."""
    with pytest.raises(Unsupported) as caught:
        write_transcript(sheet(Turn("user", (part,)), dialect=dialect))
    assert caught.value.param == field
