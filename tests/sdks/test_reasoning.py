"""Reasoning through every SDK, on the embedded model with a template that opens a think tag."""

import json
from typing import Any

import pytest
from cerebras.cloud import sdk as cerebras

from tests.sdks.asking import Ask, Said, Sdks, each_sdk, in_a_pair

ASKED: dict[str, Any] = {
    "model": "gpt-oss-120b",
    "messages": [{"role": "user", "content": "Where is Paris?"}],
    "temperature": 0,
    "max_completion_tokens": 60,
}
BEGIN, END = "<think>", "</think>"


def check_counts(said: Said) -> None:
    """Check that reasoning was counted, shown or not, as part of the completion."""
    assert 0 < said.details["reasoning_tokens"] < said.usage["completion_tokens"]


@each_sdk
@pytest.mark.parametrize("shown", ["parsed", "text_parsed", "raw", "hidden"])
def test_reasoning_goes_where_the_format_says(ask: Ask, shown: str) -> None:
    """A field of its own, in front of the content, or nowhere; counted in any case."""
    said = ask(**{**ASKED, "model": "qwen-3-32b"}, reasoning_format=shown)

    check_counts(said)
    assert said.text
    if shown == "raw":
        thought, _, answer = said.text.partition(END)
        assert thought.startswith(BEGIN)
        assert thought.removeprefix(BEGIN).strip()
        assert answer.strip()
    else:
        assert BEGIN not in said.text
        assert END not in said.text
    assert bool(said.only.reasoning) == (shown in ("parsed", "text_parsed"))


@pytest.mark.parametrize(
    ("model", "is_raw"), [("gpt-oss-120b", False), ("zai-glm-4.7", False), ("qwen-3-32b", True)]
)
@in_a_pair
def test_default_format_is_the_models(ask: Ask, model: str, is_raw: bool) -> None:
    """`none` and nothing mean what the model does by itself."""
    silent, said = (
        ask(**{**ASKED, "model": model}, **more) for more in ({}, {"reasoning_format": "none"})
    )

    assert silent.only == said.only
    assert said.text.startswith(BEGIN) == is_raw
    assert bool(said.only.reasoning) == (not is_raw)
    check_counts(said)


@in_a_pair
def test_raw_is_hidden_where_json_is_asked_for(ask: Ask) -> None:
    """A model that shows its reasoning in the content does not where that must be JSON."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": _SCHEMA}}
    said = ask(**{**ASKED, "model": "qwen-3-32b"}, response_format=form)

    assert json.loads(said.text) == {"city": "Paris"}
    assert said.only.reasoning is None
    check_counts(said)


_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "const": "Paris"}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("shown", ["parsed", "text_parsed", "raw", "hidden"])
@pytest.mark.parametrize("ask", ["cerebras-stream", "cerebras-js"], indirect=True)
def test_parsed_reasoning_has_logprobs_of_its_own(ask: Ask, shown: str) -> None:
    """`parsed` tells the reasoning's tokens apart; elsewhere all that is shown is in one list."""
    said = ask(
        **{**ASKED, "model": "qwen-3-32b"},
        reasoning_format=shown,
        logprobs=True,
        top_logprobs=2,
    )

    assert bool(said.only.thought_tokens) == (shown == "parsed")
    assert said.only.tokens
    for token in said.only.tokens + said.only.thought_tokens:
        assert token["logprob"] <= 0
        assert len(token["top_logprobs"]) == 2
    if shown == "parsed":
        thought = b"".join(bytes(token["bytes"]) for token in said.only.thought_tokens).decode()
        assert said.only.reasoning is not None
        assert said.only.reasoning.strip() in thought


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
@in_a_pair
def test_effort_is_accepted_as_the_model_has_it(ask: Ask, effort: str) -> None:
    """Each level reasons; it is a standard field of OpenAI's client as well."""
    said = ask(**ASKED, reasoning_effort=effort)

    assert said.only.reasoning
    check_counts(said)


@pytest.mark.parametrize(
    ("model", "effort"),
    [("gpt-oss-120b", "none"), ("zai-glm-4.7", "high"), ("llama3.1-8b", "low")],
)
def test_effort_that_the_model_has_not_is_refused(sdks: Sdks, model: str, effort: Any) -> None:
    """The levels are the model's own."""
    asked: Any = {**ASKED, "model": model, "reasoning_effort": effort}
    with pytest.raises(cerebras.BadRequestError) as caught:
        sdks.cerebras.chat.completions.create(**asked)

    body: Any = caught.value.body
    assert body["code"] == "wrong_api_format"


@in_a_pair
@pytest.mark.parametrize("switch", [{"reasoning_effort": "none"}, {"disable_reasoning": True}])
def test_reasoning_can_be_switched_off(ask: Ask, switch: dict[str, Any]) -> None:
    """The new way and the deprecated one."""
    said = ask(**{**ASKED, "model": "zai-glm-4.7"}, **switch)

    assert said.text
    assert said.only.reasoning is None
    assert said.details["reasoning_tokens"] == 0


_ANSWER = "Paris is a city in France."
_THOUGHT = "They ask about a town."
_EARLIER = {
    "in the content": {"content": f"{_THOUGHT} {_ANSWER}"},
    "between tags": {"content": f"{BEGIN}{_THOUGHT}{END}{_ANSWER}"},
    "a field": {"content": _ANSWER, "reasoning": _THOUGHT},
}


@pytest.mark.parametrize("way", _EARLIER)
@pytest.mark.parametrize("model", ["gpt-oss-120b", "zai-glm-4.7"])
@in_a_pair
def test_reasoning_of_earlier_turns_is_taken(ask: Ask, model: str, way: str) -> None:
    """All three ways to say what was thought before are accepted."""
    earlier = {"role": "assistant", **_EARLIER[way]}
    last = {"role": "user", "content": "And where is Rome?"}
    said = ask(**{**ASKED, "model": model, "messages": [*ASKED["messages"], earlier, last]})

    assert said.text
    assert said.only.reasoning


def test_clear_thinking_decides_what_the_model_reads(sdks: Sdks) -> None:
    """Reasoning of turns before the last user's is left out, and kept where that is asked for."""
    earlier: Any = {"role": "assistant", "content": _ANSWER, "reasoning": _THOUGHT * 20}
    last: Any = {"role": "user", "content": "And where is Rome?"}
    asked: Any = {
        **ASKED,
        "model": "zai-glm-4.7",
        "messages": [*ASKED["messages"], earlier, last],
    }
    silent, cleared, kept = (
        sdks.cerebras.chat.completions.create(**asked, **more).to_dict()["usage"]["prompt_tokens"]
        for more in ({}, {"clear_thinking": True}, {"clear_thinking": False})
    )

    assert silent == cleared < kept


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_answer_of_the_sdk_goes_back_as_it_came(sdks: Sdks, sdk: str) -> None:
    """A message with reasoning, as the SDK holds it, is an assistant's turn of the next request."""
    client: Any = getattr(sdks, sdk)
    messages: list[Any] = [*ASKED["messages"]]
    answer = client.chat.completions.create(**{**ASKED, "messages": messages})
    messages += [answer.choices[0].message, {"role": "user", "content": "And where is Rome?"}]
    again = client.chat.completions.create(**{**ASKED, "messages": messages})

    assert answer.choices[0].message.reasoning
    assert again.choices[0].message.content


def test_reasoning_content_is_no_field_of_a_message(sdks: Sdks) -> None:
    """The other providers' name of the field is refused, in the documented words."""
    wrong: Any = {"role": "assistant", "content": _ANSWER, "reasoning_content": _THOUGHT}
    last: Any = {"role": "user", "content": "And?"}
    with pytest.raises(cerebras.BadRequestError) as caught:
        sdks.cerebras.chat.completions.create(**{**ASKED, "messages": [wrong, last]})

    path = "messages.0.assistant.reasoning_content"
    body: Any = caught.value.body
    assert body["message"] == f"{path}: property '{path}' is unsupported"
    assert body["param"] == "validation_error"
