"""What a request asks for, what an answer holds, and what a dialect is, as frozen records.

    Incoming ── decode ──▶ Ask ── compose ──▶ Answer ── encode ──▶ Reply ── plan ──▶ steps

A later dialect is one module with the four functions of `Dialect`, and one row in dialects.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import msgspec

from slipstream.errors import GatewayError

JSON: Final = b"application/json"
HTML: Final = b"text/html; charset=utf-8"
EVENTS: Final = b"text/event-stream; charset=utf-8"

Schema = Mapping[str, Any]


class Tool(msgspec.Struct, frozen=True):
    """A function that the answer may call."""

    name: str
    schema: Schema


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What one request wants, whatever its dialect.

    Args:
        text: The last user message.
        prompt_tokens: Words in all messages; one word is one token.
        max_tokens: None for no limit.
        choice: Whether tools may (`auto`), must not (`none`) or must (`required`) be called;
            `named` leaves in `tools` only the one that must be called.
        follows_tool: The last message is a tool's result.
        schema: What the answer must be an instance of; None for words.
        inputs: What is to become vectors, of so many dimensions; none in a chat.
        reasoning_format: How Cerebras is to show its reasoning.
    """

    model: str
    text: str = ""
    prompt_tokens: int = 0
    is_stream: bool = False
    wants_usage: bool = False
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    num_choices: int = 1
    tools: tuple[Tool, ...] = ()
    choice: Literal["auto", "none", "required", "named"] = "auto"
    can_call_many: bool = True
    follows_tool: bool = False
    wants_object: bool = False
    schema: Schema | None = None
    inputs: tuple[str, ...] = ()
    dimensions: int = 0
    wants_base64: bool = False
    reasoning_format: Literal["parsed", "text_parsed", "raw", "hidden"] = "text_parsed"


class ToolCall(NamedTuple):
    """One call that the answer makes; `arguments` is JSON text, cut short at the token limit."""

    name: str
    arguments: str


class Tokens(NamedTuple):
    """What the answer cost; `cached` is part of `prompt` and `reasoning` of `completion`."""

    prompt: int
    completion: int
    cached: int
    reasoning: int


class Answer(NamedTuple):
    """What is said; all choices say the same."""

    text: str
    calls: tuple[ToolCall, ...]
    finish: Literal["stop", "length", "tool_calls"] | str
    tokens: Tokens | None  # None: usage is left out
    reasoning: str = ""
    reasoning_fields: tuple[str, ...] = ()


class Stamp(NamedTuple):
    """What makes one answer differ from another that says the same."""

    serial: int
    created_s: int


class Event(NamedTuple):
    """One server-sent event, before it is framed."""

    data: bytes
    name: bytes = b""
    is_terminal: bool = False


class Reply(NamedTuple):
    """A response before it is broken and framed; it has either a body or events."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    events: Iterator[Event] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Dialect:
    """A protocol that the scripted upstream speaks: a row of dialects.py.

    Args:
        path_suffix: A POST to any path that ends so is a request in this dialect.
        decode: Path and body to Ask; raises BadRequest.
        encode: Model and Answer to the body of a plain answer.
        stream: The same as events, made one by one as they are sent.
        encode_error: An error to the body that says it, in a plain answer and as an event.
    """

    name: str
    path_suffix: str
    decode: Callable[[str, bytes], Ask]
    encode: Callable[[Ask, Answer, Stamp], bytes]
    stream: Callable[[Ask, Answer, Stamp], Iterator[Event]]
    encode_error: Callable[[GatewayError], bytes]
