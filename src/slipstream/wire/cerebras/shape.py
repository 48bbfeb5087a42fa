"""How a Cerebras body is checked: its keys at every level, then types and ranges.

Source: ../shared/reference/cerebras-api.md sections 2.1 and 5.3, 2026-11-21.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from slipstream.errors import BadRequest

Limit = Annotated[int, Meta(ge=-1)] | None
Penalty = Annotated[float, Meta(ge=-2, le=2)] | None
Temperature = Annotated[float, Meta(ge=0, le=2)] | None
TopP = Annotated[float, Meta(ge=0, le=1)] | None
Bias = dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None
Choices = Annotated[int, Meta(ge=1, le=128)] | None
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None
Stops = str | Annotated[list[str], Meta(max_length=4)] | None
CacheKey = Annotated[str, Meta(max_length=1024)] | None


class Shape(NamedTuple):
    """The keys of an object, and which of them hold objects of a shape, or arrays of them.

    Args:
        record: Its fields are the keys.
    """

    record: type[msgspec.Struct]
    inside: "Mapping[str, Shape | OneOf]" = {}  # noqa: RUF012 - never changed


class OneOf(NamedTuple):
    """Shapes that are told apart by the value of a key.

    Args:
        is_named: The value is part of the path of what is inside.
    """

    tag: str
    shapes: Mapping[str, Shape]
    is_named: bool = False


class StreamOptions(msgspec.Struct):
    """What a stream tells."""

    include_usage: bool | None = None


S = TypeVar("S", bound=msgspec.Struct)


def wrong(message: str, param: str = "validation_error") -> BadRequest:
    """Return the error of a body that breaks a rule."""
    return BadRequest(message, param=param, code="wrong_api_format")


def check_shape(body: Any, record: type[S], inside: Mapping[str, Shape | OneOf]) -> S:
    """Check keys, all of them, then types and ranges.

    Args:
        inside: Of the body's own shape.

    Raises:
        BadRequest: It names each unknown key, or the first wrong value.
    """
    if not isinstance(body, dict):
        raise wrong("body: expected an object")
    unknown = [
        f"{path}: property '{path}' is unsupported"
        for path in _unknown_keys(body, Shape(record, inside), "")
    ]
    if unknown:
        raise wrong("\n".join(unknown))
    try:
        return msgspec.convert(body, record)
    except msgspec.ValidationError as exc:
        text, _, path = str(exc).partition(" - at `$")
        where = path.rstrip("`").lstrip(".").replace("[", ".").replace("]", "")
        raise wrong(f"body.{where}: {text}" if where else f"body: {text}") from exc


def _unknown_keys(
    held: dict[str, Any], shape: Shape, path: str, tag: str | None = None
) -> Iterator[str]:
    known = {*shape.record.__struct_fields__, tag}
    for key, value in held.items():
        where = f"{path}.{key}" if path else key
        if key not in known:
            yield where if path else f"body.{key}"
        elif key in shape.inside:
            yield from _unknown_inside(value, shape.inside[key], where)


def _unknown_inside(value: Any, shape: Shape | OneOf, path: str) -> Iterator[str]:
    """Yield the unknown keys of an object, or of each in an array; types tell anything else."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            if isinstance(item, dict):
                yield from _unknown_inside(item, shape, f"{path}.{at}")
    elif isinstance(value, dict):
        if isinstance(shape, Shape):
            yield from _unknown_keys(value, shape, path)
            return
        kind = value.get(shape.tag)
        found = shape.shapes.get(kind) if isinstance(kind, str) else None
        if found is not None:
            where = f"{path}.{kind}" if shape.is_named else path
            yield from _unknown_keys(value, found, where, shape.tag)
