"""The OpenAPI 3.1 document of the paths that are served.

Source: OpenAPI Specification 3.1.1; what is said of profiles and errors is
../shared/reference/cerebras-api.md sections 1 and 5, 2026-11-21.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from slipstream.server.openapi.answers import Error
from slipstream.server.openapi.anthropic_answers import AnthropicError
from slipstream.server.openapi.cerebras_answers import (
    CerebrasDetail,
    CerebrasError,
    CerebrasWrappedError,
)
from slipstream.server.openapi.fields import HEADERS, ON_ANSWERS, PARAMETERS
from slipstream.server.openapi.operation import EVENTS, JSON, Operation, Records
from slipstream.server.openapi.operations import OPERATIONS
from slipstream.server.openapi.requests import CerebrasChatRequest, CerebrasCompletionRequest

Json = dict[str, Any]

_STRICT: Final[Records] = (CerebrasChatRequest, CerebrasCompletionRequest)
_PREFIX: Final = "Cerebras"
_SCHEMAS: Final = "#/components/schemas/"
_HOLE: Final = re.compile(r"\{(\w+)\*?\}")
_DESCRIPTION: Final = (
    "OpenAI's API, and the Cerebras Inference API where a model has that profile or the caller "
    "uses Cerebras's SDK. Which of the two a request is read and answered in decides which of the "
    "alternatives below holds; schemas of the second begin with Cerebras. A model that a provider "
    "answers for may give more fields."
)
_STREAM: Final = (
    "Events if `stream` is true: each is `data: ` and the JSON of one of these, the last one is "
    "`data: [DONE]`. An error inside of a stream is an event too."
)
_PACKED: Final = "JSON or msgpack, either of them packed with gzip or not."

# ---- errors -------------------------------------------------------------------------------------

_ERRORS: Final[dict[int, tuple[str, Records]]] = {
    400: ("The request is not one that can be answered.", (Error, CerebrasError, AnthropicError)),
    401: (
        "The key is not known, or in OpenAI's shape: none was sent.",
        (Error, CerebrasError, AnthropicError),
    ),
    403: ("No key was sent.", (CerebrasDetail,)),
    404: (
        "What is asked for does not exist.",
        (Error, CerebrasError, CerebrasDetail, AnthropicError),
    ),
    408: ("The request did not come in time.", (Error, CerebrasError, AnthropicError)),
    409: (
        "What is asked for cannot be done at this point.",
        (Error, CerebrasError, AnthropicError),
    ),
    413: ("The body is too large.", (Error, CerebrasError, AnthropicError)),
    429: (
        "A rate limit is used up, or too much is waiting.",
        (Error, CerebrasError, AnthropicError),
    ),
    500: ("A failure of the gateway.", (Error, CerebrasWrappedError, AnthropicError)),
    502: ("A failure of what answers.", (Error, CerebrasWrappedError, AnthropicError)),
    503: ("Nothing can answer at the moment.", (Error, CerebrasWrappedError, AnthropicError)),
    504: ("What answers took too long.", (Error, CerebrasWrappedError, AnthropicError)),
    529: ("Nothing can answer at the moment, in Anthropic's API.", (AnthropicError,)),
}
_WAITING: Final = (429, 503, 529)  # they say when to come back

# ---- the document -------------------------------------------------------------------------------


def openapi_document(served: Iterable[tuple[str, str]], *, title: str, version: str) -> Json:
    """Return the document.

    Args:
        served: Methods and patterns of the paths that are answered. `/x` stands for `/v1/x` where
            only that has a row. `{name}` and `{name*}` stand for ids.

    Raises:
        LookupError: One of them has no row.
    """
    paths: Json = {}
    for method, pattern in served:
        path = _HOLE.sub(r"{\1}", pattern)
        paths.setdefault(path, {})[method.lower()] = _operation(_row_of(method, path), path)
    return {
        "openapi": "3.1.1",
        "info": {"title": title, "version": version, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "headers": HEADERS,
            "parameters": PARAMETERS,
            "responses": {f"E{status}": _error(status) for status in _ERRORS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
        "security": [{"bearer": []}, {"key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(row.tag for row in OPERATIONS)],
    }


def described(path: str) -> str:
    """Return a path as rows have it: holes without names, and with its `/v1`."""
    bare = re.sub(r"\{\w+\*?\}", "{}", path)
    return bare if bare in _PATHS else f"/v1{bare}"


_ROWS: Final = {(row.method, row.path): row for row in OPERATIONS}
_PATHS: Final = frozenset(row.path for row in OPERATIONS)


def _row_of(method: str, path: str) -> Operation:
    row = _ROWS.get((method, described(path)))
    if row is None:
        raise LookupError(f"{method} {path} has no row in operations.py")
    return row


def _operation(row: Operation, path: str) -> Json:
    is_own = path.startswith("/v1/") or not row.path.startswith("/v1/")
    told: Json = {
        "operationId": row.operation_id if is_own else f"{row.operation_id}WithoutV1",
        "tags": [row.tag],
        "summary": row.summary,
        "responses": {"200": _answer(row), **_errors(row)},
    }
    holes = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _HOLE.findall(path)
    ]
    named = [{"$ref": f"#/components/parameters/{name}"} for name in row.parameters]
    if holes or named:
        told["parameters"] = [*holes, *named]
    if row.takes:
        content = {media: {"schema": _any_of(row.takes)} for media in row.takes_as}
        told["requestBody"] = {"required": True, "content": content}
        if "content-encoding" in row.parameters:
            told["requestBody"]["description"] = _PACKED
    if row.is_open:
        told["security"] = []
    return told


def _answer(row: Operation) -> Json:
    told: Json = {"description": "The answer.", "headers": _headers_of(row)}
    if row.method == "HEAD":
        return told
    if row.gives_text is not None:
        return told | {"content": {row.gives_text: {"schema": {"type": "string"}}}}
    content: Json = {JSON: {"schema": _any_of(row.gives) if row.gives else {"type": "object"}}}
    if row.gives_events:
        told["description"] = f"The answer. {_STREAM}"
        content[EVENTS] = {"schema": _any_of(row.gives_events)}
    return told | {"content": content}


def _headers_of(row: Operation) -> Json:
    names = ON_ANSWERS if row.gives_events or row.tag == "Embeddings" else ("x-request-id",)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _errors(row: Operation) -> Json:
    statuses = {*row.errors, 500} if row.is_open else {*row.errors, 401, 403, 500}
    return {str(at): {"$ref": f"#/components/responses/E{at}"} for at in sorted(statuses)}


def _error(status: int) -> Json:
    description, records = _ERRORS[status]
    names = ["x-request-id", "x-should-retry"] + (["retry-after"] if status in _WAITING else [])
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {JSON: {"schema": _any_of(records)}},
    }


# ---- schemas ------------------------------------------------------------------------------------


def _any_of(records: Records) -> Json:
    refs = [{"$ref": f"{_SCHEMAS}{_name_of(record)}"} for record in dict.fromkeys(records)]
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def _name_of(record: type[msgspec.Struct]) -> str:
    return _strict_name(record.__name__) if record in _STRICT else record.__name__


def _strict_name(name: str) -> str:
    return f"{_PREFIX}{name.removeprefix('_')}"


def _schemas() -> Json:
    """Return the schema of every record, those of the strict profile closed."""
    used = [each for row in OPERATIONS for each in (*row.takes, *row.gives, *row.gives_events)]
    told = [each for _, records in _ERRORS.values() for each in records]
    _, open_ones = msgspec.json.schema_components(
        [each for each in dict.fromkeys((*used, *told)) if each not in _STRICT],
        ref_template=f"{_SCHEMAS}{{name}}",
    )
    _, strict = msgspec.json.schema_components(_STRICT, ref_template=f"{_SCHEMAS}{{name}}")
    closed = {_strict_name(name): _closed(schema) for name, schema in strict.items()}
    schemas = {name: _in_one_line(each) for name, each in sorted((open_ones | closed).items())}
    plain: Json = msgspec.json.decode(msgspec.json.encode(schemas))  # defaults hold tuples
    return plain


def _in_one_line(schema: Any) -> Any:
    """Return a schema whose description, a docstring, is a text without line ends."""
    about = schema.get("description")
    return schema if about is None else schema | {"description": " ".join(about.split())}


def _closed(value: Any) -> Any:
    """Return a schema of the strict profile: no unknown keys, and references to its own kind."""
    if isinstance(value, list):
        return [_closed(each) for each in value]
    if isinstance(value, str) and value.startswith(_SCHEMAS):
        return _SCHEMAS + _strict_name(value.removeprefix(_SCHEMAS))
    if not isinstance(value, Mapping):
        return value
    told = {key: _closed(each) for key, each in value.items()}
    is_record = isinstance(told.get("title"), str) and "properties" in told
    return told | {"additionalProperties": False} if is_record else told
