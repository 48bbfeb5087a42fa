"""Tests of slipstream.engine.prompt, with the real tokenizer and a template of our own."""

import pytest

from slipstream.engine.grammar_spec import Tool, ToolUse
from slipstream.engine.prompt import Prompts, offered_tools
from slipstream.engine.protocol import ChatMessage, Generate
from slipstream.engine.template import ChatTemplate, Guard
from slipstream.errors import BadRequest, ContextTooLong, OutOfBlocks
from tests.engine.grammar_drive import tokenizer

SOURCE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
TOOLS = (Tool("now"),)


def prompts(*, context_tokens: int = 100, cache_tokens: int = 50) -> Prompts:
    """Return a small model's prompts."""
    template = ChatTemplate(SOURCE, guard=Guard(()), tokens={})
    return Prompts(tokenizer(), template, context_tokens, cache_tokens, 49_152)


def test_encode_messages_keeps_what_the_template_wrote() -> None:
    """The rendered text is kept: its end says whether reasoning has begun."""
    asked = Generate(request_id=1, messages=(ChatMessage("user", "Hi"),))
    prompt = prompts().encode(asked)

    assert prompt.rendered == "user: Hi\nassistant:"
    assert prompt.token_ids == tokenizer().encode_prompt(prompt.rendered)


def test_encode_text_and_ids_pass_as_they_are() -> None:
    """A text that goes on has no template; ids are taken by their numbers."""
    assert prompts().encode(Generate(request_id=1, prompt=(7, 8, 9))).token_ids == [7, 8, 9]
    assert prompts().encode(Generate(request_id=1, prompt="Once")).rendered == ""


@pytest.mark.parametrize("bad", [-1, 49_152])
def test_encode_id_outside_the_vocabulary_is_refused(bad: int) -> None:
    """The id and the largest one are named."""
    with pytest.raises(BadRequest, match=rf"{bad} .* 49151"):
        prompts().encode(Generate(request_id=1, prompt=(1, bad)))


def test_encode_too_long_names_the_bound_that_it_breaks() -> None:
    """The context and the cache are two bounds with two errors."""
    with pytest.raises(ContextTooLong, match="100 tokens"):
        prompts().encode(Generate(request_id=1, prompt=(5,) * 100))
    with pytest.raises(OutOfBlocks, match="holds 50"):
        prompts().encode(Generate(request_id=1, prompt=(5,) * 50))


def test_count_is_the_length_of_the_prompt_however_long() -> None:
    """Who only asks how long it is may be told that it is too long."""
    asked = Generate(request_id=1, messages=(ChatMessage("user", "Hi"),))
    assert prompts().count(asked) == len(prompts().encode(asked).token_ids)
    assert prompts().count(Generate(request_id=1, prompt=(5,) * 1_000)) == 1_000


def test_most_tokens_is_the_smaller_bound() -> None:
    """An answer ends where the context or the cache does."""
    assert prompts().most_tokens == 50
    assert prompts(cache_tokens=500).most_tokens == 100


def test_offered_tools_of_choice_none_are_none() -> None:
    """Tools that may not be called are not shown to the model."""
    auto, none = ToolUse(tools=TOOLS), ToolUse(tools=TOOLS, choice="none")

    assert offered_tools(Generate(request_id=1, tool_use=auto)) == TOOLS
    assert offered_tools(Generate(request_id=1, tool_use=none)) == ()
    assert offered_tools(Generate(request_id=1)) == ()
