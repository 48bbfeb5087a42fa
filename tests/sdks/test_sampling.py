"""How tokens are chosen and how many, through every SDK."""

from typing import Any

import pytest

from tests.sdks.asking import Ask, each_sdk

END = "2"  # the token that ends an answer of the embedded model
ASKED: dict[str, Any] = {
    "model": "llama-3.3-70b",
    "messages": [{"role": "user", "content": "Tell me a story."}],
    "max_completion_tokens": 16,
}


@each_sdk
def test_seed_makes_an_answer_repeatable(ask: Ask) -> None:
    """The same seed gives the same answer, in whatever way it is asked; another gives another."""
    warm = {**ASKED, "temperature": 1.3}

    assert ask(**warm, seed=11).text == ask(**warm, seed=11).text != ask(**warm, seed=12).text


@each_sdk
def test_stop_is_not_returned(ask: Ask) -> None:
    """Up to four sequences end an answer in front of the first that comes."""
    greedy = {**ASKED, "temperature": 0}
    whole = ask(**greedy).text
    stop = whole[len(whole) // 2 :][:4]
    said = ask(**greedy, stop=["never", "said", "here", stop])

    assert said.text == whole[: whole.index(stop)]
    assert said.only.finish == "stop"


@each_sdk
def test_several_choices_come_in_one_answer(ask: Ask) -> None:
    """Each has its index and finish; all are billed."""
    said = ask(**ASKED, n=3, seed=1, temperature=1, logit_bias={END: -100})

    assert sorted(said.choices) == [0, 1, 2]
    assert all(choice.text and choice.finish == "length" for choice in said.choices.values())
    assert said.usage["completion_tokens"] == 3 * 16


@each_sdk
def test_logprobs_tell_every_token(ask: Ask) -> None:
    """The chosen token and its rivals, in the SDKs' types."""
    said = ask(**ASKED, temperature=0, logprobs=True, top_logprobs=3)

    text = b"".join(bytes(token["bytes"]) for token in said.only.tokens)
    assert text.decode(errors="ignore") == said.text
    assert len(said.only.tokens) == said.usage["completion_tokens"]
    for token in said.only.tokens:
        assert token["logprob"] <= 0
        assert len(token["top_logprobs"]) == 3
        assert token["top_logprobs"][0]["token"] == token["token"]


@each_sdk
@pytest.mark.parametrize("name", ["max_completion_tokens", "max_tokens"])
def test_limits_of_minus_one_are_no_limits(ask: Ask, name: str) -> None:
    """-1 means as much as the model may write; here it ends by itself."""
    said = ask(
        model="llama-3.3-70b",
        messages=[{"role": "user", "content": "Say yes."}],
        temperature=0,
        logit_bias={END: 12},
        **{name: -1},
    )

    assert said.only.finish == "stop"


@each_sdk
def test_minimum_keeps_an_answer_going(ask: Ask) -> None:
    """A favoured end comes at once, but not before as many tokens as were asked for."""
    favoured = {**ASKED, "logit_bias": {END: 100}, "max_completion_tokens": 12}
    short, longer = ask(**favoured), ask(**favoured, min_tokens=8)

    assert short.usage["completion_tokens"] == 1
    assert longer.usage["completion_tokens"] == 9
    assert ask(**favoured, min_completion_tokens=-1).usage["completion_tokens"] == 12


@each_sdk
def test_every_sampling_field_is_taken(ask: Ask) -> None:
    """All at once, at the edges of their ranges."""
    said = ask(
        **ASKED,
        temperature=2,
        top_p=1,
        frequency_penalty=-2,
        presence_penalty=2,
        seed=1,
        user="someone",
        logit_bias={END: -100},
        service_tier="flex",
    )

    assert said.text


@each_sdk
def test_bias_is_applied(ask: Ask) -> None:
    """A token that is favoured enough is the only one."""
    said = ask(**ASKED, temperature=0, logit_bias={"4025": 100}, logprobs=True)

    assert len({token["token"] for token in said.only.tokens}) == 1
    assert said.usage["completion_tokens"] == 16
