"""Renders a conversation with the model's own chat template, in jinja2's sandbox.

A template may come from anywhere: it can neither reach Python nor change what it is given. Where
a user's text spells a control token, such as `<|im_end|>`, the prompt holds a mark instead, which
`tokenizer.py` reads back as ordinary text: nobody ends a turn from inside a message.

Follows Hugging Face's conventions. What a family of models needs besides is in `families.py`, and
how messages are brought into shape in `conversation.py`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from slipstream.engine.conversation import (
    BEGIN_SHIELD,
    END_SHIELD,
    SHIELD,
    add_to_system,
    guarded,
    template_messages,
    template_tools,
    tools_text,
)
from slipstream.engine.families import Family, find_family
from slipstream.engine.grammar_spec import Tool
from slipstream.engine.protocol import ChatMessage
from slipstream.errors import BadRequest, LoadFailed

_MARK: Final = "\ufdd0"  # a noncharacter: in no template, and guarded in user text like the rest
_MARKED: Final = re.compile(f"{_MARK}(\\d+){_MARK}")

_NO_SWITCHES: Final[Mapping[str, Any]] = {}
_RESERVED: Final = frozenset(
    {"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"}
)

Clock = Callable[[], datetime]


class Guard:
    """Replaces what must not be read as control tokens by marks, and marks by what they hide."""

    __slots__ = ("_hidden", "_numbers", "_pattern")

    def __init__(self, control_tokens: Iterable[str]) -> None:
        # The longest first: of two tokens that begin alike the regular expression takes the first.
        named = sorted({t for t in control_tokens if t}, key=len, reverse=True)
        self._hidden = [_MARK, *named, SHIELD]
        self._numbers = {text: number for number, text in enumerate(self._hidden)}
        self._pattern = re.compile("|".join(map(re.escape, self._hidden)))

    def hide(self, text: str) -> str:
        """Return a user's text with a mark in place of each control token."""
        return self._pattern.sub(lambda m: f"{_MARK}{self._numbers[m[0]]}{_MARK}", text)

    def restore(self, text: str) -> str:
        """Return the text that `hide` was given."""
        return _MARKED.sub(lambda m: self._hidden[int(m[1])], text)

    @staticmethod
    def has_marks(text: str) -> bool:
        """Whether `restore` would change the text."""
        return _MARK in text


class ChatTemplate:
    """One model's template, compiled once. One thread at a time."""

    __slots__ = ("_guard", "_now", "_takes_system", "_template", "_tokens", "family")

    def __init__(
        self,
        source: str,
        *,
        guard: Guard,
        tokens: Mapping[str, str],
        family: Family | None = None,
        now: Clock = datetime.now,
    ) -> None:
        """Compile.

        Args:
            tokens: `bos_token` and the like, by the names that templates use.
            family: None finds it by the source.
            now: For `strftime_now`, which some templates write into the prompt.

        Raises:
            LoadFailed: The source is no template.
        """
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = self._format_now
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as exc:
            raise LoadFailed(f"the model's chat template cannot be read: {exc}") from exc
        self._guard, self._tokens, self._now = guard, dict(tokens), now
        self.family = family if family is not None else find_family(source)
        self._takes_system: bool | None = None  # found out when it matters

    def render(
        self,
        messages: Sequence[ChatMessage],
        tools: Sequence[Tool] = (),
        switches: Mapping[str, Any] = _NO_SWITCHES,
    ) -> str:
        """Return the prompt, ending where the assistant's answer begins.

        Args:
            tools: That the answer may call.
            switches: What the template is told besides, such as `enable_thinking`.

        Raises:
            BadRequest: The template refuses this conversation, or cannot express it.
        """
        try:
            return self._unshielded(self._run(self._values(messages, tools, switches)))
        except _Refused as exc:
            raise BadRequest(
                f"The model's chat template refuses these messages: {exc}", param="messages"
            ) from exc
        except _FAILURES as exc:
            raise BadRequest(
                f"The model's chat template cannot express these messages: {exc}", param="messages"
            ) from exc

    def _values(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool], switches: Mapping[str, Any]
    ) -> dict[str, Any]:
        family, hide = self.family, self._guard.hide
        clears = switches.get("clear_thinking")
        shaped = template_messages(
            messages, family, hide, clears=clears if isinstance(clears, bool) else None
        )
        offered = template_tools(tools, hide) if tools and family.offers_tools else None
        if tools and offered is None:
            said = tools_text(tools, family.tool_format, hide)
            shaped = add_to_system(shaped, said, takes_system=self._has_system())
        given: dict[str, Any] = guarded(family.template_switches(switches), hide)
        if taken := sorted(_RESERVED & given.keys()):
            raise BadRequest(
                f"Invalid value for 'chat_template_kwargs': '{taken[0]}' is set by the request "
                "itself.",
                param="chat_template_kwargs",
            )
        return {**given, "messages": shaped, "tools": offered}

    def _run(self, values: Mapping[str, Any]) -> str:
        return self._template.render({**values, **self._tokens, "add_generation_prompt": True})

    def _unshielded(self, rendered: str) -> str:
        """Put the markers of reasoning in their place."""
        if SHIELD not in rendered or self.family.reasoning is None:
            return rendered
        begin, end = self.family.reasoning.begin, self.family.reasoning.end
        return rendered.replace(BEGIN_SHIELD, begin).replace(END_SHIELD, end)

    def _has_system(self) -> bool:
        """Whether the template writes a system message; tried once."""
        if self._takes_system is None:
            tried = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
            try:
                self._run({"messages": tried, "tools": None})
                self._takes_system = True
            except _FAILURES:
                self._takes_system = False
        return self._takes_system

    def _format_now(self, pattern: str) -> str:
        return self._now().strftime(pattern)


class _Refused(jinja2.TemplateError):
    """A template called `raise_exception`."""


def _refuse(message: str) -> NoReturn:
    raise _Refused(message)


_FAILURES: Final = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    RecursionError,  # arguments or parameters that are nested too deeply
)


class _Generation(Extension):
    """The block `generation`, which marks for training what an assistant wrote."""

    tags = {"generation"}  # noqa: RUF012 -- as jinja2 declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return what is in the block."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Write JSON as templates expect it: not escaped for HTML, and with its own letters."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
