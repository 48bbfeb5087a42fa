"""Tests of which part of an answer each token is told with, on streams as families write them.

Every stream is taken all at once, token by token, and cut in two at each token; and a second time
with each letter as a token of its own, as models have it whose markers are no tokens.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from slipstream.engine.answer_text import AnswerText
from slipstream.engine.choice import Choice
from slipstream.engine.detokenizer import Detokenizer
from slipstream.engine.drafts import Drafter
from slipstream.engine.families import FAMILIES, Family
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.merging import DeltaPile
from slipstream.engine.parsers.tagged import Reasoning
from slipstream.engine.protocol import Delta
from slipstream.engine.sampler import Chosen, Sampling
from slipstream.engine.sequence import Sequence
from slipstream.engine.stops import StopScanner

TOOLS = (Tool("add", parameters='{"type":"object","properties":{"a":{"type":"integer"}}}'),)
END = "\0"  # stands for a token that is no text


class Stream(NamedTuple):
    """What a model of a family wrote, token by token.

    Args:
        runs: Kind and tokens: `r` for reasoning with its markers, `t` for text, `c` for calls.
        shown: Reasoning and text as a reader sees them, and the arguments of calls.
    """

    family: str
    prompt: str
    runs: tuple[tuple[str, tuple[str, ...]], ...]
    shown: tuple[str, str, tuple[str, ...]]


HERMES_CALL = (
    "<tool_call>",
    "\n",
    '{"name": ',
    '"add", ',
    '"arguments"',
    ": {}}",
    "\n",
    "</tool_call>",
)
DEEPSEEK_CALL = (
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "add",
    "<｜tool▁sep｜>",
    "{}",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
)
GLM_CALL = (
    *("<tool_call>", "add", "\n", "<arg_key>", "a", "</arg_key>", "\n"),
    *("<arg_value>", "2", "</arg_value>", "\n", "</tool_call>"),
)
STREAMS = {
    "glm": Stream(
        "glm",
        "",
        (
            ("r", ("<think>", "Two", " and", " two", ".", "</think>")),
            ("t", ("\n", "I", " add", ".")),
            ("c", ("\n", *GLM_CALL)),
            ("t", (END,)),
        ),
        ("Two and two.", "I add.", ('{"a":2}',)),
    ),
    "glm without reasoning": Stream(
        "glm",
        "",
        (("r", ("<think>", "</think>")), ("t", ("\n", "Four", ".", END))),
        ("", "Four.", ()),
    ),
    "qwen": Stream(
        "hermes",
        "",
        (
            ("r", ("<think>", "\n", "Two", " and", " two", ".", "\n", "</think>")),
            ("c", ("\n\n", *HERMES_CALL, "\n", *HERMES_CALL)),
            ("t", (END,)),
        ),
        ("Two and two.", "", ("{}", "{}")),
    ),
    "qwen behind a prompt that opens the tag": Stream(
        "hermes",
        "<|im_start|>assistant\n<think>\n",
        (
            ("r", ("Two", " and", " two", ".", "\n", "</think>")),
            ("t", ("\n\n", "Fo", "ur", ".", END)),
        ),
        ("Two and two.", "Four.", ()),
    ),
    "qwen cut in its reasoning": Stream(
        "hermes", "", (("r", ("<think>", "Two", " and", END)),), ("Two and", "", ())
    ),
    "deepseek": Stream(
        "deepseek-v3.1",
        "<｜Assistant｜><think>",
        (
            ("r", ("Two", " and", " two", ".", "</think>")),
            ("t", ("I", " add", ".")),
            ("c", DEEPSEEK_CALL),
            ("t", (END,)),
        ),
        ("Two and two.", "I add.", ("{}",)),
    ),
    "gpt-oss": Stream(
        "harmony",
        "<|start|>assistant",
        (
            ("r", ("<|channel|>", "analysis", "<|message|>", "Two", " and", " two.", "<|end|>")),
            ("t", ("<|start|>", "assistant", "<|channel|>", "final", "<|message|>")),
            ("t", ("Four", ".", "<|return|>")),
        ),
        ("Two and two.", "Four.", ()),
    ),
    "gpt-oss with a call": Stream(
        "harmony",
        "<|start|>assistant",
        (
            ("r", ("<|channel|>", "analysis", "<|message|>", "Two", "<|end|>")),
            ("t", ("<|start|>", "assistant", "<|channel|>", "commentary", "<|message|>", "I add.")),
            ("t", ("<|end|>",)),
            ("c", ("<|start|>", "assistant", "<|channel|>", "commentary", " to=", "functions.")),
            ("c", ("add", " ", "<|constrain|>", "json", "<|message|>", "{}", "<|call|>")),
        ),
        ("Two", "I add.", ("{}",)),
    ),
}


def family_of(name: str) -> Family:
    """Return a family whose models reason."""
    row = next(row for row in FAMILIES if row.name == name)
    return row if row.reasons else replace(row, reasoning=Reasoning("<think>", "</think>"))


def choice(stream: Stream, tokens: list[str], stops: tuple[str, ...] = ()) -> Choice:
    """Return an answer whose token ids are places in the stream."""
    texts = [b"" if token == END else token.encode() for token in tokens]
    parser = family_of(stream.family).parser(TOOLS, prompt=stream.prompt)
    ids = iter(range(100))
    text = AnswerText(
        Detokenizer(texts, set()), StopScanner(stops), parser, lambda: f"call_{next(ids)}"
    )
    return Choice(
        1,
        0,
        Sequence([0], len(tokens) + 1),
        Sampling(0.0, 1.0, 0, num_logprobs=0),
        None,
        text,
        texts,
        frozenset({len(tokens) - 1}),
        lambda: Drafter([0], ()),
    )


def cuts(num_tokens: int) -> Iterator[list[range]]:
    """Yield the steps in which so many tokens come."""
    yield [range(num_tokens)]
    yield [range(at, at + 1) for at in range(num_tokens)]
    for at in range(1, num_tokens):
        yield [range(at), range(at, num_tokens)]


def told(answer: Choice, steps: Iterable[range]) -> list[Delta]:
    """Return what an answer tells; a token's log probability is its place."""
    return [
        delta for step in steps for delta in answer.take([Chosen(at, -float(at)) for at in step], 0)
    ]


def kinds_of(delta: Delta) -> str:
    """Return the kind of each of its tokens, checking that it holds one kind alone."""
    assert not (delta.text and delta.reasoning)
    assert len(delta.logprobs) == delta.num_tokens
    kind = "c" if delta.tool_call is not None else "r" if delta.has_reasoned else "t"
    return kind * delta.num_tokens


def check(stream: Stream, tokens: list[str], kinds: str, deltas: list[Delta]) -> None:
    """Assert that the Deltas tell of every token once, in order, with what it belongs to."""
    assert "".join(map(kinds_of, deltas)) == kinds
    places = [-probability.logprob for delta in deltas for probability in delta.logprobs]
    assert places == list(range(len(tokens)))
    shown = (
        "".join(delta.reasoning for delta in deltas),
        "".join(delta.text for delta in deltas),
        tuple(delta.tool_call.arguments for delta in deltas if delta.tool_call is not None),
    )
    assert shown == stream.shown
    assert [delta.finish for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish is not None


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_tokens_are_told_with_what_they_belong_to_at_every_split(stream: Stream) -> None:
    """Counts, order and kind of tokens are the same, however many come in a step."""
    tokens = [token for _, run in stream.runs for token in run]
    kinds = "".join(kind * len(run) for kind, run in stream.runs)
    for steps in cuts(len(tokens)):
        answer = choice(stream, tokens)
        check(stream, tokens, kinds, told(answer, steps))
        assert answer.text.num_reasoning == kinds.count("r")


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_tokens_of_one_letter_are_told_with_their_markers(stream: Stream) -> None:
    """A marker may be many tokens: all of them belong to what it begins or ends."""
    letters = [
        (kind, letter)
        for kind, run in stream.runs
        for token in run
        for letter in (token if token != END else [END])
    ]
    tokens, kinds = [letter for _, letter in letters], "".join(kind for kind, _ in letters)
    for steps in cuts(len(tokens)):
        answer = choice(stream, tokens)
        check(stream, tokens, kinds, told(answer, steps))
        assert answer.text.num_reasoning == kinds.count("r")


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_slow_reader_gets_the_same_tokens_in_one_delta_of_each_kind(stream: Stream) -> None:
    """What waits is joined within its kind: nothing is lost, and nothing changes places."""
    tokens = [token for _, run in stream.runs for token in run]
    kinds = "".join(kind * len(run) for kind, run in stream.runs)
    deltas = told(choice(stream, tokens), [range(at, at + 1) for at in range(len(tokens))])
    piles: list[DeltaPile] = []
    for delta in deltas:
        if not (piles and piles[-1].add(delta)):
            piles.append(DeltaPile(delta))
    taken = [pile.take() for pile in piles]

    check(stream, tokens, kinds, taken)
    borders = [delta for delta in taken if delta.tool_call is None]
    assert len(borders) <= len(stream.runs)


def test_token_over_the_border_belongs_to_where_it_begins() -> None:
    """One token may end the reasoning and begin the text; it is told once, with the first."""
    stream = Stream("hermes", "", (), ("Hm", "Yes.", ()))
    tokens = ["<think>", "Hm", "</think>Yes", ".", END]
    for steps in cuts(len(tokens)):
        check(stream, tokens, "rrrtt", told(choice(stream, tokens), steps))


def test_half_characters_belong_to_the_character_that_they_make() -> None:
    """A token that completes no character waits for its letter, also across the border."""
    euro = "€".encode()
    stream = Stream("hermes", "", (), ("Hm", "€.", ()))
    tokens = ["<think>", "Hm", "</think>", "x", "y", ".", END]
    for steps in cuts(len(tokens)):
        answer = choice(stream, tokens)
        assert isinstance(answer.token_bytes, list)
        answer.token_bytes[3:5] = euro[:2], euro[2:]
        check(stream, tokens, "rrrtttt", told(answer, steps))


def test_text_held_for_a_stop_string_keeps_its_tokens() -> None:
    """Log probabilities come with the letters that they are of, and none is lost at a stop."""
    stream = Stream("hermes", "", (), ("", "One", ()))
    tokens = ["One", " st", "op", " late", END]
    answer = choice(stream, tokens, stops=(" stop",))
    first, last = told(answer, [range(at, at + 1) for at in range(3)])

    assert (first.text, first.num_tokens, len(first.logprobs)) == ("One", 1, 1)
    assert (last.text, last.num_tokens, last.finish) == ("", 2, "stop")
