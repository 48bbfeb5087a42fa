"""What single models take otherwise than their provider's others: rows by family and version.

Where a model is sold by several, its name is the same but for what stands before the last slash,
and dots for dashes. A model that no row fits takes what its dialect has.

Source: ../shared/reference/providers.md, sections 1 to 9, whose tags say which lines were checked
against the living services, 2026-11-21.
"""

import re
from typing import Final, Literal, NamedTuple

from msgspec import Struct

Version = tuple[int, int]
_ANY: Final[Version] = (99, 99)
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_OPENAI_SAMPLING: Final = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
)
_CHAT_AND_MESSAGES: Final = ("openai_chat", "anthropic_messages")
# Of chat alone: Messages calls its limit so, whatever the model.
_OLD_LIMIT: Final = "openai_chat.max_tokens"


class Traits(Struct, frozen=True, kw_only=True):
    """What a writer must know of one model; see wire.talk.asking.Target.

    Args:
        refuses: Fields of any dialect, and dialects that this model is not to be asked in.
        thinks: It does unless it is told not to, and shows it in its provider's own way.
    """

    max_output_tokens: int | None = None
    efforts: tuple[str, ...] = ()
    is_adaptive_only: bool = False
    refuses: frozenset[str] = frozenset()
    thinks: bool = False


class _Row(NamedTuple):
    """What models of some families have in common, from one version to another, both included.

    Args:
        holds: Whether or not the model thinks, only where the request does not turn thinking off,
            or only where it asks for it.
    """

    families: str
    first: Version
    last: Version = _ANY
    refuses: tuple[str, ...] = ()
    max_output_tokens: int | None = None
    efforts: tuple[str, ...] = ()
    is_adaptive_only: bool = False
    holds: Literal["always", "unless_off", "when_asked"] = "always"
    thinks: bool = False


# How names tell a family and a version: `major`, then `minor`. The first that fits counts; without
# a group `family` the name beside it is the family's.
_NAMES: Final = (
    (
        "",
        r"(?:^|-)claude-(?P<family>opus|sonnet|haiku|fable|mythos)-(?P<major>\d+)"
        r"(?:-(?P<minor>\d)(?!\d))?",
    ),
    ("gpt-oss", r"^gpt-oss"),
    ("gpt-pro", r"^gpt-(?P<major>\d+)(?:-(?P<minor>\d)(?!\d))?-(?:\w+-)?pro"),
    (
        "gpt",
        r"^gpt-(?P<major>\d+)(?:-(?P<minor>\d)(?!\d))?(?:-(?P<kind>astra|sol|terra|luna|mini|nano))?",
    ),
    ("o-pro", r"^o(?P<major>[134])(?:-\w+)?-pro"),
    ("o", r"^o(?P<major>[134])(?:-|$)"),
    ("grok-crowd", r"^grok-.*multi-agent"),
    ("grok-plain", r"^grok-4-20"),
    ("grok-small", r"^grok-(?:3-mini|code)"),
    ("grok", r"^grok-(?P<major>\d+)(?:-(?P<minor>\d)(?!\d))?"),
    ("grok-latest", r"^grok-latest"),
    ("glm", r"^(?:zai-)?glm-(?P<major>\d+)(?:-(?P<minor>\d)(?!\d))?"),
    ("kimi", r"^kimi-k(?P<major>\d+)"),
    ("magistral", r"^magistral"),
    (
        "gemini",
        r"^gemini-(?P<major>\d+)(?:-(?P<minor>\d)(?!\d))?-(?P<kind>flash-lite|flash|pro)?",
    ),
)
_PATTERNS: Final = tuple((family, re.compile(pattern)) for family, pattern in _NAMES)
_ALL_CLAUDES: Final = "opus sonnet haiku fable mythos"
_ALL_GPTS: Final = "gpt gpt-mini gpt-nano gpt-sol gpt-terra gpt-luna gpt-astra gpt-pro"
_MOST: Final = ("low", "medium", "high", "xhigh", "max")

_ROWS: Final = (
    _Row(
        _ALL_CLAUDES,
        (0, 0),
        (4, 4),
        refuses=("tools.strict", "output_config.format", "output_config.effort"),
    ),
    _Row(_ALL_CLAUDES, (0, 0), (4, 5), refuses=("thinking.adaptive",)),
    _Row(_ALL_CLAUDES, (4, 5), (4, 5), max_output_tokens=64_000),
    _Row(_ALL_CLAUDES, (4, 6), max_output_tokens=128_000, refuses=("prefill",)),
    _Row("sonnet haiku", (4, 0), (4, 5), refuses=("output_config.effort",)),
    # A system's message between others.
    _Row("opus", (0, 0), (4, 7), refuses=("messages.system",)),
    _Row("sonnet", (0, 0), (4, 9), refuses=("messages.system",)),
    _Row("haiku", (0, 0), (5, 4), refuses=("messages.system",)),
    _Row("opus", (4, 7), refuses=_SAMPLING, is_adaptive_only=True),
    _Row("sonnet fable mythos", (5, 0), refuses=_SAMPLING, is_adaptive_only=True),
    _Row("haiku", (5, 5), refuses=_SAMPLING, is_adaptive_only=True),
    _Row("fable mythos", (5, 1), refuses=("tool_choice.any", "tool_choice.tool")),
    _Row("opus sonnet", (5, 5), refuses=("tool_choice.any", "tool_choice.tool")),
    _Row("opus sonnet", (5, 5), refuses=("thinking.disabled",)),
    _Row("opus", (5, 5), refuses=("thinking.between_tools",)),
    # OpenAI's: always thinking, thinking unless told otherwise, and only when told.
    _Row("o o-pro", (1, 0), refuses=(_OLD_LIMIT,)),
    _Row(_ALL_GPTS, (5, 0), refuses=(_OLD_LIMIT,)),
    _Row("o o-pro gpt-pro", (1, 0), refuses=_OPENAI_SAMPLING),
    _Row("o", (1, 0), efforts=("low", "medium", "high")),
    _Row("gpt-pro", (5, 0), efforts=("medium", "high", "xhigh")),
    _Row("o-pro gpt-pro", (1, 0), refuses=_CHAT_AND_MESSAGES),
    _Row("o o-pro gpt-pro", (3, 0), refuses=("stop",)),
    _Row("gpt gpt-mini gpt-nano", (5, 0), (5, 0), refuses=(*_OPENAI_SAMPLING, "stop")),
    _Row("gpt gpt-mini gpt-nano", (5, 0), (5, 0), efforts=("minimal", "low", "medium", "high")),
    _Row("gpt gpt-mini gpt-nano gpt-sol gpt-terra gpt-luna", (5, 1), refuses=("stop",)),
    _Row("gpt gpt-mini gpt-nano", (5, 1), (5, 4), refuses=_OPENAI_SAMPLING, holds="when_asked"),
    _Row("gpt gpt-sol gpt-terra gpt-luna", (5, 5), refuses=_OPENAI_SAMPLING, holds="unless_off"),
    _Row("gpt gpt-sol gpt-terra gpt-luna", (5, 6), efforts=("none", *_MOST)),
    _Row("gpt-astra", (6, 0), refuses=(*_OPENAI_SAMPLING, "stop")),
    _Row("gpt-sol", (6, 1), refuses=_OPENAI_SAMPLING),
    _Row("gpt-astra", (6, 0), efforts=_MOST),
    _Row("gpt-sol", (6, 1), efforts=_MOST),
    _Row(_ALL_GPTS, (5, 0), max_output_tokens=128_000),
    _Row("gpt-oss", (0, 0), efforts=("low", "medium", "high")),
    # xAI's.
    _Row("grok", (4, 0), refuses=("stop", "frequency_penalty", "presence_penalty")),
    _Row("grok-latest", (0, 0), refuses=("stop", "frequency_penalty", "presence_penalty")),
    _Row("grok-plain", (0, 0), refuses=("stop", "frequency_penalty", "presence_penalty")),
    _Row("grok-plain", (0, 0), refuses=("reasoning_effort", "reasoning.effort")),
    _Row("grok-small", (0, 0), refuses=("stop",)),
    _Row("grok-crowd", (0, 0), refuses=_CHAT_AND_MESSAGES),
    _Row("grok", (4, 3), (4, 4), efforts=("none", "low", "medium", "high")),
    _Row("grok-latest", (0, 0), efforts=("none", "low", "medium", "high")),
    _Row("grok", (4, 5), (4, 6), efforts=("low", "medium", "high")),
    _Row("grok", (4, 7), efforts=("low", "medium", "high", "xhigh")),
    # Sold by several.
    _Row("glm", (5, 3), efforts=("low", "high", "max")),
    _Row("kimi", (3, 0), efforts=("low", "high", "max")),
    _Row("magistral", (0, 0), thinks=True),
    _Row("gemini-flash", (3, 6), refuses=(*_SAMPLING, "topP", "topK")),
    _Row("gemini-flash-lite", (3, 5), refuses=(*_SAMPLING, "topP", "topK")),
)


def traits_of(model: str, effort: str | None) -> Traits:
    """Return what a model takes.

    Args:
        model: As its provider calls it.
        effort: How much it is asked to think; `none` for not at all.
    """
    found = _family_of(model)
    if found is None:
        return Traits()
    family, version = found
    rows = [
        row
        for row in _ROWS
        if family in row.families.split()
        and row.first <= version <= row.last
        and _holds(row, effort)
    ]
    limits = [row.max_output_tokens for row in rows if row.max_output_tokens is not None]
    efforts = [row.efforts for row in rows if row.efforts]
    return Traits(
        max_output_tokens=limits[-1] if limits else None,
        efforts=efforts[-1] if efforts else (),
        is_adaptive_only=any(row.is_adaptive_only for row in rows),
        refuses=frozenset(field for row in rows for field in row.refuses),
        thinks=any(row.thinks for row in rows),
    )


def _holds(row: _Row, effort: str | None) -> bool:
    match row.holds:
        case "always":
            return True
        case "unless_off":
            return effort != "none"
        case "when_asked":
            return effort not in (None, "none")


def _family_of(model: str) -> tuple[str, Version] | None:
    """Return the family and the version that a name tells; None where it tells neither."""
    name = model.rpartition("/")[2].lower().replace(".", "-")
    for family, pattern in _PATTERNS:
        if found := pattern.search(name):
            told = found.groupdict()
            family = told.get("family") or family
            if told.get("kind"):
                family = f"{family}-{told['kind']}"
            return family, (int(told.get("major") or 0), int(told.get("minor") or 0))
    return None
