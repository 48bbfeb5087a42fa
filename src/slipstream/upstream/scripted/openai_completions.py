"""The dialect OpenAI text completions, seen from the side of a server of base models.

It goes on with the last prompt by saying it again; fields that neither OpenAI nor vLLM knows are
refused. Log probabilities are not made up, and of several prompts each gets the same answer.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from slipstream.errors import BadRequest
from slipstream.upstream.scripted.answer import count_words, split_words
from slipstream.upstream.scripted.flaws import Flaw, Flawed, decode_strictly
from slipstream.upstream.scripted.nouns import Answer, Ask, Dialect, Event, Stamp, Tokens
from slipstream.upstream.scripted.openai_chat import encode_error
from slipstream.upstream.scripted.rate_headers import openai_headers

_DONE: Final = Event(b"[DONE]", is_terminal=True)
_encode_json: Final = msgspec.json.Encoder().encode
_Count = Annotated[int, Meta(ge=1)]
_Ids = list[Annotated[int, Meta(ge=0)]]


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Request(Struct, forbid_unknown_fields=True):
    model: Annotated[str, Meta(min_length=1)]
    prompt: Any
    best_of: _Count | None = None
    echo: bool | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    max_tokens: _Count | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    min_tokens: int | None = None
    n: _Count | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    suffix: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_k: int | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    user: str | None = None


_decoder: Final = msgspec.json.Decoder(_Request)


def _decode(path: str, body: bytes) -> Ask:
    try:
        said = decode_strictly(_decoder, body)
        prompts = _read_prompts(said.prompt)
    except Flawed as flawed:
        raise _refusal(flawed.flaw) from flawed
    if said.stream_options is not None and not said.stream:
        raise BadRequest("stream_options needs stream: true", param="stream_options")
    stop = said.stop
    return Ask(
        model=said.model,
        text=prompts[-1],
        prompt_tokens=sum(map(count_words, prompts)),
        is_stream=bool(said.stream),
        wants_usage=said.stream_options is not None and bool(said.stream_options.include_usage),
        max_tokens=16 if said.max_tokens is None else said.max_tokens,
        stops=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        num_choices=(said.n or 1) * len(prompts),
    )


def _read_prompts(prompt: Any) -> list[str]:
    """Return the prompts; token ids are the words that they are written as."""
    if isinstance(prompt, str):
        return [prompt]
    for kind in (list[str], _Ids, list[_Ids]):
        try:
            found: list[Any] = msgspec.convert(prompt, kind)
        except msgspec.ValidationError:
            continue
        if kind is list[str]:
            return found or [""]
        many = [found] if kind is _Ids else found
        return [" ".join(map(str, ids)) for ids in many]
    raise Flawed(Flaw("invalid", "prompt", "Expected texts or token ids"))


def _refusal(flaw: Flaw) -> BadRequest:
    if flaw.kind == "unknown":
        message = f"Unrecognized request argument supplied: {flaw.field}"
        return BadRequest(message, param=flaw.field, code="unknown_parameter")
    return BadRequest(f"'{flaw.path}': {flaw.what}", param=flaw.path, code="invalid_value")


def _usage(tokens: Tokens) -> dict[str, object]:
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    }


def _head(ask: Ask, stamp: Stamp) -> dict[str, object]:
    return {
        "id": f"cmpl-{stamp.serial:06d}",
        "object": "text_completion",
        "created": stamp.created_s,
        "model": ask.model,
        "system_fingerprint": None,
    }


def _choice(at: int, text: str, finish: str | None) -> dict[str, object]:
    return {"index": at, "text": text, "logprobs": None, "finish_reason": finish}


def _encode(ask: Ask, answer: Answer, stamp: Stamp) -> bytes:
    choices = [_choice(at, answer.text, answer.finish) for at in range(ask.num_choices)]
    document = _head(ask, stamp) | {"choices": choices}
    if answer.tokens is not None:
        document["usage"] = _usage(answer.tokens)
    return _encode_json(document)


def _stream(ask: Ask, answer: Answer, stamp: Stamp) -> Iterator[Event]:
    """Yield the words of each choice in turn, the ends, usage and the end of all."""
    head, choices = _head(ask, stamp), range(ask.num_choices)
    has_usage = ask.wants_usage and answer.tokens is not None
    blank = {"usage": None} if has_usage else {}
    told = [_choice(at, word, None) for word in split_words(answer.text) for at in choices]
    told += [_choice(at, "", answer.finish) for at in choices]
    for choice in told:
        yield Event(_encode_json(head | {"choices": [choice]} | blank))
    if has_usage:
        assert answer.tokens is not None
        yield Event(_encode_json(head | {"choices": [], "usage": _usage(answer.tokens)}))
    yield _DONE


OPENAI_COMPLETIONS: Final = Dialect(
    name="openai_completions",
    path_suffixes=("/completions",),
    decode=_decode,
    encode=_encode,
    stream=_stream,
    encode_error=encode_error,
    rate_headers=openai_headers,
)
