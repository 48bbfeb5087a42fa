"""Tests of slipstream.engine.choice: what becomes of chosen tokens, with the real vocabulary."""

import json
from collections.abc import Sequence as Items

from slipstream.engine.answer_text import AnswerText
from slipstream.engine.choice import Choice
from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.drafts import Drafter
from slipstream.engine.families import GENERIC
from slipstream.engine.grammar import Matcher
from slipstream.engine.grammar_spec import JsonSchema, Tool, ToolUse
from slipstream.engine.protocol import Delta
from slipstream.engine.sampler import Chosen, Sampling
from slipstream.engine.sequence import Sequence
from slipstream.engine.stops import StopScanner
from tests.engine.grammar_drive import HERMES, encode, grammars, tokens

CONSTANT = '{"type":"object","properties":{"unit":{"const":"celsius"}},"required":["unit"]}'
TOOLS = (Tool("now"),)


def choice(
    *,
    matcher: Matcher | None = None,
    stops: tuple[str, ...] = (),
    limit: int = 400,
    num_logprobs: int | None = None,
    min_tokens: int = 0,
    drafter: Drafter | None = None,
    tools: Items[Tool] = (),
) -> Choice:
    """Return an answer to a prompt of three tokens."""
    vocabulary = tokens()
    token_bytes = [vocabulary.text_of(token_id) for token_id in range(49_152)]
    return Choice(
        1,
        0,
        Sequence([5, 6, 7], limit, is_exact=drafter is not None),
        Sampling(0.0, 1.0, 0, num_logprobs=num_logprobs),
        None,
        AnswerText(
            Detokenizer(token_bytes, vocabulary.ends),
            StopScanner(stops),
            GENERIC.parser(tools),
            lambda: "call_1",
        ),
        token_bytes,
        vocabulary.ends,
        min_tokens=min_tokens,
        matcher=matcher,
        new_drafter=lambda: drafter or Drafter([5, 6, 7], ()),
    )


def chosen(token_ids: Items[int]) -> list[Chosen]:
    """Return tokens as the sampler would."""
    return [Chosen(token_id, -0.5, ((token_id, -0.5),)) for token_id in token_ids]


def text_of(deltas: Items[Delta]) -> str:
    """Return the visible text."""
    return "".join(delta.text for delta in deltas)


def test_take_end_token_finishes_and_is_counted() -> None:
    """The end token is no text; its Delta carries the finish."""
    answer = choice()
    end = min(tokens().ends)

    (delta,) = answer.take(chosen([*encode("Hello"), end]), 0)
    assert (delta.text, delta.finish, delta.num_tokens) == ("Hello", "stop", 2)
    assert delta.stop is None


def test_take_stop_string_is_told_with_the_finish() -> None:
    """Which one it was; nothing behind it is shown."""
    answer = choice(stops=("!", " world"))
    *_, last = answer.take(chosen(encode("Hello world and more!")), 0)
    assert (last.finish, last.stop) == ("stop", " world")


def test_take_at_the_limit_finishes_with_length() -> None:
    """What was chosen behind the limit is not taken."""
    answer = choice(limit=5)

    (delta,) = answer.take(chosen(encode("a b c d e")), 4)
    assert (delta.text, delta.finish) == ("a b", "length")
    assert answer.sequence.num_answer == 2


def test_take_forced_tokens_needs_no_step_for_them() -> None:
    """What the schema leaves no choice in is written at once; and the answer is over with it."""
    matcher = grammars().compile(JsonSchema(CONSTANT))
    assert matcher is not None
    answer = choice(matcher=matcher)

    deltas = answer.take(chosen(encode('{"')[:1]), 0)
    while answer.finish is None:
        forced = matcher.likely()
        deltas += answer.take(chosen(forced[:1] or [*tokens().ends]), 0)
    assert json.loads(text_of(deltas)) == {"unit": "celsius"}
    assert answer.num_forced >= 3
    assert answer.sequence.num_answer == sum(delta.num_tokens for delta in deltas)


def test_take_with_logprobs_forces_nothing() -> None:
    """A log probability is known only of what was computed: one for each token, in order."""
    matcher = grammars().compile(JsonSchema(CONSTANT))
    assert matcher is not None
    answer = choice(matcher=matcher, num_logprobs=1)

    deltas = answer.take(chosen(encode('{"')[:1]), 0)
    assert (answer.num_forced, answer.sequence.num_answer) == (0, 1)
    told = [logprob for delta in deltas for logprob in delta.logprobs]
    assert told[0].token.startswith(b"{")
    assert told[0].top[0] == (told[0].token, -0.5)


def test_take_tool_call_finishes_with_tool_calls() -> None:
    """A call comes whole in one Delta, and gives the reason."""
    matcher = grammars(HERMES).compile(None, ToolUse(tools=TOOLS, choice="required"))
    assert matcher is not None
    answer = choice(matcher=matcher, tools=TOOLS)
    said = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    deltas: list[Delta] = []
    while answer.finish is None:
        written = b"".join(
            answer.token_bytes[i] for i in answer.sequence.token_ids[answer.sequence.num_prompt :]
        ).decode()
        next_ids = encode(said[len(written) :]) or [*tokens().ends]
        deltas += answer.take(chosen(next_ids[:1]), 0)

    calls = [delta.tool_call for delta in deltas if delta.tool_call is not None]
    assert [(call.call_id, call.name, call.arguments) for call in calls] == [
        ("call_1", "now", "{}")
    ]
    assert deltas[-1].finish == "tool_calls"
    assert text_of(deltas) == ""


def test_rows_ban_ends_until_the_least_length() -> None:
    """The first `min_tokens` tokens are none that end the answer, guessed ones included."""
    answer = choice(min_tokens=3)
    answer.take(chosen(encode("a")), 0)

    rows = answer.rows((8, 9, 10))
    assert (rows.banned, rows.num_banned_rows) == (tokens().ends, 2)
    answer.take(chosen(encode(" b c")), 0)
    assert answer.rows(()).banned == ()


def test_take_settles_what_was_guessed() -> None:
    """Guesses that came true are counted as the prediction's, the others as rejected."""
    predicted = encode(" one two three four")
    answer = choice(drafter=Drafter([5, 6, 7], predicted))
    answer.catch_up()
    answer.guess(3)
    assert answer.sequence.guesses == tuple(predicted[:3])

    answer.take(chosen([*predicted[:2], 99]), 3)
    assert (answer.accepted["prediction"], answer.rejected["prediction"]) == (2, 1)
    assert answer.sequence.guesses == ()


def test_guess_of_none_takes_an_earlier_guess_back() -> None:
    """A prompt may be read over many steps; what was guessed for the first goes with it."""
    answer = choice(drafter=Drafter([5, 6, 7], [8, 9]))
    answer.catch_up()
    answer.guess(2)
    assert list(answer.sequence.guesses) == [8, 9]
    answer.guess(0)
    assert list(answer.sequence.guesses) == []


def test_fork_has_a_seed_and_a_state_of_its_own() -> None:
    """Forks differ in number and seed; nothing that one does reaches the other."""
    first = choice(stops=("zzz",), drafter=Drafter([5, 6, 7], [1, 2]))
    first.sequence.num_computed = 3
    first.catch_up()
    second = first.fork(1)
    first.take(chosen(encode("a")), 0)

    assert (second.number, second.sequence.num_answer) == (1, 0)
    assert second.sampling.seed != first.sampling.seed
    assert second.catch_up() is not first.catch_up()
