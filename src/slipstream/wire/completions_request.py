"""Requests of OpenAI Completions: scanned shallowly to route them, read whole for our own models.

A field that is not known is refused, and so is one that asks for what is not offered, unless it
says what happens anyway. Answers are in completions_answer.py.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21. Fields beyond OpenAI's
have the names and ranges of vLLM's; `exact` is our own.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.openai_chat import MAX_MODEL_CHARS, Scan
from slipstream.wire.refusals import invalid, not_offered, not_together
from slipstream.wire.sampling import (
    MAX_CHOICES,
    MAX_TOKENS,
    Penalty,
    given_or,
    read_bias,
    read_stops,
)
from slipstream.wire.texts import Text, check_texts, read_texts

DEFAULT_MAX_TOKENS: Final = 16  # OpenAI's
MAX_LOGPROBS: Final = 5  # OpenAI's bound
MAX_BEST_OF: Final = 20  # OpenAI's bound


class CompletionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked to go on with; defaults are OpenAI's.

    Args:
        num_choices: Answers to each prompt that the client gets.
        best_of: Answers to each prompt that are made, of which it gets the likeliest.
        num_logprobs: Likeliest tokens beside each token; None tells no log probabilities.
        echoes: Each answer begins with its prompt.
        cache_key: Whose cached prefixes may be shared, within the caller's own.
    """

    prompts: tuple[Text, ...]
    max_tokens: int = DEFAULT_MAX_TOKENS
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    stop: tuple[str, ...] = ()
    num_logprobs: int | None = None
    num_choices: int = 1
    best_of: int = 1
    echoes: bool = False
    is_exact: bool = False
    cache_key: str = ""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Head(msgspec.Struct):
    model: str
    prompt: msgspec.Raw
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=MAX_TOKENS)] | None = None


class _Body(_Head):
    min_tokens: Annotated[int, Meta(ge=0)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=MAX_TOKENS)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    logit_bias: dict[str, Any] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | list[str] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=MAX_LOGPROBS)] | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=MAX_BEST_OF)] | None = None
    echo: bool | None = None
    exact: bool | None = None
    cache_salt: str | None = None
    prompt_cache_key: str | None = None
    user: str | None = None
    suffix: str | None = None


_FIELDS: Final = frozenset(_Body.__struct_fields__)
_head_decoder: Final = msgspec.json.Decoder(_Head)
_body_decoder: Final = msgspec.json.Decoder(_Body)
_fields_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def scan_completions(body: bytes) -> Scan:
    """Read the few fields that routing needs.

    Raises:
        BadRequest: The body is no JSON object, or one of these fields is missing, of a wrong type
            or empty; the error names it.
    """
    try:
        said = _head_decoder.decode(body)
        if not body.isascii():
            body.decode()  # what was passed over may hold anything
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    if not 0 < len(said.model) <= MAX_MODEL_CHARS:
        raise invalid(
            "model", f"expected a name of 1 to {MAX_MODEL_CHARS} characters, got {len(said.model)}"
        )
    check_texts(said.prompt, "prompt", MAX_CHOICES)
    options = said.stream_options
    return Scan(
        said.model,
        bool(said.stream),
        bool(options and options.include_usage),
        DEFAULT_MAX_TOKENS if said.max_tokens is None else said.max_tokens,
    )


def parse_completions(body: bytes) -> CompletionsRequest:
    """Read and check a whole request.

    Raises:
        BadRequest: A field is unknown, missing, of a wrong type or out of range, or two exclude
            each other; the error names it, the value, and what is accepted.
    """
    try:
        said = _body_decoder.decode(body)
        for field in _fields_decoder.decode(body):
            if field not in _FIELDS:
                known = ", ".join(f"'{name}'" for name in sorted(_FIELDS - {"suffix"}))
                raise not_offered(field[:80], f"the fields that it knows are {known}")
        check_texts(said.prompt, "prompt", MAX_CHOICES)
        asked = _read(said)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    _check_together(asked, is_stream=bool(said.stream))
    return asked


def _read(said: _Body) -> CompletionsRequest:
    if said.suffix:
        raise not_offered("suffix", "it writes on at the end of a prompt only, so leave it out")
    num_choices = said.n or 1
    best_of = said.best_of or num_choices
    if best_of < num_choices:
        raise invalid("best_of", f"expected at least n, {num_choices}, got {best_of}")
    return CompletionsRequest(
        prompts=read_texts(said.prompt, "prompt", MAX_CHOICES),
        max_tokens=said.max_tokens or DEFAULT_MAX_TOKENS,
        min_tokens=said.min_tokens or 0,
        temperature=given_or(said.temperature, 1.0),
        top_p=given_or(said.top_p, 1.0),
        top_k=max(said.top_k or 0, 0),
        min_p=said.min_p or 0.0,
        frequency_penalty=said.frequency_penalty or 0.0,
        presence_penalty=said.presence_penalty or 0.0,
        repetition_penalty=given_or(said.repetition_penalty, 1.0),
        logit_bias=read_bias(said.logit_bias),
        seed=said.seed,
        stop=read_stops(said.stop),
        num_logprobs=said.logprobs,
        num_choices=num_choices,
        best_of=best_of,
        echoes=bool(said.echo),
        is_exact=bool(said.exact),
        cache_key=said.cache_salt or said.prompt_cache_key or "",
    )


def _check_together(asked: CompletionsRequest, *, is_stream: bool) -> None:
    """Refuse what cannot be had at the same time."""
    if asked.min_tokens > asked.max_tokens:
        raise invalid(
            "min_tokens", f"expected at most max_tokens, {asked.max_tokens}, got {asked.min_tokens}"
        )
    if len(asked.prompts) * asked.best_of > MAX_CHOICES:
        raise invalid(
            "prompt",
            f"expected at most {MAX_CHOICES} answers in all, "
            f"got {len(asked.prompts)} prompts with {asked.best_of} answers each",
        )
    if is_stream and asked.best_of > asked.num_choices:
        raise not_together("best_of", "stream")
    if not asked.echoes:
        return
    if asked.num_logprobs is not None:  # a prompt's own tokens have none here
        raise not_together("echo", "logprobs")
    if not all(isinstance(prompt, str) for prompt in asked.prompts):
        raise not_offered("echo", "send the prompt as text, or leave it out")
