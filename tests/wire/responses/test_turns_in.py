"""Items that belong together."""

from slipstream.wire.responses.turns_in import join_turns, with_seals
from slipstream.wire.talk.asking import Reasoning, Seal, Text, ToolCall, Turn

A, B = (Text("a"),), (Text("b"),)


def test_join_turns_joins_what_leads_and_what_is_one_answer() -> None:
    """Messages of users, and of the system between others, stay apart."""
    turns = [
        Turn("system", A),
        Turn("system", B),
        Turn("user", A),
        Turn("user", B),
        Turn("assistant", A),
        Turn("assistant", B),
        Turn("system", A),
        Turn("system", B),
    ]
    joined = join_turns(turns)
    assert joined == [
        Turn("system", A + B),
        Turn("user", A),
        Turn("user", B),
        Turn("assistant", A + B),
        Turn("system", A),
        Turn("system", B),
    ]
    assert join_turns(joined) == joined
    assert join_turns([]) == []


def test_with_seals_gives_each_call_its_own() -> None:
    """By its id; other parts are left alone."""
    seal = Seal(vendor="gemini", kind="thought_signature", data="eA")
    calls = tuple(ToolCall(call_id=name, name="f", arguments="{}") for name in "ab")
    turn = Turn("assistant", (Reasoning(text="t"), *calls))
    said = with_seals(turn, {"b": [seal]})
    assert said.parts[:2] == turn.parts[:2]
    sealed = said.parts[2]
    assert isinstance(sealed, ToolCall)
    assert sealed.seals == (seal,)
    assert with_seals(turn, {}) is turn
