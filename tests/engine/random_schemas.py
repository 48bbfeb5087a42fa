"""JSON Schemas at random: all kinds of values, nested, with bounds, references and unions."""

from random import Random
from typing import Any

Schema = dict[str, Any]


def random_schema(random: Random) -> Schema:
    """Return a schema of an object; all that it allows is of bounded length, but for maps' keys."""
    return {
        **_object(random, 0),
        "$defs": {"point": {"type": "object", "properties": {"x": _integer(random)}}},
    }


def _object(random: Random, depth: int) -> Schema:
    names = random.sample(["name", "a b", "é", 'quo"te', "is_on", "x-1", "id", "日本"], 3)
    properties = {name: _value(random, depth + 1) for name in names[: random.randint(1, 3)]}
    schema: Schema = {"type": "object", "properties": properties}
    if random.random() < 0.7:
        schema["required"] = [name for name in properties if random.random() < 0.8]
    if random.random() < 0.6:
        schema["additionalProperties"] = False
    elif random.random() < 0.3:
        schema["additionalProperties"] = {"type": "boolean"}
    return schema


def _value(random: Random, depth: int) -> Schema:
    leaves = [_string, _integer, _number, _enum, _const, _pattern, _reference, _format]
    inner = [_object_within, _array, _tuple, _union, _nullable]
    kinds = leaves if depth > 2 else [*leaves, *inner]
    return random.choice(kinds)(random, depth)


def _string(random: Random, depth: int) -> Schema:
    least = random.randint(0, 3)
    return {"type": "string", "minLength": least, "maxLength": least + random.randint(0, 8)}


def _integer(random: Random, depth: int = 0) -> Schema:
    least = random.randint(-1000, 1000)
    return {"type": "integer", "minimum": least, "maximum": least + random.randint(0, 5000)}


def _number(random: Random, depth: int) -> Schema:
    return {"type": "number", "exclusiveMinimum": random.randint(-5, 0), "maximum": 7.5}


def _enum(random: Random, depth: int) -> Schema:
    return {"enum": random.sample(["red", "green", 3, None, True, "日本", 1.5, ["a"]], 3)}


def _const(random: Random, depth: int) -> Schema:
    return {"const": random.choice(["fixed", 12, False, {"a": [1, 2]}])}


def _pattern(random: Random, depth: int) -> Schema:
    return {"type": "string", "pattern": random.choice([r"^[A-Z]{2}\d{1,4}$", "^(a|bc){1,3}$"])}


def _format(random: Random, depth: int) -> Schema:
    return {"type": "string", "format": random.choice(["date", "uuid", "ipv4"])}


def _reference(random: Random, depth: int) -> Schema:
    return {"$ref": "#/$defs/point"}


def _object_within(random: Random, depth: int) -> Schema:
    return _object(random, depth)


def _array(random: Random, depth: int) -> Schema:
    least = random.randint(0, 2)
    return {
        "type": "array",
        "items": _value(random, depth + 1),
        "minItems": least,
        "maxItems": least + random.randint(0, 2),
    }


def _tuple(random: Random, depth: int) -> Schema:
    items = [_value(random, depth + 1) for _ in range(2)]
    return {"type": "array", "prefixItems": items, "items": False, "minItems": 2}


def _union(random: Random, depth: int) -> Schema:
    return {"anyOf": [_value(random, depth + 1), {"type": "boolean"}]}


def _nullable(random: Random, depth: int) -> Schema:
    return {"type": ["string", "null"], "maxLength": 5}
