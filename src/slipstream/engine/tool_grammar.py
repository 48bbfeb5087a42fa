"""Calls of functions as Lark rules, in the way that a family of models writes them.

    opening  call separator call …  closing             call: begin, the name, arguments, end

Behind a trigger that was heard already, the rules go on with what is left of the first call.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from slipstream.engine.grammar_schema import ITEM_SEPARATOR, KEY_SEPARATOR
from slipstream.engine.grammar_spec import ToolFormat

_ANY_TEXT: Final = "/(?s:.*)/"


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's name and the schema of its arguments, as llguidance takes it."""

    name: str
    arguments: Mapping[str, Any]


def call_rules(
    signatures: Sequence[Signature],
    form: ToolFormat,
    controls: Mapping[str, int],
    *,
    is_parallel: bool,
    heard: str = "",
) -> str:
    """Return Lark rules of which `calls` matches all calls of an answer.

    Args:
        controls: The model's control tokens by name.
        heard: The beginning of what is written, if it is matched already.
    """
    more = ""
    if is_parallel and form.separator is not None:
        more = f"({literal(form.separator, controls)} call)*"
    heads = [form.begin + _head(each, form) for each in signatures]
    assert all((form.opening + head).startswith(heard) for head in heads), "that is their beginning"
    tail = literal(("}" if form.middle is None else "") + form.end, controls)
    lines = [f"calls: first {more} {literal(form.closing, controls)}"]
    for name, lead in (("first", form.opening), ("call", "")):
        cut = len(heard) if name == "first" else 0
        options = [
            f"{literal((lead + head)[cut:], controls)} arguments_{number} {tail}"
            for number, head in enumerate(heads)
        ]
        lines.append(f"{name}: {' | '.join(options)}")
    for number, each in enumerate(signatures):
        lines.append(f"arguments_{number}: %json {msgspec.json.encode(each.arguments).decode()}")
    return "\n".join(lines) + "\n"


def listening_rule(heard: str, controls: Mapping[str, int], *, is_anchored: bool) -> str:
    """Return the rule `start` for tokens that hold a trigger, or may be about to.

    Other text passes, but for a token that ends the trigger and goes on with what is no call.
    """
    if heard in controls:
        return f"start: {literal(heard, controls)} calls\n"
    pattern = _pattern(heard)
    if is_anchored:
        free = f"{_ANY_TEXT} & ~/{pattern}(?s:.*)/"
        return f"start: {literal(heard, controls)} calls | FREE\nFREE: {free}\n"
    return f"start: head calls | FREE\nhead[lazy]: /(?s:.*){pattern}/\nFREE: {_ANY_TEXT}\n"


def heard_part(text: str, controls: Mapping[str, int]) -> str:
    """Return what is listened for: a text up to its first control token, or that."""
    return next(_parts(text, controls))


def reasoning_rule(begin: str, end: str, controls: Mapping[str, int]) -> str:
    """Return the rule `reasoning`: free text between two markers."""
    if end in controls:
        return f"reasoning: {literal(begin, controls)} THOUGHT {literal(end, controls)}\n" + (
            f"THOUGHT: {_ANY_TEXT}\n"
        )
    thought = f"thought[lazy]: /(?s:.*){_pattern(end)}/\n"
    return f"reasoning: {literal(begin, controls)} thought\n{thought}"


def literal(text: str, controls: Mapping[str, int]) -> str:
    """Return a text in Lark, in which the names of control tokens stand for the tokens."""
    return " ".join(
        f"<[{controls[part]}]>" if part in controls else msgspec.json.encode(part).decode()
        for part in _parts(text, controls)
    )


def _parts(text: str, controls: Mapping[str, int]) -> Iterator[str]:
    longest_first = sorted(filter(None, controls), key=len, reverse=True)
    names = "|".join(map(re.escape, longest_first)) or "(?!)"
    return filter(None, re.split(f"({names})", text))


def _head(signature: Signature, form: ToolFormat) -> str:
    """Return what stands between a call's begin and its arguments."""
    if form.middle is not None:
        return signature.name + form.middle
    name_key, name, arguments_key = (
        msgspec.json.encode(each).decode()
        for each in (form.name_key, signature.name, form.arguments_key)
    )
    return f"{{{name_key}{KEY_SEPARATOR}{name}{ITEM_SEPARATOR}{arguments_key}{KEY_SEPARATOR}"


def _pattern(text: str) -> str:
    """Return a regular expression for a text, without a letter that means something there."""
    return "".join(each if each.isalnum() else f"\\x{{{ord(each):X}}}" for each in text)
