"""The request that `slipstream explain` is about: JSON that was piped in, or made of options."""

import json
from typing import Any, Final

import msgspec

from slipstream.errors import GatewayError
from slipstream.server.routing_answers import ExplainRequest

CHAT_PATH: Final = "/v1/chat/completions"
_HEADER: Final = "x-slipstream"
_DEFAULT_MODEL: Final = "auto"
_DEFAULT_PROMPT: Final = "Hello."
# One white point: what an image costs is estimated from its size, which is told nowhere else.
_IMAGE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFAAH/q8"
    "42WQAAAABJRU5ErkJggg=="
)
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look something up.",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
    },
}
_SCHEMA: Final = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"answer": {"type": "string"}},
            "required": ["answer"],
            "additionalProperties": False,
        },
    },
}


class NotReadable(GatewayError):
    """What was piped in is no request."""


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say of a request.

    Args:
        wishes: As the header `x-slipstream` has them, those that were given.
    """

    model: str | None = None
    prompt: str | None = None
    has_tools: bool = False
    has_image: bool = False
    is_structured: bool = False
    is_stream: bool = False
    max_tokens: int | None = None
    wishes: dict[str, Any] = {}

    @property
    def of_body(self) -> list[str]:
        """Names of the options given that a body says itself."""
        given = {
            "--prompt": self.prompt is not None,
            "--tools": self.has_tools,
            "--image": self.has_image,
            "--structured": self.is_structured,
            "--stream": self.is_stream,
            "--max-tokens": self.max_tokens is not None,
        }
        return [name for name, is_given in given.items() if is_given]


def asked_call(piped: str | None, flags: Flags, path: str) -> ExplainRequest:
    """Return the request.

    Args:
        piped: What was piped in; None if nothing was.

    Raises:
        NotReadable: It is no JSON object, and the text says where; or an option says what it says.
    """
    body = _made(flags, path) if piped is None else _read(piped, flags)
    headers = {_HEADER: json.dumps(flags.wishes)} if flags.wishes else {}
    return ExplainRequest(body=msgspec.Raw(body), path=path, headers=headers)


def _read(piped: str, flags: Flags) -> bytes:
    if flags.of_body:
        raise NotReadable(
            f"{', '.join(flags.of_body)}: a request on standard input says this itself"
        )
    try:
        body = json.loads(piped)
    except json.JSONDecodeError as exc:
        raise NotReadable(
            f"standard input, line {exc.lineno}, column {exc.colno}: no valid JSON: {exc.msg}"
        ) from exc
    except RecursionError as exc:
        raise NotReadable("standard input: nested too deeply") from exc
    if not isinstance(body, dict):
        raise NotReadable("standard input: expected a JSON object, the body of a request")
    if flags.model is None:
        return piped.encode()
    return json.dumps(body | {"model": flags.model}, ensure_ascii=False).encode()


def _made(flags: Flags, path: str) -> bytes:
    if path.removeprefix("/v1") != CHAT_PATH.removeprefix("/v1"):
        raise NotReadable(
            f"--path {path}: options make a request of {CHAT_PATH} only; pipe the body in"
        )
    text = {"type": "text", "text": flags.prompt or _DEFAULT_PROMPT}
    image = {"type": "image_url", "image_url": {"url": _IMAGE}}
    content = [text, image] if flags.has_image else text["text"]
    body: dict[str, Any] = {
        "model": flags.model or next(iter(flags.wishes.get("targets", ())), _DEFAULT_MODEL),
        "messages": [{"role": "user", "content": content}],
    }
    if flags.has_tools:
        body["tools"] = [_TOOL]
    if flags.is_structured:
        body["response_format"] = _SCHEMA
    if flags.is_stream:
        body["stream"] = True
    if flags.max_tokens is not None:
        body["max_tokens"] = flags.max_tokens
    return json.dumps(body, ensure_ascii=False).encode()
