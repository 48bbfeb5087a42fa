"""JSON Schemas at random: all kinds of values, nested, with bounds, references and unions."""

from random import Random
from typing import Any, Final

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


# ---- strict mode --------------------------------------------------------------------------------

NAMES: Final = (
    *("name", "id", "is_on", "x-1", "a b", "é", "日本", "😀", 'quo"te', "back\\slash", "tab\t", ""),
    *("new\nline", "$ref", "type", "a.b", "0", "ключ", "\u200b", "</script>", "<|im_end|>"),
)
_ANNOTATIONS: Final[Schema] = {
    "title": "A title",
    "description": 'Said of it: "{[<tool_call>]}" \u2028',
    "default": None,
}
_MOST_DEPTH: Final = 10
_DEFS: Final = ("point", "Node 1", "日本", "properties", "50%")


def random_strict_schema(random: Random) -> Schema:
    """Return a schema of the subset that Cerebras's strict mode takes, with all its features.

    Source: ../shared/reference/cerebras-api.md, section 2.5, 2026-11-21.
    """
    names = random.sample(_DEFS, random.randint(0, 3))
    defs: dict[str, Schema] = {}
    for name in names:  # each refers to earlier ones alone
        defs[name] = _Strict(random, dict(defs)).value(random.randint(7, _MOST_DEPTH))
    strict = _Strict(random, defs)
    schema = strict.object(1)
    if random.random() < 0.2:  # one branch as deep as is allowed
        schema["properties"]["deep"] = strict.chain(2)
    if defs:
        schema["$defs"] = defs
    if random.random() < 0.2:
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


class _Strict:
    """Draws parts of one schema."""

    def __init__(self, random: Random, defs: dict[str, Schema]) -> None:
        self.random, self.defs = random, defs

    def value(self, depth: int) -> Schema:
        """Draw a schema that stands so deep, and goes on no deeper than is allowed."""
        random = self.random
        leaves = [self.string, self.integer, self.number, self.choice, self.constant, self.plain]
        inner = [self.inner_object, self.array, self.tuple, self.union]
        is_leaf = depth >= _MOST_DEPTH - 1 or random.random() < 0.35 + 0.12 * depth
        if self.defs and random.random() < 0.15:
            return {"$ref": "#/$defs/" + random.choice(sorted(self.defs))}
        drawn = random.choice(leaves if is_leaf else inner)(depth)
        if random.random() < 0.15:
            key = random.choice(sorted(_ANNOTATIONS))
            drawn = {key: _ANNOTATIONS[key], **drawn}
        return drawn

    def object(self, depth: int) -> Schema:
        """Draw an object; some of its properties need not be there."""
        random = self.random
        names = random.sample(NAMES, random.randint(0 if depth > 1 else 1, 4))
        properties = {name: self.value(depth + 1) for name in names}
        schema: Schema = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
        if random.random() < 0.8:
            required = [name for name in names if random.random() < 0.7]
            schema["required"] = random.sample(required, len(required))
        return schema

    def chain(self, depth: int) -> Schema:
        """Draw objects within objects, down to where no more are allowed."""
        if depth == _MOST_DEPTH:
            return self.integer(depth)
        return {
            "type": "object",
            "properties": {"in": self.chain(depth + 1)},
            "required": ["in"],
            "additionalProperties": False,
        }

    def inner_object(self, depth: int) -> Schema:
        """Draw an object; with a name of its own, since `object` begins a schema, too."""
        return self.object(depth)

    def array(self, depth: int) -> Schema:
        """Draw a list, of any length."""
        return {"type": "array", "items": self.value(depth + 1)}

    def tuple(self, depth: int) -> Schema:
        """Draw a list with a schema for each place."""
        items = [self.value(depth + 1) for _ in range(self.random.randint(1, 3))]
        return {"type": "array", "prefixItems": items, "items": False}

    def union(self, depth: int) -> Schema:
        """Draw alternatives, some of them alike."""
        return {"anyOf": [self.value(depth + 1) for _ in range(self.random.randint(1, 3))]}

    def string(self, depth: int) -> Schema:
        """Draw a text, with or without bounds."""
        schema: Schema = {"type": "string"}
        if self.random.random() < 0.3:
            least = self.random.randint(0, 3)
            schema |= {"minLength": least, "maxLength": least + self.random.randint(0, 8)}
        return schema

    def integer(self, depth: int) -> Schema:
        """Draw a whole number; its bounds leave a multiple between them."""
        random = self.random
        schema: Schema = {"type": "integer"}
        step = random.choice([None, None, 1, 5, 7, 100])
        if step is not None:
            schema["multipleOf"] = step
        return schema | self._bounds(random.randint(-500, 500), (step or 1) * 2)

    def number(self, depth: int) -> Schema:
        """Draw a number, with bounds of both kinds and steps that are no whole numbers."""
        random = self.random
        schema: Schema = {"type": "number"}
        step = random.choice([None, None, None, 0.5, 0.01, 0.25, 3])
        if step is not None:
            schema["multipleOf"] = step
        return schema | self._bounds(random.choice([-2.5, 0, 0.125, 7, -1e3, 99.99]), 6)

    def _bounds(self, least: float, width: float) -> Schema:
        most = least + width + self.random.randint(0, 1000)
        bounds: Schema = {}
        if self.random.random() < 0.6:
            bounds[self.random.choice(["minimum", "exclusiveMinimum"])] = least
        if self.random.random() < 0.6:
            bounds[self.random.choice(["maximum", "exclusiveMaximum"])] = most
        return bounds

    def choice(self, depth: int) -> Schema:
        """Draw a list of values, with a type or without one."""
        random = self.random
        if random.random() < 0.5:
            values = ["red", "日本", "", 'a"b', "a\nb", "\\", "</tool_call>", "\u0000", "long " * 9]
            return {"type": "string", "enum": random.sample(values, random.randint(1, 5))}
        return {"enum": random.sample(["red", 3, -1.5, None, True, "3", 0, 1e21], 4)}

    def constant(self, depth: int) -> Schema:
        """Draw the only value that is allowed."""
        return {"const": self.random.choice(["fixed", "é😀", 12, -0.5, False, None, ""])}

    def plain(self, depth: int) -> Schema:
        """Draw what has a type and nothing else, or several types."""
        types = ["boolean", "null", ["string", "null"], ["integer", "boolean"], ["number", "null"]]
        return {"type": self.random.choice(types)}


def random_tools(random: Random) -> list[tuple[str, Schema]]:
    """Return names and strict parameters of some functions."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
    names = {"".join(random.choices(letters, k=random.randint(1, 64))) for _ in range(4)}
    return [
        (name, random_strict_schema(random))
        for name in sorted(names)[: random.randint(1, len(names))]
    ]
