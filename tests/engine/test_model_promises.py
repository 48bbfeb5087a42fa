"""What the strict API on top of the engine builds on, each promise with the real model.

Times, queues and accounts are those that the engine measured; demands hold at any temperature.
"""

import json
from typing import Any, Literal

import pytest

from slipstream.engine.grammar_spec import JsonObject, JsonSchema, Tool, ToolUse
from slipstream.engine.protocol import ChatMessage, Generate
from tests.engine.campaign import Answered, House, embedded, faults
from tests.engine.grammar_drive import tokens_of

Choice = Literal["auto", "none", "required", "named"]

CITY = ChatMessage("user", "Tell me the weather in Paris, and the time.")
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "unit": {"enum": ["C", "F"]},
        "city": {"enum": ["Paris", "Rome"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["days", "city", "unit"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "Tells the weather.", json.dumps(PARAMETERS), is_strict=True)
TIME = Tool("get_time", "Tells the time.", is_strict=True)
LOOSE = Tool("guess", "Guesses.", json.dumps({**PARAMETERS, "minProperties": 1}))
LOOSER = Tool("wish", "Wishes.", json.dumps({"type": "object", "$dynamicRef": "#x"}))


def asked(**fields: Any) -> Generate:
    """Return a short request."""
    given: dict[str, Any] = {"messages": (CITY,), "max_tokens": 8, "temperature": 0.0, **fields}
    return Generate(request_id=1, **given)


def answers_of(*requests: Generate, at_once: int = 32) -> list[list[Answered]]:
    """Return the answers of requests that came together, by choice."""
    house = House(embedded(), at_once=at_once)
    answers = [house.ask_many(each) for each in requests]
    house.work()
    return answers


# ---- times --------------------------------------------------------------------------------------


def test_times_of_one_that_waited_are_in_its_queue() -> None:
    """The second of two that share one place waits for as long as the first is answered."""
    ((first,), (second,)) = answers_of(asked(), asked(), at_once=1)

    assert first.end is not None
    assert second.end is not None
    assert second.end.queue_s > first.end.queue_s + first.end.completion_s
    for end in (first.end, second.end):
        assert end.queue_s > 0
        assert end.prompt_s > 0
        assert end.completion_s > 0


def test_times_of_several_choices_reach_to_the_last() -> None:
    """Where one choice is done long before another, the request goes on."""
    stop = asked(num_choices=3, temperature=1.5, seed=4, max_tokens=24, stop=("e",))
    (choices,) = answers_of(stop)

    assert choices[0].end is not None
    assert {choice.finish for choice in choices} <= {"stop", "length"}
    lengths = [sum(delta.num_tokens for delta in choice.deltas) for choice in choices]
    assert len(set(lengths)) > 1
    assert choices[0].end.completion_tokens == sum(lengths)
    assert choices[0].end.completion_s > 0


# ---- demands ------------------------------------------------------------------------------------


def test_tool_choices_hold_at_a_high_temperature() -> None:
    """Each choice gives what it says; one call where there may be one, the named one if named."""
    choices: list[Choice] = ["required", "named", "auto", "none"]
    uses = [
        ToolUse(tools=tools, choice=choice, name=tools[0].name, is_parallel=is_parallel)
        for tools in ((WEATHER, TIME), (LOOSE, LOOSER))
        for choice in choices
        for is_parallel in (True, False)
    ]
    answered = answers_of(
        *(asked(tool_use=use, temperature=1.5, seed=3, max_tokens=90) for use in uses)
    )

    for use, (answer,) in zip(uses, answered, strict=True):
        names = [call.name for call in answer.calls]
        assert use.choice != "none" or not names
        assert use.choice != "named" or names == [use.tools[0].name]
        assert use.choice != "required" or names
        assert len(names) <= 1 or (use.is_parallel and use.choice != "named")
        assert not names or answer.finish == "tool_calls"
        for call in answer.calls:
            assert call.name in [tool.name for tool in use.tools]
            arguments = json.loads(call.arguments)
            if call.name == WEATHER.name:
                assert list(arguments) == list(PARAMETERS["properties"])  # the schema's order


def test_json_object_is_one_at_a_high_temperature() -> None:
    """Whatever it holds, it is an object, and whole."""
    demand = asked(form=JsonObject(), temperature=1.5, seed=2, num_choices=4, max_tokens=120)
    (answers,) = answers_of(demand)

    assert [answer.finish for answer in answers] == ["stop"] * 4
    assert all(isinstance(json.loads(answer.text), dict) for answer in answers)


def test_document_brought_to_its_end_is_the_same_beside_others() -> None:
    """With a seed nothing changes an answer, nor where its end begins."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "n": {"type": "integer", "multipleOf": 7}},
        "required": ["a", "n"],
        "additionalProperties": False,
    }
    form = JsonSchema(json.dumps(schema))
    seeded = [asked(form=form, temperature=1.5, seed=n, max_tokens=60) for n in range(3)]
    alone = [answers_of(each)[0][0] for each in seeded]
    together = [answer for (answer,) in answers_of(*seeded, asked(max_tokens=60))][:3]

    assert [answer.text for answer in together] == [answer.text for answer in alone]
    for answer in alone:
        assert answer.finish == "stop"
        assert list(faults(answer.text, schema)) == []


def test_form_outweighs_a_least_length() -> None:
    """Where a grammar is over, an answer that should be longer ends all the same."""
    ((answer,),) = answers_of(
        asked(
            tool_use=ToolUse(tools=(TIME,), choice="required", is_parallel=False),
            min_tokens=100,
            max_tokens=150,
        )
    )

    assert [call.name for call in answer.calls] == [TIME.name]
    assert answer.finish == "tool_calls"


# ---- accounts -----------------------------------------------------------------------------------


def test_cached_tokens_are_of_one_tenant_and_one_key() -> None:
    """A prompt is found again by who sent it, under the key that it was sent under."""
    prompt = tuple(range(100, 500))
    house = House(embedded())
    found = []
    for tenant, key in (("a", ""), ("a", ""), ("a", "k"), ("a", "k"), ("b", ""), ("b", "k")):
        answer = house.ask(asked(messages=(), prompt=prompt, tenant=tenant, cache_key=key))
        house.work()
        assert answer.started is not None
        found.append(answer.started.cached_tokens)

    assert found == [0, 384, 0, 384, 0, 0]


def test_prediction_is_counted_as_accepted_and_rejected() -> None:
    """What was right is part of the completion, what was wrong is not."""
    ((plain,),) = answers_of(asked(max_tokens=40, seed=1))
    half = plain.text[: len(plain.text) // 2]
    ((right,), (wrong,)) = answers_of(
        asked(max_tokens=40, prediction=plain.text),
        asked(max_tokens=40, prediction=half + " and now for something else entirely, my friend."),
    )

    assert right.text == wrong.text == plain.text
    assert right.end is not None
    assert wrong.end is not None
    assert right.end.accepted_tokens > 20
    assert 5 < wrong.end.accepted_tokens < right.end.accepted_tokens
    assert wrong.end.rejected_tokens > 0
    assert wrong.end.completion_tokens == right.end.completion_tokens == 40


def test_tokens_and_prompt_are_told_where_they_are_asked_for() -> None:
    """Ids add up to the answer, those that end it included; the prompt is spelled as read."""
    house = House(embedded())
    told = house.ask(asked(wants_tokens=True, wants_prompt=True, max_tokens=20, stop=("is",)))
    house.work()
    ids_of_prompt = tuple(tokens_of("<|im_start|>Once upon a time"))
    again = house.ask(asked(messages=(), prompt=ids_of_prompt, wants_prompt=True))
    house.work()

    ids = [token_id for delta in told.deltas for token_id in delta.tokens]
    assert told.end is not None
    assert len(ids) == told.end.completion_tokens
    assert told.started is not None
    assert told.started.prompt_text.endswith(f"{CITY.content}<|im_end|>\n<|im_start|>assistant\n")
    ((bare,),) = answers_of(asked())
    assert bare.started is not None
    assert (bare.started.prompt_text, bare.deltas[0].tokens) == ("", ())
    assert again.started is not None
    assert again.started.prompt_text == "<|im_start|>Once upon a time"


@pytest.mark.parametrize("max_tokens", [0, -1])
def test_limit_below_one_is_refused(max_tokens: int) -> None:
    """`-1` means no limit to some callers; it reaches the engine as none at all."""
    ((answer,),) = answers_of(asked(max_tokens=max_tokens))

    assert answer.failed is not None
    assert answer.failed.param == "max_tokens"
