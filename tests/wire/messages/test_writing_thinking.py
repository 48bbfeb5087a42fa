"""Tests of slipstream.wire.messages.writing_thinking."""

from typing import Any

import pytest

from slipstream.wire.talk.asking import (
    Reasoning,
    Seal,
    Target,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from slipstream.wire.talk.means import Thinking, Tool, ToolChoice
from tests.wire.messages.requests import asking, targeting, write

OLD = targeting()
NEW = targeting(is_adaptive_only=True)
MESSAGES = "anthropic_messages"


def enabled(budget: int) -> dict[str, Any]:
    """Return thinking of so many tokens, shown as Chat is shown it."""
    return {"type": "enabled", "budget_tokens": budget, "display": "summarized"}


ADAPTIVE = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("target", "said", "thinking", "effort", "names"),
    [
        (OLD, Thinking(effort="none"), {"type": "disabled"}, None, ()),
        (
            targeting("thinking.disabled"),
            Thinking(effort="none"),
            {"type": "between_tools"},
            None,
            ("reasoning_effort -> between_tools",),
        ),
        (
            targeting("thinking.disabled", "thinking.between_tools"),
            Thinking(effort="none"),
            {"type": "adaptive"},
            "low",
            ("reasoning_effort -> low",),
        ),
        (NEW, Thinking(effort="high"), ADAPTIVE, "high", ()),
        (NEW, Thinking(effort="minimal"), ADAPTIVE, "low", ("reasoning_effort -> low",)),
        (
            targeting(is_adaptive_only=True, efforts=("low", "medium", "high")),
            Thinking(effort="max"),
            ADAPTIVE,
            "high",
            ("reasoning_effort -> high",),
        ),
        (
            targeting("output_config.effort", is_adaptive_only=True),
            Thinking(effort="high"),
            ADAPTIVE,
            None,
            ("reasoning_effort",),
        ),
        (
            targeting("thinking.display", is_adaptive_only=True),
            Thinking(effort="high"),
            {"type": "adaptive"},
            "high",
            (),
        ),
        (OLD, Thinking(effort="minimal"), enabled(1024), None, ()),
        (targeting("output_config.effort"), Thinking(effort="low"), enabled(2048), None, ()),
        (OLD, Thinking(effort="high"), enabled(16_384), None, ()),
        (targeting(max_output_tokens=4096), Thinking(effort="high"), enabled(2048), None, ()),
        (
            targeting(max_output_tokens=2000),
            Thinking(effort="high"),
            None,
            None,
            ("reasoning_effort",),
        ),
        (OLD, Thinking(shows="auto"), None, None, ()),
        (OLD, Thinking(is_adaptive=True), ADAPTIVE, None, ()),
        (
            targeting("thinking.adaptive"),
            Thinking(is_adaptive=True, shows="none"),
            {"type": "enabled", "budget_tokens": 8192, "display": "omitted"},
            None,
            (),
        ),
    ],
)
def test_write_thinking_in_the_words_of_the_target(
    target: Target,
    said: Thinking,
    thinking: dict[str, Any] | None,
    effort: str | None,
    names: tuple[str, ...],
) -> None:
    """An effort for newer models, a budget for older ones, and the nearest of what there is."""
    body, changes = write(asking(thinking=said), target)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    assert changes == names


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(1024, "low"), (2048, "low"), (2049, "medium"), (10_000, "medium"), (10_001, "high")],
)
def test_write_budget_for_a_model_that_takes_none_is_an_effort(budget: int, effort: str) -> None:
    """Claude Code says a budget to models that it does not know."""
    asked = asking(dialect=MESSAGES, thinking=Thinking(budget_tokens=budget))
    body, changes = write(asked, NEW)
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": effort})
    assert changes == ("thinking.budget_tokens -> output_config.effort",)


@pytest.mark.parametrize(
    ("max_tokens", "sent", "names"),
    [
        (8000, 4000, ()),
        (4000, 3999, ("thinking.budget_tokens -> 3999",)),
        (1024, None, ("thinking.budget_tokens -> 1023", "thinking")),
    ],
)
def test_write_budget_stays_below_the_limit(
    max_tokens: int, sent: int | None, names: tuple[str, ...]
) -> None:
    """Anthropic refuses any other, and too small a one."""
    thinking = Thinking(budget_tokens=4000)
    asked = asking(dialect=MESSAGES, max_tokens=max_tokens, thinking=thinking)
    body, changes = write(asked)
    assert body.get("thinking", {}).get("budget_tokens") == sent
    assert changes == names


def test_write_effort_alone_of_a_client_of_messages_stays_alone() -> None:
    """There it is no wish to think; what the target does not take is named."""
    asked = asking(dialect=MESSAGES, thinking=Thinking(effort="low"))
    assert write(asked, NEW)[0]["output_config"] == {"effort": "low"}
    assert "thinking" not in write(asked, NEW)[0]
    body, changes = write(asked, targeting("output_config.effort"))
    assert "output_config" not in body
    assert changes == ("output_config.effort",)


def test_write_budget_gives_way_to_calls_that_were_made_without_thoughts() -> None:
    """A client that another vendor served before got an error for every turn of its loop."""
    called = ToolCall(call_id="c", name="f", arguments="{}")
    result = Turn("tool", (ToolResult(call_id="c", parts=(Text("r"),)),))
    said = (Turn("user", (Text("hi"),)), Turn("assistant", (called,)), result)
    asked = asking(thinking=Thinking(effort="high"), turns=said, max_tokens=9_000)
    body, changes = write(asked, OLD)
    assert "thinking" not in body
    assert changes == ("reasoning_effort",)
    assert write(asked, NEW)[0]["thinking"] == ADAPTIVE
    sealed = Reasoning(seals=(Seal(vendor="anthropic", kind="signature", data="s"),))
    thought = (said[0], Turn("assistant", (sealed, called)), result)
    asked = asking(thinking=Thinking(effort="high"), turns=thought, max_tokens=9_000)
    assert write(asked, OLD)[0]["thinking"] == enabled(4_500)


def test_write_thinking_gives_way_to_a_forced_call() -> None:
    """The two exclude each other, and the call is what the client waits for."""
    asked = asking(
        thinking=Thinking(effort="high"),
        tools=(Tool(name="f"),),
        tool_choice=ToolChoice("required"),
    )
    body, changes = write(asked)
    assert "thinking" not in body
    assert changes == ("reasoning_effort",)
