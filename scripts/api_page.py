"""Writes docs/api.md from the OpenAPI document, which is made from the code.

    python -m scripts.api_page [--check]

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from slipstream.server.openapi.document import Json, openapi_document
from slipstream.server.openapi.operations import OPERATIONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
_HEAD = """\
# The API

<!-- Written by `make docs` from the OpenAPI document: edit what that is made from, not this. -->

A running gateway serves all of this at `/openapi.json`, with the schemas of the answers too. What
starts with `/v1` and asks a model for something, or lists models, is served without `/v1` as well,
so that both kinds of SDK find it.

A request is read, and answered, as OpenAI or as Cerebras would. The model decides (`profile` of its
route or of itself), else `[server] profile`; with `auto` there, callers that use Cerebras's own SDK
get that profile. Schemas of the Cerebras profile begin with that word: they are closed, so a field
that is not named is refused.
"""
_OPERATION_COLUMNS = (
    "| method and path | what it does | key | body | errors |\n|---|---|---|---|---|\n"
)
_FIELD_COLUMNS = "| field | accepted |\n|---|---|\n"
_HEADER_COLUMNS = "| header | what it is |\n|---|---|\n"
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minLength": "{} characters or more",
    "maxLength": "at most {} characters",
    "minItems": "{} or more",
    "maxItems": "at most {}",
}
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
    "array": "list",
}


def render() -> str:
    """Return the whole page."""
    served = [(row.method, row.path.replace("{}", "{id}")) for row in OPERATIONS]
    document = openapi_document(served, title="Slipstream", version="")
    parts = [_HEAD]
    for tag in document["tags"]:
        rows = "".join(_operation_rows(document["paths"], tag["name"]))
        parts.append(f"\n## {tag['name']}\n\n{_OPERATION_COLUMNS}{rows}")
    parts.append(f"\n## Headers of answers\n\n{_HEADER_COLUMNS}")
    parts += [
        _row(f"`{name}`", told["description"])
        for name, told in document["components"]["headers"].items()
    ]
    parts.append(
        "\n## Parameters\n\n| parameter | where | accepted | what it is |\n|---|---|---|---|\n"
    )
    parts += [
        _row(f"`{told['name']}`", told["in"], _accepted(told["schema"]), told["description"])
        for told in document["components"]["parameters"].values()
    ]
    parts += _bodies(document)
    return "".join(parts)


def _operation_rows(paths: Json, tag: str) -> Iterator[str]:
    for path, methods in paths.items():
        for method, told in methods.items():
            if tag not in told["tags"]:
                continue
            content = told.get("requestBody", {}).get("content", {})
            body = _accepted(next(iter(content.values()))["schema"]) if content else "none"
            needs_key = "no" if told.get("security") == [] else "yes"
            errors = ", ".join(status for status in told["responses"] if status != "200")
            name = f"`{method.upper()} {path}`"
            yield _row(name, told["summary"], needs_key, body, errors)


def _bodies(document: Json) -> Iterator[str]:
    """Describe each schema that a body may hold, the whole bodies and then their parts."""
    schemas = document["components"]["schemas"]
    names = [
        name
        for methods in document["paths"].values()
        for told in methods.values()
        for name in _names_in(told.get("requestBody", {}))
    ]
    yield "\n## Bodies\n\nA field in italics must be given.\n"
    for name in names:  # which grows until nothing new is named
        names += [each for each in _names_in(schemas[name]) if each not in names]
    for name in dict.fromkeys(names):
        yield from _schema(name, schemas[name])


def _schema(name: str, schema: Json) -> Iterator[str]:
    about = f"{schema['description']}\n\n" if schema.get("description") else ""
    yield f"\n### {name}\n\n{about}{_FIELD_COLUMNS}"
    needed = schema.get("required", ())
    for field, told in schema["properties"].items():
        yield _row(f"*`{field}`*" if field in needed else f"`{field}`", _accepted(told))


def _names_in(value: Any) -> Iterator[str]:
    """Yield the schemas that something refers to."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _names_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names_in(each)


def _accepted(schema: Json) -> str:
    """Write in words what a schema takes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return _either(_accepted(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("format") == "binary":
        return "a file"
    kind = _WORDS.get(schema.get("type", ""), "anything")
    if schema.get("type") == "array" and "items" in schema:
        kind = f"list of ({_accepted(schema['items'])})"
    bounds = [said.format(schema[key]) for key, said in _BOUNDS.items() if key in schema]
    return ", ".join([kind, *bounds])


def _either(words: Iterable[str]) -> str:
    return " or ".join(words)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; return the exit status."""
    page = render()
    if arguments == ["--check"]:
        is_fresh = PAGE.is_file() and PAGE.read_text() == page
        print(f"{PAGE.name} is {'fresh' if is_fresh else 'stale: run make docs'}")
        return 0 if is_fresh else 1
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
