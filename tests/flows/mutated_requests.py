"""Requests that are almost right: seeds that the gateway answers, mutated at every level.

Values come from the OpenAPI document's schemas, at and beside their bounds, and from a list of what
breaks readers. A mutated request never asks for a long answer, so that each one is soon over.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import msgspec
from hypothesis import strategies as st

from slipstream.server.openapi.document import openapi_document
from slipstream.server.openapi.operations import OPERATIONS
from tests.flows.dialect_seeds import DIALECT_HEADERS, MAX_TOKENS, dialect_seeds
from tests.prepared_model import MODEL

STRICT: Final = "gpt-oss-120b"  # a public name that has the Cerebras profile
DOCUMENT: Final = openapi_document(
    [(row.method, row.path.replace("{}", "{id}")) for row in OPERATIONS], title="fuzz", version="0"
)
_MAX_CHOICES: Final = 4


@dataclass
class Sent:
    """One request as it goes onto the wire."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    has_key: bool = True

    def encode(self, key: str) -> bytes:
        """Return its bytes; the connection closes behind the answer."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "host: test", "connection: close"]
        lines.append(f"content-length: {len(self.body)}")
        if self.has_key:
            lines.append(f"authorization: Bearer {key}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


# ---- seeds --------------------------------------------------------------------------------------

_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
_CALL: Final = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
_SCHEMA: Final = {
    "type": "object",
    "properties": {"x": {"enum": ["a", "b"]}, "y": {"type": "array", "items": {"type": "null"}}},
    "required": ["x"],
    "additionalProperties": False,
}
_HI: Final = [{"role": "user", "content": "hi"}]
_TURNS: Final = [
    {"role": "system", "content": [{"type": "text", "text": "s"}]},
    *_HI,
    {"role": "assistant", "content": "", "tool_calls": [_CALL], "reasoning": "r"},
    {"role": "tool", "tool_call_id": "c1", "content": "1"},
]
_PNG: Final = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
_CHATS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"stream": True, "stream_options": {"include_usage": True}, "seed": 7},
    {"messages": _TURNS, "tools": [_TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
    {"tools": [_TOOL], "tool_choice": {"type": "function", "function": {"name": "add"}}},
    {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": _SCHEMA, "strict": True},
        }
    },
    {"response_format": {"type": "json_object"}},
    {"logprobs": True, "top_logprobs": 2, "n": 2, "stop": ["x"], "logit_bias": {"5": -100}},
    {"prediction": {"type": "content", "content": [{"type": "text", "text": "hi there"}]}},
    {"temperature": 0.5, "top_p": 0.9, "frequency_penalty": 1, "presence_penalty": -1, "user": "u"},
    {"reasoning_effort": "low", "reasoning_format": "parsed", "service_tier": "flex"},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, _PNG]}]},
    {"min_tokens": 1, "prompt_cache_key": "k", "stream": True},
    {"structured_outputs": {"regex": "[ab]{2}"}},
    {"structured_outputs": {"grammar": 'start: "a" | "b"'}},
)
_TEXTS: Final[tuple[dict[str, Any], ...]] = (
    {"prompt": "Once"},
    {"prompt": ["a", "b"], "stream": True},
    {"prompt": [1, 2, 3], "logprobs": 2, "echo": False},
    {"prompt": [[1], [2, 3]], "n": 2, "best_of": 3, "seed": 1},
    {"prompt": "x", "stop": ["."], "logit_bias": {"5": 1}, "temperature": 0},
)
_VECTORS: Final[tuple[dict[str, Any], ...]] = (
    {"input": "x"},
    {"input": ["a", "b"], "encoding_format": "base64", "dimensions": 3},
)
_BATCHES: Final[tuple[dict[str, Any], ...]] = (
    {
        "input_file_id": "file_0123456789abcdef01234567",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"a": "b"},
    },
)


def _seeds() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (path, name of the body's schema, body)."""
    for model, schema in ((MODEL, "ChatRequest"), (STRICT, "CerebrasChatRequest")):
        for fields in _CHATS:
            said = {"model": model, "messages": _HI, "max_completion_tokens": MAX_TOKENS}
            yield "/v1/chat/completions", schema, said | fields
    for model, schema in ((MODEL, "CompletionRequest"), (STRICT, "CerebrasCompletionRequest")):
        for fields in _TEXTS:
            yield "/v1/completions", schema, {"model": model, "max_tokens": MAX_TOKENS} | fields
    for fields in _VECTORS:
        yield "/v1/embeddings", "EmbeddingsRequest", {"model": MODEL} | fields
    for fields in _BATCHES:
        yield "/v1/batches", "BatchRequest", fields
    yield from dialect_seeds(MODEL)


SEEDS: Final = tuple(_seeds())

# ---- values -------------------------------------------------------------------------------------


def _nested(depth: int, *, is_object: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if is_object else [value]
    return value


_ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, -2, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**400),
    *(0.5, -0.0, 1e308, -1e-320, float("nan"), float("inf"), float("-inf")),
    *("", " ", "a", "none", "auto", "\x00", "\ud800", "\udfff\ud800", "\u202e", "\ufeff"),
    *("é漢\U0001f600", "x" * 500, "é" * 200, "<|im_end|>", "</think>", "${jndi:x}", "%00"),
    *([], {}, [[]], [{}], [None], {"": ""}, {"a": None}, [0] * 200, {"$ref": "#"}),
    *("gpt-oss-120b", MODEL, "nobody/nothing", "text", "function", "user"),
    *(_nested(depth, is_object=as_object) for depth in (20, 300) for as_object in (True, False)),
)
_KEYS: Final = (
    *("", "model", "messages", "stream", "max_tokens", "maxTokens", "metadata", "store", "role"),
    *("top_k", "reasoning_content", "response_format", "é", "\x00", "\ud800", "__proto__", "$ref"),
    *("n" * 2_000, "strict", "type", "tools", "seed", "additionalProperties", "pattern", "oneOf"),
)
_GRAMMARS: Final[dict[str, tuple[Any, ...]]] = {
    "schema": (
        *({"enum": []}, {"anyOf": []}, {"$ref": "#/$defs/x"}, {"$ref": "#"}, {"const": {"a": 1}}),
        *({"type": "integer", "minimum": 5, "maximum": 1}, {"type": "number", "multipleOf": 0}),
        *({"type": "string", "pattern": "("}, {"type": "string", "pattern": "(a+)+$"}),
        *({"type": "string", "maxLength": 10**9}, {"type": "array", "minItems": 10**6}),
        *({"type": ["string", "null"]}, {"type": "tuple"}, {"type": 7}, {"properties": []}, True),
        {"type": "object", "properties": {"\ud800": {"type": "null"}}, "required": ["é", "é"]},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": False},
        {"type": "object", "$defs": {"x": {"$ref": "#/$defs/x"}}, "properties": {}},
        {"type": "object", "properties": {str(n): {} for n in range(501)}},
        {"type": "object", "properties": {"a": {"enum": [str(n) for n in range(501)]}}},
        *(_nested(depth, is_object=True) for depth in (5, 60)),
    ),
    "regex": ("(", "a{1,100000}", "(?=a)", "\\p{L}+", "(a|b)*c{400}", "[", "", "\x00", "\ud800"),
    "grammar": ("start: x", "start:", 'start: start "a"', "start: /(/", "", "%import common.X"),
}
_GRAMMARS["parameters"] = _GRAMMARS["schema"]
_odd = st.sampled_from(_ODD)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema of the document takes, its bounds and what is beside them."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return st.deferred(lambda: values_of(DOCUMENT["components"]["schemas"][name]))
    if "anyOf" in schema:
        return st.one_of([values_of(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from([*schema["enum"], "other"])
    of_type = _OF_TYPE.get(schema.get("type", ""))
    return _odd if of_type is None else of_type(schema)


def _numbers(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    bounds = [schema[key] for key in ("minimum", "maximum", "exclusiveMinimum") if key in schema]
    beside = [bound + step for bound in (*bounds, 0) for step in (-1, 0, 1, 0.25)]
    return st.sampled_from(beside)


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    longest = schema.get("maxLength", 20)
    return st.sampled_from(["", "a", "x" * longest, "x" * (longest + 1), "é\U0001f600", "\ud800"])


def _arrays(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.lists(values_of(schema.get("items", {})), max_size=schema.get("maxItems", 2) + 1)


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    properties = schema.get("properties")
    if not properties:
        return st.dictionaries(st.sampled_from(_KEYS), _odd, max_size=2)
    needed = {name: values_of(properties[name]) for name in schema.get("required", ())}
    others = {name: values_of(told) for name, told in properties.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=others)


_OF_TYPE: Final[dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]]] = {
    "integer": _numbers,
    "number": _numbers,
    "string": _texts,
    "array": _arrays,
    "object": _objects,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}

# ---- structure ----------------------------------------------------------------------------------


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys or indices, at every depth."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, held in items:
        yield value, key
        if isinstance(held, dict | list):
            yield from _places(held)


def _delete(draw: st.DrawFn, holder: Any, key: Any) -> None:
    del holder[key]


def _replace(draw: st.DrawFn, holder: Any, key: Any) -> None:
    holder[key] = deepcopy(draw(_odd))


def _wrap(draw: st.DrawFn, holder: Any, key: Any) -> None:
    holder[key] = draw(st.sampled_from([[holder[key]], {"x": holder[key]}, str(holder[key])]))


def _add(draw: st.DrawFn, holder: Any, key: Any) -> None:
    value = deepcopy(draw(_odd))
    if isinstance(holder, dict):
        holder[draw(st.sampled_from(_KEYS))] = value
    else:
        holder.insert(key, value)


def _repeat(draw: st.DrawFn, holder: Any, key: Any) -> None:
    times = draw(st.sampled_from([2, 3, 5, 40]))
    if isinstance(holder[key], list):
        holder[key] = holder[key] * times
    elif isinstance(holder, list):
        holder[key:key] = [holder[key]] * (times - 1)


_OPERATIONS: Final = (_delete, _replace, _wrap, _add, _repeat)


def _mutate(draw: st.DrawFn, body: dict[str, Any], schema: str) -> None:
    places = list(_places(body))
    properties = DOCUMENT["components"]["schemas"][schema]["properties"]
    if not places or draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(sorted(properties)))
        body[name] = deepcopy(draw(values_of(properties[name])))
        return
    forms = [(holder, key) for holder, key in places if key in _GRAMMARS]
    wants_form: bool = draw(st.booleans())
    if forms and wants_form:
        holder, key = draw(st.sampled_from(forms))
        holder[key] = deepcopy(draw(st.sampled_from(_GRAMMARS[key])))
        return
    holder, key = draw(st.sampled_from(places))
    draw(st.sampled_from(_OPERATIONS))(draw, holder, key)


# Where answers are long unless something says otherwise: the names of what does.
_LIMITS: Final = {
    "/v1/chat/completions": ("max_tokens", "max_completion_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/messages": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
}


def _shorten(body: dict[str, Any], names: tuple[str, ...]) -> None:
    """Bound what is right and would take long; what is wrong stays as it is."""
    limits = [body.get(name) for name in names]
    if all(limit is None or _is_large(limit, MAX_TOKENS) or limit == -1 for limit in limits):
        for name in names:
            body.pop(name, None)
        body[names[0]] = MAX_TOKENS
    for key in ("n", "best_of"):
        if _is_large(body.get(key), _MAX_CHOICES):
            body[key] = min(body[key] + 100, 2**40) if body[key] > 128 else 2


def _is_large(value: Any, most: int) -> bool:
    return type(value) is int and value > most


# ---- bytes --------------------------------------------------------------------------------------


def _cut(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, max(len(data) - 1, 0)))]


def _flip(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, max(len(data) - 1, 0)))
    return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]


def _prefix(draw: st.DrawFn, data: bytes) -> bytes:
    return draw(st.sampled_from([b"\xef\xbb\xbf", b"\x00", b"[", b"{}", b"  ", b"\xff"])) + data


def _double(draw: st.DrawFn, data: bytes) -> bytes:
    return data + data


def _pack(draw: st.DrawFn, data: bytes) -> bytes:
    return gzip.compress(data, 1)


_SPOILS: Final = (_cut, _flip, _prefix, _double, _pack)
_MSGPACK: Final = ("application/msgpack", "application/vnd.msgpack", "application/x-msgpack")
_TYPES: Final = (
    *_MSGPACK,
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x" * 300),
    *("application/json; charset=utf-16", "APPLICATION/JSON", "application/vnd.msgpack; a=b"),
)
_ENCODINGS: Final = (
    *("gzip", "GZIP", "x-gzip", "identity", "br", "deflate", "gzip, gzip", "", "\xff"),
)
_HEADERS: Final = (
    ("user-agent", "Cerebras/Python 1.91.0"),
    ("user-agent", "AsyncCerebras/Python 1.91.0"),
    ("user-agent", "\xe9\xff" * 40),
    ("x-cerebras-version-patch", "2"),
    ("x-cerebras-version-patch", "-1"),
    ("x-cerebras-version-patch", "two"),
    ("queue_threshold", "100"),
    ("queue_threshold", "-5"),
    ("queue_threshold", "9" * 400),
    ("queue_threshold", "1e3"),
    *DIALECT_HEADERS,
    ("accept", "text/html"),
    ("accept-encoding", "br;q=nan"),
    ("x-delay-time", "NaN"),
    ("expect", "100-continue"),
    ("x-request-id", "a, b"),
    ("x-should-retry", "maybe"),
    ("cookie", "a=b" * 500),
    ("range", "bytes=0-1"),
    ("x-http-method-override", "DELETE"),
    ("traceparent", "00-zz"),
)


def _encoded(draw: st.DrawFn, body: Any) -> tuple[bytes, dict[str, str]]:
    """Write a body in one of the ways that are accepted, or nearly so."""
    way = draw(st.integers(0, 11))
    if way >= 4:
        return _json(body), {"content-type": "application/json"}
    headers = {"content-type": "application/json"}
    data = _json(body)
    if way in (0, 1):
        headers["content-type"] = draw(st.sampled_from(_MSGPACK))
        data = _as_msgpack(body) or data
    if way in (1, 2):
        data, headers["content-encoding"] = gzip.compress(data, 1), "gzip"
    if draw(st.integers(0, 2)) == 0:
        data = draw(st.sampled_from(_SPOILS))(draw, data)
    if draw(st.integers(0, 3)) == 0:
        headers["content-type"] = draw(st.sampled_from(_TYPES))
    if draw(st.integers(0, 3)) == 0:
        headers["content-encoding"] = draw(st.sampled_from(_ENCODINGS))
    return data, headers


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def _as_msgpack(body: Any) -> bytes | None:
    """Encode, if it can be: msgpack has no integers over 64 bits and no lone surrogates."""
    try:
        return msgspec.msgpack.encode(body)
    except (OverflowError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        return None


# ---- requests -----------------------------------------------------------------------------------


@st.composite
def posted(draw: st.DrawFn) -> Sent:
    """Return a seed, mutated up to four times, and what carries it."""
    path, schema, seed = draw(st.sampled_from(SEEDS))
    body: Any = deepcopy(seed)
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 1, 2, 2, 3, 4)))):
        _mutate(draw, body, schema)
    if path in _LIMITS:
        _shorten(body, _LIMITS[path])
    if draw(st.integers(0, 40)) == 0:
        body = deepcopy(draw(_odd))
    data, headers = _encoded(draw, body)
    for _ in range(draw(st.integers(0, 2))):
        headers |= [draw(st.sampled_from(_HEADERS))]
    is_bare = draw(st.booleans()) and path != "/v1/batches"
    query = draw(st.sampled_from(("", "?beta=true"))) if "messages" in path else ""
    return Sent("POST", (path.removeprefix("/v1") if is_bare else path) + query, data, headers)


UNKNOWN_METHOD: Final = "FOO"
_METHODS: Final = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", UNKNOWN_METHOD),
)
_SEGMENTS: Final = (
    *("v1", "models", "chat", "completions", "files", "batches", "public", "content", "cancel"),
    *("health", "metrics", "openapi.json", "tcp_warming", "embeddings", "", ".", "..", "%2F"),
    *("messages", "responses", "count_tokens", "input_items", "resp_0", "skills"),
    *(STRICT, MODEL, "a b", "é", "%00", "%ff", "%zz", "x" * 3_000, "file_0", "batch_0"),
    *("file_0123456789abcdef01234567", "batch_0123456789abcdef01234567", "*", "{id}", "\\"),
)
_QUERIES: Final = (
    *("", "", "?", "?format=default", "?format=openrouter", "?format=huggingface", "?format=x"),
    *("?format=&format=x", "?limit=0", "?limit=-1", "?limit=1e9", "?limit=x", "?limit=101"),
    *("?after_id=x", "?before_id=%ff&after_id=y", "?beta=true", "?limit=1000"),
    *("?after=%00", "?after=" + "x" * 2_000, "?%ff=%ff", "?a=b&&=;", "?limit=5&after=file_1"),
)


@st.composite
def odd_places(draw: st.DrawFn) -> Sent:
    """Return a request for any path, by any method, with or without a key."""
    known = [
        "/" + row.path.strip("/").format(draw(st.sampled_from(_SEGMENTS))) for row in OPERATIONS
    ]
    path = draw(
        st.sampled_from(known)
        | st.lists(st.sampled_from(_SEGMENTS), max_size=5).map(lambda each: "/" + "/".join(each))
    )
    path = quote(path, safe="/%*{}\\") + draw(st.sampled_from(_QUERIES))
    method = draw(st.sampled_from(("GET", "GET", "POST", "DELETE", *_METHODS)))
    body = draw(st.sampled_from([b"", b"{}", b"\x00" * 50, b"--x\r\n\r\n--x--"]))
    headers = dict([draw(st.sampled_from(_HEADERS))])
    if draw(st.booleans()):
        headers["content-type"] = draw(st.sampled_from(_TYPES))
    return Sent(method, path, body, headers, has_key=draw(st.integers(0, 3)) > 0)


_FORM_TYPE: Final = "multipart/form-data; boundary=x"
_LINE: Final = (
    b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-oss-120b",'
    b'"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":2}}\n'
)
_FORM: Final = (
    b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n'
    b"content-type: application/jsonl\r\n\r\n" + _LINE + b"\r\n--x--\r\n"
)


@st.composite
def uploads(draw: st.DrawFn) -> Sent:
    """Return the upload of a file, its form spoiled up to three times."""
    form = _FORM
    for _ in range(draw(st.integers(0, 3))):
        form = draw(st.sampled_from(_SPOILS))(draw, form)
    declared = draw(st.sampled_from([_FORM_TYPE, _FORM_TYPE, "multipart/form-data", *_TYPES]))
    return Sent("POST", "/v1/files", form, {"content-type": declared})


def requests() -> st.SearchStrategy[Sent]:
    """Return requests of every kind; most ask a model for something."""
    kinds = [posted()] * 7 + [odd_places()] * 2 + [uploads()]
    return st.integers(0, len(kinds) - 1).flatmap(lambda at: kinds[at])
