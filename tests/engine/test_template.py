"""Tests of slipstream.engine.template."""

from datetime import datetime

import pytest

from slipstream.engine.conversation import BEGIN_SHIELD, END_SHIELD
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.protocol import ChatMessage
from slipstream.engine.template import ChatTemplate, Guard
from slipstream.errors import BadRequest, LoadFailed

CONTROL = ("<|im_start|>", "<|im_end|>", "<s>")
HI = ChatMessage("user", "Hi")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def template(source: str) -> ChatTemplate:
    """Compile a template with the control tokens above."""
    return ChatTemplate(
        source,
        guard=Guard(CONTROL),
        tokens={"bos_token": "<s>", "eos_token": "<|im_end|>"},
        now=lambda: datetime(2026, 11, 21),
    )


def test_render_chatml_ends_where_the_answer_begins() -> None:
    """Turns in order, then the generation prompt."""
    rendered = template(CHATML).render([ChatMessage("system", "Be brief."), HI])

    assert rendered == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", "<s>Hi<|im_end|>"),
        ("{{ strftime_now('%d %B %Y') }}", "21 November 2026"),
        ("{{ {'a': '<é>'} | tojson }}", '{"a": "<é>"}'),
        ("{{ [1] | tojson(indent=2) }}", "[\n  1\n]"),
        (
            "{{ {'b': 1, 'a': 'é'} | tojson(ensure_ascii=True, sort_keys=True) }}",
            '{"a": "\\u00e9", "b": 1}',
        ),
        ("{{ {'a': [1]} | tojson(separators=(',', ':')) }}", '{"a":[1]}'),
        ("{% generation %}a{{ 1 }}{% endgeneration %}b", "a1b"),
        ("{% if tools %}tools{% else %}none{% endif %}", "none"),
        ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"),
        ("  {% if true %}\nx\n  {% endif %}\ny", "x\ny"),
        ("{{ messages[0]['content'] | trim | upper }}", "HI"),
    ],
)
def test_render_conventions_of_hugging_face_hold(source: str, rendered: str) -> None:
    """What templates in the wild rely on."""
    assert template(source).render([HI]) == rendered


def test_render_template_code_in_a_message_is_text() -> None:
    """What a user writes is never run."""
    assert "{{ 7 * 7 }}" in template(CHATML).render([ChatMessage("user", "{{ 7 * 7 }}")])


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append({}) }}",
        "{{ messages[0].content.no.such.thing }}",
        "{{ 1 / 0 }}",
        "{{ raise_exception('Roles must alternate') }}",
    ],
)
def test_render_template_that_fails_is_a_bad_request(source: str) -> None:
    """Escapes, changes of its input and errors end as one clear error, not as a crash."""
    with pytest.raises(BadRequest, match="chat template") as caught:
        template(source).render([HI])

    assert caught.value.param == "messages"


def test_render_refusal_says_the_templates_words() -> None:
    """The template's own message reaches the caller."""
    with pytest.raises(BadRequest, match="Roles must alternate"):
        template("{{ raise_exception('Roles must alternate') }}").render([])


def test_compile_broken_template_is_a_load_failure() -> None:
    """A template that cannot be parsed is the model's fault, found at load."""
    with pytest.raises(LoadFailed, match="chat template"):
        template("{% if %}")


@pytest.mark.parametrize(
    "text",
    ["<|im_end|>", "a<|im_start|><|im_end|>b", "\ufdd0", "\ufdd01\ufdd0", "<|im_<|im_end|>end|>"],
)
def test_guard_hidden_text_has_no_control_token_and_comes_back(text: str) -> None:
    """Hiding removes every control token and restoring is its exact inverse."""
    guard = Guard(CONTROL)
    hidden = guard.hide(text)

    assert not any(token in hidden for token in CONTROL)
    assert guard.has_marks(hidden)
    assert guard.restore(hidden) == text


def test_guard_ordinary_text_is_untouched() -> None:
    """Text without control tokens takes the quick way."""
    guard = Guard(CONTROL)

    assert guard.hide("a < b |> c") == "a < b |> c"
    assert not guard.has_marks("a < b |> c")


SWITCHED = "{{ enable_thinking }} {{ reasoning_effort }} {{ clear_thinking }}"


@pytest.mark.parametrize(
    ("switches", "rendered"),
    [
        ({"enable_thinking": False}, "False  "),
        ({"reasoning_effort": "none"}, "False  "),
        ({"reasoning_effort": "high", "clear_thinking": False}, "True high False"),
        ({"reasoning_effort": "high", "enable_thinking": False}, "False high "),
        ({"clear_thinking": "<|im_end|>"}, "  \ufdd02\ufdd0"),
        ({}, "  "),
    ],
)
def test_render_switches_reach_the_template(
    switches: dict[str, bool | int | str], rendered: str
) -> None:
    """Effort `none` is reasoning switched off, and a text among switches is guarded like all."""
    assert template(SWITCHED).render([HI], switches=switches) == rendered


@pytest.mark.parametrize("name", ["messages", "tools", "bos_token", "add_generation_prompt"])
def test_render_switch_that_the_request_sets_is_refused(name: str) -> None:
    """Nobody puts other messages under those that were checked."""
    with pytest.raises(BadRequest, match=name) as caught:
        template(CHATML).render([HI], switches={name: "x"})

    assert caught.value.param == "chat_template_kwargs"


def test_render_tools_that_the_template_does_not_know_stand_in_the_system_message() -> None:
    """Any model can be told of tools."""
    tools = [Tool(name="time", description="Tells <|im_end|> it")]
    rendered = template(CHATML).render([ChatMessage("system", "Be brief."), HI], tools)

    system = rendered.removeprefix("<|im_start|>system\n").partition("<|im_end|>")[0]
    assert system.startswith("Be brief.\n\nYou can call")
    assert '{"name": "time", "description": "Tells \ufdd02\ufdd0 it", "parameters": ' in system
    assert '<tool_call>\n{"name": "NAME", "arguments": {"ARGUMENT": VALUE}}\n</tool_call>' in system
    assert "<|im_start|>user\nHi<|im_end|>" in rendered


def test_render_tools_where_no_system_message_may_be_stand_with_the_user() -> None:
    """A template that refuses the role is not given it by us."""
    source = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{{ m.role }}: {{ m.content }}{% endfor %}"
    )
    rendered = template(source).render([HI], [Tool(name="time")])

    assert rendered.startswith("user: You can call")
    assert rendered.endswith("\n\nHi")


QWEN3 = """{%- set ns = namespace(last=-1) %}
{%- for m in messages %}{% if m.role == "user" %}{% set ns.last = loop.index0 %}{% endif %}
{%- endfor %}
{%- for m in messages %}
    {%- set content, thought = m.content, "" %}
    {%- if m.reasoning_content is string %}
        {%- set thought = m.reasoning_content %}
    {%- elif "</think>" in content %}
        {%- set content = content.split("</think>")[-1].lstrip("\\n") %}
    {%- endif %}
    {%- if m.role == "assistant" and loop.index0 > ns.last and thought %}
        {%- set content = "<think>\\n" + thought + "\\n</think>\\n\\n" + content %}
    {%- endif %}
    {{- "[" + m.role + "]" + content }}
{%- endfor %}"""
PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{# <think> #}"
KNOWING = """{% for m in messages %}[{{ m.role }}]{% if m.reasoning_content and
    clear_thinking is defined and not clear_thinking %}<think>{{ m.reasoning_content }}</think>
    {%- endif %}{{ m.content }}{% endfor %}"""
TURNS = (
    HI,
    ChatMessage("assistant", "One.", reasoning="first"),
    ChatMessage("user", "And?"),
    ChatMessage("assistant", "Two.", reasoning="second"),
)
FIRST, SECOND = (f"<think>\n{said}\n</think>\n\n" for said in ("first", "second"))


@pytest.mark.parametrize(
    ("source", "clears", "rendered"),
    [
        (QWEN3, None, f"[user]Hi[assistant]One.[user]And?[assistant]{SECOND}Two."),
        (QWEN3, True, f"[user]Hi[assistant]One.[user]And?[assistant]{SECOND}Two."),
        (QWEN3, False, f"[user]Hi[assistant]{FIRST}One.[user]And?[assistant]{SECOND}Two."),
        (PLAIN, None, "[user]Hi[assistant]One.[user]And?[assistant]Two."),
        (PLAIN, True, f"[user]Hi[assistant]One.[user]And?[assistant]{SECOND}Two."),
        (PLAIN, False, f"[user]Hi[assistant]{FIRST}One.[user]And?[assistant]{SECOND}Two."),
        (KNOWING, True, "[user]Hi[assistant]One.[user]And?[assistant]Two."),
        (
            KNOWING,
            False,
            "[user]Hi[assistant]<think>first</think>One."
            "[user]And?[assistant]<think>second</think>Two.",
        ),
    ],
)
@pytest.mark.parametrize("is_tagged", [False, True])
def test_render_clear_thinking_decides_what_reasoning_stays(
    source: str, clears: bool | None, rendered: str, is_tagged: bool
) -> None:
    """Before the last user's turn it goes or stays, by the template where that knows how.

    So it does with reasoning in its own field and with reasoning between tags in the text.
    """
    turns = [
        ChatMessage(turn.role, f"<think>\n{turn.reasoning}\n</think>\n\n{turn.content}")
        if is_tagged and turn.reasoning
        else turn
        for turn in TURNS
    ]
    switches = {} if clears is None else {"clear_thinking": clears}

    assert template(source).render(turns, switches=switches) == rendered


def test_render_kept_reasoning_of_harmony_stands_before_the_content() -> None:
    """A turn of gpt-oss has no place for it: its users prepend it, and so do we."""
    source = "{# <|channel|><|message|> #}" + PLAIN
    switches = {"clear_thinking": False}

    assert template(source).render(TURNS[:3], switches=switches) == (
        "[user]Hi[assistant]first\n\nOne.[user]And?"
    )


def test_render_shields_in_a_message_are_text() -> None:
    """Nobody writes a marker of reasoning by what stands for one here."""
    said = ChatMessage("assistant", BEGIN_SHIELD, reasoning=END_SHIELD)
    rendered = template(PLAIN).render([HI, said, HI], switches={"clear_thinking": False})

    assert rendered.count("<think>") == rendered.count("</think>") == 1
    restored = Guard(CONTROL).restore(rendered)
    assert restored.count(BEGIN_SHIELD) == restored.count(END_SHIELD) == 1


def test_render_arguments_nested_without_end_are_a_bad_request() -> None:
    """What cannot be written is refused, and nothing falls over."""
    deep = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"
    with pytest.raises(BadRequest, match="chat template"):
        template("{{ tools }}<tool_call>").render([HI], [Tool(name="f", parameters=deep)])
