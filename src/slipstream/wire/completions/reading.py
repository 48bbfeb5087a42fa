"""A client's request for a text completion, read as one turn of a chat.

Models that chat answer a prompt, they do not write on at its end: whoever calls this offers that in
place of nothing. What only a text model can do is refused as Unsupported, since another target of
the route, such as a model that we run, may well do it.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from slipstream.errors import Unsupported
from slipstream.wire.chat.reading_tools import is_given
from slipstream.wire.completions_request import DEFAULT_MAX_TOKENS
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.sampling import MAX_CHOICES
from slipstream.wire.sampling_in import SampledBody
from slipstream.wire.talk.asking import Asked, Text, Turn
from slipstream.wire.texts import check_texts, read_texts

DIALECT: Final = "openai_completions"


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Body(SampledBody, kw_only=True):
    model: str
    prompt: msgspec.Raw
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    logprobs: int | None = None
    echo: bool | None = None
    suffix: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    user: str | None = None


_KNOWN: Final = frozenset(_Body.__struct_fields__)
_body_decoder: Final = msgspec.json.Decoder(_Body)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

_NO_TEXT: Final = ("messages", "tools", "functions", "response_format", "reasoning_effort")
"""Of chat: whoever sends them here would miss them in the answer."""
# What asks for a text model, and what would be accepted.
_ASKS_FOR_TEXT: Final[dict[str, tuple[Callable[[_Body], Any], str]]] = {
    "echo": (lambda said: said.echo, "leave it out"),
    "suffix": (lambda said: said.suffix, "leave it out"),
    "logprobs": (lambda said: said.logprobs is not None, "leave it out"),
    "best_of": (lambda said: (said.best_of or 1) > (said.n or 1), "leave it out or send n"),
}


def read_asked(body: bytes) -> Asked:
    """Read a whole request.

    Raises:
        BadRequest: A field is missing or of a wrong type; the error names it.
        Unsupported: It asks for what only a text model does; the error names the field.
    """
    try:
        said = _body_decoder.decode(body)
        fields = _fields_decoder.decode(body)
        check_texts(said.prompt, "prompt", MAX_CHOICES)
        prompts = read_texts(said.prompt, "prompt", MAX_CHOICES)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    for field, (asks, accepted) in _ASKS_FOR_TEXT.items():
        if asks(said):
            raise _unsupported(field, accepted)
    for field in _NO_TEXT:
        if field in fields and is_given(fields[field]):
            raise _of_chat(field)
    [prompt, *others] = prompts
    if others or not isinstance(prompt, str):
        raise _unsupported("prompt", "send one text, neither several nor token ids")
    extras = {name: raw for name, raw in fields.items() if name not in _KNOWN and is_given(raw)}
    return _read(said, prompt, extras)


def _unsupported(field: str, accepted: str) -> Unsupported:
    error = Unsupported(f"a model that chats does not offer what '{field}' asks for: {accepted}")
    error.param = field
    return error


def _of_chat(field: str) -> Unsupported:
    error = Unsupported(f"text completions have no '{field}': ask at /v1/chat/completions")
    error.param = field
    return error


def _read(said: _Body, prompt: str, extras: dict[str, msgspec.Raw]) -> Asked:
    options = said.stream_options
    return Asked(
        dialect=DIALECT,
        model=said.model,
        turns=(Turn("user", (Text(prompt),)),),
        sampling=said.sampling(),
        max_tokens=DEFAULT_MAX_TOKENS if said.max_tokens is None else said.max_tokens,
        num_choices=said.n or 1,
        is_stream=bool(said.stream),
        wants_usage=bool(options and options.include_usage),
        cache_key=said.prompt_cache_key,
        user=said.user,
        service_tier=said.service_tier,
        extras=extras,
    )
