"""Tests of a matcher's way through an answer: when it listens, holds, lets go and ends."""

import json
from random import Random

import pytest

from slipstream.engine.grammar import Matcher
from slipstream.engine.grammar_spec import JsonSchema, Regex, Tool, ToolFormat, ToolUse
from slipstream.engine.masks import Mask, allows
from tests.engine.grammar_drive import (
    DEEPSEEK,
    HERMES,
    LLAMA,
    MISTRAL,
    NAMED,
    allowed,
    encode,
    feed,
    grammars,
    tokens,
    tokens_of,
    written_at_random,
)
from tests.engine.random_schemas import random_schema

PLACE = '{"type":"object","properties":{"city":{"enum":["Rome","Oslo"]}},"required":["city"]}'
TOOLS = (Tool("get_weather", parameters=PLACE, is_strict=True), Tool("now", is_strict=True))
CALLS = {
    HERMES: '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>',
    LLAMA: '{"name": "get_weather", "parameters": {"city": "Oslo"}}',
    MISTRAL: '<jupyter_start>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
    DEEPSEEK: "<file_sep><filename>function<gh_stars>get_weather\n```json\n"
    '{"city": "Oslo"}\n```<issue_start><issue_closed>',
    NAMED: '<function=get_weather>{"city": "Oslo"}</function>',
}
FREE = "Let me <look> at {that}: 1 < 2. "


def matcher_of(
    form: ToolFormat = HERMES, *, is_parallel: bool = True, after: str = "", begun_by: str = ""
) -> Matcher:
    """Return a matcher of an answer that may call tools."""
    use = ToolUse(tools=TOOLS, is_parallel=is_parallel)
    matcher = grammars(form).compile(None, use, after=after, begun_by=begun_by)
    assert matcher is not None
    return matcher


def refused(matcher: Matcher, text: str) -> str:
    """Return what of a text a matcher takes before it forbids a token."""
    taken = b""
    for token_id in tokens_of(text):
        if not allows(matcher.masks()[0], token_id):
            return taken.decode()
        matcher.accept(token_id)
        taken += tokens().text_of(token_id)
    raise AssertionError(f"all of {text!r} may come")


def same(masks: list[Mask | None], others: list[Mask | None]) -> bool:
    """Whether two lists of masks let the same tokens pass."""
    pairs = zip(masks, others, strict=True)
    return all(a is b if a is None or b is None else allowed(a) == allowed(b) for a, b in pairs)


# ---- calls that may come ------------------------------------------------------------------------


@pytest.mark.parametrize("form", CALLS)
def test_accept_call_behind_its_trigger_holds_the_model_to_the_tools(form: ToolFormat) -> None:
    """From the trigger on only a call of an offered tool may come, whose arguments obey it."""
    lead = "" if form.at_start else FREE
    feed(matcher_of(form), lead + CALLS[form])
    wrong = CALLS[form].replace("Oslo", "Bonn")
    assert refused(matcher_of(form), lead + wrong).endswith('"city": "')
    gone = CALLS[form].replace("get_weather", "gone_weather")
    assert "gone" not in refused(matcher_of(form), lead + gone)


@pytest.mark.parametrize("form", [HERMES, LLAMA, MISTRAL, DEEPSEEK])
def test_accept_text_without_trigger_stays_free(form: ToolFormat) -> None:
    """No mask is computed for an answer that calls nothing, and it may end anywhere."""
    matcher = matcher_of(form)
    feed(matcher, FREE)
    assert all(mask is None for mask in feed(matcher, "It is {fine} there."))
    assert matcher.is_lazy
    assert matcher.can_end
    assert matcher.forced() == []
    assert not matcher.is_over


def test_accept_call_in_letters_is_heard_however_it_is_cut() -> None:
    """A trigger in single letters is heard, and all that follows is held to the tools."""
    matcher = matcher_of()
    for letter in FREE + "<tool_call>":
        token_id = encode(letter)[0]
        assert allows(matcher.masks()[0], token_id), letter
        matcher.accept(token_id)
    assert not matcher.is_lazy
    feed(matcher, CALLS[HERMES].removeprefix("<tool_call>"))
    assert matcher.is_lazy


def test_masks_where_a_trigger_may_begin_let_pass_all_but_what_ends_it_wrongly() -> None:
    """A token that ends the trigger and goes on with no call may not come; all other text may."""
    matcher = matcher_of(NAMED)
    feed(matcher, f"{FREE}<function")
    mask = matcher.masks()[0]
    # All tokens but control tokens and those that go on with a character that none began.
    starts = {t: tokens().text_of(t)[:1] for t in range(49_152)}
    ordinary = [t for t, start in starts.items() if start and not b"\x80" <= start < b"\xc0"]
    ending = [t for t in ordinary if tokens().text_of(t).startswith(b"=")]
    fitting = [t for t in ending if b"=get_weather>".startswith(tokens().text_of(t))]
    fitting += [t for t in ending if tokens().text_of(t) == b"=n"]
    assert len(ending) > len(fitting) > 0
    assert [t for t in ordinary if not allows(mask, t)] == sorted({*ending} - {*fitting})


def test_accept_text_behind_a_call_is_free_again() -> None:
    """Where a call stands for itself, text and further calls may follow."""
    matcher = matcher_of()
    feed(matcher, FREE + CALLS[HERMES])
    assert matcher.is_lazy
    feed(matcher, "\nAnd now: " + CALLS[HERMES] + "\n" + CALLS[HERMES])
    assert not matcher.is_over
    assert refused(matcher, "<tool_call>\n{5") == "<tool_call>\n"


def test_accept_single_call_ends_the_answer() -> None:
    """Without parallel calls only an end token may follow the first."""
    matcher = matcher_of(is_parallel=False)
    feed(matcher, CALLS[HERMES])
    assert matcher.is_over
    assert same(matcher.masks(), [tokens().end_mask])


@pytest.mark.parametrize(("form", "between"), [(LLAMA, "; "), (MISTRAL, ", ")])
def test_accept_parallel_calls_in_one_list(form: ToolFormat, between: str) -> None:
    """Families that list calls part them by their separator."""
    call = '{"name": "now", "' + form.arguments_key + '": {}}'
    text = f"{form.opening}{call}{between}{call}{form.closing}"
    feed(matcher_of(form), text)
    assert refused(matcher_of(form, is_parallel=False), text)


def test_accept_anchored_trigger_counts_at_the_beginning_only() -> None:
    """Llama's calls are told from text by how an answer begins; JSON in a text is text."""
    matcher = matcher_of(LLAMA)
    feed(matcher, 'Write {"name": 5}')
    assert matcher.is_lazy
    assert refused(matcher_of(LLAMA), '{"name": 5}').startswith('{"name"')


# ---- reasoning ----------------------------------------------------------------------------------


def test_accept_reasoning_that_may_be_left_out_hears_calls_either_way() -> None:
    """A call is heard behind the reasoning, and at the beginning of an answer without."""
    with_it = matcher_of(after="</think>", begun_by="<think>")
    feed(with_it, f"<think>I could <tool_call> it.</think>{FREE}<tool_call>")
    assert not with_it.is_lazy
    without = matcher_of(after="</think>", begun_by="<think>")
    feed(without, "<tool_call>")
    assert not without.is_lazy
    nearly = matcher_of(after="</think>", begun_by="<think>")
    feed(nearly, f"<thin {FREE}<tool_call>")
    assert not nearly.is_lazy


@pytest.mark.parametrize(
    ("begin", "end"), [("<think>", "</think>"), ("<jupyter_start>", "<jupyter_output>")]
)
def test_accept_form_behind_reasoning_that_may_be_left_out(begin: str, end: str) -> None:
    """The form is kept whether or not the model reasons first; the reasoning is free."""
    for lead in ("", f"{begin}So: x < 2? </thin {{{end}\n\n"):
        matcher = grammars().compile(Regex("[ab]+c"), after=end, begun_by=begin)
        assert matcher is not None
        feed(matcher, f"{lead}abc")
        assert matcher.is_over
        matcher = grammars().compile(Regex("[ab]+c"), after=end, begun_by=begin)
        assert matcher is not None
        assert refused(matcher, f"{lead}abd").endswith("ab")


def test_accept_family_with_message_headers_writes_them() -> None:
    """Where each part of an answer has a header, the form stands behind its own."""
    headed = ToolFormat(
        begin=" to=",
        middle="<gh_stars>",
        separator=None,
        form_lead="<file_sep>final<gh_stars>",
        resumed="<filename>assistant",
    )
    ways = {"begin": "<file_sep>analysis<gh_stars>", "end": "<issue_closed>"}
    for lead in ("", f"{ways['begin']}Hm.{ways['end']}<filename>assistant"):
        for rest in ("<file_sep>final<gh_stars>abc", " to=now<gh_stars>{}"):
            matcher = grammars(headed).compile(
                Regex("abc"), ToolUse(tools=TOOLS), after=ways["end"], begun_by=ways["begin"]
            )
            assert matcher is not None
            feed(matcher, lead + rest)
            assert matcher.is_over


# ---- guesses, forks, forced tokens --------------------------------------------------------------


@pytest.mark.parametrize("form", CALLS)
def test_masks_behind_guesses_are_those_met_one_by_one(form: ToolFormat) -> None:
    """Guesses across a trigger, a call and what follows get the masks that stepping gives."""
    text = CALLS[form] if form.at_start else FREE + CALLS[form]
    token_ids = tokens_of(text)
    stepper = matcher_of(form)
    expected = []
    for token_id in token_ids:
        expected += stepper.masks()
        stepper.accept(token_id)
    expected += stepper.masks()
    matcher = matcher_of(form)
    for start in range(0, len(token_ids), 5):
        guesses = token_ids[start : start + 7]
        assert same(matcher.masks(guesses), expected[start : start + len(guesses) + 1])
        for token_id in token_ids[start : start + 5]:
            matcher.accept(token_id)


def test_masks_of_forbidden_guess_are_cut_there() -> None:
    """One mask more than guesses survive; the place of the matcher is not changed."""
    matcher = matcher_of()
    feed(matcher, "<tool_call>")
    good = encode('\n{"name": "')
    masks = matcher.masks([*good, *encode("zebra")])
    assert len(masks) == len(good) + 1
    assert same(matcher.masks(good), masks)


def test_masks_behind_an_end_token_are_not_asked() -> None:
    """An end token as a guess ends what can be guessed, in free text and where it is over."""
    end = min(tokens().ends)
    assert matcher_of().masks([end, 5]) == [None]
    matcher = grammars().compile(Regex("ab?"))
    assert matcher is not None
    feed(matcher, "a")
    assert len(matcher.masks([end, 5])) <= 2


def test_fork_goes_its_own_way() -> None:
    """Answers of one request share the beginning and nothing behind it."""
    matcher = grammars().compile(Regex("a(b|c)d"))
    assert matcher is not None
    feed(matcher, "a")
    fork = matcher.fork()
    feed(fork, "bd")
    assert fork.is_over
    feed(matcher, "cd")
    assert matcher.is_over


def test_forced_tokens_are_those_the_model_itself_would_write() -> None:
    """What is forced is written in the model's own tokens, and is all that may come."""
    schema = '{"type":"object","properties":{"temperature":{"type":"integer"}},' + (
        '"required":["temperature"]}'
    )
    matcher = grammars().compile(JsonSchema(schema))
    assert matcher is not None
    forced = matcher.forced()
    whole = tokens_of('{"temperature": 5}')
    assert len(forced) >= 3
    assert forced == whole[: len(forced)]
    for token_id in forced:
        assert allows(matcher.masks()[0], token_id)
        matcher.accept(token_id)


@pytest.mark.parametrize("seed", range(8))
def test_likely_text_is_always_allowed(seed: int) -> None:
    """Good guesses of what comes next survive the mask, all but what ends in a longer token."""
    matcher = grammars().compile(JsonSchema(json.dumps(random_schema(Random(seed)))))
    assert matcher is not None
    likely, forced = matcher.likely(), matcher.forced()
    assert len(matcher.masks(likely)) == len(likely) + 1
    assert b"".join(map(tokens().text_of, likely)).startswith(
        b"".join(map(tokens().text_of, forced))
    )


def test_accept_end_token_in_free_text_ends_the_answer() -> None:
    """Behind an end token nothing may follow, even where nothing was asked."""
    matcher = matcher_of()
    matcher.accept(min(tokens().ends))
    assert matcher.is_over
    assert same(matcher.masks(), [tokens().end_mask])


def test_walk_of_required_calls_ends_for_every_format() -> None:
    """An answer at random under required calls comes to its end in every format."""
    for form in CALLS:
        matcher = grammars(form).compile(None, ToolUse(tools=TOOLS, choice="required"))
        assert matcher is not None
        assert written_at_random(matcher, Random(3))
