"""Tests of slipstream.wire.cerebras.completions_request: a row for each rule of section 3.5."""

from typing import Any

import msgspec
import pytest

from slipstream.wire.cerebras.completions_request import (
    CerebrasCompletions,
    read_cerebras_completions,
)
from slipstream.wire.chat_forms import ChatForm
from slipstream.wire.completions_request import CompletionsRequest
from tests.wire.cerebras.said import flat, refusal, unknown

MIXED = '"prompt" must be a string, or an array of strings, of token ids or of arrays of these'
EMPTY = '"prompt" must not be empty'
FORMAT = '"reasoning_format" is not supported by this model with this value'
ROOTS = "root, object, array, string, number, value, ws"
NO_ROOT = f'"grammar_root" must be one of {ROOTS}; for function calls use chat completions'


def said(**fields: Any) -> dict[str, Any]:
    """Return a body that is right but for these fields."""
    return {"model": "gpt-oss-120b", "prompt": "a"} | fields


def read(**fields: Any) -> CerebrasCompletions:
    """Read a body that is right."""
    return read_cerebras_completions(said(**fields))


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"maxTokens": 1}, ["body.maxTokens"]),
        ({"messages": [], "": 1}, ["body.messages", "body."]),
        ({"max_completion_tokens": 1}, ["body.max_completion_tokens"]),
        ({"reasoning_effort": "low"}, ["body.reasoning_effort"]),
        ({"service_tier": "auto"}, ["body.service_tier"]),
        ({"top_logprobs": 1}, ["body.top_logprobs"]),
        ({"stream_options": {"include_usage": True, "x": 1}}, ["stream_options.x"]),
        ({"x": 1, "stream_options": {"y": 1}}, ["stream_options.y", "body.x"]),
    ],
)
def test_unknown_keys_are_all_told_in_the_recorded_words(
    fields: dict[str, Any], paths: list[str]
) -> None:
    """One line for each; the chat's own fields are not known here."""
    body = said(**fields)
    status, told = refusal(body, read_cerebras_completions)
    assert sorted(told["message"].split("\n")) == sorted(unknown(*paths).split("\n"))
    assert (status, told) == flat(told["message"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "body: expected an object"),
        (b"{", "body: not valid JSON"),
        ({"prompt": "a"}, "body: Object missing required field `model`"),
        ({"model": "gpt-oss-120b"}, "body: Object missing required field `prompt`"),
        (said(prompt=None), "body.prompt: Expected `str | array`, got `null`"),
        (said(prompt={}), "body.prompt: Expected `str | array`, got `object`"),
        (said(prompt=[1.5]), "body.prompt.0: Expected `int | str | array`, got `float`"),
        (said(prompt=[True]), "body.prompt.0: Expected `int | str | array`, got `bool`"),
        (said(prompt=[-1]), "body.prompt.0: Expected `int` >= 0"),
        (said(prompt=[2**31]), "body.prompt.0: Expected `int` <= 2147483647"),
        (said(prompt=[["a"]]), "body.prompt.0.0: Expected `int`, got `str`"),
        (said(prompt=["a", 1]), MIXED),
        (said(prompt=["a", [1]]), MIXED),
        (said(prompt=[1, [1]]), MIXED),
        (said(prompt=""), EMPTY),
        (said(prompt=[]), EMPTY),
        (said(prompt=["a", ""]), EMPTY),
        (said(prompt=[[1], []]), EMPTY),
        (said(prompt=["a"] * 129), '"prompt" asks for more than 128 answers in all'),
        (said(prompt=["a"] * 65, n=2), '"prompt" asks for more than 128 answers in all'),
        (said(prompt=["a"] * 7, best_of=20), '"prompt" asks for more than 128 answers in all'),
        (said(best_of=-1), "body.best_of: Expected `int` >= 0"),
        (said(best_of=21), "body.best_of: Expected `int` <= 20"),
        (said(best_of=2, n=2), '"best_of" must be greater than "n"'),
        (said(best_of=2, n=3), '"best_of" must be greater than "n"'),
        (said(best_of=2, stream=True), '"best_of" is incompatible with "stream"'),
        (said(echo="yes"), "body.echo: Expected `bool | null`, got `str`"),
        (
            said(echo=True, return_raw_tokens=True),
            '"echo" is incompatible with "return_raw_tokens"',
        ),
        (said(frequency_penalty=-2.1), "body.frequency_penalty: Expected `float` >= -2.0"),
        (said(presence_penalty=2.1), "body.presence_penalty: Expected `float` <= 2.0"),
        (said(grammar_root="func"), NO_ROOT),
        (said(grammar_root="fcall"), NO_ROOT),
        (said(grammar_root="nofcall"), NO_ROOT),
        (said(grammar_root="insidevalue"), NO_ROOT),
        (said(grammar_root="funcarray"), NO_ROOT),
        (said(grammar_root=""), NO_ROOT),
        (said(grammar_root=1), "body.grammar_root: Expected `str | null`, got `int`"),
        (said(logit_bias={"1": 101}), "body.logit_bias....: Expected `float` <= 100.0"),
        (said(logit_bias={"word": 1}), '"logit_bias" must have token ids as its keys'),
        (said(logprobs=True), "body.logprobs: Expected `int | null`, got `bool`"),
        (said(logprobs=-1), "body.logprobs: Expected `int` >= 0"),
        (said(logprobs=21), "body.logprobs: Expected `int` <= 20"),
        (said(max_tokens=-2), "body.max_tokens: Expected `int` >= -1"),
        (said(max_tokens=0), '"max_tokens" must be -1 or at least 1'),
        (said(min_tokens=-2), "body.min_tokens: Expected `int` >= -1"),
        (said(n=0), "body.n: Expected `int` >= 1"),
        (
            said(prompt_cache_key="x" * 1025),
            "body.prompt_cache_key: Expected `str` of length <= 1024",
        ),
        (said(reasoning_format="x"), "body.reasoning_format: Invalid enum value 'x'"),
        (said(reasoning_format="raw", model="gemma-4-31b"), FORMAT),
        (
            said(reasoning_format="hidden"),
            '"reasoning_format" "hidden" is not supported for text completions: what the model '
            "writes is their text",
        ),
        (said(return_raw_tokens=1), "body.return_raw_tokens: Expected `bool | null`, got `int`"),
        (said(seed=2**63), "body.seed: Expected `int` <= 9223372036854775807"),
        (said(stop=["a"] * 5), "body.stop: Expected `array` of length <= 4"),
        (said(stop=""), '"stop" must have 1 to 1000 characters'),
        (said(stream="x"), "body.stream: Expected `bool | null`, got `str`"),
        (said(suffix=1), "body.suffix: Expected `str | null`, got `int`"),
        (said(temperature=2.1), "body.temperature: Expected `float` <= 2.0"),
        (said(temperature=-0.1), "body.temperature: Expected `float` >= 0.0"),
        (said(top_p=1.1), "body.top_p: Expected `float` <= 1.0"),
        (said(user=1), "body.user: Expected `str | null`, got `int`"),
    ],
)  # fmt: skip
def test_broken_rule_is_refused_with_its_status_and_body(body: Any, message: str) -> None:
    """400, invalid_request_error, validation_error, wrong_api_format, and words."""
    assert refusal(body, read_cerebras_completions) == flat(message)


def test_unknown_model_is_refused_with_404() -> None:
    """As in a chat."""
    status, told = refusal(said(model="X"), read_cerebras_completions)
    assert (status, told["code"]) == (404, "model_not_found")


OPTIONAL = [
    "best_of", "echo", "frequency_penalty", "grammar_root", "logit_bias", "logprobs", "max_tokens",
    "min_tokens", "n", "presence_penalty", "prompt_cache_key", "reasoning_format",
    "return_raw_tokens", "seed", "stop", "stream", "stream_options", "suffix", "temperature",
    "top_p", "user",
]  # fmt: skip


@pytest.mark.parametrize("field", OPTIONAL)
def test_null_says_the_same_as_leaving_out(field: str) -> None:
    """Also of reasoning_format, which a chat may not set to null."""
    assert read(**{field: None}) == read()


def test_bare_request_has_the_documented_defaults() -> None:
    """As many tokens as the model may write; one answer; no form."""
    asked = read()
    assert asked == CerebrasCompletions(
        model="gpt-oss-120b",
        completions=CompletionsRequest(prompts=("a",), max_tokens=40_960),
        is_stream=False,
    )
    assert (asked.completions.temperature, asked.completions.top_p) == (1.0, 1.0)
    assert (asked.completions.num_choices, asked.completions.best_of) == (1, 1)


def test_every_field_reaches_its_place() -> None:
    """None is lost on the way; `suffix` is taken and changes nothing."""
    body = said(
        best_of=3, echo=True, frequency_penalty=1, grammar_root="number", logit_bias={"4": 2},
        logprobs=0, max_tokens=9, min_tokens=2, n=2, presence_penalty=-1, prompt_cache_key="k",
        reasoning_format="parsed", return_raw_tokens=False, seed=0, stop="x", stream=False,
        stream_options={"include_usage": True}, suffix="end", temperature=0, top_p=0.5, user="u",
    )  # fmt: skip
    assert read_cerebras_completions(msgspec.json.encode(body)) == CerebrasCompletions(
        model="gpt-oss-120b",
        completions=CompletionsRequest(
            prompts=("a",), max_tokens=9, min_tokens=2, temperature=0.0, top_p=0.5,
            frequency_penalty=1.0, presence_penalty=-1.0, logit_bias=((4, 2.0),), seed=0,
            stop=("x",), num_logprobs=0, num_choices=2, best_of=3, echoes=True, cache_key="k",
        ),
        is_stream=False,
        form=ChatForm("json_schema", '{"type":"number"}', param="grammar_root"),
        max_asked_tokens=9,
        user="u",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ("a",)),
        (["a"], ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 0], ((1, 0),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
    ],
)
def test_prompt_has_four_forms(prompt: Any, prompts: tuple[Any, ...]) -> None:
    """A text, several, token ids, or several arrays of these."""
    assert read(prompt=prompt).completions.prompts == prompts


@pytest.mark.parametrize(
    ("fields", "num_choices", "best_of"),
    [
        ({}, 1, 1),
        ({"best_of": 0}, 1, 1),
        ({"best_of": 1}, 1, 1),
        ({"best_of": 1, "n": 2, "stream": True}, 2, 2),
        ({"best_of": 2}, 1, 2),
        ({"best_of": 20, "n": 19}, 19, 20),
    ],
)
def test_best_of_below_two_asks_for_nothing(
    fields: dict[str, Any], num_choices: int, best_of: int
) -> None:
    """Its default of 1 is not greater than n, and is no error."""
    asked = read(**fields).completions
    assert (asked.num_choices, asked.best_of) == (num_choices, best_of)


@pytest.mark.parametrize(
    ("fields", "max_tokens", "min_tokens", "asked"),
    [
        ({"max_tokens": -1}, 40_960, 0, None),
        ({"max_tokens": 50_000}, 40_960, 0, 50_000),
        ({"max_tokens": 5, "min_tokens": -1}, 5, 5, 5),
        ({"max_tokens": 5, "min_tokens": 9}, 5, 5, 5),
        ({"min_tokens": 0}, 40_960, 0, None),
    ],
)
def test_minus_one_is_all_that_the_model_may_write(
    fields: dict[str, Any], max_tokens: int, min_tokens: int, asked: int | None
) -> None:
    """Both limits know it."""
    got = read(**fields)
    assert (got.completions.max_tokens, got.completions.min_tokens) == (max_tokens, min_tokens)
    assert got.max_asked_tokens == asked


def test_raw_tokens_are_asked_for() -> None:
    """Beside log probabilities and a stream too."""
    asked = read(return_raw_tokens=True, logprobs=2, stream=True)
    assert asked.returns_tokens
    assert asked.is_stream


@pytest.mark.parametrize(
    ("root", "form"),
    [
        ("root", ChatForm("json_schema", '{"type":"object"}', param="grammar_root")),
        ("object", ChatForm("json_schema", '{"type":"object"}', param="grammar_root")),
        ("array", ChatForm("json_schema", '{"type":"array"}', param="grammar_root")),
        ("string", ChatForm("json_schema", '{"type":"string"}', param="grammar_root")),
        ("number", ChatForm("json_schema", '{"type":"number"}', param="grammar_root")),
        ("value", ChatForm("json_schema", "{}", param="grammar_root")),
        ("ws", ChatForm("regex", r"[ \t\n]{0,20}", param="grammar_root")),
    ],
)
def test_grammar_root_is_a_form_of_the_answer(root: str, form: ChatForm) -> None:
    """The rules of a grammar for JSON."""
    assert read(grammar_root=root).form == form
