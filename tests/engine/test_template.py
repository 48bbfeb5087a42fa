"""Tests of slipstream.engine.template."""

from datetime import datetime

import pytest

from slipstream.engine.template import ChatTemplate, Guard
from slipstream.errors import BadRequest, LoadFailed

CONTROL = ("<|im_start|>", "<|im_end|>", "<s>")
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
    rendered = template(CHATML).render(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    )

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
        ("{% if tools %}tools{% else %}none{% endif %}", "none"),
        ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"),
        ("  {% if true %}\nx\n  {% endif %}\ny", "x\ny"),
        ("{{ messages[0]['content'] | trim | upper }}", "HI"),
    ],
)
def test_render_conventions_of_hugging_face_hold(source: str, rendered: str) -> None:
    """What templates in the wild rely on."""
    assert template(source).render([{"role": "user", "content": "Hi"}]) == rendered


def test_render_template_code_in_a_message_is_text() -> None:
    """What a user writes is never run."""
    assert "{{ 7 * 7 }}" in template(CHATML).render([{"role": "user", "content": "{{ 7 * 7 }}"}])


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
        template(source).render([{"role": "user", "content": "Hi"}])

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
