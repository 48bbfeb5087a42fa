"""Reads requests of Messages as Anthropic does: closed objects, rules of the model's generation.

Names of models that are no Claude's are held to no generation's rules.

Source: ../shared/reference/providers.md, section 2; protocols.md, sections B and C; 2026-11-21.
"""

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.answer import count_words
from slipstream.upstream.scripted.flaws import Flaw, Flawed, decode_strictly
from slipstream.upstream.scripted.messages_blocks import (
    Redacted,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
    num_marks,
    refusal,
    turns_of,
    words_of,
)
from slipstream.upstream.scripted.messages_records import AnyTool, Counted, Offered, Request
from slipstream.upstream.scripted.nouns import Ask, Tool

_VERSIONS: Final = ("2023-06-01", "2026-10-21")
_WITHOUT_SAMPLING: Final = _VERSIONS[1]
# Betas by the beginning of their names, which a date ends.
_PER_TURN: Final = "per-turn-control-"
_UPDATES: Final = "thinking-display-updates-"
_Kind = TypeVar("_Kind", list[Any], dict[str, Any])
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_MAX_MARKS: Final = 4
_EXTRA: Final = "Extra inputs are not permitted"


class _Generation(NamedTuple):
    """What models of these names answer with an error."""

    names: re.Pattern[str]
    refuses: str


_GENERATIONS: Final = tuple(
    _Generation(re.compile(names), refuses)
    for names, refuses in (
        (r"claude-(opus-4-[78]|opus-5|sonnet-5|fable-|mythos-|haiku-5)", "sampling budget"),
        (r"claude-(fable-5-[1-9]|mythos-5-[1-9]|opus-5-5|sonnet-5-5)", "forced"),
        (r"claude-(opus|sonnet|haiku)-(4-[6-9]|5)|claude-(fable|mythos)-", "prefill"),
        (r"claude-(opus|sonnet|haiku)-(3|4-[1-7]\b|4\b)|claude-haiku-5$|claude-3", "system"),
        (r"claude-(opus-5-5|sonnet-5-5)", "disabled"),
    )
)
_decoder: Final = msgspec.json.Decoder(Request)
_count_decoder: Final = msgspec.json.Decoder(Counted)
_tool_decoder: Final = msgspec.json.Decoder(Offered)
_hosted_decoder: Final = msgspec.json.Decoder(AnyTool)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def check_version(headers: Mapping[str, str], body: bytes) -> None:
    """Refuse a request without a version that is known, or with what its version has dropped.

    Raises:
        BadRequest: One of them.
    """
    version = headers.get("anthropic-version")
    if version is None:
        raise refusal("anthropic-version: header is required")
    if version not in _VERSIONS:
        raise refusal(f"anthropic-version: '{version}' is not a valid version")
    _check_betas(headers.get("anthropic-beta", ""), body)
    if version != _WITHOUT_SAMPLING:
        return
    try:
        fields = _fields_decoder.decode(body)
    except msgspec.MsgspecError:
        return  # decode says what is wrong with it
    for name in _SAMPLING:
        if name in fields:
            raise refusal(f"{name}: {_EXTRA}")


def _check_betas(betas: str, body: bytes) -> None:
    """Refuse what only a beta knows, where the request does not ask for that beta."""
    if b'"output_config"' in body and _PER_TURN not in betas:
        for at, message in enumerate(_field_of(body, "messages", list)):
            if isinstance(message, dict) and "output_config" in message:
                raise refusal(f"messages.{at}.output_config: {_EXTRA}")
    is_asked = b'"updates"' in body and _UPDATES not in betas
    if is_asked and _field_of(body, "thinking", dict).get("display") == "updates":
        raise refusal("thinking.display: Invalid enum value 'updates'")


def _field_of(body: bytes, name: str, kind: type[_Kind]) -> _Kind:
    """Return a field of a body; an empty one where it is not of this kind."""
    try:
        found = msgspec.json.decode(_fields_decoder.decode(body).get(name, b"null"))
    except msgspec.MsgspecError:
        return kind()  # decode says what is wrong with it
    return found if isinstance(found, kind) else kind()


def decode(path: str, body: bytes) -> Ask:
    """Read a request.

    Raises:
        BadRequest: Anthropic would refuse it, in its words.
    """
    try:
        said = decode_strictly(_decoder, body)
        if said.max_tokens is None and "/deepinfra/" not in path:
            raise Flawed(Flaw("missing", "max_tokens", ""))
        ask = _read(said, body)
    except Flawed as exc:
        raise _worded(exc.flaw) from exc
    _check_generation(said)
    return ask


def decode_count(path: str, body: bytes) -> Ask:
    """Read a request to count tokens.

    Raises:
        BadRequest: Anthropic would refuse it.
    """
    try:
        said = decode_strictly(_count_decoder, body)
    except Flawed as exc:
        raise _worded(exc.flaw) from exc
    turns = turns_of(said.messages)
    return Ask(model=said.model, prompt_tokens=_num_words(said, turns))


def _worded(flaw: Flaw) -> BadRequest:
    words = {"unknown": _EXTRA, "missing": "Field required", "invalid": flaw.what}
    return refusal(f"{flaw.dotted or 'body'}: {words[flaw.kind]}")


def _read(said: Request, body: bytes) -> Ask:
    turns = turns_of(said.messages)
    if num_marks(body) > _MAX_MARKS:
        raise refusal("A maximum of 4 blocks with cache_control may be provided.")
    tools, choice = _read_tools(said)
    _check_thinking(said, turns)
    form = said.output_config.format if said.output_config else None
    spoken = [turn for turn in turns if turn[0] != "system"]
    texts = [list(words_of(blocks)) for role, blocks in spoken if role == "user"]
    thinking = said.thinking
    return Ask(
        model=said.model,
        text="\n".join(texts[-1]) if texts else "",
        prompt_tokens=_num_words(said, turns),
        is_stream=bool(said.stream),
        max_tokens=said.max_tokens,
        stops=tuple(said.stop_sequences or ()),
        tools=tools,
        choice=choice,
        can_call_many=not (said.tool_choice and said.tool_choice.disable_parallel_tool_use),
        follows_tool=len(spoken) > 1
        and spoken[-1][0] == "user"
        and any(isinstance(block, ToolUse) for block in spoken[-2][1]),
        results=_results(turns),
        schema=form.schema if form else None,
        reasoning_fields=("thinking",),
        has_thoughts=thinking is None or thinking.display != "omitted",
    )


def _results(turns: list[Turn]) -> tuple[str, ...]:
    """Return what tools returned since the assistant spoke last."""
    since = list(takewhile(lambda turn: turn[0] != "assistant", reversed(turns)))[::-1]
    blocks = [block for _, blocks in since for block in blocks if isinstance(block, ToolResult)]
    return tuple("\n".join(words_of([block])) for block in blocks)


def _num_words(said: Counted, turns: list[Turn]) -> int:
    system = said.system or ""
    texts = [system] if isinstance(system, str) else [block.text for block in system]
    texts += [text for _, blocks in turns for text in words_of(blocks)]
    return sum([count_words(text) for text in texts])


def _read_tools(
    said: Request,
) -> tuple[tuple[Tool, ...], Literal["auto", "none", "required", "named"]]:
    found: list[Tool] = []
    for at, raw in enumerate(said.tools or ()):
        if _hosted_decoder.decode(raw).type != "custom":
            continue  # a tool that the vendor runs itself: never called here
        try:
            tool = decode_strictly(_tool_decoder, bytes(raw))
        except Flawed as exc:
            flaw = exc.flaw
            at_path = f"tools[{at}].custom.{flaw.path}".rstrip(".")
            raise Flawed(flaw._replace(path=at_path)) from exc
        if tool.input_schema.get("type") != "object":
            raise refusal(f"tools.{at}.custom.input_schema.type: Input should be 'object'")
        found.append(Tool(tool.name, tool.input_schema))
    if len({tool.name for tool in found}) < len(found):
        raise refusal("tools: Tool names must be unique.")
    choice = said.tool_choice
    if choice is None:
        return tuple(found), "auto" if found else "none"
    if not said.tools:
        raise refusal("tool_choice: tool_choice may only be specified while providing tools.")
    if (choice.type == "tool") != (choice.name is not None):
        raise refusal("tool_choice.tool.name: goes with type 'tool', and only with it")
    if choice.type == "tool":
        found = [tool for tool in found if tool.name == choice.name]
        if not found:
            raise refusal(f"tool_choice: Tool '{choice.name}' not found in provided tools")
        return tuple(found), "named"
    if choice.type == "none":
        return tuple(found), "none"
    return tuple(found), "required" if choice.type == "any" else "auto"


def _check_thinking(said: Request, turns: list[Turn]) -> None:
    thinking = said.thinking
    if thinking is None or thinking.type in ("disabled", "between_tools"):
        return
    if (thinking.type == "enabled") != (thinking.budget_tokens is not None):
        raise refusal("thinking.enabled.budget_tokens: goes with type 'enabled', and only with it")
    if thinking.budget_tokens is not None and thinking.budget_tokens >= (said.max_tokens or 2**31):
        raise refusal("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if said.tool_choice is not None and said.tool_choice.type in ("any", "tool"):
        raise refusal("Thinking may not be enabled when tool_choice forces tool use.")
    if said.temperature not in (None, 1.0):
        raise refusal("`temperature` may only be set to 1 when thinking is enabled.")
    if said.top_k is not None:
        raise refusal("`top_k` must be unset when thinking is enabled.")
    last = next((blocks for role, blocks in reversed(turns) if role == "assistant"), [])
    is_loop = any(isinstance(block, ToolUse) for block in last)
    if thinking.type == "enabled" and is_loop and not isinstance(last[0], Thinking | Redacted):
        raise refusal(
            "messages: Expected `thinking` or `redacted_thinking`, but found "
            f"`{last[0].__struct_config__.tag}`. When `thinking` is enabled, a final `assistant` "
            "message must start with a thinking block."
        )


def _check_generation(said: Request) -> None:
    model = said.model.partition("?")[0]
    refused = " ".join([row.refuses for row in _GENERATIONS if row.names.match(model)]).split()
    thinking = said.thinking.type if said.thinking else None
    forced = said.tool_choice is not None and said.tool_choice.type in ("any", "tool")
    problems = {
        "sampling": any(getattr(said, name) is not None for name in _SAMPLING),
        "budget": thinking == "enabled",
        "forced": forced,
        "prefill": said.messages[-1].role == "assistant",
        "system": any(message.role == "system" for message in said.messages),
        "disabled": thinking == "disabled",
    }
    for name in refused:
        if problems[name]:
            raise refusal(_REFUSALS[name])


_REFUSALS: Final = {
    "sampling": "temperature, top_p and top_k are not supported for this model.",
    "budget": '"thinking.type.enabled" is not supported for this model. Use '
    '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    "forced": "tool_choice: forced tool use is not supported for this model.",
    "prefill": "This model does not support assistant message prefill. The conversation must end "
    "with a user message.",
    "system": 'messages: Unexpected role "system". The Messages API accepts a top-level `system` '
    'parameter, not "system" as an input message role.',
    "disabled": '"thinking.type.disabled" is not supported for this model.',
}
