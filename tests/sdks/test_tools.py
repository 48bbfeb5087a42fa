"""Tool calls through every SDK: whether, which, how many, and their results on the way back."""

import json
from typing import Any

import pytest

from tests.sdks.asking import Ask, Said, Sdks, each_sdk, every_way
from tests.sdks.node_host import NodeHost

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_forecast",
        "strict": True,
        "description": "Tells what the weather of a town will be.",
        "parameters": {
            "type": "object",
            "properties": {
                "town": {"type": "string", "enum": ["Oslo", "Lima"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
            },
            "required": ["town", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_time", "description": "Tells the time.", "strict": True},
}
QUESTION = {"role": "user", "content": "What will the weather of Oslo be?"}
ASKED: dict[str, Any] = {
    "model": "llama-3.3-70b",
    "messages": [QUESTION],
    "tools": [WEATHER],
    "max_completion_tokens": 80,
    "seed": 5,
}


def check_call(call: dict[str, Any]) -> None:
    """Check that a call has an id, and arguments that its tool takes."""
    assert call["type"] == "function"
    assert len(call["id"]) == 9
    arguments = json.loads(call["function"]["arguments"])
    if call["function"]["name"] == "get_time":
        assert arguments == {}
    else:
        assert call["function"]["name"] == "get_forecast"
        assert arguments["town"] in ("Oslo", "Lima")
        assert 1 <= arguments["days"] <= 9
        assert list(arguments) == ["town", "days"]


@every_way
def test_required_call_is_made_with_valid_arguments(ask: Ask) -> None:
    """A call is made, whole and within the schema."""
    said = ask(**ASKED, tool_choice="required", parallel_tool_calls=False)

    [call] = said.only.calls
    check_call(call)
    assert said.only.finish == "tool_calls"
    assert not said.only.text


@each_sdk
def test_named_tool_is_called_and_no_other(ask: Ask) -> None:
    """Of several tools the one that was named."""
    choice = {"type": "function", "function": {"name": "get_time"}}
    said = ask(**{**ASKED, "tools": [WEATHER, CLOCK]}, tool_choice=choice)

    for call in said.only.calls:
        check_call(call)
    assert {call["function"]["name"] for call in said.only.calls} == {"get_time"}


@each_sdk
def test_offered_tools_leave_the_choice_to_the_model(ask: Ask) -> None:
    """With `auto`, said or not, an answer is text or calls, and is the same either way."""
    model = "zai-glm-4.7"
    silent, said = (
        ask(**{**ASKED, "model": model, "temperature": 0}, **more)
        for more in ({}, {"tool_choice": "auto"})
    )

    assert silent.text == said.text
    assert len(silent.only.calls) == len(said.only.calls)
    for call in said.only.calls:
        check_call(call)
    assert said.text or said.only.calls or said.only.reasoning
    assert (said.only.finish == "tool_calls") == bool(said.only.calls)


@each_sdk
def test_tool_choice_none_calls_nothing(ask: Ask) -> None:
    """Tools that may not be called are not."""
    said = ask(**{**ASKED, "max_completion_tokens": 12}, tool_choice="none")

    assert said.text
    assert said.only.calls == []


@each_sdk
def test_parallel_calls_are_made_and_can_be_barred(ask: Ask) -> None:
    """Several calls come in one answer where they may, and exactly one where they may not."""
    asked = {**ASKED, "tools": [WEATHER, CLOCK], "tool_choice": "required"}
    asked["max_completion_tokens"] = 300
    tried = (ask(**{**asked, "seed": seed}, parallel_tool_calls=True) for seed in range(30))
    several = next(said for said in tried if _is_whole(said) and len(said.only.calls) > 1)
    one = ask(**asked, parallel_tool_calls=False)

    assert len({call["id"] for call in several.only.calls}) == len(several.only.calls)
    for call in several.only.calls:
        check_call(call)
    assert len(one.only.calls) == 1


def _is_whole(said: Said) -> bool:
    return said.only.finish == "tool_calls"


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
@pytest.mark.parametrize("model", ["llama-3.3-70b", "zai-glm-4.7", "gpt-oss-120b"])
def test_tool_results_go_back_to_the_model(sdks: Sdks, sdk: str, model: str) -> None:
    """The SDK's own message object goes back as it came, with a result for each call."""
    client: Any = getattr(sdks, sdk)
    messages: list[Any] = [QUESTION]
    asked = {**ASKED, "model": model, "messages": messages, "max_completion_tokens": 120}
    answer = client.chat.completions.create(**asked, tool_choice="required", temperature=0)
    choice = answer.choices[0].message
    messages.append(choice)
    for call in choice.tool_calls:
        town = json.loads(call.function.arguments)["town"]
        result = json.dumps({"town": town, "celsius": 7})
        messages.append({"role": "tool", "content": result, "tool_call_id": call.id})
    last = client.chat.completions.create(**asked, tool_choice="none", temperature=0)
    asked["messages"] = [QUESTION]
    bare = client.chat.completions.create(**asked, tool_choice="none", temperature=0)

    assert choice.tool_calls
    assert last.choices[0].message.content
    assert last.usage.prompt_tokens > bare.usage.prompt_tokens


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_tool_loop_of_javascript_ends_with_an_answer(node: NodeHost, sdk: str) -> None:
    """Call, carry out, answer: the same in JavaScript."""
    body = {**ASKED, "tool_choice": "required", "max_completion_tokens": 120}
    said = node.run("toolLoop", sdk=sdk, body=body, results={"get_forecast": {"celsius": 7}})

    assert said["first"] == "tool_calls"
    assert all(call["arguments"]["town"] in ("Oslo", "Lima") for call in said["calls"])
    assert said["last"]["choices"][0]["message"]["content"]
