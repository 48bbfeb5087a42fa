"""The shape of a chat body with no room for unknown keys, made of body.py's own.

Decoding by it tells in one go, and without any Python of ours, what `check_body` tells of keys,
types and ranges; but not what is wrong, which is for who looks closer.
"""

from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec

from slipstream.wire.cerebras.body import Body


@cache
def closed(record: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return the same shape, and those inside of it, refusing keys that it does not have."""
    config = record.__struct_config__
    return msgspec.defstruct(
        record.__name__,
        [
            (field.name, _closed_hint(field.type))
            if field.required
            else (field.name, _closed_hint(field.type), field.default)
            for field in msgspec.structs.fields(record)
        ],
        bases=(record,),  # so that an instance of one is an instance of the other
        forbid_unknown_fields=True,
        kw_only=True,
        tag_field=config.tag_field,
        tag=config.tag,
    )


def _closed_hint(hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return closed(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_closed_hint(inner[0]), *inner[1:])]
    if origin is list:
        return list[_closed_hint(inner[0])]  # type: ignore[misc]  # made while the program runs
    if origin in (Union, UnionType):
        return Union[tuple(_closed_hint(each) for each in inner)]  # noqa: UP007
    return hint


decode_closed: Final = msgspec.json.Decoder(closed(Body)).decode
"""Decodes a body whose keys, types and ranges are all right; else raises `invalid.UNREADABLE`."""
