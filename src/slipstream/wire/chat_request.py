"""An OpenAI chat request read in full, for models that we run ourselves.

Every field that is offered is checked for type and range. A field that would change the answer
and is not offered is refused unless it says what happens anyway (`n: 1`, no tools, no penalty);
fields that change nothing, such as `user` and `metadata`, and fields that OpenAI does not
document are left unread. What a relay passes on is read in openai_chat.py.

Source: platform documentation and openai-python 3.52.0's types, 2026-11-21.
"""

from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from slipstream.errors import BadRequest
from slipstream.wire.invalid import explain

_MAX_STOPS: Final = 4
_MAX_STOP_CHARS: Final = 1_000  # each is searched for in every piece of the answer

Role = Literal["system", "user", "assistant"]


class ChatTurn(msgspec.Struct, frozen=True):
    """One message: its parts joined, `developer` read as `system`."""

    role: Role
    content: str
    name: str | None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked to do; defaults are OpenAI's."""

    turns: tuple[ChatTurn, ...]
    max_tokens: int | None
    temperature: float
    top_p: float
    seed: int | None
    stop: tuple[str, ...]


class _Body(msgspec.Struct):
    messages: list[msgspec.Raw]
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | list[str] | None = None
    # Known, and not offered: compared with _NEUTRAL.
    n: Any = None
    tools: Any = None
    tool_choice: Any = None
    functions: Any = None
    function_call: Any = None
    response_format: Any = None
    logprobs: Any = None
    top_logprobs: Any = None
    logit_bias: Any = None
    frequency_penalty: Any = None
    presence_penalty: Any = None
    repetition_penalty: Any = None
    top_k: Any = None
    min_p: Any = None
    min_tokens: Any = None
    modalities: Any = None
    audio: Any = None
    web_search_options: Any = None


class _Neutral(NamedTuple):
    """Values of a field that change nothing, and how to say what is accepted."""

    values: tuple[Any, ...]
    accepted: str = "leave it out"


_ABSENT: Final = _Neutral((None,))
_NO_LIST: Final = _Neutral((None, []), "leave it out or send []")
_ZERO: Final = _Neutral((None, 0), "leave it out or send 0")
_NEUTRAL: Final[dict[str, _Neutral]] = {
    "n": _Neutral((None, 1), "leave it out or send 1"),
    "tools": _NO_LIST,
    "tool_choice": _Neutral((None, "none", "auto"), "leave it out or send 'none'"),
    "functions": _NO_LIST,
    "function_call": _Neutral((None, "none", "auto"), "leave it out or send 'none'"),
    "response_format": _Neutral((None, {"type": "text"}), "leave it out or send type 'text'"),
    "logprobs": _Neutral((None, False), "leave it out or send false"),
    "top_logprobs": _ZERO,
    "logit_bias": _Neutral((None, {}), "leave it out or send {}"),
    "frequency_penalty": _ZERO,
    "presence_penalty": _ZERO,
    "repetition_penalty": _Neutral((None, 1), "leave it out or send 1"),
    "top_k": _Neutral((None, 0, -1), "leave it out or send 0"),
    "min_p": _ZERO,
    "min_tokens": _ZERO,
    "modalities": _Neutral((None, ["text"]), "leave it out or send ['text']"),
    "audio": _ABSENT,
    "web_search_options": _ABSENT,
}


class _Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[msgspec.Raw] | None = None
    name: str | None = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None


_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",  # OpenAI's newer word for it; templates know the older one
    "user": "user",
    "assistant": "assistant",
}
_body_decoder = msgspec.json.Decoder(_Body)
_message_decoder = msgspec.json.Decoder(_Message)
_part_decoder = msgspec.json.Decoder(_Part)


def parse_chat_request(body: bytes) -> ChatRequest:
    """Read and check a whole request.

    Raises:
        BadRequest: It names the field as OpenAI does (`messages[1].content`), the value, and
            what is accepted.
    """
    try:
        said = _body_decoder.decode(body)
    except msgspec.DecodeError as exc:
        raise explain(exc, body) from exc
    except UnicodeDecodeError as exc:
        raise BadRequest(f"The body is not valid UTF-8: {exc}.", code="invalid_json") from exc
    for field, neutral in _NEUTRAL.items():
        if getattr(said, field) not in neutral.values:
            raise _not_offered(field, neutral.accepted)
    if not said.messages:
        raise _invalid("messages", "expected at least one message, got []")
    limit = said.max_completion_tokens
    return ChatRequest(
        turns=tuple(_read_turn(raw, number, body) for number, raw in enumerate(said.messages)),
        max_tokens=said.max_tokens if limit is None else limit,
        temperature=1.0 if said.temperature is None else said.temperature,
        top_p=1.0 if said.top_p is None else said.top_p,
        seed=said.seed,
        stop=_read_stops(said.stop),
    )


def _read_turn(raw: msgspec.Raw, number: int, body: bytes) -> ChatTurn:
    where = f"messages[{number}]"
    try:
        said = _message_decoder.decode(raw)
    except msgspec.DecodeError as exc:
        raise explain(_moved(exc, where), body) from exc
    role = _ROLES.get(said.role)
    if role is None:
        raise _not_offered(f"{where}.role", "send system, developer, user or assistant")
    for field in ("tool_calls", "function_call", "audio"):
        if getattr(said, field):
            raise _not_offered(f"{where}.{field}", _ABSENT.accepted)
    if said.content is None:
        raise _invalid(f"{where}.content", "expected a string or an array of parts, got null")
    if isinstance(said.content, str):
        return ChatTurn(role, said.content, said.name)
    parts = (
        _read_part(part, f"{where}.content[{at}]", body) for at, part in enumerate(said.content)
    )
    return ChatTurn(role, "".join(parts), said.name)


def _read_part(raw: msgspec.Raw, where: str, body: bytes) -> str:
    try:
        said = _part_decoder.decode(raw)
    except msgspec.DecodeError as exc:
        raise explain(_moved(exc, where), body) from exc
    text = {"text": said.text, "refusal": said.refusal}.get(said.type, "")
    if said.type not in ("text", "refusal"):
        raise _not_offered(f"{where}.type", "this model reads parts of type 'text'")
    if text is None:
        raise BadRequest(
            f"Missing required parameter: '{where}.{said.type}'.",
            param=f"{where}.{said.type}",
            code="missing_required_parameter",
        )
    return text


def _read_stops(said: str | list[str] | None) -> tuple[str, ...]:
    stops = (said,) if isinstance(said, str) else tuple(said or ())
    if len(stops) > _MAX_STOPS:
        raise _invalid("stop", f"expected at most {_MAX_STOPS} strings, got {len(stops)}")
    for stop in stops:
        if not 0 < len(stop) <= _MAX_STOP_CHARS:
            raise _invalid(
                "stop", f"expected strings of 1 to {_MAX_STOP_CHARS} characters, got {len(stop)}"
            )
    return stops


def _moved(error: msgspec.DecodeError, where: str) -> msgspec.DecodeError:
    """Return a decoder's error with its path seen from the whole body."""
    if not isinstance(error, msgspec.ValidationError):
        return error
    text, mark, path = str(error).partition(" - at `$")
    return msgspec.ValidationError(f"{text} - at `$.{where}{path if mark else '`'}")


def _invalid(param: str, said: str) -> BadRequest:
    return BadRequest(f"Invalid value for '{param}': {said}.", param=param, code="invalid_value")


def _not_offered(param: str, accepted: str) -> BadRequest:
    return BadRequest(
        f"This model does not offer what '{param}' asks for: {accepted}.",
        param=param,
        code="unsupported_parameter",
    )
