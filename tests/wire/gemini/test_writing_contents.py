"""Tests of slipstream.wire.gemini.writing_contents."""

from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.gemini.writing import write_asked
from slipstream.wire.talk.asking import (
    Asked,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.marks import CacheMark
from slipstream.wire.talk.means import Tool

HELLO = Turn("user", (Text("hello"),))
HELLO_CONTENT = {"role": "user", "parts": [{"text": "hello"}]}
TOOL = Tool(name="f", description="d", schema='{"type":"object","$ref":"#/a"}', strict=True)
SIGNED = Seal(vendor="gemini", kind="thought_signature", data="sig")
FOREIGN = Seal(vendor="anthropic", kind="signature", data="x")


def write(model: str = "gemini-3-pro", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    efforts = fields.pop("efforts", ())
    fields = {"dialect": "openai_chat", "model": "m", "turns": (HELLO,), **fields}
    target = Target(vendor="gemini", model=model, efforts=efforts)
    written = write_asked(Asked(**fields), target)
    return msgspec.json.decode(written.body), written.changes


def contents(*turns: Turn, model: str = "gemini-3-pro") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = write(model, turns=(HELLO, *turns))[0]["contents"]
    assert found[0]["parts"][0] == {"text": "hello"}
    return found


def model_parts(*parts: Part, model: str = "gemini-3-pro") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = contents(Turn("assistant", parts), model=model)[1]["parts"]
    return found


def test_write_contents_systems() -> None:
    """What leads is the instruction, what comes later is told by the user, one alone is said."""
    system = Turn("system", (Text("a", CacheMark()), Text("b")))
    body, changes = write(turns=(system, HELLO, Turn("system", (Text("c"),))))
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert body["contents"][0]["parts"] == [{"text": "hello"}, {"text": "<system>c</system>"}]
    assert changes == ("prompt_cache_breakpoint", "system -> user")
    alone, _ = write(turns=(system,))
    assert alone == {"contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]}


def test_write_contents_the_user_speaks_first() -> None:
    """History that begins with the model gets an empty beginning; empty texts are left out."""
    body, _ = write(turns=(Turn("assistant", (Text("a"), Text(""), Refusal("no"))),))
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": " "}]},
        {"role": "model", "parts": [{"text": "a"}, {"text": "no"}]},
    ]


def test_write_contents_results_find_names_and_order() -> None:
    """All results of a step stand in one content, by name, in the order of the calls."""
    calls = Turn(
        "assistant",
        (
            ToolCall(call_id="1", name="f", arguments='{"a":1}', seals=(SIGNED,)),
            ToolCall(call_id="2", name="g", arguments="[1]"),
            ToolCall(call_id="3", name="c", arguments="x", is_custom=True),
        ),
    )
    image = Image(data="QQ", media_type="image/png")
    results = Turn(
        "tool",
        (
            ToolResult(call_id="2", parts=(Text("bad"),), is_error=True),
            ToolResult(call_id="1", parts=(Text("a"), Text("b"), image)),
            ToolResult(call_id="9", name="other"),
        ),
    )
    more = Turn("user", (Text("go on"),))
    _, called, answered = contents(calls, results, more)
    first, second, third = called["parts"]
    assert first == {
        "functionCall": {"id": "1", "name": "f", "args": {"a": 1}},
        "thoughtSignature": "sig",
    }
    assert second == {"functionCall": {"id": "2", "name": "g", "args": {}}}
    assert third["functionCall"]["args"] == {"input": "x"}
    shown = {"inlineData": {"mimeType": "image/png", "data": "QQ"}}
    result = {"id": "1", "name": "f", "response": {"result": "a\nb"}}
    error = {"id": "2", "name": "g", "response": {"error": "bad"}}
    other = {"id": "9", "name": "other", "response": {"result": ""}}
    assert answered["parts"] == [
        {"functionResponse": {**result, "parts": [shown]}},
        {"functionResponse": error},
        {"functionResponse": other},
        {"text": "go on"},
    ]
    older = contents(calls, results, model="gemini-2.5-pro")[2]["parts"]
    assert older[:2] == [{"functionResponse": result}, shown]


def test_write_contents_result_without_a_call_is_refused() -> None:
    """Gemini wants the name of the function, which only the call tells."""
    with pytest.raises(BadRequest, match="'9'"):
        contents(Turn("tool", (ToolResult(call_id="9"),)))


def test_write_contents_signatures() -> None:
    """Own ones return to their part; calls that have none are excused, other vendors' withheld."""
    own, foreign = Reasoning(seals=(SIGNED,)), Reasoning(text="hm", seals=(FOREIGN,))
    call = ToolCall(call_id="1", name="f", arguments="{}")
    function = {"functionCall": {"id": "1", "name": "f", "args": {}}}
    excused = {**function, "thoughtSignature": "skip_thought_signature_validator"}
    assert model_parts(own, Text("a"), Text("b")) == [
        {"text": "a"},
        {"text": "b", "thoughtSignature": "sig"},
    ]
    assert model_parts(own) == [{"text": "", "thoughtSignature": "sig"}]
    assert model_parts(foreign, call, call) == [excused, function]
    assert model_parts(foreign, call, model="gemini-2.5-pro") == [function]
    turns = (HELLO, Turn("assistant", (foreign, Text("a"))))
    assert write(turns=turns)[1] == ("reasoning_content",)
    assert write(turns=(HELLO, Turn("assistant", (foreign,))))[0]["contents"] == [HELLO_CONTENT]


def test_write_contents_signatures_are_the_targets_own() -> None:
    """Regression: a provider with another name got what Gemini had signed, and not its own."""
    own = Seal(vendor="lab", kind="thought_signature", data="own")
    call = ToolCall(call_id="1", name="f", arguments="{}", seals=(SIGNED, own))
    asked = Asked(dialect="openai_chat", model="m", turns=(HELLO, Turn("assistant", (call,))))
    body = write_asked(asked, Target(vendor="lab", model="gemini-3-pro")).body
    assert msgspec.json.decode(body)["contents"][1]["parts"][0]["thoughtSignature"] == "own"
