"""Everything that our models offer, through the official SDK: the whole app, the real model."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import openai
import pydantic
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.flows.ledger_rows import read_rows
from tests.flows.local_house import LIMIT_S, ask, local_house
from tests.prepared_model import MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one gateway for all

END = 2  # <|im_end|> of this model
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Paris", "Rome"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Tells the time.",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
        "strict": True,
    },
}


class Colour(pydantic.BaseModel):
    """What an answer must be."""

    name: Literal["red", "green", "blue"]
    shade: int = pydantic.Field(ge=0, le=9)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[AsyncOpenAI, Path]]:
    """A gateway with the real model."""
    async with local_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture
def client(house: tuple[AsyncOpenAI, Path]) -> AsyncOpenAI:
    """The SDK's client of it."""
    return house[0]


async def refused(client: AsyncOpenAI, **fields: Any) -> openai.BadRequestError:
    """Return the error of a request that is refused."""
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(client, **fields)
    return caught.value


async def test_stream_and_plain_answer_say_the_same(client: AsyncOpenAI) -> None:
    """Text, finish and usage agree, and a stream comes token by token."""
    plain, streamed = await ask(client), await ask(client, stream=True)

    assert plain.text == streamed.text != ""
    assert plain.only.finish == streamed.only.finish == "length"
    assert plain.usage.completion_tokens == streamed.usage.completion_tokens == 16
    assert streamed.num_chunks > 10


@BOTH
async def test_n_gives_as_many_answers_of_one_prompt(client: AsyncOpenAI, stream: bool) -> None:
    """Each choice has its index, text and finish; the prompt is counted once."""
    warm: dict[str, Any] = {"temperature": 1, "seed": 7, "logit_bias": {str(END): -100}}
    answer = await ask(client, stream=stream, n=3, **warm)
    one = await ask(client, **warm)

    assert sorted(answer.choices) == [0, 1, 2]
    assert len({choice.text for choice in answer.choices.values()}) == 3
    assert all(choice.finish == "length" for choice in answer.choices.values())
    assert answer.usage.prompt_tokens == one.usage.prompt_tokens
    assert answer.usage.completion_tokens == 3 * 16
    assert (await ask(client, stream=not stream, n=3, **warm)).choices == answer.choices
    assert answer.choices[0].text == one.text


@BOTH
async def test_stop_ends_in_front_of_the_string(client: AsyncOpenAI, stream: bool) -> None:
    """Neither the string nor what follows it is seen."""
    whole = (await ask(client)).text
    stop = whole[len(whole) // 2 :][:4]
    answer = await ask(client, stream=stream, stop=["never seen", stop])

    assert answer.text == whole[: whole.index(stop)]
    assert answer.only.finish == "stop"


async def test_seed_makes_an_answer_repeatable(client: AsyncOpenAI) -> None:
    """The same seed gives the same answer, also among others; another gives another."""
    warm: dict[str, Any] = {"temperature": 1.2, "max_tokens": 24}
    alone = await ask(client, seed=11, **warm)
    others = [ask(client, f"{n} things", temperature=1, stream=True) for n in range(4)]
    *_, again = await asyncio.gather(*others, ask(client, seed=11, stream=True, **warm))

    assert alone.text == again.text
    assert alone.text != (await ask(client, seed=12, **warm)).text


@BOTH
async def test_logit_bias_and_min_tokens_rule_the_end(client: AsyncOpenAI, stream: bool) -> None:
    """A favoured end comes at once, but not before as many tokens as were asked for."""
    favoured: dict[str, Any] = {"logit_bias": {str(END): 100}, "max_tokens": 12}
    short = await ask(client, stream=stream, **favoured)
    longer = await ask(client, stream=stream, **favoured, extra_body={"min_tokens": 8})

    assert (short.text, short.only.finish) == ("", "stop")
    assert short.usage.completion_tokens == 1
    assert (longer.usage.completion_tokens, longer.only.finish) == (9, "stop")
    barred = await ask(client, "Hi", stream=stream, logit_bias={str(END): -100}, max_tokens=60)
    assert barred.only.finish == "length"


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"min_p": 1.0}, {"top_p": 0}])
async def test_narrow_sampling_is_greedy(client: AsyncOpenAI, narrow: dict[str, Any]) -> None:
    """Where only the likeliest token is left, temperature changes nothing."""
    warm = await ask(client, temperature=1.5, extra_body=narrow)

    assert warm.text == (await ask(client)).text


@pytest.mark.parametrize(
    "penalty",
    [
        {"frequency_penalty": 2},
        {"presence_penalty": 2},
        {"extra_body": {"repetition_penalty": 1.5}},
    ],
)
async def test_penalties_end_repetition(client: AsyncOpenAI, penalty: dict[str, Any]) -> None:
    """What was said is said less often than without."""
    text = "Repeat the word tick for ever: tick tick tick tick tick tick"
    asked: dict[str, Any] = {"max_tokens": 24, "logit_bias": {str(END): -100}}
    plain = (await ask(client, text, **asked)).text
    varied = (await ask(client, text, **asked, **penalty)).text

    assert plain != varied
    assert len(set(varied.split())) > len(set(plain.split()))


@BOTH
async def test_logprobs_tell_every_token(client: AsyncOpenAI, stream: bool) -> None:
    """Bytes add up to the text; greedily, the chosen token is the likeliest."""
    answer = await ask(client, "Draw an emoji 😀", stream=stream, logprobs=True, top_logprobs=3)
    tokens = answer.only.tokens

    said = b"".join(bytes(token.bytes) for token in tokens)
    assert said.decode(errors="ignore") == answer.text  # which may end inside a character
    assert len(tokens) == answer.usage.completion_tokens
    for token in tokens:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].bytes == token.bytes
        assert token.top_logprobs[0].logprob == pytest.approx(token.logprob)
        values = [top.logprob for top in token.top_logprobs]
        assert values == sorted(values, reverse=True)
    bare = await ask(client, stream=stream, logprobs=True, max_tokens=2)
    assert [token.top_logprobs for token in bare.only.tokens] == [[], []]
    assert (await ask(client, stream=stream, max_tokens=2)).only.tokens == []


async def test_json_schema_by_the_sdks_parse(client: AsyncOpenAI) -> None:
    """The SDK's own way to typed answers."""
    answer = await client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "A colour, as JSON."}],
        response_format=Colour,
        temperature=1,
        seed=3,
        max_tokens=80,
    )

    assert isinstance(answer.choices[0].message.parsed, Colour)
    assert answer.choices[0].finish_reason == "stop"


@BOTH
@pytest.mark.parametrize("strict", [True, False, None])
async def test_json_schema_shapes_the_answer(
    client: AsyncOpenAI, stream: bool, strict: bool | None
) -> None:
    """Strict or not, the answer is a document of the schema."""
    schema = {"name": "colour", "schema": Colour.model_json_schema(), "strict": strict}
    form = {"type": "json_schema", "json_schema": schema}
    answer = await ask(client, stream=stream, response_format=form, max_tokens=80)

    Colour.model_validate_json(answer.text)
    assert answer.only.finish == "stop"


@BOTH
async def test_json_object_is_an_object(client: AsyncOpenAI, stream: bool) -> None:
    """JSON of whatever kind, from the first sign on."""
    form = {"type": "json_object"}
    answer = await ask(
        client,
        "Answer with {} and nothing else.",
        stream=stream,
        response_format=form,
        max_tokens=300,
        logit_bias={str(END): 5},
    )

    assert answer.text.startswith("{")
    if answer.only.finish == "stop":
        assert isinstance(json.loads(answer.text), dict)


@BOTH
@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ({"regex": "[a-c]{3}-[0-9]{2}"}, "[a-c]{3}-[0-9]{2}"),
        ({"choice": ["yes, sir", "no (never)"]}, r"yes, sir|no \(never\)"),
        ({"grammar": 'start: "<" word ">"\nword: /[xyz]{2,4}/'}, "<[xyz]{2,4}>"),
        ({"json": {"type": "integer", "minimum": 5, "maximum": 7}}, "[567]"),
    ],
    ids=["regex", "choice", "grammar", "json"],
)
async def test_structured_outputs_shape_the_answer(
    client: AsyncOpenAI, stream: bool, form: dict[str, Any], pattern: str
) -> None:
    """vLLM's forms, in the SDK's extra_body."""
    answer = await ask(client, stream=stream, extra_body={"structured_outputs": form})

    assert re.fullmatch(pattern, answer.text)
    assert answer.only.finish == "stop"


@BOTH
@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("required", {"get_weather", "get_time"}),
        ({"type": "function", "function": {"name": "get_weather"}}, {"get_weather"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "get_time"}}],
                },
            },
            {"get_time"},
        ),
    ],
    ids=["required", "named", "allowed"],
)
async def test_tools_that_must_be_called_are(
    client: AsyncOpenAI, stream: bool, choice: Any, names: set[str]
) -> None:
    """One whole call, of an allowed function, whose arguments obey the schema."""
    answer = await ask(
        client,
        "What is the weather in Paris?",
        stream=stream,
        tools=[WEATHER, CLOCK],
        tool_choice=choice,
        parallel_tool_calls=False,
        max_tokens=80,
    )

    [(name, arguments)] = answer.only.calls
    assert name in names
    said = json.loads(arguments)
    if name == "get_weather":
        assert said["city"] in ("Paris", "Rome")
        assert 1 <= said["days"] <= 9
    assert answer.only.call_ids[0]
    assert answer.only.finish in ("tool_calls", "stop")
    assert answer.text.strip() == ""


@BOTH
@pytest.mark.parametrize("choice", ["auto", "none"])
async def test_tools_that_may_be_called_leave_the_answer_free(
    client: AsyncOpenAI, stream: bool, choice: str
) -> None:
    """With auto the model decides; with none it never calls."""
    answer = await ask(client, stream=stream, tools=[WEATHER], tool_choice=choice, max_tokens=24)

    assert answer.only.finish in ("length", "stop", "tool_calls")
    assert answer.text or answer.only.calls
    if choice == "none":
        assert answer.only.calls == []


@BOTH
async def test_tools_and_a_form_give_one_or_the_other(client: AsyncOpenAI, stream: bool) -> None:
    """The answer is a call, or a document of the schema."""
    schema = {"name": "colour", "schema": Colour.model_json_schema(), "strict": True}
    answer = await ask(
        client,
        "A colour, as JSON.",
        stream=stream,
        tools=[WEATHER],
        response_format={"type": "json_schema", "json_schema": schema},
        max_tokens=80,
    )

    if not answer.only.calls:
        Colour.model_validate_json(answer.text)
    assert answer.only.finish in ("stop", "tool_calls")


async def test_tool_round_is_answered(client: AsyncOpenAI) -> None:
    """A call, its result and the next answer, with the SDK's own message sent back."""
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    asked: dict[str, Any] = {"model": MODEL, "tools": [WEATHER], "temperature": 0}
    first = await client.chat.completions.create(
        **asked, messages=messages, tool_choice="required", max_tokens=80
    )
    message = first.choices[0].message
    assert message.tool_calls
    messages.append(message)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'}
        for call in message.tool_calls
    ]
    second = await client.chat.completions.create(
        **asked, messages=messages, tool_choice="auto", max_tokens=16
    )

    assert second.choices[0].message.content
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


@BOTH
async def test_prediction_changes_the_pace_and_not_the_answer(
    client: AsyncOpenAI, stream: bool
) -> None:
    """A right one is taken over, a wrong one rejected; both are counted."""
    exact: dict[str, Any] = {"extra_body": {"exact": True}}
    plain = await ask(client, max_tokens=40, **exact)
    right = {"type": "content", "content": plain.text}
    parts = {"type": "content", "content": [{"type": "text", "text": plain.text}]}
    wrong = {"type": "content", "content": "Nothing of that kind: 1, 2, 3, 4, 5, 6, 7, 8."}
    for prediction in (right, parts, wrong):
        answer = await ask(client, stream=stream, max_tokens=40, prediction=prediction)
        assert answer.text == plain.text
        details = answer.usage.completion_tokens_details
        assert details is not None
        accepted = details.accepted_prediction_tokens or 0
        rejected = details.rejected_prediction_tokens or 0
        assert answer.usage.completion_tokens == 40 + rejected
        assert accepted > 20 if prediction is not wrong else accepted < 10


async def test_exact_answer_ignores_neighbours(client: AsyncOpenAI) -> None:
    """The per-request switch of the batch-invariant mode."""
    exact: dict[str, Any] = {"extra_body": {"exact": True}, "max_tokens": 32}
    alone = await ask(client, "Name three colours.", **exact)
    others = [ask(client, f"{n} things to say", temperature=1, stream=True) for n in range(5)]
    *_, among = await asyncio.gather(*others, ask(client, "Name three colours.", **exact))

    assert alone.text == among.text


async def test_cached_prompt_tokens_are_told_and_kept_apart_by_key(client: AsyncOpenAI) -> None:
    """A prompt that was read is not read again, but for callers with another cache key."""
    text = "Remember this list: " + ", ".join(f"item {n}" for n in range(100))

    async def cached(**fields: Any) -> int:
        usage = (await ask(client, text, max_tokens=1, **fields)).usage
        assert usage.prompt_tokens_details is not None
        return usage.prompt_tokens_details.cached_tokens or 0

    assert await cached() == 0
    assert await cached() > 200
    assert await cached(prompt_cache_key="other") == 0
    assert await cached(prompt_cache_key="other") > 200
    assert await cached(user="someone") == 0


async def test_fields_of_other_kinds_are_taken(client: AsyncOpenAI) -> None:
    """Tier, effort, template switches, the developer's role and what changes nothing."""
    answer = await ask(
        client,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "Ann"},
        ],
        service_tier="flex",
        reasoning_effort="low",
        metadata={"a": "b"},
        store=False,
        max_completion_tokens=4,
        max_tokens=openai.omit,
        extra_body={"chat_template_kwargs": {"enable_thinking": False}},
    )

    assert answer.usage.completion_tokens <= 4


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"5": 500}}, "logit_bias.5"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, "messages[0]"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
        ({"prediction": {"type": "content", "content": "x"}, "n": 2}, "prediction"),
        ({"extra_body": {"structured_outputs": {"regex": "("}}}, "structured_outputs.regex"),
        ({"extra_body": {"structured_outputs": {"grammar": "?"}}}, "structured_outputs.grammar"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "n",
                        "schema": {"type": "object", "unevaluatedItems": {"not": {}}},
                        "strict": True,
                    },
                }
            },
            "response_format.json_schema.schema",
        ),
    ],
)
async def test_wrong_request_names_its_field(
    client: AsyncOpenAI, fields: dict[str, Any], param: str
) -> None:
    """Whether the gateway finds it or the engine, the SDK hears which field it was."""
    error = await refused(client, **fields)

    assert error.param is not None
    assert error.param.startswith(param)


async def test_ledger_counts_what_the_answer_says(
    house: tuple[AsyncOpenAI, Path],
) -> None:
    """Usage of a predicted answer lies in the ledger in the same buckets."""
    client, home = house
    plain = (await ask(client, "Count up.", max_tokens=20, seed=1)).text
    prediction = {"type": "content", "content": plain + " and so on and on"}
    num_before = len(_predicted(home))
    answer = await ask(client, "Count up.", max_tokens=20, prediction=prediction, seed=1)
    details = answer.usage.completion_tokens_details
    assert details is not None
    async with asyncio.timeout(LIMIT_S):
        while len(rows := _predicted(home)) == num_before:
            await asyncio.sleep(0.05)

    accepted = details.accepted_prediction_tokens or 0
    assert accepted > 0
    last = rows[-1]
    assert last["prediction_accepted_tokens"] == accepted
    assert last["prediction_rejected_tokens"] == (details.rejected_prediction_tokens or 0)


def _predicted(home: Path) -> list[dict[str, Any]]:
    rows = [dict(row) for row in read_rows(home)]
    return [row for row in rows if row["model"] == MODEL and row["prediction_accepted_tokens"]]
