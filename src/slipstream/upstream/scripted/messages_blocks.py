"""The blocks of Messages as Anthropic takes them: closed records, and rules between messages.

Source: ../shared/reference/protocols.md, sections B, C and E; providers.md, section 2; 2026-11-21.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.seals import open_seal

VENDOR: Final = "anthropic"
_CallId = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}\Z")]


class Closed(Struct, forbid_unknown_fields=True):
    """A record of which no more is known."""


class CacheControl(Closed):
    """Where a prefix ends."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class _Block(Closed, tag_field="type", kw_only=True):
    cache_control: CacheControl | None = None


class Text(_Block, tag="text", kw_only=True):
    """Words."""

    text: Annotated[str, Meta(min_length=1)]
    citations: list[dict[str, Any]] | None = None


class _Image(_Block, tag="image", kw_only=True):
    source: dict[str, Any]


class _Document(_Block, tag="document", kw_only=True):
    source: dict[str, Any]
    title: str | None = None
    context: str | None = None
    citations: dict[str, bool] | None = None


class _SearchResult(_Block, tag="search_result", kw_only=True):
    source: str
    title: str
    content: list[Text]
    citations: dict[str, bool] | None = None


class _ToolReference(_Block, tag="tool_reference", kw_only=True):
    tool_name: str


class ToolResult(_Block, tag="tool_result", kw_only=True):
    """What came of a call."""

    tool_use_id: _CallId
    content: "str | list[Text | _Image | _Document | _SearchResult | _ToolReference] | None" = None
    is_error: bool | None = None


class ToolUse(_Block, tag="tool_use", kw_only=True):
    """A call."""

    id: _CallId
    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,128}\Z")]
    input: dict[str, Any]
    caller: dict[str, Any] | None = None
    toolset_name: str | None = None


class Thinking(Closed, tag_field="type", tag="thinking"):
    """What the model thought."""

    thinking: str
    signature: str


class Redacted(Closed, tag_field="type", tag="redacted_thinking"):
    """What it thought, hidden."""

    data: str


Block = Text | _Image | _Document | _SearchResult | ToolResult | ToolUse | Thinking | Redacted
_OF_ROLE: Final[dict[str, tuple[type, ...]]] = {
    "user": (Text, _Image, _Document, _SearchResult, ToolResult),
    "assistant": (Text, ToolUse, Thinking, Redacted),
    "system": (Text,),
}


class Message(Closed):
    """A turn, or a part of one.

    Args:
        output_config: How answers are made from here on; a beta.
    """

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]
    output_config: dict[str, Any] | None = None


Turn = tuple[str, list[Block]]


def refusal(message: str) -> BadRequest:
    """Return an error that names its field in its words, as all of Anthropic's do."""
    return BadRequest(message)


def turns_of(messages: list[Message]) -> list[Turn]:
    """Return messages as turns, neighbours of a role joined, checked by the rules between them.

    Raises:
        BadRequest: A block is not its role's, a seal is not ours, or calls and results do not pair.
    """
    for at, message in enumerate(messages):
        _check_message(at, message)
    turns: list[Turn] = []
    for role, group in groupby(messages, lambda message: message.role):
        turns.append((role, [block for message in group for block in _blocks(message)]))
    if turns[0][0] == "assistant":
        raise refusal('messages: first message must use the "user" role')
    spoken = [turn for turn in turns if turn[0] != "system"]
    for before, after in zip([None, *spoken], [*spoken, None], strict=True):
        _check_pair(before, after)
    return turns


def _blocks(message: Message) -> list[Block]:
    if isinstance(message.content, str):
        return [Text(text=message.content)] if message.content else []
    return message.content


def _check_message(at: int, message: Message) -> None:
    if not message.content:
        raise refusal(f"messages.{at}: all messages must have non-empty content")
    for number, block in enumerate(_blocks(message)):
        where = f"messages.{at}.content.{number}"
        if not isinstance(block, _OF_ROLE[message.role]):
            kind = block.__struct_config__.tag
            raise refusal(f"{where}: `{kind}` blocks are not permitted in role {message.role!r}")
        if isinstance(block, Thinking):
            opened = open_seal(VENDOR, block.signature)
            if opened is None or block.thinking not in ("", opened):
                raise refusal(f"{where}: Invalid `signature` in `thinking` block")
        if isinstance(block, Redacted) and open_seal(VENDOR, block.data) is None:
            raise refusal(f"{where}: Invalid `data` in `redacted_thinking` block")


def _check_pair(before: Turn | None, after: Turn | None) -> None:
    """Check that the results of a turn are just those of the calls before it, and come first."""
    called = [b.id for b in before[1] if isinstance(b, ToolUse)] if before else []
    blocks = after[1] if after else []
    results = [b.tool_use_id for b in blocks if isinstance(b, ToolResult)]
    for call_id in results:
        if call_id not in called:
            raise refusal(
                f"messages: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the "
                "previous message."
            )
    lost = [call_id for call_id in called if call_id not in results]
    if lost:
        raise refusal(
            "messages: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(lost)}. Each `tool_use` block must have a corresponding `tool_result` "
            "block in the next message."
        )
    if len(set(results)) < len(results):
        raise refusal("messages: each tool_use must have a single result")
    if not all(isinstance(b, ToolResult) for b in blocks[: len(results)]):
        raise refusal("messages: `tool_result` blocks must come first in the content of a message")


def words_of(blocks: list[Block]) -> Iterator[str]:
    """Yield the texts of blocks."""
    for block in blocks:
        if isinstance(block, Text):
            yield block.text
        elif isinstance(block, ToolResult):
            content = block.content or ""
            parts = [Text(text=content)] if isinstance(content, str) and content else content
            yield from (part.text for part in parts if isinstance(part, Text))


def num_marks(body: bytes) -> int:
    """Return how many prefixes a request marks."""
    return len(re.findall(rb'"cache_control"\s*:\s*\{', body))
