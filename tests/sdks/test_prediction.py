"""Predicted outputs through every SDK: what was guessed right and wrong is counted."""

from typing import Any

import pytest
from cerebras.cloud import sdk as cerebras

from tests.sdks.asking import Ask, Sdks, each_sdk, every_way

STYLE = """
body {
    margin: 0;
    padding: 0;
    colour: red;
    border: none;
}
"""
ASKED: dict[str, Any] = {
    "model": "llama3.1-8b",
    "messages": [
        {"role": "user", "content": "Write this again, only that:"},
        {"role": "user", "content": STYLE},
    ],
    "temperature": 0,
    "max_completion_tokens": 32,
}


@pytest.fixture(scope="module")
def expected(cerebras_client: cerebras.Cerebras) -> str:
    """What the model says by itself."""
    answer: Any = cerebras_client.chat.completions.create(**ASKED)
    text: str = answer.choices[0].message.content
    assert answer.usage.completion_tokens_details.accepted_prediction_tokens == 0
    assert answer.usage.completion_tokens_details.rejected_prediction_tokens == 0
    return text


@every_way
def test_predicted_tokens_are_counted(ask: Ask, expected: str) -> None:
    """A right guess is accepted for the most part, and changes nothing of the answer."""
    said = ask(**ASKED, prediction={"type": "content", "content": expected})

    assert said.text == expected
    assert said.details["accepted_prediction_tokens"] >= 16
    assert said.usage["completion_tokens"] >= said.details["accepted_prediction_tokens"]


@each_sdk
def test_prediction_in_parts_is_one_text(ask: Ask, expected: str) -> None:
    """A list of parts guesses what their texts say together."""
    half = len(expected) // 2
    parts = [{"type": "text", "text": text} for text in (expected[:half], expected[half:])]
    said = ask(**ASKED, prediction={"type": "content", "content": parts})

    assert said.text == expected
    assert said.details["accepted_prediction_tokens"] >= 16


@each_sdk
def test_wrong_prediction_is_rejected(ask: Ask, expected: str) -> None:
    """A guess that goes wrong is counted as rejected, and billed as part of the completion."""
    guess = expected[: len(expected) // 2] + " and now for something completely different, " * 4
    said = ask(**ASKED, prediction={"type": "content", "content": guess})

    assert said.text == expected
    assert said.details["rejected_prediction_tokens"] > 0
    assert said.details["accepted_prediction_tokens"] > 0


@each_sdk
def test_prediction_goes_with_reasoning(ask: Ask) -> None:
    """A reasoning model takes one as well."""
    messages = [{"role": "user", "content": "Where is Paris?"}]
    said = ask(
        model="gpt-oss-120b",
        messages=messages,
        temperature=0,
        max_completion_tokens=60,
        prediction={"type": "content", "content": "Paris is a city."},
    )

    assert said.text
    assert said.only.reasoning
    counts = (said.details[f"{what}_prediction_tokens"] for what in ("accepted", "rejected"))
    assert sum(counts) > 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"logprobs": True}, '"prediction" is incompatible with "logprobs"'),
        ({"n": 2}, '"prediction" is incompatible with "n" greater than 1'),
        (
            {"tools": [{"type": "function", "function": {"name": "get_time"}}]},
            '"prediction" is incompatible with "tools"',
        ),
        ({"model": "qwen-3-32b"}, '"prediction" is not supported by this model'),
    ],
    ids=["logprobs", "n", "tools", "model"],
)
def test_prediction_is_refused_beside(sdks: Sdks, more: dict[str, Any], words: str) -> None:
    """What the documents bar is a bad request."""
    asked: Any = {**ASKED, "prediction": {"type": "content", "content": STYLE}, **more}
    with pytest.raises(cerebras.BadRequestError) as caught:
        sdks.cerebras.chat.completions.create(**asked)

    body: Any = caught.value.body
    assert body["message"] == words
    assert body["code"] == "wrong_api_format"
