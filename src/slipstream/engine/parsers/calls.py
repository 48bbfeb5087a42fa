"""Reads the text of calls as families of models write it: JSON, or tags around each argument.

Each reader takes a whole text of calls, tags and all, and returns None where it is none: then it
is shown as it is. Lenient in what models vary, such as the key of the arguments.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from slipstream.engine.grammar_spec import Tool
from slipstream.engine.parsers.pieces import Piece

Calls = list[Piece] | None
"""Pieces of kind `tool`, at least one."""


@dataclass(frozen=True, slots=True)
class CallForm:
    """How calls are found in an answer, and read.

    Args:
        openers: With which a text of calls begins.
        closer: With which it ends; None: it goes on to the end of the answer.
        first: Letters, of which one stands behind an opener, white space aside; empty allows any.
        at_start: It begins the answer, or is none.
        can_be_cut: A text that lacks its closer at the end of the answer may be whole: JSON says
            itself where it ends.
    """

    openers: tuple[str, ...]
    read: Callable[[str, Sequence[Tool]], Calls]
    is_open: Callable[[str], bool]
    closer: str | None = None
    first: str = ""
    at_start: bool = False
    can_be_cut: bool = True


# ---- JSON ---------------------------------------------------------------------------------------

_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_string: Final = msgspec.json.Decoder(str)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_JSON: Final = (
    msgspec.MsgspecError,
    UnicodeError,
    RecursionError,
)  # the last: nested too deeply
_NAME_KEYS: Final = ("name", "function")
_ARGUMENT_KEYS: Final = ("arguments", "parameters")


def is_in_string(text: str) -> bool:
    """Whether a text of JSON ends inside a string, so that a tag at its end belongs to it."""
    return '"' in _STRING.sub("", text)


def read_object(text: str) -> str | None:
    """Return the text of a JSON object without white space around it; None if it is none."""
    try:
        _fields.decode(text)
    except _NO_JSON:
        return None
    return text.strip()


def read_json_calls(text: str) -> Calls:
    """Read `{"name": …, "arguments": {…}}`, several behind each other, or an array of them."""
    try:
        if text.lstrip().startswith("["):
            found = [_read_call(bytes(raw).decode()) for raw in _list.decode(text)]
        else:
            found = [_read_call(part) for part in _parts(text)]
    except _NO_JSON:
        return None
    calls = [call for call in found if call is not None]
    return calls if calls and len(calls) == len(found) else None


def read_hermes(raw: str, tools: Sequence[Tool]) -> Calls:
    """Read `<tool_call>{…}</tool_call>`."""
    return read_json_calls(_inner(raw, "<tool_call>", "</tool_call>"))


def read_llama(raw: str, tools: Sequence[Tool]) -> Calls:
    """Read JSON objects, behind `<|python_tag|>` or alone; what is Python is no call."""
    return read_json_calls(raw.strip().removeprefix("<|python_tag|>"))


def read_mistral(raw: str, tools: Sequence[Tool]) -> Calls:
    """Read `[TOOL_CALLS][{…}, …]`, or `[TOOL_CALLS]name[ARGS]{…}` once or several times."""
    if "[ARGS]" not in raw:
        return read_json_calls(raw.strip().removeprefix("[TOOL_CALLS]"))
    heads, calls = raw.split("[TOOL_CALLS]"), []
    for part in heads[1:]:
        head, _, arguments = part.partition("[ARGS]")
        calls.append(_named(head.partition("[CALL_ID]")[0], arguments))
    return _all(calls) if not heads[0].strip() else None


_DEEPSEEK_CALL: Final = re.compile(
    r"<｜tool▁call▁begin｜>(?P<left>.*?)<｜tool▁sep｜>(?P<right>.*?)<｜tool▁call▁end｜>", re.DOTALL
)
_FENCED: Final = re.compile(r"\s*(?P<name>\S+)\s*```(?:json)?\s*(?P<arguments>.*?)\s*```\s*", re.S)


def read_deepseek(raw: str, tools: Sequence[Tool]) -> Calls:
    """Read the calls of R1 and V3 (`function`, separator, name, fenced JSON), or V3.1's."""
    inner = _inner(raw, "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>")
    if _DEEPSEEK_CALL.sub("", inner).strip():
        return None
    calls = []
    for found in _DEEPSEEK_CALL.finditer(inner):
        fenced = _FENCED.fullmatch(found["right"])
        if fenced is not None and found["left"].strip() == "function":
            calls.append(_named(fenced["name"], fenced["arguments"]))
        else:
            calls.append(_named(found["left"], found["right"]))
    return _all(calls)


def _read_call(text: str) -> Piece | None:
    fields = _fields.decode(text)
    name = next((fields[key] for key in _NAME_KEYS if key in fields), None)
    if name is None:
        return None
    if bytes(name).startswith(b"{"):  # {"type": "function", "function": {…}}
        return _read_call(bytes(name).decode())
    arguments = next((fields[key] for key in _ARGUMENT_KEYS if key in fields), msgspec.Raw(b"{}"))
    said = bytes(arguments).decode()
    if said == "null":
        said = "{}"
    if said.startswith('"'):  # an object in a string
        said = _string.decode(said)
    return _named(_string.decode(bytes(name)), said)


def _parts(text: str) -> Iterator[str]:
    """Yield objects that follow each other, with `;` or `,` or nothing between them."""
    blank = _STRING.sub(lambda found: " " * len(found[0]), text)
    if '"' in blank:  # found out first: a long string is looked at again at every tag inside it
        raise msgspec.DecodeError("a string without an end")
    depth = start = end = 0
    for brace in re.finditer("[{}]", blank):
        depth += 1 if brace[0] == "{" else -1
        if depth == 1 and brace[0] == "{":
            start = brace.start()
            _check_between(blank[end:start])
        elif depth == 0:
            end = brace.end()
            yield text[start:end]
    _check_between(blank[end:])


def _check_between(text: str) -> None:
    if text.strip(" \t\r\n;,"):
        raise msgspec.DecodeError("text beside the objects")


# ---- tags ---------------------------------------------------------------------------------------

_GLM_CALL: Final = re.compile(r"\s*(?P<name>[^\s<{]+)\s*(?P<rest>.*)", re.DOTALL)
_GLM_ARGUMENT: Final = re.compile(
    r"<arg_key>(?P<key>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>", re.DOTALL
)
_QWEN_CALL: Final = re.compile(
    r"\s*<function=(?P<name>[^>\n]+)>(?P<rest>.*?)(?:</function>)?\s*", re.DOTALL
)
_QWEN_ARGUMENT: Final = re.compile(
    r"<parameter=(?P<key>[^>\n]+)>\n?(?P<value>.*?)\n?</parameter>", re.DOTALL
)
_PYTHON_WORDS: Final = {"True": "true", "False": "false", "None": "null"}


def is_in_value(raw: str) -> bool:
    """Whether a text of tagged arguments ends inside one, or in JSON in their place."""
    for begin, end in (("<arg_value>", "</arg_value>"), ("<parameter=", "</parameter>")):
        if begin in raw:
            return raw.count(begin) > raw.count(end)
    return is_in_string(raw)


def read_glm(raw: str, tools: Sequence[Tool]) -> Calls:
    """Read `<tool_call>name`, then each argument's key and value in tags, or one JSON object."""
    found = _GLM_CALL.fullmatch(_inner(raw, "<tool_call>", "</tool_call>"))
    return _tagged(found, _GLM_ARGUMENT, tools)


def read_qwen_coder(raw: str, tools: Sequence[Tool]) -> Calls:
    """Read `<function=name>`, then each argument in a tag of its own, or one JSON object."""
    found = _QWEN_CALL.fullmatch(_inner(raw, "<tool_call>", "</tool_call>"))
    return _tagged(found, _QWEN_ARGUMENT, tools)


def _tagged(call: re.Match[str] | None, argument: re.Pattern[str], tools: Sequence[Tool]) -> Calls:
    if call is None:
        return None
    name, rest = call["name"].strip(), call["rest"].strip()
    if rest.startswith("{"):
        return _all([_named(name, rest)])
    if argument.sub("", rest).strip():
        return None
    texts = _text_arguments(name, tools)
    found = {each["key"].strip(): each["value"] for each in argument.finditer(rest)}
    values = {key: value if key in texts else _value(value) for key, value in found.items()}
    return [Piece("tool", msgspec.json.encode(values).decode(), name)]


def _value(text: str) -> Any:
    """Return what a text without quotes means: JSON if it can be, else itself."""
    word = text.strip()
    word = _PYTHON_WORDS.get(word, word)
    try:
        msgspec.json.decode(word)
    except _NO_JSON:
        return text
    return msgspec.Raw(word.encode())  # as written: numbers keep their digits


def _text_arguments(name: str, tools: Sequence[Tool]) -> frozenset[str]:
    """Return the arguments of a function that are strings whatever they look like."""
    for tool in tools:
        if tool.name == name:
            schema = msgspec.json.decode(tool.parameters)
            properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
            return frozenset(key for key, each in properties.items() if _is_text(each))
    return frozenset()


def _is_text(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    options = schema.get("enum") or [schema.get("const")]
    return schema.get("type") == "string" or all(isinstance(each, str) for each in options)


# ---- both ---------------------------------------------------------------------------------------


def _inner(raw: str, opener: str, closer: str) -> str:
    return raw.strip().removeprefix(opener).removesuffix(closer)


def _named(name: str, arguments: str) -> Piece | None:
    said = read_object(arguments)
    return Piece("tool", said, name.strip()) if said is not None and name.strip() else None


def _all(calls: Sequence[Piece | None]) -> Calls:
    found = [call for call in calls if call is not None]
    return found if found and len(found) == len(calls) else None
