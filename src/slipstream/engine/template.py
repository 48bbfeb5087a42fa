"""Renders a conversation with the model's own chat template, in jinja2's sandbox.

A template comes with the model, which may come from anywhere: it can neither reach Python nor
change what it is given. What users write is guarded: where their text spells a control token of
the model, such as `<|im_end|>`, the rendered prompt holds a mark in its place, which
`tokenizer.py` reads back as ordinary text. So nobody ends a turn from inside a message.

Follows the conventions of Hugging Face's chat templates; templates with tools come later.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from slipstream.errors import BadRequest, LoadFailed

_MARK: Final = "\ufdd0"  # a noncharacter: in no template, and guarded in user text like the rest
_MARKED: Final = re.compile(f"{_MARK}(\\d+){_MARK}")

Clock = Callable[[], datetime]


class Guard:
    """Replaces what must not be read as control tokens by marks, and marks by what they hide."""

    __slots__ = ("_hidden", "_numbers", "_pattern")

    def __init__(self, control_tokens: Iterable[str]) -> None:
        # The longest first: of two tokens that begin alike the regular expression takes the first.
        self._hidden = [_MARK, *sorted({t for t in control_tokens if t}, key=len, reverse=True)]
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
    """One model's template, compiled once."""

    __slots__ = ("_guard", "_now", "_template", "_tokens")

    def __init__(
        self, source: str, *, guard: Guard, tokens: Mapping[str, str], now: Clock = datetime.now
    ) -> None:
        """Compile.

        Args:
            tokens: `bos_token` and the like, by the names that templates use.
            now: For `strftime_now`, which some templates write into the prompt.

        Raises:
            LoadFailed: The source is no template.
        """
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = self._format_now
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as exc:
            raise LoadFailed(f"the model's chat template cannot be read: {exc}") from exc
        self._guard, self._tokens, self._now = guard, dict(tokens), now

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the prompt, ending where the assistant's answer begins.

        Raises:
            BadRequest: The template refuses this conversation, or cannot express it.
        """
        hide = self._guard.hide
        guarded = [{key: hide(text) for key, text in message.items()} for message in messages]
        try:
            return self._template.render(
                messages=guarded, add_generation_prompt=True, tools=None, **self._tokens
            )
        except _Refused as exc:
            raise BadRequest(
                f"The model's chat template refuses these messages: {exc}", param="messages"
            ) from exc
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as exc:
            raise BadRequest(
                f"The model's chat template cannot express these messages: {exc}", param="messages"
            ) from exc

    def _format_now(self, pattern: str) -> str:
        return self._now().strftime(pattern)


class _Refused(jinja2.TemplateError):
    """A template called `raise_exception`."""


def _refuse(message: str) -> NoReturn:
    raise _Refused(message)


def _to_json(value: Any, indent: int | None = None) -> str:
    """Write JSON as templates expect it: not escaped for HTML, and with its own letters."""
    return json.dumps(value, ensure_ascii=False, indent=indent)
