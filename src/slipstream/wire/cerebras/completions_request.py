"""A Cerebras text completion, read strictly: its shape, its rules, and what a model needs of it.

The chat's shape is body.py's and checked alike. `suffix` and `user` change nothing; `stop`,
penalties and `logit_bias` do what they do in a chat.

Source: ../shared/reference/cerebras-api.md section 3.5; inference-docs.cerebras.ai, Completions;
2026-11-21.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from slipstream.wire.cerebras.models import MODELS, AskedFormat, CerebrasModel
from slipstream.wire.cerebras.request import (
    RowOf,
    bound_of,
    decode_body,
    find_row,
    least_of,
    limit_of,
)
from slipstream.wire.cerebras.rules import NO_ROOM, check_drawing, stops_of
from slipstream.wire.cerebras.shape import (
    Bias,
    CacheKey,
    Choices,
    Limit,
    Penalty,
    Seed,
    Shape,
    Stops,
    StreamOptions,
    Temperature,
    TopP,
    check_shape,
    wrong,
)
from slipstream.wire.chat_forms import ChatForm
from slipstream.wire.completions_request import CompletionsRequest
from slipstream.wire.sampling import MAX_CHOICES, given_or
from slipstream.wire.texts import MAX_TOKEN_ID, Text

_MAX_SPACES: Final = 20
_TokenId = Annotated[int, Meta(ge=0, le=MAX_TOKEN_ID)]


class CerebrasCompletions(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts as the models read them, and what only this profile has.

    Args:
        form: That each answer has.
        returns_tokens: Answers are token ids instead of text.
        max_asked_tokens: Of each answer, where the client bounds it.
    """

    model: str
    completions: CompletionsRequest
    is_stream: bool
    form: ChatForm | None = None
    returns_tokens: bool = False
    max_asked_tokens: int | None = None
    user: str | None = None


# ---- shape --------------------------------------------------------------------------------------


class CompletionsBody(msgspec.Struct):
    """A whole body, its types and ranges checked."""

    model: str
    prompt: str | list[str | _TokenId | list[_TokenId]]
    best_of: Annotated[int, Meta(ge=0, le=20)] | None = None
    echo: bool | None = None
    frequency_penalty: Penalty = None
    presence_penalty: Penalty = None
    grammar_root: str | None = None
    logit_bias: Bias = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    max_tokens: Limit = None
    min_tokens: Limit = None
    n: Choices = None
    prompt_cache_key: CacheKey = None
    reasoning_format: AskedFormat | None = None
    return_raw_tokens: bool | None = None
    seed: Seed = None
    stop: Stops = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: str | None = None
    temperature: Temperature = None
    top_p: TopP = None
    user: str | None = None


_INSIDE: Final = {"stream_options": Shape(StreamOptions)}


# ---- rules --------------------------------------------------------------------------------------


def _json(schema: str) -> ChatForm:
    return ChatForm("json_schema", schema, param="grammar_root")


# The names are those of rules of a grammar for JSON, whose root is an object. What the others
# that are documented mean (fcall, nofcall, insidevalue, funcarray, func) nobody has written down.
_FORMS: Final[dict[str, ChatForm]] = {
    "root": _json('{"type":"object"}'),
    "object": _json('{"type":"object"}'),
    "array": _json('{"type":"array"}'),
    "string": _json('{"type":"string"}'),
    "number": _json('{"type":"number"}'),
    "value": _json("{}"),
    "ws": ChatForm("regex", rf"[ \t\n]{{0,{_MAX_SPACES}}}", param="grammar_root"),
}


def _num_best(said: CompletionsBody) -> int:
    """Return how many answers are made to each prompt; below 2, `best_of` asks for nothing."""
    best_of = said.best_of or 0
    return best_of if best_of > 1 else said.n or 1


_Rule = tuple[Callable[[CompletionsBody, CerebrasModel], bool], str]

# The first that is broken is told. That `best_of` must be greater than `n` and cannot be streamed,
# and that `echo` goes without raw tokens, is documented; the words are ours.
_RULES: Final[tuple[_Rule, ...]] = (
    (lambda said, _: said.max_tokens == 0, f'"max_tokens" {NO_ROOM}'),
    (
        lambda said, _: (said.best_of or 0) > 1 and (said.best_of or 0) <= (said.n or 1),
        '"best_of" must be greater than "n"',
    ),
    (
        lambda said, _: (said.best_of or 0) > 1 and bool(said.stream),
        '"best_of" is incompatible with "stream"',
    ),
    (
        lambda said, _: bool(said.echo) and bool(said.return_raw_tokens),
        '"echo" is incompatible with "return_raw_tokens"',
    ),
    (
        lambda said, model: (said.reasoning_format or "none") not in model.formats,
        '"reasoning_format" is not supported by this model with this value',
    ),
    (
        lambda said, _: said.reasoning_format == "hidden",
        '"reasoning_format" "hidden" is not supported for text completions: what the model writes '
        "is their text",
    ),
    (
        lambda said, _: said.grammar_root is not None and said.grammar_root not in _FORMS,
        f'"grammar_root" must be one of {", ".join(_FORMS)}; for function calls use chat '
        "completions",
    ),
)


# ---- reading ------------------------------------------------------------------------------------


def read_cerebras_completions(
    body: bytes | Mapping[str, Any], row_of: RowOf = MODELS.get
) -> CerebrasCompletions:
    """Read a body, JSON where it is bytes, by what its model can do.

    Raises:
        BadRequest: Status, words, type, param and code are Cerebras's.
        UnknownModel: None of the models has this name.
    """
    said = check_shape(
        decode_body(body) if isinstance(body, bytes) else body, CompletionsBody, _INSIDE
    )
    model = find_row(said.model, row_of)
    prompts = _prompts(said.prompt)
    for is_broken, message in _RULES:
        if is_broken(said, model):
            raise wrong(message)
    check_drawing(said)
    if len(prompts) * _num_best(said) > MAX_CHOICES:
        raise wrong(f'"prompt" asks for more than {MAX_CHOICES} answers in all')
    bound = bound_of(said.max_tokens)
    limit = limit_of(bound, model)
    return CerebrasCompletions(
        model=said.model,
        completions=_completions(said, prompts, limit),
        is_stream=bool(said.stream),
        form=None if said.grammar_root is None else _FORMS[said.grammar_root],
        returns_tokens=bool(said.return_raw_tokens),
        max_asked_tokens=bound,
        user=said.user,
    )


def _completions(
    said: CompletionsBody, prompts: tuple[Text, ...], limit: int
) -> CompletionsRequest:
    return CompletionsRequest(
        prompts=prompts,
        max_tokens=limit,
        min_tokens=least_of(said.min_tokens, limit),
        temperature=given_or(said.temperature, 1.0),
        top_p=given_or(said.top_p, 1.0),
        frequency_penalty=said.frequency_penalty or 0.0,
        presence_penalty=said.presence_penalty or 0.0,
        logit_bias=tuple((int(key), value) for key, value in (said.logit_bias or {}).items()),
        seed=said.seed,
        stop=stops_of(said),
        num_logprobs=said.logprobs,
        num_choices=said.n or 1,
        best_of=_num_best(said),
        echoes=bool(said.echo),
        cache_key=said.prompt_cache_key or "",
    )


def _prompts(said: str | list[str | int | list[int]]) -> tuple[Text, ...]:
    """Return the text, or the token ids, of each prompt."""
    if isinstance(said, str):
        return _filled((said,))
    texts = tuple(item for item in said if isinstance(item, str))
    ids = tuple(item for item in said if isinstance(item, int))
    arrays = tuple(tuple(item) for item in said if isinstance(item, list))
    if len(said) not in (len(texts), len(ids), len(arrays)):
        raise wrong(
            '"prompt" must be a string, or an array of strings, of token ids or of arrays of these'
        )
    return _filled((ids,) if ids else texts or arrays)


def _filled(prompts: tuple[Text, ...]) -> tuple[Text, ...]:
    if not prompts or not all(prompts):
        raise wrong('"prompt" must not be empty')
    return prompts
