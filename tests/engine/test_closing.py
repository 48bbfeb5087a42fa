"""Tests of slipstream.engine.closing: documents end before the limit of their answers."""

import json
from random import Random
from typing import Any

import numpy as np
import pytest

from slipstream.engine.closing import closing_tokens, share_of
from slipstream.engine.grammar import Matcher
from slipstream.engine.grammar_spec import (
    AnswerForm,
    JsonObject,
    JsonSchema,
    Regex,
    Tool,
    ToolUse,
)
from slipstream.engine.masks import Mask
from tests.engine.campaign import faults
from tests.engine.grammar_drive import allowed, feed, grammars, tokens, written
from tests.engine.random_schemas import random_strict_schema

LIMIT = 360
ENDLESS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "integer", "multipleOf": 700}},
    },
    "required": ["text", "steps"],
    "additionalProperties": False,
}


def matcher_of(form: AnswerForm | None, use: ToolUse | None = None) -> Matcher:
    """Return a matcher at the beginning."""
    found = grammars().compile(form, use)
    assert found is not None
    return found


def written_at_random(matcher: Matcher, random: Random, limit: int) -> str | None:
    """Return what a model without any sense writes; None if the limit cut it off."""
    answer: list[int] = []
    while not matcher.is_over and len(answer) < limit:
        (mask,) = matcher.narrowed(matcher.masks(), (), len(answer), least=0, limit=limit)
        for token_id in matcher.forced() or [random.choice(allowed(mask))]:
            matcher.accept(token_id)
            answer.append(token_id)
            if token_id in tokens().ends:
                return written(answer[:-1])
    return written(answer) if matcher.is_over else None


def narrowed_ids(matcher: Matcher, number: int = LIMIT - 1, least: int = 0) -> list[int]:
    """Return the tokens that may come as the answer's token of a number."""
    (mask,) = matcher.narrowed(matcher.masks(), (), number, least=least, limit=LIMIT)
    return allowed(mask)


def narrowed(matcher: Matcher) -> str:
    """Return the text of the tokens that may come last."""
    return written(narrowed_ids(matcher))


@pytest.mark.parametrize("seed", range(30))
def test_documents_end_before_the_limit_whatever_is_drawn(seed: int) -> None:
    """Every token that may come is as likely as any other: without help no string would end."""
    schema = random_strict_schema(Random(seed))
    text = written_at_random(matcher_of(JsonSchema(json.dumps(schema))), Random(seed), LIMIT)

    assert text is not None
    assert list(faults(text, schema)) == []


@pytest.mark.parametrize("seed", range(5))
def test_calls_end_before_the_limit_whatever_is_drawn(seed: int) -> None:
    """A call that must be is one, also where more calls could follow."""
    use = ToolUse(tools=(Tool("f", "", json.dumps(ENDLESS), is_strict=True),), choice="required")
    text = written_at_random(matcher_of(None, use), Random(seed), LIMIT)

    assert text is not None
    assert text.endswith("</tool_call>")


def test_narrowed_leads_out_of_what_is_open() -> None:
    """Strings are closed, objects before they begin another value, numbers by what follows."""
    matcher = matcher_of(JsonSchema(json.dumps(ENDLESS)))
    feed(matcher, '{"text": "so it')
    assert set(narrowed(matcher)) == {'"'}
    feed(matcher, '", "steps": [')
    assert set(narrowed(matcher)) <= set("]}")
    feed(matcher, "7")
    assert narrowed(matcher) == "0"
    feed(matcher, "0")
    assert narrowed(matcher) == "0"
    feed(matcher, "0")
    assert set(narrowed(matcher)) <= set("]}")


@pytest.mark.parametrize("step", [7, 13, 100, 97, 700, 0.25])
def test_numbers_that_must_be_multiples_come_to_one(step: float) -> None:
    """A digit is not just any: with the right two a multiple of most steps is reached."""
    schema = {**ENDLESS, "properties": {"n": {"type": "number", "multipleOf": step}}}
    schema["required"] = ["n"]
    matcher = matcher_of(JsonSchema(json.dumps(schema)))
    feed(matcher, '{"n": 123456789')
    text = written_at_random(matcher, Random(0), 60)

    assert text is not None
    assert list(faults('{"n": 123456789' + text, schema)) == []


def test_narrowed_begins_in_the_last_tokens_and_behind_the_least_length() -> None:
    """Before them, and where an answer has to be longer, nothing is narrowed."""
    matcher = matcher_of(JsonSchema(json.dumps(ENDLESS)))
    feed(matcher, '{"text": "so it')
    free = allowed(matcher.masks()[0])
    start = LIMIT - share_of(closing_tokens(len(json.dumps(ENDLESS))), LIMIT)

    assert narrowed_ids(matcher, start - 1) == free
    assert len(narrowed_ids(matcher, start)) < 10 < len(free)
    assert narrowed_ids(matcher, start, least=start + 1) == free


def test_narrowed_behind_guesses_is_what_it_is_without_them() -> None:
    """The same mask for the same beginning of an answer, however many tokens are guessed."""
    matcher = matcher_of(JsonSchema(json.dumps(ENDLESS)))
    feed(matcher, '{"text": "so')
    guesses = tokens().encode(" it goes on and on")
    together = matcher.narrowed(matcher.masks(guesses), guesses, 38, least=0, limit=60)
    alone: list[Mask | None] = []
    for number, token_id in enumerate(guesses, 38):
        alone += matcher.narrowed(matcher.masks(), (), number, least=0, limit=60)
        matcher.accept(token_id)

    assert len({num_set(mask) for mask in alone}) > 1, "the end begins among the guesses"
    for one, other in zip(together, alone, strict=False):
        assert one is not None
        assert other is not None
        assert np.array_equal(one, other)


def num_set(mask: Mask | None) -> int:
    """Return how many tokens a mask lets pass."""
    return len(allowed(mask))


@pytest.mark.parametrize(
    ("form", "use"),
    [
        (Regex("[a-z ]*"), None),
        (None, ToolUse(tools=(Tool("f"),))),  # free text with calls in it
    ],
)
def test_narrowed_leaves_alone_what_is_no_json(
    form: AnswerForm | None, use: ToolUse | None
) -> None:
    """A text has no brackets that would have to be closed."""
    matcher = matcher_of(form, use)
    masks = matcher.masks()

    assert matcher.narrowed(masks, (), LIMIT - 1, least=0, limit=LIMIT) == masks


def test_reasoning_that_a_grammar_holds_is_not_narrowed() -> None:
    """It is free text: only what stands behind it is in the form."""
    found = grammars().compile(JsonObject(), after="</think>", begun_by="<think>")
    assert found is not None
    masks = found.masks()

    assert found.narrowed(masks, (), LIMIT - 1, least=0, limit=LIMIT) == masks


def test_closing_takes_no_more_than_a_third_of_an_answer() -> None:
    """Bounded by the schema, by a number, and by the limit."""
    assert closing_tokens(300) > closing_tokens(0) > 0
    assert closing_tokens(10**6) == closing_tokens(10**7)
    assert share_of(closing_tokens(10**6), 30) == 10
