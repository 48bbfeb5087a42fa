"""A model whose template opens a think tag: the real embedded one, with such a template.

Turns whose reasoning is kept show the model how it is done, so it closes the tag by itself.
"""

import json
from pathlib import Path

import pytest

from slipstream.engine.grammar_spec import JsonSchema, Tool, ToolUse
from slipstream.engine.model import LoadedModel
from slipstream.engine.protocol import ChatMessage, Generate
from slipstream.engine.settings import MIB
from tests.engine.campaign import Answered, House, loaded

THINKING = """{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}
{%- else %}
{{- '<think>\\n' }}
{%- endif %}
{%- endif %}
"""
SUMS = (("2 + 3", 5), ("4 + 1", 5), ("2 + 2", 4))
TURNS = (
    *(
        turn
        for sum_, result in SUMS
        for turn in (
            ChatMessage("user", f"What is {sum_}?"),
            ChatMessage("assistant", str(result), reasoning=f"{sum_} is {result}."),
        )
    ),
    ChatMessage("user", "What is 1 + 1?"),
)
SHOWN = {"clear_thinking": False}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """Give the embedded model with a template that thinks."""
    file = tmp_path_factory.mktemp("template") / "thinking.jinja"
    file.write_text(THINKING)
    return loaded(template=str(file), kv_cache_bytes=128 * MIB)


def answer(model: LoadedModel, **fields: object) -> Answered:
    """Return the likeliest answer to the last sum."""
    given = {"temperature": 0.0, "max_tokens": 80, "switches": SHOWN, **fields}
    house = House(model)
    answered = house.ask(Generate(request_id=1, messages=TURNS, **given))  # type: ignore[arg-type]
    house.work()
    return answered


def test_template_that_opens_a_tag_makes_a_model_that_reasons(model: LoadedModel) -> None:
    """What it says before the tag ends is reasoning: apart from the text, and counted."""
    answered = answer(model, num_logprobs=0, wants_tokens=True)

    assert model.ready.reasons
    assert "1 + 1 is" in answered.reasoning
    assert answered.text.strip("0123456789. ") == ""
    assert "think>" not in answered.reasoning + answered.text
    assert answered.end is not None
    thought = [delta for delta in answered.deltas if delta.has_reasoned]
    assert answered.end.reasoning_tokens == sum(delta.num_tokens for delta in thought) > 5
    assert answered.end.completion_tokens > answered.end.reasoning_tokens
    told = b"".join(each.token for delta in thought for each in delta.logprobs)
    assert told.decode() == f"{answered.reasoning}\n</think>"
    assert all(len(each.tokens) == each.num_tokens for each in answered.deltas)


def test_reasoning_comes_before_the_text_and_never_with_it(model: LoadedModel) -> None:
    """A reader sees thoughts, then the answer."""
    kinds = [delta.has_reasoned for delta in answer(model).deltas]

    assert kinds == sorted(kinds, reverse=True)
    assert len(set(kinds)) == 2


@pytest.mark.parametrize("switch", [{"enable_thinking": False}, {"reasoning_effort": "none"}])
def test_reasoning_is_switched_off_where_the_template_can(
    model: LoadedModel, switch: dict[str, bool | str]
) -> None:
    """Then the tag is closed before the answer begins: all of it is text."""
    answered = answer(model, switches=switch, wants_prompt=True)

    assert answered.started is not None
    assert answered.started.prompt_text.endswith("<think>\n\n</think>\n\n")
    assert (answered.reasoning, answered.text != "") == ("", True)
    assert answered.end is not None
    assert answered.end.reasoning_tokens == 0


def test_reasoning_of_earlier_turns_is_read_only_where_it_is_kept(model: LoadedModel) -> None:
    """`clear_thinking` decides what of it is in the prompt."""
    prompts = []
    for clears in (True, False):
        told = answer(model, switches={"clear_thinking": clears}, wants_prompt=True, max_tokens=1)
        assert told.started is not None
        prompts.append(told.started.prompt_text)

    assert "4 + 1 is 5." not in prompts[0]
    assert "<think>\n4 + 1 is 5.\n</think>\n\n5<|im_end|>" in prompts[1]


def test_reasoning_stays_in_the_text_where_nobody_parses_it(model: LoadedModel) -> None:
    """Then the tag that ends it is shown as it was written."""
    answered = answer(model, parses_reasoning=False)

    assert answered.reasoning == ""
    assert "</think>" in answered.text


def test_form_holds_behind_the_reasoning(model: LoadedModel) -> None:
    """A schema asks nothing of the thoughts and everything of the answer."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"sum": {"type": "integer", "maximum": 9}},
    }
    schema |= {"required": ["sum"], "additionalProperties": False}
    answered = answer(model, form=JsonSchema(json.dumps(schema)))

    assert answered.reasoning != ""
    assert json.loads(answered.text).keys() == {"sum"}
    assert answered.finish == "stop"


def test_required_call_comes_behind_the_reasoning(model: LoadedModel) -> None:
    """A call is a call, with its thoughts before it."""
    use = ToolUse(tools=(Tool("now", is_strict=True),), choice="required", is_parallel=False)
    answered = answer(model, tool_use=use)

    assert answered.reasoning != ""
    assert [(call.name, call.arguments) for call in answered.calls] == [("now", "{}")]
    assert answered.finish == "tool_calls"


def test_answer_cut_in_its_reasoning_has_no_text(model: LoadedModel) -> None:
    """All of its tokens were reasoning, and it says that it was cut."""
    answered = answer(model, max_tokens=4)

    assert (answered.text, answered.finish) == ("", "length")
    assert answered.end is not None
    assert answered.end.reasoning_tokens == answered.end.completion_tokens == 4


def test_template_of_ones_own_changes_the_fingerprint(model: LoadedModel, tmp_path: Path) -> None:
    """Answers of the same weights may differ: whoever compares them can see it."""
    file = tmp_path / "other.jinja"
    file.write_text(THINKING + "{# the same, but for this #}")
    other = loaded(template=str(file), kv_cache_bytes=64 * MIB)

    assert other.ready.fingerprint != model.ready.fingerprint
