"""Every stream that the mock can tell, as the bytes of its body, and how bytes may come otherwise.

What the mock has no behaviour for, such as citations, is recorded here by hand.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from slipstream.call import Dialect
from slipstream.upstream.scripted.behaviour import merge, parse_header
from slipstream.upstream.scripted.dialects import find_dialect
from slipstream.upstream.scripted.nouns import Stamp
from slipstream.upstream.scripted.reply import answer_reply
from tests.wire.fidelity.recordings import RECORDINGS

_CITY: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_TEXT: Final = 'get_weather and get_time, über 東京 \\ "quoted"\nand on'
_FUNCTIONS: Final = [{"name": name, "parameters": _CITY} for name in ("get_weather", "get_time")]


class Stream(NamedTuple):
    """The body of one streamed answer.

    Args:
        vendor: Who speaks: the name of a provider's row.
        name: What is in it, for the test's id.
    """

    dialect: Dialect
    vendor: str
    name: str
    body: bytes

    @property
    def label(self) -> str:
        """A name for the stream among all."""
        return f"{self.vendor}-{self.dialect.value}-{self.name}"


class _Site(NamedTuple):
    dialect: Dialect
    vendor: str
    path: str
    body: dict[str, Any]


def _chat(model: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": _TEXT}],
        "tools": [{"type": "function", "function": function} for function in _FUNCTIONS],
        "stream": True,
    }


def _cerebras() -> dict[str, Any]:
    strict = [
        {"type": "function", "function": {**function, "strict": False}} for function in _FUNCTIONS
    ]
    return _chat("gpt-oss-120b") | {"tools": strict}


_USAGE: Final = {"stream_options": {"include_usage": True}}
_SITES: Final = (
    _Site(Dialect.OPENAI_CHAT, "lab", "/v1/chat/completions", _chat("m") | _USAGE),
    _Site(Dialect.CEREBRAS_CHAT, "cerebras", "/cerebras/v1/chat/completions", _cerebras()),
    *(
        _Site(Dialect.OPENAI_CHAT, vendor, path, _chat(model) | more)
        for vendor, path, model, more in (
            ("groq", "/groq/openai/v1/chat/completions", "openai/gpt-oss-120b", _USAGE),
            ("mistral", "/mistral/v1/chat/completions", "mistral-large-4", {}),
            ("xai", "/xai/v1/chat/completions", "grok-4.6", _USAGE),
            ("openrouter", "/openrouter/api/v1/chat/completions", "openai/gpt-5.4", _USAGE),
            ("deepinfra", "/deepinfra/v1/openai/chat/completions", "a/b", _USAGE),
        )
    ),
    _Site(
        Dialect.OPENAI_COMPLETIONS,
        "lab",
        "/v1/completions",
        {"model": "m", "prompt": _TEXT, "stream": True} | _USAGE,
    ),
    _Site(
        Dialect.ANTHROPIC_MESSAGES,
        "anthropic",
        "/anthropic/v1/messages",
        {
            "model": "claude-opus-4-6",
            "max_tokens": 500,
            "messages": [{"role": "user", "content": _TEXT}],
            "tools": [{"name": one["name"], "input_schema": _CITY} for one in _FUNCTIONS],
            "stream": True,
        },
    ),
    _Site(
        Dialect.OPENAI_RESPONSES,
        "openai",
        "/openai/v1/responses",
        {
            "model": "gpt-5.4",
            "input": _TEXT,
            "tools": [{"type": "function", **one, "strict": False} for one in _FUNCTIONS],
            "reasoning": {"summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "stream": True,
        },
    ),
    _Site(
        Dialect.GEMINI,
        "gemini",
        "/gemini/v1beta/models/gemini-4-argon:streamGenerateContent?alt=sse",
        {
            "contents": [{"role": "user", "parts": [{"text": _TEXT}]}],
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": one["name"], "parametersJsonSchema": _CITY} for one in _FUNCTIONS
                    ]
                }
            ],
            "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
        },
    ),
)

BEHAVIOURS: Final = (
    f"text={'%20'.join(('one', 'zwei%C3%BC', '%E6%9D%B1%E4%BA%AC', '%22a%22', 'b%0Ac', 'end'))}",
    "empty",
    "calls=1",
    "calls=2",
    "calls=2,call_pieces=whole",
    "calls=2,call_pieces=interleaved",
    "reasoning=3,text=yes",
    "reasoning=3,calls=2",
    "reasoning=2,reasoning_field=reasoning,text=yes",
    "reasoning=2,reasoning_field=both,text=yes",
    "reasoning=2,redact,text=yes",
    "refuse",
    "finish=length,text=a%20b",
    "finish=content_filter,text=a%20b",
    "cached=9,cache_write=4,text=a%20b",
    "usage=none,text=a%20b",
    "error_after=0,text=a%20b",
    "error_after=2,text=a%20b%20c",
    "error_in_200",
    "malformed_chunk=2,text=a%20b%20c",
    "no_done,text=a%20b",
)


def _event(data: bytes, name: bytes) -> bytes:
    return (b"event: %b\n" % name if name else b"") + b"data: %b\n\n" % data


def _told(site: _Site, behaviour: str) -> bytes:
    dialect = find_dialect(site.path.partition("?")[0])
    assert dialect is not None, site.path
    ask = dialect.decode(site.path, json.dumps(site.body).encode())
    reply = answer_reply(ask, merge(parse_header(behaviour)), dialect, Stamp(7, 1_700_000_000))
    assert reply.events is not None, "it is a stream"
    return b"".join(_event(event.data, event.name) for event in reply.events)


def scripted_streams() -> Iterator[Stream]:
    """Yield all streams, of every dialect and provider."""
    for site in _SITES:
        for behaviour in BEHAVIOURS:
            name = behaviour.partition("=")[0] if behaviour.startswith("text") else behaviour
            yield Stream(site.dialect, site.vendor, name, _told(site, behaviour))
    for dialect, vendor, name, body in RECORDINGS:
        yield Stream(dialect, vendor, name, body)


STREAMS: Final = tuple(scripted_streams())


# ---- how the same may come otherwise ------------------------------------------------------------


def _events(body: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in body.split(b"\n\n") if event]


def _with_comments(body: bytes) -> bytes:
    return b"".join(b": keep-alive\n\n" + event for event in _events(body)) + b":\n\n"


def _with_comments_inside(body: bytes) -> bytes:
    return b"".join(b": note\n" + event for event in _events(body))


def _with_other_fields(body: bytes) -> bytes:
    return b"".join(b"id: 7\nretry: 100\n" + event for event in _events(body))


SHAPES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "crlf": lambda body: body.replace(b"\n", b"\r\n"),
    "cr": lambda body: body.replace(b"\n", b"\r"),
    "comments": _with_comments,
    "comments inside": _with_comments_inside,
    "comments, crlf": lambda body: _with_comments(body).replace(b"\n", b"\r\n"),
    "bom": lambda body: b"\xef\xbb\xbf" + body,
    "no last blank line": lambda body: body.removesuffix(b"\n"),
    "no last line end": lambda body: body.removesuffix(b"\n\n"),
    "cr, no last blank line": lambda body: body.replace(b"\n", b"\r").removesuffix(b"\r"),
    "more blank lines": lambda body: body.replace(b"\n\n", b"\n\n\n\n"),
    "no space": lambda body: body.replace(b"\ndata: ", b"\ndata:"),
    "other fields": _with_other_fields,
}
"""By name, what a provider or a proxy may do to the bytes without changing what they say."""


def pieces_of(body: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """Yield a body in pieces, none empty."""
    start = 0
    for end in sorted({cut for cut in cuts if 0 < cut < len(body)} | {len(body)}):
        yield body[start:end]
        start = end
