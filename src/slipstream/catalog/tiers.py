"""How good models are at a kind of work, as tiers: our judgement, and nobody's measurement.

A tier says which models may stand in for one another, not which is better within it. They were
given by size, generation and what vendors position a model for, on 2026-11-21; no benchmark was
run for them. `[targets."provider/model"]` says otherwise for one target.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from slipstream.choice import Task

_TASKS: Final[tuple[Task, ...]] = ("general", "code", "math", "tools", "writing")

# 0 toy: says something. 1 small: short and plain tasks whose answers are checked. 2 good: everyday
# work. 3 strong: hard work, most of the time. 4 best: nothing that is offered is clearly better.
#
# Plain name: general, code, math, tools, writing; a lone figure holds for all.
_TABLE: Final[Mapping[str, str]] = {
    "gpt-6-astra": "4",
    "gpt-6.1-sol": "4",
    "gpt-6.1-terra": "3",
    "gpt-6-sol": "4",
    "gpt-6-luna": "2",
    "gpt-5.6-sol": "4",
    "gpt-5.6-terra": "3",
    "gpt-5.6-luna": "22322",
    "gpt-5.5": "4",
    "gpt-5.4": "3",
    "gpt-5.4-mini": "22322",
    "gpt-5.4-nano": "11211",
    "gpt-5.2": "3",
    "gpt-5.1": "3",
    "gpt-4.1": "22122",
    "gpt-4.1-mini": "1",
    "gpt-4o": "21122",
    "gpt-4o-mini": "1",
    "claude-fable-5-1": "4",
    "claude-opus-5-5": "4",
    "claude-opus-5": "4",
    "claude-opus-4-8": "44344",
    "claude-sonnet-5-5": "44344",
    "claude-sonnet-5": "34344",
    "claude-sonnet-4-6": "3",
    "claude-haiku-5-5": "33233",
    "claude-haiku-4-5": "2",
    "gemini-4-argon": "4",
    "gemini-3.8-flash": "3",
    "gemini-3.7-flash": "3",
    "gemini-3.6-flash": "32333",
    "gemini-3.5-flash": "32332",
    "gemini-3.5-flash-lite": "2",
    "gemini-3.1-flash-lite": "21222",
    "gemini-3.1-pro": "33433",
    "gemini-2.5-pro": "3",
    "gemini-2.5-flash": "22322",
    "gemini-2.5-flash-lite": "1",
    "grok-4.7": "4",
    "grok-4.6": "33433",
    "grok-4.5": "33433",
    "grok-4.3": "33332",
    "grok-build-0.1": "23232",
    "mistral-large-4": "3",
    "mistral-large-3": "2",
    "mistral-medium-3.5": "33233",
    "mistral-small-2603": "2",
    "ministral-14b": "1",
    "ministral-8b": "1",
    "ministral-3b": "10101",
    "codestral-2508": "12111",
    "deepseek-v4-pro": "33433",
    "deepseek-v4.1-flash": "33332",
    "deepseek-v3.2": "22322",
    "glm-5.3": "34333",
    "glm-5.3-flash": "2",
    "glm-5.2": "3",
    "kimi-k3": "34334",
    "minimax-m3": "33233",
    "qwen3.8-max": "33433",
    "qwen3.8-27b": "22322",
    "gemma-4-31b": "2",
    "nemotron-3-super": "22322",
    "gpt-oss-120b": "22322",
    "gpt-oss-20b": "11211",
    "llama-3.3-70b": "21112",
    "llama-3.1-8b": "11011",
    "smollm2-135m": "0",
}


def _spread(figures: str) -> Mapping[Task, int]:
    tiers = figures if len(figures) == len(_TASKS) else figures * len(_TASKS)
    return MappingProxyType(dict(zip(_TASKS, map(int, tiers), strict=True)))


TIERS: Final = {name: _spread(figures) for name, figures in _TABLE.items()}
"""Tier by task, by a model's plain name."""

_UNKNOWN: Final[Mapping[Task, int]] = MappingProxyType({})


def tiers_of(name: str) -> Mapping[Task, int]:
    """Return the tiers of a model by its plain name; empty where none were given."""
    return TIERS.get(name, _UNKNOWN)
