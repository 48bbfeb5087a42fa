"""Prompt caching through every SDK: nothing is asked for, and hits are told in whole blocks."""

from itertools import count
from typing import Any

import pytest

from tests.sdks.asking import Ask, Sdks, each_sdk
from tests.sdks.node_host import NodeHost
from tests.sdks.test_tools import WEATHER

BLOCK = 128
_numbers = count()


def long_system() -> dict[str, Any]:
    """Return a system message of some 400 tokens that no other test has sent."""
    number = next(_numbers)
    return {"role": "system", "content": f"Rule {number}: " + "be brief and kind to others. " * 60}


def user(text: str) -> dict[str, Any]:
    """Return a message of the user."""
    return {"role": "user", "content": text}


@each_sdk
def test_second_request_is_told_cached_blocks(ask: Ask) -> None:
    """The first computes its prompt; the second, of the same beginning, does not."""
    system = long_system()
    asked: dict[str, Any] = {"model": "llama-3.3-70b", "max_completion_tokens": 4}
    first = ask(**asked, messages=[system, user("How are you?")])
    second = ask(**asked, messages=[system, user("Who are you, and why?")])

    assert first.cached_tokens == 0
    assert second.cached_tokens >= 2 * BLOCK
    assert second.cached_tokens % BLOCK == 0
    assert second.cached_tokens < second.usage["prompt_tokens"]


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_conversation_with_tools_is_cached(sdks: Sdks, sdk: str) -> None:
    """System message and tools of the first turn are not computed again in the second."""
    client: Any = getattr(sdks, sdk)
    messages: list[Any] = [long_system(), user("Where is my parcel?")]
    asked: Any = {"model": "qwen-3-32b", "max_completion_tokens": 60, "tools": [WEATHER]}
    asked |= {"messages": messages, "temperature": 0, "tool_choice": "none"}
    first = client.chat.completions.create(**asked)
    messages += [first.choices[0].message, user("Send it back, please.")]
    second = client.chat.completions.create(**asked)

    assert first.usage.prompt_tokens_details.cached_tokens <= BLOCK  # what all prompts share
    assert second.usage.prompt_tokens_details.cached_tokens >= 2 * BLOCK
    assert second.choices[0].message.content


@pytest.mark.parametrize("sdk", ["cerebras", "openai"])
def test_conversation_in_javascript_is_cached(node: NodeHost, sdk: str) -> None:
    """Each turn finds more of its prompt in the cache than the one before."""
    body = {"model": "gpt-oss-120b", "max_completion_tokens": 60, "temperature": 0}
    turns = ["Where is Paris?", "Where is Rome?", "Where is Oslo?"]
    answers = node.run(
        "conversation", sdk=sdk, body={**body, "messages": [long_system()]}, turns=turns
    )

    cached = [each["usage"]["prompt_tokens_details"]["cached_tokens"] for each in answers]
    assert cached[0] <= BLOCK < cached[1] <= cached[2]


def test_prompt_cache_key_is_taken(sdks: Sdks) -> None:
    """A hint where to look; the same key finds what was computed before."""
    system: Any = long_system()
    asked: Any = {"model": "llama3.1-8b", "max_completion_tokens": 4, "prompt_cache_key": "a key"}
    for _ in range(2):
        answer: Any = sdks.cerebras.chat.completions.create(**asked, messages=[system])

    assert answer.usage.prompt_tokens_details.cached_tokens >= 2 * BLOCK
