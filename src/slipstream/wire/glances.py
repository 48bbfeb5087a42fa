"""Requests of Messages and Responses as they pass through: the few fields that routing needs.

They are read whole only where the target speaks otherwise, by the `reading.py` of their dialect.
"""

from typing import Annotated, Final

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.openai_chat import MAX_MODEL_CHARS, Scan
from slipstream.wire.refusals import missing

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MODEL_CHARS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Messages(msgspec.Struct):
    model: _Name
    messages: list[msgspec.Raw]
    max_tokens: _Count
    stream: bool | None = None


class _Responses(msgspec.Struct):
    model: _Name
    input: msgspec.Raw = _NOTHING
    max_output_tokens: _Count | None = None
    stream: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: msgspec.Raw = _NOTHING
    prompt: msgspec.Raw = _NOTHING


_messages_decoder: Final = msgspec.json.Decoder(_Messages)
_responses_decoder: Final = msgspec.json.Decoder(_Responses)


def scan_messages(body: bytes) -> Scan:
    """Read the few fields of a Messages request that routing needs.

    Raises:
        BadRequest: The body is no JSON object, or one of them is missing or of a wrong type.
    """
    try:
        said = _messages_decoder.decode(body)
        _check_text(body)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    return Scan(said.model, bool(said.stream), True, said.max_tokens)


def scan_responses(body: bytes) -> Scan:
    """Read the few fields of a Responses request that routing needs.

    Raises:
        BadRequest: The body is no JSON object, one of them is missing or of a wrong type, or it
            goes on with an answer, and none is kept here.
    """
    try:
        said = _responses_decoder.decode(body)
        _check_text(body)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    _check_kept(said)
    if bytes(said.input) in _ABSENT and bytes(said.prompt) in _ABSENT:
        raise missing("input")
    return Scan(said.model, bool(said.stream), True, said.max_output_tokens)


def _check_text(body: bytes) -> None:
    if not body.isascii():
        body.decode()  # what was passed over may hold anything


def _check_kept(said: _Responses) -> None:
    """Refuse what only a gateway that keeps answers could do."""
    asked = {
        "previous_response_id": said.previous_response_id is not None,
        "conversation": bytes(said.conversation) not in _ABSENT,
        "background": bool(said.background),
    }
    for field, is_asked in asked.items():
        if is_asked:
            raise BadRequest(
                f"Answers are not kept here, so '{field}' has nothing to refer to: leave it out, "
                "and send the whole conversation in 'input'.",
                param=field,
                code="unsupported_parameter",
            )
