"""Requests of Messages and Responses as they pass through: the few fields that routing needs.

They are read whole only where the target speaks otherwise, by the `reading.py` of their dialect.
"""

from typing import Annotated, Final

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE, explain
from slipstream.wire.openai_chat import MAX_MODEL_CHARS, Scan
from slipstream.wire.refusals import missing, not_together
from slipstream.wire.responses.following import Wish

_NOTHING: Final = msgspec.Raw()
_ABSENT: Final = (b"", b"null")
_REFERENCE: Final = b'"item_reference"'
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MODEL_CHARS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Counted(msgspec.Struct):
    model: _Name
    messages: list[msgspec.Raw]


class _Messages(_Counted, kw_only=True):
    max_tokens: _Count
    stream: bool | None = None


class _Responses(msgspec.Struct):
    model: _Name
    input: msgspec.Raw = _NOTHING
    max_output_tokens: _Count | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: msgspec.Raw = _NOTHING
    prompt: msgspec.Raw = _NOTHING


_counted_decoder: Final = msgspec.json.Decoder(_Counted)
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


def scan_count(body: bytes) -> str:
    """Return the model of a request whose tokens are only counted.

    Raises:
        BadRequest: As `scan_messages`.
    """
    try:
        said = _counted_decoder.decode(body)
        _check_text(body)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    return said.model


def scan_responses(body: bytes) -> Scan:
    """Read the few fields of a Responses request that routing needs.

    What has to do with answers that are kept is told beside them, as a `Wish`.

    Raises:
        BadRequest: The body is no JSON object, one of them is missing or of a wrong type, or it
            goes on with a conversation, and none is kept here.
    """
    try:
        said = _responses_decoder.decode(body)
        _check_text(body)
    except UNREADABLE as exc:
        raise explain(exc, body) from exc
    if bytes(said.conversation) not in _ABSENT:
        raise BadRequest(
            "Conversations are not kept here, so 'conversation' has nothing to refer to: name the "
            "answer before this one in 'previous_response_id'.",
            param="conversation",
            code="unsupported_parameter",
        )
    is_any = bytes(said.input) not in _ABSENT or bytes(said.prompt) not in _ABSENT
    if not is_any and said.previous_response_id is None:
        raise missing("input")
    _check_background(said)
    wish = Wish(
        store=said.store is not False,
        is_background=bool(said.background),
        previous_response_id=said.previous_response_id,
        has_references=_REFERENCE in body,
    )
    return Scan(said.model, bool(said.stream), True, said.max_output_tokens, wish)


def scan_compaction(body: bytes) -> Scan:
    """Read the few fields that routing needs of a conversation that is to be made shorter.

    Raises:
        BadRequest: As `scan_responses`; or it asks for a stream, of which there is none.
    """
    scan = scan_responses(body)
    if scan.is_stream:
        raise BadRequest(
            "Invalid value for 'stream': a compaction comes whole.",
            param="stream",
            code="invalid_value",
        )
    wish = scan.asked
    assert isinstance(wish, Wish), "just made"
    return scan._replace(asked=msgspec.structs.replace(wish, store=False, is_background=False))


def _check_text(body: bytes) -> None:
    if not body.isascii():
        body.decode()  # what was passed over may hold anything


def _check_background(said: _Responses) -> None:
    """Refuse what an answer that is fetched later cannot be."""
    if not said.background:
        return
    if said.stream:
        raise not_together("stream", "background")
    if said.store is False:
        raise BadRequest(
            "An answer in the background must be kept until it is fetched: leave 'store' out.",
            param="store",
            code="invalid_value",
        )
