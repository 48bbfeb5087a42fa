"""JSON Schemas as llguidance compiles them: white space, open objects, and what is wrong where.

Covers what llguidance covers; a keyword that it cannot enforce is refused with its path.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from slipstream.errors import BadRequest

Schema = dict[str, Any]

# Models write JSON like Python's json module does. Where white space is fixed, nearly all that
# is not a value is forced: 30 of 76 tokens of a typical answer, with these separators as with
# none at all the same number of steps.
ITEM_SEPARATOR: Final = ", "
KEY_SEPARATOR: Final = ": "
_OPTIONS: Final = {
    "whitespace_flexible": False,
    "item_separator": ITEM_SEPARATOR,
    "key_separator": KEY_SEPARATOR,
}
_OPTIONS_KEY: Final = "x-guidance"

_MOST_BYTES: Final = 512 * 1024  # of a schema's text; takes half a second to compile
_MOST_SEARCHED_BYTES: Final = 2 * 1024 * 1024  # compiled again to find the place that is wrong

_URI_LETTERS: Final = "%!#$&'()*+,/:;=?@~"  # beside those that `quote` leaves anyway
_LOOSE_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")

# Where subschemas stand.
_ONE: Final = (
    "items",
    "additionalProperties",
    "additionalItems",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
)
_LISTS: Final = ("items", "prefixItems", "anyOf", "oneOf", "allOf")
_MAPS: Final = ("$defs", "definitions", "properties", "patternProperties", "dependentSchemas")
_SHARED: Final = ("$defs", "definitions")

# An object with one of these is not read as if it said additionalProperties: false.
_OPEN: Final = frozenset(
    {
        "$ref",
        "allOf",
        "anyOf",
        "oneOf",
        "additionalProperties",
        "patternProperties",
        "unevaluatedProperties",
        "minProperties",
        "dependentSchemas",
    }
)


def read_schema(text: str, param: str) -> Schema:
    """Return a schema from its JSON text.

    Raises:
        BadRequest: It is not JSON, no object, or too long.
    """
    if len(text) > _MOST_BYTES:
        raise BadRequest(
            f"{param}: the schema has {len(text)} characters; at most {_MOST_BYTES} are compiled.",
            param=param,
        )
    try:
        schema = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise BadRequest(f"{param}: the schema is not JSON: {exc}", param=param) from exc
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise BadRequest(f"{param}: a schema is an object.", param=param)
    return schema


def with_options(schema: Schema, *, is_lenient: bool) -> Schema:
    """Return a copy of a schema that tells llguidance how JSON is to be written.

    Objects that list their properties, and leave open whether there are others, get no others:
    all that is written obeys the schema, and a small model comes to an end. References to names
    with letters that no URI has are written as URIs.
    """
    options = {**_OPTIONS, "lenient": is_lenient, "coerce_one_of": is_lenient}
    bare = {key: value for key, value in schema.items() if key != _OPTIONS_KEY}
    closes = _may_close(bare)
    return {**_copied(bare, _closed if closes else _unclosed), _OPTIONS_KEY: options}


def explain(schema: Schema, error: str, check: Callable[[Schema], str]) -> str:
    """Return an error with the path of the smallest subschema that has it.

    Args:
        check: Compiles a schema; says what is wrong with it, "" where nothing is.
    """
    shared: Schema = {key: schema[key] for key in _SHARED if key in schema}
    num_bytes = 0
    for path, place in _places(schema, ()):
        alone = {**shared, **place}
        num_bytes += len(msgspec.json.encode(alone))
        if num_bytes > _MOST_SEARCHED_BYTES or not path:
            break
        if found := check(alone):
            return f"{_readable(found)}, at {'.'.join(path)}"
    return _readable(error)


def _readable(error: str) -> str:
    """Say it in the words of whoever wrote the schema."""
    head, colon, names = error.partition("Unimplemented keys: ")
    if colon and not head:
        keys = ", ".join(msgspec.json.decode(names))
        return f"unsupported JSON Schema keyword: {keys}"
    return error


def _places(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Yield the subschemas, the innermost first, and the schema itself."""
    try:
        for steps, child in _children(schema):
            yield from _places(child, (*path, *steps))
    except RecursionError:  # llguidance refuses such depths too
        return
    yield path, schema


def _children(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Schema]]:
    for keyword, value in schema.items():
        if keyword in _ONE and isinstance(value, dict):
            yield (keyword,), value
        elif keyword in _LISTS and isinstance(value, list):
            yield from (
                ((keyword, str(number)), each)
                for number, each in enumerate(value)
                if isinstance(each, dict)
            )
        elif keyword in _MAPS and isinstance(value, dict):
            yield from (((keyword, k), v) for k, v in value.items() if isinstance(v, dict))


def _may_close(schema: Schema) -> bool:
    """Whether no object of it is the meet of several: those must stay open to each other."""
    for _, place in _places(schema, ()):
        keys = place.keys()
        is_met = "properties" in keys and keys & {"$ref", "anyOf"}
        if is_met or keys & {"allOf", "oneOf", "not", "if", "$dynamicRef"}:
            return False
    return True


def _copied(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """Return a copy in which each subschema is changed."""
    if isinstance(schema, list):
        return [_copied(each, change) for each in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {keyword: _copied_value(keyword, value, change) for keyword, value in schema.items()}
    return change(copy)


def _copied_value(keyword: str, value: Any, change: Callable[[Schema], Schema]) -> Any:
    if keyword in _MAPS and isinstance(value, dict):
        return {name: _copied(each, change) for name, each in value.items()}
    return _copied(value, change) if keyword in _ONE or keyword in _LISTS else value


def _unclosed(schema: Schema) -> Schema:
    """Return a schema with its reference as a URI."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    whole = _LOOSE_PERCENT.sub("%25", reference)
    return {**schema, "$ref": quote(whole, safe=_URI_LETTERS)}


def _closed(schema: Schema) -> Schema:
    """Return a schema that, as a plain object, allows the properties that it lists alone."""
    listed = schema.get("properties")
    if not isinstance(listed, dict) or schema.keys() & _OPEN:
        return _unclosed(schema)
    required = schema.get("required", [])
    is_complete = isinstance(required, list) and set(map(str, required)) <= listed.keys()
    return {**schema, "additionalProperties": False} if is_complete else schema
