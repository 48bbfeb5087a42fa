"""JSON schemas as Anthropic takes them where it guarantees that an answer fits.

Objects must be closed, and few keywords are known; the others are told in the description, so that
the model still reads them. The bounds are then no longer guaranteed.

Source: what anthropic-python 2.11.0's `transform_schema` keeps, 2026-11-21.
"""

from typing import Any, Final

import msgspec

from slipstream.errors import BadRequest
from slipstream.wire.invalid import UNREADABLE

_KEPT: Final = frozenset(
    {"$ref", "type", "enum", "const", "description", "title", "required", "default"}
)
_MANY: Final = frozenset({"properties", "$defs", "definitions"})  # name -> schema
_LISTS: Final = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_FORMATS: Final = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uri",
        "uuid",
    }
)
_MAX_DEPTH: Final = 100
_encode: Final = msgspec.json.Encoder().encode


def with_type(schema: str | None) -> Any:
    """Return a schema of arguments, which must say that they are an object; else unchanged.

    Raises:
        BadRequest: It is no JSON object.
    """
    if schema is None:
        return {"type": "object", "properties": {}}
    said = _decode(schema)
    if said.get("type") == "object":
        return msgspec.Raw(schema.encode())
    return {**said, "type": "object"}


def fit_schema(schema: str) -> dict[str, Any]:
    """Return a schema that Anthropic guarantees.

    Raises:
        BadRequest: It is no JSON object.
    """
    fitted: dict[str, Any] = _fit(_decode(schema), _MAX_DEPTH)
    return fitted


def _decode(schema: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(schema, type=dict[str, Any])
    except UNREADABLE as exc:
        raise BadRequest(
            "Invalid value for a schema: expected a JSON object.", code="invalid_value"
        ) from exc


def _fit(schema: Any, depth: int) -> Any:
    if not isinstance(schema, dict):
        return schema
    if depth == 0:
        raise BadRequest("A schema is nested too deeply.", code="invalid_value")
    fitted: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _MANY and isinstance(value, dict):
            fitted[name] = {key: _fit(inner, depth - 1) for key, inner in value.items()}
        elif name in _LISTS and isinstance(value, list):
            fitted[_LISTS[name]] = [_fit(inner, depth - 1) for inner in value]
        elif name == "items":
            fitted[name] = _fit(value, depth - 1)
        elif _is_kept(name, value):
            fitted[name] = value
        elif name not in ("$schema", "$id", "additionalProperties"):
            told[name] = value
    if schema.get("type") == "object" or "properties" in schema:
        fitted["additionalProperties"] = False
    if told:
        said = ", ".join(f"{name}: {_encode(value).decode()}" for name, value in told.items())
        fitted["description"] = f"{fitted.get('description', '')}\n\n{{{said}}}".strip()
    return fitted


def _is_kept(name: str, value: Any) -> bool:
    if name == "format":
        return value in _FORMATS
    if name == "minItems":
        return value in (0, 1)
    return name in _KEPT
