"""Items of a Responses request, joined to turns."""

import json
from typing import Any

import msgspec
import pytest

from slipstream.errors import BadRequest
from slipstream.wire.responses.items_in import Conversation, read_items
from slipstream.wire.talk.asking import Image, Reasoning, Seal, Text, ToolCall, ToolResult, Turn
from slipstream.wire.talk.parcels import CallSeal, Parcel, close_parcel

SEAL = Seal(vendor="anthropic", kind="signature", data="c2ln")


def _read(*items: Any) -> Conversation:
    placed = [
        (f"input[{at}]", msgspec.Raw(json.dumps(item).encode())) for at, item in enumerate(items)
    ]
    return read_items(None, placed, {})


def _call(call_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}", **more}


def test_read_items_of_one_answer_are_one_turn() -> None:
    """What the model thought, said and called; and the results of all its calls."""
    talk = _read(
        {"role": "user", "content": "a"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gA"},
        {"role": "assistant", "content": "b", "phase": "commentary"},
        _call("1"),
        {"type": "custom_tool_call", "call_id": "2", "name": "p", "input": "x"},
        {"type": "function_call_output", "call_id": "1", "output": "c"},
        {"type": "custom_tool_call_output", "call_id": "2", "output": "d"},
        {"role": "user", "content": "e"},
        {"role": "user", "content": "f"},
    )
    seal = Seal(vendor="openai", kind="encrypted_content", data="gA", item_id="rs_1")
    assert talk.turns == (
        Turn("user", (Text("a"),)),
        Turn(
            "assistant",
            (
                Reasoning(seals=(seal,)),
                Text("b"),
                ToolCall(call_id="1", name="f", arguments="{}"),
                ToolCall(call_id="2", name="p", arguments="x", is_custom=True),
            ),
        ),
        Turn(
            "tool",
            (
                ToolResult(call_id="1", parts=(Text("c"),)),
                ToolResult(call_id="2", parts=(Text("d"),), is_custom=True),
            ),
        ),
        Turn("user", (Text("e"),)),
        Turn("user", (Text("f"),)),
    )


def test_read_items_opens_what_we_closed() -> None:
    """Seals come back to where they belong: reasoning, or a call by its id, before or after it."""
    parcel = Parcel(text="t", is_summary=True, seals=(SEAL,))
    calls = Parcel(call_seals=(CallSeal("1", SEAL),))
    talk = _read(
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "short"}],
            "encrypted_content": close_parcel(parcel),
        },
        _call("1"),
        _call("2"),
        {"type": "reasoning", "summary": [], "encrypted_content": close_parcel(calls)},
    )
    assert talk.turns[0].parts == (
        Reasoning(text="t", is_summary=True, seals=(SEAL,)),
        ToolCall(call_id="1", name="f", arguments="{}", seals=(SEAL,)),
        ToolCall(call_id="2", name="f", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("item", "reasoning"),
    [
        ({"summary": [{"text": "a"}, {"text": "b"}]}, Reasoning(text="a\n\nb", is_summary=True)),
        ({"summary": [], "content": [{"text": "a"}]}, Reasoning(text="a")),
    ],
)
def test_read_items_reasoning_without_seal_is_its_text(item: Any, reasoning: Reasoning) -> None:
    """Open models seal nothing."""
    assert _read({"type": "reasoning", "id": "rs", **item}).turns[0].parts == (reasoning,)


def test_read_items_empty_reasoning_is_nothing() -> None:
    """OpenAI answers with such items where nothing may be shown."""
    assert _read({"type": "reasoning", "id": "rs_1", "summary": []}).turns == ()


def test_read_items_calls_that_the_client_carried_out() -> None:
    """A shell and a patch are tools of that name; a screenshot is a picture."""
    talk = _read(
        {"type": "local_shell_call", "id": "ls", "call_id": "1", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "1", "output": "a"},
        {"type": "shell_call", "call_id": "2", "action": {"commands": ["ls"]}},
        {"type": "shell_call_output", "call_id": "2", "output": [{"stdout": "b"}]},
        {"type": "apply_patch_call", "call_id": "3", "operation": {"type": "delete_file"}},
        {"type": "apply_patch_call_output", "call_id": "3", "status": "completed"},
        {"type": "computer_call", "call_id": "4", "action": {"type": "click"}},
        {
            "type": "computer_call_output",
            "call_id": "4",
            "output": {"type": "computer_screenshot", "image_url": "https://x.y"},
        },
    )
    calls = [part for turn in talk.turns for part in turn.parts if isinstance(part, ToolCall)]
    results = [part for turn in talk.turns for part in turn.parts if isinstance(part, ToolResult)]
    assert [call.name for call in calls] == ["local_shell", "shell", "apply_patch", "computer"]
    assert [json.loads(call.arguments) for call in calls][2] == {"type": "delete_file"}
    assert [result.call_id for result in results] == ["1", "2", "3", "4"]
    assert [result.parts for result in results] == [
        (Text("a"),),
        (Text('[{"stdout": "b"}]'),),
        (Text(""),),
        (Image(url="https://x.y"),),
    ]


def test_read_items_of_the_vendor_are_sealed_and_named() -> None:
    """What it carried out itself goes back to it alone; unknown items are nobody's error."""
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    talk = _read({"role": "user", "content": "a"}, item, {"type": "new"}, {"x": 1})
    seal = Seal(vendor="openai", kind="item", data=json.dumps(item), item_id="ws_1")
    assert talk.turns[1].parts[0] == Reasoning(seals=(seal,))
    assert talk.unheard == ("input[1] (web_search_call)", "input[2] (new)", "input[3] (no type)")


def test_read_items_offer_tools() -> None:
    """Codex and tool search put them among the items."""
    talk = _read(
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom"}]},
        {"type": "tool_search_output", "tools": [{"type": "function"}]},
    )
    assert [where for where, _ in talk.tools] == ["input[0].tools[0]", "input[1].tools[0]"]
    assert talk.turns == ()


def test_read_items_compaction_of_ours_is_its_text() -> None:
    """Another vendor's would be lost whole, so it is refused."""
    ours = close_parcel(Parcel(text="what was said"))
    talk = _read({"type": "compaction", "encrypted_content": ours})
    assert talk.turns == (Turn("user", (Text("what was said"),)),)
    with pytest.raises(BadRequest, match="only the vendor"):
        _read({"type": "compaction", "encrypted_content": "gA"})


def test_read_items_of_many_items_takes_no_longer_for_each() -> None:
    """Regression: joining neighbours copied the turn for each of them."""
    talk = _read(*[{"role": "assistant", "content": "a"}] * 20_000)
    assert len(talk.turns[0].parts) == 20_000


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "message", "role": "x", "content": "a"}, "input[0].role"),
        ({"type": "message", "content": "a"}, "input[0].role"),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "input[0].call_id"),
        ({"type": "function_call", "call_id": "1", "arguments": "{}"}, "input[0].name"),
        ({"type": "function_call", "call_id": "1", "name": "f"}, "input[0].arguments"),
        ({"type": "custom_tool_call", "call_id": "1", "name": "f"}, "input[0].input"),
        ({"type": "function_call_output", "output": ""}, "input[0].call_id"),
        ({"type": "function_call_output", "call_id": "1"}, "input[0].output"),
        (
            {
                "type": "function_call_output",
                "call_id": "1",
                "output": [{"type": "refusal", "refusal": "x"}],
            },
            "input[0].output",
        ),
        ({"type": "item_reference", "id": "rs_1"}, "input[0].id"),
        ({"id": "rs_1"}, "input[0].id"),
        ({"type": "compaction"}, "input[0].encrypted_content"),
        (
            {"type": "reasoning", "summary": [], "encrypted_content": "slipstream.1.x"},
            "input[0].encrypted_content",
        ),
    ],
)
def test_read_items_refuses_by_place(item: Any, param: str) -> None:
    """The error names the item and the field."""
    with pytest.raises(BadRequest) as caught:
        _read(item)
    assert caught.value.param == param
