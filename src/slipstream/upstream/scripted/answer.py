"""Composes an answer: the words, the tool calls and the count of tokens; pure and deterministic.

One word, with the space before it, is one token, everywhere: prompts, answers and arguments.
"""

import json
import re
from collections.abc import Mapping
from itertools import cycle, islice
from typing import Final

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.behaviour import Behaviour
from slipstream.upstream.scripted.nouns import Answer, Ask, Tokens, Tool, ToolCall
from slipstream.upstream.scripted.schema import NoInstance, minimal_instance

SILENCE: Final = "Nothing was said."  # the answer to a request without any text to echo
_RESULTS: Final = "{results}"  # in a text, what the tools returned
_REFUSAL: Final = "I cannot help with that."
_TEXT_INPUT: Final = "print(1 + 1)"  # what a tool that takes text is given
_WORD: Final = re.compile(r"\s*\S+")
_REASONING_FIELDS: Final[dict[str, tuple[str, ...] | None]] = {
    "usual": None,
    "none": (),
    "reasoning": ("reasoning",),
    "reasoning_content": ("reasoning_content",),
    "both": ("reasoning", "reasoning_content"),
}


def split_words(text: str) -> list[str]:
    """Split into tokens which, joined, are the text again."""
    words = _WORD.findall(text)
    if not words:
        return [text] if text else []
    rest = len(text) - sum(map(len, words))
    if rest:
        words[-1] += text[-rest:]
    return words


def count_words(text: str) -> int:
    """Count the tokens of `split_words` without making them."""
    return len(text.split()) or (1 if text else 0)


def compose(ask: Ask, behaviour: Behaviour) -> Answer:
    """Answer the request as the behaviour wants.

    Raises:
        BadRequest: A schema that has no instance which can be made.
    """
    thought, limit = _think(behaviour.reasoning or 0, ask.max_tokens)
    calls: tuple[ToolCall, ...] = ()
    stop: str | None = None
    if ask.tools and _has_calls(ask, behaviour):
        text = ""
        calls, finish = _call_tools(ask, behaviour, limit)
        num_tokens = sum([1 + count_words(call.arguments) for call in calls])
    else:
        said, stop = _stop(_say(ask, behaviour), ask.stops)
        text, num_tokens, finish = _limit(said, limit)
    fields = _REASONING_FIELDS[behaviour.reasoning_field]
    fields = ask.reasoning_fields if fields is None else fields
    return Answer(
        text,
        calls,
        behaviour.finish or finish,
        None if behaviour.usage == "none" else _count(ask, behaviour, num_tokens, thought),
        " ".join(["hmm"] * thought) if fields else "",
        fields,
        stop if finish == "stop" else None,
        behaviour.refuse,
        behaviour.redact,
        behaviour.call_pieces,
    )


def _count(ask: Ask, behaviour: Behaviour, said: int, thought: int) -> Tokens:
    cached, written = behaviour.cached or 0, behaviour.cache_write or 0
    return Tokens(
        prompt=max(ask.prompt_tokens, cached + written),
        completion=(said + thought) * ask.num_choices,
        cached=cached,
        reasoning=thought * ask.num_choices,
        written=written,
    )


def _think(wanted: int, max_tokens: int | None) -> tuple[int, int | None]:
    """Return the tokens thought and how many are left to say."""
    if max_tokens is None:
        return wanted, None
    thought = min(wanted, max_tokens)
    return thought, max_tokens - thought


def _has_calls(ask: Ask, behaviour: Behaviour) -> bool:
    if ask.choice == "none" or behaviour.empty or behaviour.refuse:
        return False
    if ask.choice in ("required", "named"):
        return True
    if behaviour.tool is not None:
        return not ask.results and bool(_offered(ask, behaviour.tool))
    if behaviour.calls is not None:
        return True
    return not ask.follows_tool and behaviour.text is None and behaviour.tokens is None


def _call_tools(
    ask: Ask, behaviour: Behaviour, limit: int | None
) -> tuple[tuple[ToolCall, ...], str]:
    """Call the tools that the user's message names, else the first; N of them when asked."""
    wanted = _offered(ask, behaviour.tool)
    named = wanted or [tool for tool in ask.tools if tool.name in ask.text] or [ask.tools[0]]
    given = _given(behaviour.arguments)
    num_calls = behaviour.calls or max(len(named), len(given))
    if not ask.can_call_many or ask.choice == "named":
        num_calls = 1
    calls = []
    for tool, said in islice(zip(cycle(named), cycle(given), strict=False), num_calls):
        arguments = _arguments(tool, said)
        if limit is None:
            calls.append(ToolCall(tool.name, arguments, tool.is_custom))
            continue
        if limit == 0:
            return tuple(calls), "length"
        words = split_words(arguments)
        calls.append(ToolCall(tool.name, "".join(words[: limit - 1]), tool.is_custom))
        limit -= 1 + len(words)
        if limit < 0:
            return tuple(calls), "length"
    return tuple(calls), "tool_calls"


def _offered(ask: Ask, name: str | None) -> list[Tool]:
    """Return the tool of this name, else the one that has it behind a namespace's."""
    if not name:
        return []
    exact = [tool for tool in ask.tools if tool.name == name]
    return (exact or [tool for tool in ask.tools if tool.name.endswith(f"__{name}")])[:1]


def _given(arguments: str | None) -> list[object]:
    """Return what each call is given: an object, a text, or None for what the schema wants."""
    if arguments is None:
        return [None]
    try:
        said = json.loads(arguments)
    except ValueError:
        return [arguments]
    if isinstance(said, list) and said and all(isinstance(one, dict | str) for one in said):
        return said
    return [said if isinstance(said, dict) else arguments]


def _arguments(tool: Tool, said: object) -> str:
    if isinstance(said, dict):
        return json.dumps(said, ensure_ascii=False)
    if tool.is_custom:
        return said if isinstance(said, str) else _TEXT_INPUT
    param = f"tools.{tool.name}.parameters"
    if not isinstance(said, str):
        return _instance_text(tool.schema, param)
    known: Mapping[str, object] = tool.schema.get("properties", {})
    names = (*tool.schema.get("required", ()), *known)
    name = next((n for n in names if _is_text(known.get(n))), None)
    if name is None:
        raise BadRequest(f"{param}: no property takes the text {said!r}", param=param)
    needed = json.loads(_instance_text(tool.schema, param))
    return json.dumps(needed | {name: said}, ensure_ascii=False)


def _is_text(schema: object) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "string"


def _say(ask: Ask, behaviour: Behaviour) -> str:
    if behaviour.empty:
        return ""
    if behaviour.refuse:
        return _REFUSAL if behaviour.text is None else behaviour.text
    if behaviour.text is None and ask.schema is not None:
        return _instance_text(ask.schema, "response_format.json_schema.schema")
    results = "\n".join(ask.results)
    heard = results if behaviour.tool is not None and ask.results else ask.text.strip()
    said = heard or SILENCE
    if behaviour.text is not None:
        said = behaviour.text.replace(_RESULTS, results)
    if behaviour.tokens is not None:
        words = said.split() or ["word"]
        said = " ".join(islice(cycle(words), behaviour.tokens))
    if behaviour.text is None and ask.wants_object:
        return json.dumps({"answer": said}, ensure_ascii=False)
    return said


def _stop(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    """End the text before the first stop string; return that one, too."""
    ends = [(end, stop) for stop in stops if (end := text.find(stop)) >= 0]
    if not ends:
        return text, None
    end, stop = min(ends)
    return text[:end], stop


def _limit(text: str, limit: int | None) -> tuple[str, int, str]:
    """End the text after `limit` words."""
    num_words = count_words(text)
    if limit is None or num_words <= limit:
        return text, num_words, "stop"
    return "".join(split_words(text)[:limit]), limit, "length"


def _instance_text(schema: object, param: str) -> str:
    try:
        return json.dumps(minimal_instance(schema), ensure_ascii=False)
    except NoInstance as exc:
        raise BadRequest(f"{param}: {exc}", param=param, code="invalid_schema") from exc
