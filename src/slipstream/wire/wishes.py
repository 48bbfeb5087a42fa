"""What one request says of its own routing, in its body or in a header.

    body     {"model": …, "slipstream": {"strategy": "fastest"}}     of any dialect
    header   x-slipstream: {"strategy": "fastest"}      or      strategy=fastest; max_attempts=2
    body     {"model": A, "models": [B, C]}             OpenRouter's: A first, then these

The header wins, key by key. What is ours is cut out of the body; all other bytes stay.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final

import msgspec

from slipstream.choice import Wishes
from slipstream.wire.invalid import UNREADABLE
from slipstream.wire.refusals import not_together
from slipstream.wire.routing.members import without_member
from slipstream.wire.routing.wish_fields import (
    Given,
    Said,
    read_fields,
    read_header,
    read_object,
    read_targets,
    write_fields,
)

HEADER: Final = b"x-slipstream"
_HEADER_NAME: Final = HEADER.decode()
_KEY: Final = "slipstream"
_MODELS: Final = "models"
_OPENROUTER: Final = "openrouter/"
# As the official SDKs name them; both are in seconds.
_PATIENCE_HEADERS: Final = (b"x-stainless-read-timeout", b"x-stainless-timeout")
_NOTHING: Final = msgspec.Raw()


class _Ours(msgspec.Struct):
    """The members of a body that matter here."""

    model: msgspec.Raw = _NOTHING
    slipstream: msgspec.Raw = _NOTHING
    models: msgspec.Raw = _NOTHING


# Faster than to search for the names, and it finds them only where they are members.
_decode: Final = msgspec.json.Decoder(_Ours).decode
_encode: Final = msgspec.json.Encoder().encode


def goes_to_openrouter(model: str) -> bool:
    """Tell whether a name pins a model at OpenRouter, which has a `models` of its own."""
    return model.startswith(_OPENROUTER)


def read_wishes(
    body: bytes,
    header: bytes | None,
    *,
    keeps_models: Callable[[str], bool] = goes_to_openrouter,
) -> tuple[Wishes | None, bytes]:
    """Return what a request wishes, and its body without it; the same body where it says nothing.

    A body that is no JSON object is left to whoever reads it whole.

    Args:
        header: Value of `x-slipstream`.
        keeps_models: Tells of the request's model whether its `models` is the target's own.

    Raises:
        BadRequest: It names the field, its value, and what would be accepted.
    """
    try:
        ours = _decode(body)
    except UNREADABLE:
        ours = _Ours()
    is_said, has_models = ours.slipstream is not _NOTHING, ours.models is not _NOTHING
    if header is None and not is_said and not has_models:
        return None, body
    said: Said = {}
    if is_said:
        said = read_object(ours.slipstream, _KEY)
        body = without_member(body, _KEY)
    if has_models and not _is_kept(ours.model, keeps_models):
        said |= _fallbacks(ours, said)
        body = without_member(body, _MODELS)
    if header is not None:
        said |= read_header(header, _HEADER_NAME)
    return read_fields(said), body


def with_wishes(body: bytes, wishes: Wishes | None) -> bytes:
    """Return a body that says wishes, for a request that is made again later.

    Args:
        body: As `read_wishes` left it.
    """
    if wishes is None:
        return body
    said = _encode({_KEY: write_fields(wishes)})
    head, _, tail = body.partition(b"{")
    is_alone = tail.lstrip().startswith(b"}")
    return head + said[:-1] + (b"" if is_alone else b",") + tail


def read_patience(headers: Mapping[bytes, bytes]) -> float | None:
    """Return for how many seconds a plain answer is of use to the client; None: it does not say.

    As long as its SDK says that it waits. Of a stream the SDKs mean the time between two reads,
    which pings bridge.

    Args:
        headers: By lower-case name.
    """
    for name in _PATIENCE_HEADERS:
        told = headers.get(name)
        if told is None:
            continue
        try:
            patience_s = float(told)
        except ValueError:
            continue
        if isfinite(patience_s) and patience_s > 0:
            return patience_s
    return None


def _is_kept(model: msgspec.Raw, keeps_models: Callable[[str], bool]) -> bool:
    try:
        return keeps_models(msgspec.json.decode(model, type=str))
    except UNREADABLE:
        return True  # whoever reads the model says what is wrong with it


def _fallbacks(ours: _Ours, said: Said) -> Said:
    """Return OpenRouter's list as targets, the request's model before them."""
    if bytes(ours.models) == b"null":
        return {}
    if "targets" in said:
        raise not_together(_MODELS, said["targets"].where)
    model = msgspec.json.decode(ours.model, type=str)
    names = (model, *read_targets(ours.models, _MODELS))
    return {"targets": Given(msgspec.Raw(_encode(names)), _MODELS)}
