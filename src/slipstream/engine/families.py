"""How families of models write: tools and calls, reasoning, the switches of their templates.

A row for each. `find_family` picks one by what the model's template is made of, and falls back to
`generic`, whose tools stand in the system message and whose calls are text between tags.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from slipstream.engine.grammar_spec import Tool, ToolFormat
from slipstream.engine.parsers import calls, harmony
from slipstream.engine.parsers.calls import CallForm
from slipstream.engine.parsers.harmony import HarmonyParser
from slipstream.engine.parsers.pieces import OutputParser
from slipstream.engine.parsers.tagged import Reasoning, TaggedParser

Switches = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """One way to write.

    Args:
        signs: Texts that its templates hold, all of them.
        architectures: That always are of it.
        tool_format: How a grammar writes calls.
        call_form: How a parser finds them; None for harmony, which has a parser of its own.
        offers_tools: The template lists tools; else they are put into the system message.
        writes_calls: The template writes calls and results; else they are put into the text.
        takes_text_arguments: The template wants a call's arguments as text; else as an object.
        call_id_letters: The template takes ids of calls of so many letters and digits only.
        reasoning: The markers around it; None where the model does not reason.
        reasoning_key: In the template's messages.
        thinking_switch: The template's name for reasoning, on or off, if it can be.
        takes_effort: The template knows `reasoning_effort`.
        writes_reasoning: The template writes that of turns before, all of it or some.
        clears_reasoning: It knows `clear_thinking`, by which it writes more or less.
        thinks_alone: Unless switched off, an answer begins to reason although no prompt does.
    """

    name: str
    signs: tuple[str, ...]
    tool_format: ToolFormat
    call_form: CallForm | None
    architectures: frozenset[str] = frozenset()
    offers_tools: bool = True
    writes_calls: bool = True
    takes_text_arguments: bool = False
    call_id_letters: int | None = None
    reasoning: Reasoning | None = None
    reasoning_key: str = "reasoning_content"
    thinking_switch: str | None = None
    takes_effort: bool = False
    writes_reasoning: bool = True
    clears_reasoning: bool = False
    thinks_alone: bool = False
    markers: tuple[str, ...] = ()

    @property
    def reasons(self) -> bool:
        """Whether its answers may hold reasoning."""
        return self.reasoning is not None

    def shown_ids(self, control_ids: Mapping[str, int]) -> frozenset[int]:
        """Return the control tokens that parsers read by their names: not to be hidden."""
        return frozenset(control_ids[mark] for mark in self.markers if mark in control_ids)

    def template_switches(self, switches: Switches) -> dict[str, Any]:
        """Return switches as the template names them.

        `enable_thinking`, or else a `reasoning_effort`, turns reasoning on or off.
        """
        said = dict(switches)
        effort = said.get("reasoning_effort")
        wanted = said.get("enable_thinking")
        if wanted is None and effort is not None:
            wanted = effort != "none"
        if wanted is not None and self.thinking_switch is not None:
            said.setdefault(self.thinking_switch, wanted)
        if effort == "none" or not self.takes_effort:
            said.pop("reasoning_effort", None)
        return said

    def is_reasoning_open(self, prompt: str) -> bool:
        """Whether a rendered prompt ends behind the marker that begins reasoning."""
        return self.reasoning is not None and prompt.rstrip().endswith(self.reasoning.begin)

    def reasoning_end(self, prompt: str) -> str:
        """Return the marker behind which the visible answer begins; empty: it begins at once."""
        if self.reasoning is None or prompt.rstrip().endswith(self.reasoning.end):
            return ""
        is_expected = self.thinks_alone or self.is_reasoning_open(prompt)
        return self.reasoning.end if is_expected else ""

    def reasoning_begin(self, prompt: str) -> str:
        """Return the marker with which the answer may begin to reason; empty: it need not."""
        is_ahead = bool(self.reasoning_end(prompt)) and not self.is_reasoning_open(prompt)
        return self.reasoning.begin if self.reasoning is not None and is_ahead else ""

    def parser(
        self, tools: Sequence[Tool] = (), *, prompt: str = "", parses_reasoning: bool = True
    ) -> OutputParser | None:
        """Return a parser for the answer to a rendered prompt; None where all of it is text.

        Args:
            tools: That the answer may call.
            prompt: As it was rendered, or its end.
        """
        if self.call_form is None:
            return HarmonyParser(parses_reasoning=parses_reasoning, reads_calls=bool(tools))
        reasoning = self.reasoning if parses_reasoning else None
        if reasoning is None and not tools:
            return None
        return TaggedParser(
            reasoning,
            self.call_form if tools else None,
            tools,
            is_open=reasoning is not None and self.is_reasoning_open(prompt),
        )


# ---- rows ---------------------------------------------------------------------------------------

_HERMES_CALLS: Final = CallForm(
    ("<tool_call>",), calls.read_hermes, calls.is_in_string, "</tool_call>", first="{["
)
_HERMES_FORMAT: Final = ToolFormat(begin="<tool_call>\n", end="\n</tool_call>", separator="\n")
_CALL_MARKERS: Final = ("<tool_call>", "</tool_call>")
_DEEPSEEK_PARTS: Final = ("calls▁begin", "call▁begin", "sep", "call▁end", "calls▁end")
_DEEPSEEK_MARKERS: Final = tuple(f"<｜tool▁{part}｜>" for part in _DEEPSEEK_PARTS)
_DEEPSEEK_CALLS: Final = CallForm(
    _DEEPSEEK_MARKERS[:1], calls.read_deepseek, calls.is_in_string, _DEEPSEEK_MARKERS[-1]
)
_MISTRAL_CALLS: Final = CallForm(("[TOOL_CALLS]",), calls.read_mistral, calls.is_in_string)
_MISTRAL_MARKERS: Final = ("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]")

GENERIC: Final = Family(
    "generic",
    signs=(),
    tool_format=_HERMES_FORMAT,
    call_form=_HERMES_CALLS,
    offers_tools=False,
    writes_calls=False,
    markers=_CALL_MARKERS,
)
FAMILIES: Final = (  # the first whose signs are all there
    Family(
        "harmony",
        signs=("<|channel|>", "<|message|>"),
        architectures=frozenset({"gpt-oss", "gpt_oss"}),
        tool_format=ToolFormat(
            begin=" to=functions.",
            middle="<|channel|>commentary json<|message|>",
            separator=None,
            form_lead="<|channel|>final<|message|>",
            resumed="<|start|>assistant",
        ),
        call_form=None,
        reasoning=Reasoning("<|channel|>analysis<|message|>", "<|end|>"),
        reasoning_key="thinking",
        takes_effort=True,
        thinks_alone=True,
        markers=harmony.MARKS,
    ),
    Family(
        "deepseek-r1",
        signs=("<｜tool▁calls▁begin｜>", "```json"),
        tool_format=ToolFormat(
            opening="<｜tool▁calls▁begin｜>",
            begin="<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
            middle="\n```json\n",
            end="\n```<｜tool▁call▁end｜>",
            separator="\n",
            closing="<｜tool▁calls▁end｜>",
        ),
        call_form=_DEEPSEEK_CALLS,
        takes_text_arguments=True,
        markers=_DEEPSEEK_MARKERS,
    ),
    Family(
        "deepseek-v3.1",
        signs=("<｜tool▁calls▁begin｜>",),
        tool_format=ToolFormat(
            opening="<｜tool▁calls▁begin｜>",
            begin="<｜tool▁call▁begin｜>",
            middle="<｜tool▁sep｜>",
            end="<｜tool▁call▁end｜>",
            closing="<｜tool▁calls▁end｜>",
        ),
        call_form=_DEEPSEEK_CALLS,
        takes_text_arguments=True,
        markers=_DEEPSEEK_MARKERS,
    ),
    Family(
        "glm",
        signs=("<tool_call>", "<arg_key>"),
        # A grammar writes the arguments as one object: it cannot say which values need quotes.
        tool_format=ToolFormat(
            begin="<tool_call>", middle="\n", end="\n</tool_call>", separator="\n"
        ),
        call_form=CallForm(
            ("<tool_call>",), calls.read_glm, calls.is_in_value, "</tool_call>", can_be_cut=False
        ),
        markers=(*_CALL_MARKERS, "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
    ),
    Family(
        "qwen-coder",
        signs=("<tool_call>", "<function=", "<parameter="),
        tool_format=ToolFormat(
            begin="<tool_call>\n<function=",
            middle=">\n",
            end="\n</function>\n</tool_call>",
            separator="\n",
        ),
        call_form=CallForm(
            ("<tool_call>",),
            calls.read_qwen_coder,
            calls.is_in_value,
            "</tool_call>",
            first="<",
            can_be_cut=False,
        ),
        markers=_CALL_MARKERS,
    ),
    Family(
        "hermes",  # Qwen 2.5 and 3, too
        signs=("<tool_call>",),
        tool_format=_HERMES_FORMAT,
        call_form=_HERMES_CALLS,
        markers=_CALL_MARKERS,
    ),
    Family(
        "llama3",
        signs=("<|start_header_id|>", "tool_calls", '"parameters"'),
        tool_format=ToolFormat(arguments_key="parameters", separator="; ", at_start=True),
        call_form=CallForm(
            ("<|python_tag|>", '{"name"', '{ "name"', '{"type"', '{"function"'),
            calls.read_llama,
            calls.is_in_string,
            at_start=True,
        ),
        markers=("<|python_tag|>",),
    ),
    Family(
        "mistral-v13",
        signs=("[TOOL_CALLS]", "[ARGS]"),
        tool_format=ToolFormat(begin="[TOOL_CALLS]", middle="[ARGS]"),
        call_form=_MISTRAL_CALLS,
        call_id_letters=9,
        markers=_MISTRAL_MARKERS,
    ),
    Family(
        "mistral",
        signs=("[TOOL_CALLS]",),
        tool_format=ToolFormat(opening="[TOOL_CALLS][", separator=", ", closing="]"),
        call_form=_MISTRAL_CALLS,
        call_id_letters=9,
        markers=_MISTRAL_MARKERS,
    ),
)
_REASONINGS: Final = (Reasoning("<think>", "</think>"), Reasoning("[THINK]", "[/THINK]"))
# How a template asks for the switch; messages may hold a `thinking` of their own.
_THINKING_SWITCHES: Final = {
    "enable_thinking": r"\benable_thinking\b",
    "thinking": r"(?<![.\w])thinking is ",
}


def find_family(template: str, architecture: str = "", name: str | None = None) -> Family:
    """Return how a model writes: by a row's name, or by its template; else it is `generic`."""
    known = next((row for row in FAMILIES if _is_of(row, template, architecture, name)), None)
    row = known or GENERIC
    switch = next((s for s, sign in _THINKING_SWITCHES.items() if re.search(sign, template)), None)
    tags = next((r for r in _REASONINGS if r.begin in template or r.end in template), None)
    reasoning = row.reasoning or tags
    return replace(
        row,
        offers_tools=known is not None and _has_word(template, "tools"),
        writes_calls=known is not None and _has_word(template, "tool_calls"),
        reasoning=reasoning,
        thinking_switch=switch,
        takes_effort=row.takes_effort or _has_word(template, "reasoning_effort"),
        writes_reasoning=_has_word(template, row.reasoning_key),
        clears_reasoning=_has_word(template, "clear_thinking"),
        # Those with this switch think unless it is off; those without open the tag themselves.
        thinks_alone=row.thinks_alone or (reasoning is not None and switch == "enable_thinking"),
        markers=(*row.markers, *((reasoning.begin, reasoning.end) if reasoning else ())),
    )


def _is_of(row: Family, template: str, architecture: str, name: str | None) -> bool:
    is_like = architecture in row.architectures or all(sign in template for sign in row.signs)
    return is_like if name is None else row.name == name


def _has_word(template: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", template) is not None
