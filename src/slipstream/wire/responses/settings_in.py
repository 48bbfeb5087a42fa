"""What a Responses request says of the answer's form and of thinking, in `text` and `reasoning`.

Source: openai-python 3.52.0's types, 2026-11-21.
"""

from typing import Final

import msgspec
from msgspec import Struct

from slipstream.wire.refusals import invalid, is_object, missing, not_among
from slipstream.wire.talk.means import Form, Thinking

_NOTHING: Final = msgspec.Raw()
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_FORMS: Final = ("text", "json_object", "json_schema")
_SHOWS: Final = {"auto": "auto", "concise": "summary", "detailed": "detailed", "none": "none"}


class Thoughts(Struct):
    """`reasoning`."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class Format(Struct):
    """`text.format`."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


class Words(Struct):
    """`text`."""

    format: Format | None = None
    verbosity: str | None = None


def read_form(said: Format | None) -> Form | None:
    """Return the form that is asked for; None for free text.

    Raises:
        BadRequest: It names the field.
    """
    where = "text.format"
    if said is None or said.type == "text":
        return None
    if said.type == "json_object":
        return Form(kind="json_object")
    if said.type != "json_schema":
        raise not_among(f"{where}.type", said.type, _FORMS)
    if not said.name:
        raise missing(f"{where}.name")
    if not is_object(said.schema):
        raise invalid(f"{where}.schema", "expected a JSON Schema, which is an object")
    return Form(
        kind="json_schema",
        name=said.name,
        description=said.description,
        schema=bytes(said.schema).decode(),
        strict=said.strict,
    )


def read_thinking(said: Thoughts | None) -> Thinking | None:
    """Return how much is to be thought; None where nothing is said.

    Raises:
        BadRequest: It names the field.
    """
    if said is None:
        return None
    if said.effort is not None and said.effort not in _EFFORTS:
        raise not_among("reasoning.effort", said.effort, _EFFORTS)
    shows = said.summary or said.generate_summary
    if shows is not None and shows not in _SHOWS:
        raise not_among("reasoning.summary", shows, tuple(_SHOWS))
    if said.effort is None and shows is None:
        return None
    return Thinking(effort=said.effort, shows=None if shows is None else _SHOWS[shows])
