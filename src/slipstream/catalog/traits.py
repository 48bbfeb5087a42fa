"""What single models take otherwise than their provider's others: rows by family and version.

Where a model is sold by several, its name is the same but for what stands before the last slash,
and dots for dashes. A model that no row fits takes what its dialect has.

Source: ../shared/reference/providers.md, sections 1 and 2, whose tags say which lines were checked
against the living services, 2026-11-21.
"""

import re
from typing import Final, NamedTuple

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


class Traits(Struct, frozen=True, kw_only=True):
    """What a writer must know of one model; see wire.talk.asking.Target."""

    max_output_tokens: int | None = None
    efforts: tuple[str, ...] = ()
    is_adaptive_only: bool = False
    refuses: frozenset[str] = frozenset()


class _Row(NamedTuple):
    """What models of some families have in common, from one version to another, both included.

    Args:
        while_thinking: It holds only where the request does not turn thinking off.
    """

    families: str
    first: Version
    last: Version = _ANY
    refuses: tuple[str, ...] = ()
    max_output_tokens: int | None = None
    efforts: tuple[str, ...] = ()
    is_adaptive_only: bool = False
    while_thinking: bool = False


_CLAUDE: Final = re.compile(r"(?:^|-)claude-(opus|sonnet|haiku|fable|mythos)-(\d+)(?:-(\d)(?!\d))?")
_GPT: Final = re.compile(r"^gpt-(\d+)(?:-(\d)(?!\d))?(?:-(astra|sol|terra|luna|mini|nano|pro))?")
_O: Final = re.compile(r"^(o)([134])(?:-|$)()")
_ALL_CLAUDES: Final = "opus sonnet haiku fable mythos"

_ROWS: Final = (
    _Row(_ALL_CLAUDES, (4, 5), (4, 5), max_output_tokens=64_000, refuses=("thinking.adaptive",)),
    _Row(_ALL_CLAUDES, (4, 6), max_output_tokens=128_000, refuses=("prefill",)),
    _Row("sonnet haiku", (4, 0), (4, 5), refuses=("output_config.effort",)),
    _Row("opus", (4, 7), refuses=_SAMPLING, is_adaptive_only=True),
    _Row("sonnet fable mythos", (5, 0), refuses=_SAMPLING, is_adaptive_only=True),
    _Row("haiku", (5, 5), refuses=_SAMPLING, is_adaptive_only=True),
    _Row("fable mythos", (5, 1), refuses=("tool_choice.any", "tool_choice.tool")),
    _Row("opus sonnet", (5, 5), refuses=("tool_choice.any", "tool_choice.tool")),
    _Row("opus sonnet", (5, 5), refuses=("thinking.disabled",)),
    _Row("opus", (5, 5), refuses=("thinking.between_tools",)),
    # OpenAI's: always thinking, thinking unless told otherwise, and only when told.
    _Row("o gpt-pro", (1, 0), refuses=_OPENAI_SAMPLING),
    _Row("o", (1, 0), efforts=("low", "medium", "high")),
    _Row("o gpt-pro", (3, 0), refuses=("stop",)),
    _Row("gpt gpt-mini gpt-nano", (5, 0), (5, 0), refuses=(*_OPENAI_SAMPLING, "stop")),
    _Row("gpt gpt-mini gpt-nano", (5, 0), (5, 0), efforts=("minimal", "low", "medium", "high")),
    _Row("gpt gpt-mini gpt-nano gpt-sol gpt-terra gpt-luna", (5, 1), refuses=("stop",)),
    _Row(
        "gpt gpt-sol gpt-terra gpt-luna",
        (5, 5),
        refuses=_OPENAI_SAMPLING,
        while_thinking=True,
    ),
    _Row("gpt-astra", (6, 0), refuses=(*_OPENAI_SAMPLING, "stop")),
    _Row("gpt-sol", (6, 1), refuses=_OPENAI_SAMPLING),
    _Row("gpt-astra", (6, 0), efforts=("low", "medium", "high", "xhigh", "max")),
    _Row("gpt-sol", (6, 1), efforts=("low", "medium", "high", "xhigh", "max")),
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
        and not (row.while_thinking and effort == "none")
    ]
    limits = [row.max_output_tokens for row in rows if row.max_output_tokens is not None]
    efforts = [row.efforts for row in rows if row.efforts]
    return Traits(
        max_output_tokens=limits[-1] if limits else None,
        efforts=efforts[-1] if efforts else (),
        is_adaptive_only=any(row.is_adaptive_only for row in rows),
        refuses=frozenset(field for row in rows for field in row.refuses),
    )


def _family_of(model: str) -> tuple[str, Version] | None:
    """Return the family and the version that a name tells; None where it tells neither."""
    name = model.rpartition("/")[2].lower().replace(".", "-")
    if found := _CLAUDE.search(name):
        return found[1], (int(found[2]), int(found[3] or 0))
    if found := _GPT.match(name):
        family = f"gpt-{found[3]}" if found[3] else "gpt"
        return family, (int(found[1]), int(found[2] or 0))
    if found := _O.match(name):
        return "o", (int(found[2]), 0)
    return None
