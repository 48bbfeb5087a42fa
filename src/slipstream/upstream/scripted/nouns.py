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
Headers = tuple[tuple[bytes, bytes], ...]


class Tool(msgspec.Struct, frozen=True):
    """A function that the answer may call, or a custom tool, which takes text."""

    name: str
    schema: Schema
    is_custom: bool = False


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What one request wants, whatever its dialect.

    Args:
        text: The last user message.
        prompt_tokens: Words in all messages; one word is one token.
        max_tokens: None for no limit.
        choice: Whether tools may (`auto`), must not (`none`) or must (`required`) be called;
            `named` leaves in `tools` only the one that must be called.
        follows_tool: The last message is a tool's result.
        results: What tools returned since the assistant spoke last.
        schema: What the answer must be an instance of; None for words.
        inputs: What is to become vectors, of so many dimensions; none in a chat.
        reasoning_format: How Cerebras is to show its reasoning.
        reasoning_fields: Under which names this dialect shows reasoning by itself.
        has_thoughts: The reasoning may be read, where a dialect can seal it instead.
        kept: The whole request, for a dialect whose answers repeat it.
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
    results: tuple[str, ...] = ()
    wants_object: bool = False
    schema: Schema | None = None
    inputs: tuple[str, ...] = ()
    dimensions: int = 0
    wants_base64: bool = False
    reasoning_format: Literal["parsed", "text_parsed", "raw", "hidden"] = "text_parsed"
    reasoning_fields: tuple[str, ...] = ()
    has_thoughts: bool = True
    kept: object | None = None


class ToolCall(NamedTuple):
    """One call that the answer makes; `arguments` is JSON text, cut short at the token limit.

    Of a custom tool it is the text that the tool takes.
    """

    name: str
    arguments: str
    is_custom: bool = False


class Tokens(NamedTuple):
    """What the answer cost.

    `cached` and `written`, to a cache, are parts of `prompt`, and `reasoning` of `completion`.
    """

    prompt: int
    completion: int
    cached: int
    reasoning: int
    written: int = 0


class Answer(NamedTuple):
    """What is said; all choices say the same.

    `stop` is the string that ended it; a refusal says its text as one; `redacts` hides reasoning.
    """

    text: str
    calls: tuple[ToolCall, ...]
    finish: Literal["stop", "length", "tool_calls"] | str
    tokens: Tokens | None  # None: usage is left out
    reasoning: str = ""
    reasoning_fields: tuple[str, ...] = ()
    stop: str | None = None
    refuses: bool = False
    redacts: bool = False
    call_pieces: Literal["words", "whole", "interleaved"] | str = "words"


class Stamp(NamedTuple):
    """What makes one answer differ from another that says the same."""

    serial: int
    created_s: int


class Left(NamedTuple):
    """How much may still be asked; what is not told is what headers usually say.

    Args:
        remaining: Requests; tokens are in proportion.
        limit: Of requests.
        reset_s: Until there is as much as `limit` again.
        now_s: Since 1970, for resets that are told as times.
    """

    remaining: int
    limit: int | None = None
    reset_s: float | None = None
    now_s: float = 0.0


def _no_headers(left: Left) -> Headers:
    return ()


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
    headers: Headers = ()
    request_id_header: bytes = b"x-request-id"
    hides_retry_after: bool = False  # it is told in the body


@dataclass(frozen=True, slots=True)
class Dialect:
    """A protocol that the scripted upstream speaks: a row of dialects.py.

    Args:
        path_suffixes: A POST to any path that ends so is a request in this dialect.
        decode: Path and body to Ask; raises BadRequest.
        encode: Model and Answer to the body of a plain answer.
        stream: The same as events, made one by one as they are sent.
        encode_error: An error to the body that says it, in a plain answer and as an event.
        error_event: An error to the event that says it after so many others, where that is not
            an event `error` with the same body.
        check_headers: Refuses a request for its headers.
        rate_headers: What tells that so much is left.
        retries_in_body: When to come back is told in the error, not in a header.
    """

    name: str
    path_suffixes: tuple[str, ...]
    decode: Callable[[str, bytes], Ask]
    encode: Callable[[Ask, Answer, Stamp], bytes]
    stream: Callable[[Ask, Answer, Stamp], Iterator[Event]]
    encode_error: Callable[[GatewayError], bytes]
    error_event: Callable[[GatewayError, int], Event] | None = None
    check_headers: Callable[[Mapping[str, str], bytes], None] | None = None
    rate_headers: Callable[[Left], Headers] = _no_headers
    retries_in_body: bool = False
    request_id_header: bytes = b"x-request-id"
